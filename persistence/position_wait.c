/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Those who wait for a namespace's position. All on the syncer's thread. While somebody waits the
 * head is looked at again and again, ever more seldom: the commit waited for is another server's,
 * and nothing tells when it comes.
 */
#include <event2/event.h>

#include "ops/mem.h"
#include "persistence/syncer-internal.h"

#define PAUSE_FIRST_MS 20
#define PAUSE_MAX_MS   1000

struct position_wait {
    struct position_wait *next;
    struct namespace *ns;
    uint64_t position;
    int64_t until;
    void (*done)(void *ctx, enum persistence_status status, uint64_t position);
    void *ctx;
};

struct position_watch {
    struct position_wait *waits;
    struct event *beat;
    int pause_ms;
};

static void arm(struct position_watch *watch)
{
    struct timeval after = {.tv_sec = watch->pause_ms / 1000,
                            .tv_usec = watch->pause_ms % 1000 * 1000};
    evtimer_add(watch->beat, &after);
}

static void on_beat(evutil_socket_t fd, short what, void *ctx)
{
    struct namespace *ns = ctx;
    (void)fd;
    (void)what;
    agent_look(ns, false);
    struct position_watch *watch = ns->agent.watch;
    if (!watch)
        return;
    watch->pause_ms = 2 * watch->pause_ms < PAUSE_MAX_MS ? 2 * watch->pause_ms : PAUSE_MAX_MS;
    arm(watch);
}

static void end_watch(struct namespace *ns)
{
    event_free(ns->agent.watch->beat);
    mem_free(ns->agent.watch);
    ns->agent.watch = NULL;
}

static void finish(struct position_wait *wait, enum persistence_status status, uint64_t position)
{
    wait->done(wait->ctx, status, position);
    mem_free(wait);
}

void agent_settle_positions(struct namespace *ns)
{
    struct position_wait **at = &ns->agent.watch->waits;
    uint64_t position = namespace_position(ns);
    int64_t now = persistence_now(ns->owner);
    while (*at) {
        struct position_wait *wait = *at;
        if (position < wait->position && now < wait->until) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        finish(wait, PERSISTENCE_OK, position);
    }
    if (!ns->agent.watch->waits)
        end_watch(ns);
}

void agent_drop_positions(struct namespace *ns)
{
    struct position_watch *watch = ns->agent.watch;
    if (!watch)
        return;
    while (watch->waits) {
        struct position_wait *wait = watch->waits;
        watch->waits = wait->next;
        finish(wait, PERSISTENCE_STOPPED, namespace_position(ns));
    }
    end_watch(ns);
}

static void take(void *ctx)
{
    struct position_wait *wait = ctx;
    struct namespace *ns = wait->ns;
    if (!ns->agent.watch) {
        struct position_watch *watch = mem_calloc(1, sizeof(*watch));
        watch->beat = evtimer_new(syncer_base(ns->owner->syncer), on_beat, ns);
        assert(watch->beat);
        ns->agent.watch = watch;
    }
    wait->next = ns->agent.watch->waits;
    ns->agent.watch->waits = wait;
    ns->agent.watch->pause_ms = PAUSE_FIRST_MS;
    arm(ns->agent.watch);
    agent_look(ns, true);
}

void persistence_wait_position(
    struct persistence *p, struct namespace *ns, uint64_t position, int64_t until,
    void (*done)(void *ctx, enum persistence_status status, uint64_t position), void *ctx)
{
    uint64_t now_at = namespace_position(ns);
    if (p->memory || now_at >= position) {
        done(ctx, PERSISTENCE_OK, now_at);
        return;
    }
    struct position_wait *wait = mem_alloc(sizeof(*wait));
    *wait = (struct position_wait){
        .ns = ns, .position = position, .until = until, .done = done, .ctx = ctx};
    syncer_post(p->syncer, take, wait);
}
