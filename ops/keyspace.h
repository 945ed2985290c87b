/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A keyspace: the keys of one namespace and their values, and nothing else: no lock, no name, no
 * store. The caller holds whatever protects it, for every call.
 */
#ifndef CAIRN_OPS_KEYSPACE_H
#define CAIRN_OPS_KEYSPACE_H

#include <stdint.h>

#include "ops/slice.h"

struct entry;

/*
 * Sizes at which an inner form changes and Redis reports another encoding. One struct for the
 * process; the server's configuration writes it, any thread reads it (plain aligned int64 read
 * with relaxed atomics).
 */
struct value_limits {
    _Atomic int64_t hash_max_listpack_entries; /* 128 until the server sets its own default, 512 */
    _Atomic int64_t hash_max_listpack_value;   /* 64 */
    _Atomic int64_t set_max_intset_entries;    /* 512 */
    _Atomic int64_t list_max_listpack_size;    /* -2: 8 KiB a node */
    _Atomic int64_t list_compress_depth;       /* 0; kept for CONFIG, changes nothing */
    _Atomic int64_t string_max;                /* 512 MiB: proto-max-bulk-len */
};
extern struct value_limits value_limits;

/* Called with the keyspace's protection held; must not touch the keyspace. NULL members: nothing.
 */
struct keyspace_hooks {
    void *ctx;
    /* A key's deadline has passed and the key was dropped (on access or by keyspace_expire). */
    void (*expired)(void *ctx, struct slice key);
};

struct keyspace *keyspace_create(const struct keyspace_hooks *hooks);
/* Frees everything at once, in proportion to the number of keys: off the request path. */
void keyspace_destroy(struct keyspace *ks);

/* Seeds key_hash for the process; before the first keyspace is made. Tests may give a fixed one. */
void key_hash_seed(const unsigned char seed[16]);
/* Never 0. Keyed, so that clients cannot choose colliding keys. */
uint64_t key_hash(struct slice key);

/*
 * The stages of looking ahead: fetch the bucket of a hash; then the entry that may match. True: the
 * bucket is crowded, what came is the rest of it, and a third stage fetches the entry. Each is best
 * done for several hashes at a time, whose pages' addresses are then looked up together.
 */
void keyspace_prefetch_bucket(const struct keyspace *ks, uint64_t hash);
bool keyspace_prefetch_entry(const struct keyspace *ks, uint64_t hash);
void keyspace_prefetch_crowded(const struct keyspace *ks, uint64_t hash);

/*
 * The live entry of `key` at `time`, or NULL. Drops the key when its deadline is at or before
 * `time`. `hash` may be 0. Borrowed until the next op.
 */
struct entry *keyspace_find(struct keyspace *ks, struct slice key, uint64_t hash, int64_t time);

size_t keyspace_size(const struct keyspace *ks); /* keys, those with a passed deadline included */
size_t keyspace_expires(const struct keyspace *ks);                    /* keys with a deadline */
int64_t keyspace_average_ttl(const struct keyspace *ks, int64_t time); /* ms, an estimate */

/*
 * From now on a key whose deadline has passed counts as absent, but is dropped only when the
 * deadline is at or before `floor`: where ops with an earlier time may still come, what they would
 * find must be kept. Without a call nothing is kept. Lowering it has no meaning.
 */
void keyspace_set_floor(struct keyspace *ks, int64_t floor);

/*
 * SCAN: calls `visit` for each entry of some buckets (several when they are sparse) and returns the
 * next cursor, 0 at the end. Start with 0. Every key present from start to end is visited at least
 * once, whatever the table does in between. `visit` must not change the keyspace. Entries whose
 * deadline has passed are visited too.
 */
uint64_t keyspace_scan(struct keyspace *ks, uint64_t cursor,
                       void (*visit)(void *ctx, struct entry *entry), void *ctx);

/* A key picked fairly with `random` (64 random bits) among those live at `time`; NULL when none. */
struct entry *keyspace_random(struct keyspace *ks, uint64_t (*random)(void *ctx), void *ctx,
                              int64_t time);
/* The same among those that have a deadline, in bounded time: NULL too when those it came upon have
 * passed and are kept. */
struct entry *keyspace_random_expiring(struct keyspace *ks, uint64_t (*random)(void *ctx),
                                       void *ctx, int64_t time);

/*
 * Drops keys whose deadline is at or before `time`, looking at no more than `effort` keys, going
 * round those that have a deadline. Returns how many were dropped; *looked how many it saw.
 */
size_t keyspace_expire(struct keyspace *ks, int64_t time, size_t effort, size_t *looked);

/*
 * Big values that ops deleted are not freed under the caller's lock but kept here: takes them as
 * one chain (NULL when none); garbage_free frees the chain, on any thread. garbage_count: values.
 */
struct garbage *keyspace_take_garbage(struct keyspace *ks);
void garbage_free(struct garbage *chain);
size_t garbage_count(const struct garbage *chain);

/* Moves the whole contents out (O(1)), leaving `ks` empty: FLUSHDB. Free what it returns elsewhere.
 */
struct keyspace *keyspace_detach(struct keyspace *ks);

/* Puts a loaded value in: the key is absent. Takes `entry` (made by value.h's builders). */
void keyspace_insert(struct keyspace *ks, struct entry *entry);
/* Takes the entry that keyspace_find would give out again; it is the caller's (entry_destroy). */
struct entry *keyspace_take(struct keyspace *ks, struct slice key, uint64_t hash, int64_t time);

#endif
