/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of apply share: one application under way, its steps on the key, and one function
 * for each op. Each function checks everything before it changes anything.
 */
#ifndef CAIRN_OPS_APPLY_INTERNAL_H
#define CAIRN_OPS_APPLY_INTERNAL_H

#include "ops/apply.h"
#include "ops/entry.h"
#include "ops/inverse.h"
#include "ops/value-internal.h"

struct apply {
    struct keyspace *ks;
    struct slice key;
    uint64_t hash;
    int64_t time;
    struct entry **slot; /* the live key's, or NULL */
    /*
     * Only with `undo`: the slot of a key whose deadline has passed. It is not dropped but moves
     * into the inverse, or stays, so that undoing restores it: an op with an earlier time may come.
     */
    struct entry **stale;
    struct outcome *out;
    struct inverse **undo; /* NULL: none wanted */
    const struct inverse_room *room;
};

static inline void apply_refuse(struct apply *a, enum outcome_status status)
{
    a->out->status = status;
}

/* A deadline that is no sooner set than passed: the key goes away instead. */
static inline bool apply_passed(const struct apply *a, int64_t deadline)
{
    return deadline != OP_EXPIRES_NEVER && deadline != OP_EXPIRES_KEEP &&
           (deadline <= a->time || deadline < 0);
}

/* The key's presence against NX and XX. Refuses when it does not hold. */
static inline bool apply_condition(struct apply *a, enum op_condition condition)
{
    if (condition == OP_CONDITION_NONE || (condition == OP_CONDITION_NX && !a->slot) ||
        (condition == OP_CONDITION_XX && a->slot))
        return true;
    apply_refuse(a, OUTCOME_CONDITION);
    return false;
}

/* The key is absent or of this type. Refuses otherwise. */
static inline bool apply_type(struct apply *a, enum value_type type)
{
    if (!a->slot || (*a->slot)->type == type)
        return true;
    apply_refuse(a, OUTCOME_WRONG_TYPE);
    return false;
}

/* The deadline the key will have. */
static inline int64_t apply_deadline(const struct apply *a, int64_t expires)
{
    if (expires != OP_EXPIRES_KEEP)
        return expires;
    return a->slot ? entry_expires(*a->slot) : OP_EXPIRES_NEVER;
}

/* Makes the absent key. Takes the entry. */
void apply_create(struct apply *a, struct entry *entry);
/* Puts an entry of the same key in the place of the present one. Takes it. */
void apply_replace(struct apply *a, struct entry *entry);
/* Removes the present key, its value going to the inverse or to the garbage. */
void apply_drop(struct apply *a);
/* After a change through the slot that began with the entry at `before`. */
static inline void apply_changed(struct apply *a, struct entry *before)
{
    a->out->changed = true;
    if (*a->slot != before)
        keyspace_moved(a->ks, a->hash, before, a->slot);
}

/* The same, and removes the key when its collection has become empty. */
void apply_shrunk(struct apply *a, struct entry *before);
/* The inverse of this application; not to be called when none is wanted. */
struct inverse *apply_inverse(struct apply *a, enum inverse_kind kind, size_t size);

/* x op y; OUTCOME_OK, OVERFLOW or ZERO_DIVISOR. */
typedef enum outcome_status apply_arithmetic(int64_t x, int64_t y, int64_t *result);
apply_arithmetic apply_add, apply_multiply, apply_divide;

void apply_scalar_set(struct apply *a, const struct op_scalar_set *op);
void apply_scalar_delete(struct apply *a);
void apply_int_set(struct apply *a, const struct op_int_set *op);
void apply_int_change(struct apply *a, apply_arithmetic *arithmetic, int64_t operand);
void apply_float_add(struct apply *a, const struct op_float_add *op);
void apply_string_append(struct apply *a, const struct op_string_append *op);
void apply_string_set_range(struct apply *a, const struct op_string_set_range *op);

void apply_set_add(struct apply *a, const struct op_set_add *op);
void apply_set_remove(struct apply *a, const struct op_set_remove *op);

void apply_int_map_set(struct apply *a, const struct op_int_map_set *op);
void apply_int_map_change(struct apply *a, apply_arithmetic *arithmetic, struct slice field,
                          int64_t operand);
void apply_float_map_add(struct apply *a, const struct op_float_map_add *op);
void apply_map_set(struct apply *a, const struct op_map_set *op);
void apply_map_delete(struct apply *a, const struct slice_list *fields);

void apply_list_push(struct apply *a, enum op_side side, const struct slice_list *items,
                     enum op_condition condition);
void apply_list_pop(struct apply *a, const struct op_list_pop *op);
void apply_list_set(struct apply *a, const struct op_list_set *op);
void apply_list_insert(struct apply *a, const struct op_list_insert *op);
void apply_list_remove(struct apply *a, const struct op_list_remove *op);
void apply_list_trim(struct apply *a, const struct op_list_trim *op);

void apply_key_put(struct apply *a, struct op_key_put *op);
void apply_key_delete(struct apply *a);
void apply_key_expire_at(struct apply *a, const struct op_key_expire_at *op);
void apply_key_persist(struct apply *a);
void apply_namespace_clear(struct apply *a);

#endif
