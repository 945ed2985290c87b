/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See sync_core.h. `head` is what the store holds in the phase of rest; while a swap is under way
 * it is what the store shall hold. A swap that may have landed is never guessed at: the head is
 * read again, and if it did not land the candidate is built anew from what was read.
 */
#include "persistence/sync_core-internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"

#define BACKOFF_MIN_MS 50
#define LOSS_MIN_MS    INT64_C(5)
/* What a lost swap says against the store, where others have swapped meanwhile and where not. */
#define SUSPICION_OVERTAKEN 1
#define SUSPICION_ALONE     4
#define SUSPICION_MAX       15 /* more is a failure, with its pause */

void sync_batch_destroy(struct sync_batch *batch)
{
    if (!batch)
        return;
    text_release(&batch->ops);
    text_release(&batch->json);
    mem_free(batch);
}

bool sync_batch_skip(struct sync_batch *batch, uint64_t count)
{
    size_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct slice rest = slice_make(batch->ops.data + at, batch->ops.len - at);
        size_t len = op_binary_skip(rest, NULL, NULL);
        if (!len)
            return false;
        at += len;
    }
    memmove(batch->ops.data, batch->ops.data + at, batch->ops.len - at);
    batch->ops.len -= at;
    batch->first += count;
    batch->count -= count;
    batch->gone_count += count;
    batch->gone_bytes += at;
    text_clear(&batch->json);
    batch->segment[0] = '\0';
    return true;
}

struct sync_core *sync_core_create(struct slice namespace, const struct sync_settings *settings)
{
    struct sync_core *core = mem_calloc(1, sizeof(*core));
    core->settings = *settings;
    if (!core->settings.object_age_ms)
        core->settings.object_age_ms = SYNC_OBJECT_AGE_MS;
    memcpy(core->namespace, namespace.data, namespace.len);
    core->queue_end = &core->queue;
    core->done_end = &core->done;
    core->arrivals_end = &core->arrivals;
    core->arriving_end = &core->arriving;
    core->result = core->lost = STORE_OK;
    return core;
}

static void destroy_batches(struct sync_batch *batch)
{
    while (batch) {
        struct sync_batch *next = batch->next;
        sync_batch_destroy(batch);
        batch = next;
    }
}

void sync_arrival_destroy(struct sync_arrival *arrival)
{
    if (!arrival)
        return;
    text_release(&arrival->ops);
    mem_free(arrival);
}

static void destroy_arrivals(struct sync_arrival *arrival)
{
    while (arrival) {
        struct sync_arrival *next = arrival->next;
        sync_arrival_destroy(arrival);
        arrival = next;
    }
}

static void forget_base(struct sync_core *core)
{
    if (core->base_waits)
        head_base_release(&core->base);
    core->base_waits = false;
}

static void forget_run(struct sync_core *core)
{
    if (core->run_waits)
        head_run_release(&core->run);
    core->run_waits = false;
}

void sync_core_destroy(struct sync_core *core)
{
    if (!core)
        return;
    destroy_batches(core->queue);
    destroy_batches(core->done);
    forget_base(core);
    forget_run(core);
    sync_core_forget_incoming(core);
    destroy_arrivals(core->arrivals);
    if (core->adopted)
        head_release(&core->head);
    text_release(&core->body);
    mem_free(core);
}

void sync_core_note_seen(struct sync_core *core, const struct head *head)
{
    core->seen_position = head->position;
    core->seen_base = head->base.position;
    memcpy(core->seen_hash, head->hash, sizeof(core->seen_hash));
}

/* A fold that has passed what was seen leaves nothing to compare it with. */
bool sync_core_continues(const struct sync_core *core, const struct head *head)
{
    char hash[SHA256_HEX_SIZE];
    if (head->position < core->seen_position || head->base.position < core->seen_base)
        return false;
    return !core->seen_hash[0] || !head_hash_at(head, core->seen_position, hash) ||
           strcmp(hash, core->seen_hash) == 0;
}

void sync_core_remember(struct sync_core *core, const char *etag)
{
    snprintf(core->etag, sizeof(core->etag), "%s", etag);
    core->position = core->head.position;
    memcpy(core->hash, core->head.hash, sizeof(core->hash));
    core->base_position = core->head.base.position;
    sync_core_note_seen(core, &core->head);
}

void sync_core_adopt(struct sync_core *core, struct head *head, const char *etag)
{
    assert(!core->adopted && core->phase == PHASE_REST);
    core->head = *head;
    core->adopted = true;
    sync_core_remember(core, etag);
}

void sync_core_leave(struct sync_core *core)
{
    assert(!core->queue && core->phase == PHASE_REST);
    if (core->adopted)
        head_release(&core->head);
    core->adopted = false;
    forget_base(core);
    forget_run(core);
}

bool sync_core_adopted(const struct sync_core *core)
{
    return core->adopted;
}

bool sync_core_polling(const struct sync_core *core)
{
    return core->poll || core->phase == PHASE_POLL || core->phase == PHASE_READ ||
           core->phase == PHASE_FETCH || core->phase == PHASE_RELOAD || core->phase == PHASE_STUCK;
}

void sync_core_push(struct sync_core *core, struct sync_batch *batch)
{
    assert(batch->count > 0);
    batch->next = NULL;
    *core->queue_end = batch;
    core->queue_end = &batch->next;
}

struct sync_batch *sync_core_take_done(struct sync_core *core)
{
    struct sync_batch *batch = core->done;
    if (batch) {
        core->done = batch->next;
        if (!core->done)
            core->done_end = &core->done;
        batch->next = NULL;
    }
    return batch;
}

bool sync_core_at_rest(const struct sync_core *core)
{
    return core->phase == PHASE_REST && !core->queue && !core->base_waits && !core->poll;
}

void sync_core_poll(struct sync_core *core)
{
    assert(core->settings.shared);
    core->poll = true;
}

void sync_core_be_stuck(struct sync_core *core, enum store_result result, const char *why)
{
    core->phase = PHASE_STUCK;
    core->result = result;
    core->failures++;
    snprintf(core->error, sizeof(core->error), "%s.json: %s", core->namespace, why);
}

/* --- building --- */

/* An object that got its name then is too old to be named by a new head: it may be removed. */
static bool is_old(const struct sync_core *core, int64_t then, int64_t now)
{
    return now - then >= core->settings.object_age_ms;
}

static void start_segment(struct sync_core *core, struct sync_batch *batch, int64_t now)
{
    char uuid[UUID_TEXT_SIZE];
    core->settings.make_uuid(now, uuid);
    snprintf(batch->segment, sizeof(batch->segment), "segment-%s.json", uuid);
    batch->named = now;
    batch->uploaded = false;
    core->phase = PHASE_SEGMENT;
}

static void append_commit(struct sync_core *core, const struct sync_batch *batch, int64_t now)
{
    struct commit commit = {.position = core->head.position + 1,
                            .time = batch->time,
                            .first = batch->first,
                            .count = batch->count,
                            .bytes = batch->bytes};
    memcpy(commit.replica, batch->replica, sizeof(commit.replica));
    memcpy(commit.segment, batch->segment, sizeof(commit.segment));
    memcpy(commit.sha256, batch->sha256, sizeof(commit.sha256));
    if (batch->segment[0])
        commit_seal_segment(&commit);
    else
        commit_seal_inline(&commit,
                           slice_make(batch->json.data + batch->json_ops, batch->json_ops_len));
    head_append(&core->head, &commit);
    /* Not the batch's time: that may be old when it leaves at last. */
    head_replica(&core->head, slice_of(batch->replica))->time = now;
}

static void place_run(struct sync_core *core, int64_t now)
{
    bool fresh = !is_old(core, core->run_began, now);
    core->run_placed = core->run_waits && fresh && head_place_run(&core->head, &core->run);
    if (core->run_waits && !core->run_placed)
        head_run_release(&core->run);
    core->run_waits = false;
}

static void start_swap(struct sync_core *core, struct sync_batch *batch, int64_t now)
{
    core->base_placed = core->run_placed = false;
    if (core->base_waits) {
        /* Removal of orphans might be about to take chunks that waited too long. */
        bool fresh = !is_old(core, core->base_began, now);
        core->base_placed = fresh && head_rebase(&core->head, &core->base);
        if (!core->base_placed)
            head_base_release(&core->base);
        core->base_waits = false;
        if (!batch && !core->base_placed && core->etag[0])
            return;
    }
    place_run(core, now);
    if (batch)
        append_commit(core, batch, now);
    core->placed = batch != NULL;
    sync_core_drop_entries(core, now);
    text_clear(&core->body);
    head_encode(&core->head, &core->body);
    core->phase = PHASE_SWAP;
}

static bool encode_batch(struct sync_core *core, struct sync_batch *batch)
{
    struct commit commit = {.time = batch->time, .first = batch->first, .count = batch->count};
    if (batch->json.len)
        return true;
    memcpy(commit.replica, batch->replica, sizeof(commit.replica));
    if (!segment_encode(&batch->json, slice_of(core->namespace), &commit,
                        text_slice(&batch->ops))) {
        sync_core_be_stuck(core, STORE_INVALID, "pending ops cannot be encoded");
        return false;
    }
    batch->json_ops = (size_t)(commit.ops.data - batch->json.data);
    batch->json_ops_len = commit.ops.len;
    batch->bytes = commit.bytes;
    memcpy(batch->sha256, commit.sha256, sizeof(batch->sha256));
    return true;
}

/*
 * Where others write too, a batch may lose many times; those that came meanwhile go with it, so
 * that no writer falls behind. One whose segment is uploaded goes as it is: it is quicker.
 */
static void merge_batches(struct sync_core *core, int64_t now)
{
    struct sync_batch *batch = core->queue, *next;
    if (batch->segment[0] && batch->uploaded && !is_old(core, batch->named, now))
        return;
    while ((next = batch->next) && strcmp(next->replica, batch->replica) == 0 &&
           next->first == batch->first + batch->count &&
           batch->ops.len + next->ops.len <= core->settings.merge_limit) {
        text_append_slice(&batch->ops, text_slice(&next->ops));
        batch->count += next->count;
        batch->joined += 1 + next->joined;
        batch->gone_count += next->gone_count;
        batch->gone_bytes += next->gone_bytes;
        if (next->ticket)
            batch->ticket = next->ticket;
        text_clear(&batch->json);
        batch->segment[0] = '\0';
        batch->next = next->next;
        if (!batch->next)
            core->queue_end = &batch->next;
        sync_batch_destroy(next);
        core->merged++;
    }
}

/* Of the commits that will be inside the head when the waiting run is in its place. */
static size_t inline_bytes(const struct sync_core *core)
{
    uint64_t end = core->run_waits ? core->run.position : 0;
    size_t bytes = 0;
    for (size_t i = 0; i < core->head.tail_count; i++)
        if (core->head.tail[i].position > end)
            bytes += core->head.tail[i].text.len;
    return bytes;
}

/*
 * The next candidate. The first object beside a head needs a head to be there, if an empty one:
 * objects without a head mean that the head was lost.
 */
static void build(struct sync_core *core, int64_t now)
{
    struct sync_batch *batch = core->queue;
    if (batch) {
        if (core->settings.shared)
            merge_batches(core, now);
        if (!encode_batch(core, batch))
            return;
        bool fits = inline_bytes(core) + batch->json_ops_len <= core->settings.inline_limit;
        bool stale = batch->segment[0] && is_old(core, batch->named, now);
        if ((!fits && !batch->segment[0]) || stale) {
            if (core->etag[0])
                start_segment(core, batch, now);
            else
                start_swap(core, NULL, now);
            return;
        }
    }
    start_swap(core, batch, now);
}

/* The candidate names an object that was uploaded too long ago. */
static bool candidate_stale(const struct sync_core *core, int64_t now)
{
    const struct sync_batch *batch = core->placed ? core->queue : NULL;
    if (batch && batch->segment[0] && is_old(core, batch->named, now))
        return true;
    if (core->run_placed && is_old(core, core->run_began, now))
        return true;
    return core->base_placed && is_old(core, core->base_began, now);
}

static void request_head(const struct sync_core *core, struct sync_request *request)
{
    snprintf(request->key, sizeof(request->key), "%s.json", core->namespace);
}

enum sync_want sync_core_next(struct sync_core *core, int64_t now, struct sync_request *ret_request)
{
    *ret_request = (struct sync_request){0};
    if (core->phase == PHASE_REST && core->adopted && core->poll)
        core->phase = PHASE_POLL;
    if (core->phase == PHASE_REST && core->adopted && (core->queue || core->base_waits))
        build(core, now);
    if (core->phase == PHASE_REST)
        return SYNC_REST;
    if (core->phase == PHASE_STUCK)
        return SYNC_STUCK;
    if (now < core->retry_at) {
        ret_request->until = core->retry_at;
        return SYNC_SLEEP;
    }
    if (core->phase == PHASE_SWAP && candidate_stale(core, now))
        core->phase = PHASE_READ;
    if (core->phase == PHASE_SEGMENT && is_old(core, core->queue->named, now))
        start_segment(core, core->queue, now); /* under a name that looks new to others */
    if (core->phase == PHASE_RELOAD)
        return SYNC_RELOAD;
    if (core->phase == PHASE_FETCH)
        return sync_core_request_segment(core, ret_request);
    if (core->phase == PHASE_READ || core->phase == PHASE_POLL) {
        /* Whatever it is read for, it is a look too; who asks from now on wants a later one. */
        core->poll = false;
        request_head(core, ret_request);
        if (core->phase == PHASE_POLL)
            memcpy(ret_request->etag, core->etag, sizeof(ret_request->etag));
        return SYNC_GET;
    }
    ret_request->body = text_slice(&core->body);
    if (core->phase == PHASE_SEGMENT) {
        ret_request->body = text_slice(&core->queue->json);
        snprintf(ret_request->key, sizeof(ret_request->key), "%s/%s", core->namespace,
                 core->queue->segment);
        return SYNC_PUT;
    }
    if (core->placed)
        core->queue->sent = true;
    request_head(core, ret_request);
    ret_request->condition = core->etag[0] ? STORE_IF_MATCH : STORE_IF_ABSENT;
    memcpy(ret_request->etag, core->etag, sizeof(ret_request->etag));
    return SYNC_PUT;
}

/* --- answers --- */

/* That the store can be read, or takes a segment, does not end what is told of swaps. */
void sync_core_succeed(struct sync_core *core)
{
    core->doubted[0] = '\0';
    core->retry_at = 0;
    if (core->suspicion > SUSPICION_MAX)
        return;
    core->result = STORE_OK;
    core->error[0] = '\0';
    core->backoff = 0;
}

/* Where others write too, those who failed together must not come back together. */
static int64_t jitter(const struct sync_core *core, int64_t delay)
{
    const struct sync_settings *settings = &core->settings;
    if (!settings->shared)
        return delay;
    uint64_t span = (uint64_t)delay / 2 + 1;
    return delay / 2 + (int64_t)(settings->random(settings->ctx) % span);
}

/* The race for the head was lost: the first time try again soon, then give way more and more. */
static void lose(struct sync_core *core, int64_t now, enum store_result result, const char *error)
{
    const struct sync_settings *settings = &core->settings;
    core->phase = PHASE_READ;
    core->lost = result;
    snprintf(core->lost_error, sizeof(core->lost_error), "%s",
             result == STORE_UNKNOWN
                 ? error
                 : "the store takes no new head, though the old one is what it was");
    if (!settings->shared)
        return;
    core->losses++;
    int64_t window = LOSS_MIN_MS << (core->losses_in_row < 8 ? core->losses_in_row : 8);
    core->losses_in_row++;
    if (window > settings->backoff_max_ms)
        window = settings->backoff_max_ms;
    core->retry_at = now + (int64_t)(settings->random(settings->ctx) % (uint64_t)(window + 1));
}

/*
 * A swap may get lost on a head that stays what it is: an answer was, or a request. Again and again
 * it is the store that does not take it, whatever it lets us read. Where others have swapped it was
 * a race, which many may lose in a row; but not with an open outcome each time.
 */
void sync_core_judge_loss(struct sync_core *core, bool moved, bool landed)
{
    if (landed || (moved && core->lost == STORE_PRECONDITION))
        core->suspicion = 0;
    else if (core->lost != STORE_OK)
        core->suspicion += moved ? SUSPICION_OVERTAKEN : SUSPICION_ALONE;
    core->lost = STORE_OK;
}

void sync_core_fail(struct sync_core *core, int64_t now, enum store_result result,
                    const char *error)
{
    core->backoff = core->backoff ? 2 * core->backoff : BACKOFF_MIN_MS;
    if (core->backoff > core->settings.backoff_max_ms)
        core->backoff = core->settings.backoff_max_ms;
    core->retry_at = now + jitter(core, core->backoff);
    core->result = result;
    core->failures++;
    snprintf(core->error, sizeof(core->error), "%s", error);
}

void sync_core_end_read(struct sync_core *core, int64_t now, const char *etag, bool landed)
{
    enum store_result lost = core->lost;
    bool moved = strcmp(core->etag, etag) != 0;
    sync_core_judge_loss(core, moved, landed);
    sync_core_remember(core, etag);
    core->phase = PHASE_REST;
    if (lost != STORE_OK && core->suspicion > SUSPICION_MAX)
        sync_core_fail(core, now, lost, core->lost_error);
    else
        sync_core_succeed(core);
}

void sync_core_finish_batch(struct sync_core *core)
{
    struct sync_batch *batch = core->queue;
    core->queue = batch->next;
    if (!core->queue)
        core->queue_end = &core->queue;
    batch->next = NULL;
    *core->done_end = batch;
    core->done_end = &batch->next;
}

static void finish_swap(struct sync_core *core, const char *etag)
{
    core->suspicion = 0;
    core->purged |= core->purging;
    core->ours_last = true;
    core->losses_in_row = 0;
    if (core->placed && core->settings.shared)
        sync_core_note_own(core);
    if (core->placed)
        sync_core_finish_batch(core);
    if (core->base_placed)
        core->folds++;
    core->placed = core->base_placed = core->run_placed = false;
    sync_core_remember(core, etag);
    text_release(&core->body);
    core->phase = PHASE_REST;
    sync_core_succeed(core);
}

/* The hash of the chain in `head` at our position; "" when its tail does not reach back so far. */
void sync_core_hash_at(const struct head *head, uint64_t position, char out[SHA256_HEX_SIZE])
{
    if (!head_hash_at(head, position, out))
        out[0] = '\0';
}

/* Is `head` ours, with nothing but commits of this server added? */
static bool is_own(const struct sync_core *core, const struct head *head)
{
    char hash[SHA256_HEX_SIZE];
    size_t len = strlen(core->settings.replica);
    sync_core_hash_at(head, core->position, hash);
    if (head->position < core->position || strcmp(hash, core->hash) != 0)
        return false;
    for (size_t i = 0; i < head->tail_count; i++) {
        const struct commit *commit = &head->tail[i];
        if (commit->position > core->position &&
            (strncmp(commit->replica, core->settings.replica, len) != 0 ||
             commit->replica[len] != '/'))
            return false;
    }
    return true;
}

/*
 * A swap of an earlier life may land after this start. What its journal had not kept is not in
 * memory then, and cannot be put beneath the ops that are: these have no inverses.
 */
static bool is_in_memory(const struct sync_core *core, const struct head *head)
{
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].position > core->position && !sync_core_has_pending(core, &head->tail[i]))
            return false;
    return true;
}

/* NULL, or a sentence: `head` is not what our own swaps have made of ours. */
static const char *foreign(const struct sync_core *core, const struct head *head)
{
    if (!is_own(core, head))
        return "it was changed by another writer, and this server does not share its store";
    if (!is_in_memory(core, head))
        return "an earlier life of this server has committed after this start, and its journal "
               "had not kept all of that, so it is not in memory: start it again";
    return NULL;
}

/* `head`, just read, is taken, if it is what our own swaps have made of it. */
static void reconcile(struct sync_core *core, int64_t now, struct head *head, const char *etag)
{
    bool base_landed = core->base_placed && head->base.position > core->base_position;
    bool landed = base_landed || head->position > core->position;
    const char *why = foreign(core, head);
    if (!why)
        why = sync_core_settle_queue(core, head);
    if (why) {
        head_release(head);
        sync_core_be_stuck(core, STORE_PRECONDITION, why);
        return;
    }
    head_release(&core->head);
    core->head = *head;
    if (base_landed)
        core->folds++;
    core->placed = core->base_placed = core->run_placed = false;
    sync_core_end_read(core, now, etag, landed);
}

static void take_head(struct sync_core *core, int64_t now, struct head *head, const char *etag)
{
    if (core->settings.shared)
        sync_core_receive(core, now, head, etag);
    else
        reconcile(core, now, head, etag);
}

static void answer_read(struct sync_core *core, int64_t now, enum store_result result,
                        const char *etag, struct slice body, const char *error)
{
    struct head head;
    struct text reason = {0};
    if (result == STORE_NOT_MODIFIED && core->phase == PHASE_POLL) {
        core->phase = PHASE_REST;
        sync_core_succeed(core);
    } else if (result == STORE_NOT_FOUND && !core->etag[0]) {
        head_init(&head, slice_of(core->namespace));
        take_head(core, now, &head, "");
    } else if (result == STORE_NOT_FOUND) {
        sync_core_be_stuck(core, result,
                           "it is gone from the store; put it back, and restart this server");
    } else if (result != STORE_OK) {
        sync_core_fail(core, now, result, error);
    } else if (head_decode(body, slice_of(core->namespace), &head, &reason)) {
        take_head(core, now, &head, etag);
    } else if (core->settings.shared) {
        /* Perhaps cut on its way. Nothing is written on a head that cannot be read. */
        sync_core_fail(core, now, STORE_INVALID, text_terminated(&reason));
    } else {
        sync_core_be_stuck(core, STORE_INVALID, text_terminated(&reason));
    }
    text_release(&reason);
}

void sync_core_answer(struct sync_core *core, int64_t now, enum store_result result,
                      const char *etag, struct slice body, const char *error)
{
    assert(core->phase != PHASE_REST && core->phase != PHASE_STUCK);
    if (core->phase == PHASE_READ || core->phase == PHASE_POLL) {
        answer_read(core, now, result, etag, body, error);
    } else if (core->phase == PHASE_FETCH) {
        sync_core_answer_segment(core, now, result, body, error);
    } else if (result == STORE_OK && core->phase == PHASE_SEGMENT) {
        core->queue->uploaded = true;
        sync_core_succeed(core);
        start_swap(core, core->queue, now);
    } else if (result == STORE_OK) {
        finish_swap(core, etag);
    } else if (core->phase == PHASE_SWAP &&
               (result == STORE_PRECONDITION || result == STORE_UNKNOWN)) {
        lose(core, now, result, error);
    } else {
        sync_core_fail(core, now, result, error);
    }
}

/* --- folding --- */

void sync_core_drop_dead(struct sync_core *core)
{
    core->drop_dead = true;
}

bool sync_core_head(const struct sync_core *core, struct head *ret_head, struct text *error)
{
    struct text body = {0};
    if (!core->adopted || core->phase != PHASE_REST)
        return false;
    head_encode(&core->head, &body);
    bool ok = head_decode(text_slice(&body), slice_of(core->namespace), ret_head, error);
    text_release(&body);
    return ok;
}

void sync_core_offer_base(struct sync_core *core, struct head_base *base, int64_t began)
{
    forget_base(core);
    core->base = *base;
    core->base_waits = true;
    core->base_began = began;
}

void sync_core_offer_run(struct sync_core *core, struct head_run *run, int64_t began)
{
    forget_run(core);
    core->run = *run;
    core->run_waits = true;
    core->run_began = began;
}

/* --- looking --- */

uint64_t sync_core_position(const struct sync_core *core)
{
    return core->position;
}

const char *sync_core_etag(const struct sync_core *core)
{
    return core->etag;
}

int64_t sync_core_oldest(const struct sync_core *core)
{
    return core->queue ? core->queue->time : 0;
}

uint64_t sync_core_folds(const struct sync_core *core)
{
    return core->folds;
}

enum store_result sync_core_result(const struct sync_core *core)
{
    return core->result;
}

const char *sync_core_error(const struct sync_core *core)
{
    return core->error;
}

uint64_t sync_core_failures(const struct sync_core *core)
{
    return core->failures;
}

uint64_t sync_core_losses(const struct sync_core *core)
{
    return core->losses;
}

uint64_t sync_core_merged(const struct sync_core *core)
{
    return core->merged;
}
