/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few threads for work that may take long: some for folding, some for loading, moving commits
 * into runs, tidying, probing. Each has a store handle of its own, since a handle belongs to one
 * thread.
 */
#ifndef CAIRN_PERSISTENCE_WORKERS_H
#define CAIRN_PERSISTENCE_WORKERS_H

#include "persistence/store.h"

struct workers;

typedef void worker_job(void *ctx, struct store *store);

/* What they yield to serving by where processors are scarce: see setpriority(2). */
#define WORKERS_NICE 10

/* Handles are cloned from `store`, which may be NULL: jobs get NULL then. */
struct workers *workers_create(int count, int nice, struct store *store);
/* Carries out what is queued, then stops. NULL-safe. */
void workers_destroy(struct workers *workers);
/* Any thread. Jobs begin in the order they came. */
void workers_submit(struct workers *workers, worker_job *job, void *ctx);

#endif
