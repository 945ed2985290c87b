/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of waiting clients, and serving them; blocking.h tells the rules.
 *
 * A struct blocked belongs to its client's thread, but while it is queued it is read and taken out
 * of the queues by any thread that holds the namespace's lock. `served` says, under that lock, that
 * a reply is on its way: from then on only the client's thread touches it.
 */
#include "server/blocking.h"

#include <stddef.h>

#include "ops/mem.h"
#include "ops/table.h"
#include "server/client-internal.h"
#include "server/effects.h"
#include "server/loop-internal.h"
#include "server/stats.h"
#include "server/wait.h"
#include "server/watch.h"

struct waiter {
    struct blocked *owner;
    struct blocked_key *key;
    struct waiter *prev, *next; /* in the key's queue */
};

struct blocked_key {
    uint32_t name_len; /* first: what a table asks of its items */
    bool ready;        /* is in this thread's list of ready keys */
    struct waiter *first, *last;
    char name[];
};

struct blocked_table {
    struct table keys;
};

struct blocked {
    struct client_ref client;
    struct namespace *ns;
    uint64_t token;
    int protocol;
    enum durability durability; /* of the client, which cannot change it while it waits */
    bool served;
    struct list_plan plan; /* its destination lies behind the waiters */
    size_t count;
    struct waiter waiters[];
};

struct ready_key {
    struct namespace *ns;
    struct slice name; /* own copy */
};

/* Keys made ready by the command that runs on this thread; empty between commands. */
static _Thread_local struct {
    struct ready_key *items;
    size_t count, cap;
} ready;

static struct blocked_key *find_key(const struct ns_state *state, struct slice name)
{
    if (!state->blocked)
        return NULL;
    void **slot = table_find(&state->blocked->keys, name, key_hash(name));
    return slot ? *slot : NULL;
}

static struct blocked_key *add_key(struct ns_state *state, struct slice name)
{
    if (!state->blocked) {
        state->blocked = mem_alloc(sizeof(*state->blocked));
        table_init(&state->blocked->keys, offsetof(struct blocked_key, name));
    }
    struct blocked_key *key = mem_calloc(1, sizeof(*key) + name.len);
    key->name_len = (uint32_t)name.len;
    if (name.len)
        memcpy(key->name, name.data, name.len);
    table_insert(&state->blocked->keys, key_hash(name), key);
    return key;
}

static void remove_key(struct ns_state *state, struct blocked_key *key)
{
    struct slice name = slice_make(key->name, key->name_len);
    uint64_t hash = key_hash(name);
    table_remove(&state->blocked->keys, hash, table_find(&state->blocked->keys, name, hash));
    mem_free(key);
    if (state->blocked->keys.count == 0) {
        table_release(&state->blocked->keys, NULL);
        mem_free(state->blocked);
        state->blocked = NULL;
    }
}

static void enqueue(struct blocked_key *key, struct waiter *waiter)
{
    waiter->key = key;
    waiter->prev = key->last;
    *(key->last ? &key->last->next : &key->first) = waiter;
    key->last = waiter;
}

/* Takes the client out of all queues; the namespace is locked. */
static void dequeue_all(struct blocked *blocked)
{
    struct ns_state *state = ns_state_of(blocked->ns);
    for (size_t i = 0; i < blocked->count; i++) {
        struct waiter *waiter = &blocked->waiters[i];
        struct blocked_key *key = waiter->key;
        *(waiter->prev ? &waiter->prev->next : &key->first) = waiter->next;
        *(waiter->next ? &waiter->next->prev : &key->last) = waiter->prev;
        if (!key->first)
            remove_key(state, key);
    }
}

/* Ends the wait unless a reply is already on its way. No lock held. */
static bool give_up(struct client *client)
{
    struct blocked *blocked = client->blocked;
    namespace_lock(blocked->ns);
    bool mine = !blocked->served;
    if (mine)
        dequeue_all(blocked);
    namespace_unlock(blocked->ns);
    return mine;
}

static void forget(struct client *client)
{
    mem_free(client->blocked);
    client->blocked = NULL;
    client_flag_clear(client, CLIENT_BLOCKED);
}

static void finish(struct client *client, uint64_t token)
{
    forget(client);
    client_resume(client, token);
}

static void timed_out(struct client *client, uint64_t token)
{
    if (!client->blocked || client->blocked->token != token || !give_up(client))
        return;
    struct resp_writer *out = client_answer(client, token);
    if (out)
        resp_write_nil_array(out);
    finish(client, token);
}

bool blocking_unblock(struct client *client, bool with_error)
{
    if (!client->blocked)
        return wait_unblock(client, with_error);
    if (!give_up(client))
        return false;
    uint64_t token = client->blocked->token;
    struct resp_writer *out = client_answer(client, token);
    if (out && with_error)
        wait_write_unblocked(client, out);
    else if (out)
        resp_write_nil_array(out);
    finish(client, token);
    return true;
}

void blocking_on_close(struct client *client)
{
    if (!client->blocked)
        return;
    give_up(client);
    forget(client);
}

/* A key that is given twice is waited for once: who comes last is at its end. */
static void enqueue_once(struct blocked *blocked, struct ns_state *state, struct slice name)
{
    struct blocked_key *key = find_key(state, name);
    if (key && key->last->owner == blocked)
        return;
    struct waiter *waiter = &blocked->waiters[blocked->count++];
    waiter->owner = blocked;
    enqueue(key ? key : add_key(state, name), waiter);
}

void blocking_wait(struct exec *x, const struct slice *keys, size_t count,
                   const struct list_plan *plan, int64_t ms)
{
    struct client *client = x->client;
    size_t size = sizeof(struct blocked) + count * sizeof(struct waiter);
    struct blocked *blocked = mem_calloc(1, size + plan->destination.len);
    blocked->client = client_ref(client);
    blocked->ns = x->ns;
    blocked->token = exec_suspend(x);
    blocked->protocol = x->out->protocol;
    blocked->durability = client->durability;
    blocked->plan = *plan;
    if (plan->destination.len)
        memcpy((char *)blocked + size, plan->destination.data, plan->destination.len);
    blocked->plan.destination.data = (char *)blocked + size;
    struct ns_state *state = ns_state_of(x->ns);
    for (size_t i = 0; i < count; i++)
        enqueue_once(blocked, state, keys[i]);
    client->blocked = blocked;
    client_flag_set(client, CLIENT_BLOCKED);
    if (ms)
        client_set_timer(client, blocked->token, loop_now(x->loop) + ms, timed_out);
}

struct late_reply {
    uint64_t token;
    struct namespace *ns;
    uint64_t mark; /* behind what was done for the client */
    struct resp_buffer bytes;
};

static void late_reply_destroy(struct late_reply *reply)
{
    resp_buffer_release(&reply->bytes);
    mem_free(reply);
}

/* The client is answered as for a write of its own: at its durability, and its WAIT covers it. */
static void deliver(struct client *client, void *ctx)
{
    struct late_reply *reply = ctx;
    struct resp_writer *out = client ? client_answer(client, reply->token) : NULL;
    if (out) {
        resp_write_raw(out, reply->bytes.data, reply->bytes.len);
        client_note_mark(client, reply->ns, reply->mark);
        if (client_waits_for_store(client))
            batch_hold_durable(client);
        finish(client, reply->token);
        stats_count(STAT_UNBLOCKED, 1);
    }
    late_reply_destroy(reply);
}

/* The journal did not take what was done for the client: nobody knows whether it will last. */
static void withhold(struct client *client, void *ctx)
{
    struct late_reply *reply = ctx;
    if (client && client->wait_token == reply->token)
        client_close_now(client);
    late_reply_destroy(reply);
}

/* The first waiter of a key that holds a list gets what it waited for. */
static void serve(struct exec *x, struct waiter *waiter, struct slice name)
{
    struct blocked *blocked = waiter->owner;
    struct late_reply *reply = mem_calloc(1, sizeof(*reply));
    struct resp_writer writer = {&reply->bytes, blocked->protocol}, *out = x->out;
    bool failed = x->failed;
    reply->token = blocked->token;
    dequeue_all(blocked);
    x->out = &writer;
    list_plan_run(x, blocked->ns, name, &blocked->plan);
    x->out = out;
    x->failed = failed;
    blocked->served = true;
    reply->ns = blocked->ns;
    reply->mark = namespace_mark(blocked->ns);
    if (blocked->durability >= DURABILITY_WRITTEN)
        x->loop->harden_fsync = true;
    exec_post_promise(x, blocked->client, deliver, withhold, reply);
}

static void serve_key(struct exec *x, struct namespace *ns, struct slice name)
{
    struct blocked_key *key = find_key(ns_state_of(ns), name);
    if (key)
        key->ready = false;
    while (key) {
        struct entry *entry = keyspace_find(namespace_keyspace(ns), name, 0, x->now);
        if (!entry || entry_type(entry) != VALUE_LIST)
            return;
        serve(x, key->first, name);
        key = find_key(ns_state_of(ns), name);
    }
}

/* Serving may make further keys ready (BLMOVE): they join the end of the list. */
void effects_after_command(struct exec *x)
{
    for (size_t i = 0; i < ready.count; i++) {
        struct ready_key item = ready.items[i];
        serve_key(x, item.ns, item.name);
        mem_free((void *)item.name.data);
    }
    mem_free(ready.items);
    ready.items = NULL;
    ready.count = ready.cap = 0;
    x->serve = false;
}

static void make_ready(struct exec *x, struct namespace *ns, struct blocked_key *key)
{
    if (key->ready)
        return;
    if (ready.count == ready.cap) {
        ready.cap = ready.cap ? 2 * ready.cap : 4;
        ready.items = mem_realloc(ready.items, ready.cap * sizeof(*ready.items));
    }
    char *copy = mem_alloc(key->name_len);
    memcpy(copy, key->name, key->name_len);
    ready.items[ready.count++] = (struct ready_key){ns, slice_make(copy, key->name_len)};
    key->ready = x->serve = true;
}

void effects_key_ready(struct exec *x, struct namespace *ns, struct slice name,
                       enum value_type type)
{
    struct blocked_key *key = find_key(ns_state_of(ns), name);
    if (key && type == VALUE_LIST)
        make_ready(x, ns, key);
}

static void all_ready(struct exec *x, struct namespace *ns)
{
    const struct ns_state *state = ns_state_of(ns);
    struct table_iter it = {0};
    struct blocked_key *key;
    if (!state->blocked)
        return;
    while ((key = table_next(&state->blocked->keys, &it)))
        make_ready(x, ns, key);
}

void effects_look_again(struct exec *x, struct namespace *ns)
{
    all_ready(x, ns);
}

void effects_swap(struct exec *x, struct namespace *a, struct namespace *b, bool after)
{
    if (!after) {
        watch_before_swap(x, a, b);
        return;
    }
    all_ready(x, a);
    all_ready(x, b);
}
