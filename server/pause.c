/* SPDX-License-Identifier: BSD-3-Clause */
/* The state is two atomics; clients that wait have HOLD_PAUSED and are found by their loop. */
#include "server/pause.h"

#include <stdatomic.h>
#include <string.h>

#include "server/client-internal.h"
#include "server/loop-internal.h"

static _Atomic int64_t until; /* 0: no pause */
static atomic_bool all_commands;

bool pause_active(void)
{
    return atomic_load_explicit(&until, memory_order_relaxed) != 0;
}

bool pause_holds(bool write)
{
    return write || atomic_load_explicit(&all_commands, memory_order_relaxed);
}

bool pause_exempt(const struct command *command)
{
    const char *name = command->parent ? command->parent->name : command->name;
    return strcmp(name, "client") == 0 || strcmp(name, "auth") == 0 || strcmp(name, "hello") == 0 ||
           strcmp(name, "shutdown") == 0;
}

/* As in Redis, a second pause never shortens or weakens the first. */
void pause_start(int64_t until_ms, bool all)
{
    if (!pause_active() || all)
        atomic_store(&all_commands, all);
    int64_t end = atomic_load(&until);
    while (until_ms > end && !atomic_compare_exchange_weak(&until, &end, until_ms))
        ;
}

void pause_hold(struct client *client)
{
    client->hold |= HOLD_PAUSED;
    client_flag_set(client, CLIENT_BLOCKED);
}

static void release_all(struct loop *loop)
{
    struct client *client = loop->clients;
    for (size_t n = loop->client_count; n > 0; n--, client = client->cron_next) {
        if (client->hold & HOLD_PAUSED)
            client_flag_clear(client, CLIENT_BLOCKED);
        client_release_hold(client, HOLD_PAUSED);
    }
}

static void release_here(struct client *client, void *ctx)
{
    (void)client;
    release_all(ctx);
}

static void release_everywhere(void)
{
    for (int i = 0; i < loop_count(); i++)
        loop_post(loop_at(i), 0, release_here, loop_at(i));
}

void pause_stop(void)
{
    atomic_store(&until, 0);
    release_everywhere();
}

/* Another loop's client may lengthen the pause at this very moment: then it goes on. */
void pause_tick(int64_t now_ms)
{
    int64_t end = atomic_load_explicit(&until, memory_order_relaxed);
    if (end && now_ms >= end && atomic_compare_exchange_strong(&until, &end, 0))
        release_everywhere();
}
