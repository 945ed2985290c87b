/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store before a store whose conditional PUTs do not hold (commit-mode lock): turns each into
 * one that is done alone. Objects X.json are guarded by X.lock; other requests pass untouched.
 *
 *     look -> take (put our token) -> settle -> read the object -> confirm the token
 *      ^ |                                                              |
 *      | v held by another: has the object changed? then refuse         v
 *     pause                            remove the lock <- put the object, unconditionally
 *
 * Two who find the lock free both put their token; the later one stays. Who takes longer than the
 * settle time from the look to the end of the put gives the token up, so whoever still reads its
 * own after that time is alone (Fischer's algorithm, with the bound measured instead of assumed).
 *
 * Clocks of hosts are never compared: a lock is stale when its token has not changed for the TTL
 * as seen here. Its holder puts nothing later than half the TTL after it began to put the token;
 * what it put has the other half to take effect. So two things must hold outside: all servers have
 * the same TTL, and no request takes effect later than half of it after it was sent.
 */
#ifndef CAIRN_PERSISTENCE_STORE_LOCK_H
#define CAIRN_PERSISTENCE_STORE_LOCK_H

#include "persistence/store.h"

/* Time of a test's own. */
struct store_lock_clock {
    int64_t (*now_ms)(void *ctx); /* never goes back */
    /* Calls wake(arg) once, later. */
    void (*wake_after)(void *ctx, int64_t ms, void (*wake)(void *arg), void *arg);
    void (*run)(void *ctx, const bool *finished); /* for store_wait and store_run */
    void *ctx;
};

struct store_lock_options {
    int64_t ttl_ms;                       /* the same for all who use the store */
    const char *holder;                   /* who holds it, for people who read the bucket; copied */
    const struct store_lock_clock *clock; /* NULL: the system's, and timers on the handle's loop */
    uint64_t seed;                        /* of pauses; 0: any */
};

/* Takes `inner`, to which nothing has been sent yet. */
struct store *store_lock_create(struct store *inner, const struct store_lock_options *options);

/* Of a handle and all its clones. */
struct store_lock_counts {
    int64_t taken;      /* locks held */
    int64_t waits;      /* looks that found another's lock */
    int64_t takeovers;  /* stale locks that were taken over */
    int64_t late;       /* tokens given up since a request took too long */
    int64_t unreleased; /* locks left to become stale, since an outcome was open or time was up */
};
/* False when it is another kind of store. */
bool store_lock_count(struct store *store, struct store_lock_counts *ret_counts);

/* From the look to the end of the put that may take at most; and the pause after it. */
int64_t store_lock_settle_ms(int64_t ttl_ms);

#endif
