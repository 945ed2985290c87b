/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ops on hashes. With an inverse, the fields an op names and what they held are copied into it
 * before the first of them changes; a field named twice is copied twice, with the same value.
 */
#include <assert.h>

#include "ops/apply-internal.h"
#include "ops/decimal.h"
#include "ops/value_integer.h"

/* What it holds, at `value`; NULL: it is absent. */
static struct slice *look_up(const struct apply *a, struct slice field, struct slice *value)
{
    return hash_get(*a->slot, field, value) ? value : NULL;
}

/* Every step-th slice of `names` is a field. Mostly there is one: it is looked up once. */
static void keep_fields(struct apply *a, const struct slice_list *names, size_t step)
{
    size_t bytes = 0;
    struct slice room, *value = NULL;
    for (size_t i = 0; i < names->count; i += step) {
        value = look_up(a, names->items[i], &room);
        bytes += inverse_field_size(names->items[i], value);
    }
    struct inverse *undo = apply_inverse(a, INVERSE_FIELDS, INVERSE_SIZE(items.packed, bytes));
    undo->items.count = names->count / step;
    char *at = undo->items.packed;
    for (size_t i = 0; i < names->count; i += step) {
        if (names->count > step)
            value = look_up(a, names->items[i], &room);
        at = inverse_put_field(at, names->items[i], value);
    }
}

/* Sets fields of the hash, made if it is absent; returns how many are new. */
static int64_t set_fields(struct apply *a, const struct slice_list *pairs)
{
    int64_t added = 0;
    if (!a->slot) {
        struct entry *entry = entry_build(a->key, OP_EXPIRES_NEVER, VALUE_HASH);
        for (size_t i = 0; i < pairs->count; i += 2)
            added += hash_set(&entry, pairs->items[i], pairs->items[i + 1]);
        apply_create(a, entry);
        return added;
    }
    if (a->undo)
        keep_fields(a, pairs, 2);
    struct entry *before = *a->slot;
    for (size_t i = 0; i < pairs->count; i += 2)
        added += hash_set(a->slot, pairs->items[i], pairs->items[i + 1]);
    apply_changed(a, before);
    return added;
}

static void set_field(struct apply *a, struct slice field, struct slice value)
{
    struct slice pair[] = {field, value};
    set_fields(a, &(struct slice_list){pair, 2});
}

static void set_field_integer(struct apply *a, struct slice field, int64_t number)
{
    char scratch[24];
    a->out->number = number;
    set_field(a, field, integer_format(number, scratch));
}

/* What NX or XX asks of each field. */
static bool fields_condition(struct apply *a, const struct op_map_set *op)
{
    struct slice value;
    if (op->condition == OP_CONDITION_NONE)
        return true;
    for (size_t i = 0; i < op->pairs.count; i += 2) {
        bool present = a->slot && hash_get(*a->slot, op->pairs.items[i], &value);
        if (present != (op->condition == OP_CONDITION_XX)) {
            apply_refuse(a, OUTCOME_CONDITION);
            return false;
        }
    }
    return true;
}

void apply_map_set(struct apply *a, const struct op_map_set *op)
{
    if (!op->pairs.count || !apply_type(a, VALUE_HASH) || !fields_condition(a, op))
        return;
    a->out->number = set_fields(a, &op->pairs);
}

void apply_int_map_set(struct apply *a, const struct op_int_map_set *op)
{
    if (!apply_type(a, VALUE_HASH))
        return;
    char scratch[24];
    struct slice pair[] = {op->field, integer_format(op->value, scratch)};
    a->out->number = set_fields(a, &(struct slice_list){pair, 2});
}

void apply_int_map_change(struct apply *a, apply_arithmetic *arithmetic, struct slice field,
                          int64_t operand)
{
    int64_t number = 0;
    struct slice former;
    if (!apply_type(a, VALUE_HASH))
        return;
    if (a->slot && hash_get(*a->slot, field, &former) && !integer_parse(former, &number)) {
        apply_refuse(a, OUTCOME_NOT_INTEGER);
        return;
    }
    enum outcome_status status = arithmetic(number, operand, &number);
    if (status == OUTCOME_OK)
        set_field_integer(a, field, number);
    else
        apply_refuse(a, status);
}

void apply_float_map_add(struct apply *a, const struct op_float_map_add *op)
{
    struct decimal_text sum;
    struct slice former;
    if (!apply_type(a, VALUE_HASH))
        return;
    if (!a->slot || !hash_get(*a->slot, op->field, &former))
        former = slice_of("0");
    enum decimal_status status = decimal_add(former, op->delta, &sum);
    if (status != DECIMAL_OK) {
        apply_refuse(a, status == DECIMAL_INVALID ? OUTCOME_NOT_FLOAT : OUTCOME_NOT_FINITE);
        return;
    }
    set_field(a, op->field, slice_make(sum.bytes, sum.len));
    bool there = hash_get(*a->slot, op->field, &a->out->text);
    assert(there);
}

void apply_map_delete(struct apply *a, const struct slice_list *fields)
{
    struct slice value;
    bool any = false;
    if (!a->slot || !apply_type(a, VALUE_HASH))
        return;
    for (size_t i = 0; i < fields->count && !any; i++)
        any = hash_get(*a->slot, fields->items[i], &value);
    if (!any)
        return;
    if (a->undo)
        keep_fields(a, fields, 1);
    struct entry *before = *a->slot;
    for (size_t i = 0; i < fields->count; i++)
        a->out->number += hash_delete(a->slot, fields->items[i]);
    apply_shrunk(a, before);
}
