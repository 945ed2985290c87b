/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shows that a store's conditional writes hold, before anything is trusted to it: several servers
 * and services that speak S3 ignore the conditions, or let two racers win. Speaks the store's
 * interface alone, so it says the same of any kind.
 */
#ifndef CAIRN_PERSISTENCE_PROBE_H
#define CAIRN_PERSISTENCE_PROBE_H

#include "persistence/store.h"

enum probe_result {
    PROBE_OK,
    PROBE_REFUSED,     /* the store does not do what swaps need; `sentence` says what */
    PROBE_DENIED,      /* no access, no bucket, no space: somebody must mend it first */
    PROBE_UNREACHABLE, /* no answer: nothing is known about swaps; try again later */
};

/*
 * Writes, races for and removes objects named cairn-probe/…; blocks for some 150 requests. Finds
 * out how the store wants ETags quoted. `sentence` is appended to unless the result is PROBE_OK.
 */
enum probe_result probe_run(struct store *store, struct text *sentence);

/*
 * For commit-mode lock: the store must give back what was put last, at once, and tell it by its
 * ETag. How its conditional writes fail is appended to `sentence` all the same, with PROBE_OK; it
 * stays empty when they hold.
 */
enum probe_result probe_run_for_lock(struct store *store, struct text *sentence);

#endif
