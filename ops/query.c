/* SPDX-License-Identifier: BSD-3-Clause */
/* Read ops: one look-up, then an answer that borrows from the value. */
#include "ops/query.h"

#include <assert.h>

#include "ops/value_integer.h"

static const char *const names[READ_OP_COUNT] = {
#define READ_OP(NAME, json) json,
    READ_OP_LIST(READ_OP)
#undef READ_OP
};

const char *read_op_kind_name(enum read_op_kind kind)
{
    assert(kind < READ_OP_COUNT);
    return names[kind];
}

/* VALUE_TYPE_COUNT: any. */
static enum value_type wanted_type(enum read_op_kind kind)
{
    switch (kind) {
    case READ_OP_SCALAR_GET:
    case READ_OP_SCALAR_LEN:
    case READ_OP_INT_GET: return VALUE_STRING;
    case READ_OP_SET_CONTAINS:
    case READ_OP_SET_MEMBERS:
    case READ_OP_SET_LEN: return VALUE_SET;
    case READ_OP_INT_MAP_GET:
    case READ_OP_INT_MAP_KEYS:
    case READ_OP_INT_MAP_ENTRIES:
    case READ_OP_MAP_GET:
    case READ_OP_MAP_KEYS:
    case READ_OP_MAP_ENTRIES:
    case READ_OP_MAP_LEN: return VALUE_HASH;
    case READ_OP_LIST_ENTRIES:
    case READ_OP_LIST_GET:
    case READ_OP_LIST_LEN: return VALUE_LIST;
    case READ_OP_KEY_EXISTS:
    case READ_OP_KEY_TYPE:
    case READ_OP_KEY_EXPIRES:
    case READ_OP_COUNT: break;
    }
    return VALUE_TYPE_COUNT;
}

static void answer_iterator(const struct entry *entry, struct answer *answer)
{
    value_iter_init(&answer->iter, entry);
    answer->number = (int64_t)value_len(entry);
}

static void answer_field_integer(const struct entry *entry, struct slice field,
                                 struct answer *answer)
{
    if (!hash_get(entry, field, &answer->bytes))
        answer->status = ANSWER_MISSING;
    else if (!integer_parse(answer->bytes, &answer->number))
        answer->status = ANSWER_NOT_INTEGER;
}

/* LRANGE's rules. */
static void answer_range(const struct entry *entry, int64_t start, int64_t stop,
                         struct answer *answer)
{
    int64_t len = (int64_t)value_len(entry);
    start = start < 0 ? start + len : start;
    stop = stop < 0 ? stop + len : stop;
    if (start < 0)
        start = 0;
    if (stop >= len)
        stop = len - 1;
    if (start > stop)
        return;
    answer->number = stop - start + 1;
    list_iter_init(&answer->iter, entry, (size_t)start, (size_t)answer->number, false);
}

/* LINDEX's rules. */
static void answer_item(const struct entry *entry, int64_t index, struct answer *answer)
{
    index = index < 0 ? index + (int64_t)value_len(entry) : index;
    if (index < 0 || !list_get(entry, (size_t)index, &answer->bytes))
        answer->status = ANSWER_MISSING;
}

static void answer_from(const struct entry *entry, const struct read_op *op, struct answer *answer)
{
    switch (op->kind) {
    case READ_OP_SCALAR_GET: answer->bytes = string_bytes(entry, answer->scratch); break;
    case READ_OP_INT_GET:
        if (!string_integer(entry, &answer->number))
            answer->status = ANSWER_NOT_INTEGER;
        break;
    case READ_OP_SET_CONTAINS: answer->number = set_contains(entry, op->argument); break;
    case READ_OP_SET_MEMBERS:
    case READ_OP_INT_MAP_KEYS:
    case READ_OP_INT_MAP_ENTRIES:
    case READ_OP_MAP_KEYS:
    case READ_OP_MAP_ENTRIES: answer_iterator(entry, answer); break;
    case READ_OP_INT_MAP_GET: answer_field_integer(entry, op->argument, answer); break;
    case READ_OP_MAP_GET:
        if (!hash_get(entry, op->argument, &answer->bytes))
            answer->status = ANSWER_MISSING;
        break;
    case READ_OP_SCALAR_LEN:
    case READ_OP_SET_LEN:
    case READ_OP_MAP_LEN:
    case READ_OP_LIST_LEN: answer->number = (int64_t)value_len(entry); break;
    case READ_OP_LIST_ENTRIES: answer_range(entry, op->start, op->stop, answer); break;
    case READ_OP_LIST_GET: answer_item(entry, op->start, answer); break;
    case READ_OP_KEY_EXISTS: answer->number = 1; break;
    case READ_OP_KEY_TYPE: answer->number = (int64_t)entry_type(entry); break;
    case READ_OP_KEY_EXPIRES: answer->number = entry_expires(entry); break;
    case READ_OP_COUNT: assert(!"not a read op"); break;
    }
}

void query(struct keyspace *ks, const struct read_op *op, struct answer *answer)
{
    const struct entry *entry = keyspace_find(ks, op->key, op->hash, op->time);
    enum value_type wanted = wanted_type(op->kind);
    answer->status = ANSWER_OK;
    answer->number = 0;
    answer->bytes = slice_make(NULL, 0);
    answer->iter.entry = entry;
    answer->iter.left = 0;
    if (!entry)
        answer->status = ANSWER_MISSING;
    else if (wanted != VALUE_TYPE_COUNT && entry_type(entry) != wanted)
        answer->status = ANSWER_WRONG_TYPE;
    else
        answer_from(entry, op, answer);
}
