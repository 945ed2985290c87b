/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of channels; pubsub.h tells the rules. */
#include "server/pubsub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "ops/keyspace.h"
#include "ops/mem.h"
#include "ops/table.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/glob.h"
#include "server/loop.h"
#include "server/stats.h"

/* A name with at least one listener. */
struct channel {
    uint32_t name_len; /* first: what a table asks of its items */
    struct client_ref *listeners;
    size_t count, cap;
    char name[];
};

/* One of a client's subscriptions; touched by its thread only. */
struct subscription {
    uint32_t name_len;
    char name[];
};

struct subscriptions {
    struct table names[PUBSUB_KINDS];
};

/* Shared by all deliveries of one message; the last frees it. */
struct message {
    _Atomic size_t refs;
    enum pubsub_kind kind;
    struct slice pattern, channel, payload;
    char bytes[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct table channels[PUBSUB_KINDS] = {
    {.key_offset = offsetof(struct channel, name)},
    {.key_offset = offsetof(struct channel, name)},
    {.key_offset = offsetof(struct channel, name)},
};
static _Atomic size_t channel_counts[PUBSUB_KINDS]; /* written under the mutex */

static size_t names_with_listeners(enum pubsub_kind kind)
{
    return atomic_load_explicit(&channel_counts[kind], memory_order_relaxed);
}

size_t pubsub_channels(void)
{
    return names_with_listeners(PUBSUB_CHANNEL);
}

size_t pubsub_patterns(void)
{
    return names_with_listeners(PUBSUB_PATTERN);
}

bool pubsub_any_listener(void)
{
    return pubsub_channels() || pubsub_patterns();
}

static void channel_join(enum pubsub_kind kind, struct slice name, struct client_ref listener)
{
    uint64_t hash = key_hash(name);
    pthread_mutex_lock(&mutex);
    void **slot = table_find(&channels[kind], name, hash);
    struct channel *channel = slot ? *slot : NULL;
    if (!channel) {
        channel = mem_calloc(1, sizeof(*channel) + name.len);
        channel->name_len = (uint32_t)name.len;
        memcpy(channel->name, name.data, name.len);
        table_insert(&channels[kind], hash, channel);
        atomic_store(&channel_counts[kind], channels[kind].count);
    }
    if (channel->count == channel->cap) {
        channel->cap = channel->cap ? 2 * channel->cap : 2;
        channel->listeners =
            mem_realloc(channel->listeners, channel->cap * sizeof(*channel->listeners));
    }
    channel->listeners[channel->count++] = listener;
    pthread_mutex_unlock(&mutex);
}

static void channel_leave(enum pubsub_kind kind, struct slice name, uint64_t client_id)
{
    uint64_t hash = key_hash(name);
    pthread_mutex_lock(&mutex);
    void **slot = table_find(&channels[kind], name, hash);
    struct channel *channel = *slot;
    size_t at = 0;
    while (channel->listeners[at].id != client_id)
        at++;
    memmove(&channel->listeners[at], &channel->listeners[at + 1],
            (channel->count - at - 1) * sizeof(*channel->listeners));
    if (--channel->count == 0) {
        table_remove(&channels[kind], hash, slot);
        atomic_store(&channel_counts[kind], channels[kind].count);
        mem_free(channel->listeners);
        mem_free(channel);
    }
    pthread_mutex_unlock(&mutex);
}

static struct subscriptions *subscriptions_of(struct client *client)
{
    if (!client->subscriptions) {
        client->subscriptions = mem_alloc(sizeof(*client->subscriptions));
        for (int kind = 0; kind < PUBSUB_KINDS; kind++)
            table_init(&client->subscriptions->names[kind], offsetof(struct subscription, name));
    }
    return client->subscriptions;
}

/* CLIENT LIST and the rules of the subscribed state follow from the counts. */
static void update_client(struct client *client)
{
    size_t names = pubsub_subscriptions(client, PUBSUB_CHANNEL);
    size_t patterns = pubsub_subscriptions(client, PUBSUB_PATTERN);
    size_t shards = pubsub_subscriptions(client, PUBSUB_SHARD);
    atomic_store_explicit(&client->subscribed, (int)names, memory_order_relaxed);
    atomic_store_explicit(&client->psubscribed, (int)patterns, memory_order_relaxed);
    atomic_store_explicit(&client->ssubscribed, (int)shards, memory_order_relaxed);
    if (names + patterns + shards)
        client_flag_set(client, CLIENT_PUBSUB);
    else
        client_flag_clear(client, CLIENT_PUBSUB);
}

bool pubsub_subscribe(struct client *client, enum pubsub_kind kind, struct slice name)
{
    struct table *names = &subscriptions_of(client)->names[kind];
    uint64_t hash = key_hash(name);
    if (table_find(names, name, hash))
        return false;
    struct subscription *item = mem_alloc(sizeof(*item) + name.len);
    item->name_len = (uint32_t)name.len;
    memcpy(item->name, name.data, name.len);
    table_insert(names, hash, item);
    channel_join(kind, name, client_ref(client));
    update_client(client);
    return true;
}

bool pubsub_unsubscribe(struct client *client, enum pubsub_kind kind, struct slice name)
{
    if (!client->subscriptions)
        return false;
    struct table *names = &client->subscriptions->names[kind];
    uint64_t hash = key_hash(name);
    void **slot = table_find(names, name, hash);
    if (!slot)
        return false;
    channel_leave(kind, name, client->id);
    mem_free(table_remove(names, hash, slot));
    update_client(client);
    return true;
}

size_t pubsub_subscriptions(const struct client *client, enum pubsub_kind kind)
{
    return client->subscriptions ? client->subscriptions->names[kind].count : 0;
}

bool pubsub_any(const struct client *client, enum pubsub_kind kind, struct slice *name)
{
    if (!client->subscriptions)
        return false;
    struct table_iter it = {0};
    const struct subscription *item = table_next(&client->subscriptions->names[kind], &it);
    if (item)
        *name = slice_make(item->name, item->name_len);
    return item != NULL;
}

void pubsub_on_close(struct client *client)
{
    if (!client->subscriptions)
        return;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        struct table *names = &client->subscriptions->names[kind];
        struct table_iter it = {0};
        const struct subscription *item;
        while ((item = table_next(names, &it)))
            channel_leave((enum pubsub_kind)kind, slice_make(item->name, item->name_len),
                          client->id);
        table_release(names, mem_free);
    }
    mem_free(client->subscriptions);
    client->subscriptions = NULL;
    update_client(client);
}

static struct slice message_part(char **at, struct slice part)
{
    struct slice copy = slice_make(*at, part.len);
    if (part.len)
        memcpy(*at, part.data, part.len);
    *at += part.len;
    return copy;
}

static struct message *message_create(enum pubsub_kind kind, struct slice pattern,
                                      struct slice channel, struct slice payload)
{
    struct message *m = mem_alloc(sizeof(*m) + pattern.len + channel.len + payload.len);
    char *at = m->bytes;
    atomic_init(&m->refs, 1);
    m->kind = kind;
    m->pattern = message_part(&at, pattern);
    m->channel = message_part(&at, channel);
    m->payload = message_part(&at, payload);
    return m;
}

static void message_release(struct message *m)
{
    if (atomic_fetch_sub(&m->refs, 1) == 1)
        mem_free(m);
}

static const char *message_word(enum pubsub_kind kind)
{
    static const char *const words[] = {
#define X(name, message, subscribe, unsubscribe) message,
        PUBSUB_KIND_LIST(X)
#undef X
    };
    return words[kind];
}

static void deliver(struct client *client, void *ctx)
{
    struct message *m = ctx;
    if (client) {
        struct resp_writer *out = client_push(client);
        resp_write_push(out, m->kind == PUBSUB_PATTERN ? 4 : 3);
        resp_write_bulk_text(out, message_word(m->kind));
        if (m->kind == PUBSUB_PATTERN)
            resp_write_bulk(out, m->pattern.data, m->pattern.len);
        resp_write_bulk(out, m->channel.data, m->channel.len);
        resp_write_bulk(out, m->payload.data, m->payload.len);
    }
    message_release(m);
}

static size_t post_all(struct exec *x, const struct channel *to, enum pubsub_kind kind,
                       struct slice channel, struct slice payload)
{
    struct slice pattern = slice_make(NULL, 0);
    if (kind == PUBSUB_PATTERN)
        pattern = slice_make(to->name, to->name_len);
    struct message *m = message_create(kind, pattern, channel, payload);
    atomic_fetch_add(&m->refs, to->count);
    for (size_t i = 0; i < to->count; i++)
        if (x)
            exec_post(x, to->listeners[i], deliver, m);
        else
            loop_post_client(to->listeners[i], deliver, m);
    message_release(m);
    return to->count;
}

size_t pubsub_publish(struct exec *x, enum pubsub_kind kind, struct slice channel,
                      struct slice payload)
{
    size_t receivers = 0;
    bool patterns = kind == PUBSUB_CHANNEL && names_with_listeners(PUBSUB_PATTERN);
    if (!names_with_listeners(kind) && !patterns)
        return 0;
    pthread_mutex_lock(&mutex);
    void **slot = table_find(&channels[kind], channel, key_hash(channel));
    if (slot)
        receivers += post_all(x, *slot, kind, channel, payload);
    struct table_iter it = {0};
    const struct channel *pattern;
    while (patterns && (pattern = table_next(&channels[PUBSUB_PATTERN], &it)))
        if (glob_match(slice_make(pattern->name, pattern->name_len), channel, false))
            receivers += post_all(x, pattern, PUBSUB_PATTERN, channel, payload);
    pthread_mutex_unlock(&mutex);
    stats_count(STAT_PUBSUB_MESSAGES, (int64_t)receivers);
    return receivers;
}

bool pubsub_heard(struct slice channel)
{
    struct table_iter it = {0};
    const struct channel *pattern;
    if (!pubsub_any_listener())
        return false;
    pthread_mutex_lock(&mutex);
    bool heard = table_find(&channels[PUBSUB_CHANNEL], channel, key_hash(channel));
    while (!heard && (pattern = table_next(&channels[PUBSUB_PATTERN], &it)))
        heard = glob_match(slice_make(pattern->name, pattern->name_len), channel, false);
    pthread_mutex_unlock(&mutex);
    return heard;
}

void pubsub_names(enum pubsub_kind kind, const struct slice *pattern,
                  void (*visit)(void *ctx, struct slice name), void *ctx)
{
    struct table_iter it = {0};
    const struct channel *channel;
    pthread_mutex_lock(&mutex);
    while ((channel = table_next(&channels[kind], &it))) {
        struct slice name = slice_make(channel->name, channel->name_len);
        if (!pattern || glob_match(*pattern, name, false))
            visit(ctx, name);
    }
    pthread_mutex_unlock(&mutex);
}

size_t pubsub_listeners(enum pubsub_kind kind, struct slice name)
{
    pthread_mutex_lock(&mutex);
    void **slot = table_find(&channels[kind], name, key_hash(name));
    size_t count = slot ? ((struct channel *)*slot)->count : 0;
    pthread_mutex_unlock(&mutex);
    return count;
}
