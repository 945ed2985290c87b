/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashes. HSET of one field with an integer is recorded as IntMapSet, which says it in fewer bytes;
 * every other HSET is one MapSet.
 */
#include "ops/decimal.h"
#include "server/arguments.h"
#include "server/command.h"
#include "server/exec.h"
#include "server/random.h"
#include "server/random_items.h"
#include "server/scan.h"

/* False: an error was written. */
static bool set_fields(struct exec *x, int64_t *added)
{
    struct outcome outcome;
    if (x->argc % 2) {
        exec_wrong_arity(x);
        return false;
    }
    struct op op = exec_op(x, OP_MAP_SET, 1);
    int64_t number;
    if (x->argc == 4 && parse_int(x->argv[3], &number)) {
        op.kind = OP_INT_MAP_SET;
        op.int_map_set = (struct op_int_map_set){x->argv[2], number};
    } else {
        op.map_set.pairs = (struct slice_list){x->argv + 2, (size_t)x->argc - 2};
        op.map_set.condition = OP_CONDITION_NONE;
    }
    if (!exec_apply(x, &op, 'h', "hset", &outcome))
        return false;
    *added = outcome.number;
    return true;
}

static void hset_command(struct exec *x)
{
    int64_t added;
    if (set_fields(x, &added))
        resp_write_integer(x->out, added);
}

static void hmset_command(struct exec *x)
{
    int64_t added;
    if (set_fields(x, &added))
        resp_write_ok(x->out);
}

static void hsetnx_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_MAP_SET, 1);
    op.map_set.pairs = (struct slice_list){x->argv + 2, 2};
    op.map_set.condition = OP_CONDITION_NX;
    if (exec_apply(x, &op, 'h', "hset", &outcome))
        resp_write_integer(x->out, outcome.status == OUTCOME_OK);
}

static void write_slice(struct exec *x, struct slice bytes)
{
    resp_write_bulk(x->out, bytes.data, bytes.len);
}

/* False: WRONGTYPE was written. */
static bool get_field(struct exec *x, struct answer *answer)
{
    struct read_op op = exec_read_op(x, READ_OP_MAP_GET, 1);
    op.argument = x->argv[2];
    return exec_query(x, &op, answer);
}

static void hget_command(struct exec *x)
{
    struct answer answer;
    if (!get_field(x, &answer))
        return;
    if (answer.status == ANSWER_OK)
        write_slice(x, answer.bytes);
    else
        resp_write_nil(x->out);
}

static void hstrlen_command(struct exec *x)
{
    struct answer answer;
    if (get_field(x, &answer))
        resp_write_integer(x->out, answer.status == ANSWER_OK ? (long long)answer.bytes.len : 0);
}

static void hexists_command(struct exec *x)
{
    struct answer answer;
    if (get_field(x, &answer))
        resp_write_integer(x->out, answer.status == ANSWER_OK);
}

static void hmget_command(struct exec *x)
{
    struct entry *hash;
    struct slice value;
    if (!exec_find_type(x, 1, VALUE_HASH, &hash))
        return;
    resp_write_array(x->out, (size_t)x->argc - 2);
    for (int i = 2; i < x->argc && !client_overflows(x->client); i++) {
        if (hash && hash_get(hash, x->argv[i], &value))
            write_slice(x, value);
        else
            resp_write_nil(x->out);
    }
}

static void hdel_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_MAP_DELETE, 1);
    op.map_delete.fields = (struct slice_list){x->argv + 2, (size_t)x->argc - 2};
    if (exec_apply(x, &op, 'h', "hdel", &outcome))
        resp_write_integer(x->out, outcome.number);
}

static void hlen_command(struct exec *x)
{
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_MAP_LEN, 1);
    if (exec_query(x, &op, &answer))
        resp_write_integer(x->out, answer.number);
}

static void write_entries(struct exec *x, enum read_op_kind kind, bool fields, bool values)
{
    struct answer answer;
    struct slice field, value;
    struct read_op op = exec_read_op(x, kind, 1);
    if (!exec_query(x, &op, &answer))
        return;
    if (fields && values)
        resp_write_map(x->out, (size_t)answer.number);
    else
        resp_write_array(x->out, (size_t)answer.number);
    while (answer.number-- && value_iter_next(&answer.iter, &field, &value)) {
        if (fields)
            write_slice(x, field);
        if (values)
            write_slice(x, value);
    }
}

static void hkeys_command(struct exec *x)
{
    write_entries(x, READ_OP_MAP_KEYS, true, false);
}

static void hvals_command(struct exec *x)
{
    write_entries(x, READ_OP_MAP_ENTRIES, false, true);
}

static void hgetall_command(struct exec *x)
{
    write_entries(x, READ_OP_MAP_ENTRIES, true, true);
}

/* A zero divisor has changed nothing: the answer is the number that is still there. */
static void apply_number(struct exec *x, struct op *op, const char *event)
{
    struct outcome outcome;
    struct answer answer;
    if (!exec_apply(x, op, 'h', event, &outcome))
        return;
    if (outcome.status == OUTCOME_OK) {
        resp_write_integer(x->out, outcome.number);
        return;
    }
    struct read_op read = exec_read_op(x, READ_OP_INT_MAP_GET, 1);
    read.argument = x->argv[2];
    if (exec_query(x, &read, &answer))
        resp_write_integer(x->out, answer.number);
}

static void hincrby_command(struct exec *x)
{
    struct op op = exec_op(x, OP_INT_MAP_ADD, 1);
    op.int_map_add.field = x->argv[2];
    if (exec_int(x, 3, &op.int_map_add.delta))
        apply_number(x, &op, "hincrby");
}

static void hmulby_command(struct exec *x)
{
    struct op op = exec_op(x, OP_INT_MAP_MUL, 1);
    op.int_map_mul.field = x->argv[2];
    if (exec_int(x, 3, &op.int_map_mul.factor))
        apply_number(x, &op, "hmulby");
}

static void hdivby_command(struct exec *x)
{
    struct op op = exec_op(x, OP_INT_MAP_DIV, 1);
    op.int_map_div.field = x->argv[2];
    if (exec_int(x, 3, &op.int_map_div.divisor))
        apply_number(x, &op, "hdivby");
}

/* The increment is looked at first: an outcome does not tell it from the field's value. */
static bool float_argument(struct exec *x, struct slice text)
{
    switch (decimal_check(text)) {
    case DECIMAL_OK: return true;
    case DECIMAL_INVALID: exec_error(x, "ERR value is not a valid float"); break;
    case DECIMAL_INFINITE: exec_error(x, "ERR value is NaN or Infinity"); break;
    }
    return false;
}

static void hincrbyfloat_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_FLOAT_MAP_ADD, 1);
    op.float_map_add = (struct op_float_map_add){x->argv[2], x->argv[3]};
    if (float_argument(x, x->argv[3]) && exec_apply(x, &op, 'h', "hincrbyfloat", &outcome))
        write_slice(x, outcome.text);
}

static bool write_field(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    write_slice(ctx, field);
    return !exec_reply_lost(ctx);
}

static bool write_pair(void *ctx, struct slice field, struct slice value)
{
    struct exec *x = ctx;
    resp_write_pair(x->out);
    write_slice(x, field);
    write_slice(x, value);
    return !exec_reply_lost(x);
}

static void random_fields(struct exec *x, const struct entry *hash, int64_t count, bool values)
{
    size_t len = hash ? value_len(hash) : 0, wanted = (size_t)(count < 0 ? -count : count);
    if (len == 0 || (count > 0 && wanted > len))
        wanted = len;
    if (values)
        resp_write_pairs(x->out, wanted);
    else
        resp_write_array(x->out, wanted);
    if (!wanted)
        return;
    random_items_visit *visit = values ? write_pair : write_field;
    if (count < 0)
        random_items_draw(hash, wanted, visit, x);
    else
        random_items_subset(hash, wanted, visit, x);
}

static void random_field(struct exec *x, const struct entry *hash)
{
    char scratch[24];
    struct slice field, value;
    if (!hash) {
        resp_write_nil(x->out);
        return;
    }
    value_random(hash, random_word, NULL, scratch, &field, &value);
    write_slice(x, field);
}

static void hrandfield_command(struct exec *x)
{
    struct entry *hash;
    int64_t count = 0;
    if (x->argc > 2 && !argument_signed_count(x, 2, &count))
        return;
    if (x->argc > 4 || (x->argc == 4 && !exec_is(x, 3, "withvalues"))) {
        exec_syntax_error(x);
        return;
    }
    if (x->argc == 4 && (count < -(INT64_MAX / 2) || count > INT64_MAX / 2)) {
        exec_error(x, "ERR value is out of range");
        return;
    }
    if (!exec_find_type(x, 1, VALUE_HASH, &hash))
        return;
    if (x->argc == 2)
        random_field(x, hash);
    else
        random_fields(x, hash, count, x->argc == 4);
}

static void hscan_command(struct exec *x)
{
    scan_value(x, VALUE_HASH);
}

/* clang-format off */
#define HASH(name_, arity_, flags_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = flags_, .group = GROUP_HASH, .first_key = 1, \
     .last_key = 1, .key_step = 1, .handler = handler_, .since = since_, \
     .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command hash_commands[] = {
    HASH("hdel", -3, CMD_WRITE | CMD_FAST, hdel_command, "2.0.0", "O(N) where N is the number of fields to delete", "key field [field ...]", "Deletes fields of a hash, and the key when none is left."),
    HASH("hdivby", 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hdivby_command, "0.1.0", "O(1)", "key field divisor", "Divides the integer in a field, truncating toward zero; a zero divisor changes nothing."),
    HASH("hexists", 3, CMD_READONLY | CMD_FAST, hexists_command, "2.0.0", "O(1)", "key field", "Tells whether a hash has a field."),
    HASH("hget", 3, CMD_READONLY | CMD_FAST, hget_command, "2.0.0", "O(1)", "key field", "Returns the value of a field."),
    HASH("hgetall", 2, CMD_READONLY, hgetall_command, "2.0.0", "O(N) where N is the number of fields", "key", "Returns all fields of a hash with their values."),
    HASH("hincrby", 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hincrby_command, "2.0.0", "O(1)", "key field increment", "Adds to the integer in a field, 0 when it is not there."),
    HASH("hincrbyfloat", 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hincrbyfloat_command, "2.6.0", "O(1)", "key field increment", "Adds to the decimal number in a field, 0 when it is not there."),
    HASH("hkeys", 2, CMD_READONLY, hkeys_command, "2.0.0", "O(N) where N is the number of fields", "key", "Returns all fields of a hash."),
    HASH("hlen", 2, CMD_READONLY | CMD_FAST, hlen_command, "2.0.0", "O(1)", "key", "Returns the number of fields of a hash."),
    HASH("hmget", -3, CMD_READONLY | CMD_FAST, hmget_command, "2.0.0", "O(N) where N is the number of fields asked for", "key field [field ...]", "Returns the values of several fields."),
    HASH("hmset", -4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hmset_command, "2.0.0", "O(N) where N is the number of fields to set", "key field value [field value ...]", "Sets several fields of a hash; HSET does the same."),
    HASH("hmulby", 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hmulby_command, "0.1.0", "O(1)", "key field factor", "Multiplies the integer in a field, 0 when it is not there."),
    HASH("hrandfield", -2, CMD_READONLY, hrandfield_command, "6.2.0", "O(N) where N is the number of fields returned", "key [count [WITHVALUES]]", "Returns one or more fields picked at random."),
    HASH("hscan", -3, CMD_READONLY, hscan_command, "2.8.0", "O(1) for every call, O(N) for a complete iteration", "key cursor [MATCH pattern] [COUNT count]", "Iterates over the fields of a hash and their values."),
    HASH("hset", -4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hset_command, "2.0.0", "O(N) where N is the number of fields to set", "key field value [field value ...]", "Sets fields of a hash and tells how many of them are new."),
    HASH("hsetnx", 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, hsetnx_command, "2.0.0", "O(1)", "key field value", "Sets a field only when the hash does not have it."),
    HASH("hstrlen", 3, CMD_READONLY | CMD_FAST, hstrlen_command, "3.2.0", "O(1)", "key field", "Returns the length of a field's value."),
    HASH("hvals", 2, CMD_READONLY, hvals_command, "2.0.0", "O(N) where N is the number of fields", "key", "Returns all values of a hash."),
    {0},
};
/* clang-format on */
