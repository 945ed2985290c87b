/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inverses: what undoes one applied op, a sum type of its own; for apply_*.c alone (outside, see
 * apply.h). One piece of memory, the caller's or an allocation, holds the struct and copies of
 * bytes; values and parts of values that an op took away are moved in. The caller's memory is
 * mostly not in the cache: no more of it is written than is needed, and nothing is cleared before.
 *
 * Undoing looks keys up with a time before all deadlines; where the key has expired in between,
 * there is nothing left to undo.
 */
#ifndef CAIRN_OPS_INVERSE_H
#define CAIRN_OPS_INVERSE_H

#include <stddef.h>

#include "ops/apply.h"
#include "ops/pack.h"
#include "ops/value-internal.h"

#define INVERSE_LIST(X)                                                                            \
    X(REMOVE)        /* the key was absent */                                                      \
    X(RESTORE)       /* the whole former entry */                                                  \
    X(DEADLINE)      /* only the deadline changed */                                               \
    X(STRING)        /* a short string and its deadline */                                         \
    X(NUMBER)        /* the string was this integer */                                             \
    X(TRUNCATE)      /* bytes were appended */                                                     \
    X(RANGE)         /* bytes were overwritten, and maybe appended */                              \
    X(MEMBERS_ADDED) /* to a set */                                                                \
    X(MEMBERS_REMOVED)                                                                             \
    X(FIELDS) /* fields of a hash with what they held */                                           \
    X(LIST_PUSHED)                                                                                 \
    X(LIST_CUT)  /* items were cut off one side or both */                                         \
    X(LIST_ITEM) /* an item was replaced */                                                        \
    X(LIST_INSERTED)                                                                               \
    X(LIST_REMOVED) /* equal items were taken out of several places */                             \
    X(NAMESPACE)    /* everything */

enum inverse_kind {
#define X(name) INVERSE_##name,
    INVERSE_LIST(X)
#undef X
};

/*
 * Going to a place in a list costs in proportion to its length: to change more places than this,
 * the list is built anew.
 */
#define LIST_REBUILD 1024

struct inverse {
    enum inverse_kind kind;
    uint32_t inside;     /* bytes of the caller's memory; 0: it is an allocation */
    struct entry *shell; /* the collection that the op emptied, hence removed; else NULL */
    union {
        struct entry *former; /* RESTORE */
        int64_t expires;      /* DEADLINE */
        int64_t number;       /* NUMBER */
        struct {
            int64_t expires;
            size_t len;
            char bytes[];
        } string;                           /* STRING */
        size_t len;                         /* TRUNCATE */
        struct keyspace *contents;          /* NAMESPACE */
        size_t index;                       /* LIST_INSERTED */
        struct entry *parts[OP_SIDE_COUNT]; /* LIST_CUT; NULL where nothing was cut */
        struct {
            size_t offset, whole; /* whole: length of the string before */
            size_t len;
            char bytes[];
        } range;
        struct {
            size_t count;
            char packed[]; /* see pack.h */
        } items;           /* MEMBERS_ADDED, MEMBERS_REMOVED, FIELDS; in the op's order */
        struct {
            enum op_side side;
            size_t count;
        } pushed;
        struct {
            size_t index;
            size_t len;
            char bytes[];
        } item; /* LIST_ITEM */
        struct {
            size_t *positions; /* in the list before the op, ascending */
            size_t count;
            size_t len;
            char bytes[];
        } removed; /* LIST_REMOVED */
    };
};

/* What it takes with `count` bytes in its flexible `member`. */
#define INVERSE_SIZE(member, count) (offsetof(struct inverse, member) + (count))

/* In `room`, if it fits there. `size` may be less than that of the struct. What is in the union is
 * for the caller to set. */
struct inverse *inverse_create(const struct inverse_room *room, enum inverse_kind kind,
                               size_t size);

/* Items: members, or fields with what they held (NULL: they were absent). put returns where the
 * next one goes, get returns where the next one is. */
static inline size_t inverse_field_size(struct slice field, const struct slice *value)
{
    return pack_size(field.len) + 1 + (value ? pack_size(value->len) : 0);
}

static inline char *inverse_put_field(char *at, struct slice field, const struct slice *value)
{
    at = pack_put(at, field);
    *at++ = value != NULL;
    return value ? pack_put(at, *value) : at;
}

/* Whether it was present. */
static inline bool inverse_get_field(const char **at, struct slice *field, struct slice *value)
{
    const char *present = pack_get(*at, field);
    *at = *present ? pack_get(present + 1, value) : present + 1;
    return *present;
}

#endif
