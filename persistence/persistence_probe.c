/* SPDX-License-Identifier: BSD-3-Clause */
/* The probe at the start; and on demand, on a worker, so that nobody waits but who asked. */
#include "persistence/persistence_probe.h"

#include "ops/mem.h"
#include "persistence/namespace-internal.h"
#include "persistence/syncer.h"

struct probe_job {
    struct persistence *persistence;
    persistence_probe_done *done;
    void *ctx;
};

#define WITH_LOCKS "commit-mode lock: writers take turns by lock objects, since "

/* The store that the locks stand before; what is wrong with its conditions goes to `sentence`. */
static enum probe_result probe_beneath(struct store *store, struct text *sentence)
{
    struct store *beneath = store_clone(store_beneath(store));
    enum probe_result result = probe_run_for_lock(beneath, sentence);
    store_close(beneath);
    return result;
}

enum probe_result persistence_probe_at_start(struct persistence *p, struct store *store,
                                             struct text *error)
{
    struct text sentence = {0};
    if (!store_beneath(store))
        return probe_run(store, error);
    enum probe_result result = probe_beneath(store, &sentence);
    if (result != PROBE_OK)
        text_append_slice(error, text_slice(&sentence));
    else if (sentence.len)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        WITH_LOCKS "%s. A server or a request that is held up for longer than half "
                                   "of lock-ttl can undo others' commits: see docs/s3.md",
                        text_terminated(&sentence));
    else
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "commit-mode lock, though the store's conditional writes hold: commit-mode "
                        "cas, on every server, would be safer and faster");
    text_release(&sentence);
    return result;
}

static void finish(struct probe_job *job, enum probe_result result, const char *sentence)
{
    job->done(job->ctx, result, sentence);
    mem_free(job);
}

static void run(void *ctx, struct store *store)
{
    struct text sentence = {0};
    enum probe_result result;
    if (store_beneath(store)) {
        struct text how = {0};
        result = probe_beneath(store, &how);
        if (result == PROBE_OK)
            text_append_string(&sentence, how.len ? "OK, " WITH_LOCKS : "OK, commit-mode lock");
        text_append_slice(&sentence, text_slice(&how));
        text_release(&how);
    } else {
        result = probe_run(store, &sentence);
    }
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
