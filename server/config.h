/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration: one struct, one table of directives over it (config_table.c), one setter for the
 * file, the command line, the defaults and CONFIG SET. Numbers, switches, enums and times are
 * relaxed atomics, so that any thread reads them at any time; strings are read through
 * config_string, which copies under a lock.
 */
#ifndef CAIRN_SERVER_CONFIG_H
#define CAIRN_SERVER_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ops/slice.h"
#include "persistence/text.h"

/* Every scalar directive; all are int64 whatever their type. */
/* clang-format off */
#define CONFIG_SCALARS(X)                                                                          \
    X(port) X(unixsocketperm) X(tcp_backlog) X(timeout) X(tcp_keepalive) X(protected_mode)         \
    X(maxclients) X(threads)                                                                       \
    X(daemonize) X(loglevel) X(databases) X(enable_debug_command) X(enable_protected_configs)      \
    X(shared) X(sync_interval) X(durability) X(durable_timeout) X(journal) X(journal_fsync)        \
    X(pending_limit) X(inline_limit)                                                               \
    X(journal_orphans) X(replica_expiry) X(chunk_size) X(history) X(workers) X(idle_unload)        \
    X(commit_mode) X(lock_ttl) X(s3_path_style) X(s3_connect_timeout) X(s3_first_byte_timeout) X(s3_timeout)                  \
    X(maxmemory) X(maxmemory_policy) X(maxmemory_samples) X(query_buffer_limit)                    \
    X(proto_max_bulk_len)                                                                          \
    X(hash_max_listpack_entries) X(hash_max_listpack_value) X(set_max_intset_entries)              \
    X(list_max_listpack_size) X(list_compress_depth) X(zset_max_listpack_entries)                  \
    X(zset_max_listpack_value)                                                                     \
    X(hz) X(active_expire_effort) X(slowlog_slower_than) X(slowlog_max_len)                        \
    X(latency_threshold) X(latency_tracking) X(notify_keyspace_events)                             \
    X(min_replicas_to_write) X(min_replicas_max_lag) X(appendonly)                                 \
    X(lazyfree_eviction) X(lazyfree_expire) X(lazyfree_server_del) X(lazyfree_user_del)            \
    X(lazyfree_user_flush) X(busy_reply_threshold) X(sanitize_dump_payload) X(activerehashing)

#define CONFIG_STRINGS(X)                                                                          \
    X(bind) X(unixsocket) X(pidfile) X(logfile) X(requirepass) X(store) X(dir) X(save)             \
    X(s3_endpoint) X(s3_region) X(s3_ca_file) X(s3_sse) X(s3_sse_key) X(s3_storage_class)
/* clang-format on */

enum output_class { OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB, OUTPUT_CLASSES };

struct output_limit {
    _Atomic int64_t hard, soft; /* bytes; 0: none */
    _Atomic int64_t soft_seconds;
};

struct config {
#define X(name) _Atomic int64_t name;
    CONFIG_SCALARS(X)
#undef X
#define X(name) char *name; /* under the config lock */
    CONFIG_STRINGS(X)
#undef X
    struct output_limit output_limits[OUTPUT_CLASSES];
};
extern struct config config;

/* Reads a scalar: CONFIG(maxclients). */
#define CONFIG(name) atomic_load_explicit(&config.name, memory_order_relaxed)

/* Values of scalars that are enums. Durability and fsync are persistence's enums. */
enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };
enum debug_command { DEBUG_COMMAND_NO, DEBUG_COMMAND_YES, DEBUG_COMMAND_LOCAL };
enum eviction_policy {
    EVICT_VOLATILE_LRU,
    EVICT_VOLATILE_LFU,
    EVICT_VOLATILE_RANDOM,
    EVICT_VOLATILE_TTL,
    EVICT_ALLKEYS_LRU,
    EVICT_ALLKEYS_LFU,
    EVICT_ALLKEYS_RANDOM,
    EVICT_NONE,
};

/* notify_keyspace_events is a set of these bits, one a letter of the directive. */
/* clang-format off */
#define NOTIFY_LIST(X)                                                                          \
    X(GENERIC, 'g') X(STRING, '$') X(LIST, 'l') X(SET, 's') X(HASH, 'h') X(ZSET, 'z')           \
    X(EXPIRED, 'x') X(EVICTED, 'e') X(STREAM, 't') X(MODULE, 'd')                               \
    X(KEYSPACE, 'K') X(KEYEVENT, 'E') X(MISS, 'm') X(NEW, 'n')
/* clang-format on */
enum notify_bit {
#define X(name, letter) NOTIFY_BIT_##name,
    NOTIFY_LIST(X)
#undef X
};
enum notify_flag {
#define X(name, letter) NOTIFY_##name = 1 << NOTIFY_BIT_##name,
    NOTIFY_LIST(X)
#undef X
};
#define NOTIFY_ALL ((1 << (NOTIFY_BIT_MODULE + 1)) - 1)

static inline int64_t notify_flag_of(char letter)
{
    switch (letter) {
#define X(name, c)                                                                                 \
    case c: return NOTIFY_##name;
        NOTIFY_LIST(X)
#undef X
    }
    return 0;
}

/* Sets every directive to its default; before anything else. */
void config_init(void);
void config_release(void);

/* A copy of a string directive, never NULL; the caller frees it with mem_free. */
char *config_string(char *const *field);
#define CONFIG_STRING(name) config_string(&config.name)

/*
 * Command line: [file|-] [--directive value …]. False: `error` says what is wrong, where, and what
 * to do about it.
 */
bool config_load(int argc, char **argv, struct text *error);
/* One file, as config_load reads it; tests and fuzzing. `name` is for messages. */
bool config_parse(struct slice bytes, const char *name, int depth, struct text *error);

struct config_pair {
    struct slice name, value;
};
/* CONFIG SET: all or nothing. The error is what follows "ERR ". */
bool config_set(const struct config_pair *pairs, size_t count, struct text *error);
/* CONFIG GET: calls visit for each directive (and alias) that matches one of the patterns, once. */
void config_get(const struct slice *patterns, size_t count,
                void (*visit)(void *ctx, struct slice name, struct slice value), void *ctx);
/* CONFIG REWRITE. The error is what follows "ERR ". */
bool config_rewrite(struct text *error);
/* The path of the file in use, "" when there is none. */
const char *config_file(void);

/* --help's list, and the example cairn.conf, both made from the table. */
void config_help(struct text *out);
void config_example(struct text *out);

#endif
