/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads, turns and posts. The libevent bases are used by their own thread alone, hence without
 * libevent's locks; other threads reach a loop through its mail, woken by one eventfd write a
 * burst.
 */
#include "server/loop-internal.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/clock.h"
#include "server/evict.h"
#include "server/log.h"
#include "server/mem_ahead.h"

#define ARENA_FIRST (512 * 1024) /* one turn of fifty pipelines of 128 small commands fits */

static struct loop **loops;
static int count;
static _Thread_local struct loop *current;

int loop_count(void)
{
    return count;
}

struct loop *loop_at(int index)
{
    return loops[index];
}

struct loop *loop_current(void)
{
    return current;
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

/* xorshift128+: spreads picks, keeps no secrets. */
uint64_t loop_random(struct loop *loop)
{
    uint64_t a = loop->random_state[0], b = loop->random_state[1];
    loop->random_state[0] = b;
    a ^= a << 23;
    a ^= a >> 17 ^ b ^ b >> 26;
    loop->random_state[1] = a;
    return a + b;
}

void loop_post(struct loop *loop, uint64_t client_id, void (*run)(struct client *client, void *ctx),
               void *ctx)
{
    pthread_mutex_lock(&loop->mail_mutex);
    LOOP_ROOM(loop->mail.items, loop->mail.count, loop->mail.cap);
    loop->mail.items[loop->mail.count++] = (struct post){client_id, run, ctx};
    bool wake = !loop->mail_signalled;
    loop->mail_signalled = true;
    pthread_mutex_unlock(&loop->mail_mutex);
    if (wake && loop != current) {
        uint64_t one = 1;
        ssize_t written = write(loop->wake_fd, &one, sizeof(one));
        (void)written; /* full means that it is awake already */
    }
}

/* Posts that these posts make (to this loop) are run by the next call. True: there were some. */
static bool run_mail(struct loop *loop)
{
    pthread_mutex_lock(&loop->mail_mutex);
    struct posts mail = loop->mail;
    loop->mail = loop->mail_running;
    loop->mail.count = 0;
    loop->mail_signalled = false;
    pthread_mutex_unlock(&loop->mail_mutex);
    for (size_t i = 0; i < mail.count; i++) {
        struct post *post = &mail.items[i];
        struct client *client = post->client_id ? loop_client(loop, post->client_id) : NULL;
        post->run(client, post->ctx);
    }
    loop->mail_running = mail;
    return mail.count > 0;
}

static bool mail_waits(struct loop *loop)
{
    pthread_mutex_lock(&loop->mail_mutex);
    bool waits = loop->mail.count > 0;
    pthread_mutex_unlock(&loop->mail_mutex);
    return waits;
}

static void on_wake(int fd, short what, void *arg)
{
    (void)what, (void)arg;
    uint64_t times;
    ssize_t got = read(fd, &times, sizeof(times));
    (void)got;
}

struct client *loop_client(struct loop *loop, uint64_t id)
{
    struct client *client = loop->ids[id / (uint64_t)count & (LOOP_IDS - 1)];
    while (client && client->id != id)
        client = client->id_next;
    return client;
}

void loop_add_client(struct loop *loop, struct client *client)
{
    struct client **chain = &loop->ids[client->id / (uint64_t)count & (LOOP_IDS - 1)];
    client->id_next = *chain;
    *chain = client;
    if (!loop->clients) {
        loop->clients = client->cron_prev = client->cron_next = client;
    } else {
        client->cron_next = loop->clients;
        client->cron_prev = loop->clients->cron_prev;
        client->cron_prev->cron_next = client->cron_next->cron_prev = client;
    }
    loop->client_count++;
}

void loop_remove_client(struct loop *loop, struct client *client)
{
    struct client **at = &loop->ids[client->id / (uint64_t)count & (LOOP_IDS - 1)];
    while (*at != client)
        at = &(*at)->id_next;
    *at = client->id_next;
    client->cron_prev->cron_next = client->cron_next;
    client->cron_next->cron_prev = client->cron_prev;
    if (loop->clients == client)
        loop->clients = client->cron_next == client ? NULL : client->cron_next;
    if (loop->cron_at == client)
        loop->cron_at = loop->clients;
    loop->client_count--;
}

void loop_mark_ready(struct client *client)
{
    struct loop *loop = client->loop;
    if (client->ready)
        return;
    client->ready = true;
    LOOP_ROOM(loop->ready, loop->ready_count, loop->ready_cap);
    loop->ready[loop->ready_count++] = client;
}

void loop_mark_flush(struct client *client)
{
    struct loop *loop = client->loop;
    if (client->flush_listed)
        return;
    client->flush_listed = true;
    LOOP_ROOM(loop->flush, loop->flush_count, loop->flush_cap);
    loop->flush[loop->flush_count++] = client;
}

static void close_marked(struct loop *loop)
{
    for (size_t i = 0; i < loop->closing_count; i++)
        client_destroy(loop->closing[i]);
    loop->closing_count = 0;
}

/*
 * A pause in which requests gather, taken when many clients are at it and the last turn served few.
 * Whoever sends meanwhile need not wake this thread, and one turn answers all.
 */
static void gather(const struct loop *loop)
{
    const struct timespec pause = {.tv_nsec = GATHER_NS};
    if (loop->crowd >= CROWD_CLIENTS && loop->turn_clients < GATHER_CLIENTS)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Sleeps when there is nothing to do. */
static void wait_for_events(struct loop *loop)
{
    bool sleep = loop->ready_count == 0 && !mail_waits(loop);
    if (sleep)
        gather(loop);
    event_base_loop(loop->base, EVLOOP_ONCE | (sleep ? 0 : EVLOOP_NONBLOCK));
}

static void set_time(struct loop *loop)
{
    int64_t now = clock_ms();
    if (now != loop->now) {
        loop->crowd = loop->crowd_now;
        loop->crowd_now = 0;
    }
    loop->now = loop->x.now = now;
}

static void turn(struct loop *loop)
{
    wait_for_events(loop);
    loop->turn++;
    set_time(loop);
    evict_turn(loop);
    dispatch_update_mask(loop);
    run_mail(loop);
    io_read_ready(loop);
    batch_run(loop);
    io_flush(loop);
    close_marked(loop);
    backlog_free(loop->spent);
    loop->spent = NULL;
    resp_arena_reset(&loop->arena);
    stats_bump(&loop->stats.counters[STAT_TURNS], 1);
}

static void close_all(struct loop *loop)
{
    while (loop->clients) {
        client_close_now(loop->clients);
        close_marked(loop);
    }
}

/* The first runs on the main thread, whose name is the program's. */
static void name_thread(int index)
{
    char name[16]; /* the most that Linux keeps */
    snprintf(name, sizeof(name), "loop-%d", index);
    if (index > 0)
        pthread_setname_np(pthread_self(), name);
}

static void *loop_main(void *arg)
{
    struct loop *loop = arg;
    current = loop;
    name_thread(loop->index);
    mem_ahead_join();
    prctl(PR_SET_TIMERSLACK, 1UL); /* of this thread: else a pause is 50 µs longer than it says */
    while (!loop->stopping)
        turn(loop);
    return NULL;
}

static bool loop_init(struct loop *loop, int index)
{
    loop->index = index;
    pthread_mutex_init(&loop->mail_mutex, NULL);
    struct event_config *event_config = event_config_new();
    event_config_set_flag(event_config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(event_config);
    event_config_free(event_config);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!loop->base || loop->wake_fd < 0)
        return false;
    loop->wake_event = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    event_add(loop->wake_event, NULL);
    resp_arena_init(&loop->arena, ARENA_FIRST);
    loop->read_buffer = mem_alloc(TURN_READ_MAX);
    loop->now = clock_ms();
    loop->x.loop = loop;
    loop->x.now = loop->now;
    if (getrandom(loop->random_state, sizeof(loop->random_state), 0) !=
        (ssize_t)sizeof(loop->random_state))
        return false;
    loop->random_state[0] |= 1;
    stats_init(&loop->stats);
    cron_start(loop);
    return true;
}

bool loops_create(int wanted)
{
    loops = mem_calloc((size_t)wanted, sizeof(struct loop *));
    for (int i = 0; i < wanted; i++) {
        loops[i] = mem_calloc(1, sizeof(struct loop));
        if (!loop_init(loops[i], i))
            return false;
    }
    count = wanted;
    return true;
}

void loops_run(void)
{
    for (int i = 1; i < count; i++) {
        int error = pthread_create(&loops[i]->thread, NULL, loop_main, loops[i]);
        assert(error == 0 && "a thread for each loop, at start");
    }
    loop_main(loops[0]);
    for (int i = 1; i < count; i++)
        pthread_join(loops[i]->thread, NULL);
    /* All threads have ended: their connections are closed from here, one loop after another. */
    for (int i = 0; i < count; i++) {
        current = loops[i];
        close_all(loops[i]);
    }
    /* Nobody is blocked any more. What was posted for those who were is of namespaces, which are
     * still there now; and a connection may have come last. */
    for (int i = 0; i < count; i++) {
        current = loops[i];
        while (run_mail(loops[i]))
            ;
        close_all(loops[i]);
    }
}

static void stop_here(struct client *client, void *ctx)
{
    (void)client;
    ((struct loop *)ctx)->stopping = true;
}

void loop_stop(struct loop *loop)
{
    loop_post(loop, 0, stop_here, loop);
}

static void loop_release(struct loop *loop)
{
    while (run_mail(loop))
        ;
    event_free(loop->wake_event);
    event_free(loop->cron_event);
    event_free(loop->expire_event);
    event_base_free(loop->base);
    close(loop->wake_fd);
    pthread_mutex_destroy(&loop->mail_mutex);
    resp_arena_release(&loop->arena);
    stats_release(&loop->stats);
    mem_free(loop->read_buffer);
    mem_free(loop->mail.items);
    mem_free(loop->mail_running.items);
    mem_free(loop->ready);
    mem_free(loop->flush);
    mem_free(loop->closing);
    mem_free(loop->writers);
    mem_free(loop->requests);
    mem_free(loop->held.list);
    mem_free(loop->outbox);
}

void loops_destroy(void)
{
    for (int i = 0; i < count; i++) {
        current = loops[i];
        loop_release(loops[i]);
    }
    current = NULL;
    for (int i = 0; i < count; i++)
        mem_free(loops[i]);
    mem_free(loops);
    loops = NULL;
    count = 0;
}
