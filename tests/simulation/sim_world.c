/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual time: a heap of events, the trace, and one run from its seed to its end. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "ops/mem.h"
#include "tests/simulation/sim.h"

#define FAULTY_MS 12000

static const struct world *running;

void world_trace(struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_append_format(&w->trace, "%7" PRId64 " ", w->now);
    text_append_vformat(&w->trace, format, args);
    text_append_char(&w->trace, '\n');
    va_end(args);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->failed)
        return;
    w->failed = true;
    va_start(args, format);
    text_append_format(&w->trace, "%7" PRId64 " FAILED: ", w->now);
    text_append_vformat(&w->trace, format, args);
    text_append_char(&w->trace, '\n');
    va_end(args);
}

uint64_t world_below(struct world *w, uint64_t limit)
{
    return random_below(&w->random, limit);
}

static bool before(const struct timer *a, const struct timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct timer *a, struct timer *b)
{
    struct timer kept = *a;
    *a = *b;
    *b = kept;
}

void world_after(struct world *w, int64_t delay,
                 void (*fire)(struct world *world, void *ctx, unsigned epoch), void *ctx,
                 unsigned epoch)
{
    if (w->timer_count == w->timer_cap) {
        w->timer_cap = w->timer_cap ? 2 * w->timer_cap : 64;
        w->timers = mem_realloc(w->timers, w->timer_cap * sizeof(*w->timers));
    }
    size_t at = w->timer_count++;
    w->timers[at] = (struct timer){w->now + delay, w->orders++, fire, ctx, epoch};
    while (at && before(&w->timers[at], &w->timers[(at - 1) / 2])) {
        swap(&w->timers[at], &w->timers[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct timer next_timer(struct world *w)
{
    struct timer first = w->timers[0];
    w->timers[0] = w->timers[--w->timer_count];
    for (size_t at = 0;;) {
        size_t least = at, left = 2 * at + 1;
        for (size_t child = left; child < left + 2 && child < w->timer_count; child++)
            if (before(&w->timers[child], &w->timers[least]))
                least = child;
        if (least == at)
            return first;
        swap(&w->timers[at], &w->timers[least]);
        at = least;
    }
}

static void run_until(struct world *w, int64_t end)
{
    while (w->timer_count && w->timers[0].at <= end && !w->failed) {
        struct timer timer = next_timer(w);
        w->now = timer.at;
        timer.fire(w, timer.ctx, timer.epoch);
    }
    w->now = end;
}

static void make_spaces(struct world *w)
{
    static const char *const names[SIM_SPACES] = {"sim", "other"};
    for (int i = 0; i < SIM_SPACES; i++) {
        struct space *space = &w->spaces[i];
        *space = (struct space){.world = w, .name = names[i]};
        space->canon = mem_calloc(1, sizeof(*space->canon));
        space->canon[0].ks = keyspace_create(NULL);
    }
    if (world_below(w, 2)) {
        bool all = world_below(w, 2);
        w->out_for = all ? NULL : &w->replicas[world_below(w, 3)];
        w->out_from = 500 + (int64_t)world_below(w, all ? 9000 : 4000);
        w->out_until = w->out_from + 1000 + (int64_t)world_below(w, all ? 4000 : 7000);
    }
    w->inline_limit = world_below(w, 2) ? 1500 : 400;
    w->history = (int64_t)world_below(w, 4) * 1200;
    w->replica_expiry = world_below(w, 3) == 0 ? 2500 + (int64_t)world_below(w, 2000) : 0;
}

static void make_replicas(struct world *w)
{
    w->replica_count = 3 + (unsigned)world_below(w, SIM_REPLICAS_MAX - 2);
    for (unsigned i = 0; i < w->replica_count; i++) {
        struct replica *r = &w->replicas[i];
        *r = (struct replica){.world = w, .index = i, .epoch = 1};
        snprintf(r->name, sizeof(r->name), "r%u", i);
        r->journal_kind = (int)world_below(w, 3);
        for (int j = 0; j < SIM_SPACES; j++)
            r->seats[j] = (struct seat){.world = w, .replica = r, .space = &w->spaces[j]};
        replica_start(r);
    }
}

static void promise_pending(struct seat *s)
{
    for (size_t i = 0; i < s->pending_life_count; i++) {
        const struct pending_life *p = &s->pending_lives[i];
        if (p->life->promised < p->last)
            p->life->promised = p->last;
    }
}

/* Nobody crashes any more: what is in memory now must get to the store. */
static void heal(struct world *w)
{
    w->faulty = false;
    w->closing = true;
    world_trace(w, "healed");
    for (int i = 0; i < SIM_SPACES; i++)
        w->spaces[i].healed_at = w->spaces[i].position;
    for (unsigned i = 0; i < w->replica_count; i++) {
        struct replica *r = &w->replicas[i];
        for (int j = 0; j < SIM_SPACES; j++)
            promise_pending(&r->seats[j]);
        if (!r->up) { /* now, not when its restart was due */
            r->epoch++;
            replica_start(r);
        }
    }
}

/* When all must have converged: later with each commit that lands. */
static int64_t deadline(const struct world *w)
{
    uint64_t most = 0;
    for (int i = 0; i < SIM_SPACES; i++) {
        uint64_t commits = w->spaces[i].position - w->spaces[i].healed_at;
        most = commits > most ? commits : most;
    }
    return FAULTY_MS + 2 * SIM_INTERVAL_MS + SIM_SLACK_MS + (int64_t)most * SIM_COMMIT_MS;
}

/* Calls that are still on their way are let go by running what refers to them. */
static void let_go(struct world *w)
{
    for (unsigned i = 0; i < w->replica_count; i++) {
        struct replica *r = &w->replicas[i];
        r->epoch++;
        replica_release(r);
        while (r->journal_count)
            text_release(&r->journal[--r->journal_count].ops);
        mem_free(r->journal);
    }
    w->failed = false;
    w->closing = true;
    run_until(w, INT64_MAX / 2);
}

void totals_add(struct sim_totals *to, const struct sim_totals *from)
{
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        to->faults[i] += from->faults[i];
    for (int i = 0; i < SIM_CRASH_COUNT; i++)
        to->crashes[i] += from->crashes[i];
    for (int i = 0; i < SIM_EVENT_COUNT; i++)
        to->events[i] += from->events[i];
    for (int i = 0; i < OP_COUNT; i++)
        to->kinds[i] += from->kinds[i];
    to->ops += from->ops;
    to->commits += from->commits;
}

void world_tell_running(int fd)
{
    if (!running)
        return;
    ssize_t written = write(fd, running->trace.data, running->trace.len);
    (void)written;
    dprintf(fd, "seed %" PRIu64 " failed\n", running->seed);
}

bool world_run(uint64_t seed, struct sim_totals *totals, struct text *ret_trace)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    running = w;
    w->seed = seed;
    w->random = random_from(seed);
    w->faulty = true;
    sim_uuid_reset();
    make_spaces(w);
    make_replicas(w);
    run_until(w, FAULTY_MS);
    if (!w->failed) {
        heal(w);
        while (!w->failed && w->now < deadline(w))
            run_until(w, deadline(w));
    }
    if (!w->failed)
        check_end(w);
    if (!w->failed)
        run_until(w, w->now + SIM_DAY_MS);
    if (!w->failed)
        check_tidy(w);
    bool ok = !w->failed;
    totals_add(totals, &w->totals);
    *ret_trace = w->trace;
    w->trace = (struct text){0};
    let_go(w);
    check_release(w);
    store_release(w);
    text_release(&w->trace);
    mem_free(w->timers);
    mem_free(w);
    running = NULL;
    return ok;
}
