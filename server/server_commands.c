/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole namespaces and the whole server: DBSIZE, FLUSH…, SWAPDB, SAVE, SHUTDOWN, WAIT, WAITAOF. */
#include <limits.h>

#include "ops/mem.h"
#include "ops/value.h"
#include "server/arguments.h"
#include "server/client-internal.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/server.h"
#include "server/wait.h"

static void dbsize_command(struct exec *x)
{
    resp_write_integer(x->out, (long long)keyspace_size(x->keys));
}

/* [ASYNC|SYNC]: both free the memory elsewhere. */
static bool flush_option(struct exec *x)
{
    if (x->argc == 1 || (x->argc == 2 && (exec_is(x, 1, "async") || exec_is(x, 1, "sync"))))
        return true;
    exec_syntax_error(x);
    return false;
}

static void flushdb_command(struct exec *x)
{
    if (!flush_option(x))
        return;
    exec_clear(x, x->ns);
    resp_write_ok(x->out);
}

/* One after another: when one must be loaded first this runs again, and the others are empty. */
static bool flush_all(struct exec *x, struct namespace **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!exec_lock_namespaces(x, &list[i], 1))
            return false;
        exec_clear(x, list[i]);
        exec_unlock_namespaces(x);
    }
    return true;
}

static void flushall_command(struct exec *x)
{
    if (!flush_option(x))
        return;
    struct namespace **list;
    size_t n = server_namespaces(&list);
    if (flush_all(x, list, n))
        resp_write_ok(x->out);
    mem_free(list);
}

/* All values of a keyspace, copied: what SWAPDB puts on the other side. */
struct contents {
    struct entry **items;
    size_t count, cap;
};

static void take_copy(void *ctx, struct entry *entry)
{
    struct contents *contents = ctx;
    LOOP_ROOM(contents->items, contents->count, contents->cap);
    contents->items[contents->count++] = entry_copy(entry, entry_key(entry), entry_expires(entry));
}

static struct contents copy_contents(struct namespace *ns)
{
    struct contents contents = {0};
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(namespace_keyspace(ns), cursor, take_copy, &contents);
    } while (cursor);
    return contents;
}

static void put_contents(struct exec *x, struct namespace *ns, struct contents *contents)
{
    for (size_t i = 0; i < contents->count; i++) {
        struct entry *entry = contents->items[i];
        struct slice key = entry_key(entry);
        char *copy = mem_alloc(key.len + 1); /* apply takes the entry, and the key with it */
        memcpy(copy, key.data, key.len);
        struct op op = {.kind = OP_KEY_PUT,
                        .key = slice_make(copy, key.len),
                        .time = x->now,
                        .key_put = {.value = entry, .expires = entry_expires(entry)}};
        exec_put_quiet(x, ns, &op);
        if (op.key_put.value)
            entry_destroy(op.key_put.value);
        mem_free(copy);
    }
    mem_free(contents->items);
}

static void swap(struct exec *x, struct namespace *a, struct namespace *b)
{
    effects_swap(x, a, b, false);
    struct contents of_a = copy_contents(a), of_b = copy_contents(b);
    exec_clear_quiet(x, a);
    exec_clear_quiet(x, b);
    put_contents(x, a, &of_b);
    put_contents(x, b, &of_a);
    effects_swap(x, a, b, true);
}

/* Not what Redis takes for a number: a name, and what no int holds. */
static bool is_no_index(struct slice word)
{
    int64_t number = 0;
    bool is_name = word.len && !parse_int(word, &number) && namespace_name_valid(word);
    return is_name || number < INT_MIN || number > INT_MAX;
}

static void swapdb_command(struct exec *x)
{
    struct namespace *pair[2];
    if (is_no_index(x->argv[1]) || is_no_index(x->argv[2])) {
        exec_error(x, is_no_index(x->argv[1]) ? "ERR invalid first DB index"
                                              : "ERR invalid second DB index");
        return;
    }
    if (!exec_namespace(x, x->argv[1], &pair[0]) || !exec_namespace(x, x->argv[2], &pair[1]) ||
        !exec_lock_namespaces(x, pair, 2))
        return;
    if (pair[0] != pair[1])
        swap(x, pair[0], pair[1]);
    resp_write_ok(x->out);
    exec_unlock_namespaces(x);
}

static void answer_save(struct resp_writer *out, bool reached, enum persistence_status status,
                        uint64_t position)
{
    (void)position;
    if (reached && status == PERSISTENCE_OK) {
        resp_write_ok(out);
        return;
    }
    char reason[256];
    persistence_trouble(server.persistence, reason, sizeof(reason));
    resp_write_error_format(out, "ERR the store took no commit: %s", reason);
}

static void save_command(struct exec *x)
{
    wait_for_sync(x, NULL, answer_save);
}

static void on_bgsave(void *ctx, enum persistence_status status, uint64_t position)
{
    (void)ctx, (void)position;
    if (status != PERSISTENCE_OK)
        log_line(LOG_WARNING, "BGSAVE: the store took no commit");
}

static void bgsave_command(struct exec *x)
{
    if (x->argc > 2 || (x->argc == 2 && !exec_is(x, 1, "schedule"))) {
        exec_syntax_error(x);
        return;
    }
    persistence_sync(server.persistence, NULL, on_bgsave, NULL);
    resp_write_simple(x->out, x->in_transaction ? "Background saving scheduled"
                                                : "Background saving started");
}

static void bgrewriteaof_command(struct exec *x)
{
    persistence_sync(server.persistence, NULL, on_bgsave, NULL);
    resp_write_simple(x->out, "Background append only file rewriting started");
}

static void lastsave_command(struct exec *x)
{
    struct persistence_stats stats;
    persistence_stats(server.persistence, &stats);
    resp_write_integer(x->out, stats.last_sync_ms / 1000);
}

static void role_command(struct exec *x)
{
    resp_write_array(x->out, 3);
    resp_write_bulk_text(x->out, "master");
    resp_write_integer(x->out, 0);
    resp_write_array(x->out, 0);
}

/* Going down when the store has taken everything: no answer, the connection just ends. */
static void answer_shutdown(struct resp_writer *out, bool reached, enum persistence_status status,
                            uint64_t position)
{
    (void)position;
    if (!reached || status != PERSISTENCE_OK) {
        log_line(LOG_WARNING, "SHUTDOWN: the store took no commit, so the server stays up");
        resp_write_error(out, "ERR Errors trying to SHUTDOWN. Check logs.");
        return;
    }
    server_stop(true);
}

static void shutdown_command(struct exec *x)
{
    bool save = false, nosave = false, force = false, now = false, abort = false;
    for (int i = 1; i < x->argc; i++) {
        if (exec_is(x, i, "nosave")) {
            nosave = true;
        } else if (exec_is(x, i, "save")) {
            save = true;
        } else if (exec_is(x, i, "force")) {
            force = true;
        } else if (exec_is(x, i, "now")) {
            now = true;
        } else if (exec_is(x, i, "abort")) {
            abort = true;
        } else {
            exec_syntax_error(x);
            return;
        }
    }
    if ((save && nosave) || (abort && (save || nosave || force || now))) {
        exec_syntax_error(x);
    } else if (abort) {
        exec_error(x, "ERR No shutdown in progress.");
    } else if (nosave || force) {
        log_line(LOG_NOTICE, "SHUTDOWN: going down");
        server_stop(!nosave);
    } else {
        log_line(LOG_NOTICE, "SHUTDOWN: saving and going down");
        wait_for_sync(x, NULL, answer_shutdown);
    }
}

static void answer_wait(struct resp_writer *out, bool reached, enum persistence_status status,
                        uint64_t position)
{
    (void)status, (void)position;
    resp_write_integer(out, reached);
}

/* The store counts as one replica: it has the writes when they are durable. */
static void wait_command(struct exec *x)
{
    int64_t replicas, ms;
    if (exec_int(x, 1, &replicas) && argument_milliseconds(x, 2, &ms))
        wait_for_writes(x, DURABILITY_DURABLE, ms, replicas > 0, answer_wait);
}

static void write_local_and_store(struct resp_writer *out, bool local, bool store)
{
    resp_write_array(out, 2);
    resp_write_integer(out, local);
    resp_write_integer(out, store);
}

static void answer_local(struct resp_writer *out, bool reached, enum persistence_status status,
                         uint64_t position)
{
    (void)status, (void)position;
    write_local_and_store(out, reached, false);
}

/* What is in the store is safer than what is in the journal: it counts for both. */
static void answer_store(struct resp_writer *out, bool reached, enum persistence_status status,
                         uint64_t position)
{
    (void)status, (void)position;
    write_local_and_store(out, reached, reached);
}

static void waitaof_command(struct exec *x)
{
    int64_t local, replicas, ms;
    if (!exec_int_range(x, 1, 0, 1, "ERR value is out of range, must be between 0 and 1", &local) ||
        !exec_int_range(x, 2, 0, INT64_MAX, "ERR value is out of range, must be positive",
                        &replicas) ||
        !argument_milliseconds(x, 3, &ms))
        return;
    if (replicas)
        wait_for_writes(x, DURABILITY_DURABLE, ms, true, answer_store);
    else
        wait_for_writes(x, DURABILITY_WRITTEN, ms, local > 0, answer_local);
}

#define ROW(name_, arity_, flags_, handler_, since_, complexity_, syntax_, summary_)               \
    {                                                                                              \
        .name = name_, .arity = arity_, .flags = flags_, .group = GROUP_SERVER,                    \
        .handler = handler_, .since = since_, .complexity = complexity_, .syntax = syntax_,        \
        .summary = summary_                                                                        \
    }
#define ALWAYS (CMD_LOADING | CMD_STALE | CMD_NOSCRIPT)

/* clang-format off */
const struct command server_commands[] = {
    ROW("bgrewriteaof", 1, CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_LOCK, bgrewriteaof_command, "1.0.0", "O(1)", "", "Starts a sync of all namespaces, as BGSAVE."),
    ROW("bgsave", -1, CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_LOCK, bgsave_command, "1.0.0", "O(1)", "[SCHEDULE]", "Starts a sync of all namespaces."),
    ROW("dbsize", 1, CMD_READONLY | CMD_FAST, dbsize_command, "1.0.0", "O(1)", "", "How many keys the namespace has."),
    ROW("flushall", -1, CMD_WRITE | CMD_OWN_LOCKS, flushall_command, "1.0.0", "O(1) for each namespace", "[ASYNC|SYNC]", "Empties all namespaces."),
    ROW("flushdb", -1, CMD_WRITE, flushdb_command, "1.0.0", "O(1)", "[ASYNC|SYNC]", "Empties the namespace."),
    ROW("lastsave", 1, CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_LOCK, lastsave_command, "1.0.0", "O(1)", "", "Unix time of the last good commit."),
    ROW("role", 1, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_LOCK, role_command, "2.8.12", "O(1)", "", "Always master: there are no Redis replicas."),
    ROW("save", 1, CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_MULTI | CMD_OWN_LOCKS, save_command, "1.0.0", "O(N) for N changes", "", "Commits everything to the store, and answers then."),
    ROW("shutdown", -1, CMD_ALLOW_BUSY | CMD_ADMIN | ALWAYS | CMD_NO_MULTI | CMD_OWN_LOCKS, shutdown_command, "1.0.0", "O(N) for N changes", "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]", "Commits everything and ends the server."),
    ROW("swapdb", 3, CMD_WRITE | CMD_FAST | CMD_OWN_LOCKS, swapdb_command, "4.0.0", "O(N) for N keys in both", "index index", "Swaps the contents of two numbered namespaces."),
    ROW("wait", 3, CMD_NOSCRIPT | CMD_OWN_LOCKS | CMD_LIKE_FAST, wait_command, "3.0.0", "O(1)", "numreplicas timeout", "Waits until the store has what this connection wrote; it counts as one replica."),
    ROW("waitaof", 4, CMD_NOSCRIPT | CMD_OWN_LOCKS | CMD_LIKE_FAST, waitaof_command, "7.2.0", "O(1)", "numlocal numreplicas timeout", "Waits until the journal, or the store, has what this connection wrote."),
    {0},
};
/* clang-format on */
