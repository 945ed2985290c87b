/* SPDX-License-Identifier: BSD-3-Clause */
/* PING ECHO QUIT RESET AUTH HELLO SELECT: the connection itself. */
#include <strings.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/client_name.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/loop-internal.h"
#include "server/monitor.h"
#include "server/server.h"

static void ping_command(struct exec *x)
{
    if (x->argc > 2) {
        exec_wrong_arity(x);
    } else if (client_is(x->client, CLIENT_PUBSUB) && x->out->protocol == 2) {
        resp_write_array(x->out, 2);
        resp_write_bulk_text(x->out, "pong");
        resp_write_bulk(x->out, x->argc == 2 ? x->argv[1].data : "",
                        x->argc == 2 ? x->argv[1].len : 0);
    } else if (x->argc == 2) {
        resp_write_bulk(x->out, x->argv[1].data, x->argv[1].len);
    } else {
        resp_write_simple(x->out, "PONG");
    }
}

static void echo_command(struct exec *x)
{
    resp_write_bulk(x->out, x->argv[1].data, x->argv[1].len);
}

static void quit_command(struct exec *x)
{
    resp_write_ok(x->out);
    client_close_after_reply(x->client);
}

static void set_protocol(struct client *client, int protocol)
{
    client->writer.protocol = protocol;
    atomic_store_explicit(&client->protocol, protocol, memory_order_relaxed);
}

static void reset_command(struct exec *x)
{
    struct client *client = x->client;
    transaction_on_close(client);
    pubsub_on_close(client);
    monitor_on_close(client);
    client_flag_clear(client, CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP_NEXT | CLIENT_NO_EVICT |
                                  CLIENT_NO_TOUCH);
    client_select(client, server.databases[0]);
    client_name_set(client, slice_make("", 0));
    client->durability = (enum durability)CONFIG(durability);
    set_protocol(client, 2);
    client_set_authenticated(client, !atomic_load(&server.password_set));
    resp_write_simple(x->out, "RESET");
}

/* Takes as long for a wrong password as for the right one. */
static bool same_secret(struct slice given, const char *secret)
{
    size_t len = strlen(secret);
    unsigned char differs = given.len != len;
    for (size_t i = 0; i < given.len; i++)
        differs |= (unsigned char)(given.data[i] ^ secret[len ? i % len : 0]);
    return !differs;
}

static bool is_default_user(struct slice user)
{
    return slice_equal(user, slice_of("default"));
}

/* Any password is right for the default user when none is configured, as in Redis. */
static bool log_in(struct exec *x, struct slice user, struct slice password)
{
    char *secret = CONFIG_STRING(requirepass);
    bool good = is_default_user(user) && (!secret[0] || same_secret(password, secret));
    mem_free(secret);
    if (good)
        client_set_authenticated(x->client, true);
    else
        exec_error(x, "WRONGPASS invalid username-password pair or user is disabled.");
    return good;
}

static void auth_command(struct exec *x)
{
    if (x->argc > 3) {
        exec_syntax_error(x);
        return;
    }
    if (x->argc == 2 && !atomic_load(&server.password_set)) {
        exec_error(x, "ERR AUTH <password> called without any password configured for the default "
                      "user. Are you sure your configuration is correct?");
        return;
    }
    struct slice user = x->argc == 3 ? x->argv[1] : slice_of("default");
    if (log_in(x, user, x->argv[x->argc - 1]))
        resp_write_ok(x->out);
}

static void write_hello(struct exec *x)
{
    resp_write_map(x->out, 7);
    resp_write_bulk_text(x->out, "server");
    resp_write_bulk_text(x->out, "redis");
    resp_write_bulk_text(x->out, "version");
    resp_write_bulk_text(x->out, REDIS_VERSION);
    resp_write_bulk_text(x->out, "proto");
    resp_write_integer(x->out, x->out->protocol);
    resp_write_bulk_text(x->out, "id");
    resp_write_integer(x->out, (long long)x->client->id);
    resp_write_bulk_text(x->out, "mode");
    resp_write_bulk_text(x->out, "standalone");
    resp_write_bulk_text(x->out, "role");
    resp_write_bulk_text(x->out, "master");
    resp_write_bulk_text(x->out, "modules");
    resp_write_array(x->out, 0);
}

/* Options take effect as they are read, as in Redis: a login outlives what is wrong behind it. */
static bool take_hello(struct exec *x, int64_t *protocol)
{
    if (x->argc > 1) {
        if (!parse_int(x->argv[1], protocol)) {
            exec_error(x, "ERR Protocol version is not an integer or out of range");
            return false;
        }
        if (*protocol < 2 || *protocol > 3) {
            exec_error(x, "NOPROTO unsupported protocol version");
            return false;
        }
    }
    for (int i = 2; i < x->argc; i++) {
        if (exec_is(x, i, "auth") && i + 2 < x->argc) {
            if (!log_in(x, x->argv[i + 1], x->argv[i + 2]))
                return false;
            i += 2;
        } else if (exec_is(x, i, "setname") && i + 1 < x->argc) {
            if (!client_name_checked(x, x->argv[++i]))
                return false;
        } else {
            exec_error_format(x, "ERR Syntax error in HELLO option '%.*s'",
                              x->argv[i].len < 64 ? (int)x->argv[i].len : 64, x->argv[i].data);
            return false;
        }
    }
    return true;
}

static void hello_command(struct exec *x)
{
    int64_t protocol = 0;
    if (!take_hello(x, &protocol))
        return;
    if (client_must_authenticate(x->client)) {
        exec_error(x,
                   "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                   "the HELLO AUTH <user> <pass> option can be used to authenticate the client and "
                   "select the RESP protocol version at the same time");
        return;
    }
    if (protocol)
        set_protocol(x->client, (int)protocol);
    write_hello(x);
}

static void select_command(struct exec *x)
{
    struct namespace *ns;
    if (!exec_namespace(x, x->argv[1], &ns))
        return;
    client_select(x->client, ns);
    resp_write_ok(x->out);
}

#define OPEN                                                                                       \
    (CMD_FAST | CMD_NO_LOCK | CMD_LOADING | CMD_STALE | CMD_NO_AUTH | CMD_NOSCRIPT | CMD_ALLOW_BUSY)

/* clang-format off */
const struct command connection_commands[] = {
    {.name = "ping", .arity = -1, .flags = CMD_FAST | CMD_NO_LOCK | CMD_IN_SUBSCRIBE, .group = GROUP_CONNECTION, .handler = ping_command, .summary = "Answers PONG, or its argument.", .since = "1.0.0", .complexity = "O(1)", .syntax = "[message]"},
    {.name = "echo", .arity = 2, .flags = CMD_FAST | CMD_NO_LOCK | CMD_LOADING | CMD_STALE, .group = GROUP_CONNECTION, .handler = echo_command, .summary = "Answers its argument.", .since = "1.0.0", .complexity = "O(1)", .syntax = "message"},
    {.name = "quit", .arity = -1, .flags = OPEN | CMD_IN_SUBSCRIBE | CMD_NO_QUEUE, .group = GROUP_CONNECTION, .handler = quit_command, .summary = "Closes the connection.", .since = "1.0.0", .complexity = "O(1)", .syntax = ""},
    {.name = "reset", .arity = 1, .flags = (OPEN & ~CMD_NO_LOCK) | CMD_OWN_LOCKS | CMD_IN_SUBSCRIBE | CMD_NO_QUEUE, .group = GROUP_CONNECTION, .handler = reset_command, .summary = "Puts the connection back to how it began.", .since = "6.2.0", .complexity = "O(1)", .syntax = ""},
    {.name = "auth", .arity = -2, .flags = OPEN, .group = GROUP_CONNECTION, .handler = auth_command, .summary = "Authenticates the connection.", .since = "1.0.0", .complexity = "O(1)", .syntax = "[username] password"},
    {.name = "hello", .arity = -1, .flags = OPEN, .group = GROUP_CONNECTION, .handler = hello_command, .summary = "Tells about the server and chooses the protocol.", .since = "6.0.0", .complexity = "O(1)", .syntax = "[protover [AUTH username password] [SETNAME clientname]]"},
    {.name = "select", .arity = 2, .flags = CMD_FAST | CMD_NO_LOCK | CMD_LOADING | CMD_STALE, .group = GROUP_CONNECTION, .handler = select_command, .summary = "Chooses the namespace: a number, or a name.", .since = "1.0.0", .complexity = "O(1)", .syntax = "index|name"},
    {0},
};
/* clang-format on */
