/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops on strings: Scalar…, Int…, FloatAdd, String…. Numbers keep the key's deadline. */
#include <stdatomic.h>

#include "ops/apply-internal.h"
#include "ops/decimal.h"

/* A string that is not longer is copied into the inverse; a longer one is moved there. */
#define COPY_MAX 64

/* The inverse has a copy of the present string; false: it is not one that is copied. */
static bool keep_string(struct apply *a)
{
    const struct entry *entry = *a->slot;
    char scratch[24];
    struct slice bytes = string_bytes(entry, scratch);
    if (bytes.len > COPY_MAX || !string_is_plain(entry))
        return false;
    struct inverse *undo = apply_inverse(a, INVERSE_STRING, INVERSE_SIZE(string.bytes, bytes.len));
    undo->string.expires = entry_expires(entry);
    undo->string.len = bytes.len;
    slice_copy(undo->string.bytes, bytes);
    return true;
}

/* The present entry is a string that may be overwritten where it is. */
static inline bool set_in_place(struct apply *a)
{
    return (*a->slot)->type == VALUE_STRING && (!a->undo || keep_string(a));
}

/*
 * Puts a string value whatever was there, with its deadline. With an inverse a long former entry is
 * moved there; big values of other types are replaced too, so that the garbage gets them.
 */
static void set_bytes(struct apply *a, struct slice bytes, int64_t deadline)
{
    if (!a->slot) {
        apply_create(a, entry_build_string(a->key, deadline, bytes));
    } else if (!set_in_place(a)) {
        apply_replace(a, entry_build_string(a->key, deadline, bytes));
    } else {
        struct entry *before = *a->slot;
        string_set(a->slot, bytes);
        apply_changed(a, before);
        if (entry_expires(*a->slot) != deadline)
            keyspace_set_expires(a->ks, a->hash, a->slot, deadline);
    }
}

static void set_number(struct apply *a, int64_t number, int64_t deadline)
{
    if (!a->slot) {
        apply_create(a, entry_build_integer(a->key, deadline, number));
    } else if (!set_in_place(a)) {
        apply_replace(a, entry_build_integer(a->key, deadline, number));
    } else {
        struct entry *before = *a->slot;
        string_set_integer(a->slot, number);
        apply_changed(a, before);
        if (entry_expires(*a->slot) != deadline)
            keyspace_set_expires(a->ks, a->hash, a->slot, deadline);
    }
}

/* True when the op is done with, its condition refused or its deadline already passed. */
static bool set_settled(struct apply *a, enum op_condition condition, int64_t expires)
{
    if (!apply_condition(a, condition))
        return true;
    if (!apply_passed(a, expires))
        return false;
    if (a->slot)
        apply_drop(a);
    return true;
}

void apply_scalar_set(struct apply *a, const struct op_scalar_set *op)
{
    if (!set_settled(a, op->condition, op->expires))
        set_bytes(a, op->value, apply_deadline(a, op->expires));
}

void apply_scalar_delete(struct apply *a)
{
    if (!a->slot || !apply_type(a, VALUE_STRING))
        return;
    a->out->number = 1;
    apply_drop(a);
}

void apply_int_set(struct apply *a, const struct op_int_set *op)
{
    if (set_settled(a, op->condition, op->expires))
        return;
    a->out->number = op->value;
    set_number(a, op->value, apply_deadline(a, op->expires));
}

void apply_int_change(struct apply *a, apply_arithmetic *arithmetic, int64_t operand)
{
    int64_t former = 0, number;
    if (!apply_type(a, VALUE_STRING))
        return;
    if (a->slot && !string_integer(*a->slot, &former)) {
        apply_refuse(a, OUTCOME_NOT_INTEGER);
        return;
    }
    enum outcome_status status = arithmetic(former, operand, &number);
    if (status != OUTCOME_OK) {
        apply_refuse(a, status);
        return;
    }
    a->out->number = number;
    if (!a->slot) {
        apply_create(a, entry_build_integer(a->key, OP_EXPIRES_NEVER, number));
        return;
    }
    if (a->undo)
        apply_inverse(a, INVERSE_NUMBER, 0)->number = former;
    struct entry *before = *a->slot;
    string_set_integer(a->slot, number);
    apply_changed(a, before);
}

void apply_float_add(struct apply *a, const struct op_float_add *op)
{
    struct decimal_text sum;
    struct slice former = slice_of("0");
    if (!apply_type(a, VALUE_STRING))
        return;
    if (a->slot)
        former = string_bytes(*a->slot, a->out->scratch);
    enum decimal_status status = decimal_add(former, op->delta, &sum);
    if (status != DECIMAL_OK) {
        apply_refuse(a, status == DECIMAL_INVALID ? OUTCOME_NOT_FLOAT : OUTCOME_NOT_FINITE);
        return;
    }
    set_bytes(a, slice_make(sum.bytes, sum.len), apply_deadline(a, OP_EXPIRES_KEEP));
    a->out->text = string_bytes(*a->slot, a->out->scratch);
}

static bool too_long(struct apply *a, uint64_t len, uint64_t more)
{
    int64_t max = atomic_load_explicit(&value_limits.string_max, memory_order_relaxed);
    uint64_t total;
    if (!__builtin_add_overflow(len, more, &total) && total <= (uint64_t)max)
        return false;
    apply_refuse(a, OUTCOME_TOO_LONG);
    return true;
}

void apply_string_append(struct apply *a, const struct op_string_append *op)
{
    if (!apply_type(a, VALUE_STRING))
        return;
    size_t len = a->slot ? value_len(*a->slot) : 0;
    if (too_long(a, len, op->value.len))
        return;
    a->out->number = (int64_t)(len + op->value.len);
    if (!a->slot) {
        apply_create(a, entry_build_string(a->key, OP_EXPIRES_NEVER, op->value));
        return;
    }
    if (op->value.len == 0)
        return;
    if (a->undo)
        apply_inverse(a, INVERSE_TRUNCATE, 0)->len = len;
    struct entry *before = *a->slot;
    string_append(a->slot, op->value);
    apply_changed(a, before);
}

/* What the op overwrites, and how long the string was. */
static void keep_range(struct apply *a, size_t offset, size_t len)
{
    char scratch[24];
    struct slice former = string_bytes(*a->slot, scratch);
    size_t end = offset + len < former.len ? offset + len : former.len;
    size_t begin = offset < end ? offset : end;
    struct inverse *undo = apply_inverse(a, INVERSE_RANGE, INVERSE_SIZE(range.bytes, end - begin));
    undo->range.offset = begin;
    undo->range.whole = former.len;
    undo->range.len = end - begin;
    slice_copy(undo->range.bytes, slice_make(former.data + begin, end - begin));
}

void apply_string_set_range(struct apply *a, const struct op_string_set_range *op)
{
    if (!apply_type(a, VALUE_STRING))
        return;
    if (op->offset < 0) {
        apply_refuse(a, OUTCOME_OUT_OF_RANGE);
        return;
    }
    size_t len = a->slot ? value_len(*a->slot) : 0, offset = (size_t)op->offset;
    a->out->number = (int64_t)len;
    if (op->value.len == 0 || too_long(a, offset, op->value.len))
        return;
    if (offset + op->value.len > len)
        a->out->number = (int64_t)(offset + op->value.len);
    if (!a->slot) {
        struct entry *entry = entry_build_string(a->key, OP_EXPIRES_NEVER, slice_make(NULL, 0));
        string_set_range(&entry, offset, op->value);
        apply_create(a, entry);
        return;
    }
    if (a->undo)
        keep_range(a, offset, op->value.len);
    struct entry *before = *a->slot;
    string_set_range(a->slot, offset, op->value);
    apply_changed(a, before);
}
