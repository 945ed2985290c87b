/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops on sets. With an inverse, the members that really came or went are copied into it. */
#include "ops/apply-internal.h"

/* Has room for all of them. Returns where those go that come or went. */
static char *members_inverse(struct apply *a, enum inverse_kind kind,
                             const struct slice_list *members)
{
    size_t bytes = 0;
    for (size_t i = 0; i < members->count; i++)
        bytes += pack_size(members->items[i].len);
    return apply_inverse(a, kind, INVERSE_SIZE(items.packed, bytes))->items.packed;
}

/* So many did; if none, there is nothing to undo. */
static bool members_changed(struct apply *a)
{
    if (a->undo && a->out->number) {
        (*a->undo)->items.count = (size_t)a->out->number;
    } else if (a->undo) {
        inverse_destroy(*a->undo);
        *a->undo = NULL;
    }
    return a->out->number;
}

void apply_set_add(struct apply *a, const struct op_set_add *op)
{
    const struct slice_list *members = &op->members;
    if (!apply_type(a, VALUE_SET) || !members->count)
        return;
    if (!a->slot) {
        struct entry *entry = entry_build(a->key, OP_EXPIRES_NEVER, VALUE_SET);
        for (size_t i = 0; i < members->count; i++)
            a->out->number += set_add(&entry, members->items[i]);
        apply_create(a, entry);
        return;
    }
    struct entry *before = *a->slot;
    char *at = a->undo ? members_inverse(a, INVERSE_MEMBERS_ADDED, members) : NULL;
    for (size_t i = 0; i < members->count; i++) {
        if (!set_add(a->slot, members->items[i]))
            continue;
        a->out->number++;
        if (at)
            at = pack_put(at, members->items[i]);
    }
    if (members_changed(a))
        apply_changed(a, before);
}

void apply_set_remove(struct apply *a, const struct op_set_remove *op)
{
    const struct slice_list *members = &op->members;
    if (!a->slot || !apply_type(a, VALUE_SET))
        return;
    struct entry *before = *a->slot;
    char *at = a->undo ? members_inverse(a, INVERSE_MEMBERS_REMOVED, members) : NULL;
    for (size_t i = 0; i < members->count; i++) {
        if (!set_remove(a->slot, members->items[i]))
            continue;
        a->out->number++;
        if (at)
            at = pack_put(at, members->items[i]);
    }
    if (members_changed(a))
        apply_shrunk(a, before);
}
