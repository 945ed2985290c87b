/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What others have committed: a head that was read is believed only if it continues our chain; its
 * commits after our position are gathered, segments fetched, and handed out in order as arrivals.
 * Which of our own ops are among them, their replica's name and numbers say.
 */
#include "persistence/sync_core-internal.h"

#include <assert.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/run.h"

static struct sync_arrival *arrival_of(const struct commit *commit)
{
    struct sync_arrival *arrival = mem_calloc(1, sizeof(*arrival));
    memcpy(arrival->replica, commit->replica, sizeof(arrival->replica));
    arrival->position = commit->position;
    arrival->first = commit->first;
    arrival->count = commit->count;
    arrival->time = commit->time;
    return arrival;
}

static void add_arriving(struct sync_core *core, struct sync_arrival *arrival)
{
    *core->arriving_end = arrival;
    core->arriving_end = &arrival->next;
}

static void pass_on(struct sync_core *core)
{
    if (core->arriving) {
        *core->arrivals_end = core->arriving;
        core->arrivals_end = core->arriving_end;
    }
    core->arriving = NULL;
    core->arriving_end = &core->arriving;
}

void sync_core_forget_incoming(struct sync_core *core)
{
    while (core->arriving) {
        struct sync_arrival *next = core->arriving->next;
        sync_arrival_destroy(core->arriving);
        core->arriving = next;
    }
    core->arriving_end = &core->arriving;
    if (core->is_incoming)
        head_release(&core->incoming);
    core->is_incoming = false;
}

struct sync_arrival *sync_core_take_arrival(struct sync_core *core)
{
    struct sync_arrival *arrival = core->arrivals;
    if (arrival) {
        core->arrivals = arrival->next;
        if (!core->arrivals)
            core->arrivals_end = &core->arrivals;
        arrival->next = NULL;
    }
    return arrival;
}

void sync_core_note_own(struct sync_core *core)
{
    const struct sync_batch *batch = core->queue;
    struct sync_arrival *arrival = mem_calloc(1, sizeof(*arrival));
    memcpy(arrival->replica, batch->replica, sizeof(arrival->replica));
    arrival->position = core->head.position;
    arrival->first = batch->first;
    arrival->count = batch->count;
    arrival->time = batch->time;
    arrival->pending = true;
    add_arriving(core, arrival);
    pass_on(core);
}

bool sync_core_has_pending(const struct sync_core *core, const struct commit *commit)
{
    uint64_t next = commit->first, last = commit->first + commit->count - 1;
    for (const struct sync_batch *batch = core->queue; batch; batch = batch->next) {
        if (strcmp(batch->replica, commit->replica) != 0)
            continue;
        if (batch->first <= next && next < batch->first + batch->count)
            next = batch->first + batch->count;
    }
    return next > last;
}

#define NOT_CONTINUED "it does not continue what this server has seen of it"

static void install(struct sync_core *core, int64_t now)
{
    bool base_landed = core->base_placed && core->incoming.base.position > core->base_position;
    const struct sync_batch *first = core->queue;
    const char *why = sync_core_settle_queue(core, &core->incoming);
    if (why) {
        sync_core_be_stuck(core, STORE_INVALID, why);
        return;
    }
    pass_on(core);
    head_release(&core->head);
    core->head = core->incoming;
    core->is_incoming = false;
    core->ours_last =
        core->head.position > core->position &&
        strcmp(core->head.tail[core->head.tail_count - 1].replica, core->settings.incarnation) == 0;
    run_close(&core->head);
    if (base_landed)
        core->folds++;
    core->placed = core->base_placed = core->run_placed = false;
    sync_core_end_read(core, now, core->incoming_etag, base_landed || core->queue != first);
}

/* Does `incoming`, whose commits reach back to our position, continue our chain? */
static bool continues(struct sync_core *core)
{
    const struct head *head = &core->incoming;
    char hash[SHA256_HEX_SIZE];
    if (head_hash_at(head, core->position, hash) && strcmp(hash, core->hash) == 0) {
        core->fetch_at = (size_t)(core->position - (head->position - head->tail_count));
        core->incoming_checked = true;
        return true;
    }
    sync_core_forget_incoming(core);
    sync_core_be_stuck(core, STORE_PRECONDITION, NOT_CONTINUED);
    return false;
}

static bool wants_run(const struct sync_core *core)
{
    return core->incoming.position - core->incoming.tail_count > core->position;
}

/* Takes commits up to the first whose segment, or the run it lies in, has to be fetched. */
static void gather(struct sync_core *core, int64_t now)
{
    struct head *head = &core->incoming;
    if (wants_run(core)) {
        core->phase = PHASE_FETCH;
        return;
    }
    if (!core->incoming_checked && !continues(core))
        return;
    for (; core->fetch_at < head->tail_count; core->fetch_at++) {
        const struct commit *commit = &head->tail[core->fetch_at];
        bool pending = sync_core_has_pending(core, commit);
        if (!pending && commit->segment[0]) {
            core->phase = PHASE_FETCH;
            return;
        }
        struct sync_arrival *arrival = arrival_of(commit);
        arrival->pending = pending;
        if (!pending)
            text_append_slice(&arrival->ops, commit->ops);
        add_arriving(core, arrival);
    }
    install(core, now);
}

void sync_core_receive(struct sync_core *core, int64_t now, struct head *head, const char *etag)
{
    bool folded = head->base.position > core->position;
    const char *why = sync_core_continues(core, head) ? sync_core_twin(core, head) : NOT_CONTINUED;
    if (why) {
        head_release(head);
        sync_core_be_stuck(core, STORE_PRECONDITION, why);
        return;
    }
    sync_core_note_seen(core, head);
    if (folded) {
        head_release(head);
        core->phase = PHASE_RELOAD;
        return;
    }
    core->incoming = *head;
    core->is_incoming = true;
    core->incoming_checked = false;
    snprintf(core->incoming_etag, sizeof(core->incoming_etag), "%s", etag);
    gather(core, now);
}

static const char *wanted_object(const struct sync_core *core)
{
    return wants_run(core) ? run_next(&core->incoming)->object
                           : core->incoming.tail[core->fetch_at].segment;
}

enum sync_want sync_core_request_segment(const struct sync_core *core,
                                         struct sync_request *ret_request)
{
    snprintf(ret_request->key, sizeof(ret_request->key), "%s/%s", core->namespace,
             wanted_object(core));
    return SYNC_GET;
}

/* The segment's ops become an arrival; a run's commits are gathered like those of the head. */
static bool take_object(struct sync_core *core, struct slice body, struct text *error)
{
    struct slice ops;
    if (wants_run(core))
        return run_open(&core->incoming, body, error);
    const struct commit *commit = &core->incoming.tail[core->fetch_at];
    if (!segment_find(body, slice_of(core->namespace), commit, &ops, error))
        return false;
    struct sync_arrival *arrival = arrival_of(commit);
    text_append_slice(&arrival->ops, ops);
    add_arriving(core, arrival);
    core->fetch_at++;
    return true;
}

/*
 * What the head names is not there, or is not what it says. A fold, or a longer run, may have made
 * it superfluous since that head was read: so it is read again, the first time without a word. An
 * object that the newest head still names is lost or damaged.
 */
static void doubt(struct sync_core *core, int64_t now, enum store_result result, const char *reason)
{
    const char *object = wanted_object(core);
    if (strcmp(core->doubted, object) == 0) {
        struct text why = {0};
        text_append_format(&why, "%s/%s, which %s.json names, ", core->namespace, object,
                           core->namespace);
        if (result == STORE_NOT_FOUND)
            text_append_string(&why, "is missing");
        else
            text_append_format(&why, "cannot be used: %s", reason);
        sync_core_fail(core, now, result, text_terminated(&why));
        text_release(&why);
    }
    snprintf(core->doubted, sizeof(core->doubted), "%s", object);
    sync_core_forget_incoming(core);
    core->phase = PHASE_READ;
}

void sync_core_answer_segment(struct sync_core *core, int64_t now, enum store_result result,
                              struct slice body, const char *error)
{
    struct text reason = {0};
    if (result == STORE_NOT_FOUND) {
        doubt(core, now, result, error);
    } else if (result != STORE_OK) {
        sync_core_fail(core, now, result, error);
    } else if (!take_object(core, body, &reason)) {
        doubt(core, now, STORE_INVALID, text_terminated(&reason));
    } else {
        /* Not before all is taken in that something was amiss with. */
        if (!core->doubted[0])
            sync_core_succeed(core);
        gather(core, now);
    }
    text_release(&reason);
}

bool sync_core_may_reload(struct sync_core *core, const struct head *head)
{
    assert(core->phase == PHASE_RELOAD);
    const char *why = sync_core_continues(core, head) ? sync_core_twin(core, head) : NOT_CONTINUED;
    if (!why)
        why = sync_core_doubt(core, head);
    if (why)
        sync_core_be_stuck(core, STORE_PRECONDITION, why);
    return !why;
}

void sync_core_reload(struct sync_core *core, struct head *head, const char *etag)
{
    assert(core->phase == PHASE_RELOAD && head->position >= core->position);
    const struct sync_batch *first = core->queue;
    const char *why = sync_core_settle_queue(core, head);
    if (why) {
        head_release(head);
        sync_core_be_stuck(core, STORE_PRECONDITION, why);
        return;
    }
    head_release(&core->head);
    core->head = *head;
    core->placed = core->base_placed = core->run_placed = core->ours_last = false;
    sync_core_judge_loss(core, true, core->queue != first);
    sync_core_remember(core, etag);
    core->phase = PHASE_REST;
    sync_core_succeed(core);
}

void sync_core_reload_failed(struct sync_core *core, int64_t now, enum store_result result,
                             const char *error)
{
    assert(core->phase == PHASE_RELOAD);
    sync_core_fail(core, now, result, error);
}
