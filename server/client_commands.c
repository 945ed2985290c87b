/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CLIENT: what connections tell about themselves, and how one reaches another. Another client is
 * never touched from here: its own thread gets a post.
 */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "ops/mem.h"
#include "server/arguments.h"
#include "server/client-internal.h"
#include "server/client_list.h"
#include "server/client_name.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/loop-internal.h"
#include "server/pause.h"
#include "server/registry.h"

bool client_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    }
    return true;
}

static void set_string(char **field, struct slice value)
{
    char *fresh = NULL;
    if (value.len) {
        fresh = mem_alloc(value.len + 1);
        memcpy(fresh, value.data, value.len);
        fresh[value.len] = 0;
    }
    registry_lock();
    char *old = *field;
    *field = fresh;
    registry_unlock();
    mem_free(old);
}

void client_name_set(struct client *client, struct slice name)
{
    set_string(&client->name, name);
}

bool client_name_checked(struct exec *x, struct slice name)
{
    if (!client_name_valid(name)) {
        exec_error(x, "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    client_name_set(x->client, name);
    return true;
}

static void id_command(struct exec *x)
{
    resp_write_integer(x->out, (long long)x->client->id);
}

static void setname_command(struct exec *x)
{
    if (client_name_checked(x, x->argv[2]))
        resp_write_ok(x->out);
}

static void getname_command(struct exec *x)
{
    registry_lock();
    if (x->client->name)
        resp_write_bulk_text(x->out, x->client->name);
    else
        resp_write_nil(x->out);
    registry_unlock();
}

static void setinfo_command(struct exec *x)
{
    bool name = exec_is(x, 2, "lib-name");
    if (!name && !exec_is(x, 2, "lib-ver")) {
        exec_error_format(x, "ERR Unrecognized option '%.*s'",
                          x->argv[2].len < 64 ? (int)x->argv[2].len : 64, x->argv[2].data);
        return;
    }
    if (!client_name_valid(x->argv[3])) {
        exec_error_format(x, "ERR %s cannot contain spaces, newlines or special characters.",
                          name ? "lib-name" : "lib-ver");
        return;
    }
    set_string(name ? &x->client->library_name : &x->client->library_version, x->argv[3]);
    resp_write_ok(x->out);
}

static void reply_command(struct exec *x)
{
    if (exec_is(x, 2, "on")) {
        client_flag_clear(x->client, CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP);
        resp_write_ok(x->out);
    } else if (exec_is(x, 2, "off")) {
        client_flag_set(x->client, CLIENT_REPLY_OFF);
    } else if (exec_is(x, 2, "skip")) {
        if (!client_is(x->client, CLIENT_REPLY_OFF))
            client_flag_set(x->client, CLIENT_REPLY_SKIP_NEXT);
    } else {
        exec_syntax_error(x);
    }
}

static void switch_flag(struct exec *x, uint32_t flag)
{
    if (exec_is(x, 2, "on")) {
        client_flag_set(x->client, flag);
    } else if (exec_is(x, 2, "off")) {
        client_flag_clear(x->client, flag);
    } else {
        exec_syntax_error(x);
        return;
    }
    resp_write_ok(x->out);
}

static void no_evict_command(struct exec *x)
{
    switch_flag(x, CLIENT_NO_EVICT);
}

static void no_touch_command(struct exec *x)
{
    switch_flag(x, CLIENT_NO_TOUCH);
}

static void pause_command(struct exec *x)
{
    bool all = true;
    int64_t ms;
    if (x->argc > 4) {
        exec_wrong_subcommand(x);
        return;
    }
    if (x->argc == 4 && exec_is(x, 3, "write")) {
        all = false;
    } else if (x->argc == 4 && !exec_is(x, 3, "all")) {
        exec_error(x, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!argument_milliseconds(x, 2, &ms))
        return;
    pause_start(loop_now(x->loop) + ms, all);
    resp_write_ok(x->out);
}

static void unpause_command(struct exec *x)
{
    pause_stop();
    resp_write_ok(x->out);
}

/* A client as CLIENT KILL and UNBLOCK look for it. */
struct search {
    uint64_t id; /* 0: any */
    struct slice address, local_address;
    const char *type; /* NULL: any */
    int64_t max_age_s;
    uint64_t not_id; /* 0: none */
    int64_t now;
    struct client_ref *found;
    size_t count, cap;
};

static bool address_is(const char *address, struct slice wanted)
{
    return !wanted.data || slice_equal(slice_of(address), wanted);
}

static void search_one(void *ctx, const struct client *client)
{
    struct search *search = ctx;
    if ((search->id && client->id != search->id) || client->id == search->not_id ||
        !address_is(client->address, search->address) ||
        !address_is(client->local_address, search->local_address) ||
        (search->type && strcmp(client_type(client), search->type) != 0) ||
        (search->max_age_s && search->now - client->created_ms < search->max_age_s * 1000))
        return;
    LOOP_ROOM(search->found, search->count, search->cap);
    search->found[search->count++] = client_ref(client);
}

static void close_here(struct client *client, void *ctx)
{
    (void)ctx;
    if (client)
        client_close_now(client);
}

/* Oneself is closed behind the reply. */
static size_t kill_found(struct exec *x, struct search *search)
{
    size_t n = search->count;
    for (size_t i = 0; i < n; i++) {
        if (search->found[i].id == x->client->id)
            client_close_after_reply(x->client);
        else
            exec_post(x, search->found[i], close_here, NULL);
    }
    mem_free(search->found);
    return n;
}

static bool parse_id(struct exec *x, int index, uint64_t *id)
{
    int64_t number;
    if (parse_int(x->argv[index], &number) && number > 0) {
        *id = (uint64_t)number;
        return true;
    }
    exec_error(x, "ERR client-id should be greater than 0");
    return false;
}

static bool yes_or_no(struct exec *x, int index, bool *yes)
{
    *yes = exec_is(x, index, "yes");
    if (*yes || exec_is(x, index, "no"))
        return true;
    exec_syntax_error(x);
    return false;
}

static bool parse_filter(struct exec *x, int at, struct search *search, bool *skip_me)
{
    if (exec_is(x, at, "id"))
        return parse_id(x, at + 1, &search->id);
    if (exec_is(x, at, "addr")) {
        search->address = x->argv[at + 1];
        return true;
    }
    if (exec_is(x, at, "laddr")) {
        search->local_address = x->argv[at + 1];
        return true;
    }
    if (exec_is(x, at, "skipme"))
        return yes_or_no(x, at + 1, skip_me);
    if (exec_is(x, at, "maxage"))
        return exec_int_range(x, at + 1, 1, INT32_MAX,
                              "ERR maxage is not an integer or out of range", &search->max_age_s);
    if (exec_is(x, at, "type")) {
        search->type = client_type_named(x->argv[at + 1]);
        if (!search->type)
            exec_error_format(x, "ERR Unknown client type '%.*s'",
                              x->argv[at + 1].len < 64 ? (int)x->argv[at + 1].len : 64,
                              x->argv[at + 1].data);
        return search->type != NULL;
    }
    if (exec_is(x, at, "user")) {
        if (slice_equal(x->argv[at + 1], slice_of("default")))
            return true;
        exec_error_format(x, "ERR No such user '%.*s'",
                          x->argv[at + 1].len < 64 ? (int)x->argv[at + 1].len : 64,
                          x->argv[at + 1].data);
        return false;
    }
    exec_syntax_error(x);
    return false;
}

/* CLIENT KILL address, the old form: an error when there is nobody. */
static void kill_address(struct exec *x)
{
    struct search search = {.address = x->argv[2], .now = loop_now(x->loop)};
    registry_each(search_one, &search);
    if (kill_found(x, &search))
        resp_write_ok(x->out);
    else
        exec_error(x, "ERR No such client");
}

static void kill_command(struct exec *x)
{
    if (x->argc == 3) {
        kill_address(x);
        return;
    }
    struct search search = {.now = loop_now(x->loop)};
    bool skip_me = true;
    for (int at = 2; at < x->argc; at += 2) {
        if (at + 1 == x->argc) {
            exec_syntax_error(x);
            return;
        }
        if (!parse_filter(x, at, &search, &skip_me))
            return;
    }
    if (skip_me)
        search.not_id = x->client->id;
    registry_each(search_one, &search);
    resp_write_integer(x->out, (long long)kill_found(x, &search));
}

struct unblock {
    struct client_ref asker;
    uint64_t token;
    bool with_error;
    bool done;
};

static void unblock_answer(struct client *client, void *ctx)
{
    struct unblock *unblock = ctx;
    struct resp_writer *out = client ? client_answer(client, unblock->token) : NULL;
    if (out) {
        resp_write_integer(out, unblock->done);
        client_resume(client, unblock->token);
    }
    mem_free(unblock);
}

static void unblock_here(struct client *client, void *ctx)
{
    struct unblock *unblock = ctx;
    unblock->done = client && blocking_unblock(client, unblock->with_error);
    loop_post_client(unblock->asker, unblock_answer, unblock);
}

/* Whether it was blocked only its own thread knows, so the answer comes back from there. */
static void unblock_command(struct exec *x)
{
    bool with_error = x->argc == 4 && exec_is(x, 3, "error");
    int64_t id;
    if (x->argc > 4) {
        exec_wrong_subcommand(x);
        return;
    }
    if (x->argc == 4 && !with_error && !exec_is(x, 3, "timeout")) {
        exec_error(x, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!exec_int(x, 2, &id))
        return;
    struct search search = {.id = (uint64_t)id};
    if (id > 0)
        registry_each(search_one, &search);
    if (search.count == 0 || search.found[0].id == x->client->id) {
        resp_write_integer(x->out, 0);
    } else {
        struct unblock *unblock = mem_calloc(1, sizeof(*unblock));
        *unblock = (struct unblock){client_ref(x->client), exec_suspend(x), with_error, false};
        exec_post(x, search.found[0], unblock_here, unblock);
    }
    mem_free(search.found);
}

static void list_command(struct exec *x)
{
    struct client_list_filter filter = {.now = loop_now(x->loop)};
    if (x->argc == 4 && exec_is(x, 2, "type")) {
        filter.type = client_type_named(x->argv[3]);
        if (!filter.type) {
            exec_error_format(x, "ERR Unknown client type '%.*s'",
                              x->argv[3].len < 64 ? (int)x->argv[3].len : 64, x->argv[3].data);
            return;
        }
    } else if (x->argc > 3 && exec_is(x, 2, "id")) {
        filter.ids = mem_alloc((size_t)x->argc * sizeof(*filter.ids));
        for (int i = 3; i < x->argc; i++) {
            int64_t id;
            if (!parse_int(x->argv[i], &id)) {
                exec_error(x, "ERR Invalid client ID");
                mem_free(filter.ids);
                return;
            }
            filter.ids[filter.id_count++] = (uint64_t)id;
        }
    } else if (x->argc > 2) {
        exec_syntax_error(x);
        return;
    }
    client_note_memory(x->client);
    client_list(x, &filter);
    mem_free(filter.ids);
}

static void info_command(struct exec *x)
{
    uint64_t id = x->client->id;
    struct client_list_filter filter = {.now = loop_now(x->loop), .ids = &id, .id_count = 1};
    client_note_memory(x->client);
    client_list(x, &filter);
}

#define CLIENT(name_, arity_, flags_, handler_, since_, syntax_, summary_)                         \
    {                                                                                              \
        .name = name_, .arity = arity_,                                                            \
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_LOCK | (flags_),                  \
        .group = GROUP_CONNECTION, .handler = handler_, .since = since_, .complexity = "O(1)",     \
        .syntax = syntax_, .summary = summary_                                                     \
    }

/* clang-format off */
static const struct command subcommands[] = {
    CLIENT("getname", 2, 0, getname_command, "2.6.9", "", "The name of this connection."),
    CLIENT("id", 2, 0, id_command, "5.0.0", "", "The id of this connection."),
    CLIENT("info", 2, 0, info_command, "6.2.0", "", "The line of CLIENT LIST about this connection."),
    CLIENT("kill", -3, CMD_ADMIN, kill_command, "2.4.0", "address | [ID id] [TYPE type] [ADDR address] [LADDR address] [SKIPME yes|no] [MAXAGE seconds]", "Closes connections."),
    CLIENT("list", -2, CMD_ADMIN, list_command, "2.4.0", "[TYPE type] [ID id [id ...]]", "One line for each connection."),
    CLIENT("no-evict", 3, CMD_ADMIN, no_evict_command, "7.0.0", "ON|OFF", "Kept for clients: connections are not evicted."),
    CLIENT("no-touch", 3, 0, no_touch_command, "7.2.0", "ON|OFF", "Kept for clients: keys have no access times."),
    CLIENT("pause", -3, CMD_ADMIN, pause_command, "2.9.50", "timeout [WRITE|ALL]", "Lets all commands, or those that write, wait."),
    CLIENT("reply", 3, CMD_SLOW, reply_command, "3.2.0", "ON|OFF|SKIP", "Whether this connection gets replies."),
    CLIENT("setinfo", 4, 0, setinfo_command, "7.2.0", "LIB-NAME name | LIB-VER version", "Tells which library the connection uses."),
    CLIENT("setname", 3, 0, setname_command, "2.6.9", "name", "Names this connection."),
    CLIENT("unblock", -3, CMD_ADMIN | CMD_NO_MULTI, unblock_command, "5.0.0", "id [TIMEOUT|ERROR]", "Ends the wait of a blocked connection."),
    CLIENT("unpause", 2, CMD_ADMIN, unpause_command, "6.2.0", "", "Ends CLIENT PAUSE."),
    COMMAND_HELP(GROUP_CONNECTION, "5.0.0"),
    {0},
};

const struct command client_commands[] = {
    {.name = "client", .arity = -2, .flags = CMD_NO_LOCK, .group = GROUP_CONNECTION, .subcommands = subcommands, .summary = "Container of commands about connections.", .since = "2.4.0", .complexity = "Depends on the subcommand", .syntax = "subcommand"},
    {0},
};
/* clang-format on */
