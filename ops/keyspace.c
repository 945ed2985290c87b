/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keyspaces: a table of entries, a second table of those that have a deadline, and the chain of
 * big values that wait to be freed elsewhere. Time comes in with each call.
 */
#include "ops/keyspace.h"

#include <assert.h>

#include "ops/entry.h"
#include "ops/key_hash.h"
#include "ops/list_chain.h"
#include "ops/table.h"

enum {
    FREE_NOW_ITEMS = 64,
    FREE_NOW_BYTES = 64 * 1024,
    RANDOM_TRIES = 100,
    TTL_SAMPLE = 32,
    EXPIRE_BATCH = 64, /* more than a bucket and its other half ever hold */
};

struct keyspace {
    struct table keys;
    struct table deadlines; /* the same entries */
    uint64_t expire_cursor;
    int64_t floor; /* what expired later than this is kept */
    struct garbage *garbage;
    struct keyspace_hooks hooks;
};

struct garbage {
    struct garbage *next;
    struct entry *entry;
    size_t count; /* of the chain from here */
};

static uint64_t hash_of(struct slice key, uint64_t hash)
{
    return hash ? hash : key_hash(key);
}

struct keyspace *keyspace_create(const struct keyspace_hooks *hooks)
{
    struct keyspace *ks = mem_calloc(1, sizeof(*ks));
    table_init(&ks->keys, offsetof(struct entry, bytes));
    table_init(&ks->deadlines, offsetof(struct entry, bytes));
    ks->floor = INT64_MAX;
    if (hooks)
        ks->hooks = *hooks;
    return ks;
}

void keyspace_set_floor(struct keyspace *ks, int64_t floor)
{
    ks->floor = floor;
}

static void free_entry(void *item)
{
    entry_destroy(item);
}

void keyspace_destroy(struct keyspace *ks)
{
    if (!ks)
        return;
    table_release(&ks->deadlines, NULL);
    table_release(&ks->keys, free_entry);
    garbage_free(ks->garbage);
    mem_free(ks);
}

void keyspace_prefetch_bucket(const struct keyspace *ks, uint64_t hash)
{
    table_prefetch_bucket(&ks->keys, hash);
}

bool keyspace_prefetch_entry(const struct keyspace *ks, uint64_t hash)
{
    return table_prefetch_items(&ks->keys, hash);
}

void keyspace_prefetch_crowded(const struct keyspace *ks, uint64_t hash)
{
    table_prefetch_child_items(&ks->keys, hash);
}

/* Deadlines. */

static bool is_past(const struct entry *entry, int64_t time)
{
    return entry->flags & ENTRY_EXPIRES && entry_expires(entry) <= time;
}

static void deadline_add(struct keyspace *ks, uint64_t hash, struct entry *entry)
{
    if (entry->flags & ENTRY_EXPIRES)
        table_insert(&ks->deadlines, hash, entry);
}

static void deadline_remove(struct keyspace *ks, uint64_t hash, const struct entry *entry)
{
    if (!(entry->flags & ENTRY_EXPIRES))
        return;
    void **slot = table_find_address(&ks->deadlines, entry, hash);
    assert(slot);
    table_remove(&ks->deadlines, hash, slot);
}

static void keyspace_drop(struct keyspace *ks, uint64_t hash, struct entry **slot)
{
    struct entry *entry = keyspace_remove(ks, hash, slot);
    if (ks->hooks.expired)
        ks->hooks.expired(ks->hooks.ctx, entry_key(entry));
    keyspace_discard(ks, entry);
}

struct entry **keyspace_slot(struct keyspace *ks, struct slice key, uint64_t hash, int64_t time)
{
    hash = hash_of(key, hash);
    struct entry **slot = (struct entry **)table_find(&ks->keys, key, hash);
    if (slot && is_past(*slot, time)) {
        if (is_past(*slot, ks->floor))
            keyspace_drop(ks, hash, slot);
        return NULL;
    }
    return slot;
}

struct entry *keyspace_find(struct keyspace *ks, struct slice key, uint64_t hash, int64_t time)
{
    struct entry **slot = keyspace_slot(ks, key, hash, time);
    return slot ? *slot : NULL;
}

/* `before` may be freed memory by now: it is compared, never read. */
void keyspace_moved(struct keyspace *ks, uint64_t hash, struct entry *before, struct entry **slot)
{
    if (before == *slot || !((*slot)->flags & ENTRY_EXPIRES))
        return;
    void **deadline = table_find_address(&ks->deadlines, before, hash_of(entry_key(*slot), hash));
    assert(deadline);
    *deadline = *slot;
}

void keyspace_set_expires(struct keyspace *ks, uint64_t hash, struct entry **slot, int64_t expires)
{
    bool has = (*slot)->flags & ENTRY_EXPIRES;
    hash = hash_of(entry_key(*slot), hash);
    if (has && !expires)
        deadline_remove(ks, hash, *slot);
    entry_set_expires(slot, expires);
    if (!has && expires)
        deadline_add(ks, hash, *slot);
}

struct entry **keyspace_add(struct keyspace *ks, uint64_t hash, struct entry *entry)
{
    hash = hash_of(entry_key(entry), hash);
    deadline_add(ks, hash, entry);
    return (struct entry **)table_insert(&ks->keys, hash, entry);
}

void keyspace_insert(struct keyspace *ks, struct entry *entry)
{
    keyspace_add(ks, 0, entry);
}

struct entry *keyspace_remove(struct keyspace *ks, uint64_t hash, struct entry **slot)
{
    hash = hash_of(entry_key(*slot), hash);
    deadline_remove(ks, hash, *slot);
    return table_remove(&ks->keys, hash, (void **)slot);
}

struct entry *keyspace_take(struct keyspace *ks, struct slice key, uint64_t hash, int64_t time)
{
    hash = hash_of(key, hash);
    struct entry **slot = keyspace_slot(ks, key, hash, time);
    return slot ? keyspace_remove(ks, hash, slot) : NULL;
}

struct entry *keyspace_replace(struct keyspace *ks, uint64_t hash, struct entry **slot,
                               struct entry *entry)
{
    struct entry *former = *slot;
    hash = hash_of(entry_key(former), hash);
    deadline_remove(ks, hash, former);
    *slot = entry;
    deadline_add(ks, hash, entry);
    return former;
}

/* Freeing. */

static bool is_big(const struct entry *entry)
{
    switch ((enum entry_form)entry->form) {
    case FORM_INTEGER:
    case FORM_BYTES:
    case FORM_PACKED:
    case FORM_INTSET: return entry->value_len > FREE_NOW_BYTES;
    case FORM_TABLE: return value_len(entry) > FREE_NOW_ITEMS;
    case FORM_CHAIN: return ((struct chain *)entry_object(entry))->nodes > FREE_NOW_ITEMS;
    }
    assert(!"form");
    return false;
}

void keyspace_discard(struct keyspace *ks, struct entry *entry)
{
    if (!is_big(entry)) {
        entry_destroy(entry);
        return;
    }
    struct garbage *garbage = mem_alloc(sizeof(*garbage));
    *garbage = (struct garbage){ks->garbage, entry, garbage_count(ks->garbage) + 1};
    ks->garbage = garbage;
}

struct garbage *keyspace_take_garbage(struct keyspace *ks)
{
    struct garbage *chain = ks->garbage;
    ks->garbage = NULL;
    return chain;
}

void garbage_free(struct garbage *chain)
{
    while (chain) {
        struct garbage *next = chain->next;
        entry_destroy(chain->entry);
        mem_free(chain);
        chain = next;
    }
}

size_t garbage_count(const struct garbage *chain)
{
    return chain ? chain->count : 0;
}

void keyspace_swap(struct keyspace *a, struct keyspace *b)
{
    struct table keys = a->keys, deadlines = a->deadlines;
    a->keys = b->keys;
    a->deadlines = b->deadlines;
    b->keys = keys;
    b->deadlines = deadlines;
    a->expire_cursor = b->expire_cursor = 0;
}

struct keyspace *keyspace_detach(struct keyspace *ks)
{
    struct keyspace *contents = keyspace_create(NULL);
    keyspace_swap(ks, contents);
    return contents;
}

/* Looking around. */

size_t keyspace_size(const struct keyspace *ks)
{
    return ks->keys.count;
}

size_t keyspace_expires(const struct keyspace *ks)
{
    return ks->deadlines.count;
}

struct ttl_sample {
    int64_t time;
    size_t seen, live;
    double sum;
};

static void ttl_visit(void *ctx, void *item)
{
    struct ttl_sample *sample = ctx;
    int64_t expires = entry_expires(item);
    sample->seen++;
    if (expires <= sample->time)
        return;
    sample->live++;
    sample->sum += (double)expires - (double)sample->time;
}

int64_t keyspace_average_ttl(const struct keyspace *ks, int64_t time)
{
    struct ttl_sample sample = {.time = time};
    uint64_t cursor = ks->expire_cursor;
    size_t want = ks->deadlines.count < TTL_SAMPLE ? ks->deadlines.count : TTL_SAMPLE;
    while (sample.seen < want)
        cursor = table_scan(&ks->deadlines, cursor, ttl_visit, &sample);
    return sample.live ? (int64_t)(sample.sum / (double)sample.live) : 0;
}

struct scan {
    void (*visit)(void *ctx, struct entry *entry);
    void *ctx;
};

static void scan_visit(void *ctx, void *item)
{
    struct scan *scan = ctx;
    scan->visit(scan->ctx, item);
}

uint64_t keyspace_scan(struct keyspace *ks, uint64_t cursor,
                       void (*visit)(void *ctx, struct entry *entry), void *ctx)
{
    struct scan scan = {visit, ctx};
    return table_scan(&ks->keys, cursor, scan_visit, &scan);
}

/* Drops `entry`, unless it is to be kept; true when its deadline has passed. */
static bool drop_past(struct keyspace *ks, struct entry *entry, int64_t time)
{
    if (!is_past(entry, time))
        return false;
    if (!is_past(entry, ks->floor))
        return true;
    uint64_t hash = key_hash(entry_key(entry));
    struct entry **slot = (struct entry **)table_find_address(&ks->keys, entry, hash);
    assert(slot);
    keyspace_drop(ks, hash, slot);
    return true;
}

/* A passed key that is met is dropped, so that few tries are ever in vain, unless it is kept. */
static struct entry *try_random(struct keyspace *ks, const struct table *table,
                                uint64_t (*random)(void *ctx), void *ctx, int64_t time)
{
    for (unsigned try = 0; try < RANDOM_TRIES; try++) {
        struct entry *entry = table_random(table, random, ctx);
        if (!entry || !drop_past(ks, entry, time))
            return entry;
    }
    return NULL;
}

struct entry *keyspace_random(struct keyspace *ks, uint64_t (*random)(void *ctx), void *ctx,
                              int64_t time)
{
    struct entry *entry = try_random(ks, &ks->keys, random, ctx, time);
    struct table_iter it = {0};
    if (entry)
        return entry;
    while ((entry = table_next(&ks->keys, &it)))
        if (!is_past(entry, time))
            return entry;
    return NULL;
}

struct entry *keyspace_random_expiring(struct keyspace *ks, uint64_t (*random)(void *ctx),
                                       void *ctx, int64_t time)
{
    return try_random(ks, &ks->deadlines, random, ctx, time);
}

struct expire_batch {
    int64_t time;
    size_t seen, count;
    struct entry *past[EXPIRE_BATCH];
};

static void expire_visit(void *ctx, void *item)
{
    struct expire_batch *batch = ctx;
    batch->seen++;
    if (is_past(item, batch->time) && batch->count < EXPIRE_BATCH)
        batch->past[batch->count++] = item;
}

size_t keyspace_expire(struct keyspace *ks, int64_t time, size_t effort, size_t *looked)
{
    size_t dropped = 0, round = ks->deadlines.count;
    if (time > ks->floor)
        time = ks->floor;
    if (effort > round)
        effort = round;
    *looked = 0;
    while (*looked < effort && ks->deadlines.count) {
        struct expire_batch batch = {.time = time};
        ks->expire_cursor = table_scan(&ks->deadlines, ks->expire_cursor, expire_visit, &batch);
        for (size_t i = 0; i < batch.count; i++)
            drop_past(ks, batch.past[i], time);
        dropped += batch.count;
        *looked += batch.seen;
    }
    return dropped;
}
