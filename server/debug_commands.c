/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DEBUG: what tests and people in trouble ask of a server. Only what is named here exists; all of
 * it needs enable-debug-command.
 */
#include <stdio.h>
#include <unistd.h>

#include "ops/mem.h"
#include "server/command.h"
#include "server/command_docs.h"
#include "server/config_apply.h"
#include "server/digest.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/server.h"

static void debug_object_command(struct exec *x)
{
    struct entry *entry = exec_find(x, x->argv[2]);
    if (!entry) {
        exec_error(x, "ERR no such key");
        return;
    }
    char text[160];
    snprintf(text, sizeof(text),
             "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:0 lru_seconds_idle:0",
             (void *)entry, entry_encoding(entry), entry_memory(entry, 0));
    resp_write_simple(x->out, text);
}

/* Waits with the namespace locked: whoever uses it waits too, as with Redis. */
static void debug_sleep_command(struct exec *x)
{
    double seconds;
    if (!exec_double(x, 2, &seconds))
        return;
    if (seconds > 0 && seconds < 3600)
        usleep((useconds_t)(seconds * 1e6));
    resp_write_ok(x->out);
}

static void debug_set_active_expire_command(struct exec *x)
{
    int64_t on;
    if (!exec_int(x, 2, &on))
        return;
    atomic_store(&server.active_expire, on != 0);
    resp_write_ok(x->out);
}

/* Redis's options say what is kept of memory and what is written out: here both are one. */
static bool takes_reload_options(struct exec *x)
{
    for (int i = 2; i < x->argc; i++) {
        if (!exec_is(x, i, "merge") && !exec_is(x, i, "noflush") && !exec_is(x, i, "nosave")) {
            exec_error(x, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return false;
        }
    }
    return true;
}

static void debug_reload_command(struct exec *x)
{
    if (!takes_reload_options(x))
        return;
    struct namespace **all;
    struct text error = {0};
    enum persistence_status status = PERSISTENCE_OK;
    size_t count = server_namespaces(&all);
    for (size_t i = 0; i < count && status == PERSISTENCE_OK; i++)
        if (namespace_state(all[i]) == NAMESPACE_READY)
            status = persistence_reload(server.persistence, all[i], &error);
    if (status == PERSISTENCE_OK)
        resp_write_ok(x->out);
    else
        exec_error_format(x, "ERR Error trying to load the dataset: %.*s", (int)error.len,
                          error.len ? error.data : "");
    text_release(&error);
    mem_free(all);
}

struct digest_walk {
    struct digest total;
    struct slice space;
};

static void digest_visit(void *ctx, struct entry *entry)
{
    struct digest_walk *walk = ctx;
    digest_add_key(&walk->total, walk->space, entry);
}

static void digest_namespace(struct digest_walk *walk, struct namespace *ns)
{
    uint64_t cursor = 0;
    walk->space = namespace_name(ns);
    namespace_lock(ns);
    if (namespace_state(ns) == NAMESPACE_READY)
        do
            cursor = keyspace_scan(namespace_keyspace(ns), cursor, digest_visit, walk);
        while (cursor);
    namespace_unlock(ns);
}

static void debug_digest_command(struct exec *x)
{
    struct digest_walk walk = {{{0}}, {NULL, 0}};
    struct namespace **all;
    char hex[2 * DIGEST_BYTES + 1];
    size_t count = server_namespaces(&all);
    for (size_t i = 0; i < count; i++)
        digest_namespace(&walk, all[i]);
    mem_free(all);
    digest_hex(&walk.total, hex);
    resp_write_simple(x->out, hex);
}

static void debug_digest_value_command(struct exec *x)
{
    resp_write_array(x->out, (size_t)x->argc - 2);
    for (int i = 2; i < x->argc; i++) {
        struct entry *entry = exec_find(x, x->argv[i]);
        struct digest digest = entry ? digest_value(entry) : (struct digest){{0}};
        char hex[2 * DIGEST_BYTES + 1];
        digest_hex(&digest, hex);
        resp_write_bulk_text(x->out, hex);
    }
}

static void debug_populate_command(struct exec *x)
{
    int64_t count, size = 0;
    struct slice prefix = x->argc > 3 ? x->argv[3] : slice_of("key");
    struct outcome outcome;
    static const char positive[] = "ERR value is out of range, must be positive";
    if (x->argc > 5) {
        exec_wrong_subcommand(x);
        return;
    }
    if (!exec_int_range(x, 2, 0, INT64_MAX, positive, &count) ||
        (x->argc > 4 && !exec_int_range(x, 4, 0, INT64_MAX, positive, &size)))
        return;
    if (size > 1 << 20) {
        exec_error(x, "ERR value is out of range");
        return;
    }
    char *key = mem_alloc(prefix.len + 32), *value = mem_calloc(1, (size_t)size + 32);
    for (int64_t i = 0; i < count; i++) {
        int len =
            snprintf(key, prefix.len + 32, "%.*s:%lld", (int)prefix.len, prefix.data, (long long)i);
        int value_len = snprintf(value, 32, "value:%lld", (long long)i);
        struct op op = {.kind = OP_SCALAR_SET, .key = slice_make(key, (size_t)len), .time = x->now};
        op.scalar_set.value = slice_make(value, size ? (size_t)size : (size_t)value_len);
        op.scalar_set.condition = OP_CONDITION_NX;
        if (!exec_apply(x, &op, '$', NULL, &outcome))
            break;
    }
    mem_free(key);
    mem_free(value);
    if (!x->failed)
        resp_write_ok(x->out);
}

static void debug_replybuffer_command(struct exec *x)
{
    int64_t ms = -1;
    if (!exec_is(x, 2, "peak-reset-time")) {
        exec_wrong_subcommand(x);
        return;
    }
    if (exec_is(x, 3, "reset"))
        ms = REPLY_PEAK_RESET_MS;
    else if (!exec_is(x, 3, "never") && !exec_int(x, 3, &ms))
        return;
    atomic_store(&server.reply_peak_reset_ms, ms);
    resp_write_ok(x->out);
}

static void write_numbers(struct exec *x)
{
    for (int i = 0; i < 3; i++)
        resp_write_integer(x->out, i);
}

static void protocol_map(struct exec *x)
{
    resp_write_map(x->out, 3);
    for (int i = 0; i < 3; i++) {
        resp_write_integer(x->out, i);
        resp_write_bool(x->out, i == 1);
    }
}

static void protocol_attribute(struct exec *x)
{
    if (resp_write_attribute(x->out, 1)) {
        resp_write_bulk_text(x->out, "key-popularity");
        resp_write_array(x->out, 2);
        resp_write_bulk_text(x->out, "key:123");
        resp_write_integer(x->out, 90);
    }
    resp_write_bulk_text(x->out, "Some real reply following the attribute");
}

static void protocol_push(struct exec *x)
{
    if (x->out->protocol < 3) {
        exec_error(x, "ERR RESP2 is not supported by this command");
        return;
    }
    resp_write_push(x->out, 2);
    resp_write_bulk_text(x->out, "server-cpu-usage");
    resp_write_integer(x->out, 42);
    resp_write_bulk_text(x->out, "Some real reply following the push reply");
}

static void protocol_string(struct exec *x)
{
    resp_write_bulk_text(x->out, "Hello World");
}

static void protocol_integer(struct exec *x)
{
    resp_write_integer(x->out, 12345);
}

static void protocol_double(struct exec *x)
{
    resp_write_double(x->out, 3.141);
}

static void protocol_null(struct exec *x)
{
    resp_write_nil(x->out);
}

static void protocol_array(struct exec *x)
{
    resp_write_array(x->out, 3);
    write_numbers(x);
}

static void protocol_set(struct exec *x)
{
    resp_write_set(x->out, 3);
    write_numbers(x);
}

static void protocol_big_number(struct exec *x)
{
    static const char digits[] = "1234567999999999999999999999999999999";
    resp_write_big_number(x->out, digits, sizeof(digits) - 1);
}

static void protocol_true(struct exec *x)
{
    resp_write_bool(x->out, true);
}

static void protocol_false(struct exec *x)
{
    resp_write_bool(x->out, false);
}

static void protocol_verbatim(struct exec *x)
{
    static const char text[] = "This is a verbatim\nstring";
    resp_write_verbatim(x->out, "txt", text, sizeof(text) - 1);
}

/* One reply of each shape, for authors of client libraries. */
static void debug_protocol_command(struct exec *x)
{
    static const struct {
        const char *name;
        void (*write)(struct exec *x);
    } shapes[] = {
        {"string", protocol_string},     {"integer", protocol_integer},
        {"double", protocol_double},     {"null", protocol_null},
        {"array", protocol_array},       {"set", protocol_set},
        {"map", protocol_map},           {"attrib", protocol_attribute},
        {"push", protocol_push},         {"verbatim", protocol_verbatim},
        {"true", protocol_true},         {"false", protocol_false},
        {"bignum", protocol_big_number},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (exec_is(x, 2, shapes[i].name)) {
            shapes[i].write(x);
            return;
        }
    exec_error(x,
               "ERR Wrong protocol type name. Please use one of the following: "
               "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

static void debug_error_command(struct exec *x)
{
    exec_error_format(x, "%.*s", (int)x->argv[2].len, x->argv[2].data);
}

/* Redis's lists have nodes whose limit this sets; here it is taken and changes nothing. */
static void debug_packed_threshold_command(struct exec *x)
{
    int64_t bytes;
    if (config_parse_memory(x->argv[2], &bytes) && bytes >= 0 &&
        bytes <= (INT64_C(1) << 32) - (1 << 20))
        resp_write_ok(x->out);
    else
        exec_error(x, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
}

/* What no subcommand's row fits. */
static void debug_other_command(struct exec *x)
{
    if (x->argc == 2 && exec_is(x, 1, "help"))
        command_help_write(x->out, x->command);
    else
        exec_wrong_subcommand(x);
}

/* DEBUG LOG writes a line to Redis's log, which its test suite does before each test. */
static void debug_accepted_command(struct exec *x)
{
    resp_write_ok(x->out);
}

/* clang-format off */
#define DEBUG(name_, arity_, flags_, handler_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_PROTECTED | (flags_), .group = GROUP_SERVER, \
     .handler = handler_, .since = "1.0.0", .complexity = "Depends on subcommand.", .syntax = syntax_, .summary = summary_}

static const struct command debug_subcommands[] = {
    DEBUG("digest", 2, CMD_OWN_LOCKS | CMD_NO_MULTI, debug_digest_command, "", "Returns a digest of all contents."),
    DEBUG("digest-value", -2, 0, debug_digest_value_command, "[key [key ...]]", "Returns a digest of each value."),
    DEBUG("error", 3, CMD_NO_LOCK, debug_error_command, "message", "Answers with an error."),
    DEBUG("loadaof", 2, CMD_OWN_LOCKS | CMD_NO_MULTI, debug_reload_command, "", "As RELOAD: what is stored includes the journal."),
    DEBUG("log", 3, CMD_NO_LOCK, debug_accepted_command, "message", "Accepted; writes nothing."),
    DEBUG("object", 3, 0, debug_object_command, "key", "Returns how a value is kept."),
    DEBUG("populate", -3, CMD_WRITE, debug_populate_command, "count [prefix] [size]", "Sets keys that are not there, for tests."),
    DEBUG("protocol", 3, CMD_NO_LOCK, debug_protocol_command, "type", "Answers with a reply of that type."),
    DEBUG("quicklist-packed-threshold", 3, CMD_NO_LOCK, debug_packed_threshold_command, "size", "Accepted; changes nothing."),
    DEBUG("reload", -2, CMD_OWN_LOCKS | CMD_NO_MULTI, debug_reload_command, "[option ...]", "Writes everything out and reads it back."),
    DEBUG("replybuffer", 4, CMD_NO_LOCK, debug_replybuffer_command, "PEAK-RESET-TIME <milliseconds | NEVER | RESET>", "Sets how soon reply buffers shrink."),
    DEBUG("set-active-expire", 3, CMD_NO_LOCK, debug_set_active_expire_command, "<0 | 1>", "Turns the removal of expired keys in the background off or on."),
    DEBUG("sleep", 3, 0, debug_sleep_command, "seconds", "Waits with the namespace locked."),
    {0},
};

const struct command debug_commands[] = {
    {.name = "debug", .arity = -2, .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PROTECTED | CMD_NO_LOCK, .group = GROUP_SERVER, .handler = debug_other_command, .subcommands = debug_subcommands, .since = "1.0.0", .complexity = "Depends on subcommand.", .summary = "A container for commands for debugging."},
    {0},
};
/* clang-format on */
