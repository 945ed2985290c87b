/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linear hashing over cache-line buckets; table.h tells why. A split or merge needs the hashes of
 * the bucket's items, which are not stored: they are fetched all at once, then hashed.
 */
#include "ops/table.h"

#include <assert.h>
#include <endian.h>

#include "ops/key_hash.h"
#include "ops/mem.h"

enum {
    SLOTS = 7,
    /* Mean items a bucket, in quarters: split above the first, merge below the second. */
    FILL_MAX = 22,
    FILL_MIN = 10,
    SCAN_EMPTY_MAX = 8, /* empty buckets one scan step may pass */
    SMALL_ITEM = 48,    /* bytes of an item worth fetching ahead: it may cross a cache line */
    RANDOM_TRIES = 128,
    RANDOM_SLOTS = 16, /* chains are hardly ever longer */
};

struct table_bucket {
    uint8_t tags[SLOTS]; /* 0: free */
    uint8_t has_child;   /* then the last slot is the child */
    void *items[SLOTS];
};
_Static_assert(sizeof(struct table_bucket) == 64, "a bucket is a cache line");

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define LOW_BITS  UINT64_C(0x7f7f7f7f7f7f7f7f)
#define TAG_BITS  UINT64_C(0x0080808080808080)

/* The index takes the low bits of a hash, the tag the high ones. */
static inline uint8_t tag_of(uint64_t hash)
{
    uint8_t tag = hash >> 56;
    return tag ? tag : 1;
}

/* One bit (the top one of its byte) for each slot with this tag. */
static inline uint64_t bucket_match(const struct table_bucket *b, uint8_t tag)
{
    uint64_t word;
    memcpy(&word, b, sizeof(word));
    word = le64toh(word) ^ EACH_BYTE * tag;
    return ~(((word & LOW_BITS) + LOW_BITS) | word) & TAG_BITS;
}

static inline unsigned match_slot(uint64_t match)
{
    return (unsigned)__builtin_ctzll(match) / 8;
}

static inline struct table_bucket *bucket_child(const struct table_bucket *b)
{
    return b->has_child ? b->items[SLOTS - 1] : NULL;
}

static inline struct table_bucket *bucket_at(const struct table *t, size_t index)
{
    return linear_at(&t->linear, index, sizeof(struct table_bucket));
}

static inline struct table_bucket *bucket_of(const struct table *t, uint64_t hash)
{
    return bucket_at(t, linear_index(&t->linear, hash));
}

static inline struct slice item_key(const struct table *t, const void *item)
{
    uint32_t len;
    memcpy(&len, item, sizeof(len));
    return slice_make((const char *)item + t->key_offset, len);
}

static struct table_bucket *bucket_create(struct table *t)
{
    struct table_bucket *b = mem_alloc_aligned(sizeof(*b), sizeof(*b));
    memset(b, 0, sizeof(*b));
    t->children++;
    return b;
}

static void bucket_destroy(struct table *t, struct table_bucket *b)
{
    t->children--;
    mem_free(b);
}

/* A free slot, or one with the has_child bit when there is none. */
static uint64_t bucket_free(const struct table_bucket *b)
{
    uint64_t match = bucket_match(b, 0);
    return b->has_child ? match & ~(UINT64_C(0x80) << 8 * (SLOTS - 1)) : match;
}

static void **bucket_place(struct table *t, struct table_bucket *b, uint8_t tag, void *item)
{
    uint64_t match;
    while (!(match = bucket_free(b))) {
        if (!b->has_child) {
            struct table_bucket *child = bucket_create(t);
            child->tags[0] = b->tags[SLOTS - 1];
            child->items[0] = b->items[SLOTS - 1];
            b->tags[SLOTS - 1] = 0;
            b->items[SLOTS - 1] = child;
            b->has_child = 1;
        }
        b = b->items[SLOTS - 1];
    }
    unsigned slot = match_slot(match);
    b->tags[slot] = tag;
    b->items[slot] = item;
    return &b->items[slot];
}

static void prefetch_items(const struct table_bucket *b)
{
    for (; b; b = bucket_child(b))
        for (unsigned i = 0; i < SLOTS; i++)
            mem_fetch(b->items[i]);
}

/* Moves the items of the chain that starts with the copy `from` to where they belong now. */
static void redistribute(struct table *t, struct table_bucket from)
{
    struct table_bucket *b = &from;
    prefetch_items(b);
    while (b) {
        struct table_bucket *child = bucket_child(b);
        unsigned slots = child ? SLOTS - 1 : SLOTS;
        for (unsigned i = 0; i < slots; i++)
            if (b->tags[i]) {
                uint64_t hash = key_hash(item_key(t, b->items[i]));
                bucket_place(t, bucket_of(t, hash), b->tags[i], b->items[i]);
            }
        if (b != &from)
            bucket_destroy(t, b);
        b = child;
    }
}

static void table_split(struct table *t)
{
    size_t index;
    if (!linear_grow(&t->linear, sizeof(struct table_bucket), &index))
        return;
    struct table_bucket *source = bucket_at(t, index), from = *source;
    memset(source, 0, sizeof(*source));
    redistribute(t, from);
}

static void table_merge(struct table *t)
{
    struct table_bucket *last = bucket_at(t, t->linear.buckets - 1);
    struct table_bucket *target = bucket_at(t, linear_last_target(&t->linear));
    for (struct table_bucket *b = last; b;) {
        struct table_bucket *child = bucket_child(b);
        unsigned slots = child ? SLOTS - 1 : SLOTS;
        for (unsigned i = 0; i < slots; i++)
            if (b->tags[i])
                bucket_place(t, target, b->tags[i], b->items[i]);
        if (b != last)
            bucket_destroy(t, b);
        b = child;
    }
    linear_shrink(&t->linear, sizeof(*last));
}

void table_init(struct table *t, uint16_t key_offset)
{
    *t = (struct table){.key_offset = key_offset};
}

static void chain_release(struct table *t, struct table_bucket *head, void (*free_item)(void *))
{
    for (struct table_bucket *b = head; b;) {
        struct table_bucket *child = bucket_child(b);
        for (unsigned i = 0; free_item && i < SLOTS; i++)
            if (b->tags[i])
                free_item(b->items[i]);
        if (b != head)
            bucket_destroy(t, b);
        b = child;
    }
}

void table_release(struct table *t, void (*free_item)(void *item))
{
    for (size_t i = 0; i < t->linear.buckets; i++) {
        if (free_item && i + 1 < t->linear.buckets)
            prefetch_items(bucket_at(t, i + 1));
        chain_release(t, bucket_at(t, i), free_item);
    }
    linear_release(&t->linear);
    table_init(t, t->key_offset);
}

void **table_find(const struct table *t, struct slice key, uint64_t hash)
{
    if (t->count == 0)
        return NULL;
    uint8_t tag = tag_of(hash);
    for (struct table_bucket *b = bucket_of(t, hash); b; b = bucket_child(b))
        for (uint64_t match = bucket_match(b, tag); match; match &= match - 1) {
            unsigned slot = match_slot(match);
            if (slice_equal(item_key(t, b->items[slot]), key))
                return &b->items[slot];
        }
    return NULL;
}

void **table_find_address(const struct table *t, const void *item, uint64_t hash)
{
    if (t->count == 0)
        return NULL;
    uint8_t tag = tag_of(hash);
    for (struct table_bucket *b = bucket_of(t, hash); b; b = bucket_child(b))
        for (uint64_t match = bucket_match(b, tag); match; match &= match - 1) {
            unsigned slot = match_slot(match);
            if (b->items[slot] == item)
                return &b->items[slot];
        }
    return NULL;
}

/* Fetches what the next split will read while the insertions before it have their own work. */
static void split_look_ahead(const struct table *t)
{
    size_t left = FILL_MAX * t->linear.buckets - 4 * t->count;
    if (left >= 4 * 4)
        return;
    const struct table_bucket *source = bucket_at(t, linear_next_source(&t->linear));
    if (left >= 3 * 4)
        mem_fetch(source);
    else if (left >= 4 && left < 2 * 4)
        prefetch_items(source);
}

void **table_insert(struct table *t, uint64_t hash, void *item)
{
    if (4 * (t->count + 1) > FILL_MAX * t->linear.buckets)
        table_split(t);
    t->count++;
    split_look_ahead(t);
    return bucket_place(t, bucket_of(t, hash), tag_of(hash), item);
}

/* Fills the hole at `slot` of `b` from the end of the chain, whose last bucket never stays alone
 * with a single item. `before` is the bucket before `b`, or NULL. */
static void chain_close(struct table *t, struct table_bucket *b, unsigned slot,
                        struct table_bucket *before)
{
    struct table_bucket *last = b;
    for (; last->has_child; last = last->items[SLOTS - 1])
        before = last;
    b->tags[slot] = 0;
    if (!before)
        return;
    unsigned count = 0, some = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        if (last->tags[i]) {
            count++;
            some = i;
        }
    if (last != b) {
        b->tags[slot] = last->tags[some];
        b->items[slot] = last->items[some];
        last->tags[some] = 0;
        count--;
        for (unsigned i = 0; i < SLOTS; i++)
            if (last->tags[i])
                some = i;
    }
    if (count > 1)
        return;
    assert(count == 1);
    before->has_child = 0;
    before->tags[SLOTS - 1] = last->tags[some];
    before->items[SLOTS - 1] = last->items[some];
    bucket_destroy(t, last);
}

void *table_remove(struct table *t, uint64_t hash, void **slot)
{
    struct table_bucket *b = bucket_of(t, hash), *before = NULL;
    while (slot < b->items || slot >= b->items + SLOTS) {
        assert(b->has_child);
        before = b;
        b = b->items[SLOTS - 1];
    }
    void *item = *slot;
    chain_close(t, b, (unsigned)(slot - b->items), before);
    t->count--;
    if (4 * t->count < FILL_MIN * t->linear.buckets && t->linear.buckets > 1)
        table_merge(t);
    return item;
}

void table_prefetch_bucket(const struct table *t, uint64_t hash)
{
    if (t->count)
        mem_fetch(bucket_of(t, hash));
}

static inline void prefetch_matches(const struct table_bucket *b, uint64_t match)
{
    for (; match; match &= match - 1) {
        const char *item = b->items[match_slot(match)];
        mem_fetch(item);
        mem_fetch(item + SMALL_ITEM - 1);
    }
}

bool table_prefetch_items(const struct table *t, uint64_t hash)
{
    if (t->count == 0)
        return false;
    const struct table_bucket *b = bucket_of(t, hash);
    uint64_t match = bucket_match(b, tag_of(hash));
    prefetch_matches(b, match);
    if (match || !b->has_child)
        return false;
    mem_fetch(b->items[SLOTS - 1]);
    return true;
}

void table_prefetch_child_items(const struct table *t, uint64_t hash)
{
    const struct table_bucket *child = t->count ? bucket_child(bucket_of(t, hash)) : NULL;
    if (child)
        prefetch_matches(child, bucket_match(child, tag_of(hash)));
}

static size_t chain_visit(const struct table_bucket *b, void (*visit)(void *ctx, void *item),
                          void *ctx)
{
    size_t seen = 0;
    prefetch_items(b);
    for (; b; b = bucket_child(b))
        for (unsigned i = 0; i < SLOTS; i++)
            if (b->tags[i]) {
                visit(ctx, b->items[i]);
                seen++;
            }
    return seen;
}

uint64_t table_scan(const struct table *t, uint64_t cursor, void (*visit)(void *ctx, void *item),
                    void *ctx)
{
    if (t->count == 0)
        return 0;
    size_t seen = 0, first, second;
    for (unsigned step = 0; step < SCAN_EMPTY_MAX && seen == 0; step++) {
        cursor = linear_scan(&t->linear, cursor, &first, &second);
        seen = chain_visit(bucket_at(t, first), visit, ctx);
        if (second != first)
            seen += chain_visit(bucket_at(t, second), visit, ctx);
        if (cursor == 0)
            break;
    }
    return cursor;
}

static unsigned chain_count(const struct table_bucket *b)
{
    unsigned count = 0;
    for (; b; b = bucket_child(b))
        count += SLOTS - (unsigned)__builtin_popcountll(bucket_match(b, 0));
    return count;
}

static void *chain_get(const struct table_bucket *b, unsigned index)
{
    for (;; b = bucket_child(b))
        for (unsigned i = 0; i < SLOTS; i++)
            if (b->tags[i] && index-- == 0)
                return b->items[i];
}

/*
 * Rejection makes it fair: a bucket is taken with a probability in proportion to what it holds. A
 * chain longer than RANDOM_SLOTS, hardly ever seen, gets a little less than its share.
 */
void *table_random(const struct table *t, uint64_t (*random)(void *ctx), void *ctx)
{
    if (t->count == 0)
        return NULL;
    unsigned slots = t->count < RANDOM_SLOTS ? (unsigned)t->count : RANDOM_SLOTS;
    for (unsigned try = 0; try < RANDOM_TRIES; try++) {
        const struct table_bucket *b = bucket_at(t, random(ctx) % t->linear.buckets);
        unsigned count = chain_count(b);
        unsigned pick = (unsigned)(random(ctx) % (count > slots ? count : slots));
        if (pick < count)
            return chain_get(b, pick);
    }
    size_t index = random(ctx) % t->linear.buckets;
    while (chain_count(bucket_at(t, index)) == 0)
        index = (index + 1) % t->linear.buckets;
    return chain_get(bucket_at(t, index), 0);
}

void *table_next(const struct table *t, struct table_iter *it)
{
    for (;;) {
        if (!it->bucket) {
            if (it->index >= t->linear.buckets)
                return NULL;
            it->bucket = bucket_at(t, it->index++);
            it->slot = 0;
            if (it->index < t->linear.buckets)
                prefetch_items(bucket_at(t, it->index));
        }
        while (it->slot < SLOTS) {
            unsigned slot = it->slot++;
            if (it->bucket->tags[slot])
                return it->bucket->items[slot];
        }
        it->bucket = bucket_child(it->bucket);
        it->slot = 0;
    }
}

size_t table_memory(const struct table *t)
{
    return linear_memory(&t->linear, sizeof(struct table_bucket)) +
           t->children * sizeof(struct table_bucket);
}
