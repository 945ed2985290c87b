/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inverses: what undoes one applied op, a sum type of its own; for apply_*.c alone (outside, see
 * apply.h). One piece of memory, the caller's or an allocation, holds the struct, its items and
 * copies of the op's own bytes; values and parts of values that an op took away are moved in.
 * Undoing looks keys up with a time before all deadlines; where the key has expired in between,
 * there is nothing left to undo.
 */
#ifndef CAIRN_OPS_INVERSE_H
#define CAIRN_OPS_INVERSE_H

#include "ops/apply.h"
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

struct inverse_item {
    struct slice name;  /* member or field */
    struct slice value; /* of a field, where `present` */
    bool present;       /* the field was there */
};

struct inverse {
    enum inverse_kind kind;
    bool inside; /* the caller's memory, not an allocation */
    uint64_t hash;
    struct slice key;    /* RESTORE: the former entry has it */
    struct entry *shell; /* the collection that the op emptied, hence removed; else NULL */
    char *tail;          /* where inverse_keep puts the next bytes */
    size_t size;         /* of this piece of memory */
    union {
        struct entry *former; /* RESTORE */
        int64_t expires;      /* DEADLINE */
        int64_t number;       /* NUMBER */
        struct {
            int64_t expires;
            struct slice bytes;
        } string;                           /* STRING */
        size_t len;                         /* TRUNCATE */
        struct keyspace *contents;          /* NAMESPACE */
        size_t index;                       /* LIST_INSERTED */
        struct entry *parts[OP_SIDE_COUNT]; /* LIST_CUT; NULL where nothing was cut */
        struct {
            size_t offset, len; /* len: of the whole string before */
            struct slice bytes;
        } range;
        struct {
            size_t count;
            struct inverse_item *list;
        } items; /* MEMBERS_ADDED, MEMBERS_REMOVED, FIELDS; in the op's order */
        struct {
            enum op_side side;
            size_t count;
        } pushed;
        struct {
            size_t index;
            struct slice bytes;
        } item; /* LIST_ITEM */
        struct {
            size_t *positions; /* in the list before the op, ascending */
            size_t count;
            struct slice bytes;
        } removed; /* LIST_REMOVED */
    };
};

/* In `room`, if it fits there; else the key is copied. With `items` inverse_items and `bytes` bytes
 * besides it. */
struct inverse *inverse_create(const struct inverse_room *room, enum inverse_kind kind,
                               struct slice key, uint64_t hash, size_t items, size_t bytes);
/* Copies bytes into the room asked for. */
struct slice inverse_keep(struct inverse *undo, struct slice bytes);

#endif
