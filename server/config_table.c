/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All directives, one row each. Names are Redis's where Redis has the directive; those marked KEPT
 * are ones that clients and Redis's own suite set and read back, and that have no effect here.
 */
#include <limits.h>

#include "persistence/persistence.h"
#include "server/config-internal.h"
#include "server/config_apply.h"

static const char *const level_words[] = {"debug", "verbose", "notice", "warning", NULL};
static const char *const debug_words[] = {"no", "yes", "local", NULL};
static const char *const fsync_words[] = {"always", "everysec", "no", NULL};
static const char *const orphans_words[] = {"refuse", "replay", "drop", NULL};
static const char *const durability_words[] = {"applied", "written", "durable", NULL};
static const char *const policy_words[] = {"volatile-lru",   "volatile-lfu", "volatile-random",
                                           "volatile-ttl",   "allkeys-lru",  "allkeys-lfu",
                                           "allkeys-random", "noeviction",   NULL};
static const char *const mode_words[] = {"cas", "lock", NULL};
static const char *const style_words[] = {"auto", "yes", "no", NULL}; /* as enum s3_style */
static const char *const clients_words[] = {"no", "yes", "clients", NULL};

#define AT(field)  offsetof(struct config, field)
#define FIXED      DIRECTIVE_IMMUTABLE
#define KEPT       DIRECTIVE_KEPT
#define MB         (INT64_C(1024) * 1024)
#define FOREVER_MS (INT64_C(1000) * 3600 * 24 * 365 * 100)

#define BOOL(n, f, def, fl, ap, h)                                                                 \
    {                                                                                              \
        .name = n, .type = DIRECTIVE_BOOL, .offset = AT(f), .value = def, .flags = fl,             \
        .apply = ap, .group = GROUP, .help = h, .max = 1                                           \
    }
#define INT(n, al, f, lo, hi, def, fl, ap, h)                                                      \
    {                                                                                              \
        .name = n, .alias = al, .type = DIRECTIVE_INT, .offset = AT(f), .min = lo, .max = hi,      \
        .value = def, .flags = fl, .apply = ap, .group = GROUP, .help = h                          \
    }
#define MEMORY(n, f, lo, hi, def, fl, ap, h)                                                       \
    {                                                                                              \
        .name = n, .type = DIRECTIVE_MEMORY, .offset = AT(f), .min = lo, .max = hi, .value = def,  \
        .flags = fl, .apply = ap, .group = GROUP, .help = h                                        \
    }
#define TIME(n, f, lo, hi, def, fl, ap, h)                                                         \
    {                                                                                              \
        .name = n, .type = DIRECTIVE_TIME, .offset = AT(f), .min = lo, .max = hi, .value = def,    \
        .flags = fl, .apply = ap, .group = GROUP, .help = h                                        \
    }
#define ENUM(n, al, f, w, def, fl, ap, h)                                                          \
    {                                                                                              \
        .name = n, .alias = al, .type = DIRECTIVE_ENUM, .offset = AT(f), .words = w, .value = def, \
        .flags = fl, .apply = ap, .group = GROUP, .help = h                                        \
    }
#define STRING(n, f, def, fl, ap, h)                                                               \
    {                                                                                              \
        .name = n, .type = DIRECTIVE_STRING, .offset = AT(f), .text = def, .flags = fl,            \
        .apply = ap, .group = GROUP, .help = h                                                     \
    }
#define SPECIAL(n, se, ge, def, h)                                                                 \
    {                                                                                              \
        .name = n, .type = DIRECTIVE_SPECIAL, .set = se, .get = ge, .text = def, .group = GROUP,   \
        .help = h                                                                                  \
    }

/* clang-format off */
const struct directive config_directives[] = {
#define GROUP "Network"
    STRING("bind", bind, "127.0.0.1 -::1", FIXED, NULL, "addresses to listen on; one that begins with '-' may be missing; * is all"),
    INT("port", NULL, port, 0, 65535, 6379, FIXED, NULL, "TCP port; 0: no TCP"),
    STRING("unixsocket", unixsocket, "", FIXED, NULL, "path of a unix socket to listen on as well"),
    {.name = "unixsocketperm", .type = DIRECTIVE_OCTAL, .offset = AT(unixsocketperm), .max = 0777, .flags = FIXED, .group = GROUP, .help = "its permissions, octal; 0: as the umask says"},
    INT("tcp-backlog", NULL, tcp_backlog, 0, INT_MAX, 511, FIXED, NULL, "connections that wait to be accepted"),
    INT("timeout", NULL, timeout, 0, INT_MAX, 0, 0, NULL, "closes a client idle for so many seconds; 0: never"),
    INT("tcp-keepalive", NULL, tcp_keepalive, 0, INT_MAX, 300, 0, NULL, "seconds between probes of a silent peer; 0: none"),
    BOOL("protected-mode", protected_mode, 1, 0, NULL, "without a password, only this machine may connect"),
    INT("maxclients", NULL, maxclients, 1, UINT_MAX, 10000, 0, apply_maxclients, "connections at the same time"),
    INT("threads", NULL, threads, 0, 64, 0, FIXED, NULL, "event loop threads; 0: one a processor, at most 8"),
#undef GROUP
#define GROUP "General"
    BOOL("daemonize", daemonize, 0, FIXED, NULL, "goes to the background once it serves; a start that fails is told before"),
    STRING("pidfile", pidfile, "", FIXED, NULL, "file to hold the process id; with daemonize it is /var/run/cairn-server.pid where none is named"),
    ENUM("loglevel", NULL, loglevel, level_words, LOG_NOTICE, 0, NULL, "least level that is logged"),
    STRING("logfile", logfile, "", FIXED, NULL, "log file; empty: standard error. SIGHUP opens it anew"),
    INT("databases", NULL, databases, 1, 4096, 16, FIXED, NULL, "numbered namespaces that SELECT takes, beside named ones"),
    INT("hz", NULL, hz, 1, 500, 10, KEPT, NULL, "kept for clients; housekeeping runs ten times a second"),
#undef GROUP
#define GROUP "Security"
    {.name = "requirepass", .type = DIRECTIVE_STRING, .offset = AT(requirepass), .text = "", .apply = apply_password, .group = GROUP, .help = "password that AUTH must give; empty: none"},
    ENUM("enable-debug-command", NULL, enable_debug_command, debug_words, DEBUG_COMMAND_NO, FIXED, NULL, "who may use DEBUG; local: connections from this machine"),
    ENUM("enable-protected-configs", NULL, enable_protected_configs, debug_words, DEBUG_COMMAND_NO, FIXED | KEPT, NULL, "kept for clients: what is protected in Redis is only set at start here"),
#undef GROUP
#define GROUP "Store"
    STRING("store", store, "./data", FIXED, NULL, "where namespaces are kept: memory, a directory, or s3://bucket/prefix"),
    {.name = "dir", .type = DIRECTIVE_STRING, .offset = AT(dir), .text = "", .flags = FIXED, .group = GROUP, .help = "this server's own files: journal, lock; empty: the store when that is a directory, else the current one"},
    {.name = "shared", .type = DIRECTIVE_BOOL, .offset = AT(shared), .max = 1, .of_bucket = 1, .flags = FIXED, .group = GROUP, .help = "other servers use the store at the same time; each needs a dir of its own. Of a bucket the default is yes"},
    {.name = "sync-interval", .type = DIRECTIVE_TIME, .offset = AT(sync_interval), .max = FOREVER_MS, .value = 1000, .of_bucket = 15000, .apply = apply_sync_interval, .group = GROUP, .help = "seconds between syncs to the store (0.5, 500ms, 2m); 0: only on demand. Of a bucket the default is 15"},
    ENUM("durability", NULL, durability, durability_words, DURABILITY_APPLIED, 0, NULL, "what an answer promises to new connections: applied in memory, written to the journal's disk (with journal no the same as durable), durable in the store"),
    TIME("durable-timeout", durable_timeout, 0, FOREVER_MS, 60000, 0, NULL, "an answer that waits so long for the store becomes an error that says unknown, and the connection ends; 0: it waits for ever"),
    BOOL("journal", journal, 1, FIXED, NULL, "keeps ops that are not yet in the store in a local journal"),
    ENUM("journal-fsync", "appendfsync", journal_fsync, fsync_words, JOURNAL_FSYNC_EVERYSEC, 0, apply_journal_fsync, "when the journal is brought to disk: before answers leave, every second, or as the system likes"),
    ENUM("journal-orphans", NULL, journal_orphans, orphans_words, JOURNAL_ORPHANS_REFUSE, FIXED, NULL, "ops of an old journal that may be committed or not (see replica-expiry): refuse to start, replay them, or drop them"),
    TIME("replica-expiry", replica_expiry, 0, FOREVER_MS, INT64_C(30) * 24 * 3600 * 1000, 0, apply_replica_expiry, "a server that has not committed for so long is forgotten in the head; 0: never. The same on all servers"),
    MEMORY("pending-limit", pending_limit, 4096, INT64_MAX, 64 * MB, 0, apply_pending_limit, "bytes of a namespace's ops that wait for the store, and of what is kept to undo them where it is shared: past this a sync starts at once, past four times this writes are refused"),
    MEMORY("inline-limit", inline_limit, 0, 64 * MB, 65536, FIXED, NULL, "base and tail of a namespace stay inside its head up to this size each"),
    MEMORY("chunk-size", chunk_size, 4096, 1024 * MB, 4 * MB, FIXED, NULL, "size that the chunks of a large namespace are to have, more or less"),
    TIME("history", history, 0, FOREVER_MS, INT64_C(24) * 3600 * 1000, FIXED, NULL, "how long objects that no head names any more are kept"),
    INT("workers", NULL, workers, 1, 64, 2, FIXED, NULL, "threads that load and tidy namespaces, and as many that fold them"),
    TIME("idle-unload", idle_unload, 0, FOREVER_MS, INT64_C(3600) * 1000, FIXED, NULL, "a namespace unused that long leaves memory once it is durable; 0: never"),
    ENUM("commit-mode", NULL, commit_mode, mode_words, COMMIT_MODE_CAS, FIXED, NULL, "how commits of several servers exclude each other: by the store's conditional writes (cas), or by lock objects, for stores that fail the probe. The same on all servers"),
    TIME("lock-ttl", lock_ttl, 1000, INT64_C(3600) * 1000, 30000, FIXED, NULL, "commit-mode lock: a lock that has not changed for so long is taken over; every commit waits for a thirtieth of it. The same on all servers"),
    STRING("s3-endpoint", s3_endpoint, "", FIXED, NULL, "http(s)://host:port of an S3 server; empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else AWS"),
    STRING("s3-region", s3_region, "", FIXED, NULL, "its region; empty: as AWS's tools find it, else us-east-1"),
    ENUM("s3-path-style", NULL, s3_path_style, style_words, S3_STYLE_AUTO, FIXED, NULL, "bucket in the path (yes) or in the host name (no); auto: in the host name on AWS alone, unless the bucket has a dot"),
    STRING("s3-ca-file", s3_ca_file, "", FIXED, NULL, "PEM file of the authorities that may sign its certificate; empty: the system's"),
    STRING("s3-sse", s3_sse, "", FIXED, NULL, "server-side encryption of what is put: AES256, aws:kms; empty: as the bucket says"),
    STRING("s3-sse-key", s3_sse_key, "", FIXED, NULL, "id of the key for aws:kms"),
    STRING("s3-storage-class", s3_storage_class, "", FIXED, NULL, "storage class of what is put"),
    TIME("s3-connect-timeout", s3_connect_timeout, 1, INT64_C(3600) * 1000, 5000, FIXED, NULL, "how long to wait for a connection"),
    TIME("s3-first-byte-timeout", s3_first_byte_timeout, 1, INT64_C(3600) * 1000, 15000, FIXED, NULL, "how long to wait for an answer to begin, once the request is sent"),
    TIME("s3-timeout", s3_timeout, 1, INT64_C(3600) * 1000, 60000, FIXED, NULL, "how long to wait for one attempt of a request as a whole"),
#undef GROUP
#define GROUP "Limits"
    MEMORY("maxmemory", maxmemory, 0, INT64_MAX, 0, 0, apply_maxmemory, "memory past which writes are refused, or keys evicted; 0: no limit"),
    ENUM("maxmemory-policy", NULL, maxmemory_policy, policy_words, EVICT_NONE, 0, NULL, "which keys make room; lru and lfu pick at random here"),
    INT("maxmemory-samples", NULL, maxmemory_samples, 1, INT_MAX, 5, KEPT, NULL, "kept for clients"),
    MEMORY("client-query-buffer-limit", query_buffer_limit, MB, INT64_MAX, 1024 * MB, 0, apply_request_limits, "bytes of one client's unread requests"),
    MEMORY("proto-max-bulk-len", proto_max_bulk_len, MB, 4095 * MB, 512 * MB, 0, apply_request_limits, "bytes of one argument, and of one string value; at most 4095mb"),
    SPECIAL("client-output-buffer-limit", set_output_limits, get_output_limits, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", "class, hard limit, soft limit, seconds past the soft one: a client past them is closed"),
    INT("min-replicas-to-write", "min-slaves-to-write", min_replicas_to_write, 0, INT_MAX, 0, 0, NULL, "writes are refused unless it is 0: there are no Redis replicas"),
    INT("min-replicas-max-lag", "min-slaves-max-lag", min_replicas_max_lag, 0, INT_MAX, 10, KEPT, NULL, "kept for clients"),
#undef GROUP
#define GROUP "Values"
    INT("hash-max-listpack-entries", "hash-max-ziplist-entries", hash_max_listpack_entries, 0, LONG_MAX, 512, 0, apply_value_limits, "fields of a hash in compact form"),
    INT("hash-max-listpack-value", "hash-max-ziplist-value", hash_max_listpack_value, 0, LONG_MAX, 64, 0, apply_value_limits, "bytes of a field or value in a compact hash"),
    INT("set-max-intset-entries", NULL, set_max_intset_entries, 0, LONG_MAX, 512, 0, apply_value_limits, "members of a set of integers in compact form"),
    INT("list-max-listpack-size", "list-max-ziplist-size", list_max_listpack_size, INT_MIN, INT_MAX, -2, 0, apply_value_limits, "a list's node: items, or -1 to -5 for 4 to 64 KiB"),
    INT("list-compress-depth", NULL, list_compress_depth, 0, INT_MAX, 0, KEPT, NULL, "kept for clients; lists are not compressed"),
    INT("zset-max-listpack-entries", "zset-max-ziplist-entries", zset_max_listpack_entries, 0, LONG_MAX, 128, KEPT, NULL, "kept until there are sorted sets"),
    INT("zset-max-listpack-value", "zset-max-ziplist-value", zset_max_listpack_value, 0, LONG_MAX, 64, KEPT, NULL, "kept until there are sorted sets"),
#undef GROUP
#define GROUP "Events and timing"
    SPECIAL("notify-keyspace-events", set_notify, get_notify, "", "classes of keyspace notifications: letters of KEg$lshzxetdmnA"),
    INT("slowlog-log-slower-than", NULL, slowlog_slower_than, -1, INT64_MAX, 10000, 0, NULL, "microseconds a command must take to be in the slow log; -1: none. Below 1000 fast commands are timed too"),
    INT("slowlog-max-len", NULL, slowlog_max_len, 0, LONG_MAX, 128, 0, apply_slowlog_len, "entries of the slow log"),
    INT("latency-monitor-threshold", NULL, latency_threshold, 0, INT64_MAX, 0, KEPT, NULL, "kept for clients"),
    BOOL("latency-tracking", latency_tracking, 1, KEPT, NULL, "kept for clients"),
    INT("active-expire-effort", NULL, active_expire_effort, 1, 10, 1, KEPT, NULL, "kept for clients"),
#undef GROUP
#define GROUP "Kept for clients of Redis, without effect here"
    {.name = "save", .type = DIRECTIVE_STRING, .offset = AT(save), .text = "", .set = set_save, .flags = KEPT | DIRECTIVE_ADDS, .group = GROUP, .help = "there are no snapshots: see sync-interval"},
    BOOL("appendonly", appendonly, 0, KEPT, NULL, "see journal"),
    BOOL("lazyfree-lazy-eviction", lazyfree_eviction, 0, KEPT, NULL, "big values are always freed in the background"),
    BOOL("lazyfree-lazy-expire", lazyfree_expire, 0, KEPT, NULL, "as above"),
    BOOL("lazyfree-lazy-server-del", lazyfree_server_del, 0, KEPT, NULL, "as above"),
    BOOL("lazyfree-lazy-user-del", lazyfree_user_del, 0, KEPT, NULL, "as above"),
    BOOL("lazyfree-lazy-user-flush", lazyfree_user_flush, 0, KEPT, NULL, "as above"),
    INT("busy-reply-threshold", "lua-time-limit", busy_reply_threshold, 0, INT64_MAX, 5000, KEPT, NULL, "there are no scripts yet"),
    ENUM("sanitize-dump-payload", NULL, sanitize_dump_payload, clients_words, 0, KEPT, NULL, "there is no RESTORE yet"),
    BOOL("activerehashing", activerehashing, 1, KEPT, NULL, "tables grow by themselves"),
#undef GROUP
    {0},
};
/* clang-format on */
