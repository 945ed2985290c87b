/* SPDX-License-Identifier: BSD-3-Clause */
/* One node of a list's chain: a gap buffer of packed two-way items. For list_chain.c. */
#ifndef CAIRN_OPS_LIST_NODE_H
#define CAIRN_OPS_LIST_NODE_H

#include "ops/list_chain.h"

/* An unlinked, empty node for at least `bytes` of items; those pushed from `side` come next. */
struct list_node *node_create(size_t bytes, enum op_side side);

static inline size_t node_used(const struct list_node *node)
{
    return node->end - node->begin;
}

/* May an item of `size` packed bytes be added without passing the limit? */
bool node_accepts(const struct list_node *node, size_t size);
/* The same at an end, where it must also come cheap: without moving a nearly full node. */
bool node_accepts_push(const struct list_node *node, enum op_side side, size_t size);

/*
 * Replaces `old` bytes at offset `at` of data by `new` bytes for the caller to fill, and returns
 * them. The node may move: *node is its new address, and its links are the caller's to mend.
 */
char *node_splice(struct list_node **node, size_t at, size_t old, size_t new);

/* Where `size` bytes more go at an end that has room for them, so that nothing moves; else NULL. */
static inline char *node_extend(struct list_node *node, enum op_side side, size_t size)
{
    size_t room = side == OP_SIDE_LEFT ? node->begin : node->room - node->end;
    if (room < size)
        return NULL;
    if (side == OP_SIDE_LEFT)
        return node->data + (node->begin -= (uint32_t)size);
    node->end += (uint32_t)size;
    return node->data + node->end - size;
}

/* Gives spare room back: for nodes that are no longer at an end. */
void node_trim(struct list_node **node);

#endif
