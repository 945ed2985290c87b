/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each loop does ten times a second beside its requests: expired keys, garbage, idle clients
 * and their buffers; loop 0 also takes the process's samples. Everything is bounded.
 */
#include <event2/event.h>

#include "ops/mem.h"
#include "server/arrivals.h"
#include "server/client-internal.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/lazyfree.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/pause.h"
#include "server/server.h"

#define TICK_MS          100
#define EXPIRE_EFFORT    400  /* keys looked at under one lock: some 50 µs */
#define EXPIRE_TIME_US   250  /* over all namespaces of the loop; while there is more to do … */
#define EXPIRE_PAUSE_US  1000 /* … again after so long: a fifth of the time */
#define CLIENTS_PER_TICK 64   /* at the least; all are seen within a second */
#define IDLE_BUFFERS_MS  2000 /* as Redis: buffers of a client idle so long go back */
#define LOOK_AGAIN_MS    1000 /* of a client silent so long: see loop_io.c */
#define IN_DOUBT                                                                                   \
    "UNKNOWN the store did not confirm within durable-timeout; the write may or may not last"

/* Whoever is held waits for the server, and cannot say anything. */
static bool closed_by_timeout(struct loop *loop, struct client *client, int64_t idle)
{
    int64_t limit = CONFIG(timeout);
    if (!limit || idle <= limit * 1000 || client->hold ||
        client_is(client, CLIENT_PUBSUB | CLIENT_MONITOR))
        return false;
    log_line(LOG_VERBOSE, "client id=%llu closed: idle for %lld s", (unsigned long long)client->id,
             (long long)(idle / 1000));
    (void)loop;
    client_close_now(client);
    return true;
}

/* The store has not taken in time what it wrote: whether it will, nobody knows. Its replies are
 * dropped for one error; behind a reply that is partly sent there is no place for one. */
static bool closed_in_doubt(struct client *client, int64_t now)
{
    int64_t limit = CONFIG(durable_timeout);
    if (!limit || !(client->hold & HOLD_DURABLE) || now - client->durable_since <= limit)
        return false;
    log_line(LOG_WARNING,
             "client id=%llu closed: the store did not take its writes within durable-timeout",
             (unsigned long long)client->id);
    if (client->output.sent || resp_buffer_pending(&client->output) == 0) {
        client_close_now(client);
        return true;
    }
    resp_buffer_consume(&client->output, resp_buffer_pending(&client->output));
    resp_write_error(&client->writer, IN_DOUBT);
    client->hold &= ~(unsigned)HOLD_DURABLE;
    client_close_after_reply(client);
    return true;
}

/*
 * The figures of CLIENT LIST follow what the connection does: an input buffer that is kept while it
 * is active and goes when it is idle, a reply buffer that is halved while it is not needed.
 */
static void size_reply(struct client *client, int64_t now)
{
    int64_t size = atomic_load_explicit(&client->reply_size, memory_order_relaxed);
    int64_t peak = atomic_load_explicit(&client->reply_peak, memory_order_relaxed);
    int64_t reset = atomic_load_explicit(&server.reply_peak_reset_ms, memory_order_relaxed);
    int64_t target = size;
    if (peak >= size && size < CLIENT_REPLY_SIZE)
        target = size * 2 > CLIENT_REPLY_SIZE ? CLIENT_REPLY_SIZE : size * 2;
    else if (peak < size / 2)
        target = size / 2 > CLIENT_REPLY_SIZE_MIN ? size / 2 : CLIENT_REPLY_SIZE_MIN;
    atomic_store_explicit(&client->reply_size, target, memory_order_relaxed);
    if (reset >= 0 && now - client->reply_peak_ms > reset) {
        client->reply_peak_ms = now;
        atomic_store_explicit(&client->reply_peak, (int64_t)client->output.len,
                              memory_order_relaxed);
    }
}

static void see_client(struct loop *loop, struct client *client, int64_t now)
{
    int64_t idle = now - atomic_load_explicit(&client->last_ms, memory_order_relaxed);
    if (closed_in_doubt(client, now) || closed_by_timeout(loop, client, idle))
        return;
    if (idle > LOOK_AGAIN_MS)
        io_look_again(client);
    if (idle > IDLE_BUFFERS_MS && resp_reader_buffered(client->reader) == 0) {
        resp_reader_idle(client->reader);
        resp_buffer_shrink(&client->output);
        client->query_peak = 0;
    } else if (client->query_peak > TURN_READ_MAX) {
        client->query_peak -= client->query_peak / 4;
    }
    size_reply(client, now);
    client_note_memory(client);
}

static void see_clients(struct loop *loop, int64_t now)
{
    size_t n = loop->client_count / 10;
    if (n < CLIENTS_PER_TICK)
        n = CLIENTS_PER_TICK;
    if (n > loop->client_count)
        n = loop->client_count;
    struct client *client = loop->cron_at ? loop->cron_at : loop->clients;
    for (; n > 0; n--, client = client->cron_next)
        see_client(loop, client, now);
    loop->cron_at = client;
}

/* One bounded look at one namespace; true: much of it was expired, look again. A long command of
 * another loop that has its lock would hold up all clients of this one: the next tick looks. */
static bool expire_some(struct loop *loop, struct namespace *ns, int64_t now)
{
    bool again = false;
    if (!namespace_lock_soon(ns))
        return false;
    if (namespace_state(ns) == NAMESPACE_READY) {
        batch_set_time(loop, now, &ns, 1);
        struct keyspace *keys = namespace_keyspace(ns);
        struct garbage *garbage;
        size_t looked = 0, dropped = 0;
        if (atomic_load_explicit(&server.active_expire, memory_order_relaxed) && !pause_active() &&
            keyspace_expires(keys)) {
            loop->x.ns = ns;
            loop->x.keys = keys;
            dropped = keyspace_expire(keys, loop->x.now, EXPIRE_EFFORT, &looked);
        }
        garbage = keyspace_take_garbage(keys);
        again = dropped * 10 > looked && dropped > 0;
        uint64_t ticket = namespace_seal(ns);
        if (ticket > loop->ticket)
            loop->ticket = ticket;
        lazyfree_garbage(garbage);
    }
    namespace_unlock(ns);
    return again;
}

/* A slice of a cycle: the namespaces of this loop in turn, from where the last slice was cut, until
 * each has been looked at and the last look at each left nothing to do. */
static void expire_slice(struct loop *loop, bool begins)
{
    static const struct timeval pause = {.tv_usec = EXPIRE_PAUSE_US};
    struct namespace **list;
    size_t n = server_namespaces(&list), step = (size_t)loop_count();
    size_t first = (size_t)loop->index, mine = n > first ? (n - first - 1) / step + 1 : 0;
    int64_t start = clock_monotonic_us(), spent = 0;
    int64_t now = clock_ms();
    loop->x.client = NULL;
    if (begins || loop->expire_left > mine)
        loop->expire_left = mine;
    for (; loop->expire_left && spent <= EXPIRE_TIME_US; loop->expire_at++) {
        struct namespace *ns = list[first + (loop->expire_at % mine) * step];
        bool again;
        do {
            again = expire_some(loop, ns, now);
            spent = clock_monotonic_us() - start;
        } while (again && spent <= EXPIRE_TIME_US);
        loop->expire_left = again ? mine : loop->expire_left - 1;
    }
    mem_free(list);
    stats_bump(&loop->stats.counters[STAT_ACTIVE_EXPIRE_US], spent);
    stats_bump(&loop->stats.counters[STAT_EXPIRE_CYCLES_CUT], loop->expire_left > 0);
    batch_harden(loop);
    if (loop->expire_left)
        event_add(loop->expire_event, &pause);
}

static void on_more_expired(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    expire_slice(arg, false);
}

static void on_tick(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *loop = arg;
    int64_t now = clock_ms();
    if (loop->index == 0) {
        stats_sample(now);
        pause_tick(now);
        arrivals_tick(now);
    }
    if (loop->client_count)
        see_clients(loop, now);
    if (++loop->ticks % (1000 / TICK_MS) == 0)
        resp_arena_trim(&loop->arena);
    if (!evtimer_pending(loop->expire_event, NULL))
        expire_slice(loop, true);
}

void cron_start(struct loop *loop)
{
    struct timeval period = {.tv_usec = TICK_MS * 1000};
    loop->expire_event = evtimer_new(loop->base, on_more_expired, loop);
    loop->cron_event = event_new(loop->base, -1, EV_PERSIST, on_tick, loop);
    event_add(loop->cron_event, &period);
}
