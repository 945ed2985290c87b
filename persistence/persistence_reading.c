/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the store back while a server runs: two threads of their own, since the workers' are
 * needed for loading and folding. One is for what takes long (a verification reads everything), so
 * that a listing never waits behind it. They are made when first asked for.
 */
#include "ops/mem.h"
#include "persistence/namespace-internal.h"
#include "persistence/syncer.h"

struct reading {
    struct persistence *persistence;
    bool is_long;
    persistence_reading *run;
    void *ctx;
};

static void run(void *ctx, struct store *store)
{
    struct reading *reading = ctx;
    bool stopping = atomic_load(&reading->persistence->stopping);
    reading->run(reading->ctx, stopping ? PERSISTENCE_STOPPED : PERSISTENCE_OK, store);
    mem_free(reading);
}

/* On the syncer's thread, which alone makes and ends the readers. */
static void start(void *ctx)
{
    struct reading *reading = ctx;
    struct persistence *p = reading->persistence;
    struct workers **reader = &p->readers[reading->is_long];
    if (atomic_load(&p->stopping)) {
        run(reading, NULL);
        return;
    }
    if (!*reader)
        *reader = workers_create(1, WORKERS_NICE, p->store);
    workers_submit(*reader, run, reading);
}

void persistence_read(struct persistence *p, bool is_long, persistence_reading *what, void *ctx)
{
    if (p->memory) {
        what(ctx, PERSISTENCE_OK, NULL);
        return;
    }
    struct reading *reading = mem_alloc(sizeof(*reading));
    *reading = (struct reading){p, is_long, what, ctx};
    syncer_post(p->syncer, start, reading);
}

void persistence_end_reading(struct persistence *p)
{
    for (int i = 0; i < 2; i++) {
        workers_destroy(p->readers[i]);
        p->readers[i] = NULL;
    }
}

bool persistence_in_memory(const struct persistence *p)
{
    return p->memory;
}

const _Atomic bool *persistence_stopping(struct persistence *p)
{
    return &p->stopping;
}
