/* SPDX-License-Identifier: BSD-3-Clause */
/* COMMAND, INFO, TIME, SLOWLOG, MONITOR: what the server tells about itself. */
#include "ops/mem.h"
#include "server/clock.h"
#include "server/command_docs.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/glob.h"
#include "server/info.h"
#include "server/loop-internal.h"
#include "server/monitor.h"
#include "server/slowlog.h"

/* "get", or "client|list". */
static const struct command *find_full(struct slice name)
{
    const char *bar = memchr(name.data, '|', name.len);
    if (!bar)
        return command_find(name);
    size_t head = (size_t)(bar - name.data);
    const struct command *container = command_find(slice_make(name.data, head));
    return container ? command_find_sub(container, slice_make(bar + 1, name.len - head - 1)) : NULL;
}

static size_t count_top(void)
{
    size_t n = 0;
    for (size_t id = 0; id < command_count(); id++)
        n += !command_at(id)->parent;
    return n;
}

static void command_command(struct exec *x)
{
    resp_write_array(x->out, count_top());
    for (size_t id = 0; id < command_count(); id++) {
        if (!command_at(id)->parent)
            command_info_write(x->out, command_at(id));
    }
}

static void count_command(struct exec *x)
{
    resp_write_integer(x->out, (long long)count_top());
}

static void info_of_command(struct exec *x)
{
    if (x->argc == 2) {
        command_command(x);
        return;
    }
    resp_write_array(x->out, (size_t)(x->argc - 2));
    for (int i = 2; i < x->argc; i++) {
        const struct command *command = find_full(x->argv[i]);
        if (command)
            command_info_write(x->out, command);
        else
            resp_write_nil(x->out);
    }
}

static void docs_command(struct exec *x)
{
    size_t begun = resp_defer_begin(x->out), n = 0;
    for (int i = 2; i < x->argc; i++) {
        const struct command *command = find_full(x->argv[i]);
        if (command) {
            command_docs_write(x->out, command);
            n++;
        }
    }
    for (size_t id = 0; x->argc == 2 && id < command_count(); id++) {
        if (!command_at(id)->parent) {
            command_docs_write(x->out, command_at(id));
            n++;
        }
    }
    resp_defer_map(x->out, begun, n);
}

enum filter { FILTER_NONE, FILTER_CATEGORY, FILTER_PATTERN, FILTER_MODULE };

static bool parse_filter(struct exec *x, enum filter *filter)
{
    *filter = FILTER_NONE;
    if (x->argc == 2)
        return true;
    if (x->argc == 5 && exec_is(x, 2, "filterby")) {
        if (exec_is(x, 3, "aclcat"))
            *filter = FILTER_CATEGORY;
        else if (exec_is(x, 3, "pattern"))
            *filter = FILTER_PATTERN;
        else if (exec_is(x, 3, "module"))
            *filter = FILTER_MODULE;
    }
    if (*filter == FILTER_NONE)
        exec_syntax_error(x);
    return *filter != FILTER_NONE;
}

static bool passes(const struct command *command, enum filter filter, struct slice word)
{
    switch (filter) {
    case FILTER_NONE: return true;
    case FILTER_CATEGORY: return command_in_category(command, word);
    case FILTER_PATTERN: return glob_match(word, slice_of(command->full_name), true);
    case FILTER_MODULE: return false;
    }
    return false;
}

static void list_command(struct exec *x)
{
    enum filter filter;
    if (!parse_filter(x, &filter))
        return;
    struct slice word = x->argc == 5 ? x->argv[4] : slice_of("");
    size_t begun = resp_defer_begin(x->out), n = 0;
    for (size_t id = 0; id < command_count(); id++) {
        if (passes(command_at(id), filter, word)) {
            resp_write_bulk_text(x->out, command_at(id)->full_name);
            n++;
        }
    }
    resp_defer_array(x->out, begun, n);
}

/* Each argument is a key once at the most. */
static void write_found_keys(struct exec *x, const struct command *command, const int *keys, int n,
                             bool with_flags)
{
    resp_write_array(x->out, (size_t)n);
    for (int i = 0; i < n; i++) {
        if (with_flags)
            resp_write_array(x->out, 2);
        resp_write_bulk(x->out, x->argv[2 + keys[i]].data, x->argv[2 + keys[i]].len);
        if (with_flags)
            command_key_flags_write(x->out, command, x->argv + 2, x->argc - 2, keys[i]);
    }
}

static void write_keys(struct exec *x, bool with_flags)
{
    const struct command *command = command_find(x->argv[2]);
    int argc = x->argc - 2;
    if (command && command->subcommands && argc > 1)
        command = command_find_sub(command, x->argv[3]);
    if (!command) {
        exec_error(x, "ERR Invalid command specified");
        return;
    }
    if (!command->keys && command->first_key <= 0) {
        exec_error(x, "ERR The command has no key arguments");
        return;
    }
    if (command->arity > 0 ? argc != command->arity : argc < -command->arity) {
        exec_error(x, "ERR Invalid number of arguments specified for command");
        return;
    }
    int *keys = mem_alloc((size_t)argc * sizeof(*keys));
    int n = command_keys(command, x->argv + 2, argc, keys, argc);
    if (n <= 0)
        exec_error(x, "ERR Invalid arguments specified for command");
    else
        write_found_keys(x, command, keys, n, with_flags);
    mem_free(keys);
}

static void getkeys_command(struct exec *x)
{
    write_keys(x, false);
}

static void getkeysandflags_command(struct exec *x)
{
    write_keys(x, true);
}

static void info_command(struct exec *x)
{
    struct text text = {0};
    info_write(x, x->argv + 1, x->argc - 1, &text);
    resp_write_verbatim(x->out, "txt", text.data, text.len);
    text_release(&text);
}

static void time_command(struct exec *x)
{
    int64_t us = clock_wall_us();
    resp_write_array(x->out, 2);
    resp_write_bulk_integer(x->out, us / 1000000);
    resp_write_bulk_integer(x->out, us % 1000000);
}

static void slowlog_get_command(struct exec *x)
{
    int64_t count = 10;
    if (x->argc > 3) {
        exec_wrong_subcommand(x);
        return;
    }
    if (x->argc == 3 && !exec_int_range(x, 2, -1, INT64_MAX,
                                        "ERR count should be greater than or equal to -1", &count))
        return;
    slowlog_write(x, count);
}

static void slowlog_len_command(struct exec *x)
{
    resp_write_integer(x->out, (long long)slowlog_len());
}

static void slowlog_reset_command(struct exec *x)
{
    slowlog_reset();
    resp_write_ok(x->out);
}

static void monitor_command(struct exec *x)
{
    if (x->in_transaction) {
        exec_error(x, "ERR MONITOR isn't allowed in a transaction");
        return;
    }
    monitor_add(x->client);
    resp_write_ok(x->out);
}

#define ROW(name_, arity_, flags_, handler_, since_, syntax_, summary_)                            \
    {                                                                                              \
        .name = name_, .arity = arity_, .flags = CMD_LOADING | CMD_STALE | (flags_),               \
        .group = GROUP_SERVER, .handler = handler_, .since = since_, .complexity = "O(N)",         \
        .syntax = syntax_, .summary = summary_                                                     \
    }

/* clang-format off */
static const struct command command_subcommands[] = {
    ROW("count", 2, CMD_NO_LOCK, count_command, "2.8.13", "", "How many commands there are."),
    ROW("docs", -2, CMD_NO_LOCK, docs_command, "7.0.0", "[command ...]", "Documentation of commands."),
    ROW("getkeys", -4, CMD_NO_LOCK, getkeys_command, "2.8.13", "command [argument ...]", "The keys among the arguments of a command."),
    ROW("getkeysandflags", -4, CMD_NO_LOCK, getkeysandflags_command, "7.0.0", "command [argument ...]", "The keys among the arguments of a command, and how it uses them."),
    ROW("info", -2, CMD_NO_LOCK, info_of_command, "2.8.13", "[command ...]", "Arity, flags and key positions of commands."),
    ROW("list", -2, CMD_NO_LOCK, list_command, "7.0.0", "[FILTERBY ACLCAT category|PATTERN pattern|MODULE name]", "Names of commands."),
    COMMAND_HELP(GROUP_SERVER, "5.0.0"),
    {0},
};

static const struct command slowlog_subcommands[] = {
    ROW("get", -2, CMD_ADMIN | CMD_NO_LOCK, slowlog_get_command, "2.2.12", "[count]", "The newest slow commands."),
    ROW("len", 2, CMD_ADMIN | CMD_NO_LOCK, slowlog_len_command, "2.2.12", "", "How many slow commands are kept."),
    ROW("reset", 2, CMD_ADMIN | CMD_NO_LOCK, slowlog_reset_command, "2.2.12", "", "Forgets the slow commands."),
    COMMAND_HELP(GROUP_SERVER, "6.2.0"),
    {0},
};

const struct command introspection_commands[] = {
    {.name = "command", .arity = -1, .flags = CMD_NO_LOCK | CMD_LOADING | CMD_STALE, .group = GROUP_SERVER, .handler = command_command, .subcommands = command_subcommands, .summary = "Everything COMMAND INFO tells, about all commands.", .since = "2.8.13", .complexity = "O(N) for N commands", .syntax = ""},
    ROW("info", -1, CMD_OWN_LOCKS, info_command, "1.0.0", "[section ...]", "State and counters of the server."),
    ROW("monitor", 1, CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_LOCK, monitor_command, "1.0.0", "", "Streams every command that runs to this connection."),
    {.name = "slowlog", .arity = -2, .flags = CMD_NO_LOCK, .group = GROUP_SERVER, .subcommands = slowlog_subcommands, .summary = "Container of commands about slow commands.", .since = "2.2.12", .complexity = "Depends on the subcommand", .syntax = "subcommand"},
    ROW("time", 1, CMD_FAST | CMD_NO_LOCK, time_command, "2.6.0", "", "Unix time in seconds, and microseconds."),
    {0},
};
/* clang-format on */
