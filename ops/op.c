/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of the op sum type, both ways, and what a well-formed op is. All tables come from the
 * lists in op.h. Parsing scans the names: lengths differ enough that nearly every step is one
 * comparison of two small integers in a table of two cache lines.
 */
#include "ops/op.h"

#include <assert.h>

#include "ops/value.h"

struct name {
    const char *text;
    size_t len;
};

#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct name kind_names[OP_COUNT] = {
#define OP(name, member, json) NAME(json),
    OP_LIST(OP)
#undef OP
};

static const unsigned char kind_lengths[OP_COUNT] = {
#define OP(name, member, json) sizeof(json) - 1,
    OP_LIST(OP)
#undef OP
};

static const struct name condition_names[OP_CONDITION_COUNT] = {
#define X(name, text) NAME(text),
    OP_CONDITION_LIST(X)
#undef X
};

static const struct name side_names[OP_SIDE_COUNT] = {
#define X(name, text) NAME(text),
    OP_SIDE_LIST(X)
#undef X
};

static bool name_find(const struct name *names, size_t count, struct slice wanted, size_t *found)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(slice_make(names[i].text, names[i].len), wanted)) {
            *found = i;
            return true;
        }
    }
    return false;
}

const char *op_kind_name(enum op_kind kind)
{
    assert(kind < OP_COUNT);
    return kind_names[kind].text;
}

bool op_kind_parse(struct slice name, enum op_kind *kind)
{
    for (unsigned i = 0; i < OP_COUNT; i++) {
        if (kind_lengths[i] == name.len && memcmp(kind_names[i].text, name.data, name.len) == 0) {
            *kind = (enum op_kind)i;
            return true;
        }
    }
    return false;
}

const char *op_condition_name(enum op_condition condition)
{
    assert(condition < OP_CONDITION_COUNT);
    return condition_names[condition].text;
}

bool op_condition_parse(struct slice name, enum op_condition *condition)
{
    size_t found;
    if (!name_find(condition_names, OP_CONDITION_COUNT, name, &found))
        return false;
    *condition = (enum op_condition)found;
    return true;
}

const char *op_side_name(enum op_side side)
{
    assert(side < OP_SIDE_COUNT);
    return side_names[side].text;
}

bool op_side_parse(struct slice name, enum op_side *side)
{
    size_t found;
    if (!name_find(side_names, OP_SIDE_COUNT, name, &found))
        return false;
    *side = (enum op_side)found;
    return true;
}

/* Of a key, a field: present or absent. Later or earlier means something for deadlines only. */
static bool presence_condition(enum op_condition condition)
{
    return condition == OP_CONDITION_NONE || condition == OP_CONDITION_NX ||
           condition == OP_CONDITION_XX;
}

static bool set_valid(enum op_condition condition, int64_t expires)
{
    return presence_condition(condition) && expires >= OP_EXPIRES_KEEP;
}

bool op_valid(const struct op *op)
{
    switch (op->kind) {
    case OP_SCALAR_SET: return set_valid(op->scalar_set.condition, op->scalar_set.expires);
    case OP_INT_SET: return set_valid(op->int_set.condition, op->int_set.expires);
    case OP_MAP_SET:
        return op->map_set.pairs.count % 2 == 0 && presence_condition(op->map_set.condition);
    case OP_LIST_APPEND: return presence_condition(op->list_append.condition);
    case OP_LIST_PREPEND: return presence_condition(op->list_prepend.condition);
    case OP_LIST_POP: return op->list_pop.side < OP_SIDE_COUNT;
    case OP_LIST_INSERT: return op->list_insert.side < OP_SIDE_COUNT;
    case OP_KEY_PUT:
        return op->key_put.value && set_valid(op->key_put.condition, op->key_put.expires) &&
               (entry_type(op->key_put.value) == VALUE_STRING || value_len(op->key_put.value));
    case OP_KEY_EXPIRE_AT: return op->key_expire_at.condition < OP_CONDITION_COUNT;
    case OP_NAMESPACE_CLEAR: return op->key.len == 0;
    case OP_SCALAR_DELETE:
    case OP_INT_ADD:
    case OP_INT_MUL:
    case OP_INT_DIV:
    case OP_FLOAT_ADD:
    case OP_STRING_APPEND:
    case OP_STRING_SET_RANGE:
    case OP_SET_ADD:
    case OP_SET_REMOVE:
    case OP_INT_MAP_SET:
    case OP_INT_MAP_ADD:
    case OP_INT_MAP_MUL:
    case OP_INT_MAP_DIV:
    case OP_INT_MAP_DELETE:
    case OP_FLOAT_MAP_ADD:
    case OP_MAP_DELETE:
    case OP_LIST_SET:
    case OP_LIST_REMOVE:
    case OP_LIST_TRIM:
    case OP_KEY_DELETE:
    case OP_KEY_PERSIST: return true;
    case OP_COUNT: return false;
    }
    return false;
}
