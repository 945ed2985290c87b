/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything is derived from the rows: there is no second list of commands. */
#include "server/command_docs.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

static const char *const group_names[GROUP_COUNT] = {
    [GROUP_GENERIC] = "generic",
    [GROUP_STRING] = "string",
    [GROUP_LIST] = "list",
    [GROUP_SET] = "set",
    [GROUP_HASH] = "hash",
    [GROUP_PUBSUB] = "pubsub",
    [GROUP_TRANSACTIONS] = "transactions",
    [GROUP_CONNECTION] = "connection",
    [GROUP_SERVER] = "server",
    [GROUP_CAIRN] = "cairn",
};

const char *command_group_name(enum command_group group)
{
    return group_names[group];
}

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    {CMD_WRITE, "write"},
    {CMD_READONLY, "readonly"},
    {CMD_DENYOOM, "denyoom"},
    {CMD_ADMIN, "admin"},
    {CMD_PUBSUB, "pubsub"},
    {CMD_NOSCRIPT, "noscript"},
    {CMD_BLOCKING, "blocking"},
    {CMD_LOADING, "loading"},
    {CMD_STALE, "stale"},
    {CMD_SKIP_MONITOR, "skip_monitor"},
    {CMD_SKIP_SLOWLOG, "skip_slowlog"},
    {CMD_FAST, "fast"},
    {CMD_NO_AUTH, "no_auth"},
    {CMD_MAY_REPLICATE, "may_replicate"},
    {CMD_NO_MULTI, "no_multi"},
    {CMD_MOVABLE_KEYS, "movablekeys"},
};
#define FLAG_NAMES (sizeof(flag_names) / sizeof(flag_names[0]))

static void write_flags(struct resp_writer *out, const struct command *command)
{
    size_t begun = resp_defer_begin(out), n = 0;
    for (size_t i = 0; i < FLAG_NAMES; i++) {
        if (command->flags & flag_names[i].flag) {
            resp_write_simple(out, flag_names[i].name);
            n++;
        }
    }
    resp_defer_set(out, begun, n);
}

static const char *const group_categories[GROUP_COUNT] = {
    [GROUP_GENERIC] = "keyspace",
    [GROUP_STRING] = "string",
    [GROUP_LIST] = "list",
    [GROUP_SET] = "set",
    [GROUP_HASH] = "hash",
    [GROUP_PUBSUB] = "pubsub",
    [GROUP_TRANSACTIONS] = "transaction",
    [GROUP_CONNECTION] = "connection",
    [GROUP_SERVER] = "",
    [GROUP_CAIRN] = "cairn",
};

/* As Redis derives them: from flags, and from the group. */
static size_t categories(const struct command *command, const char *out[8])
{
    size_t n = 0;
    uint32_t flags = command->flags;
    if (flags & CMD_WRITE)
        out[n++] = "write";
    if (flags & CMD_READONLY && command->group != GROUP_CONNECTION)
        out[n++] = "read";
    if (flags & CMD_ADMIN) {
        out[n++] = "admin";
        out[n++] = "dangerous";
    }
    if (flags & CMD_BLOCKING)
        out[n++] = "blocking";
    out[n++] = flags & CMD_FAST ? "fast" : "slow";
    if (group_categories[command->group][0])
        out[n++] = group_categories[command->group];
    return n;
}

bool command_in_category(const struct command *command, struct slice category)
{
    const char *list[8];
    size_t n = categories(command, list);
    for (size_t i = 0; i < n; i++) {
        if (strlen(list[i]) == category.len &&
            strncasecmp(list[i], category.data, category.len) == 0)
            return true;
    }
    return false;
}

static void write_categories(struct resp_writer *out, const struct command *command)
{
    const char *list[8];
    size_t n = categories(command, list);
    resp_write_set(out, n);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof(name), "@%s", list[i]);
        resp_write_simple(out, name);
    }
}

static size_t sub_count(const struct command *command)
{
    size_t n = 0;
    while (command->subcommands && command->subcommands[n].name)
        n++;
    return n;
}

/* The key specification of positions; commands with a function of their own say "unknown". */
static void write_key_specs(struct resp_writer *out, const struct command *command)
{
    if (command->first_key <= 0) {
        resp_write_set(out, 0);
        return;
    }
    resp_write_set(out, 1);
    resp_write_map(out, 3);
    resp_write_bulk_text(out, "flags");
    resp_write_set(out, 1);
    resp_write_simple(out, command->flags & CMD_WRITE ? "RW" : "RO");
    resp_write_bulk_text(out, "begin_search");
    resp_write_map(out, 2);
    resp_write_bulk_text(out, "type");
    resp_write_bulk_text(out, "index");
    resp_write_bulk_text(out, "spec");
    resp_write_map(out, 1);
    resp_write_bulk_text(out, "index");
    resp_write_integer(out, command->first_key);
    resp_write_bulk_text(out, "find_keys");
    resp_write_map(out, 2);
    resp_write_bulk_text(out, "type");
    resp_write_bulk_text(out, "range");
    resp_write_bulk_text(out, "spec");
    resp_write_map(out, 3);
    resp_write_bulk_text(out, "lastkey");
    resp_write_integer(out, command->last_key < 0 ? command->last_key
                                                  : command->last_key - command->first_key);
    resp_write_bulk_text(out, "keystep");
    resp_write_integer(out, command->key_step);
    resp_write_bulk_text(out, "limit");
    resp_write_integer(out, 0);
}

void command_info_write(struct resp_writer *out, const struct command *command)
{
    resp_write_array(out, 10);
    resp_write_bulk_text(out, command->full_name);
    resp_write_integer(out, command->arity);
    write_flags(out, command);
    resp_write_integer(out, command->first_key);
    resp_write_integer(out, command->last_key);
    resp_write_integer(out, command->key_step);
    write_categories(out, command);
    resp_write_set(out, 0);
    write_key_specs(out, command);
    if (command->subcommands)
        resp_write_array(out, sub_count(command));
    else
        resp_write_set(out, 0); /* as Redis: RESP3 clients see which it is */
    for (size_t i = 0; i < sub_count(command); i++)
        command_info_write(out, &command->subcommands[i]);
}

static void write_pair(struct resp_writer *out, const char *name, const char *value)
{
    resp_write_bulk_text(out, name);
    resp_write_bulk_text(out, value ? value : "");
}

/* The syntax as one argument whose display text is the whole of it: redis-cli prints that. */
static void write_arguments(struct resp_writer *out, const struct command *command)
{
    resp_write_bulk_text(out, "arguments");
    resp_write_array(out, 1);
    resp_write_map(out, 3);
    write_pair(out, "name", command->syntax);
    write_pair(out, "type", "string");
    write_pair(out, "display_text", command->syntax);
}

void command_docs_write(struct resp_writer *out, const struct command *command)
{
    bool arguments = command->syntax && command->syntax[0] && !command->subcommands;
    size_t subs = sub_count(command);
    resp_write_bulk_text(out, command->full_name);
    resp_write_map(out, 4 + arguments + (subs > 0));
    write_pair(out, "summary", command->summary);
    write_pair(out, "since", command->since);
    write_pair(out, "group", group_names[command->group]);
    write_pair(out, "complexity", command->complexity);
    if (arguments)
        write_arguments(out, command);
    if (!subs)
        return;
    resp_write_bulk_text(out, "subcommands");
    resp_write_map(out, subs);
    for (size_t i = 0; i < subs; i++)
        command_docs_write(out, &command->subcommands[i]);
}
