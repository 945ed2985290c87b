/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A namespace keeps a table from watched keys to clients; a client keeps its list of keys. The flag
 * that fails EXEC is set by whoever changes a key, under the namespace's lock.
 */
#include "server/watch.h"

#include <stddef.h>

#include "ops/keyspace.h"
#include "ops/mem.h"
#include "ops/table.h"
#include "server/effects.h"

struct watched_key {
    uint32_t name_len; /* first: what a table asks of its items */
    struct client **clients;
    size_t count, cap;
    char name[];
};

struct watch_table {
    struct table keys;
};

struct watch_item {
    struct namespace *ns;
    struct slice key; /* own copy */
    bool live;        /* the key was there when it was first watched */
};

struct watch {
    struct watch_item *items;
    size_t count, cap;
};

static struct watched_key *find_watched(struct ns_state *state, struct slice key)
{
    if (!state->watches)
        return NULL;
    void **slot = table_find(&state->watches->keys, key, key_hash(key));
    return slot ? *slot : NULL;
}

static struct watched_key *add_watched(struct ns_state *state, struct slice key)
{
    if (!state->watches) {
        state->watches = mem_alloc(sizeof(*state->watches));
        table_init(&state->watches->keys, offsetof(struct watched_key, name));
    }
    struct watched_key *watched = mem_calloc(1, sizeof(*watched) + key.len);
    watched->name_len = (uint32_t)key.len;
    if (key.len)
        memcpy(watched->name, key.data, key.len);
    table_insert(&state->watches->keys, key_hash(key), watched);
    return watched;
}

static bool watches_already(const struct client *client, const struct namespace *ns,
                            struct slice key)
{
    const struct watch *watch = client->watched;
    for (size_t i = 0; watch && i < watch->count; i++)
        if (watch->items[i].ns == ns && slice_equal(watch->items[i].key, key))
            return true;
    return false;
}

static void remember(struct client *client, struct namespace *ns, struct slice key, bool live)
{
    if (!client->watched)
        client->watched = mem_calloc(1, sizeof(*client->watched));
    struct watch *watch = client->watched;
    if (watch->count == watch->cap) {
        watch->cap = watch->cap ? 2 * watch->cap : 4;
        watch->items = mem_realloc(watch->items, watch->cap * sizeof(*watch->items));
    }
    char *copy = mem_alloc(key.len);
    if (key.len)
        memcpy(copy, key.data, key.len);
    watch->items[watch->count++] = (struct watch_item){ns, slice_make(copy, key.len), live};
}

void watch_key(struct exec *x, struct slice key)
{
    if (watches_already(x->client, x->ns, key))
        return;
    /* A key whose deadline has passed is dropped here, so that its removal is no change later. */
    bool live = exec_find(x, key) != NULL;
    struct ns_state *state = ns_state_of(x->ns);
    struct watched_key *watched = find_watched(state, key);
    if (!watched)
        watched = add_watched(state, key);
    if (watched->count == watched->cap) {
        watched->cap = watched->cap ? 2 * watched->cap : 1;
        watched->clients = mem_realloc(watched->clients, watched->cap * sizeof(*watched->clients));
    }
    watched->clients[watched->count++] = x->client;
    remember(x->client, x->ns, key, live);
}

static void forget(struct client *client, const struct watch_item *item)
{
    struct ns_state *state = ns_state_of(item->ns);
    struct watched_key *watched = find_watched(state, item->key);
    size_t at = 0;
    while (watched->clients[at] != client)
        at++;
    watched->clients[at] = watched->clients[--watched->count];
    if (watched->count)
        return;
    uint64_t hash = key_hash(item->key);
    table_remove(&state->watches->keys, hash, table_find(&state->watches->keys, item->key, hash));
    mem_free(watched->clients);
    mem_free(watched);
    if (state->watches->keys.count == 0) {
        table_release(&state->watches->keys, NULL);
        mem_free(state->watches);
        state->watches = NULL;
    }
}

void watch_clear(struct client *client, bool locked)
{
    struct watch *watch = client->watched;
    if (!watch)
        return;
    for (size_t i = 0; i < watch->count; i++) {
        const struct watch_item *item = &watch->items[i];
        if (!locked)
            namespace_lock(item->ns);
        forget(client, item);
        if (!locked)
            namespace_unlock(item->ns);
        mem_free((void *)item->key.data);
    }
    mem_free(watch->items);
    mem_free(watch);
    client->watched = NULL;
}

/*
 * Looking a key up drops it when its deadline has passed, and dropping marks its watchers; but
 * where other servers write too it may only count as absent. A key that somebody removed is marked.
 */
void watch_expire(struct exec *x)
{
    const struct watch *watch = x->client->watched;
    for (size_t i = 0; watch && i < watch->count; i++) {
        struct watch_item item = watch->items[i];
        if (namespace_state(item.ns) == NAMESPACE_READY &&
            !keyspace_find(namespace_keyspace(item.ns), item.key, 0, x->now) && item.live)
            client_flag_set(x->client, CLIENT_DIRTY_CAS);
    }
}

bool watch_elsewhere(const struct client *client, const struct namespace *ns)
{
    const struct watch *watch = client->watched;
    for (size_t i = 0; watch && i < watch->count; i++)
        if (watch->items[i].ns != ns)
            return true;
    return false;
}

void watch_namespaces(const struct client *client, void (*visit)(void *ctx, struct namespace *ns),
                      void *ctx)
{
    const struct watch *watch = client->watched;
    for (size_t i = 0; watch && i < watch->count; i++)
        visit(ctx, watch->items[i].ns);
}

static void mark(const struct watched_key *watched)
{
    for (size_t i = 0; i < watched->count; i++)
        client_flag_set(watched->clients[i], CLIENT_DIRTY_CAS);
}

void effects_key_changed(struct exec *x, struct namespace *ns, struct slice key)
{
    (void)x;
    struct watched_key *watched = find_watched(ns_state_of(ns), key);
    if (watched)
        mark(watched);
}

void watch_mark_all(struct namespace *ns)
{
    struct ns_state *state = ns_state_of(ns);
    struct table_iter it = {0};
    const struct watched_key *watched;
    while (state->watches && (watched = table_next(&state->watches->keys, &it)))
        mark(watched);
}

/* Marks the watchers in `ns` of keys that live in `one` or in `other` (may be NULL). */
static void mark_living(struct exec *x, struct namespace *ns, struct keyspace *one,
                        struct keyspace *other)
{
    struct ns_state *state = ns_state_of(ns);
    struct table_iter it = {0};
    const struct watched_key *watched;
    if (!state->watches)
        return;
    while ((watched = table_next(&state->watches->keys, &it))) {
        struct slice key = slice_make(watched->name, watched->name_len);
        if (keyspace_find(one, key, 0, x->now) || (other && keyspace_find(other, key, 0, x->now)))
            mark(watched);
    }
}

void effects_before_clear(struct exec *x, struct namespace *ns)
{
    mark_living(x, ns, namespace_keyspace(ns), NULL);
}

void watch_before_swap(struct exec *x, struct namespace *a, struct namespace *b)
{
    mark_living(x, a, namespace_keyspace(a), namespace_keyspace(b));
    mark_living(x, b, namespace_keyspace(b), namespace_keyspace(a));
}
