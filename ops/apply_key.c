/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops on keys whatever they hold, and on the whole namespace. */
#include "ops/apply-internal.h"

void apply_key_put(struct apply *a, struct op_key_put *op)
{
    if (!apply_condition(a, op->condition))
        return;
    struct entry *value = op->value;
    op->value = NULL;
    if (apply_passed(a, op->expires)) {
        keyspace_discard(a->ks, value);
        if (a->slot)
            apply_drop(a);
        return;
    }
    value = entry_rekey(value, a->key, apply_deadline(a, op->expires));
    if (a->slot)
        apply_replace(a, value);
    else
        apply_create(a, value);
}

void apply_key_delete(struct apply *a)
{
    if (!a->slot)
        return;
    a->out->number = 1;
    apply_drop(a);
}

static bool deadline_condition(enum op_condition condition, int64_t present, int64_t wanted)
{
    switch (condition) {
    case OP_CONDITION_NONE: return true;
    case OP_CONDITION_NX: return !present;
    case OP_CONDITION_XX: return present;
    case OP_CONDITION_GT: return present && wanted > present;
    case OP_CONDITION_LT: return !present || wanted < present;
    case OP_CONDITION_XX_LT: return present && wanted < present;
    case OP_CONDITION_COUNT: break;
    }
    return false;
}

static void set_deadline(struct apply *a, int64_t deadline)
{
    if (a->undo)
        apply_inverse(a, INVERSE_DEADLINE, 0)->expires = entry_expires(*a->slot);
    keyspace_set_expires(a->ks, a->hash, a->slot, deadline);
    a->out->changed = true;
}

void apply_key_expire_at(struct apply *a, const struct op_key_expire_at *op)
{
    if (!a->slot) {
        apply_refuse(a, OUTCOME_NO_KEY);
        return;
    }
    if (!deadline_condition(op->condition, entry_expires(*a->slot), op->deadline)) {
        apply_refuse(a, OUTCOME_CONDITION);
        return;
    }
    a->out->number = 1;
    if (op->deadline <= a->time || op->deadline <= 0)
        apply_drop(a);
    else
        set_deadline(a, op->deadline);
}

void apply_key_persist(struct apply *a)
{
    if (!a->slot) {
        apply_refuse(a, OUTCOME_NO_KEY);
        return;
    }
    if (!entry_expires(*a->slot))
        return;
    a->out->number = 1;
    set_deadline(a, OP_EXPIRES_NEVER);
}

void apply_namespace_clear(struct apply *a)
{
    size_t keys = keyspace_size(a->ks);
    if (!keys)
        return;
    a->out->number = (int64_t)keys;
    a->out->changed = true;
    struct keyspace *contents = keyspace_detach(a->ks);
    if (a->undo)
        apply_inverse(a, INVERSE_NAMESPACE, 0)->contents = contents;
    else
        keyspace_destroy(contents);
}
