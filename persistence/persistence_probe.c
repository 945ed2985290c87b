/* SPDX-License-Identifier: BSD-3-Clause */
/* The probe on demand, on a worker, so that nobody waits for the store but who asked. */
#include "ops/mem.h"
#include "persistence/namespace-internal.h"
#include "persistence/syncer.h"

struct probe_job {
    struct persistence *persistence;
    persistence_probe_done *done;
    void *ctx;
};

static void finish(struct probe_job *job, enum probe_result result, const char *sentence)
{
    job->done(job->ctx, result, sentence);
    mem_free(job);
}

static void run(void *ctx, struct store *store)
{
    struct text sentence = {0};
    enum probe_result result = probe_run(store, &sentence);
    finish(ctx, result, text_terminated(&sentence));
    text_release(&sentence);
}

/* On the syncer's thread, which alone gives the workers anything to do. */
static void start(void *ctx)
{
    struct probe_job *job = ctx;
    struct workers *workers = job->persistence->workers;
    if (workers && !atomic_load(&job->persistence->stopping))
        workers_submit(workers, run, job);
    else
        finish(job, PROBE_UNREACHABLE, "the server is going down");
}

void persistence_probe(struct persistence *p, persistence_probe_done *done, void *ctx)
{
    struct probe_job *job = mem_alloc(sizeof(*job));
    *job = (struct probe_job){p, done, ctx};
    if (p->memory)
        finish(job, PROBE_OK, ""); /* nobody else reaches it */
    else
        syncer_post(p->syncer, start, job);
}
