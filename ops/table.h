/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash table of keyspaces, channels and the like: pointers to items that hold their own key.
 * Big hashes and sets have pack_table.h.
 *
 * Buckets are one cache line: seven one-byte tags, seven pointers, and a child bucket when seven
 * are not enough. The table grows and shrinks by linear hashing, one bucket a time, so no
 * operation ever pays for the size of the table and no second table exists. Buckets live in
 * segments, which come and go with the count: memory goes back smoothly after deletes.
 *
 * An item begins with the length of its key as uint32_t; the key lies `key_offset` bytes into the
 * item. Hashes passed in are key_hash() of the key.
 */
#ifndef CAIRN_OPS_TABLE_H
#define CAIRN_OPS_TABLE_H

#include <stdint.h>

#include "ops/slice.h"
#include "ops/table_linear.h"

struct table_bucket;

struct table {
    struct linear linear;
    size_t count;    /* items */
    size_t children; /* overflow buckets */
    uint16_t key_offset;
};

void table_init(struct table *t, uint16_t key_offset);
/* Gives each item to `free_item` (may be NULL), then the memory back; the table is empty again. */
void table_release(struct table *t, void (*free_item)(void *item));

/* Where the item's address is kept, or NULL. Good until the next insertion or removal. */
void **table_find(const struct table *t, struct slice key, uint64_t hash);
/* The same by address, for an item that may be gone: looks at no item. */
void **table_find_address(const struct table *t, const void *item, uint64_t hash);
/* The key must be absent. Returns the slot. */
void **table_insert(struct table *t, uint64_t hash, void *item);
/* Takes the item of `slot`, which table_find gave for this hash, out. */
void *table_remove(struct table *t, uint64_t hash, void **slot);

/* Looking ahead in two stages, each hiding one cache miss; true: the item, if any, is in the
 * bucket's child, and there is a third. */
void table_prefetch_bucket(const struct table *t, uint64_t hash);
bool table_prefetch_items(const struct table *t, uint64_t hash);
void table_prefetch_child_items(const struct table *t, uint64_t hash);

/*
 * Visits a few items and returns the next cursor, 0 at the end; start from 0. An item that is
 * there from start to end is visited, whatever splits and merges happen in between.
 */
uint64_t table_scan(const struct table *t, uint64_t cursor, void (*visit)(void *ctx, void *item),
                    void *ctx);

/* A fairly picked item; NULL only when empty. */
void *table_random(const struct table *t, uint64_t (*random)(void *ctx), void *ctx);

/* Walks all items; no change meanwhile. Start from zeroes. */
struct table_iter {
    const struct table_bucket *bucket;
    uint64_t index;
    unsigned slot;
};
void *table_next(const struct table *t, struct table_iter *it);

/* Bytes of the table itself, without the items. */
size_t table_memory(const struct table *t);

#endif
