/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A replica of a simulation: what the real driver does around rebase and sync core, with a journal
 * in memory, and a crash wherever something has just happened. A function that returns false has
 * crashed: nothing of the replica may be touched then.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"
#include "tests/simulation/sim.h"

#define INLINE_LIMIT 1500
#define CHUNK_SIZE   600
#define BATCH_SIZE   ((size_t)64 * 1024)

static uint64_t uuids;

void sim_uuid_reset(void)
{
    uuids = 0;
}

void sim_uuid(int64_t now_ms, char out[UUID_TEXT_SIZE])
{
    snprintf(out, UUID_TEXT_SIZE, "%08x-0000-7000-8000-%012x", (unsigned)now_ms, (unsigned)++uuids);
}

static uint64_t core_random(void *ctx)
{
    return random_next(&((struct world *)ctx)->random);
}

/* For waits and ages, in which the core takes part; clocks of clients go wrong. */
static int64_t steady(const struct replica *r)
{
    return SIM_EPOCH_MS + r->world->now;
}

static int64_t clock_of(const struct replica *r)
{
    return SIM_EPOCH_MS + r->world->now + r->skew;
}

/* --- crashes --- */

#define X(name) #name,
static const char *const crash_names[] = {SIM_CRASH_LIST(X)};
#undef X

static void restart(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    (void)w;
    if (r->epoch == epoch)
        replica_start(r);
}

static void drop_journal_item(struct replica *r, size_t at)
{
    text_release(&r->journal[at].ops);
    memmove(r->journal + at, r->journal + at + 1,
            (r->journal_count - at - 1) * sizeof(*r->journal));
    r->journal_count--;
}

/* Of what was not synced, a beginning may have reached the disk. */
static void tear_journal(struct replica *r)
{
    while (r->journal_count && !r->journal[r->journal_count - 1].synced && world_below(r->world, 3))
        drop_journal_item(r, r->journal_count - 1);
    for (size_t i = 0; i < r->journal_count; i++)
        r->journal[i].synced = true;
}

void replica_release(struct replica *r)
{
    rebase_destroy(r->rebase);
    keyspace_destroy(r->ks);
    sync_core_destroy(r->core);
    pending_release(&r->pending);
    if (r->folding)
        head_release(&r->fold_head);
    mem_free(r->pending_lives);
    r->rebase = NULL;
    r->ks = NULL;
    r->core = NULL;
    r->pending = (struct pending){0};
    r->folding = false;
    r->pending_lives = NULL;
    r->pending_life_count = 0;
}

void replica_crash(struct replica *r, enum sim_crash where)
{
    struct world *w = r->world;
    world_trace(w, "%s crashes: %s", r->incarnation, crash_names[where]);
    w->totals.crashes[where]++;
    w->totals.events[SIM_EVENT_LOST_OPS] += r->life->count > r->life->promised;
    r->up = false;
    r->epoch++;
    replica_release(r);
    tear_journal(r);
    /* Sometimes at once, while its last requests are still on their way. */
    world_after(w, (int64_t)world_below(w, world_below(w, 2) ? 10 : 1500), restart, r, r->epoch);
}

/* False: it crashed. */
static bool survive(struct replica *r, enum sim_crash where)
{
    uint64_t odds = where == SIM_CRASH_AFTER_SEND ? 60 : 150;
    if (!r->world->faulty || world_below(r->world, odds))
        return true;
    replica_crash(r, where);
    return false;
}

/* --- clients --- */

static void journal_add(struct replica *r, uint64_t first, uint64_t count, struct slice ops)
{
    if (r->journal_kind == JOURNAL_NONE)
        return;
    if (r->journal_count == r->journal_cap) {
        r->journal_cap = r->journal_cap ? 2 * r->journal_cap : 16;
        r->journal = mem_realloc(r->journal, r->journal_cap * sizeof(*r->journal));
    }
    struct journal_item *item = &r->journal[r->journal_count++];
    *item = (struct journal_item){.life = r->life, .first = first, .count = count};
    text_append_slice(&item->ops, ops);
}

static void journal_harden_all(struct replica *r)
{
    for (size_t i = 0; i < r->journal_count; i++) {
        struct journal_item *item = &r->journal[i];
        uint64_t last = item->first + item->count - 1;
        item->synced = true;
        if (item->life->promised < last)
            item->life->promised = last;
    }
}

static void run_one(struct replica *r)
{
    struct world *w = r->world;
    struct op_source source = {
        .random = &w->random, .keys = 10, .bytes_max = 20, .time = clock_of(r)};
    struct outcome out;
    struct op_box *box =
        world_below(w, 80) ? op_random(&source) : op_random_kind(&source, OP_NAMESPACE_CLEAR);
    if (box->op.time < rebase_clock(r->rebase))
        box->op.time = rebase_clock(r->rebase);
    struct op_box *kept = op_box_copy(&box->op);
    pending_record(&r->pending, &box->op);
    if (rebase_run(r->rebase, &box->op, &out)) {
        check_issued(r->life, &kept->op);
        r->pending_lives[r->pending_life_count - 1].last++;
        w->totals.ops++;
    } else {
        pending_forget(&r->pending);
    }
    op_box_destroy(kept);
    op_box_destroy(box);
}

/* One command or transaction. */
void replica_run_ops(struct replica *r)
{
    struct slice ops;
    uint64_t first, count;
    for (uint64_t i = 1 + world_below(r->world, 4); i > 0; i--)
        run_one(r);
    if (!pending_seal(&r->pending, &ops, &first, &count))
        return;
    if (!survive(r, SIM_CRASH_APPLIED))
        return;
    journal_add(r, first, count, ops);
    if (r->journal_kind == JOURNAL_ALWAYS ||
        (r->journal_kind == JOURNAL_LAZY && world_below(r->world, 6) == 0))
        journal_harden_all(r);
    survive(r, SIM_CRASH_JOURNALED);
}

/* --- taking in --- */

static void note_done(struct replica *r, struct life *life, uint64_t last)
{
    for (size_t i = 0; i < r->pending_life_count; i++)
        if (r->pending_lives[i].life == life && r->pending_lives[i].done < last) {
            struct pending_life *p = &r->pending_lives[i];
            p->done = last < p->last ? last : p->last;
        }
}

/* Ops of others; and of a dead life of ours, which may hold more than its journal kept. */
static void take_ops(struct replica *r, const struct sync_arrival *arrival)
{
    struct commit_reader reader;
    struct op op;
    uint64_t number = arrival->first;
    bool mixed = false;
    commit_reader_init(&reader, text_slice(&arrival->ops), arrival->time);
    while (commit_reader_next(&reader, &op)) {
        if (rebase_ours(r->rebase, slice_of(arrival->replica), number++)) {
            mixed = true;
        } else {
            rebase_theirs(r->rebase, &op);
            r->world->totals.events[SIM_EVENT_FOREIGN_REST] += mixed;
        }
        op_release(&op);
    }
    if (reader.count != arrival->count)
        world_fail(r->world, "arrival of %" PRIu64 " is not whole", arrival->position);
    commit_reader_release(&reader);
}

static void take_arrival(struct replica *r, const struct sync_arrival *arrival)
{
    struct life *life = check_life(r->world, arrival->replica, true);
    world_trace(r->world, "%s takes %" PRIu64 " of %s%s", r->incarnation, arrival->position,
                arrival->replica, arrival->pending ? " (pending)" : "");
    if (!arrival->pending)
        take_ops(r, arrival);
    for (uint64_t i = 0; arrival->pending && i < arrival->count; i++)
        if (!rebase_ours(r->rebase, slice_of(arrival->replica), arrival->first + i))
            world_fail(r->world, "%s: op %" PRIu64 " of %s is not pending", r->incarnation,
                       arrival->first + i, arrival->replica);
    note_done(r, life, arrival->first + arrival->count - 1);
}

static void take_arrivals(struct replica *r)
{
    struct sync_arrival *arrival;
    uint64_t before = rebase_differing(r->rebase);
    bool any = false;
    while ((arrival = sync_core_take_arrival(r->core))) {
        take_arrival(r, arrival);
        sync_arrival_destroy(arrival);
        any = true;
    }
    if (!any)
        return;
    rebase_finish(r->rebase);
    r->world->totals.events[SIM_EVENT_DIFFERS] += rebase_differing(r->rebase) - before;
    if (world_below(r->world, 2))
        rebase_garbage_free(rebase_take_garbage(r->rebase));
    if (world_below(r->world, 2)) {
        size_t looked;
        keyspace_expire(r->ks, clock_of(r), 100, &looked);
    }
    check_replica(r);
}

static void journal_release_done(struct replica *r, const struct sync_batch *batch)
{
    for (size_t i = r->journal_count; i-- > 0;) {
        const struct journal_item *item = &r->journal[i];
        if (strcmp(item->life->name, batch->replica) == 0 &&
            item->first + item->count <= batch->first + batch->count)
            drop_journal_item(r, i);
    }
}

static bool take_done(struct replica *r)
{
    struct sync_batch *batch;
    while ((batch = sync_core_take_done(r->core))) {
        struct life *life = check_life(r->world, batch->replica, false);
        check_durable(r->world, life, batch->first + batch->count - 1);
        if (!survive(r, SIM_CRASH_REBASED)) {
            sync_batch_destroy(batch);
            return false;
        }
        journal_release_done(r, batch);
        sync_batch_destroy(batch);
        if (!survive(r, SIM_CRASH_RELEASED))
            return false;
    }
    /* Merged batches are not counted back: what is left in the journal of other lives tells. */
    bool old = false;
    for (size_t i = 0; i < r->journal_count; i++)
        old |= r->journal[i].life != r->life;
    if (!old)
        sync_core_drop_dead(r->core);
    return true;
}

/* --- sync --- */

static void step(struct replica *r);

static void wake(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    (void)w;
    if (r->epoch == epoch && r->up) {
        r->sleep_until = 0;
        step(r);
    }
}

static bool push(struct replica *r)
{
    struct pending_cut cut;
    r->wanted = false;
    pending_take(&r->pending, &cut);
    if (!cut.ops) /* all that was recorded was taken back */
        pending_cut_release(&cut);
    while (cut.head) {
        struct sync_batch *batch = mem_calloc(1, sizeof(*batch));
        struct op_scratch scratch = {0};
        struct op op;
        memcpy(batch->replica, r->incarnation, sizeof(batch->replica));
        batch->first = cut.first;
        batch->count = pending_cut_shift(&cut, BATCH_SIZE, &batch->ops);
        if (op_binary_decode(text_slice(&batch->ops), &scratch, &op)) {
            batch->time = op.time;
            op_release(&op);
        }
        op_scratch_release(&scratch);
        sync_core_push(r->core, batch);
    }
    return survive(r, SIM_CRASH_PUSHED);
}

static struct fold_options fold_limits(void)
{
    return (struct fold_options){.chunk_size = CHUNK_SIZE, .inline_limit = INLINE_LIMIT};
}

static void fold_done(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    struct head_base base;
    struct text error = {0};
    if (r->epoch != epoch || !r->folding)
        return;
    struct fold_store store = store_for_folds(r);
    struct fold_options options = fold_limits();
    uint64_t keep = world_below(w, 3), position = r->fold_head.position - keep;
    if (position < r->fold_head.base.position)
        position = r->fold_head.base.position;
    bool ok = fold_run(&r->fold_head, position, &store, &options, &base, &error);
    head_release(&r->fold_head);
    r->folding = false;
    if (!ok)
        world_fail(w, "%s cannot fold: %s", r->incarnation, text_terminated(&error));
    text_release(&error);
    if (!ok)
        return;
    if (!survive(r, SIM_CRASH_FOLDED)) {
        head_base_release(&base);
        return;
    }
    sync_core_offer_base(r->core, &base, steady(r));
    step(r);
}

static void start_fold(struct replica *r)
{
    struct text error = {0};
    if (r->folding || !sync_core_fold_due(r->core) ||
        !sync_core_head(r->core, &r->fold_head, &error))
        return;
    r->folding = true;
    world_trace(r->world, "%s folds at %" PRIu64, r->incarnation, r->fold_head.position);
    world_after(r->world, 5 + (int64_t)world_below(r->world, 300), fold_done, r, r->epoch);
}

static bool load(struct replica *r, struct loaded *loaded)
{
    struct sim_object *object = store_object(r->world, SIM_NAMESPACE ".json");
    struct fold_store store = store_for_folds(r);
    struct text error = {0};
    *loaded = (struct loaded){.keyspace = keyspace_create(NULL)};
    bool ok = true;
    if (!object) {
        head_init(&loaded->head, slice_of(SIM_NAMESPACE));
    } else {
        snprintf(loaded->etag, sizeof(loaded->etag), "v%llu", (unsigned long long)object->version);
        ok = head_decode(text_slice(&object->body), slice_of(SIM_NAMESPACE), &loaded->head,
                         &error) &&
             fold_load(&loaded->head, &store, loaded->keyspace, &loaded->clock, &error);
    }
    if (!ok)
        world_fail(r->world, "%s cannot load: %s", r->incarnation, text_terminated(&error));
    text_release(&error);
    return ok;
}

static void reload_done(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    struct loaded loaded;
    if (r->epoch != epoch)
        return;
    r->reloading = false;
    if (world_below(w, 4) == 0 && w->faulty) {
        sync_core_reload_failed(r->core, steady(r), STORE_TRANSIENT, "out of reach");
        step(r);
        return;
    }
    if (!load(r, &loaded))
        return;
    world_trace(w, "%s reloads at %" PRIu64, r->incarnation, loaded.head.position);
    w->totals.events[SIM_EVENT_RELOAD]++;
    rebase_restart(r->rebase, loaded.keyspace, loaded.clock, &loaded.head);
    for (size_t i = 0; i < r->pending_life_count; i++) {
        struct pending_life *p = &r->pending_lives[i];
        note_done(r, p->life, head_replica_op(&loaded.head, slice_of(p->life->name)));
    }
    keyspace_destroy(r->ks);
    r->ks = loaded.keyspace;
    sync_core_reload(r->core, &loaded.head, loaded.etag);
    check_replica(r);
    step(r);
}

/* Carries out one thing the core wants; false: nothing more now. */
static bool step_once(struct replica *r)
{
    struct world *w = r->world;
    struct sync_request request;
    if (r->asked || r->reloading)
        return false;
    if (!survive(r, SIM_CRASH_BEFORE_REBASE))
        return false;
    take_arrivals(r);
    if (!take_done(r))
        return false;
    if (r->wanted && !push(r))
        return false;
    enum sync_want want = sync_core_next(r->core, steady(r), &request);
    switch (want) {
    case SYNC_REST: start_fold(r); return false;
    case SYNC_SLEEP:
        if (r->sleep_until != request.until)
            world_after(w, request.until - steady(r), wake, r, r->epoch);
        r->sleep_until = request.until;
        return false;
    case SYNC_STUCK:
        world_fail(w, "%s is stuck: %s", r->incarnation, sync_core_error(r->core));
        return false;
    case SYNC_RELOAD:
        r->reloading = true;
        world_after(w, 10 + (int64_t)world_below(w, 100), reload_done, r, r->epoch);
        return false;
    case SYNC_GET:
    case SYNC_PUT:
        if (!survive(r, SIM_CRASH_BEFORE_SEND))
            return false;
        r->asked = true;
        store_send(w, r, want == SYNC_PUT, &request);
        survive(r, SIM_CRASH_AFTER_SEND);
        return false;
    }
    return false;
}

static void step(struct replica *r)
{
    while (step_once(r) && !r->world->failed)
        ;
}

void replica_answered(struct replica *r, const struct call *call)
{
    struct sim_totals *totals = &r->world->totals;
    world_trace(r->world, "%s hears: %s", r->incarnation, store_result_name(call->result));
    if (!survive(r, SIM_CRASH_ANSWERED))
        return;
    r->asked = false;
    sync_core_answer(r->core, steady(r), call->result, call->answer_etag, text_slice(&call->answer),
                     "an error");
    uint64_t losses = sync_core_losses(r->core), merged = sync_core_merged(r->core);
    r->wanted |= losses != r->losses_seen;
    totals->events[SIM_EVENT_LOST_RACE] += losses - r->losses_seen;
    totals->events[SIM_EVENT_MERGED] += merged - r->merged_seen;
    r->losses_seen = losses;
    r->merged_seen = merged;
    step(r);
}

static void on_interval(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    if (r->epoch != epoch)
        return;
    world_after(w, SIM_INTERVAL_MS, on_interval, r, epoch);
    sync_core_poll(r->core);
    r->wanted = true;
    step(r);
}

static void on_client(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    if (r->epoch != epoch || w->closing)
        return;
    world_after(w, 1 + (int64_t)world_below(w, 250), on_client, r, epoch);
    replica_run_ops(r);
}

/* --- starting --- */

static bool collect_journal(struct replica *r, struct recovery *recovery)
{
    struct text error = {0};
    bool ok = true;
    for (size_t i = 0; i < r->journal_count && ok; i++) {
        const struct journal_item *item = &r->journal[i];
        struct journal_file_header header = {0};
        struct journal_section section = {slice_of(SIM_NAMESPACE), 0, item->first, item->count,
                                          text_slice(&item->ops)};
        memcpy(header.incarnation, item->life->name, sizeof(header.incarnation));
        ok = recovery_collect(recovery, &header, &section, &error);
    }
    if (!ok)
        world_fail(r->world, "%s: %s", r->incarnation, text_terminated(&error));
    text_release(&error);
    return ok;
}

static void add_pending_life(struct replica *r, struct life *life, uint64_t done, uint64_t last)
{
    r->pending_lives =
        mem_realloc(r->pending_lives, (r->pending_life_count + 1) * sizeof(*r->pending_lives));
    r->pending_lives[r->pending_life_count++] = (struct pending_life){life, done, last};
}

static void run_recovered(struct replica *r, struct sync_batch *batch)
{
    struct op_scratch scratch = {0};
    struct outcome out;
    struct op op;
    rebase_begin(r->rebase, slice_of(batch->replica), batch->first);
    for (size_t at = 0; at < batch->ops.len;) {
        struct slice rest = slice_make(batch->ops.data + at, batch->ops.len - at);
        at += op_binary_decode(rest, &scratch, &op);
        if (!batch->time)
            batch->time = op.time;
        rebase_run_recorded(r->rebase, &op, &out);
        op_release(&op);
    }
    op_scratch_release(&scratch);
    add_pending_life(r, check_life(r->world, batch->replica, false), batch->first - 1,
                     batch->first + batch->count - 1);
    r->world->totals.events[SIM_EVENT_RECOVERED]++;
}

static void recover(struct replica *r, struct recovery *recovery, const struct head *head)
{
    struct text error = {0};
    struct recovered *item = recovery->count ? &recovery->items[0] : NULL;
    if (item && !recovery_settle(item, head, &error))
        world_fail(r->world, "%s: %s", r->incarnation, text_terminated(&error));
    while (item && item->batches) {
        struct sync_batch *batch = item->batches;
        item->batches = batch->next;
        run_recovered(r, batch);
        sync_core_push(r->core, batch);
    }
    text_release(&error);
    /* What the journal has beyond that is in the head. */
    for (size_t i = r->journal_count; i-- > 0;) {
        const struct journal_item *at = &r->journal[i];
        if (at->first + at->count - 1 <= head_replica_op(head, slice_of(at->life->name)))
            drop_journal_item(r, i);
    }
}

static void make_core(struct replica *r)
{
    struct sync_settings settings = {
        .inline_limit = INLINE_LIMIT,
        .tail_max = 6,
        .backoff_max_ms = 300,
        .replica = r->name,
        .incarnation = r->incarnation,
        .shared = true,
        .merge_limit = BATCH_SIZE,
        .tail_keep = 2,
        .random = core_random,
        .ctx = r->world,
        .make_uuid = sim_uuid,
    };
    r->core = sync_core_create(slice_of(SIM_NAMESPACE), &settings);
    r->losses_seen = r->merged_seen = 0;
}

static void load_done(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    struct recovery recovery = {0};
    struct loaded loaded;
    if (r->epoch != epoch)
        return;
    if (!collect_journal(r, &recovery) || !load(r, &loaded))
        return;
    world_trace(w, "%s is up at %" PRIu64, r->incarnation, loaded.head.position);
    r->ks = loaded.keyspace;
    r->rebase = rebase_create(r->ks, loaded.clock, NULL);
    make_core(r);
    recover(r, &recovery, &loaded.head);
    recovery_release(&recovery);
    sync_core_adopt(r->core, &loaded.head, loaded.etag);
    rebase_begin(r->rebase, slice_of(r->incarnation), 1);
    add_pending_life(r, r->life, 0, 0);
    r->up = true;
    check_replica(r);
    if (!survive(r, SIM_CRASH_LOADED))
        return;
    world_after(w, 1 + (int64_t)world_below(w, SIM_INTERVAL_MS), on_interval, r, r->epoch);
    on_client(w, r, r->epoch);
}

void replica_start(struct replica *r)
{
    struct world *w = r->world;
    snprintf(r->incarnation, sizeof(r->incarnation), "%s/%u", r->name, r->epoch);
    r->life = check_life(w, r->incarnation, true);
    r->asked = r->wanted = r->reloading = false;
    r->sleep_until = 0;
    r->skew = (int64_t)world_below(w, 400) - 200;
    world_after(w, 5 + (int64_t)world_below(w, world_below(w, 2) ? 10 : 200), load_done, r,
                r->epoch);
}
