/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists. Short ones are packed two-way items inside the entry, longer ones a chain of nodes, which
 * packs itself again when little is left. Redis 7.0 calls both a quicklist.
 */
#include "ops/list.h"

#include <assert.h>

#include "ops/entry.h"
#include "ops/list_chain.h"
#include "ops/pack.h"

enum {
    PACKED_LIST_MAX = 512, /* bytes: beyond, a chain */
    PACKED_AGAIN = 128,    /* a chain this short is packed again */
};

static bool is_packed(const struct entry *entry)
{
    return entry->form == FORM_PACKED;
}

size_t list_len(const struct entry *entry)
{
    return is_packed(entry) ? entry->small : ((struct chain *)entry_object(entry))->count;
}

/* Packed form: where the item at `index` starts, counted from the nearer end. */
static const char *packed_walk(const struct entry *entry, size_t index)
{
    struct slice item;
    const char *at = entry_payload(entry);
    if (index <= entry->small / 2u) {
        while (index--)
            at = pack_both_get(at, &item);
        return at;
    }
    at += entry->value_len;
    for (size_t left = entry->small - index; left > 0; left--)
        at = pack_both_prev(at, &item);
    return at;
}

static const char *list_walk(const struct entry *entry, size_t index)
{
    return is_packed(entry) ? packed_walk(entry, index)
                            : chain_locate(entry_object(entry), index).at;
}

bool list_get(const struct entry *entry, size_t index, struct slice *item)
{
    if (index >= list_len(entry))
        return false;
    pack_both_get(list_walk(entry, index), item);
    return true;
}

void list_iter_init(struct value_iter *it, const struct entry *entry, size_t start, size_t count,
                    bool backwards)
{
    *it = (struct value_iter){.entry = entry, .left = count, .backwards = backwards};
    if (count == 0)
        return;
    if (is_packed(entry)) {
        it->pos.at = packed_walk(entry, start);
    } else {
        struct chain_place place = chain_locate(entry_object(entry), start);
        it->pos.node = place.node;
        it->pos.at = place.at;
    }
    struct slice item;
    if (backwards)
        it->pos.at = pack_both_get(it->pos.at, &item);
}

/* Forwards `at` is where the next item starts, backwards where it ends. */
bool list_iter_next(struct value_iter *it, struct slice *item)
{
    if (it->left == 0)
        return false;
    const struct list_node *node = it->pos.node;
    if (it->backwards) {
        if (node && it->pos.at == node->data + node->begin) {
            it->pos.node = node = node->prev;
            it->pos.at = node->data + node->end;
        }
        it->pos.at = pack_both_prev(it->pos.at, item);
    } else {
        if (node && it->pos.at == node->data + node->end) {
            it->pos.node = node = node->next;
            it->pos.at = node->data + node->begin;
        }
        it->pos.at = pack_both_get(it->pos.at, item);
    }
    it->left--;
    return true;
}

static struct chain *list_open_chain(struct entry **e)
{
    if (is_packed(*e)) {
        struct chain *chain = chain_create();
        struct value_iter it;
        struct slice item;
        list_iter_init(&it, *e, 0, (*e)->small, false);
        while (list_iter_next(&it, &item))
            chain_push(chain, OP_SIDE_RIGHT, item);
        entry_set_object(e, FORM_CHAIN, chain);
    }
    return entry_object(*e);
}

/* Packs a chain of which little is left. */
static void list_settle(struct entry **e)
{
    if (is_packed(*e))
        return;
    struct chain *chain = entry_object(*e);
    const struct list_node *node = chain->head;
    if (chain->nodes > 1 || (node && node->end - node->begin > PACKED_AGAIN))
        return;
    size_t used = node ? node->end - node->begin : 0;
    char *payload = entry_resize(e, used);
    if (used)
        memcpy(payload, node->data + node->begin, used);
    (*e)->form = FORM_PACKED;
    (*e)->small = (uint8_t)chain->count;
    chain_destroy(chain);
}

/* Packed form, whether one more item of `size` packed bytes may stay so. */
static bool packed_accepts(const struct entry *entry, size_t size)
{
    return is_packed(entry) && entry->small < PACKED_COUNT_MAX &&
           entry->value_len + size <= PACKED_LIST_MAX;
}

static void packed_insert(struct entry **e, size_t at, struct slice item)
{
    pack_both_put(entry_splice(e, at, 0, pack_both_size(item.len)), item);
    (*e)->small++;
}

void list_push(struct entry **e, enum op_side side, struct slice item)
{
    if (packed_accepts(*e, pack_both_size(item.len)))
        packed_insert(e, side == OP_SIDE_LEFT ? 0 : (*e)->value_len, item);
    else
        chain_push(list_open_chain(e), side, item);
}

static size_t packed_offset(const struct entry *entry, size_t index)
{
    return (size_t)(packed_walk(entry, index) - entry_payload(entry));
}

void list_insert(struct entry **e, size_t index, struct slice item)
{
    if (packed_accepts(*e, pack_both_size(item.len)))
        packed_insert(e, packed_offset(*e, index), item);
    else
        chain_insert(list_open_chain(e), index, item);
}

void list_replace(struct entry **e, size_t index, struct slice item)
{
    if (!is_packed(*e) || (*e)->value_len + item.len > PACKED_LIST_MAX) {
        chain_replace(list_open_chain(e), index, item);
        return;
    }
    size_t at = packed_offset(*e, index);
    struct slice old;
    pack_both_get(entry_payload(*e) + at, &old);
    pack_both_put(entry_splice(e, at, pack_both_size(old.len), pack_both_size(item.len)), item);
}

void list_remove_at(struct entry **e, size_t index)
{
    if (!is_packed(*e)) {
        chain_remove(entry_object(*e), index);
        list_settle(e);
        return;
    }
    size_t at = packed_offset(*e, index);
    struct slice old;
    pack_both_get(entry_payload(*e) + at, &old);
    entry_splice(e, at, pack_both_size(old.len), 0);
    (*e)->small--;
}

/* The first `count` items from a side, if they fit a packed list; NULL when they do not. */
static struct entry *copy_packed(const struct entry *entry, enum op_side side, size_t count)
{
    if (count > PACKED_COUNT_MAX)
        return NULL;
    size_t first = side == OP_SIDE_LEFT ? 0 : list_len(entry) - count, bytes = 0;
    struct value_iter it;
    struct slice item;
    list_iter_init(&it, entry, first, count, false);
    while (bytes <= PACKED_LIST_MAX && list_iter_next(&it, &item))
        bytes += pack_both_size(item.len);
    if (bytes > PACKED_LIST_MAX)
        return NULL;
    struct entry *part = entry_create(slice_of(""), 0, VALUE_LIST, FORM_PACKED, bytes);
    char *at = entry_payload(part);
    list_iter_init(&it, entry, first, count, false);
    while (list_iter_next(&it, &item))
        at = pack_both_put(at, item);
    part->small = (uint8_t)count;
    return part;
}

static void list_drop(struct entry **e, enum op_side side, size_t count)
{
    if (!is_packed(*e)) {
        chain_drop(entry_object(*e), side, count);
        list_settle(e);
        return;
    }
    size_t left = side == OP_SIDE_LEFT ? 0 : packed_offset(*e, (*e)->small - count);
    size_t end = side == OP_SIDE_LEFT ? packed_offset(*e, count) : (*e)->value_len;
    entry_splice(e, left, end - left, 0);
    (*e)->small -= (uint8_t)count;
}

static struct entry *list_of_chain(struct chain *chain)
{
    struct entry *entry =
        entry_create(slice_of(""), 0, VALUE_LIST, FORM_CHAIN, sizeof(struct chain *));
    memcpy(entry_payload(entry), &chain, sizeof(struct chain *));
    return entry;
}

/* Leaves an empty packed list behind and returns what it was. */
static struct entry *list_take_all(struct entry **e)
{
    struct chain *chain = entry_object(*e);
    (*e)->form = FORM_PACKED;
    (*e)->small = 0;
    entry_resize(e, 0);
    return list_of_chain(chain);
}

struct entry *list_cut(struct entry **e, enum op_side side, size_t count)
{
    assert(count <= list_len(*e));
    struct entry *part = copy_packed(*e, side, count);
    if (part) {
        list_drop(e, side, count);
        return part;
    }
    if (is_packed(*e))
        list_open_chain(e);
    if (count == list_len(*e))
        return list_take_all(e);
    part = list_of_chain(chain_cut(entry_object(*e), side, count));
    list_settle(e);
    return part;
}

static void push_all(struct entry **e, enum op_side side, const struct entry *part)
{
    struct value_iter it;
    struct slice item;
    size_t count = list_len(part);
    bool backwards = side == OP_SIDE_LEFT;
    list_iter_init(&it, part, backwards && count ? count - 1 : 0, count, backwards);
    while (list_iter_next(&it, &item))
        list_push(e, side, item);
}

void list_join(struct entry **e, enum op_side side, struct entry *part)
{
    if (is_packed(part)) {
        push_all(e, side, part);
        entry_destroy(part);
        return;
    }
    struct chain *chain = list_open_chain(e);
    chain_join(chain, side, entry_object(part));
    mem_free(part);
}

bool list_find(const struct entry *entry, size_t from, bool backwards, struct slice item,
               size_t *index)
{
    struct value_iter it;
    struct slice each;
    size_t len = list_len(entry);
    if (from >= len) {
        if (!backwards || len == 0)
            return false;
        from = len - 1;
    }
    list_iter_init(&it, entry, from, backwards ? from + 1 : len - from, backwards);
    for (size_t at = from; list_iter_next(&it, &each); at += backwards ? (size_t)-1 : 1)
        if (slice_equal(each, item)) {
            *index = at;
            return true;
        }
    return false;
}
