/* SPDX-License-Identifier: BSD-3-Clause */
/* OBJECT and MEMORY: how a value is kept, as Redis would name it, and what it takes. */
#include "ops/mem.h"
#include "server/command.h"
#include "server/exec.h"
#include "server/server.h"

/* Redis shares the objects of these integers and reports so. */
#define SHARED_INTEGERS 10000
#define SHARED_REFCOUNT INT32_MAX

/* As Redis: counted, but a miss is no event. */
static struct entry *look(struct exec *x)
{
    struct entry *entry = keyspace_find(x->keys, x->argv[2], 0, x->now);
    exec_count_lookup(x, entry != NULL);
    return entry;
}

static void object_encoding_command(struct exec *x)
{
    struct entry *entry = look(x);
    if (entry)
        resp_write_bulk_text(x->out, entry_encoding(entry));
    else
        resp_write_nil(x->out);
}

static void object_refcount_command(struct exec *x)
{
    int64_t number;
    struct entry *entry = look(x);
    if (!entry)
        resp_write_nil(x->out);
    else if (entry_type(entry) == VALUE_STRING && string_integer(entry, &number) && number >= 0 &&
             number < SHARED_INTEGERS)
        resp_write_integer(x->out, SHARED_REFCOUNT);
    else
        resp_write_integer(x->out, 1);
}

/* Times of access are not kept, since nothing is evicted by them. */
static void object_idletime_command(struct exec *x)
{
    if (look(x))
        resp_write_integer(x->out, 0);
    else
        resp_write_nil(x->out);
}

static void object_freq_command(struct exec *x)
{
    if (look(x))
        exec_error(x, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                      "Please note that when switching between policies at runtime LRU and LFU "
                      "data will take some time to adjust.");
    else
        resp_write_nil(x->out);
}

static void memory_usage_command(struct exec *x)
{
    int64_t samples = 5;
    for (int at = 3; at < x->argc; at += 2) {
        if (!exec_is(x, at, "samples") || at + 1 == x->argc) {
            exec_syntax_error(x);
            return;
        }
        if (!exec_int(x, at + 1, &samples))
            return;
        if (samples < 0) {
            exec_syntax_error(x);
            return;
        }
    }
    struct entry *entry = keyspace_find(x->keys, x->argv[2], 0, x->now);
    if (entry)
        resp_write_integer(x->out, (long long)entry_memory(entry, (size_t)samples));
    else
        resp_write_nil(x->out);
}

static void memory_stats_command(struct exec *x)
{
    size_t keys = keyspace_size(x->keys);
    resp_write_map(x->out, 4);
    resp_write_bulk_text(x->out, "peak.allocated");
    resp_write_integer(x->out, atomic_load_explicit(&server.peak_memory, memory_order_relaxed));
    resp_write_bulk_text(x->out, "total.allocated");
    resp_write_integer(x->out, (long long)mem_used());
    resp_write_bulk_text(x->out, "keys.count");
    resp_write_integer(x->out, (long long)keys);
    resp_write_bulk_text(x->out, "keys.bytes-per-key");
    resp_write_integer(x->out, keys ? (long long)(mem_used() / keys) : 0);
}

static void memory_doctor_command(struct exec *x)
{
    static const char text[] = "Memory is used by keys and connections; see INFO memory.";
    resp_write_verbatim(x->out, "txt", text, sizeof(text) - 1);
}

static void memory_purge_command(struct exec *x)
{
    mem_purge();
    resp_write_ok(x->out);
}

/* clang-format off */
#define ON_KEY(group_, name_, arity_, handler_, since_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = CMD_READONLY, .group = group_, .first_key = 2, \
     .last_key = 2, .key_step = 1, .handler = handler_, .since = since_, .complexity = "O(1)", \
     .syntax = syntax_, .summary = summary_}

static const struct command object_subcommands[] = {
    ON_KEY(GROUP_GENERIC, "encoding", 3, object_encoding_command, "2.2.3", "key", "Returns the internal form of a value, by Redis's names."),
    ON_KEY(GROUP_GENERIC, "freq", 3, object_freq_command, "4.0.0", "key", "Returns an error: access frequency is not tracked."),
    ON_KEY(GROUP_GENERIC, "idletime", 3, object_idletime_command, "2.2.3", "key", "Returns 0: times of access are not tracked."),
    ON_KEY(GROUP_GENERIC, "refcount", 3, object_refcount_command, "2.2.3", "key", "Returns the reference count that Redis would report."),
    COMMAND_HELP(GROUP_GENERIC, "6.2.0"),
    {0},
};

static const struct command memory_subcommands[] = {
    {.name = "doctor", .arity = 2, .flags = CMD_NO_LOCK, .group = GROUP_SERVER, .handler = memory_doctor_command, .since = "4.0.0", .complexity = "O(1)", .syntax = "", .summary = "Returns what uses memory."},
    {.name = "purge", .arity = 2, .flags = CMD_NO_LOCK, .group = GROUP_SERVER, .handler = memory_purge_command, .since = "4.0.0", .complexity = "Depends on how much memory is free", .syntax = "", .summary = "Gives free memory back to the system."},
    {.name = "stats", .arity = 2, .group = GROUP_SERVER, .handler = memory_stats_command, .since = "4.0.0", .complexity = "O(1)", .syntax = "", .summary = "Returns memory usage of the server and of this namespace."},
    ON_KEY(GROUP_SERVER, "usage", -3, memory_usage_command, "4.0.0", "key [SAMPLES count]", "Estimates the bytes that a key and its value use."),
    COMMAND_HELP(GROUP_SERVER, "4.0.0"),
    {0},
};

const struct command object_commands[] = {
    {.name = "memory", .arity = -2, .group = GROUP_SERVER, .subcommands = memory_subcommands, .since = "4.0.0", .complexity = "Depends on subcommand.", .summary = "A container for commands about memory."},
    {.name = "object", .arity = -2, .group = GROUP_GENERIC, .subcommands = object_subcommands, .since = "2.2.3", .complexity = "Depends on subcommand.", .summary = "A container for commands about the inside of values."},
    {0},
};
/* clang-format on */
