/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch over all ops, and the steps on the key that they share. The key is looked up once,
 * here, with the hash the op brings.
 */
#include "ops/apply-internal.h"

#include <assert.h>

struct inverse *apply_inverse(struct apply *a, enum inverse_kind kind, size_t size)
{
    assert(a->undo && !*a->undo);
    return *a->undo = inverse_create(a->room, kind, size);
}

static void inverse_former(struct apply *a, struct entry *former)
{
    if (!a->undo) {
        keyspace_discard(a->ks, former);
        return;
    }
    apply_inverse(a, INVERSE_RESTORE, 0)->former = former;
}

void apply_create(struct apply *a, struct entry *entry)
{
    a->out->changed = a->out->created = true;
    if (a->stale) {
        inverse_former(a, keyspace_replace(a->ks, a->hash, a->stale, entry));
        a->slot = a->stale;
        return;
    }
    if (a->undo)
        apply_inverse(a, INVERSE_REMOVE, 0);
    a->slot = keyspace_add(a->ks, a->hash, entry);
}

void apply_replace(struct apply *a, struct entry *entry)
{
    a->out->changed = true;
    inverse_former(a, keyspace_replace(a->ks, a->hash, a->slot, entry));
}

void apply_drop(struct apply *a)
{
    a->out->changed = a->out->removed = true;
    inverse_former(a, keyspace_remove(a->ks, a->hash, a->slot));
    a->slot = NULL;
}

void apply_shrunk(struct apply *a, struct entry *before)
{
    apply_changed(a, before);
    if (value_len(*a->slot))
        return;
    struct entry *shell = keyspace_remove(a->ks, a->hash, a->slot);
    if (a->undo)
        (*a->undo)->shell = shell;
    else
        keyspace_discard(a->ks, shell);
    a->out->removed = true;
    a->slot = NULL;
}

enum outcome_status apply_add(int64_t x, int64_t y, int64_t *result)
{
    return __builtin_add_overflow(x, y, result) ? OUTCOME_OVERFLOW : OUTCOME_OK;
}

enum outcome_status apply_multiply(int64_t x, int64_t y, int64_t *result)
{
    return __builtin_mul_overflow(x, y, result) ? OUTCOME_OVERFLOW : OUTCOME_OK;
}

enum outcome_status apply_divide(int64_t x, int64_t y, int64_t *result)
{
    if (y == 0)
        return OUTCOME_ZERO_DIVISOR;
    if (x == INT64_MIN && y == -1)
        return OUTCOME_OVERFLOW;
    *result = x / y;
    return OUTCOME_OK;
}

/* Without an inverse, a key whose deadline has passed is dropped by the look-up itself. */
static void look_up(struct apply *a, struct op *op)
{
    if (!op->hash)
        op->hash = key_hash(op->key);
    a->hash = op->hash;
    a->slot = keyspace_slot(a->ks, op->key, op->hash, a->undo ? INT64_MIN : op->time);
    if (!a->undo || !a->slot)
        return;
    int64_t expires = entry_expires(*a->slot);
    if (expires && expires <= op->time) {
        a->stale = a->slot;
        a->slot = NULL;
    }
}

/* clang-format off */
static void dispatch(struct apply *a, struct op *op)
{
    switch (op->kind) {
    case OP_SCALAR_SET:       apply_scalar_set(a, &op->scalar_set); break;
    case OP_SCALAR_DELETE:    apply_scalar_delete(a); break;
    case OP_INT_SET:          apply_int_set(a, &op->int_set); break;
    case OP_INT_ADD:          apply_int_change(a, apply_add, op->int_add.delta); break;
    case OP_INT_MUL:          apply_int_change(a, apply_multiply, op->int_mul.factor); break;
    case OP_INT_DIV:          apply_int_change(a, apply_divide, op->int_div.divisor); break;
    case OP_FLOAT_ADD:        apply_float_add(a, &op->float_add); break;
    case OP_STRING_APPEND:    apply_string_append(a, &op->string_append); break;
    case OP_STRING_SET_RANGE: apply_string_set_range(a, &op->string_set_range); break;
    case OP_SET_ADD:          apply_set_add(a, &op->set_add); break;
    case OP_SET_REMOVE:       apply_set_remove(a, &op->set_remove); break;
    case OP_INT_MAP_SET:      apply_int_map_set(a, &op->int_map_set); break;
    case OP_INT_MAP_ADD:
        apply_int_map_change(a, apply_add, op->int_map_add.field, op->int_map_add.delta);
        break;
    case OP_INT_MAP_MUL:
        apply_int_map_change(a, apply_multiply, op->int_map_mul.field, op->int_map_mul.factor);
        break;
    case OP_INT_MAP_DIV:
        apply_int_map_change(a, apply_divide, op->int_map_div.field, op->int_map_div.divisor);
        break;
    case OP_INT_MAP_DELETE:   apply_map_delete(a, &op->int_map_delete.fields); break;
    case OP_FLOAT_MAP_ADD:    apply_float_map_add(a, &op->float_map_add); break;
    case OP_MAP_SET:          apply_map_set(a, &op->map_set); break;
    case OP_MAP_DELETE:       apply_map_delete(a, &op->map_delete.fields); break;
    case OP_LIST_APPEND:
        apply_list_push(a, OP_SIDE_RIGHT, &op->list_append.items, op->list_append.condition);
        break;
    case OP_LIST_PREPEND:
        apply_list_push(a, OP_SIDE_LEFT, &op->list_prepend.items, op->list_prepend.condition);
        break;
    case OP_LIST_POP:         apply_list_pop(a, &op->list_pop); break;
    case OP_LIST_SET:         apply_list_set(a, &op->list_set); break;
    case OP_LIST_INSERT:      apply_list_insert(a, &op->list_insert); break;
    case OP_LIST_REMOVE:      apply_list_remove(a, &op->list_remove); break;
    case OP_LIST_TRIM:        apply_list_trim(a, &op->list_trim); break;
    case OP_KEY_PUT:          apply_key_put(a, &op->key_put); break;
    case OP_KEY_DELETE:       apply_key_delete(a); break;
    case OP_KEY_EXPIRE_AT:    apply_key_expire_at(a, &op->key_expire_at); break;
    case OP_KEY_PERSIST:      apply_key_persist(a); break;
    case OP_NAMESPACE_CLEAR:  apply_namespace_clear(a); break;
    case OP_COUNT:            assert(!"not an op"); break;
    }
}
/* clang-format on */

static __attribute__((noinline)) void run(struct keyspace *ks, struct op *op, struct outcome *out,
                                          struct inverse **undo, const struct inverse_room *room)
{
    struct apply a = {
        .ks = ks, .key = op->key, .time = op->time, .out = out, .undo = undo, .room = room};
    assert(op_valid(op));
    out->status = OUTCOME_OK;
    out->changed = out->created = out->removed = false;
    out->number = 0;
    out->text = slice_make(NULL, 0);
    if (undo)
        *undo = NULL;
    if (op->kind != OP_NAMESPACE_CLEAR)
        look_up(&a, op);
    dispatch(&a, op);
}

void apply(struct keyspace *ks, struct op *op, struct outcome *out, struct inverse **undo)
{
    static const struct inverse_room none;
    run(ks, op, out, undo, &none);
}

void apply_with_room(struct keyspace *ks, struct op *op, struct outcome *out, struct inverse **undo,
                     const struct inverse_room *room)
{
    run(ks, op, out, undo, room);
}
