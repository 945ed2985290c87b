/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains of list nodes; list_chain.h tells what they are, list_node.h the inside of a node. */
#include "ops/list_chain.h"

#include <assert.h>

#include "ops/list_node.h"
#include "ops/mem.h"
#include "ops/pack.h"

struct chain *chain_create(void)
{
    return mem_calloc(1, sizeof(struct chain));
}

void chain_destroy(struct chain *chain)
{
    for (struct list_node *node = chain->head, *next; node; node = next) {
        next = node->next;
        mem_free(node);
    }
    mem_free(chain);
}

static void chain_link(struct chain *chain, struct list_node *node, struct list_node *prev)
{
    node->prev = prev;
    node->next = prev ? prev->next : chain->head;
    *(prev ? &prev->next : &chain->head) = node;
    *(node->next ? &node->next->prev : &chain->tail) = node;
    chain->nodes++;
}

static void chain_unlink(struct chain *chain, struct list_node *node)
{
    *(node->prev ? &node->prev->next : &chain->head) = node->next;
    *(node->next ? &node->next->prev : &chain->tail) = node->prev;
    chain->nodes--;
    mem_free(node);
}

/* After a node may have moved: its neighbours learn its address. */
static void chain_relink(struct chain *chain, struct list_node *node)
{
    *(node->prev ? &node->prev->next : &chain->head) = node;
    *(node->next ? &node->next->prev : &chain->tail) = node;
}

struct chain *chain_copy(const struct chain *chain)
{
    struct chain *copy = chain_create();
    for (const struct list_node *node = chain->head; node; node = node->next) {
        size_t used = node_used(node);
        struct list_node *twin = node_create(used, OP_SIDE_RIGHT);
        memcpy(twin->data, node->data + node->begin, used);
        twin->end = (uint32_t)used;
        twin->count = node->count;
        chain_link(copy, twin, copy->tail);
    }
    copy->count = chain->count;
    return copy;
}

size_t chain_memory(const struct chain *chain, size_t samples)
{
    size_t seen = 0, bytes = 0;
    for (const struct list_node *node = chain->head; node && (samples == 0 || seen < samples);
         node = node->next, seen++)
        bytes += mem_usable(node);
    return mem_usable(chain) + (seen ? bytes / seen * chain->nodes : 0);
}

/* Adds an item at offset `at` of a node that takes it. */
static void node_add(struct chain *chain, struct list_node *node, size_t at, struct slice item)
{
    char *gap = node_splice(&node, at, 0, pack_both_size(item.len));
    pack_both_put(gap, item);
    node->count++;
    chain->count++;
    chain_relink(chain, node);
}

static void node_add_at_side(struct chain *chain, struct list_node *node, enum op_side side,
                             struct slice item)
{
    node_add(chain, node, side == OP_SIDE_LEFT ? node->begin : node->end, item);
}

void chain_push(struct chain *chain, enum op_side side, struct slice item)
{
    struct list_node *node = side == OP_SIDE_LEFT ? chain->head : chain->tail;
    size_t size = pack_both_size(item.len);
    if (!node || !node_accepts_push(node, side, size)) {
        if (node) {
            node_trim(&node);
            chain_relink(chain, node);
        }
        node = node_create(size, side);
        chain_link(chain, node, side == OP_SIDE_LEFT ? NULL : chain->tail);
    }
    char *gap = node_extend(node, side, size);
    if (!gap) {
        node_add_at_side(chain, node, side, item);
        return;
    }
    pack_both_put(gap, item);
    node->count++;
    chain->count++;
}

static const char *node_walk(const struct list_node *node, size_t index)
{
    struct slice item;
    if (index <= node->count / 2) {
        const char *at = node->data + node->begin;
        while (index--)
            at = pack_both_get(at, &item);
        return at;
    }
    const char *at = node->data + node->end;
    for (size_t left = node->count - index; left > 0; left--)
        at = pack_both_prev(at, &item);
    return at;
}

struct chain_place chain_locate(const struct chain *chain, size_t index)
{
    struct list_node *node;
    if (index < chain->count / 2) {
        for (node = chain->head; index >= node->count; node = node->next)
            index -= node->count;
    } else {
        size_t after = chain->count - index;
        for (node = chain->tail; after > node->count; node = node->prev)
            after -= node->count;
        index = node->count - after;
    }
    return (struct chain_place){node, node_walk(node, index)};
}

/* Splits a node before `at`, which lies inside it; returns the new right half. */
static struct list_node *chain_split(struct chain *chain, struct list_node *node, const char *at)
{
    size_t size = (size_t)(node->data + node->end - at);
    struct list_node *right = node_create(size, OP_SIDE_RIGHT);
    memcpy(right->data, at, size);
    right->end = (uint32_t)size;
    node->end = (uint32_t)(at - node->data);
    struct slice item;
    for (const char *item_at = right->data; item_at < right->data + size; right->count++)
        item_at = pack_both_get(item_at, &item);
    node->count -= right->count;
    chain_link(chain, right, node);
    return right;
}

static bool place_is_start(struct chain_place place)
{
    return place.at == place.node->data + place.node->begin;
}

void chain_insert(struct chain *chain, size_t index, struct slice item)
{
    if (index == 0 || index == chain->count) {
        chain_push(chain, index ? OP_SIDE_RIGHT : OP_SIDE_LEFT, item);
        return;
    }
    struct chain_place place = chain_locate(chain, index);
    struct list_node *node = place.node;
    size_t size = pack_both_size(item.len);
    if (node_accepts(node, size)) {
        node_add(chain, node, (size_t)(place.at - node->data), item);
        return;
    }
    struct list_node *right = place_is_start(place) ? node : chain_split(chain, node, place.at);
    struct list_node *left = right->prev;
    if (node_accepts(left, size)) {
        node_add_at_side(chain, left, OP_SIDE_RIGHT, item);
    } else if (node_accepts(right, size)) {
        node_add_at_side(chain, right, OP_SIDE_LEFT, item);
    } else {
        node = node_create(size, OP_SIDE_RIGHT);
        chain_link(chain, node, left);
        node_add_at_side(chain, node, OP_SIDE_RIGHT, item);
    }
}

/* Two neighbours that fit into half a node become one. */
static void chain_merge(struct chain *chain, struct list_node *left, struct list_node *right)
{
    if (!left || !right)
        return;
    size_t more = node_used(right), both = more + node_used(left);
    struct list_node probe = {.end = (uint32_t)both, .count = left->count + right->count - 1};
    if (both > UINT32_MAX / 2 || !node_accepts(&probe, both))
        return;
    char *gap = node_splice(&left, left->end, 0, more);
    memcpy(gap, right->data + right->begin, more);
    left->count += right->count;
    chain_relink(chain, left);
    chain_unlink(chain, right);
}

static void node_take(struct chain *chain, struct list_node *node, const char *at, size_t size,
                      size_t count)
{
    chain->count -= count;
    if (node->count == count) {
        struct list_node *left = node->prev, *right = node->next;
        chain_unlink(chain, node);
        chain_merge(chain, left, right);
        return;
    }
    node->count -= (uint32_t)count;
    node_splice(&node, (size_t)(at - node->data), size, 0);
    chain_relink(chain, node);
    if (node->next)
        chain_merge(chain, node, node->next);
    else
        chain_merge(chain, node->prev, node);
}

void chain_remove(struct chain *chain, size_t index)
{
    struct chain_place place = chain_locate(chain, index);
    struct slice item;
    pack_both_get(place.at, &item);
    node_take(chain, place.node, place.at, pack_both_size(item.len), 1);
}

void chain_replace(struct chain *chain, size_t index, struct slice item)
{
    struct chain_place place = chain_locate(chain, index);
    struct list_node *node = place.node;
    struct slice old;
    pack_both_get(place.at, &old);
    size_t size = pack_both_size(item.len), old_size = pack_both_size(old.len);
    bool fits = size <= old_size || node->count == 1 || node_accepts(node, size - old_size);
    if (fits) {
        char *gap = node_splice(&node, (size_t)(place.at - node->data), old_size, size);
        pack_both_put(gap, item);
        chain_relink(chain, node);
        return;
    }
    node_take(chain, node, place.at, old_size, 1);
    chain_insert(chain, index, item);
}

void chain_drop(struct chain *chain, enum op_side side, size_t count)
{
    while (count > 0) {
        struct list_node *node = side == OP_SIDE_LEFT ? chain->head : chain->tail;
        if (count >= node->count) {
            count -= node->count;
            chain->count -= node->count;
            chain_unlink(chain, node);
            continue;
        }
        const char *begin = node->data + node->begin, *end = node->data + node->end;
        if (side == OP_SIDE_LEFT)
            end = node_walk(node, count);
        else
            begin = node_walk(node, node->count - count);
        node_take(chain, node, begin, (size_t)(end - begin), count);
        return;
    }
}

/* Gives the nodes from `first` to `last`, one end of the chain, to a chain of their own. */
static struct chain *chain_detach(struct chain *chain, struct list_node *first,
                                  struct list_node *last)
{
    struct chain *part = chain_create();
    *(first->prev ? &first->prev->next : &chain->head) = last->next;
    *(last->next ? &last->next->prev : &chain->tail) = first->prev;
    first->prev = last->next = NULL;
    part->head = first;
    part->tail = last;
    for (const struct list_node *node = first; node; node = node->next) {
        part->nodes++;
        part->count += node->count;
    }
    chain->nodes -= part->nodes;
    chain->count -= part->count;
    return part;
}

struct chain *chain_cut(struct chain *chain, enum op_side side, size_t count)
{
    assert(count > 0 && count < chain->count);
    size_t boundary = side == OP_SIDE_LEFT ? count : chain->count - count;
    struct chain_place place = chain_locate(chain, boundary);
    struct list_node *right =
        place_is_start(place) ? place.node : chain_split(chain, place.node, place.at);
    if (side == OP_SIDE_LEFT)
        return chain_detach(chain, chain->head, right->prev);
    return chain_detach(chain, right, chain->tail);
}

void chain_join(struct chain *chain, enum op_side side, struct chain *part)
{
    struct chain *left = side == OP_SIDE_LEFT ? part : chain;
    struct chain *right = side == OP_SIDE_LEFT ? chain : part;
    struct list_node *seam = left->tail, *after = right->head;
    *(seam ? &seam->next : &left->head) = after;
    *(after ? &after->prev : &right->tail) = seam;
    chain->head = left->head ? left->head : after;
    chain->tail = right->tail ? right->tail : seam;
    chain->count += part->count;
    chain->nodes += part->nodes;
    mem_free(part);
    chain_merge(chain, seam, after);
}
