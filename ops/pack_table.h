/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of big hashes and big sets. Each bucket is one block with half a dozen items packed
 * behind each other: a field of 20 bytes costs some 5 bytes on top of its own and its value's,
 * where an allocation and a pointer each would cost 30, and a look-up reads neighbouring cache
 * lines. Items too long to be moved about lightly stand in an allocation of their own.
 *
 * Grows and shrinks by linear hashing, one bucket at a time. Sets give empty values.
 */
#ifndef CAIRN_OPS_PACK_TABLE_H
#define CAIRN_OPS_PACK_TABLE_H

#include "ops/slice.h"
#include "ops/table_linear.h"

struct pack_table {
    struct linear linear;
    size_t count;
    bool pairs; /* items have values */
};

struct pack_table *pack_table_create(bool pairs);
void pack_table_destroy(struct pack_table *t);
struct pack_table *pack_table_copy(const struct pack_table *t);

/* Keys and values are copied in; slices that come out are borrowed until the next change. `value`
 * may be NULL. */
bool pack_table_get(const struct pack_table *t, struct slice key, struct slice *value);
/* Adds the item or replaces its value; true when it is new. */
bool pack_table_set(struct pack_table *t, struct slice key, struct slice value);
bool pack_table_remove(struct pack_table *t, struct slice key);

/* As table_scan. */
uint64_t pack_table_scan(const struct pack_table *t, uint64_t cursor,
                         void (*visit)(void *ctx, struct slice key, struct slice value), void *ctx);
/* A fairly picked item of a table that is not empty. */
void pack_table_random(const struct pack_table *t, uint64_t (*random)(void *ctx), void *ctx,
                       struct slice *key, struct slice *value);

/* Walks all items; no change meanwhile. Start from zeroes. */
struct pack_table_iter {
    const char *at, *end;
    uint64_t index;
};
bool pack_table_next(const struct pack_table *t, struct pack_table_iter *it, struct slice *key,
                     struct slice *value);

/* Bytes of all of it; looks at no more than `samples` buckets (0: all). */
size_t pack_table_memory(const struct pack_table *t, size_t samples);

#endif
