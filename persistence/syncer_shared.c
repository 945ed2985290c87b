/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a sync does besides sending where other servers write too: takes their commits in under the
 * namespace's lock, and loads anew when a fold has passed us. All on the syncer's thread.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/syncer-internal.h"

/* Ops of others; and of a dead incarnation of ours, which may hold more than its journal kept. */
static bool take_ops(struct namespace *ns, const struct sync_arrival *arrival)
{
    struct commit_reader reader;
    struct op op;
    uint64_t number = arrival->first;
    commit_reader_init(&reader, text_slice(&arrival->ops), arrival->time);
    while (commit_reader_next(&reader, &op)) {
        if (!rebase_ours(ns->rebase, slice_of(arrival->replica), number++))
            rebase_theirs(ns->rebase, &op);
        op_release(&op);
    }
    bool ok = !commit_reader_error(&reader) && reader.count == arrival->count;
    commit_reader_release(&reader);
    return ok;
}

static bool take_arrival(struct namespace *ns, const struct sync_arrival *arrival)
{
    if (!arrival->pending)
        return take_ops(ns, arrival);
    return rebase_ours_all(ns->rebase, slice_of(arrival->replica), arrival->first, arrival->count);
}

/* The state here can no longer be trusted to be that of the store: nothing but a start helps. */
static void give_up(struct namespace *ns, uint64_t position)
{
    snprintf(ns->error, sizeof(ns->error),
             "%s.json: the ops of commit %" PRIu64 " cannot be taken in", ns->name, position);
    namespace_set_state(ns, NAMESPACE_FAILED);
    persistence_log(ns->owner, PERSISTENCE_LOG_WARNING, "%s", ns->error);
}

void agent_take_arrivals(struct namespace *ns)
{
    struct sync_arrival *arrival = sync_core_take_arrival(ns->agent.core);
    if (!arrival)
        return;
    namespace_lock_aside(ns);
    while (arrival) {
        ns->agent.arriving = arrival->position;
        if (!take_arrival(ns, arrival))
            give_up(ns, arrival->position);
        sync_arrival_destroy(arrival);
        arrival = sync_core_take_arrival(ns->agent.core);
    }
    rebase_finish(ns->rebase);
    agent_note_position(ns, ns->agent.arriving);
    namespace_note_held(ns);
    if (rebase_clock(ns->rebase) > ns->clock)
        ns->clock = rebase_clock(ns->rebase);
    struct rebase_garbage *garbage = rebase_take_garbage(ns->rebase);
    namespace_unlock(ns);
    rebase_garbage_free(garbage);
}

/* --- loading anew --- */

struct reload_job {
    struct namespace *ns;
    struct loaded loaded;
    enum loader_result result;
    struct text error;
};

static void free_keyspace(void *ctx, struct store *store)
{
    (void)store;
    keyspace_destroy(ctx);
}

static void free_later(struct namespace *ns, struct keyspace *keyspace)
{
    if (ns->owner->workers)
        workers_submit(ns->owner->workers, free_keyspace, keyspace);
    else
        keyspace_destroy(keyspace);
}

static void put_under(struct namespace *ns, struct loaded *loaded)
{
    namespace_lock_aside(ns);
    struct keyspace *old = ns->keyspace;
    ns->agent.arriving = loaded->head.position;
    rebase_restart(ns->rebase, loaded->keyspace, loaded->clock, &loaded->head);
    ns->keyspace = loaded->keyspace;
    agent_note_position(ns, loaded->head.position);
    namespace_note_held(ns);
    if (ns->owner->options.arrived)
        ns->owner->options.arrived(ns->attachment, NULL, NULL);
    if (rebase_clock(ns->rebase) > ns->clock)
        ns->clock = rebase_clock(ns->rebase);
    struct rebase_garbage *garbage = rebase_take_garbage(ns->rebase);
    namespace_unlock(ns);
    rebase_garbage_free(garbage);
    free_later(ns, old);
}

static void reload_finished(void *ctx)
{
    struct reload_job *job = ctx;
    struct namespace *ns = job->ns;
    ns->agent.reloading = false;
    if (job->result == LOADER_OK && !sync_core_may_reload(ns->agent.core, &job->loaded.head)) {
        /* An operator has put an older copy back, say: what is served is the newer one. */
        free_later(ns, job->loaded.keyspace);
        head_release(&job->loaded.head);
    } else if (job->result == LOADER_OK) {
        put_under(ns, &job->loaded);
        sync_core_reload(ns->agent.core, &job->loaded.head, job->loaded.etag);
    } else {
        sync_core_reload_failed(ns->agent.core, persistence_now(ns->owner),
                                job->result == LOADER_CORRUPT ? STORE_INVALID : STORE_TRANSIENT,
                                text_terminated(&job->error));
    }
    text_release(&job->error);
    mem_free(job);
    agent_settle(ns);
    agent_run(ns);
}

static void reload_run(void *ctx, struct store *store)
{
    struct reload_job *job = ctx;
    struct loader_options options = namespace_loader(job->ns, store);
    options.expect = true;
    job->result = loader_run(&options, &job->loaded, &job->error);
    syncer_post(job->ns->owner->syncer, reload_finished, job);
}

void agent_start_reload(struct namespace *ns)
{
    if (!ns->owner->workers)
        return; /* going down: what is pending stays in the journal */
    struct reload_job *job = mem_calloc(1, sizeof(*job));
    job->ns = ns;
    ns->agent.reloading = true;
    workers_submit(ns->owner->workers, reload_run, job);
}
