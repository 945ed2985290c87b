/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, undoing and freeing inverses. What each kind holds is decided where its op is applied. */
#include "ops/inverse.h"

#include <assert.h>

#include "ops/mem.h"

/* Before every deadline: nothing expires while it is undone. */
#define BEFORE_ALL INT64_MIN
/* Items looked at for the size of a moved value. */
#define MEMORY_SAMPLES 16
/* For NamespaceClear: what a key is taken to cost, since nobody walks them all. */
#define MEMORY_PER_KEY 128

struct inverse *inverse_create(const struct inverse_room *room, enum inverse_kind kind, size_t size)
{
    if (size < sizeof(struct inverse))
        size = sizeof(struct inverse);
    bool inside = size <= room->size && size <= UINT32_MAX;
    struct inverse *undo = inside ? room->at : mem_alloc(size);
    undo->kind = kind;
    undo->inside = inside ? (uint32_t)size : 0;
    undo->shell = NULL;
    return undo;
}

static void restore(struct keyspace *ks, struct inverse *undo, uint64_t hash)
{
    struct entry *former = undo->former;
    struct entry **slot = keyspace_slot(ks, entry_key(former), hash, BEFORE_ALL);
    undo->former = NULL;
    if (slot)
        keyspace_discard(ks, keyspace_replace(ks, hash, slot, former));
    else
        keyspace_add(ks, hash, former);
}

static void restore_members(struct entry **e, const struct inverse *undo)
{
    const char *at = undo->items.packed;
    struct slice member;
    for (size_t i = 0; i < undo->items.count; i++) {
        at = pack_get(at, &member);
        if (undo->kind == INVERSE_MEMBERS_ADDED)
            set_remove(e, member);
        else
            set_add(e, member);
    }
}

static void restore_fields(struct entry **e, const struct inverse *undo)
{
    const char *at = undo->items.packed;
    struct slice field, value;
    for (size_t i = 0; i < undo->items.count; i++) {
        if (inverse_get_field(&at, &field, &value))
            hash_set(e, field, value);
        else
            hash_delete(e, field);
    }
}

static void restore_cut(struct entry **e, struct inverse *undo)
{
    for (unsigned side = 0; side < OP_SIDE_COUNT; side++) {
        if (undo->parts[side])
            list_join(e, (enum op_side)side, undo->parts[side]);
        undo->parts[side] = NULL;
    }
}

static void restore_range(struct entry **e, const struct inverse *undo)
{
    if (undo->range.len)
        string_set_range(e, undo->range.offset, slice_make(undo->range.bytes, undo->range.len));
    string_truncate(e, undo->range.whole);
}

/* The list with the removed items in their places again, as a new entry. */
static struct entry *list_with(const struct entry *entry, const struct inverse *undo)
{
    struct entry *whole = entry_build(entry_key(entry), entry_expires(entry), VALUE_LIST);
    struct value_iter it;
    struct slice item, none;
    struct slice removed = {undo->removed.bytes, undo->removed.len};
    size_t next = 0, len = value_len(entry) + undo->removed.count;
    value_iter_init(&it, entry);
    for (size_t i = 0; i < len; i++) {
        if (next < undo->removed.count && undo->removed.positions[next] == i) {
            list_push(&whole, OP_SIDE_RIGHT, removed);
            next++;
        } else if (value_iter_next(&it, &item, &none)) {
            list_push(&whole, OP_SIDE_RIGHT, item);
        }
    }
    return whole;
}

static void restore_removed(struct keyspace *ks, struct entry **e, const struct inverse *undo)
{
    if (undo->removed.count > LIST_REBUILD) {
        struct entry *rest = *e;
        *e = list_with(rest, undo);
        keyspace_discard(ks, rest);
        return;
    }
    for (size_t i = 0; i < undo->removed.count; i++)
        list_insert(e, undo->removed.positions[i],
                    slice_make(undo->removed.bytes, undo->removed.len));
}

/* Undoes what happened inside a value. */
static void undo_value(struct keyspace *ks, struct entry **e, struct inverse *undo)
{
    switch (undo->kind) {
    case INVERSE_STRING: string_set(e, slice_make(undo->string.bytes, undo->string.len)); break;
    case INVERSE_NUMBER: string_set_integer(e, undo->number); break;
    case INVERSE_TRUNCATE: string_truncate(e, undo->len); break;
    case INVERSE_RANGE: restore_range(e, undo); break;
    case INVERSE_MEMBERS_ADDED:
    case INVERSE_MEMBERS_REMOVED: restore_members(e, undo); break;
    case INVERSE_FIELDS: restore_fields(e, undo); break;
    case INVERSE_LIST_PUSHED:
        keyspace_discard(ks, list_cut(e, undo->pushed.side, undo->pushed.count));
        break;
    case INVERSE_LIST_CUT: restore_cut(e, undo); break;
    case INVERSE_LIST_ITEM:
        list_replace(e, undo->item.index, slice_make(undo->item.bytes, undo->item.len));
        break;
    case INVERSE_LIST_INSERTED: list_remove_at(e, undo->index); break;
    case INVERSE_LIST_REMOVED: restore_removed(ks, e, undo); break;
    case INVERSE_REMOVE:
    case INVERSE_RESTORE:
    case INVERSE_DEADLINE:
    case INVERSE_NAMESPACE: assert(!"not inside a value"); break;
    }
}

static void undo_in_place(struct keyspace *ks, struct inverse *undo, struct slice key,
                          uint64_t hash)
{
    struct entry **slot = undo->shell ? keyspace_add(ks, hash, undo->shell)
                                      : keyspace_slot(ks, key, hash, BEFORE_ALL);
    undo->shell = NULL;
    if (!slot)
        return;
    struct entry *before = *slot;
    undo_value(ks, slot, undo);
    if (*slot != before)
        keyspace_moved(ks, hash, before, slot);
    if (undo->kind == INVERSE_STRING && entry_expires(*slot) != undo->string.expires)
        keyspace_set_expires(ks, hash, slot, undo->string.expires);
}

static void undo_key(struct keyspace *ks, struct inverse *undo, struct slice key, uint64_t hash)
{
    struct entry **slot = keyspace_slot(ks, key, hash, BEFORE_ALL);
    if (!slot)
        return;
    if (undo->kind == INVERSE_REMOVE)
        keyspace_discard(ks, keyspace_remove(ks, hash, slot));
    else
        keyspace_set_expires(ks, hash, slot, undo->expires);
}

void inverse_undo(struct keyspace *ks, struct inverse *undo, struct slice key, uint64_t hash)
{
    if (!undo)
        return;
    if (!hash && undo->kind != INVERSE_NAMESPACE)
        hash = key_hash(key);
    switch (undo->kind) {
    case INVERSE_NAMESPACE: keyspace_swap(ks, undo->contents); break;
    case INVERSE_RESTORE: restore(ks, undo, hash); break;
    case INVERSE_REMOVE:
    case INVERSE_DEADLINE: undo_key(ks, undo, key, hash); break;
    case INVERSE_STRING:
    case INVERSE_NUMBER:
    case INVERSE_TRUNCATE:
    case INVERSE_RANGE:
    case INVERSE_MEMBERS_ADDED:
    case INVERSE_MEMBERS_REMOVED:
    case INVERSE_FIELDS:
    case INVERSE_LIST_PUSHED:
    case INVERSE_LIST_CUT:
    case INVERSE_LIST_ITEM:
    case INVERSE_LIST_INSERTED:
    case INVERSE_LIST_REMOVED: undo_in_place(ks, undo, key, hash); break;
    }
    inverse_destroy(undo);
}

static void destroy_entry(struct entry *entry)
{
    if (entry)
        entry_destroy(entry);
}

void inverse_destroy(struct inverse *undo)
{
    if (!undo)
        return;
    destroy_entry(undo->shell);
    if (undo->kind == INVERSE_RESTORE)
        destroy_entry(undo->former);
    if (undo->kind == INVERSE_LIST_CUT) {
        destroy_entry(undo->parts[OP_SIDE_LEFT]);
        destroy_entry(undo->parts[OP_SIDE_RIGHT]);
    }
    if (undo->kind == INVERSE_LIST_REMOVED)
        mem_free(undo->removed.positions);
    if (undo->kind == INVERSE_NAMESPACE)
        keyspace_destroy(undo->contents);
    if (!undo->inside)
        mem_free(undo);
}

struct entry *inverse_take(struct inverse *undo)
{
    assert(undo->kind == INVERSE_RESTORE);
    struct entry *taken = undo->former;
    undo->former = NULL;
    inverse_destroy(undo);
    return taken;
}

static size_t entry_size(const struct entry *entry)
{
    return entry ? entry_memory(entry, MEMORY_SAMPLES) : 0;
}

size_t inverse_inside(const struct inverse *undo)
{
    return undo ? undo->inside : 0;
}

bool inverse_owns(const struct inverse *undo)
{
    return undo && (!undo->inside || undo->shell || undo->kind == INVERSE_RESTORE ||
                    undo->kind == INVERSE_LIST_CUT || undo->kind == INVERSE_LIST_REMOVED ||
                    undo->kind == INVERSE_NAMESPACE);
}

size_t inverse_memory(const struct inverse *undo)
{
    if (!undo)
        return 0;
    size_t size = undo->inside ? undo->inside : mem_usable(undo);
    size += entry_size(undo->shell);
    if (undo->kind == INVERSE_RESTORE)
        size += entry_size(undo->former);
    if (undo->kind == INVERSE_LIST_CUT)
        size += entry_size(undo->parts[OP_SIDE_LEFT]) + entry_size(undo->parts[OP_SIDE_RIGHT]);
    if (undo->kind == INVERSE_LIST_REMOVED)
        size += undo->removed.count * sizeof(size_t);
    if (undo->kind == INVERSE_NAMESPACE)
        size += keyspace_size(undo->contents) * MEMORY_PER_KEY;
    return size;
}
