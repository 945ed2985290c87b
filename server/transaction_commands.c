/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. Commands are checked and copied when they are queued; EXEC
 * runs them under the lock of the one namespace, or of all that the queue may touch, taken before
 * the first runs. What they change is one journal record: all of it is recovered, or nothing.
 */
#include <limits.h>

#include "ops/mem.h"
#include "server/command.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/watch.h"

struct queued {
    const struct command *command;
    struct slice *argv; /* array and bytes in one allocation */
    int argc;
};

struct transaction {
    struct queued *items;
    size_t count, cap;
    uint32_t flags; /* of all its commands */
    bool failed;    /* a command was refused: EXEC will answer EXECABORT */
};

static void transaction_destroy(struct client *client)
{
    struct transaction *t = client->transaction;
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        mem_free(t->items[i].argv);
    mem_free(t->items);
    mem_free(t);
    client->transaction = NULL;
    client->exec_own_locks = false;
    client_flag_clear(client, CLIENT_MULTI | CLIENT_DIRTY_CAS);
    atomic_store_explicit(&client->queued, -1, memory_order_relaxed);
}

void transaction_on_close(struct client *client)
{
    watch_clear(client, false);
    transaction_destroy(client);
    client_flag_clear(client, CLIENT_DIRTY_CAS);
}

void transaction_fail(struct client *client)
{
    if (client->transaction)
        client->transaction->failed = true;
}

void transaction_abort(struct client *client)
{
    if (!client->transaction)
        return;
    watch_clear(client, !client->exec_own_locks);
    transaction_destroy(client);
}

static struct slice *copy_arguments(const struct slice *argv, int argc)
{
    size_t bytes = 0;
    for (int i = 0; i < argc; i++)
        bytes += argv[i].len;
    struct slice *copy = mem_alloc((size_t)argc * sizeof(*copy) + bytes);
    char *at = (char *)(copy + argc);
    for (int i = 0; i < argc; i++) {
        if (argv[i].len)
            memcpy(at, argv[i].data, argv[i].len);
        copy[i] = slice_make(at, argv[i].len);
        at += argv[i].len;
    }
    return copy;
}

static bool changes_namespace(const struct command *command)
{
    return command->flags & CMD_OWN_LOCKS ||
           slice_equal(slice_of(command->name), slice_of("select"));
}

void transaction_queue(struct exec *x)
{
    struct transaction *t = x->client->transaction;
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->items = mem_realloc(t->items, t->cap * sizeof(*t->items));
    }
    t->flags |= x->command->flags;
    t->items[t->count++] = (struct queued){x->command, copy_arguments(x->argv, x->argc), x->argc};
    atomic_store_explicit(&x->client->queued, (int)t->count, memory_order_relaxed);
    if (changes_namespace(x->command))
        x->client->exec_own_locks = true;
    resp_write_simple(x->out, "QUEUED");
}

uint32_t transaction_flags(const struct client *client)
{
    return client->transaction ? client->transaction->flags : 0;
}

static void multi_command(struct exec *x)
{
    struct client *client = x->client;
    if (client->transaction) {
        exec_error(x, "ERR MULTI calls can not be nested");
        return;
    }
    client->transaction = mem_calloc(1, sizeof(*client->transaction));
    client->exec_own_locks = watch_elsewhere(client, x->ns);
    client_flag_set(client, CLIENT_MULTI);
    atomic_store_explicit(&client->queued, 0, memory_order_relaxed);
    resp_write_ok(x->out);
}

static void discard_command(struct exec *x)
{
    if (!x->client->transaction) {
        exec_error(x, "ERR DISCARD without MULTI");
        return;
    }
    watch_clear(x->client, false);
    transaction_destroy(x->client);
    resp_write_ok(x->out);
}

static void watch_command(struct exec *x)
{
    if (x->client->transaction) {
        exec_error(x, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (int i = 1; !client_is(x->client, CLIENT_DIRTY_CAS) && i < x->argc; i++)
        watch_key(x, x->argv[i]);
    resp_write_ok(x->out);
}

/* Inside EXEC nothing is watched any more, so the locks held there are not taken again. */
static void unwatch_command(struct exec *x)
{
    watch_clear(x->client, false);
    client_flag_clear(x->client, CLIENT_DIRTY_CAS);
    resp_write_ok(x->out);
}

struct namespace_list {
    struct namespace **items;
    size_t count, cap;
};

static void add_namespace(void *ctx, struct namespace *ns)
{
    struct namespace_list *list = ctx;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == ns)
            return;
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 8;
        list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = ns;
}

/* The namespaces that a queued command names; a name that is none gets its error when it runs. */
static void add_named(const struct queued *item, struct namespace_list *list)
{
    static const struct {
        const char *command;
        int first, last; /* arguments that may name a namespace; of COPY, all options */
        bool (*find)(struct slice name, struct namespace **ns);
    } naming[] = {{"select", 1, 1, exec_namespace_quiet},
                  {"move", 2, 2, exec_namespace_known},
                  {"swapdb", 1, 2, exec_namespace_known},
                  {"copy", 4, INT_MAX, exec_namespace_known}};
    struct namespace *ns;
    struct slice name = slice_of(item->command->name);
    for (size_t i = 0; i < sizeof(naming) / sizeof(naming[0]); i++) {
        if (!slice_equal(name, slice_of(naming[i].command)))
            continue;
        for (int at = naming[i].first; at <= naming[i].last && at < item->argc; at++)
            if (naming[i].find(item->argv[at], &ns))
                add_namespace(list, ns);
    }
}

/* False: the reply is written, or EXEC will be run again when all are loaded. */
static bool lock_all(struct exec *x)
{
    struct namespace_list list = {0};
    const struct transaction *t = x->client->transaction;
    bool all = false;
    add_namespace(&list, x->ns);
    watch_namespaces(x->client, add_namespace, &list);
    for (size_t i = 0; i < t->count; i++) {
        add_named(&t->items[i], &list);
        all = all || slice_equal(slice_of(t->items[i].command->name), slice_of("flushall"));
    }
    bool locked = all ? exec_lock_all(x, list.items, (int)list.count)
                      : exec_lock_namespaces(x, list.items, (int)list.count);
    mem_free(list.items);
    return locked;
}

/* What refuses one of the commands now, though it did not when it was queued. */
static const char *refusal(struct exec *x)
{
    const struct transaction *t = x->client->transaction;
    const char *text = NULL;
    for (size_t i = 0; !text && i < t->count; i++)
        text = exec_refusal(x, t->items[i].command);
    return text;
}

static void run_queue(struct exec *x)
{
    struct client *client = x->client;
    struct transaction *t = client->transaction;
    const char *refused = refusal(x);
    watch_expire(x);
    bool dirty = client_is(client, CLIENT_DIRTY_CAS);
    watch_clear(client, true);
    client_flag_clear(client, CLIENT_MULTI | CLIENT_DIRTY_CAS);
    if (refused) {
        exec_error_format(x, "EXECABORT Transaction discarded because of: %s", refused);
    } else if (dirty) {
        resp_write_nil_array(x->out);
    } else {
        size_t before = resp_buffer_pending(&client->output);
        resp_write_array(x->out, t->count);
        exec_mute(x, before);
        for (size_t i = 0; i < t->count; i++)
            exec_call(x, t->items[i].command, t->items[i].argv, t->items[i].argc);
        x->push = true;
    }
}

static void exec_command(struct exec *x)
{
    struct client *client = x->client;
    if (!client->transaction) {
        exec_error(x, "ERR EXEC without MULTI");
        return;
    }
    bool own_locks = client->exec_own_locks;
    if (client->transaction->failed) {
        exec_error(x, "EXECABORT Transaction discarded because of previous errors.");
        if (own_locks)
            watch_clear(client, false);
    } else {
        if (own_locks && !lock_all(x))
            return;
        run_queue(x);
        if (own_locks)
            exec_unlock_namespaces(x);
    }
    watch_clear(client, !own_locks);
    transaction_destroy(client);
}

/* clang-format off */
#define TRANSACTION(name_, arity_, flags_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | (flags_), \
     .group = GROUP_TRANSACTIONS, .handler = handler_, .since = since_, \
     .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command transaction_commands[] = {
    TRANSACTION("discard", 1, CMD_ALLOW_BUSY | CMD_FAST | CMD_OWN_LOCKS | CMD_NO_QUEUE, discard_command, "2.0.0", "O(N) for N queued commands", "", "Forgets the commands of a transaction."),
    {.name = "exec", .arity = 1, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SKIP_SLOWLOG | CMD_EXEC | CMD_NO_QUEUE, .group = GROUP_TRANSACTIONS, .handler = exec_command, .since = "1.2.0", .complexity = "Depends on the commands in the transaction", .syntax = "", .summary = "Runs the commands of a transaction, all or none."},
    TRANSACTION("multi", 1, CMD_ALLOW_BUSY | CMD_FAST | CMD_NO_LOCK | CMD_NO_QUEUE, multi_command, "1.2.0", "O(1)", "", "Starts a transaction."),
    TRANSACTION("unwatch", 1, CMD_ALLOW_BUSY | CMD_FAST | CMD_OWN_LOCKS, unwatch_command, "2.2.0", "O(N) for N watched keys", "", "Forgets the watched keys of the connection."),
    {.name = "watch", .arity = -2, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_NO_QUEUE, .group = GROUP_TRANSACTIONS, .first_key = 1, .last_key = -1, .key_step = 1, .handler = watch_command, .since = "2.2.0", .complexity = "O(1) for each key", .syntax = "key [key ...]", .summary = "Watches keys: a transaction after it runs only if none of them has changed."},
    {0},
};
/* clang-format on */
