/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Applying ops: the only way a value ever changes, in service, in recovery and in replay alike.
 * The caller holds whatever protects the keyspace.
 */
#ifndef CAIRN_OPS_APPLY_H
#define CAIRN_OPS_APPLY_H

#include "ops/keyspace.h"
#include "ops/op.h"

/*
 * What an op met. All but OK leave the state as it was. Taking something away from an absent key
 * (ScalarDelete, SetRemove, MapDelete, ListPop, ListRemove, ListTrim, KeyDelete) is OK with number
 * 0; a value set with a deadline that has passed is OK and leaves the key absent.
 */
enum outcome_status {
    OUTCOME_OK,
    OUTCOME_CONDITION,    /* its condition did not hold */
    OUTCOME_WRONG_TYPE,   /* the key holds a value of another type */
    OUTCOME_NOT_INTEGER,  /* the string or hash value is no int64 */
    OUTCOME_NOT_FLOAT,    /* … no decimal number */
    OUTCOME_OVERFLOW,     /* the result does not fit int64 */
    OUTCOME_NOT_FINITE,   /* the result would be NaN or infinite */
    OUTCOME_ZERO_DIVISOR, /* nothing changed; IntDiv and IntMapDiv only */
    OUTCOME_TOO_LONG,     /* the string would pass limits->string_max */
    OUTCOME_NO_KEY,       /* ListSet and ListInsert on an absent key, KeyExpireAt, KeyPersist … */
    OUTCOME_OUT_OF_RANGE, /* ListSet: no such index; StringSetRange: a negative offset */
    OUTCOME_NO_PIVOT,     /* ListInsert: pivot not found */
};

struct outcome {
    enum outcome_status status;
    /*
     * The op must be kept. True where Redis counts a key as modified, even if the value is what it
     * was (SET to the same bytes, IntAdd 0); false when nothing was added, removed or trimmed.
     */
    bool changed;
    bool created; /* the key was absent (or expired) and is there now */
    bool removed; /* the key was there and is absent now */
    /*
     * Int…: the new number. SetAdd, SetRemove, MapSet and IntMapSet (new fields), MapDelete,
     * ListRemove, ListPop: how many. StringAppend, StringSetRange, ListAppend, ListPrepend,
     * ListInsert: length after. ListTrim: items dropped. KeyDelete, ScalarDelete, KeyPersist,
     * KeyExpireAt: 1 when done. NamespaceClear: keys.
     */
    int64_t number;
    struct slice text; /* FloatAdd, FloatMapAdd: the new value, borrowed until the next op */
    char scratch[24];  /* `text` may point here: do not copy the struct around */
};

struct inverse;

/*
 * Applies `op`. KeyPut takes its value: after the call op->key_put.value is NULL if it was used
 * (OUTCOME_OK), else still the caller's. `undo`, when not NULL, gets what restores the value
 * exactly (deadline included; NULL when nothing changed), at a cost in proportion to the op, not
 * to the value: a deleted value is moved into it. Inverses are undone in reverse order.
 *
 * The op's bytes must not point into the keyspace. Without `undo`, a big value that was removed
 * goes to the keyspace's garbage, but NamespaceClear frees all keys at once: ask for the undo and
 * destroy it on another thread instead. With `undo`, a key whose deadline has passed is not dropped
 * (nor the `expired` hook called) but put by in the inverse of the op that makes the key anew.
 */
void apply(struct keyspace *ks, struct op *op, struct outcome *out, struct inverse **undo);

/*
 * The caller's memory for an inverse, aligned as for pointers, which must last as long as that. An
 * inverse that does not fit is an allocation of its own. All zero: none.
 */
struct inverse_room {
    void *at;
    size_t size;
};
void apply_with_room(struct keyspace *ks, struct op *op, struct outcome *out, struct inverse **undo,
                     const struct inverse_room *room);

/* Undoes and destroys `undo`, with the key and hash (0: computed) of its op; NULL does nothing. */
void inverse_undo(struct keyspace *ks, struct inverse *undo, struct slice key, uint64_t hash);
void inverse_destroy(struct inverse *undo);
/* Takes the value that a KeyDelete removed out of its inverse, and destroys that. */
struct entry *inverse_take(struct inverse *undo);
size_t inverse_memory(const struct inverse *undo);
/* How much of its room it takes; 0: it is an allocation, or NULL. */
size_t inverse_inside(const struct inverse *undo);
/* It holds more than its room, hence must be destroyed or undone. */
bool inverse_owns(const struct inverse *undo);

#endif
