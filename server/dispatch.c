/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One command: found, checked in Redis's order, run, counted. The plain case (an authenticated
 * connection outside MULTI, nothing in the server out of the ordinary) goes from batch.c straight
 * to dispatch_run; everything else comes through dispatch_slow.
 */
#include <stdio.h>

#include "server/client-internal.h"
#include "server/clock.h"
#include "server/command_docs.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/evict.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/monitor.h"
#include "server/pause.h"
#include "server/server.h"
#include "server/slowlog.h"

#define OOM_ERROR "OOM command not allowed when used memory > 'maxmemory'."

static bool arity_fits(const struct command *command, int argc)
{
    if (!command->handler)
        return false;
    return command->arity > 0 ? argc == command->arity : argc >= -command->arity;
}

/* DEBUG is one command to Redis: what is no subcommand is checked, and queued, as any of them. */
static bool takes_misfits(const struct command *container)
{
    return container->flags & CMD_PROTECTED;
}

void dispatch_prepare(struct loop *loop, struct request *request)
{
    (void)loop;
    const struct command *command = command_find(request->argv[0]);
    if (command && command->subcommands && request->argc > 1) {
        const struct command *sub = command_find_sub(command, request->argv[1]);
        if (sub && (arity_fits(sub, request->argc) || !takes_misfits(command)))
            command = sub;
    }
    request->command = command;
    request->hash = command && command->first_key > 0 && command->first_key < request->argc
                        ? key_hash(request->argv[command->first_key])
                        : 0;
}

static bool memory_exceeded(void)
{
    int64_t limit = CONFIG(maxmemory);
    return limit && atomic_load_explicit(&server.used_memory, memory_order_relaxed) > limit;
}

void dispatch_update_mask(struct loop *loop)
{
    uint32_t mask = CMD_ADMIN | CMD_PROTECTED | CMD_SLOW;
    int64_t slower_than = CONFIG(slowlog_slower_than);
    loop->time_all = slower_than >= 0 && slower_than < 1000;
    if (memory_exceeded())
        mask |= CMD_DENYOOM;
    if (!persistence_writable(server.persistence) || CONFIG(min_replicas_to_write))
        mask |= CMD_WRITE;
    if (monitor_active() || pause_active())
        mask = ~0u;
    loop->slow_mask = mask;
}

static void count_run(struct exec *x, int64_t usec)
{
    struct command_stats *stats = &x->loop->stats.commands[x->command->id];
    stats_bump(&stats->calls, 1);
    if (usec)
        stats_bump(&stats->usec, usec);
    if (x->failed)
        stats_bump(&stats->failed, 1);
}

static inline void run_handler(struct exec *x)
{
    const struct command *command = x->command;
    x->failed = false;
    int64_t usec = 0;
    if (command->flags & (CMD_FAST | CMD_LIKE_FAST) && !x->loop->time_all) {
        command->handler(x);
    } else {
        int64_t start = clock_monotonic_us();
        command->handler(x);
        usec = clock_monotonic_us() - start;
        slowlog_note(x, command, usec);
    }
    if (x->loop->wanted)
        return; /* it will be run again, and counted then */
    x->command = command;
    count_run(x, usec);
}

void dispatch_run(struct exec *x)
{
    x->push = false;
    atomic_store_explicit(&x->client->last_command, x->command, memory_order_relaxed);
    run_handler(x);
    if (x->serve)
        effects_after_command(x);
}

/* A refused EXEC says so with an EXECABORT and ends its transaction, as in Redis. */
static void reject_exec(struct exec *x, const char *text)
{
    const char *reason = strncmp(text, "ERR ", 4) == 0 ? text + 4 : text;
    exec_error_format(x, "EXECABORT Transaction discarded because of: %s", reason);
    transaction_abort(x->client);
}

static void reject(struct exec *x, const char *text)
{
    if (x->command && x->command->flags & CMD_EXEC)
        reject_exec(x, text);
    else
        exec_error(x, text);
    if (x->command)
        stats_bump(&x->loop->stats.commands[x->command->id].rejected, 1);
    if (client_is(x->client, CLIENT_MULTI))
        transaction_fail(x->client);
}

static void reject_unknown(struct exec *x)
{
    char args[160];
    size_t len = 0;
    for (int i = 1; i < x->argc && len < 128; i++) {
        size_t room = 128 - len;
        size_t take = x->argv[i].len < room ? x->argv[i].len : room;
        len +=
            (size_t)snprintf(args + len, sizeof(args) - len, "'%.*s' ", (int)take, x->argv[i].data);
    }
    args[len] = 0;
    char text[400];
    size_t name = x->argv[0].len < 128 ? x->argv[0].len : 128;
    snprintf(text, sizeof(text), "ERR unknown command '%.*s', with args beginning with: %s",
             (int)name, x->argv[0].data, args);
    reject(x, text);
}

/* A browser that a web page sends to this port: the lines of its request that follow may be
 * commands of the page's making, so none of them runs. */
static bool closed_on_http(struct exec *x)
{
    if (!exec_is(x, 0, "post") && !exec_is(x, 0, "host:"))
        return false;
    log_line(LOG_WARNING, "Possible SECURITY ATTACK: %s sent an HTTP request; it is closed",
             x->client->address);
    client_close_after_reply(x->client);
    return true;
}

/* A container's own row is left over when no subcommand fits. True: answered. */
static bool answered_container(struct exec *x)
{
    const struct command *command = x->command;
    if (!command->subcommands || x->argc < 2 || takes_misfits(command))
        return false;
    char name[40], text[256];
    command_upper_name(command, name, sizeof(name));
    size_t len = x->argv[1].len < 128 ? x->argv[1].len : 128;
    snprintf(text, sizeof(text), "ERR unknown subcommand '%.*s'. Try %s HELP.", (int)len,
             x->argv[1].data, name);
    reject(x, text);
    return true;
}

static bool is_local(const struct client *client)
{
    return client_is(client, CLIENT_UNIX_SOCKET) || strncmp(client->address, "127.", 4) == 0 ||
           strncmp(client->address, "[::1]", 5) == 0;
}

static const char *protected_refusal(const struct exec *x, const struct command *command)
{
    int64_t enabled = CONFIG(enable_debug_command);
    if (!(command->flags & CMD_PROTECTED) || enabled == DEBUG_COMMAND_YES)
        return NULL;
    if (enabled == DEBUG_COMMAND_LOCAL && is_local(x->client))
        return NULL;
    return "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
           "you can run it from a local connection, otherwise you need to set this option in the "
           "configuration file, and then restart the server.";
}

static bool out_of_memory(struct exec *x)
{
    return memory_exceeded() && !evict_for_write(x);
}

const char *exec_refusal(struct exec *x, const struct command *command)
{
    static _Thread_local char text[512];
    if (command->flags & CMD_DENYOOM && out_of_memory(x))
        return OOM_ERROR;
    if (!(command->flags & CMD_WRITE))
        return NULL;
    if (CONFIG(min_replicas_to_write))
        return "NOREPLICAS Not enough good replicas to write.";
    if (persistence_writable(server.persistence))
        return NULL;
    char reason[300];
    persistence_trouble(server.persistence, reason, sizeof(reason));
    snprintf(text, sizeof(text),
             "MISCONF cairn cannot write to its store: %s. Commands that may modify the data set "
             "are disabled until it can; see INFO persistence.",
             reason);
    return text;
}

/* Inside MULTI everything that queues is refused when memory is short, as in Redis. */
static const char *state_refusal(struct exec *x)
{
    const struct command *command = x->command;
    bool queues = client_is(x->client, CLIENT_MULTI) && !(command->flags & CMD_NO_QUEUE);
    if (queues && memory_exceeded() && out_of_memory(x))
        return OOM_ERROR;
    return exec_refusal(x, command);
}

static bool reject_subscribed(struct exec *x)
{
    if (!client_is(x->client, CLIENT_PUBSUB) || x->client->writer.protocol > 2 ||
        x->command->flags & CMD_IN_SUBSCRIBE)
        return false;
    char text[256];
    bool debug = x->command->flags & CMD_PROTECTED && x->command->parent; /* one to Redis */
    snprintf(text, sizeof(text),
             "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
             "are allowed in this context",
             debug ? x->command->parent->name : x->command->full_name);
    reject(x, text);
    return true;
}

/* As Redis, to which a monitor is a kind of replica. */
static const char *monitor_refusal(const struct exec *x)
{
    bool keyspace = x->command->flags & (CMD_WRITE | CMD_READONLY | CMD_MAY_REPLICATE);
    return keyspace && client_is(x->client, CLIENT_MONITOR)
               ? "ERR Replica can't interact with the keyspace"
               : NULL;
}

/* True: an error was written. */
static bool refused(struct exec *x)
{
    if (!x->command) {
        if (!closed_on_http(x))
            reject_unknown(x);
        return true;
    }
    const struct command *command = x->command;
    const char *text = NULL;
    if (answered_container(x))
        return true;
    if (!arity_fits(command, x->argc)) {
        char line[128];
        snprintf(line, sizeof(line), "ERR wrong number of arguments for '%s' command",
                 command->full_name);
        reject(x, line);
        return true;
    }
    text = protected_refusal(x, command);
    if (!text && client_must_authenticate(x->client) && !(command->flags & CMD_NO_AUTH))
        text = "NOAUTH Authentication required.";
    if (!text)
        text = state_refusal(x);
    if (!text && reject_subscribed(x))
        return true;
    if (!text && client_is(x->client, CLIENT_MULTI) && command->flags & CMD_NO_MULTI)
        text = "ERR Command not allowed inside a transaction";
    if (!text)
        text = monitor_refusal(x);
    if (text)
        reject(x, text);
    return text != NULL;
}

static bool pauses(struct exec *x)
{
    if (!pause_active() || client_is(x->client, CLIENT_INTERNAL | CLIENT_MONITOR))
        return false;
    uint32_t flags = x->command->flags;
    if (flags & CMD_EXEC)
        flags |= transaction_flags(x->client);
    return pause_holds(flags & (CMD_WRITE | CMD_MAY_REPLICATE)) && !pause_exempt(x->command);
}

static void run_checked(struct exec *x)
{
    if (refused(x))
        return;
    if (client_is(x->client, CLIENT_MULTI) && !(x->command->flags & CMD_NO_QUEUE)) {
        transaction_queue(x);
        return;
    }
    dispatch_run(x);
    if (monitor_active() && !x->loop->wanted)
        monitor_feed(x);
}

void exec_mute(struct exec *x, size_t before)
{
    if (!x->push && client_is(x->client, CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP))
        resp_buffer_take_back(&x->client->output, before);
}

bool exec_reply_lost(const struct exec *x)
{
    return client_is(x->client, CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP) ||
           client_overflows(x->client);
}

/* CLIENT REPLY SKIP is over with the answer that it skipped, which may come later. */
static void step_skip(const struct loop *loop, struct client *client)
{
    if (loop->wanted || client->hold & HOLD_SUSPENDED)
        return;
    client_flag_clear(client, CLIENT_REPLY_SKIP);
    if (client_is(client, CLIENT_REPLY_SKIP_NEXT)) {
        client_flag_clear(client, CLIENT_REPLY_SKIP_NEXT);
        client_flag_set(client, CLIENT_REPLY_SKIP);
    }
}

void dispatch_slow(struct loop *loop, struct request *request)
{
    struct exec *x = &loop->x;
    struct client *client = x->client;
    x->failed = false;
    x->push = false;
    if (x->command && pauses(x)) {
        backlog_append(client, request);
        pause_hold(client);
        return;
    }
    size_t before = resp_buffer_pending(&client->output);
    run_checked(x);
    exec_mute(x, before);
    step_skip(loop, client);
    dispatch_update_mask(loop);
}

bool exec_call(struct exec *x, const struct command *command, const struct slice *argv, int argc)
{
    struct exec outer = *x;
    size_t before = resp_buffer_pending(&x->client->output);
    /* CLIENT KILL of itself, or past its output limit */
    bool closing =
        client_is(x->client, CLIENT_CLOSE_REPLY | CLIENT_CLOSE_NOW) || client_overflows(x->client);
    x->push = false;
    x->command = command;
    x->argv = argv;
    x->argc = argc;
    x->ns = client_namespace(x->client);
    x->in_transaction = true;
    x->keys = exec_holds(x, x->ns) ? namespace_keyspace(x->ns) : NULL;
    x->hash = command->first_key > 0 && command->first_key < argc
                  ? key_hash(argv[command->first_key])
                  : 0;
    run_handler(x);
    if (monitor_active())
        monitor_feed(x);
    exec_mute(x, before);
    if (closing)
        resp_buffer_take_back(&x->client->output, before);
    bool good = !x->failed;
    outer.serve = x->serve;
    *x = outer;
    return good;
}
