/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CAIRN NAMESPACES, HISTORY, VERIFY: what has to be read from the store. A thread that may block
 * on it writes the whole reply; the client's own thread only hands it over.
 */
#include "server/cairn_reading.h"

#include <inttypes.h>

#include "ops/mem.h"
#include "persistence/history.h"
#include "persistence/verify.h"
#include "server/loop-internal.h"
#include "server/log.h"
#include "server/server.h"

struct reading {
    struct client_ref client;
    uint64_t token;
    atomic_int parts; /* the reading's end, and the command's: the later one answers */
    struct resp_buffer buffer;
    struct resp_writer out; /* into the buffer */
    void (*read)(struct reading *reading, struct store *store);
    struct slice namespace; /* of an object that lives as long as the server */
    int64_t count;          /* HISTORY; -1: all */
};

static void hand_over(struct client *client, void *ctx)
{
    struct reading *reading = ctx;
    struct resp_writer *out = client ? client_answer(client, reading->token) : NULL;
    if (out) {
        resp_write_raw(out, reading->buffer.data, reading->buffer.len);
        client_resume(client, reading->token);
    }
    resp_buffer_release(&reading->buffer);
    mem_free(reading);
}

static void part_ends(struct reading *reading)
{
    if (atomic_fetch_sub(&reading->parts, 1) == 1)
        loop_post_client(reading->client, hand_over, reading);
}

static void run(void *ctx, enum persistence_status status, struct store *store)
{
    struct reading *reading = ctx;
    if (status == PERSISTENCE_OK)
        reading->read(reading, store);
    else
        resp_write_error(&reading->out, "CAIRNERR the server is going down");
    part_ends(reading);
}

static struct reading *prepare(struct exec *x,
                               void (*read)(struct reading *reading, struct store *store))
{
    struct reading *reading = mem_calloc(1, sizeof(*reading));
    reading->client = client_ref(x->client);
    reading->out = (struct resp_writer){&reading->buffer, x->out->protocol};
    reading->read = read;
    reading->namespace = namespace_name(x->ns);
    atomic_init(&reading->parts, 2);
    return reading;
}

static void begin(struct exec *x, struct reading *reading, bool is_long)
{
    persistence_read(server.persistence, is_long, run, reading);
    reading->token = exec_suspend(x);
    part_ends(reading);
}

static void write_number(struct resp_writer *out, const char *name, uint64_t number)
{
    resp_write_bulk_text(out, name);
    resp_write_integer(out, (long long)number);
}

static void write_text(struct resp_writer *out, const char *name, struct slice text)
{
    resp_write_bulk_text(out, name);
    resp_write_bulk(out, text.data, text.len);
}

/* --- NAMESPACES --- */

static const char *const state_names[] = {
    [NAMESPACE_UNLOADED] = "unloaded", [NAMESPACE_LOADING] = "loading", [NAMESPACE_READY] = "ready",
    [NAMESPACE_FAILED] = "failed",     [NAMESPACE_AWAY] = "away",
};

struct listing {
    struct resp_writer *out;
    size_t count;
};

static void write_namespace(void *ctx, struct slice name, enum namespace_state state,
                            uint64_t position, size_t keys)
{
    struct listing *listing = ctx;
    resp_write_map(listing->out, 4);
    write_text(listing->out, "name", name);
    write_text(listing->out, "state", slice_of(state_names[state]));
    write_number(listing->out, "position", position);
    write_number(listing->out, "keys", keys);
    listing->count++;
}

static void read_namespaces(struct reading *reading, struct store *store)
{
    struct listing listing = {.out = &reading->out};
    struct text error = {0};
    size_t begun = resp_defer_begin(&reading->out);
    (void)store;
    if (persistence_list(server.persistence, write_namespace, &listing, &error) == PERSISTENCE_OK) {
        resp_defer_array(&reading->out, begun, listing.count);
    } else {
        reading->buffer.len = begun;
        resp_write_error_format(&reading->out, "CAIRNERR the store cannot be listed: %s",
                                text_terminated(&error));
    }
    text_release(&error);
}

void cairn_namespaces(struct exec *x)
{
    begin(x, prepare(x, read_namespaces), false);
}

/* --- HISTORY --- */

static void write_commits(struct resp_writer *out, const struct head *head, int64_t most)
{
    size_t count = head->tail_count;
    if (most >= 0 && (uint64_t)most < count)
        count = (size_t)most;
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++) {
        const struct commit *commit = &head->tail[head->tail_count - 1 - i];
        resp_write_map(out, 4);
        write_number(out, "position", commit->position);
        write_number(out, "time", (uint64_t)commit->time);
        write_text(out, "replica", slice_of(commit->replica));
        write_number(out, "ops", commit->count);
    }
}

static void read_history(struct reading *reading, struct store *store)
{
    struct loader_options options = {.store = store, .namespace = reading->namespace};
    struct loaded loaded;
    struct text error = {0};
    if (!store) {
        resp_write_array(&reading->out, 0);
        return;
    }
    enum loader_result result = history_read(&options, (uint64_t)reading->count, &loaded, &error);
    if (result == LOADER_OK) {
        write_commits(&reading->out, &loaded.head, reading->count);
        loaded_release(&loaded);
    }
    if (result != LOADER_OK)
        resp_write_error_format(&reading->out, "CAIRNERR the history cannot be read: %s",
                                text_terminated(&error));
    text_release(&error);
}

void cairn_history(struct exec *x)
{
    int64_t count = 10;
    if (x->argc > 3)
        exec_wrong_arity(x);
    else if (x->argc < 3 ||
             exec_int_range(x, 2, -1, INT64_MAX, "ERR count should be greater than or equal to -1",
                            &count)) {
        struct reading *reading = prepare(x, read_history);
        reading->count = count;
        begin(x, reading, false);
    }
}

/* --- VERIFY --- */

static void log_lines(const struct verify_report *report)
{
    const char *at = report->lines.data, *end = at + report->lines.len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        log_line(LOG_WARNING, "CAIRN VERIFY: %.*s", (int)(newline - at), at);
        at = newline + 1;
    }
}

static void write_report(struct resp_writer *out, const struct verify_report *report)
{
    resp_write_map(out, 10);
    write_text(out, "namespace", slice_of(report->namespace));
    write_number(out, "position", report->position);
    write_number(out, "base", report->base_position);
    write_number(out, "commits", report->commits);
    write_number(out, "ops", report->ops);
    write_number(out, "keys", report->keys);
    write_number(out, "chunks", report->chunks);
    write_number(out, "segments", report->segments);
    write_number(out, "bytes", report->bytes);
    write_number(out, "orphans", report->orphans);
}

static void write_fault(struct resp_writer *out, const struct verify_report *report)
{
    struct slice first = verify_report_first(report);
    int len = first.len < 1024 ? (int)first.len : 1024;
    if (report->verdict == VERIFY_UNREADABLE)
        resp_write_error_format(out, "CAIRNERR the store cannot be read: %.*s", len, first.data);
    else if (report->faults == 1)
        resp_write_error_format(out, "CAIRNERR not sound: %.*s", len, first.data);
    else
        resp_write_error_format(out, "CAIRNERR not sound: %.*s (and %" PRIu64 " more, see the log)",
                                len, first.data, report->faults - 1);
}

static void read_all(struct reading *reading, struct store *store)
{
    struct verify_options options = {.store = store,
                                     .stop = persistence_stopping(server.persistence)};
    struct verify_report report;
    verify_namespace(&options, reading->namespace, &report);
    if (report.verdict == VERIFY_SOUND) {
        write_report(&reading->out, &report);
    } else {
        log_lines(&report);
        write_fault(&reading->out, &report);
    }
    verify_report_release(&report);
}

void cairn_verify(struct exec *x)
{
    struct namespace *ns = x->ns;
    if (x->argc > 3) {
        exec_wrong_arity(x);
    } else if (persistence_in_memory(server.persistence)) {
        exec_error(x, "CAIRNERR the store is memory: there is nothing to read back");
    } else if (x->argc < 3 || exec_namespace(x, x->argv[2], &ns)) {
        struct reading *reading = prepare(x, read_all);
        reading->namespace = namespace_name(ns);
        begin(x, reading, true);
    }
}
