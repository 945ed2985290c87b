/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The big form of lists: a doubly linked chain of nodes, each a block of packed two-way items with
 * spare room at either end, so that pushes and pops at both ends touch one node and move nothing.
 * How much a node may hold is Redis's list-max-listpack-size. No node is ever empty.
 */
#ifndef CAIRN_OPS_LIST_CHAIN_H
#define CAIRN_OPS_LIST_CHAIN_H

#include <stdint.h>

#include "ops/op.h"
#include "ops/slice.h"

struct list_node {
    struct list_node *prev, *next;
    uint32_t begin, end; /* where the items lie in data */
    uint32_t room;       /* bytes of data */
    uint32_t count;
    char data[];
};

struct chain {
    struct list_node *head, *tail;
    size_t count; /* items */
    size_t nodes;
};

/* An item's place: `at` is where it starts in node->data. */
struct chain_place {
    struct list_node *node;
    const char *at;
};

/* Items are copied in. A place is good until the next change. */
struct chain *chain_create(void);
void chain_destroy(struct chain *chain);
struct chain *chain_copy(const struct chain *chain);
/* Bytes of all of it; looks at no more than `samples` nodes (0: all). */
size_t chain_memory(const struct chain *chain, size_t samples);

void chain_push(struct chain *chain, enum op_side side, struct slice item);
/* index < count */
struct chain_place chain_locate(const struct chain *chain, size_t index);
void chain_replace(struct chain *chain, size_t index, struct slice item);
void chain_insert(struct chain *chain, size_t index, struct slice item); /* index <= count */
void chain_remove(struct chain *chain, size_t index);
/* Drops `count` items, count <= chain->count, off one side. */
void chain_drop(struct chain *chain, enum op_side side, size_t count);
/* Takes `count` items, 0 < count < chain->count, off one side: whole nodes but for one. */
struct chain *chain_cut(struct chain *chain, enum op_side side, size_t count);
/* Puts the nodes of `part` at that side; destroys the emptied `part`. */
void chain_join(struct chain *chain, enum op_side side, struct chain *part);

#endif
