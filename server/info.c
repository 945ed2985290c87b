/* SPDX-License-Identifier: BSD-3-Clause */
/* One function a section; fields keep Redis's names and order where they mean something here. */
#include "server/info.h"

#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ops/mem.h"
#include "server/client.h"
#include "server/command.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/lazyfree.h"
#include "server/loop-internal.h"
#include "server/registry.h"
#include "server/server.h"

static void line(struct text *out, const char *name, int64_t value)
{
    text_append_format(out, "%s:%lld\r\n", name, (long long)value);
}

static void line_text(struct text *out, const char *name, const char *value)
{
    text_append_format(out, "%s:%s\r\n", name, value);
}

static void print_server(struct exec *x, struct text *out)
{
    struct utsname os;
    uname(&os);
    int64_t uptime = (x->now - server.start_ms) / 1000;
    line_text(out, "redis_version", REDIS_VERSION);
    line_text(out, "cairn_version", CAIRN_VERSION);
    line_text(out, "redis_mode", "standalone");
    text_append_format(out, "os:%s %s %s\r\n", os.sysname, os.release, os.machine);
    line(out, "arch_bits", (int64_t)sizeof(void *) * 8);
    line_text(out, "multiplexing_api", "epoll");
    text_append_format(out, "gcc_version:%d.%d.0\r\n", __GNUC__, __GNUC_MINOR__);
    line(out, "process_id", getpid());
    line_text(out, "run_id", server.run_id);
    line(out, "tcp_port", CONFIG(port));
    line(out, "server_time_usec", x->now * 1000);
    line(out, "uptime_in_seconds", uptime);
    line(out, "uptime_in_days", uptime / 86400);
    line(out, "hz", CONFIG(hz));
    line(out, "threads_active", loop_count());
    text_append_format(out, "config_file:%s\r\n", config_file());
}

struct client_figures {
    int64_t blocked, pubsub, longest_output, largest_input;
};

static void count_client(void *ctx, const struct client *client)
{
    struct client_figures *figures = ctx;
    int64_t output = atomic_load_explicit(&client->output_bytes, memory_order_relaxed);
    int64_t input = atomic_load_explicit(&client->query_bytes, memory_order_relaxed);
    figures->blocked += client_is(client, CLIENT_BLOCKED);
    figures->pubsub += client_is(client, CLIENT_PUBSUB);
    if (output > figures->longest_output)
        figures->longest_output = output;
    if (input > figures->largest_input)
        figures->largest_input = input;
}

static void print_clients(struct exec *x, struct text *out)
{
    (void)x;
    struct client_figures figures = {0};
    registry_each(count_client, &figures);
    line(out, "connected_clients", (int64_t)registry_count());
    line(out, "cluster_connections", 0);
    line(out, "maxclients", CONFIG(maxclients));
    line(out, "client_recent_max_input_buffer", figures.largest_input);
    line(out, "client_recent_max_output_buffer", figures.longest_output);
    line(out, "blocked_clients", figures.blocked);
    line(out, "tracking_clients", 0);
    line(out, "pubsub_clients", figures.pubsub);
    line(out, "clients_in_timeout_table", figures.blocked);
}

static void line_memory(struct text *out, const char *name, int64_t bytes)
{
    static const char units[] = "BKMGT";
    double shown = (double)bytes;
    int unit = 0;
    line(out, name, bytes);
    for (; shown >= 1024 && units[unit + 1]; unit++)
        shown /= 1024;
    text_append_format(out, "%s_human:%.2f%c\r\n", name, shown, units[unit]);
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    if (fscanf(statm, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

static void print_policy(void *out, struct slice name, struct slice value)
{
    (void)name;
    text_append_format(out, "maxmemory_policy:%.*s\r\n", (int)value.len, value.data);
}

static void print_memory(struct exec *x, struct text *out)
{
    (void)x;
    const struct slice policy = slice_of("maxmemory-policy");
    int64_t used = (int64_t)mem_used(), resident = resident_bytes();
    int64_t peak = atomic_load(&server.peak_memory);
    line_memory(out, "used_memory", used);
    line_memory(out, "used_memory_rss", resident);
    line_memory(out, "used_memory_peak", used > peak ? used : peak);
    line(out, "used_memory_startup", atomic_load(&server.startup_memory));
    line_memory(out, "total_system_memory",
                (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
    line_memory(out, "maxmemory", CONFIG(maxmemory));
    config_get(&policy, 1, print_policy, out);
    text_append_format(out, "mem_fragmentation_ratio:%.2f\r\n",
                       used ? (double)resident / (double)used : 0.0);
    line_text(out, "mem_allocator", mem_allocator());
    line(out, "active_defrag_running", 0);
    line(out, "lazyfree_pending_objects", lazyfree_pending());
    line(out, "lazyfreed_objects", lazyfree_freed());
}

static void print_persistence(struct exec *x, struct text *out)
{
    struct persistence_stats stats;
    persistence_stats(server.persistence, &stats);
    char trouble[256];
    persistence_trouble(server.persistence, trouble, sizeof(trouble));
    line(out, "loading", stats.loading);
    line(out, "async_loading", 0);
    line(out, "current_cow_size", 0);
    line(out, "rdb_changes_since_last_save", stats.pending_ops);
    line(out, "rdb_bgsave_in_progress", stats.sync_running);
    line(out, "rdb_last_save_time", stats.last_sync_ms / 1000);
    line_text(out, "rdb_last_bgsave_status", stats.last_sync_ok ? "ok" : "err");
    line(out, "rdb_last_bgsave_time_sec", 0);
    line(out, "aof_enabled", CONFIG(appendonly) || stats.journal);
    line(out, "aof_rewrite_in_progress", 0);
    line(out, "aof_rewrite_scheduled", 0);
    line_text(out, "aof_last_bgrewrite_status", "ok");
    line_text(out, "aof_last_write_status",
              persistence_writable(server.persistence) ? "ok" : "err");
    line(out, "aof_current_size", stats.journal_bytes);
    line(out, "writable", persistence_writable(server.persistence));
    line_text(out, "trouble", trouble);
    (void)x;
}

static void print_stats(struct exec *x, struct text *out)
{
    (void)x;
    struct stats_rates rates = stats_rates();
    line(out, "total_connections_received", stats_sum(STAT_CONNECTIONS));
    line(out, "total_commands_processed", stats_sum(STAT_COMMANDS));
    line(out, "instantaneous_ops_per_sec", rates.commands);
    line(out, "total_net_input_bytes", stats_sum(STAT_INPUT_BYTES));
    line(out, "total_net_output_bytes", stats_sum(STAT_OUTPUT_BYTES));
    text_append_format(out, "instantaneous_input_kbps:%.2f\r\n", (double)rates.input / 1024);
    text_append_format(out, "instantaneous_output_kbps:%.2f\r\n", (double)rates.output / 1024);
    line(out, "rejected_connections", stats_sum(STAT_REJECTED_CONNECTIONS));
    line(out, "sync_full", 0);
    line(out, "sync_partial_ok", 0);
    line(out, "sync_partial_err", 0);
    line(out, "expired_keys", stats_sum(STAT_EXPIRED_KEYS));
    line(out, "expired_time_cap_reached_count", stats_sum(STAT_EXPIRE_CYCLES_CUT));
    line(out, "expire_cycle_cpu_milliseconds", stats_sum(STAT_ACTIVE_EXPIRE_US) / 1000);
    line(out, "evicted_keys", stats_sum(STAT_EVICTED_KEYS));
    line(out, "keyspace_hits", stats_sum(STAT_KEYSPACE_HITS));
    line(out, "keyspace_misses", stats_sum(STAT_KEYSPACE_MISSES));
    line(out, "pubsub_channels", (int64_t)pubsub_channels());
    line(out, "pubsub_patterns", (int64_t)pubsub_patterns());
    line(out, "latest_fork_usec", 0);
    line(out, "total_forks", 0);
    line(out, "total_error_replies", stats_sum(STAT_ERROR_REPLIES));
    line(out, "total_reads_processed", stats_sum(STAT_READS));
    line(out, "total_writes_processed", stats_sum(STAT_WRITES));
    line(out, "client_query_buffer_limit_disconnections", stats_sum(STAT_QUERY_LIMIT_CLOSED));
    line(out, "client_output_buffer_limit_disconnections", stats_sum(STAT_OUTPUT_LIMIT_CLOSED));
    line(out, "loop_turns", stats_sum(STAT_TURNS));
    line(out, "batches", stats_sum(STAT_BATCHES));
}

static void print_replication(struct exec *x, struct text *out)
{
    (void)x;
    line_text(out, "role", "master");
    line(out, "connected_slaves", 0);
    line_text(out, "master_replid", server.run_id);
    line(out, "master_repl_offset", 0);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void print_cpu(struct exec *x, struct text *out)
{
    (void)x;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    text_append_format(out, "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\n", seconds(usage.ru_stime),
                       seconds(usage.ru_utime));
    line_text(out, "used_cpu_sys_children", "0.000000");
    line_text(out, "used_cpu_user_children", "0.000000");
}

static void print_modules(struct exec *x, struct text *out)
{
    (void)x, (void)out;
}

static void print_errorstats(struct exec *x, struct text *out)
{
    (void)x;
    stats_errors_print(out);
}

static void print_commandstats(struct exec *x, struct text *out)
{
    (void)x;
    for (size_t id = 0; id < command_count(); id++) {
        struct command_totals totals = stats_command(id);
        if (!totals.calls && !totals.rejected && !totals.failed)
            continue;
        text_append_format(out,
                           "cmdstat_%s:calls=%lld,usec=%lld,usec_per_call=%.2f,rejected_calls=%lld,"
                           "failed_calls=%lld\r\n",
                           command_at(id)->full_name, (long long)totals.calls,
                           (long long)totals.usec,
                           totals.calls ? (double)totals.usec / (double)totals.calls : 0.0,
                           (long long)totals.rejected, (long long)totals.failed);
    }
}

static void print_latencystats(struct exec *x, struct text *out)
{
    (void)x, (void)out;
}

static void print_cluster(struct exec *x, struct text *out)
{
    (void)x;
    line(out, "cluster_enabled", 0);
}

/* Inside EXEC only namespaces that it has locked are counted. */
static void print_one_keyspace(struct exec *x, struct namespace *ns, struct text *out)
{
    struct namespace *one[1] = {ns};
    if (namespace_state(ns) != NAMESPACE_READY || (x->in_transaction && !exec_holds(x, ns)) ||
        !exec_lock_namespaces(x, one, 1)) {
        x->loop->wanted = NULL;
        return;
    }
    struct keyspace *keys = namespace_keyspace(ns);
    size_t size = keyspace_size(keys), expires = keyspace_expires(keys);
    int64_t ttl = expires ? keyspace_average_ttl(keys, x->now) : 0;
    exec_unlock_namespaces(x);
    struct slice name = namespace_name(ns);
    int64_t number;
    if (size)
        text_append_format(out, "%s%.*s:keys=%zu,expires=%zu,avg_ttl=%lld\r\n",
                           parse_int(name, &number) ? "db" : "ns_", (int)name.len, name.data, size,
                           expires, (long long)ttl);
}

static void print_keyspace(struct exec *x, struct text *out)
{
    struct namespace **list;
    size_t n = server_namespaces(&list);
    for (size_t i = 0; i < n; i++)
        print_one_keyspace(x, list[i], out);
    mem_free(list);
}

/* Requests on the wire by kind and status, and what a month of them costs. */
static void print_s3(const struct s3_stats *stats, struct text *out)
{
    char name[64];
    for (int kind = 0; kind < S3_KINDS; kind++) {
        for (int status = 0; status < S3_STATUSES; status++) {
            if (stats->counts[kind][status] == 0)
                continue;
            snprintf(name, sizeof(name), "s3_%s_%s", s3_kind_name((enum s3_kind)kind),
                     s3_status_name((enum s3_status)status));
            line(out, name, stats->counts[kind][status]);
        }
    }
    line(out, "s3_retries", stats->retries);
    snprintf(name, sizeof(name), "%.2f", (double)s3_stats_monthly_cost(stats) / 1e6);
    line_text(out, "s3_requests_dollars_a_month", name);
}

static void print_lock(const struct persistence_stats *stats, struct text *out)
{
    line_text(out, "commit_mode", stats->locks ? "lock" : "cas");
    if (!stats->locks)
        return;
    line(out, "lock_taken", stats->lock.taken);
    line(out, "lock_waits", stats->lock.waits);
    line(out, "lock_takeovers", stats->lock.takeovers);
    line(out, "lock_late", stats->lock.late);
    line(out, "lock_unreleased", stats->lock.unreleased);
}

static void print_cairn(struct exec *x, struct text *out)
{
    struct persistence_stats stats;
    persistence_stats(server.persistence, &stats);
    char *store = CONFIG_STRING(store);
    struct namespace **list;
    size_t n = server_namespaces(&list), ready = 0;
    for (size_t i = 0; i < n; i++)
        ready += namespace_state(list[i]) == NAMESPACE_READY;
    mem_free(list);
    line_text(out, "store", store);
    mem_free(store);
    line_text(out, "replica", stats.replica);
    line(out, "namespaces", (int64_t)n);
    line(out, "namespaces_in_memory", (int64_t)ready);
    line(out, "journal", stats.journal);
    line(out, "journal_bytes", stats.journal_bytes);
    line(out, "journal_fsyncs", stats.journal_fsyncs);
    line(out, "pending_ops", stats.pending_ops);
    line(out, "pending_bytes", stats.pending_bytes);
    line(out, "oldest_pending_ms", stats.oldest_pending_ms);
    line(out, "last_sync_ok", stats.last_sync_ok);
    line(out, "last_sync_age_ms", x->now - stats.last_sync_ms);
    line(out, "sync_running", stats.sync_running);
    line(out, "syncs", stats.syncs);
    line(out, "syncs_failed", stats.syncs_failed);
    line(out, "folds", stats.folds);
    line(out, "background_lock_usec", stats.aside_ns / 1000);
    line(out, "background_lock_max_usec", stats.aside_max_ns / 1000);
    line(out, "arrived_ops", stats_sum(STAT_ARRIVED_OPS));
    line(out, "changed_answers", stats_sum(STAT_CHANGED_ANSWERS));
    line(out, "store_puts", stats.store_puts);
    line(out, "store_gets", stats.store_gets);
    line(out, "store_lists", stats.store_lists);
    line(out, "store_removes", stats.store_removes);
    line(out, "store_bytes_out", stats.store_bytes_out);
    line(out, "store_bytes_in", stats.store_bytes_in);
    print_lock(&stats, out);
    if (stats.remote)
        print_s3(&stats.s3, out);
}

static const struct section {
    const char *name, *title;
    bool by_default;
    void (*print)(struct exec *x, struct text *out);
} sections[] = {
    {"server", "Server", true, print_server},
    {"clients", "Clients", true, print_clients},
    {"memory", "Memory", true, print_memory},
    {"persistence", "Persistence", true, print_persistence},
    {"stats", "Stats", true, print_stats},
    {"replication", "Replication", true, print_replication},
    {"cpu", "CPU", true, print_cpu},
    {"modules", "Modules", true, print_modules},
    {"commandstats", "Commandstats", false, print_commandstats},
    {"errorstats", "Errorstats", true, print_errorstats},
    {"latencystats", "Latencystats", false, print_latencystats},
    {"cluster", "Cluster", true, print_cluster},
    {"keyspace", "Keyspace", true, print_keyspace},
    {"cairn", "Cairn", true, print_cairn},
};

static bool word_is(struct slice word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.data, text, word.len) == 0;
}

static bool is_asked(const struct section *section, const struct slice *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (word_is(names[i], section->name) || word_is(names[i], "all") ||
            word_is(names[i], "everything") ||
            (section->by_default && word_is(names[i], "default")))
            return true;
    }
    return count == 0 && section->by_default;
}

void info_write(struct exec *x, const struct slice *names, int count, struct text *out)
{
    bool first = true;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (!is_asked(&sections[i], names, count))
            continue;
        text_append_format(out, "%s# %s\r\n", first ? "" : "\r\n", sections[i].title);
        sections[i].print(x, out);
        first = false;
    }
}
