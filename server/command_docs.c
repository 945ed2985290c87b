/* SPDX-License-Identifier: BSD-3-Clause */
/* All is told from the rows of the command table, and from what command_facts.c has beside them. */
#include "server/command_docs.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "server/command_facts.h"
#include "server/exec.h"

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
    {CMD_NO_ASYNC_LOADING, "no_async_loading"},
    {CMD_NO_MULTI, "no_multi"},
    {CMD_MOVABLE_KEYS, "movablekeys"},
    {CMD_ALLOW_BUSY, "allow_busy"},
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

static const uint32_t group_categories[GROUP_COUNT] = {
    [GROUP_GENERIC] = CATEGORY_KEYSPACE,
    [GROUP_STRING] = CATEGORY_STRING,
    [GROUP_LIST] = CATEGORY_LIST,
    [GROUP_SET] = CATEGORY_SET,
    [GROUP_HASH] = CATEGORY_HASH,
    [GROUP_PUBSUB] = CATEGORY_PUBSUB,
    [GROUP_TRANSACTIONS] = CATEGORY_TRANSACTION,
    [GROUP_CONNECTION] = CATEGORY_CONNECTION,
    [GROUP_SERVER] = 0,
    [GROUP_CAIRN] = CATEGORY_CAIRN,
};

static const char *const category_names[CATEGORY_COUNT] = {
#define X(name, text) text,
    CATEGORY_LIST(X)
#undef X
};

/* From flags and group as Redis derives them, and from the command's facts. */
static uint32_t categories(const struct command *command)
{
    static const struct {
        uint32_t flag, categories;
    } of_flags[] = {{CMD_WRITE, CATEGORY_WRITE},
                    {CMD_READONLY, CATEGORY_READ},
                    {CMD_ADMIN, CATEGORY_ADMIN | CATEGORY_DANGEROUS},
                    {CMD_BLOCKING, CATEGORY_BLOCKING}};
    const struct command_facts *facts = command_facts_find(command);
    uint32_t set = command->flags & CMD_FAST ? CATEGORY_FAST : CATEGORY_SLOW;
    for (size_t i = 0; i < sizeof(of_flags) / sizeof(of_flags[0]); i++)
        set |= command->flags & of_flags[i].flag ? of_flags[i].categories : 0;
    if (command->handler || command->group == GROUP_CAIRN) /* a mere container has no group's */
        set |= group_categories[command->group];
    return set | (facts ? facts->categories : 0);
}

bool command_in_category(const struct command *command, struct slice category)
{
    uint32_t set = categories(command);
    for (int i = 0; i < CATEGORY_COUNT; i++) {
        if (set & 1u << i && strlen(category_names[i]) == category.len &&
            strncasecmp(category_names[i], category.data, category.len) == 0)
            return true;
    }
    return false;
}

static void write_categories(struct resp_writer *out, const struct command *command)
{
    uint32_t set = categories(command);
    resp_write_set(out, (size_t)__builtin_popcount(set));
    for (int i = 0; i < CATEGORY_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof(name), "@%s", category_names[i]);
        if (set & 1u << i)
            resp_write_simple(out, name);
    }
}

/* Words separated by spaces, as a set. */
static void write_words(struct resp_writer *out, const char *words, bool bulk)
{
    size_t begun = resp_defer_begin(out), n = 0;
    for (size_t len; words && *words; words += len + (words[len] == ' ')) {
        char word[64];
        len = strcspn(words, " ");
        snprintf(word, sizeof(word), "%.*s", (int)len, words);
        if (bulk)
            resp_write_bulk_text(out, word);
        else
            resp_write_simple(out, word);
        n++;
    }
    resp_defer_set(out, begun, n);
}

static size_t sub_count(const struct command *command)
{
    size_t n = 0;
    while (command->subcommands && command->subcommands[n].name)
        n++;
    return n;
}

/* "type", "index", "spec", of so many integers that are to be written. */
static void begin_spec(struct resp_writer *out, const char *title, const char *type, size_t count)
{
    resp_write_bulk_text(out, title);
    resp_write_map(out, 2);
    resp_write_bulk_text(out, "type");
    resp_write_bulk_text(out, type);
    resp_write_bulk_text(out, "spec");
    resp_write_map(out, count);
}

static void write_number(struct resp_writer *out, const char *name, int number)
{
    resp_write_bulk_text(out, name);
    resp_write_integer(out, number);
}

static void write_key_spec(struct resp_writer *out, const struct key_spec *spec)
{
    resp_write_map(out, 3);
    resp_write_bulk_text(out, "flags");
    write_words(out, spec->flags, false);
    begin_spec(out, "begin_search", "index", 1);
    write_number(out, "index", spec->begin);
    if (spec->counted) {
        begin_spec(out, "find_keys", "keynum", 3);
        write_number(out, "keynumidx", 0);
        write_number(out, "firstkey", 1);
        write_number(out, "keystep", 1);
    } else {
        begin_spec(out, "find_keys", "range", 3);
        write_number(out, "lastkey", spec->last);
        write_number(out, "keystep", spec->step);
        write_number(out, "limit", 0);
    }
}

static void write_key_specs(struct resp_writer *out, const struct command *command)
{
    const struct command_facts *facts = command_facts_find(command);
    size_t n = 0;
    while (facts && n < KEY_SPECS_MAX && facts->keys[n].flags)
        n++;
    resp_write_set(out, n);
    for (size_t i = 0; i < n; i++)
        write_key_spec(out, &facts->keys[i]);
}

/* First, last and step, also of what is placed like a key and is none: channels of a shard. */
static void write_range(struct resp_writer *out, const struct command *command,
                        const struct command_facts *facts)
{
    int first = command->first_key, last = command->last_key, step = command->key_step;
    const struct key_spec *spec = facts ? &facts->keys[0] : NULL;
    if (!first && spec && spec->flags && !spec->counted) {
        first = spec->begin;
        last = spec->last < 0 ? spec->last : spec->begin + spec->last;
        step = spec->step;
    }
    resp_write_integer(out, first);
    resp_write_integer(out, last);
    resp_write_integer(out, step);
}

static bool covers(const struct key_spec *spec, int argc, int index)
{
    int last = spec->last < 0 ? argc + spec->last : spec->begin + spec->last;
    return spec->counted ||
           (index >= spec->begin && index <= last && (index - spec->begin) % spec->step == 0);
}

/* The one command whose use of its key hangs on an option. */
static const char *flags_of_set(const struct slice *argv, int argc)
{
    for (int i = 3; i < argc; i++)
        if (argv[i].len == 3 && strncasecmp(argv[i].data, "get", 3) == 0)
            return "RW access update";
    return "OW update";
}

void command_key_flags_write(struct resp_writer *out, const struct command *command,
                             const struct slice *argv, int argc, int index)
{
    const struct command_facts *facts = command_facts_find(command);
    const char *flags = NULL;
    for (size_t i = 0; facts && !flags && i < KEY_SPECS_MAX && facts->keys[i].flags; i++)
        if (covers(&facts->keys[i], argc, index))
            flags = facts->keys[i].flags;
    if (flags && strstr(flags, "variable_flags"))
        flags = flags_of_set(argv, argc);
    write_words(out, flags, false);
}

void command_info_write(struct resp_writer *out, const struct command *command)
{
    const struct command_facts *facts = command_facts_find(command);
    resp_write_array(out, 10);
    resp_write_bulk_text(out, command->full_name);
    resp_write_integer(out, command->arity);
    write_flags(out, command);
    write_range(out, command, facts);
    write_categories(out, command);
    write_words(out, facts ? facts->tips : NULL, true);
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
    const struct command_facts *facts = command_facts_find(command);
    bool arguments = command->syntax && command->syntax[0] && !command->subcommands;
    size_t subs = sub_count(command);
    resp_write_bulk_text(out, command->full_name);
    resp_write_map(out, 4 + arguments + (subs > 0));
    write_pair(out, "summary", command->summary);
    write_pair(out, "since", command->since);
    write_pair(out, "group", facts && facts->group ? facts->group : group_names[command->group]);
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

void command_upper_name(const struct command *command, char *out, size_t cap)
{
    snprintf(out, cap, "%s", command->name);
    for (char *c = out; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

void command_help_write(struct resp_writer *out, const struct command *container)
{
    char name[40], line[512];
    command_upper_name(container, name, sizeof(name));
    size_t begun = resp_defer_begin(out), lines = 1;
    snprintf(line, sizeof(line),
             "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    resp_write_simple(out, line);
    for (const struct command *row = container->subcommands; row->name; row++) {
        if (row->handler == command_help)
            continue;
        command_upper_name(row, name, sizeof(name));
        snprintf(line, sizeof(line), "%s%s%s", name, row->syntax && row->syntax[0] ? " " : "",
                 row->syntax ? row->syntax : "");
        resp_write_simple(out, line);
        snprintf(line, sizeof(line), "    %s", row->summary ? row->summary : "");
        resp_write_simple(out, line);
        lines += 2;
    }
    resp_write_simple(out, "HELP");
    resp_write_simple(out, "    Print this help.");
    resp_defer_array(out, begun, lines + 2);
}

void command_help(struct exec *x)
{
    command_help_write(x->out, x->command->parent);
}
