/* SPDX-License-Identifier: BSD-3-Clause */
/* See registry.h. */
#include "server/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "server/client.h"
#include "server/config.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct client *first, *last;
static atomic_size_t admitted;
static _Atomic uint64_t ids;

uint64_t registry_next_id(void)
{
    return atomic_fetch_add(&ids, 1) + 1;
}

bool registry_admit(void)
{
    if (atomic_fetch_add(&admitted, 1) < (size_t)CONFIG(maxclients))
        return true;
    registry_leave();
    return false;
}

void registry_leave(void)
{
    atomic_fetch_sub(&admitted, 1);
}

size_t registry_count(void)
{
    return atomic_load(&admitted);
}

void registry_add(struct client *client)
{
    pthread_mutex_lock(&mutex);
    client->registry_prev = last;
    client->registry_next = NULL;
    if (last)
        last->registry_next = client;
    else
        first = client;
    last = client;
    pthread_mutex_unlock(&mutex);
}

void registry_remove(struct client *client)
{
    pthread_mutex_lock(&mutex);
    if (client->registry_prev)
        client->registry_prev->registry_next = client->registry_next;
    else
        first = client->registry_next;
    if (client->registry_next)
        client->registry_next->registry_prev = client->registry_prev;
    else
        last = client->registry_prev;
    pthread_mutex_unlock(&mutex);
}

void registry_each(void (*visit)(void *ctx, const struct client *client), void *ctx)
{
    pthread_mutex_lock(&mutex);
    for (const struct client *client = first; client; client = client->registry_next)
        visit(ctx, client);
    pthread_mutex_unlock(&mutex);
}

void registry_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void registry_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

void registry_copy_name(const struct client *client, char *out, size_t cap)
{
    pthread_mutex_lock(&mutex);
    snprintf(out, cap, "%s", client->name ? client->name : "");
    pthread_mutex_unlock(&mutex);
}
