/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A replica of a simulation: a process with a journal in memory, clients, and a crash wherever
 * something has just happened. What it does with each namespace is in sim_seat.c.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ops/mem.h"
#include "tests/simulation/sim.h"

static uint64_t uuids;

void sim_uuid_reset(void)
{
    uuids = 0;
}

/* Of version 7, but for the chance in it. */
void sim_uuid(int64_t now_ms, char out[UUID_TEXT_SIZE])
{
    snprintf(out, UUID_TEXT_SIZE, "%08x-%04x-7000-8000-%012x", (unsigned)(now_ms >> 16),
             (unsigned)(now_ms & 0xffff), (unsigned)++uuids);
}

int64_t replica_steady(const struct replica *r)
{
    return SIM_EPOCH_MS + r->world->now;
}

int64_t replica_clock(const struct replica *r)
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

/* Of what was not synced, a beginning may have reached the disk; records are there whole. */
static void tear_journal(struct replica *r)
{
    while (r->journal_count && !r->journal[r->journal_count - 1].synced &&
           world_below(r->world, 3)) {
        uint64_t record = r->journal[r->journal_count - 1].record;
        while (r->journal_count && r->journal[r->journal_count - 1].record == record)
            drop_journal_item(r, r->journal_count - 1);
    }
    for (size_t i = 0; i < r->journal_count; i++)
        r->journal[i].synced = true;
}

void journal_let_go(struct replica *r, const struct life *life, uint64_t last)
{
    for (size_t i = r->journal_count; i-- > 0;) {
        const struct journal_item *item = &r->journal[i];
        if (item->life == life && item->first + item->count - 1 <= last)
            drop_journal_item(r, i);
    }
}

void replica_release(struct replica *r)
{
    for (int i = 0; i < SIM_SPACES; i++)
        seat_release(&r->seats[i]);
}

void replica_crash(struct replica *r, enum sim_crash where)
{
    struct world *w = r->world;
    world_trace(w, "%s crashes: %s", r->incarnation, crash_names[where]);
    w->totals.crashes[where]++;
    for (int i = 0; i < SIM_SPACES; i++)
        w->totals.events[SIM_EVENT_LOST_OPS] +=
            r->seats[i].life->count > r->seats[i].life->promised;
    r->up = false;
    r->epoch++;
    replica_release(r);
    tear_journal(r);
    /* Sometimes at once, while its last requests are still on their way; sometimes it was given up
     * for lost. */
    uint64_t away = world_below(w, 12) == 0 ? 6000 : world_below(w, 2) ? 10 : 1500;
    world_after(w, (int64_t)world_below(w, away), restart, r, r->epoch);
}

bool replica_survives(struct replica *r, enum sim_crash where)
{
    uint64_t odds = where == SIM_CRASH_AFTER_SEND ? 60 : where == SIM_CRASH_TIDYING ? 30 : 150;
    if (!r->world->faulty || world_below(r->world, odds))
        return true;
    replica_crash(r, where);
    return false;
}

/* What nobody can tell of any more is promised no longer. */
void replica_drop_journal(struct replica *r)
{
    r->world->totals.events[SIM_EVENT_REFUSED]++;
    world_trace(r->world, "%s is told to drop its journal's orphans", r->incarnation);
    for (size_t i = 0; i < r->world->life_count; i++) {
        struct life *life = r->world->lives[i];
        size_t len = strlen(r->name);
        if (strncmp(life->name, r->name, len) == 0 && life->name[len] == '/' &&
            life->promised > life->committed)
            life->promised = life->committed;
    }
    r->drop_journal = true;
    r->up = false;
    r->epoch++;
    replica_release(r);
    world_after(r->world, 10, restart, r, r->epoch);
}

/* --- clients --- */

static void journal_add(struct seat *s, uint64_t first, uint64_t count, struct slice ops)
{
    struct replica *r = s->replica;
    if (r->journal_kind == JOURNAL_NONE)
        return;
    if (r->journal_count == r->journal_cap) {
        r->journal_cap = r->journal_cap ? 2 * r->journal_cap : 16;
        r->journal = mem_realloc(r->journal, r->journal_cap * sizeof(*r->journal));
    }
    struct journal_item *item = &r->journal[r->journal_count++];
    *item = (struct journal_item){.life = s->life,
                                  .first = first,
                                  .count = count,
                                  .known = sync_core_position(s->core),
                                  .record = r->records};
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

static void run_one(struct seat *s)
{
    struct world *w = s->world;
    struct op_source source = {
        .random = &w->random, .keys = 10, .bytes_max = 20, .time = replica_clock(s->replica)};
    struct outcome out;
    struct op_box *box =
        world_below(w, 80) ? op_random(&source) : op_random_kind(&source, OP_NAMESPACE_CLEAR);
    if (box->op.time < rebase_clock(s->rebase))
        box->op.time = rebase_clock(s->rebase);
    struct op_box *kept = op_box_copy(&box->op);
    pending_record(&s->pending, &box->op);
    if (rebase_run(s->rebase, &box->op, &out)) {
        check_issued(s->life, &kept->op);
        s->pending_lives[s->pending_life_count - 1].last++;
        w->totals.ops++;
    } else {
        pending_forget(&s->pending);
    }
    op_box_destroy(kept);
    op_box_destroy(box);
}

struct cut {
    struct slice ops;
    uint64_t first, count;
};

/* One command or transaction, over several namespaces now and then. */
static void run_ops(struct replica *r)
{
    struct world *w = r->world;
    struct cut cuts[SIM_SPACES] = {0};
    bool across = world_below(w, 8) == 0;
    unsigned only = world_below(w, 4) == 0, sealed = 0;
    for (unsigned i = 0; i < SIM_SPACES; i++) {
        if (!across && i != only)
            continue;
        for (uint64_t n = 1 + world_below(w, 4); n > 0; n--)
            run_one(&r->seats[i]);
        struct cut *cut = &cuts[i];
        sealed += pending_seal(&r->seats[i].pending, &cut->ops, &cut->first, &cut->count);
    }
    if (!sealed)
        return;
    w->totals.events[SIM_EVENT_ACROSS] += sealed > 1;
    if (!replica_survives(r, SIM_CRASH_APPLIED))
        return;
    r->records++;
    for (int i = 0; i < SIM_SPACES; i++)
        if (cuts[i].count)
            journal_add(&r->seats[i], cuts[i].first, cuts[i].count, cuts[i].ops);
    if (r->journal_kind == JOURNAL_ALWAYS ||
        (r->journal_kind == JOURNAL_LAZY && world_below(w, 6) == 0))
        journal_harden_all(r);
    replica_survives(r, SIM_CRASH_JOURNALED);
}

static void on_client(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    if (r->epoch != epoch || w->closing)
        return;
    world_after(w, 1 + (int64_t)world_below(w, 250), on_client, r, epoch);
    run_ops(r);
}

/* --- starting --- */

static bool collect_journal(struct replica *r, struct recovery *recovery)
{
    struct text error = {0};
    bool ok = true;
    for (size_t i = 0; i < r->journal_count && ok; i++) {
        const struct journal_item *item = &r->journal[i];
        struct journal_file_header header = {0};
        struct journal_section section = {slice_of(item->life->space->name), item->known,
                                          item->first, item->count, text_slice(&item->ops)};
        memcpy(header.incarnation, item->life->name, sizeof(header.incarnation));
        ok = recovery_collect(recovery, &header, &section, &error);
    }
    if (!ok)
        world_fail(r->world, "%s: %s", r->incarnation, text_terminated(&error));
    text_release(&error);
    return ok;
}

static struct recovered *recovered_for(struct recovery *recovery, const struct space *space)
{
    for (size_t i = 0; i < recovery->count; i++)
        if (strcmp(recovery->items[i].namespace, space->name) == 0)
            return &recovery->items[i];
    return NULL;
}

/* What the journal has beyond `head`; false: it and the store do not tell, and it may not guess. */
static bool settle(struct replica *r, struct recovered *item, const struct head *head)
{
    struct text error = {0};
    bool ok = !item || recovery_settle(item, head, &error);
    if (!ok && strstr(text_terminated(&error), "expired"))
        world_trace(r->world, "%s: %s", r->incarnation, text_terminated(&error));
    else if (!ok)
        world_fail(r->world, "%s: %s", r->incarnation, text_terminated(&error));
    text_release(&error);
    return ok;
}

/* Of a life that is dropped, everything is: recovery takes its records together. */
static bool is_dropped(const struct replica *r, const struct life *life, const struct head *head)
{
    for (size_t i = 0; i < r->journal_count && r->drop_journal; i++)
        if (r->journal[i].life == life && r->journal[i].known < head->expired)
            return !head_replica(head, slice_of(life->name));
    return false;
}

/* What of the journal is in `head`, or is not to get there. */
static void journal_settled(struct replica *r, const struct space *space, const struct head *head)
{
    for (size_t i = 0; i < r->world->life_count; i++) {
        struct life *life = r->world->lives[i];
        if (life->space == space)
            journal_let_go(r, life,
                           is_dropped(r, life, head) ? UINT64_MAX
                                                     : head_replica_op(head, slice_of(life->name)));
    }
}

static bool load_all(struct replica *r, struct recovery *recovery, struct loaded loaded[SIM_SPACES])
{
    bool ok = collect_journal(r, recovery), sure = true;
    for (int i = 0; i < SIM_SPACES && ok; i++) {
        struct space *space = r->seats[i].space;
        ok = seat_load(&r->seats[i], &loaded[i]);
        sure &= ok && settle(r, recovered_for(recovery, space), &loaded[i].head);
    }
    if (ok && !sure && !r->world->failed)
        replica_drop_journal(r);
    return ok && sure;
}

static void load_done(struct world *w, void *ctx, unsigned epoch)
{
    struct replica *r = ctx;
    struct loaded loaded[SIM_SPACES] = {0};
    if (r->epoch != epoch)
        return;
    if (store_is_out(w, r)) {
        world_after(w, 100, load_done, r, epoch);
        return;
    }
    struct recovery recovery = {.choice = r->drop_journal ? JOURNAL_ORPHANS_DROP
                                                          : JOURNAL_ORPHANS_REFUSE};
    bool ok = load_all(r, &recovery, loaded);
    for (int i = 0; i < SIM_SPACES; i++) {
        struct seat *s = &r->seats[i];
        if (!ok) {
            loaded_release(&loaded[i]);
            continue;
        }
        world_trace(w, "%s is up with %s at %" PRIu64, r->incarnation, s->space->name,
                    loaded[i].head.position);
        journal_settled(r, s->space, &loaded[i].head);
        seat_open(s, &loaded[i], recovered_for(&recovery, s->space));
    }
    recovery_release(&recovery);
    if (!ok)
        return;
    r->drop_journal = false;
    r->up = true;
    for (int i = 0; i < SIM_SPACES; i++)
        check_seat(&r->seats[i]);
    if (!replica_survives(r, SIM_CRASH_LOADED))
        return;
    for (int i = 0; i < SIM_SPACES; i++)
        seat_schedule(&r->seats[i]);
    on_client(w, r, r->epoch);
}

void replica_start(struct replica *r)
{
    struct world *w = r->world;
    snprintf(r->incarnation, sizeof(r->incarnation), "%s/%u", r->name, r->epoch);
    for (int i = 0; i < SIM_SPACES; i++)
        seat_reset(&r->seats[i]);
    r->skew = (int64_t)world_below(w, 400) - 200;
    world_after(w, 5 + (int64_t)world_below(w, world_below(w, 2) ? 10 : 200), load_done, r,
                r->epoch);
}
