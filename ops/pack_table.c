/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of packed items. An item is a tag (high bits of its hash), the length of its key, in
 * tables of pairs the length of its value, then the bytes; or a tag, OUTSIDE and the address of
 * a struct outside. An empty bucket has no block.
 */
#include "ops/pack_table.h"

#include <assert.h>

#include "ops/key_hash.h"
#include "ops/mem.h"

enum {
    OUTSIDE = 255,
    INLINE_MAX = 64, /* longer keys or values stand outside: blocks stay small enough to move */
    OUTSIDE_SIZE = 2 + sizeof(void *),
    /* Mean items a bucket: split above the first, merge below the second. */
    FILL_MAX = 6,
    FILL_MIN = 2,
    BLOCK_LINES = 4, /* that most blocks fit into */
    SCAN_EMPTY_MAX = 8,
    RANDOM_TRIES = 128,
    RANDOM_ITEMS = 24, /* buckets with more are hardly ever seen */
};

struct block {
    uint32_t used; /* bytes of items */
    char items[];
};

struct outside {
    uint32_t key_len, value_len;
    char bytes[]; /* key, value */
};

struct item {
    uint8_t tag;
    struct outside *outside; /* NULL: packed */
    struct slice key, value;
};

static uint8_t tag_of(uint64_t hash)
{
    return hash >> 56;
}

static struct block **bucket_at(const struct pack_table *t, size_t index)
{
    return linear_at(&t->linear, index, sizeof(struct block *));
}

static struct block **bucket_of(const struct pack_table *t, uint64_t hash)
{
    return bucket_at(t, linear_index(&t->linear, hash));
}

static const char *block_end(const struct block *block)
{
    return block->items + block->used;
}

/* Reads the item at `at`; returns where the next one is. */
static inline const char *item_read(const struct pack_table *t, const char *at, struct item *item)
{
    size_t key_len = (uint8_t)at[1];
    item->tag = (uint8_t)at[0];
    if (__builtin_expect(key_len == OUTSIDE, 0)) {
        struct outside *outside;
        memcpy(&outside, at + 2, sizeof(outside));
        item->outside = outside;
        item->key = slice_make(outside->bytes, outside->key_len);
        item->value = slice_make(outside->bytes + outside->key_len, outside->value_len);
        return at + OUTSIDE_SIZE;
    }
    const char *bytes = at + 2 + t->pairs;
    size_t value_len = t->pairs ? (uint8_t)at[2] : 0;
    item->outside = NULL;
    item->key = slice_make(bytes, key_len);
    item->value = slice_make(bytes + key_len, value_len);
    return bytes + key_len + value_len;
}

/* The size of the item at `at`, read without looking outside. */
static inline size_t item_size(const struct pack_table *t, const char *at)
{
    size_t key_len = (uint8_t)at[1];
    if (__builtin_expect(key_len == OUTSIDE, 0))
        return OUTSIDE_SIZE;
    return 2 + key_len + (t->pairs ? 1 + (size_t)(uint8_t)at[2] : 0);
}

static bool is_inline(struct slice key, struct slice value)
{
    return key.len <= INLINE_MAX && value.len <= INLINE_MAX;
}

static size_t packed_size(const struct pack_table *t, struct slice key, struct slice value)
{
    return is_inline(key, value) ? 2 + t->pairs + key.len + value.len : OUTSIDE_SIZE;
}

static struct outside *outside_create(struct slice key, struct slice value)
{
    struct outside *outside = mem_alloc(sizeof(*outside) + key.len + value.len);
    outside->key_len = (uint32_t)key.len;
    outside->value_len = (uint32_t)value.len;
    if (key.len)
        memcpy(outside->bytes, key.data, key.len);
    if (value.len)
        memcpy(outside->bytes + key.len, value.data, value.len);
    return outside;
}

static void item_write(const struct pack_table *t, char *at, uint8_t tag, struct slice key,
                       struct slice value)
{
    *at++ = (char)tag;
    if (!is_inline(key, value)) {
        struct outside *outside = outside_create(key, value);
        *at++ = (char)OUTSIDE;
        memcpy(at, &outside, sizeof(outside));
        return;
    }
    *at++ = (char)key.len;
    if (t->pairs)
        *at++ = (char)value.len;
    if (key.len)
        memcpy(at, key.data, key.len);
    if (value.len)
        memcpy(at + key.len, value.data, value.len);
}

/* Replaces the `old` bytes at offset `at` by `new` ones for the caller to fill; the last bytes of
 * a block take the block with them. */
static char *block_splice(struct block **slot, size_t at, size_t old, size_t new)
{
    struct block *block = *slot;
    size_t used = block ? block->used : 0, after = used - old + new, tail = used - at - old;
    assert(after <= UINT32_MAX);
    if (after == 0) {
        mem_free(block);
        *slot = NULL;
        return NULL;
    }
    if (new < old)
        memmove(block->items + at + new, block->items + at + old, tail);
    block = *slot = mem_realloc(block, sizeof(*block) + after);
    if (new > old)
        memmove(block->items + at + new, block->items + at + old, tail);
    block->used = (uint32_t)after;
    return block->items + at;
}

/* Fetches the lines of a block at once; one by one they would cost a wait each. */
static inline void block_prefetch(const struct block *block)
{
    for (unsigned line = 0; line < BLOCK_LINES && block; line++)
        mem_fetch((const char *)block + line * 64);
}

/* The item with this key, or NULL. */
static const char *block_find(const struct pack_table *t, const struct block *block, uint8_t tag,
                              struct slice key, struct item *item)
{
    if (!block)
        return NULL;
    block_prefetch(block);
    const char *end = block_end(block);
    for (const char *at = block->items; at < end; at += item_size(t, at)) {
        if ((uint8_t)at[0] != tag)
            continue;
        item_read(t, at, item);
        if (slice_equal(item->key, key))
            return at;
    }
    return NULL;
}

static void block_append(struct block **slot, const char *item, size_t size)
{
    memcpy(block_splice(slot, *slot ? (*slot)->used : 0, 0, size), item, size);
}

static void pack_table_split(struct pack_table *t)
{
    size_t index;
    if (!linear_grow(&t->linear, sizeof(struct block *), &index))
        return;
    struct block **from = bucket_at(t, index), **to = bucket_at(t, t->linear.buckets - 1);
    if (!*from)
        return;
    struct block *moved = mem_alloc(sizeof(*moved) + (*from)->used);
    size_t stay = 0, go = 0;
    const char *end = block_end(*from), *next;
    for (const char *at = (*from)->items; at < end; at = next) {
        struct item item;
        next = item_read(t, at, &item);
        if (linear_index(&t->linear, key_hash(item.key)) == index) {
            memmove((*from)->items + stay, at, (size_t)(next - at));
            stay += (size_t)(next - at);
        } else {
            memcpy(moved->items + go, at, (size_t)(next - at));
            go += (size_t)(next - at);
        }
    }
    moved->used = (uint32_t)go;
    *to = moved;
    block_splice(to, go, 0, 0);
    block_splice(from, stay, (*from)->used - stay, 0);
}

static void pack_table_merge(struct pack_table *t)
{
    struct block *last = *bucket_at(t, t->linear.buckets - 1);
    if (last)
        block_append(bucket_at(t, linear_last_target(&t->linear)), last->items, last->used);
    mem_free(last);
    linear_shrink(&t->linear, sizeof(struct block *));
}

struct pack_table *pack_table_create(bool pairs)
{
    struct pack_table *t = mem_calloc(1, sizeof(*t));
    t->pairs = pairs;
    return t;
}

void pack_table_destroy(struct pack_table *t)
{
    for (size_t i = 0; i < t->linear.buckets; i++) {
        struct block *block = *bucket_at(t, i);
        if (!block)
            continue;
        const char *end = block_end(block);
        struct item item;
        for (const char *at = block->items; at < end;) {
            at = item_read(t, at, &item);
            mem_free(item.outside);
        }
        mem_free(block);
    }
    linear_release(&t->linear);
    mem_free(t);
}

struct pack_table *pack_table_copy(const struct pack_table *t)
{
    struct pack_table *copy = pack_table_create(t->pairs);
    struct pack_table_iter it = {0};
    struct slice key, value;
    while (pack_table_next(t, &it, &key, &value))
        pack_table_set(copy, key, value);
    return copy;
}

bool pack_table_get(const struct pack_table *t, struct slice key, struct slice *value)
{
    struct item item;
    uint64_t hash = key_hash(key);
    if (t->count == 0 || !block_find(t, *bucket_of(t, hash), tag_of(hash), key, &item))
        return false;
    if (value)
        *value = item.value;
    return true;
}

static void pack_table_add(struct pack_table *t, uint64_t hash, struct slice key,
                           struct slice value)
{
    if (t->count + 1 > FILL_MAX * t->linear.buckets)
        pack_table_split(t);
    t->count++;
    if (t->count == FILL_MAX * t->linear.buckets - 2)
        block_prefetch(*bucket_at(t, linear_next_source(&t->linear)));
    struct block **slot = bucket_of(t, hash);
    size_t end = *slot ? (*slot)->used : 0;
    item_write(t, block_splice(slot, end, 0, packed_size(t, key, value)), tag_of(hash), key, value);
}

static void set_value(struct pack_table *t, struct block **slot, const char *at,
                      const struct item *item, struct slice key, struct slice value)
{
    if (item->value.len == value.len) {
        if (value.len)
            memcpy((char *)item->value.data, value.data, value.len);
        return;
    }
    char *gap = block_splice(slot, (size_t)(at - (*slot)->items), item_size(t, at),
                             packed_size(t, key, value));
    item_write(t, gap, item->tag, key, value);
    mem_free(item->outside);
}

bool pack_table_set(struct pack_table *t, struct slice key, struct slice value)
{
    uint64_t hash = key_hash(key);
    struct item item;
    if (t->count) {
        struct block **slot = bucket_of(t, hash);
        const char *at = block_find(t, *slot, tag_of(hash), key, &item);
        if (at) {
            set_value(t, slot, at, &item, key, value);
            return false;
        }
    }
    pack_table_add(t, hash, key, value);
    return true;
}

bool pack_table_remove(struct pack_table *t, struct slice key)
{
    uint64_t hash = key_hash(key);
    struct item item;
    if (t->count == 0)
        return false;
    struct block **slot = bucket_of(t, hash);
    const char *at = block_find(t, *slot, tag_of(hash), key, &item);
    if (!at)
        return false;
    block_splice(slot, (size_t)(at - (*slot)->items), item_size(t, at), 0);
    mem_free(item.outside);
    t->count--;
    if (t->count < FILL_MIN * t->linear.buckets && t->linear.buckets > 1)
        pack_table_merge(t);
    return true;
}

static size_t block_visit(const struct pack_table *t, const struct block *block,
                          void (*visit)(void *ctx, struct slice key, struct slice value), void *ctx)
{
    size_t seen = 0;
    if (!block)
        return 0;
    const char *end = block_end(block);
    for (const char *at = block->items; at < end; seen++) {
        struct item item;
        at = item_read(t, at, &item);
        visit(ctx, item.key, item.value);
    }
    return seen;
}

uint64_t pack_table_scan(const struct pack_table *t, uint64_t cursor,
                         void (*visit)(void *ctx, struct slice key, struct slice value), void *ctx)
{
    if (t->count == 0)
        return 0;
    size_t seen = 0, first, second;
    for (unsigned step = 0; step < SCAN_EMPTY_MAX && seen == 0; step++) {
        cursor = linear_scan(&t->linear, cursor, &first, &second);
        seen = block_visit(t, *bucket_at(t, first), visit, ctx);
        if (second != first)
            seen += block_visit(t, *bucket_at(t, second), visit, ctx);
        if (cursor == 0)
            break;
    }
    return cursor;
}

static size_t block_count(const struct pack_table *t, const struct block *block)
{
    size_t count = 0;
    if (!block)
        return 0;
    const char *end = block_end(block);
    for (const char *at = block->items; at < end; at += item_size(t, at))
        count++;
    return count;
}

static void block_get(const struct pack_table *t, const struct block *block, size_t index,
                      struct slice *key, struct slice *value)
{
    struct item item;
    const char *at = block->items;
    while (index--)
        at += item_size(t, at);
    item_read(t, at, &item);
    *key = item.key;
    *value = item.value;
}

/* By rejection, as table_random. */
void pack_table_random(const struct pack_table *t, uint64_t (*random)(void *ctx), void *ctx,
                       struct slice *key, struct slice *value)
{
    size_t most = t->count < RANDOM_ITEMS ? t->count : RANDOM_ITEMS;
    for (unsigned try = 0; try < RANDOM_TRIES; try++) {
        const struct block *block = *bucket_at(t, random(ctx) % t->linear.buckets);
        size_t count = block_count(t, block);
        size_t pick = random(ctx) % (count > most ? count : most);
        if (pick < count) {
            block_get(t, block, pick, key, value);
            return;
        }
    }
    size_t index = random(ctx) % t->linear.buckets;
    while (!*bucket_at(t, index))
        index = (index + 1) % t->linear.buckets;
    block_get(t, *bucket_at(t, index), 0, key, value);
}

bool pack_table_next(const struct pack_table *t, struct pack_table_iter *it, struct slice *key,
                     struct slice *value)
{
    while (it->at == it->end) {
        if (it->index >= t->linear.buckets)
            return false;
        const struct block *block = *bucket_at(t, it->index++);
        if (it->index < t->linear.buckets)
            block_prefetch(*bucket_at(t, it->index));
        if (block) {
            it->at = block->items;
            it->end = block_end(block);
        }
    }
    struct item item;
    it->at = item_read(t, it->at, &item);
    *key = item.key;
    *value = item.value;
    return true;
}

size_t pack_table_memory(const struct pack_table *t, size_t samples)
{
    size_t seen = 0, bytes = 0;
    for (; seen < t->linear.buckets && (samples == 0 || seen < samples); seen++) {
        const struct block *block = *bucket_at(t, seen);
        bytes += mem_usable(block);
        const char *end = block ? block_end(block) : NULL;
        for (const char *at = block ? block->items : NULL; at < end; at += item_size(t, at)) {
            struct item item;
            item_read(t, at, &item);
            bytes += mem_usable(item.outside);
        }
    }
    if (seen < t->linear.buckets)
        bytes = (size_t)((double)bytes / (double)seen * (double)t->linear.buckets);
    return mem_usable(t) + linear_memory(&t->linear, sizeof(struct block *)) + bytes;
}
