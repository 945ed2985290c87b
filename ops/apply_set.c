/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops on sets. With an inverse, the members that really came or went are copied into it. */
#include "ops/apply-internal.h"

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
    struct inverse *undo = NULL;
    if (a->undo)
        undo = inverse_create(a->room, INVERSE_MEMBERS_ADDED, a->key, a->hash, members->count,
                              slice_list_bytes(members));
    for (size_t i = 0; i < members->count; i++) {
        if (!set_add(a->slot, members->items[i]))
            continue;
        a->out->number++;
        if (undo)
            undo->items.list[undo->items.count++].name = inverse_keep(undo, members->items[i]);
    }
    if (a->out->number) {
        if (a->undo)
            *a->undo = undo;
        apply_changed(a, before);
    } else {
        inverse_destroy(undo);
    }
}

void apply_set_remove(struct apply *a, const struct op_set_remove *op)
{
    const struct slice_list *members = &op->members;
    if (!a->slot || !apply_type(a, VALUE_SET))
        return;
    struct entry *before = *a->slot;
    struct inverse *undo = NULL;
    if (a->undo)
        undo = inverse_create(a->room, INVERSE_MEMBERS_REMOVED, a->key, a->hash, members->count,
                              slice_list_bytes(members));
    for (size_t i = 0; i < members->count; i++) {
        if (!set_remove(a->slot, members->items[i]))
            continue;
        a->out->number++;
        if (undo)
            undo->items.list[undo->items.count++].name = inverse_keep(undo, members->items[i]);
    }
    if (a->out->number) {
        if (a->undo)
            *a->undo = undo;
        apply_shrunk(a, before);
    } else {
        inverse_destroy(undo);
    }
}
