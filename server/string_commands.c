/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings and numbers: SET and GET in all their forms, counters, ranges. LCS has a file of its own.
 */
#include "server/command.h"
#include "server/exec.h"
#include "server/expiry_options.h"
#include "server/lcs.h"

/* Of a string or NULL. */
static void write_value(struct exec *x, const struct entry *entry)
{
    char scratch[24];
    if (!entry) {
        resp_write_nil(x->out);
        return;
    }
    struct slice bytes = string_bytes(entry, scratch);
    resp_write_bulk(x->out, bytes.data, bytes.len);
}

/* Writes the string at argv[1] or nil; false: it is of another type, and the error is written. */
static bool write_string(struct exec *x)
{
    struct entry *entry;
    bool ok = exec_find_type(x, 1, VALUE_STRING, &entry);
    if (x->command->flags & CMD_WRITE)
        exec_note_lookup(x, x->argv[1], entry != NULL);
    if (ok)
        write_value(x, entry);
    return ok;
}

static void get_command(struct exec *x)
{
    write_string(x);
}

/* A canonical integer becomes IntSet, which says in fewer bytes what ScalarSet would. True when the
 * value was set; the reply is the caller's. */
static bool set_string(struct exec *x, int key, int value, enum op_condition condition,
                       int64_t expires)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_SCALAR_SET, key);
    int64_t number;
    if (parse_int(x->argv[value], &number)) {
        op.kind = OP_INT_SET;
        op.int_set = (struct op_int_set){number, condition, expires};
    } else {
        op.scalar_set = (struct op_scalar_set){x->argv[value], condition, expires};
    }
    if (!exec_apply(x, &op, '$', "set", &outcome) || outcome.status != OUTCOME_OK)
        return false;
    if (expires > 0)
        exec_notify(x, 'g', "expire", x->argv[key]);
    return true;
}

struct set_options {
    enum op_condition condition;
    int64_t expires;
    bool get;
};

/* One option at argv[*i]; false: not one that may stand here. Writes no error. */
static bool set_option(struct exec *x, int *i, struct set_options *options, int *expiry_at,
                       enum expiry_unit *unit)
{
    enum expiry_unit named;
    if (exec_is(x, *i, "nx") && options->condition != OP_CONDITION_XX) {
        options->condition = OP_CONDITION_NX;
    } else if (exec_is(x, *i, "xx") && options->condition != OP_CONDITION_NX) {
        options->condition = OP_CONDITION_XX;
    } else if (exec_is(x, *i, "get")) {
        options->get = true;
    } else if (exec_is(x, *i, "keepttl") && !*expiry_at) {
        options->expires = OP_EXPIRES_KEEP;
    } else if (options->expires != OP_EXPIRES_KEEP && *i + 1 < x->argc &&
               expiry_option(x, *i, &named) && (!*expiry_at || named == *unit)) {
        *unit = named;
        *expiry_at = ++*i;
    } else {
        return false;
    }
    return true;
}

static bool set_parse(struct exec *x, struct set_options *options)
{
    int expiry_at = 0;
    enum expiry_unit unit = EXPIRY_SECONDS;
    for (int i = 3; i < x->argc; i++)
        if (!set_option(x, &i, options, &expiry_at, &unit)) {
            exec_syntax_error(x);
            return false;
        }
    return !expiry_at || expiry_deadline(x, expiry_at, unit, true, &options->expires);
}

static void set_command(struct exec *x)
{
    struct set_options options = {OP_CONDITION_NONE, OP_EXPIRES_NEVER, false};
    if (x->argc > 3 && !set_parse(x, &options))
        return;
    if (options.get) {
        if (write_string(x))
            set_string(x, 1, 2, options.condition, options.expires);
    } else if (set_string(x, 1, 2, options.condition, options.expires)) {
        resp_write_ok(x->out);
    } else if (!x->failed) {
        resp_write_nil(x->out);
    }
}

static void setnx_command(struct exec *x)
{
    bool set = set_string(x, 1, 2, OP_CONDITION_NX, OP_EXPIRES_NEVER);
    if (!x->failed)
        resp_write_integer(x->out, set);
}

static void set_with_deadline(struct exec *x, enum expiry_unit unit)
{
    int64_t deadline;
    if (expiry_deadline(x, 2, unit, true, &deadline) &&
        set_string(x, 1, 3, OP_CONDITION_NONE, deadline))
        resp_write_ok(x->out);
}

static void setex_command(struct exec *x)
{
    set_with_deadline(x, EXPIRY_SECONDS);
}

static void psetex_command(struct exec *x)
{
    set_with_deadline(x, EXPIRY_MILLISECONDS);
}

static void getset_command(struct exec *x)
{
    if (write_string(x))
        set_string(x, 1, 2, OP_CONDITION_NONE, OP_EXPIRES_NEVER);
}

static void getdel_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_SCALAR_DELETE, 1);
    if (write_string(x))
        exec_apply(x, &op, 'g', "del", &outcome);
}

static bool getex_parse(struct exec *x, bool *persist, int *expiry_at, enum expiry_unit *unit)
{
    enum expiry_unit named;
    for (int i = 2; i < x->argc; i++) {
        if (exec_is(x, i, "persist") && !*expiry_at) {
            *persist = true;
        } else if (!*persist && i + 1 < x->argc && expiry_option(x, i, &named) &&
                   (!*expiry_at || named == *unit)) {
            *unit = named;
            *expiry_at = ++i;
        } else {
            exec_syntax_error(x);
            return false;
        }
    }
    return true;
}

/* As Redis: the words are judged first, then the key, and a time only for a key that is there. */
static void getex_command(struct exec *x)
{
    bool persist = false;
    int expiry_at = 0;
    enum expiry_unit unit = EXPIRY_SECONDS;
    int64_t deadline;
    struct outcome outcome;
    struct entry *entry = exec_find(x, x->argv[1]);
    if (!getex_parse(x, &persist, &expiry_at, &unit))
        return;
    if (entry && entry_type(entry) == VALUE_STRING && expiry_at &&
        !expiry_deadline(x, expiry_at, unit, true, &deadline))
        return;
    if (!write_string(x) || !entry)
        return;
    if (persist) {
        struct op op = exec_op(x, OP_KEY_PERSIST, 1);
        exec_apply(x, &op, 'g', "persist", &outcome);
    } else if (expiry_at) {
        struct op op = exec_op(x, OP_KEY_EXPIRE_AT, 1);
        op.key_expire_at = (struct op_key_expire_at){deadline, OP_CONDITION_NONE};
        exec_apply(x, &op, 'g', deadline > x->now ? "expire" : NULL, &outcome);
    }
}

/* nil for what is absent or of another type. */
static void mget_command(struct exec *x)
{
    resp_write_array(x->out, (size_t)x->argc - 1);
    for (int i = 1; i < x->argc && !client_overflows(x->client); i++) {
        const struct entry *entry = exec_find(x, x->argv[i]);
        write_value(x, entry && entry_type(entry) == VALUE_STRING ? entry : NULL);
    }
}

static void mset_command(struct exec *x)
{
    if (x->argc % 2 == 0) {
        exec_wrong_arity(x);
        return;
    }
    for (int i = 1; i < x->argc; i += 2)
        set_string(x, i, i + 1, OP_CONDITION_NONE, OP_EXPIRES_NEVER);
    resp_write_ok(x->out);
}

static void msetnx_command(struct exec *x)
{
    if (x->argc % 2 == 0) {
        exec_wrong_arity(x);
        return;
    }
    for (int i = 1; i < x->argc; i += 2)
        if (exec_find(x, x->argv[i])) {
            resp_write_integer(x->out, 0);
            return;
        }
    /* Each op has the condition on its own key, so that none overwrites what another server set
     * first. A key that is named twice is there the second time, and the later value holds. */
    for (int i = 1; i < x->argc; i += 2) {
        bool again = exec_find(x, x->argv[i]) != NULL;
        set_string(x, i, i + 1, again ? OP_CONDITION_NONE : OP_CONDITION_NX, OP_EXPIRES_NEVER);
    }
    resp_write_integer(x->out, 1);
}

/* A zero divisor has changed nothing: the answer is the number that is still there. */
static void apply_number(struct exec *x, struct op *op, const char *event)
{
    struct outcome outcome;
    if (!exec_apply(x, op, '$', event, &outcome))
        return;
    if (outcome.status == OUTCOME_ZERO_DIVISOR) {
        struct answer answer;
        struct read_op read = exec_read_op(x, READ_OP_INT_GET, 1);
        if (exec_query(x, &read, &answer))
            resp_write_integer(x->out, answer.number);
        return;
    }
    resp_write_integer(x->out, outcome.number);
}

static void add_number(struct exec *x, int64_t delta)
{
    struct op op = exec_op(x, OP_INT_ADD, 1);
    op.int_add.delta = delta;
    apply_number(x, &op, "incrby");
}

static void incr_command(struct exec *x)
{
    add_number(x, 1);
}

static void decr_command(struct exec *x)
{
    add_number(x, -1);
}

static void incrby_command(struct exec *x)
{
    int64_t delta;
    if (exec_int(x, 2, &delta))
        add_number(x, delta);
}

static void decrby_command(struct exec *x)
{
    int64_t delta;
    if (!exec_int(x, 2, &delta))
        return;
    if (delta == INT64_MIN)
        exec_error(x, "ERR decrement would overflow");
    else
        add_number(x, -delta);
}

static void mulby_command(struct exec *x)
{
    struct op op = exec_op(x, OP_INT_MUL, 1);
    if (exec_int(x, 2, &op.int_mul.factor))
        apply_number(x, &op, "mulby");
}

static void divby_command(struct exec *x)
{
    struct op op = exec_op(x, OP_INT_DIV, 1);
    if (exec_int(x, 2, &op.int_div.divisor))
        apply_number(x, &op, "divby");
}

static void incrbyfloat_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_FLOAT_ADD, 1);
    op.float_add.delta = x->argv[2];
    if (exec_apply(x, &op, '$', "incrbyfloat", &outcome))
        resp_write_bulk(x->out, outcome.text.data, outcome.text.len);
}

static void append_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_STRING_APPEND, 1);
    op.string_append.value = x->argv[2];
    if (!exec_apply(x, &op, '$', "append", &outcome))
        return;
    if (!outcome.changed)
        exec_notify(x, '$', "append", x->argv[1]); /* as Redis: of nothing, too */
    resp_write_integer(x->out, outcome.number);
}

static void setrange_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_STRING_SET_RANGE, 1);
    op.string_set_range.value = x->argv[3];
    if (!exec_int(x, 2, &op.string_set_range.offset))
        return;
    if (op.string_set_range.offset < 0)
        exec_error(x, "ERR offset is out of range");
    else if (exec_apply(x, &op, '$', "setrange", &outcome))
        resp_write_integer(x->out, outcome.number);
}

static void strlen_command(struct exec *x)
{
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_SCALAR_LEN, 1);
    if (exec_query(x, &op, &answer))
        resp_write_integer(x->out, answer.number);
}

/* Negative positions count from the end; what lies outside is clipped. */
static struct slice clip(struct slice bytes, int64_t start, int64_t end)
{
    int64_t len = (int64_t)bytes.len;
    if (start < 0 && end < 0 && start > end)
        return slice_make("", 0);
    start = start < 0 ? start + len : start;
    end = end < 0 ? end + len : end;
    start = start < 0 ? 0 : start;
    end = end < 0 ? 0 : end;
    end = end >= len ? len - 1 : end;
    if (start > end || len == 0)
        return slice_make("", 0);
    return slice_make(bytes.data + start, (size_t)(end - start + 1));
}

static void getrange_command(struct exec *x)
{
    int64_t start, end;
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_SCALAR_GET, 1);
    if (!exec_int(x, 2, &start) || !exec_int(x, 3, &end) || !exec_query(x, &op, &answer))
        return;
    struct slice part = slice_make("", 0);
    if (answer.status == ANSWER_OK)
        part = clip(answer.bytes, start, end);
    resp_write_bulk(x->out, part.data, part.len);
}

/* clang-format off */
#define STRING(name_, arity_, flags_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = flags_, .group = GROUP_STRING, .first_key = 1, \
     .last_key = 1, .key_step = 1, .handler = handler_, .since = since_, \
     .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command string_commands[] = {
    STRING("append", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, append_command, "2.0.0", "O(1)", "key value", "Appends a string to the value of a key. Creates the key if it doesn't exist."),
    STRING("decr", 2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, decr_command, "1.0.0", "O(1)", "key", "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist."),
    STRING("decrby", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, decrby_command, "1.0.0", "O(1)", "key decrement", "Decrements a number from the integer value of a key."),
    STRING("divby", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, divby_command, "0.1.0", "O(1)", "key divisor", "Divides the integer value of a key, truncating toward zero; a zero divisor changes nothing."),
    STRING("get", 2, CMD_READONLY | CMD_FAST, get_command, "1.0.0", "O(1)", "key", "Returns the string value of a key."),
    STRING("getdel", 2, CMD_WRITE | CMD_FAST, getdel_command, "6.2.0", "O(1)", "key", "Returns the string value of a key after deleting the key."),
    STRING("getex", -2, CMD_WRITE | CMD_FAST, getex_command, "6.2.0", "O(1)", "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]", "Returns the string value of a key after setting its expiration time."),
    STRING("getrange", 4, CMD_READONLY, getrange_command, "2.4.0", "O(N) where N is the length of the returned string", "key start end", "Returns a substring of the string stored at a key."),
    STRING("getset", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, getset_command, "1.0.0", "O(1)", "key value", "Returns the previous string value of a key after setting it to a new value."),
    STRING("incr", 2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, incr_command, "1.0.0", "O(1)", "key", "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist."),
    STRING("incrby", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, incrby_command, "1.0.0", "O(1)", "key increment", "Increments the integer value of a key by a number."),
    STRING("incrbyfloat", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, incrbyfloat_command, "2.6.0", "O(1)", "key increment", "Increments the decimal value of a key by a number."),
    {.name = "lcs", .arity = -3, .flags = CMD_READONLY, .group = GROUP_STRING, .first_key = 1, .last_key = 2, .key_step = 1, .handler = lcs_command, .since = "7.0.0", .complexity = "O(N*M) where N and M are the lengths of the strings", .syntax = "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", .summary = "Finds the longest common substring."},
    {.name = "mget", .arity = -2, .flags = CMD_READONLY | CMD_FAST, .group = GROUP_STRING, .first_key = 1, .last_key = -1, .key_step = 1, .handler = mget_command, .since = "1.0.0", .complexity = "O(N) where N is the number of keys", .syntax = "key [key ...]", .summary = "Returns the string values of one or more keys, atomically."},
    {.name = "mset", .arity = -3, .flags = CMD_WRITE | CMD_DENYOOM, .group = GROUP_STRING, .first_key = 1, .last_key = -1, .key_step = 2, .handler = mset_command, .since = "1.0.1", .complexity = "O(N) where N is the number of keys", .syntax = "key value [key value ...]", .summary = "Sets the string values of one or more keys, atomically."},
    {.name = "msetnx", .arity = -3, .flags = CMD_WRITE | CMD_DENYOOM, .group = GROUP_STRING, .first_key = 1, .last_key = -1, .key_step = 2, .handler = msetnx_command, .since = "1.0.1", .complexity = "O(N) where N is the number of keys", .syntax = "key value [key value ...]", .summary = "Sets the string values of keys, atomically, only when none of them exists."},
    STRING("mulby", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, mulby_command, "0.1.0", "O(1)", "key factor", "Multiplies the integer value of a key."),
    STRING("psetex", 4, CMD_WRITE | CMD_DENYOOM, psetex_command, "2.6.0", "O(1)", "key milliseconds value", "Sets the string value and expiration time in milliseconds of a key."),
    STRING("set", -3, CMD_WRITE | CMD_DENYOOM | CMD_LIKE_FAST, set_command, "1.0.0", "O(1)", "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", "Sets the string value of a key, whatever type it had. Creates the key if it doesn't exist."),
    STRING("setex", 4, CMD_WRITE | CMD_DENYOOM, setex_command, "2.0.0", "O(1)", "key seconds value", "Sets the string value and expiration time of a key."),
    STRING("setnx", 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, setnx_command, "1.0.0", "O(1)", "key value", "Sets the string value of a key only when the key doesn't exist."),
    STRING("setrange", 4, CMD_WRITE | CMD_DENYOOM, setrange_command, "2.2.0", "O(1), not counting the time taken to copy the new string in place", "key offset value", "Overwrites a part of a string value. Creates the key if it doesn't exist."),
    STRING("strlen", 2, CMD_READONLY | CMD_FAST, strlen_command, "2.2.0", "O(1)", "key", "Returns the length of a string value."),
    STRING("substr", 4, CMD_READONLY, getrange_command, "1.0.0", "O(N) where N is the length of the returned string", "key start end", "Returns a substring from a string value."),
    {0},
};
/* clang-format on */
