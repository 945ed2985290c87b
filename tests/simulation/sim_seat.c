/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A replica's seat in a namespace: what the real driver does around rebase and sync core. A
 * function that returns false has crashed: nothing of the replica may be touched then.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"
#include "tests/simulation/sim.h"

#define CHUNK_SIZE 600
#define BATCH_SIZE ((size_t)64 * 1024)

static uint64_t core_random(void *ctx)
{
    return random_next(&((struct world *)ctx)->random);
}

/* --- taking in --- */

static void note_done(struct seat *s, struct life *life, uint64_t last)
{
    for (size_t i = 0; i < s->pending_life_count; i++)
        if (s->pending_lives[i].life == life && s->pending_lives[i].done < last) {
            struct pending_life *p = &s->pending_lives[i];
            p->done = last < p->last ? last : p->last;
        }
}

/* Ops of others; and of a dead life of ours, which may hold more than its journal kept. */
static void take_ops(struct seat *s, const struct sync_arrival *arrival)
{
    struct commit_reader reader;
    struct op op;
    uint64_t number = arrival->first;
    bool mixed = false;
    commit_reader_init(&reader, text_slice(&arrival->ops), arrival->time);
    while (commit_reader_next(&reader, &op)) {
        if (rebase_ours(s->rebase, slice_of(arrival->replica), number++)) {
            mixed = true;
        } else {
            rebase_theirs(s->rebase, &op);
            s->world->totals.events[SIM_EVENT_FOREIGN_REST] += mixed;
        }
        op_release(&op);
    }
    if (reader.count != arrival->count)
        world_fail(s->world, "arrival of %" PRIu64 " is not whole", arrival->position);
    commit_reader_release(&reader);
}

static void take_arrival(struct seat *s, const struct sync_arrival *arrival)
{
    struct life *life = check_life(s->space, arrival->replica, true);
    world_trace(s->world, "%s takes %" PRIu64 " of %s%s", s->replica->incarnation,
                arrival->position, arrival->replica, arrival->pending ? " (pending)" : "");
    if (!arrival->pending)
        take_ops(s, arrival);
    else if (!rebase_ours_all(s->rebase, slice_of(arrival->replica), arrival->first,
                              arrival->count))
        world_fail(s->world, "%s: an op of %" PRIu64 " is not pending", s->replica->incarnation,
                   arrival->position);
    note_done(s, life, arrival->first + arrival->count - 1);
}

static void take_arrivals(struct seat *s)
{
    struct sync_arrival *arrival;
    uint64_t before = rebase_differing(s->rebase);
    bool any = false;
    while ((arrival = sync_core_take_arrival(s->core))) {
        take_arrival(s, arrival);
        sync_arrival_destroy(arrival);
        any = true;
    }
    if (!any)
        return;
    rebase_finish(s->rebase);
    s->world->totals.events[SIM_EVENT_DIFFERS] += rebase_differing(s->rebase) - before;
    if (world_below(s->world, 2))
        rebase_garbage_free(rebase_take_garbage(s->rebase));
    if (world_below(s->world, 2)) {
        size_t looked;
        keyspace_expire(s->ks, replica_clock(s->replica), 100, &looked);
    }
    check_seat(s);
}

static bool take_done(struct seat *s)
{
    struct sync_batch *batch;
    while ((batch = sync_core_take_done(s->core))) {
        struct life *life = check_life(s->space, batch->replica, false);
        check_durable(s->world, life, batch->first + batch->count - 1);
        if (!replica_survives(s->replica, SIM_CRASH_REBASED)) {
            sync_batch_destroy(batch);
            return false;
        }
        journal_let_go(s->replica, life, batch->first + batch->count - 1);
        sync_batch_destroy(batch);
        if (!replica_survives(s->replica, SIM_CRASH_RELEASED))
            return false;
    }
    /* Merged batches are not counted back: what is left in the journal of other lives tells. */
    bool old = false;
    for (size_t i = 0; i < s->replica->journal_count; i++)
        old |= strcmp(s->replica->journal[i].life->name, s->replica->incarnation) != 0;
    if (!old)
        sync_core_drop_dead(s->core);
    return true;
}

/* --- sync --- */

static void step(struct seat *s);

static void wake(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    (void)w;
    if (s->replica->epoch == epoch && s->replica->up) {
        s->sleep_until = 0;
        step(s);
    }
}

static bool push(struct seat *s)
{
    struct pending_cut cut;
    s->wanted = false;
    pending_take(&s->pending, &cut);
    if (!cut.ops) /* all that was recorded was taken back */
        pending_cut_release(&cut);
    while (cut.head) {
        struct sync_batch *batch = mem_calloc(1, sizeof(*batch));
        struct op_scratch scratch = {0};
        struct op op;
        memcpy(batch->replica, s->replica->incarnation, sizeof(batch->replica));
        batch->first = cut.first;
        batch->count = pending_cut_shift(&cut, BATCH_SIZE, &batch->ops);
        if (op_binary_decode(text_slice(&batch->ops), &scratch, &op)) {
            batch->time = op.time;
            op_release(&op);
        }
        op_scratch_release(&scratch);
        sync_core_push(s->core, batch);
    }
    return replica_survives(s->replica, SIM_CRASH_PUSHED);
}

/* What is handed to the network now, for the counts. */
static void note_request(struct seat *s, enum sync_want want, const struct sync_request *request)
{
    bool segment = want == SYNC_PUT && strchr(request->key, '/');
    if (segment && s->segment_sent[0] && strcmp(s->segment_sent, request->key) != 0)
        s->world->totals.events[SIM_EVENT_OLD_SEGMENT]++;
    snprintf(s->segment_sent, sizeof(s->segment_sent), "%s", segment ? request->key : "");
}

/* Does the head still have the base that is being folded? */
static bool is_current(const struct seat *s)
{
    return s->space->base_seen == s->fold_head.base.position;
}

static struct fold_options fold_limits(const struct world *w)
{
    return (struct fold_options){.chunk_size = CHUNK_SIZE, .inline_limit = w->inline_limit};
}

/* Its objects may have grown too old for a head by now: the core must see that. */
static void fold_offered(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    if (s->replica->epoch != epoch || !s->folding)
        return;
    bool old = replica_steady(s->replica) - s->fold_began >= SIM_OBJECT_AGE_MS;
    w->totals.events[SIM_EVENT_OLD_FOLD] += old;
    strays_of_fold(&s->strays, &s->fold_head, &s->fold_base, s->fold_base.position);
    sync_core_offer_base(s->core, &s->fold_base, s->fold_began);
    s->fold_base = (struct head_base){0};
    head_release(&s->fold_head);
    s->folding = false;
    step(s);
}

static void fold_write_out(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    struct text error = {0};
    if (s->replica->epoch != epoch || !s->folding)
        return;
    if (store_is_out(w, s->replica)) {
        head_release(&s->fold_head);
        s->folding = false;
        return;
    }
    struct fold_store store = store_for_folds(s);
    struct fold_options options = fold_limits(w);
    uint64_t keep = world_below(w, 3), position = s->fold_head.position - keep;
    if (position < s->fold_head.base.position)
        position = s->fold_head.base.position;
    bool ok = fold_run(&s->fold_head, position, &store, &options, &s->fold_base, &error);
    if (!ok && sync_core_position(s->core) <= s->fold_head.position && is_current(s))
        world_fail(w, "%s cannot fold: %s", s->replica->incarnation, text_terminated(&error));
    text_release(&error);
    if (!ok) { /* another fold came first, and what it left was removed */
        head_release(&s->fold_head);
        s->folding = false;
        return;
    }
    if (!replica_survives(s->replica, SIM_CRASH_FOLDED))
        return;
    uint64_t delay = w->faulty && world_below(w, 5) == 0 ? 4 * SIM_OBJECT_AGE_MS : 100;
    world_after(w, (int64_t)world_below(w, delay), fold_offered, s, epoch);
}

static void start_fold(struct seat *s)
{
    struct text error = {0};
    if (s->folding || !sync_core_fold_due(s->core) ||
        !sync_core_head(s->core, &s->fold_head, &error))
        return;
    s->folding = true;
    s->fold_began = replica_steady(s->replica);
    world_trace(s->world, "%s folds %s at %" PRIu64, s->replica->incarnation, s->space->name,
                s->fold_head.position);
    world_after(s->world, 5 + (int64_t)world_below(s->world, 300), fold_write_out, s,
                s->replica->epoch);
}

/* Commits move out of the head, as in syncer_jobs.c. */
static void move_offered(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    (void)w;
    if (s->replica->epoch != epoch || !s->folding)
        return;
    for (size_t i = 0; i < s->fold_head.run_count; i++)
        if (s->fold_head.runs[i].from >= s->run.from)
            strays_add(&s->strays, s->fold_head.runs[i].object, 0, true);
    sync_core_offer_run(s->core, &s->run, s->fold_began);
    s->run = (struct head_run){0};
    head_release(&s->fold_head);
    s->folding = false;
    step(s);
}

static void move_write_out(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    struct text error = {0};
    if (s->replica->epoch != epoch || !s->folding)
        return;
    struct fold_store store = store_for_runs(s);
    bool ok = !store_is_out(w, s->replica) &&
              run_make(&s->fold_head, w->inline_limit / 2, &store, &s->run, &error);
    if (!ok && !store_is_out(w, s->replica) && is_current(s))
        world_fail(w, "%s cannot make a run: %s", s->replica->incarnation, text_terminated(&error));
    text_release(&error);
    if (!ok) {
        head_release(&s->fold_head);
        s->folding = false;
        return;
    }
    w->totals.events[SIM_EVENT_RUN]++;
    if (!replica_survives(s->replica, SIM_CRASH_FOLDED))
        return;
    uint64_t delay = w->faulty && world_below(w, 5) == 0 ? 4 * SIM_OBJECT_AGE_MS : 100;
    world_after(w, (int64_t)world_below(w, delay), move_offered, s, epoch);
}

static void start_move(struct seat *s)
{
    struct text error = {0};
    if (s->folding || !sync_core_run_due(s->core) ||
        !sync_core_head(s->core, &s->fold_head, &error))
        return;
    s->folding = true;
    s->fold_began = replica_steady(s->replica);
    world_after(s->world, 5 + (int64_t)world_below(s->world, 100), move_write_out, s,
                s->replica->epoch);
}

bool seat_load(struct seat *s, struct loaded *loaded)
{
    char key[STORE_KEY_MAX];
    snprintf(key, sizeof(key), "%s.json", s->space->name);
    struct sim_object *object = store_object(s->world, key);
    struct fold_store store = store_for_folds(s);
    struct text error = {0};
    *loaded = (struct loaded){.keyspace = keyspace_create(NULL)};
    bool ok = true;
    if (!object) {
        head_init(&loaded->head, slice_of(s->space->name));
    } else {
        snprintf(loaded->etag, sizeof(loaded->etag), "v%llu", (unsigned long long)object->version);
        ok = head_decode(text_slice(&object->body), slice_of(s->space->name), &loaded->head,
                         &error) &&
             fold_load(&loaded->head, &store, loaded->keyspace, &loaded->clock, &error);
    }
    if (!ok)
        world_fail(s->world, "%s cannot load: %s", s->replica->incarnation,
                   text_terminated(&error));
    text_release(&error);
    return ok;
}

static void reload_done(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    struct loaded loaded;
    if (s->replica->epoch != epoch)
        return;
    s->reloading = false;
    if (store_is_out(w, s->replica) || (world_below(w, 4) == 0 && w->faulty)) {
        sync_core_reload_failed(s->core, replica_steady(s->replica), STORE_TRANSIENT,
                                "out of reach");
        step(s);
        return;
    }
    if (!seat_load(s, &loaded))
        return;
    if (!sync_core_may_reload(s->core, &loaded.head)) { /* it refuses to guess */
        loaded_release(&loaded);
        step(s);
        return;
    }
    world_trace(w, "%s reloads at %" PRIu64, s->replica->incarnation, loaded.head.position);
    w->totals.events[SIM_EVENT_RELOAD]++;
    rebase_restart(s->rebase, loaded.keyspace, loaded.clock, &loaded.head);
    for (size_t i = 0; i < s->pending_life_count; i++) {
        struct pending_life *p = &s->pending_lives[i];
        note_done(s, p->life, head_replica_op(&loaded.head, slice_of(p->life->name)));
    }
    keyspace_destroy(s->ks);
    s->ks = loaded.keyspace;
    sync_core_reload(s->core, &loaded.head, loaded.etag);
    check_seat(s);
    step(s);
}

/* Carries out one thing the core wants; false: nothing more now. */
static bool step_once(struct seat *s)
{
    struct world *w = s->world;
    struct sync_request request;
    if (s->asked || s->reloading)
        return false;
    if (!replica_survives(s->replica, SIM_CRASH_BEFORE_REBASE))
        return false;
    take_arrivals(s);
    if (!take_done(s))
        return false;
    if (s->wanted && !push(s))
        return false;
    enum sync_want want = sync_core_next(s->core, replica_steady(s->replica), &request);
    switch (want) {
    case SYNC_REST:
        start_fold(s);
        start_move(s);
        return false;
    case SYNC_SLEEP:
        if (s->sleep_until != request.until)
            world_after(w, request.until - replica_steady(s->replica), wake, s, s->replica->epoch);
        s->sleep_until = request.until;
        return false;
    case SYNC_STUCK:
        if (strstr(sync_core_error(s->core), "expired"))
            replica_drop_journal(s->replica);
        else
            world_fail(w, "%s is stuck: %s", s->replica->incarnation, sync_core_error(s->core));
        return false;
    case SYNC_RELOAD:
        s->reloading = true;
        world_after(w, 10 + (int64_t)world_below(w, 100), reload_done, s, s->replica->epoch);
        return false;
    case SYNC_GET:
    case SYNC_PUT:
        if (!replica_survives(s->replica, SIM_CRASH_BEFORE_SEND))
            return false;
        s->asked = true;
        note_request(s, want, &request);
        store_send(s, want == SYNC_PUT, &request);
        replica_survives(s->replica, SIM_CRASH_AFTER_SEND);
        return false;
    }
    return false;
}

static void step(struct seat *s)
{
    while (step_once(s) && !s->world->failed)
        ;
}

void seat_answered(struct seat *s, const struct call *call)
{
    struct sim_totals *totals = &s->world->totals;
    world_trace(s->world, "%s hears: %s", s->replica->incarnation, store_result_name(call->result));
    if (!replica_survives(s->replica, SIM_CRASH_ANSWERED))
        return;
    s->asked = false;
    sync_core_answer(s->core, replica_steady(s->replica), call->result, call->answer_etag,
                     text_slice(&call->answer), "an error");
    uint64_t losses = sync_core_losses(s->core), merged = sync_core_merged(s->core);
    s->wanted |= losses != s->losses_seen;
    totals->events[SIM_EVENT_LOST_RACE] += losses - s->losses_seen;
    totals->events[SIM_EVENT_MERGED] += merged - s->merged_seen;
    s->losses_seen = losses;
    s->merged_seen = merged;
    step(s);
}

/* --- tidying, as the driver does: a list, then the head, then removals --- */

static void tidy_remove(struct seat *s, const struct head *head)
{
    const struct tidy_rules rules = {SIM_ORPHAN_AGE_MS, s->world->history, SIM_TIDY_MS};
    char key[STORE_KEY_MAX];
    struct tidy tidy;
    bool survives = true;
    tidy_begin(&tidy, &rules, head, &s->strays, replica_clock(s->replica));
    for (size_t at = 0; at < s->listed.len; at += strlen(s->listed.data + at) + 1) {
        const char *object = s->listed.data + at;
        if (!tidy_may_go(&tidy, object))
            continue;
        snprintf(key, sizeof(key), "%s/%s", s->space->name, object);
        store_remove(s, key);
        survives = replica_survives(s->replica, SIM_CRASH_TIDYING);
        if (!survives)
            break;
    }
    tidy_end(&tidy, survives);
}

static void tidy_read(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    struct head head;
    struct text error = {0};
    char key[STORE_KEY_MAX];
    if (s->replica->epoch != epoch || !s->replica->up || store_is_out(w, s->replica))
        return;
    snprintf(key, sizeof(key), "%s.json", s->space->name);
    const struct sim_object *object = store_object(s->world, key);
    if (object && head_decode(text_slice(&object->body), slice_of(s->space->name), &head, &error)) {
        tidy_remove(s, &head);
        head_release(&head);
    }
    text_release(&error);
}

static void on_tidy(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    size_t len = strlen(s->space->name);
    if (s->replica->epoch != epoch)
        return;
    world_after(w, SIM_TIDY_MS, on_tidy, s, epoch);
    if (store_is_out(w, s->replica))
        return;
    text_clear(&s->listed);
    for (size_t i = 0; i < w->object_count; i++) {
        const char *key = w->objects[i].key;
        if (strncmp(key, s->space->name, len) == 0 && key[len] == '/')
            text_append_slice(&s->listed, slice_make(key + len + 1, strlen(key + len + 1) + 1));
    }
    world_after(w, 1 + (int64_t)world_below(w, 100), tidy_read, s, epoch);
}

/* --- life --- */

static void on_interval(struct world *w, void *ctx, unsigned epoch)
{
    struct seat *s = ctx;
    if (s->replica->epoch != epoch)
        return;
    world_after(w, SIM_INTERVAL_MS, on_interval, s, epoch);
    sync_core_poll(s->core);
    s->wanted = true;
    step(s);
}

void seat_schedule(struct seat *s)
{
    struct world *w = s->world;
    unsigned epoch = s->replica->epoch;
    /* What was recovered goes out at once: syncer_urge, at the end of opening. */
    world_after(w, 1, wake, s, epoch);
    world_after(w, 1 + (int64_t)world_below(w, SIM_INTERVAL_MS), on_interval, s, epoch);
    world_after(w, 1 + (int64_t)world_below(w, SIM_TIDY_MS), on_tidy, s, epoch);
}

struct pending_life *seat_add_life(struct seat *s, struct life *life, uint64_t done, uint64_t last)
{
    s->pending_lives =
        mem_realloc(s->pending_lives, (s->pending_life_count + 1) * sizeof(*s->pending_lives));
    struct pending_life *added = &s->pending_lives[s->pending_life_count++];
    *added = (struct pending_life){life, done, last};
    return added;
}

static void run_recovered(struct seat *s, struct sync_batch *batch)
{
    struct op_scratch scratch = {0};
    struct outcome out;
    struct op op;
    rebase_begin(s->rebase, slice_of(batch->replica), batch->first);
    for (size_t at = 0; at < batch->ops.len;) {
        struct slice rest = slice_make(batch->ops.data + at, batch->ops.len - at);
        at += op_binary_decode(rest, &scratch, &op);
        if (!batch->time)
            batch->time = op.time;
        rebase_run_recorded(s->rebase, &op, &out);
        op_release(&op);
    }
    op_scratch_release(&scratch);
    seat_add_life(s, check_life(s->space, batch->replica, false), batch->first - 1,
                  batch->first + batch->count - 1);
    s->world->totals.events[SIM_EVENT_RECOVERED]++;
}

static void make_core(struct seat *s)
{
    struct sync_settings settings = {
        .inline_limit = s->world->inline_limit,
        .tail_max = 6,
        .backoff_max_ms = 300,
        .replica = s->replica->name,
        .incarnation = s->replica->incarnation,
        .shared = true,
        .merge_limit = BATCH_SIZE,
        .tail_keep = 2,
        .random = core_random,
        .ctx = s->world,
        .object_age_ms = SIM_OBJECT_AGE_MS,
        .replica_expiry_ms = &s->world->replica_expiry,
        .make_uuid = sim_uuid,
    };
    s->core = sync_core_create(slice_of(s->space->name), &settings);
    s->losses_seen = s->merged_seen = 0;
}

void seat_open(struct seat *s, struct loaded *loaded, struct recovered *recovered)
{
    s->ks = loaded->keyspace;
    s->rebase = rebase_create(s->ks, loaded->clock, NULL);
    make_core(s);
    while (recovered && recovered->batches) {
        struct sync_batch *batch = recovered->batches;
        recovered->batches = batch->next;
        run_recovered(s, batch);
        sync_core_push(s->core, batch);
    }
    sync_core_adopt(s->core, &loaded->head, loaded->etag);
    rebase_begin(s->rebase, slice_of(s->replica->incarnation), 1);
    seat_add_life(s, s->life, 0, 0);
}

void seat_reset(struct seat *s)
{
    s->life = check_life(s->space, s->replica->incarnation, true);
    s->asked = s->wanted = s->reloading = false;
    s->sleep_until = 0;
    s->segment_sent[0] = '\0';
}

void seat_release(struct seat *s)
{
    rebase_destroy(s->rebase);
    keyspace_destroy(s->ks);
    sync_core_destroy(s->core);
    pending_release(&s->pending);
    if (s->folding)
        head_release(&s->fold_head);
    head_base_release(&s->fold_base);
    head_run_release(&s->run);
    mem_free(s->pending_lives);
    mem_free(s->strays.items);
    text_release(&s->listed);
    *s =
        (struct seat){.world = s->world, .replica = s->replica, .space = s->space, .life = s->life};
}
