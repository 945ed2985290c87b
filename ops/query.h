/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The read ops: a closed sum type of queries over one key, and their answers. They change nothing
 * but may drop a key whose deadline has passed.
 */
#ifndef CAIRN_OPS_QUERY_H
#define CAIRN_OPS_QUERY_H

#include "ops/keyspace.h"
#include "ops/value.h"

/* READ_OP(NAME, "JsonName", the type it asks for). `argument` is the member, field or nothing. */
/* clang-format off */
#define READ_OP_LIST(READ_OP)                                                     \
    READ_OP(SCALAR_GET,      "ScalarGet")      /* bytes */                        \
    READ_OP(SCALAR_LEN,      "ScalarLen")      /* number */                       \
    READ_OP(INT_GET,         "IntGet")         /* number, or NOT_INTEGER */       \
    READ_OP(SET_CONTAINS,    "SetContains")    /* number 0 or 1 */                \
    READ_OP(SET_MEMBERS,     "SetMembers")     /* iterator */                     \
    READ_OP(SET_LEN,         "SetLen")         /* number */                       \
    READ_OP(INT_MAP_GET,     "IntMapGet")      /* number, or NOT_INTEGER */       \
    READ_OP(INT_MAP_KEYS,    "IntMapKeys")     /* iterator, as MapKeys */         \
    READ_OP(INT_MAP_ENTRIES, "IntMapEntries")  /* iterator, as MapEntries */      \
    READ_OP(MAP_GET,         "MapGet")         /* bytes, or MISSING */            \
    READ_OP(MAP_KEYS,        "MapKeys")        /* iterator; `a` is the field */   \
    READ_OP(MAP_ENTRIES,     "MapEntries")     /* iterator; `a` field, `b` value */ \
    READ_OP(MAP_LEN,         "MapLen")         /* number */                       \
    READ_OP(LIST_ENTRIES,    "ListEntries")    /* iterator from start to stop */  \
    READ_OP(LIST_GET,        "ListGet")        /* bytes at start, or MISSING */   \
    READ_OP(LIST_LEN,        "ListLen")        /* number */                       \
    READ_OP(KEY_EXISTS,      "KeyExists")      /* number 0 or 1 */                \
    READ_OP(KEY_TYPE,        "KeyType")        /* number: enum value_type */      \
    READ_OP(KEY_EXPIRES,     "KeyExpires")     /* number: deadline ms, 0 none */
/* clang-format on */

enum read_op_kind {
#define READ_OP(NAME, json) READ_OP_##NAME,
    READ_OP_LIST(READ_OP)
#undef READ_OP
        READ_OP_COUNT
};

struct read_op {
    enum read_op_kind kind;
    struct slice key;
    uint64_t hash; /* key_hash(key), or 0 */
    int64_t time;
    struct slice argument; /* member or field */
    int64_t start, stop;   /* ListEntries: as LRANGE; ListGet: start as LINDEX */
};

enum answer_status {
    ANSWER_OK,
    ANSWER_MISSING, /* no such key, field or index; number is 0 */
    ANSWER_WRONG_TYPE,
    ANSWER_NOT_INTEGER,
};

/* Bytes and iterators are borrowed: good until the next op on the same keyspace. */
struct answer {
    enum answer_status status;
    int64_t number;         /* also the item count of an iterator */
    struct slice bytes;     /* may point into `scratch`: do not copy the struct around */
    struct value_iter iter; /* iter.entry is the key's, whatever was asked; NULL: no such key */
    char scratch[24];
};

void query(struct keyspace *ks, const struct read_op *op, struct answer *answer);
const char *read_op_kind_name(enum read_op_kind kind);

#endif
