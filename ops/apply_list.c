/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops on lists. Items an op takes off the ends are cut off as lists and moved into the inverse. */
#include <assert.h>

#include "ops/apply-internal.h"
#include "ops/mem.h"

/* Up to here items are taken off an end one by one, which makes no list of them. */
#define POP_SINGLY 16

void apply_list_push(struct apply *a, enum op_side side, const struct slice_list *items,
                     enum op_condition condition)
{
    if (!apply_type(a, VALUE_LIST) || !apply_condition(a, condition))
        return;
    if (!items->count) {
        a->out->number = a->slot ? (int64_t)value_len(*a->slot) : 0;
        return;
    }
    if (!a->slot) {
        struct entry *entry = entry_build(a->key, OP_EXPIRES_NEVER, VALUE_LIST);
        for (size_t i = 0; i < items->count; i++)
            list_push(&entry, side, items->items[i]);
        apply_create(a, entry);
        a->out->number = (int64_t)items->count;
        return;
    }
    if (a->undo) {
        struct inverse *undo = apply_inverse(a, INVERSE_LIST_PUSHED, 0);
        undo->pushed.side = side;
        undo->pushed.count = items->count;
    }
    struct entry *before = *a->slot;
    for (size_t i = 0; i < items->count; i++)
        list_push(a->slot, side, items->items[i]);
    apply_changed(a, before);
    a->out->number = (int64_t)value_len(*a->slot);
}

/* Takes fewer items than there are off each side. */
static void cut(struct apply *a, const size_t counts[OP_SIDE_COUNT])
{
    struct entry *before = *a->slot;
    struct inverse *undo = a->undo ? apply_inverse(a, INVERSE_LIST_CUT, 0) : NULL;
    if (undo)
        undo->parts[OP_SIDE_LEFT] = undo->parts[OP_SIDE_RIGHT] = NULL;
    for (unsigned side = 0; side < OP_SIDE_COUNT; side++) {
        if (!undo && counts[side] <= POP_SINGLY) {
            for (size_t i = 0; i < counts[side]; i++)
                list_remove_at(a->slot, side == OP_SIDE_LEFT ? 0 : value_len(*a->slot) - 1);
        } else if (counts[side]) {
            struct entry *part = list_cut(a->slot, (enum op_side)side, counts[side]);
            if (undo)
                undo->parts[side] = part;
            else
                keyspace_discard(a->ks, part);
        }
    }
    apply_changed(a, before);
}

void apply_list_pop(struct apply *a, const struct op_list_pop *op)
{
    size_t counts[OP_SIDE_COUNT] = {0};
    if (!a->slot || !apply_type(a, VALUE_LIST) || op->count <= 0)
        return;
    size_t len = value_len(*a->slot);
    if ((uint64_t)op->count >= len) {
        a->out->number = (int64_t)len;
        apply_drop(a);
        return;
    }
    a->out->number = op->count;
    counts[op->side] = (size_t)op->count;
    cut(a, counts);
}

void apply_list_set(struct apply *a, const struct op_list_set *op)
{
    if (!a->slot) {
        apply_refuse(a, OUTCOME_NO_KEY);
        return;
    }
    if (!apply_type(a, VALUE_LIST))
        return;
    int64_t len = (int64_t)value_len(*a->slot);
    int64_t index = op->index < 0 ? op->index + len : op->index;
    if (index < 0 || index >= len) {
        apply_refuse(a, OUTCOME_OUT_OF_RANGE);
        return;
    }
    if (a->undo) {
        struct slice former;
        bool there = list_get(*a->slot, (size_t)index, &former);
        assert(there);
        struct inverse *undo =
            apply_inverse(a, INVERSE_LIST_ITEM, INVERSE_SIZE(item.bytes, former.len));
        undo->item.index = (size_t)index;
        undo->item.len = former.len;
        slice_copy(undo->item.bytes, former);
    }
    struct entry *before = *a->slot;
    list_replace(a->slot, (size_t)index, op->value);
    apply_changed(a, before);
}

void apply_list_insert(struct apply *a, const struct op_list_insert *op)
{
    size_t index;
    if (!a->slot) {
        apply_refuse(a, OUTCOME_NO_KEY);
        return;
    }
    if (!apply_type(a, VALUE_LIST))
        return;
    if (!list_find(*a->slot, 0, false, op->pivot, &index)) {
        apply_refuse(a, OUTCOME_NO_PIVOT);
        return;
    }
    index += op->side == OP_SIDE_RIGHT;
    if (a->undo)
        apply_inverse(a, INVERSE_LIST_INSERTED, 0)->index = index;
    struct entry *before = *a->slot;
    list_insert(a->slot, index, op->value);
    apply_changed(a, before);
    a->out->number = (int64_t)value_len(*a->slot);
}

/* Places in the list as it was, ascending in the end. */
struct positions {
    size_t *places;
    size_t count, room;
};

static void positions_add(struct positions *p, size_t place)
{
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 4;
        p->places = mem_realloc(p->places, p->room * sizeof(*p->places));
    }
    p->places[p->count++] = place;
}

static void positions_reverse(struct positions *p)
{
    for (size_t i = 0, j = p->count; i + 1 < j; i++) {
        size_t place = p->places[i];
        p->places[i] = p->places[--j];
        p->places[j] = place;
    }
}

/* Finds up to `limit` equal items, from the head or from the tail. */
static void find_equal(const struct entry *entry, struct slice value, uint64_t limit,
                       bool backwards, struct positions *p)
{
    struct value_iter it;
    struct slice item, none;
    size_t len = value_len(entry);
    list_iter_init(&it, entry, backwards ? len - 1 : 0, len, backwards);
    for (size_t i = 0; p->count < limit && value_iter_next(&it, &item, &none); i++) {
        if (slice_equal(item, value))
            positions_add(p, backwards ? len - 1 - i : i);
    }
    if (backwards)
        positions_reverse(p);
}

/* The list without the items in those places, as a new entry. */
static struct entry *list_without(const struct entry *entry, const struct positions *p)
{
    struct entry *rest = entry_build(entry_key(entry), entry_expires(entry), VALUE_LIST);
    struct value_iter it;
    struct slice item, none;
    value_iter_init(&it, entry);
    for (size_t i = 0, next = 0; value_iter_next(&it, &item, &none); i++) {
        if (next < p->count && p->places[next] == i)
            next++;
        else
            list_push(&rest, OP_SIDE_RIGHT, item);
    }
    return rest;
}

static void remove_places(struct apply *a, const struct positions *p)
{
    struct entry *before = *a->slot;
    if (p->count > LIST_REBUILD) {
        *a->slot = list_without(before, p);
        apply_shrunk(a, before);
        keyspace_discard(a->ks, before);
        return;
    }
    for (size_t i = p->count; i-- > 0;)
        list_remove_at(a->slot, p->places[i]);
    apply_shrunk(a, before);
}

void apply_list_remove(struct apply *a, const struct op_list_remove *op)
{
    struct positions p = {0};
    if (!a->slot || !apply_type(a, VALUE_LIST))
        return;
    uint64_t limit = op->count > 0   ? (uint64_t)op->count
                     : op->count < 0 ? 0 - (uint64_t)op->count
                                     : UINT64_MAX;
    find_equal(*a->slot, op->value, limit, op->count < 0, &p);
    if (!p.count)
        return;
    a->out->number = (int64_t)p.count;
    if (a->undo) {
        struct inverse *undo =
            apply_inverse(a, INVERSE_LIST_REMOVED, INVERSE_SIZE(removed.bytes, op->value.len));
        undo->removed.positions = p.places;
        undo->removed.count = p.count;
        undo->removed.len = op->value.len;
        slice_copy(undo->removed.bytes, op->value);
    }
    remove_places(a, &p);
    if (!a->undo)
        mem_free(p.places);
}

void apply_list_trim(struct apply *a, const struct op_list_trim *op)
{
    if (!a->slot || !apply_type(a, VALUE_LIST))
        return;
    int64_t len = (int64_t)value_len(*a->slot);
    int64_t start = op->start < 0 ? op->start + len : op->start;
    int64_t stop = op->stop < 0 ? op->stop + len : op->stop;
    if (start < 0)
        start = 0;
    if (stop >= len)
        stop = len - 1;
    if (start > stop) {
        a->out->number = len;
        apply_drop(a);
        return;
    }
    a->out->number = start + (len - 1 - stop);
    if (a->out->number)
        cut(a, (size_t[]){(size_t)start, (size_t)(len - 1 - stop)});
}
