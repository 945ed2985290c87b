/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store before a store, that injects faults: for tests and simulations. Seeded, so that a run
 * can be repeated. Every fault is one that a real store or the network before it shows.
 */
#ifndef CAIRN_PERSISTENCE_STORE_FAULTY_H
#define CAIRN_PERSISTENCE_STORE_FAULTY_H

#include "persistence/store.h"

#define STORE_FAULT_LIST(X)                                                                        \
    X(ANSWER_LOST)  /* PUT, REMOVE: done, but the answer is UNKNOWN */                             \
    X(REQUEST_LOST) /* PUT, REMOVE: not done, and the answer is UNKNOWN */                         \
    X(LATE)         /* PUT: UNKNOWN now; tried, with its condition, a few requests later */        \
    X(TRANSIENT)    /* not done, and the store says so */                                          \
    X(NO_SPACE)     /* PUT: not done */

enum store_fault {
#define X(name) STORE_FAULT_##name,
    STORE_FAULT_LIST(X)
#undef X
        STORE_FAULT_COUNT
};

struct store_faults {
    unsigned permille[STORE_FAULT_COUNT]; /* chance of each, for each request it can befall */
};

/* Takes `inner`. Clones share faults, counters and what is late. */
struct store *store_faulty_create(struct store *inner, uint64_t seed,
                                  const struct store_faults *faults);
/* Changes the odds from now on; all zero: healed. What is late still lands. */
void store_faulty_set(struct store *store, const struct store_faults *faults);
/* How often each happened. */
void store_faulty_count(struct store *store, uint64_t ret_counts[STORE_FAULT_COUNT]);

#endif
