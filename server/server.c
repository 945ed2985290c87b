/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and end of the process's parts, in order; what is needed in between is in server.h. */
#include "server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/keyspace.h"
#include "ops/mem.h"
#include "server/arrivals.h"
#include "server/clock.h"
#include "server/command.h"
#include "server/config-internal.h"
#include "server/lazyfree.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/mem_ahead.h"
#include "server/memory_watch.h"
#include "server/ns_state.h"
#include "server/start.h"

#define THREADS_DEFAULT_MAX 8

struct server server;

static struct event *signal_events[3];

size_t server_namespaces(struct namespace ***out)
{
    size_t cap = 64;
    for (;;) {
        *out = mem_alloc(cap * sizeof(**out));
        size_t n = persistence_loaded(server.persistence, *out, cap);
        if (n <= cap)
            return n;
        mem_free(*out);
        cap = n + 16;
    }
}

void server_stop(bool save)
{
    if (atomic_exchange(&server.shutting_down, true))
        return;
    atomic_store(&server.stop_without_saving, !save);
    for (int i = 0; i < loop_count(); i++)
        loop_stop(loop_at(i));
}

static void make_random(void)
{
    unsigned char seed[16], id[20];
    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed) ||
        getrandom(id, sizeof(id), 0) != sizeof(id)) {
        fputs("cairn-server: the system gives no random bytes\n", stderr);
        exit(1);
    }
    key_hash_seed(seed);
    for (int i = 0; i < 20; i++)
        snprintf(server.run_id + 2 * i, 3, "%02x", id[i]);
}

void server_init(void)
{
    server.start_ms = clock_ms();
    atomic_init(&server.active_expire, true);
    atomic_init(&server.reply_peak_reset_ms, REPLY_PEAK_RESET_MS);
    make_random();
    command_table_init();
    atomic_init(&server.startup_memory, (int64_t)mem_used());
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

void server_apply_config(void)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        if (row->apply)
            row->apply();
    }
}

/* The directive stays what it was, or CONFIG REWRITE would write down this machine's number. */
static int thread_count(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (CONFIG(threads))
        return (int)CONFIG(threads);
    if (processors < 1)
        return 1;
    return processors > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (int)processors;
}

static void log_for_persistence(void *ctx, enum persistence_log_level level, const char *line)
{
    (void)ctx;
    log_line(level == PERSISTENCE_LOG_WARNING ? LOG_WARNING : LOG_NOTICE, "%s", line);
}

/* As a start would have: but clients are connected, who get to know. */
static void on_store_failed(void *ctx, const char *sentence)
{
    (void)ctx;
    log_line(LOG_WARNING, "the store cannot be used, so the server ends: %s", sentence);
    atomic_store(&server.failed, true);
    server_stop(true);
}

static int64_t now_for_persistence(void *ctx)
{
    (void)ctx;
    return clock_ms();
}

void server_configure_s3(void)
{
    char *endpoint = CONFIG_STRING(s3_endpoint), *region = CONFIG_STRING(s3_region),
         *ca_file = CONFIG_STRING(s3_ca_file), *sse = CONFIG_STRING(s3_sse),
         *sse_key = CONFIG_STRING(s3_sse_key), *storage_class = CONFIG_STRING(s3_storage_class);
    struct s3_options options = {
        .endpoint = endpoint,
        .region = region,
        .style = (enum s3_style)CONFIG(s3_path_style),
        .ca_file = ca_file,
        .sse = sse,
        .sse_key = sse_key,
        .storage_class = storage_class,
        .connect_timeout_ms = CONFIG(s3_connect_timeout),
        .first_byte_timeout_ms = CONFIG(s3_first_byte_timeout),
        .timeout_ms = CONFIG(s3_timeout),
    };
    char *strings[] = {endpoint, region, ca_file, sse, sse_key, storage_class};
    store_s3_configure(&options);
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        mem_free(strings[i]);
}

static bool open_store(const char *store, const char *dir, struct text *error)
{
    struct persistence_options options = {
        .shared = CONFIG(shared),
        .commit_mode = (enum commit_mode)CONFIG(commit_mode),
        .lock_ttl_ms = CONFIG(lock_ttl),
        .store = store,
        .dir = dir[0] ? dir : NULL,
        .sync_interval_ms = CONFIG(sync_interval),
        .journal_fsync = (enum journal_fsync)CONFIG(journal_fsync),
        .journal_orphans = (enum journal_orphans)CONFIG(journal_orphans),
        .replica_expiry_ms = CONFIG(replica_expiry),
        .journal = CONFIG(journal) && strcmp(store, "memory") != 0,
        .pending_limit = CONFIG(pending_limit),
        .inline_limit = CONFIG(inline_limit),
        .chunk_size = CONFIG(chunk_size),
        .history_ms = CONFIG(history),
        .workers = (int)CONFIG(workers),
        .idle_unload_ms = CONFIG(idle_unload),
        .hooks = ns_state_hooks,
        .attach = ns_state_attach,
        .detach = ns_state_detach,
        .arrived = arrivals_op,
        .expired = arrivals_expired,
        .differs = arrivals_differ,
        .awaited = arrivals_awaited,
        .failed = on_store_failed,
        .log = log_for_persistence,
        .now_ms = now_for_persistence,
    };
    return persistence_open(&options, &server.persistence, error) == PERSISTENCE_OK;
}

/* Objects for all databases, as there are for what the store holds: FLUSHALL and INFO know them. */
static void name_databases(void)
{
    for (int64_t i = 0; i < CONFIG(databases); i++) {
        char name[24];
        snprintf(name, sizeof(name), "%lld", (long long)i);
        server.databases[i] = persistence_namespace(server.persistence, slice_of(name));
    }
}

bool server_open(struct text *error)
{
    char *store = CONFIG_STRING(store), *dir = CONFIG_STRING(dir);
    log_line(LOG_NOTICE, "cairn-server %s, process %d, %lld threads, speaking Redis %s's protocol",
             CAIRN_VERSION, (int)getpid(), (long long)thread_count(), REDIS_VERSION);
    server_configure_s3();
    bool good = listener_open(error) && open_store(store, dir, error);
    if (good && persistence_loading(server.persistence))
        log_line(LOG_WARNING, "store %s: it has not answered yet", store);
    else if (good)
        log_line(LOG_NOTICE, "store %s: %zu namespaces", store,
                 persistence_loaded(server.persistence, NULL, 0));
    if (good)
        name_databases();
    mem_free(store);
    mem_free(dir);
    return good && loops_create(thread_count());
}

static void on_stop_signal(int number, short what, void *arg)
{
    (void)what, (void)arg;
    log_line(LOG_NOTICE, "%s: saving and going down", number == SIGINT ? "SIGINT" : "SIGTERM");
    server_stop(true);
}

static void on_hup(int number, short what, void *arg)
{
    (void)number, (void)what, (void)arg;
    log_reopen();
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < 3; i++) {
        signal_events[i] = evsignal_new(loop_at(0)->base, numbers[i],
                                        numbers[i] == SIGHUP ? on_hup : on_stop_signal, NULL);
        event_add(signal_events[i], NULL);
    }
}

void server_run(void)
{
    mem_ahead_start();
    lazyfree_start();
    memory_watch_start();
    watch_signals();
    listener_start();
    log_line(LOG_NOTICE, "Ready to accept connections on port %lld", (long long)CONFIG(port));
    persistence_arm(server.persistence);
    loops_run();
    listener_stop();
    memory_watch_stop();
    mem_ahead_stop();
    for (int i = 0; i < 3; i++)
        event_free(signal_events[i]);
}

/* SHUTDOWN NOSAVE. */
static void tell_unsaved(void)
{
    struct persistence_stats stats;
    persistence_stats(server.persistence, &stats);
    if (!stats.pending_ops)
        log_line(LOG_NOTICE, "going down without a last commit: nothing is pending");
    else if (stats.journal && persistence_writable(server.persistence))
        log_line(LOG_NOTICE, "going down without a last commit: %lld ops stay in the journal",
                 (long long)stats.pending_ops);
    else
        log_line(LOG_WARNING, "going down without a last commit: %lld ops are lost%s",
                 (long long)stats.pending_ops,
                 stats.journal ? ", but for those that the journal has taken" : "");
}

int server_close(void)
{
    listener_close();
    if (atomic_load(&server.stop_without_saving)) {
        tell_unsaved();
        return 0; /* the store is left as after a crash, which is what NOSAVE asks for */
    }
    /* It answers all who wait, by posts to the loops, which have ended but are still there. */
    enum persistence_status status = persistence_close(server.persistence);
    server.persistence = NULL;
    loops_destroy();
    lazyfree_stop();
    command_table_release();
    if (status == PERSISTENCE_OK)
        log_line(LOG_NOTICE, "everything is in the store, bye");
    /* What was promised is kept where a journal has what the store has not taken. */
    bool kept = status == PERSISTENCE_OK || status == PERSISTENCE_KEPT;
    return kept && !atomic_load(&server.failed) ? 0 : 1;
}
