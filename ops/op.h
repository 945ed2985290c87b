/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The write ops: a closed sum type. OP_LIST names every op once; the enum, the union, the JSON
 * discriminator, both codecs and the round-trip tests come from it. To add an op: add its row,
 * its OP_FIELDS_ line, and follow the compiler to each `switch`.
 *
 * An op touches one key (NamespaceClear: all of them) and is a pure function of (value, op): no
 * clock, no randomness. It borrows its bytes; whoever keeps an op must keep them too.
 */
#ifndef CAIRN_OPS_OP_H
#define CAIRN_OPS_OP_H

#include <stdint.h>

#include "ops/slice.h"

struct entry;

/* A condition travels with its op and is evaluated again wherever the op is applied again. */
#define OP_CONDITION_LIST(X)                                                                       \
    X(NONE, "")                                                                                    \
    X(NX, "nx") /* only if absent: the key, the field, or (expiry) the deadline */                 \
    X(XX, "xx") /* only if present */                                                              \
    X(GT, "gt") /* expiry: only if later than the present deadline; none counts as infinite */     \
    X(LT, "lt") /* expiry: only if earlier */                                                      \
    X(XX_LT, "xxlt") /* expiry: only if there is a deadline, and a later one */

enum op_condition {
#define X(name, text) OP_CONDITION_##name,
    OP_CONDITION_LIST(X)
#undef X
        OP_CONDITION_COUNT
};

#define OP_SIDE_LIST(X)                                                                            \
    X(LEFT, "left") /* head of a list; before the pivot */                                         \
    X(RIGHT, "right")

enum op_side {
#define X(name, text) OP_SIDE_##name,
    OP_SIDE_LIST(X)
#undef X
        OP_SIDE_COUNT
};

/* Deadlines are Unix times in ms. These two stand where an op sets a value and its deadline. */
#define OP_EXPIRES_NEVER INT64_C(0)
#define OP_EXPIRES_KEEP  INT64_C(-1) /* the deadline the key has stays */

/*
 * OP(NAME, member, "JsonName"). Field kinds: BYTES slice, INT int64_t, LIST slice_list,
 * CONDITION, SIDE, VALUE a whole detached value (struct entry whose key is of no account).
 */
/* clang-format off */
#define OP_LIST(OP)                                                \
    OP(SCALAR_SET,       scalar_set,       "ScalarSet")            \
    OP(SCALAR_DELETE,    scalar_delete,    "ScalarDelete")         \
    OP(INT_SET,          int_set,          "IntSet")               \
    OP(INT_ADD,          int_add,          "IntAdd")               \
    OP(INT_MUL,          int_mul,          "IntMul")               \
    OP(INT_DIV,          int_div,          "IntDiv")               \
    OP(FLOAT_ADD,        float_add,        "FloatAdd")             \
    OP(STRING_APPEND,    string_append,    "StringAppend")         \
    OP(STRING_SET_RANGE, string_set_range, "StringSetRange")       \
    OP(SET_ADD,          set_add,          "SetAdd")               \
    OP(SET_REMOVE,       set_remove,       "SetRemove")            \
    OP(INT_MAP_SET,      int_map_set,      "IntMapSet")            \
    OP(INT_MAP_ADD,      int_map_add,      "IntMapAdd")            \
    OP(INT_MAP_MUL,      int_map_mul,      "IntMapMul")            \
    OP(INT_MAP_DIV,      int_map_div,      "IntMapDiv")            \
    OP(INT_MAP_DELETE,   int_map_delete,   "IntMapDelete")         \
    OP(FLOAT_MAP_ADD,    float_map_add,    "FloatMapAdd")          \
    OP(MAP_SET,          map_set,          "MapSet")               \
    OP(MAP_DELETE,       map_delete,       "MapDelete")            \
    OP(LIST_APPEND,      list_append,      "ListAppend")           \
    OP(LIST_PREPEND,     list_prepend,     "ListPrepend")          \
    OP(LIST_POP,         list_pop,         "ListPop")              \
    OP(LIST_SET,         list_set,         "ListSet")              \
    OP(LIST_INSERT,      list_insert,      "ListInsert")           \
    OP(LIST_REMOVE,      list_remove,      "ListRemove")           \
    OP(LIST_TRIM,        list_trim,        "ListTrim")             \
    OP(KEY_PUT,          key_put,          "KeyPut")               \
    OP(KEY_DELETE,       key_delete,       "KeyDelete")            \
    OP(KEY_EXPIRE_AT,    key_expire_at,    "KeyExpireAt")          \
    OP(KEY_PERSIST,      key_persist,      "KeyPersist")           \
    OP(NAMESPACE_CLEAR,  namespace_clear,  "NamespaceClear")

#define OP_FIELDS_SCALAR_SET(F)       F(BYTES, value) F(CONDITION, condition) F(INT, expires)
#define OP_FIELDS_SCALAR_DELETE(F)    /* nothing when the key holds another type */
#define OP_FIELDS_INT_SET(F)          F(INT, value) F(CONDITION, condition) F(INT, expires)
#define OP_FIELDS_INT_ADD(F)          F(INT, delta)
#define OP_FIELDS_INT_MUL(F)          F(INT, factor)
#define OP_FIELDS_INT_DIV(F)          F(INT, divisor)
#define OP_FIELDS_FLOAT_ADD(F)        F(BYTES, delta) /* decimal text, as the client gave it */
#define OP_FIELDS_STRING_APPEND(F)    F(BYTES, value)
#define OP_FIELDS_STRING_SET_RANGE(F) F(INT, offset) F(BYTES, value)
#define OP_FIELDS_SET_ADD(F)          F(LIST, members)
#define OP_FIELDS_SET_REMOVE(F)       F(LIST, members)
#define OP_FIELDS_INT_MAP_SET(F)      F(BYTES, field) F(INT, value)
#define OP_FIELDS_INT_MAP_ADD(F)      F(BYTES, field) F(INT, delta)
#define OP_FIELDS_INT_MAP_MUL(F)      F(BYTES, field) F(INT, factor)
#define OP_FIELDS_INT_MAP_DIV(F)      F(BYTES, field) F(INT, divisor)
#define OP_FIELDS_INT_MAP_DELETE(F)   F(LIST, fields)
#define OP_FIELDS_FLOAT_MAP_ADD(F)    F(BYTES, field) F(BYTES, delta)
#define OP_FIELDS_MAP_SET(F)          F(LIST, pairs) F(CONDITION, condition) /* field, value, field, … */
#define OP_FIELDS_MAP_DELETE(F)       F(LIST, fields)
#define OP_FIELDS_LIST_APPEND(F)      F(LIST, items) F(CONDITION, condition)
#define OP_FIELDS_LIST_PREPEND(F)     F(LIST, items) F(CONDITION, condition) /* each to the head in turn */
#define OP_FIELDS_LIST_POP(F)         F(SIDE, side) F(INT, count)
#define OP_FIELDS_LIST_SET(F)         F(INT, index) F(BYTES, value)
#define OP_FIELDS_LIST_INSERT(F)      F(SIDE, side) F(BYTES, pivot) F(BYTES, value)
#define OP_FIELDS_LIST_REMOVE(F)      F(INT, count) F(BYTES, value) /* LREM's count */
#define OP_FIELDS_LIST_TRIM(F)        F(INT, start) F(INT, stop)
#define OP_FIELDS_KEY_PUT(F)          F(VALUE, value) F(INT, expires) F(CONDITION, condition)
#define OP_FIELDS_KEY_DELETE(F)
#define OP_FIELDS_KEY_EXPIRE_AT(F)    F(INT, deadline) F(CONDITION, condition)
#define OP_FIELDS_KEY_PERSIST(F)
#define OP_FIELDS_NAMESPACE_CLEAR(F)  /* key is empty */
/* clang-format on */

enum op_kind {
#define OP(NAME, member, json) OP_##NAME,
    OP_LIST(OP)
#undef OP
        OP_COUNT
};

#define OP_TYPE_BYTES     struct slice
#define OP_TYPE_INT       int64_t
#define OP_TYPE_LIST      struct slice_list
#define OP_TYPE_CONDITION enum op_condition
#define OP_TYPE_SIDE      enum op_side
#define OP_TYPE_VALUE     struct entry *

#define OP_DECLARE_FIELD(KIND, name) OP_TYPE_##KIND name;
#define OP(NAME, member, json)                                                                     \
    struct op_##member {                                                                           \
        OP_FIELDS_##NAME(OP_DECLARE_FIELD)                                                         \
    };
OP_LIST(OP)
#undef OP

struct op {
    enum op_kind kind;
    struct slice key;
    uint64_t hash; /* key_hash(key), or 0 for "not computed"; never stored */
    int64_t time;  /* Unix ms; a key whose deadline is at or before it counts as absent */
    union {
#define OP(NAME, member, json) struct op_##member member;
        OP_LIST(OP)
#undef OP
    };
};

/* "ScalarSet" …; op_kind_parse gives false for an unknown name. */
const char *op_kind_name(enum op_kind kind);
bool op_kind_parse(struct slice name, enum op_kind *kind);
const char *op_condition_name(enum op_condition condition);
bool op_condition_parse(struct slice name, enum op_condition *condition);
const char *op_side_name(enum op_side side);
bool op_side_parse(struct slice name, enum op_side *side);

/*
 * What the types do not say: pairs come in twos, the condition is one the kind knows, a deadline
 * is not below OP_EXPIRES_KEEP, a put value has items, NamespaceClear no key. apply() asserts it;
 * whoever reads ops from outside checks it first.
 */
bool op_valid(const struct op *op);

#endif
