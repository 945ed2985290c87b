/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The face of persistence towards the server: opening and recovery, loading, journal hardening,
 * syncs and waits. It has threads of its own (syncer, journal, workers, readers); callbacks come on
 * those, or on the caller's when the answer is known at once, never with a namespace lock held.
 */
#ifndef CAIRN_PERSISTENCE_PERSISTENCE_H
#define CAIRN_PERSISTENCE_PERSISTENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "persistence/namespace.h"
#include "persistence/probe.h"
#include "persistence/store_lock.h"
#include "persistence/store_s3.h"
#include "persistence/text.h"

struct persistence;
struct rebase_answer;

enum journal_fsync { JOURNAL_FSYNC_ALWAYS, JOURNAL_FSYNC_EVERYSEC, JOURNAL_FSYNC_NO };

/* What becomes of ops of the journal of which nobody knows any more whether they are committed. */
enum journal_orphans { JOURNAL_ORPHANS_REFUSE, JOURNAL_ORPHANS_REPLAY, JOURNAL_ORPHANS_DROP };

/* applied < written < durable: docs/guarantees.md. */
enum durability { DURABILITY_APPLIED, DURABILITY_WRITTEN, DURABILITY_DURABLE };

/* How a head is replaced: by the store's conditional PUT, or alone under a lock object. */
enum commit_mode { COMMIT_MODE_CAS, COMMIT_MODE_LOCK };

enum persistence_status {
    PERSISTENCE_OK,
    PERSISTENCE_UNWRITABLE, /* the store or journal takes no writes now: persistence_trouble says
                               why */
    PERSISTENCE_CORRUPT,    /* what is there cannot be trusted */
    PERSISTENCE_LOCKED,     /* another server holds the directory */
    PERSISTENCE_STOPPED,    /* the server is going down */
    PERSISTENCE_KEPT,       /* not committed; what was promised is in the journal */
};

enum persistence_log_level { PERSISTENCE_LOG_NOTICE, PERSISTENCE_LOG_WARNING };

struct persistence_options {
    const char *store; /* "memory", a directory, or s3://bucket/prefix */
    bool shared;       /* other servers may use the store at the same time */
    const char *dir;   /* journal, identity, lock …; NULL: the store if a directory, else "." */
    int64_t sync_interval_ms; /* 0: only on demand and at shutdown */
    enum journal_fsync journal_fsync;
    bool journal; /* false: no journal (memory store, or configured off) */
    enum journal_orphans journal_orphans;
    int64_t replica_expiry_ms; /* a replica's entry without a commit for so long goes; 0: never */
    int64_t pending_limit;     /* bytes of pending ops of a namespace that start a sync at once;
                                  at four times that writes are refused */
    int64_t inline_limit;      /* bytes: base and tail of a head, each (64 KiB) */
    int64_t chunk_size;        /* bytes: aim for chunks (4 MiB) */
    int64_t history_ms;        /* how long folded segments, runs and chunks stay (24 h) */
    int workers;               /* threads for loading, tidying, probing; as many fold */
    int64_t idle_unload_ms;    /* a namespace unused that long and durable leaves memory; 0 never */
    /* The same for all who use the store. The time is that after which a lock is taken over. */
    enum commit_mode commit_mode;
    int64_t lock_ttl_ms;
    struct keyspace_hooks (*hooks)(void *attachment); /* for each keyspace made */
    void *(*attach)(void *ctx, struct namespace *ns); /* makes the server's per-namespace data */
    void (*detach)(void *ctx, void *attachment);
    /*
     * What other servers do, as struct rebase_hooks has it; `arrived` with `op` NULL: perhaps every
     * key was changed. `position`: where our op stands in the shared order, or the newest known
     * while it is pending. With the namespace locked; must not touch the keyspace. On the syncer's
     * thread, but for `expired`, which local ops call on their own. Each may be NULL.
     */
    void (*arrived)(void *attachment, const struct op *op, const struct outcome *outcome);
    void (*expired)(void *attachment, struct slice key);
    void (*differs)(void *attachment, const struct op *op, const struct rebase_answer *was,
                    const struct rebase_answer *is, uint64_t position);
    /* Somebody waits for what others may do: the namespace stays loaded. It is locked. */
    bool (*awaited)(void *attachment);
    /* A store that was out of reach at the start must not be used, as the sentence says: the server
     * has to end. On the syncer's thread. May be NULL. */
    void (*failed)(void *ctx, const char *sentence);
    void (*log)(void *ctx, enum persistence_log_level level, const char *line);
    /* Wall clock that never goes back nor stands still, since ops and pauses go by it. */
    int64_t (*now_ms)(void *ctx);
    void *ctx;
};

/*
 * Takes the directory's lock, opens the store, reads the journal and puts its ops on top of what
 * the store holds; namespaces with such ops are loaded when it returns. Anything missing, damaged
 * or unreadable is an error with the file's name and offset in `error`; nothing starts empty.
 * A bucket that does not answer is no error: it is tried again, and until it has been reached
 * persistence_loading is true, and loads end with NAMESPACE_AWAY.
 */
enum persistence_status persistence_open(const struct persistence_options *options,
                                         struct persistence **out, struct text *error);
bool persistence_loading(const struct persistence *p); /* any thread */
/* From now on options.failed may be called (at once, when there is reason already). */
void persistence_arm(struct persistence *p);
/*
 * Commits what is pending (waits for it), stops the threads, frees all. What cannot be committed is
 * logged with its number: KEPT when the journal has it for the next start, UNWRITABLE when it is
 * lost. Server threads must have stopped. NULL-safe.
 */
enum persistence_status persistence_close(struct persistence *p);

/* Changes at run time (CONFIG SET). Any thread. */
void persistence_set_sync_interval(struct persistence *p, int64_t ms);
void persistence_set_journal_fsync(struct persistence *p, enum journal_fsync policy);
void persistence_set_pending_limit(struct persistence *p, int64_t bytes);
void persistence_set_replica_expiry(struct persistence *p, int64_t ms);

/* Finds or makes the namespace object (not loaded by this); lives until persistence_close. The
 * name is valid. Any thread; takes a short lock of its own: remember the pointer. */
struct namespace *persistence_namespace(struct persistence *p, struct slice name);
/* All namespace objects made so far, in the order of namespace_order; returns the count. */
size_t persistence_loaded(struct persistence *p, struct namespace **out, size_t cap);

/* Loads in the background; `done` once READY, FAILED or AWAY. Several callers may wait. */
void persistence_load(struct persistence *p, struct namespace *ns,
                      void (*done)(void *ctx, struct namespace *ns), void *ctx);

/*
 * Brings the journal to disk up to `ticket` at the policy of journal-fsync (`fsync` true: fsync
 * whatever the policy). Called without locks, once per loop turn, before replies leave. Threads
 * that come together share one write and one fsync. UNWRITABLE: the records are still buffered
 * and tried again; with fsync asked for (or policy always) the caller must not answer OK.
 */
enum persistence_status persistence_harden(struct persistence *p, uint64_t ticket, bool fsync);

/* False when writes must be refused (-MISCONF): one relaxed atomic load. */
bool persistence_writable(const struct persistence *p);
/* Why; copies at most cap bytes, terminated. Empty when there is no trouble. */
void persistence_trouble(struct persistence *p, char *out, size_t cap);

/* Starts a sync of one namespace (NULL: of all) now; `done` when what was pending at the call is
 * committed, or cannot be. position: of that namespace (0 for all). */
void persistence_sync(struct persistence *p, struct namespace *ns,
                      void (*done)(void *ctx, enum persistence_status status, uint64_t position),
                      void *ctx);
/* Calls `done` when the ops up to `mark` are at `level`. DURABLE starts a sync. No timeout here. */
void persistence_wait(struct persistence *p, struct namespace *ns, uint64_t mark,
                      enum durability level,
                      void (*done)(void *ctx, enum persistence_status status), void *ctx);

/* Writes everything out and reads it back in place of what is in memory (DEBUG RELOAD). Called
 * with no lock; blocks. A memory store goes through the JSON codec and back. */
enum persistence_status persistence_reload(struct persistence *p, struct namespace *ns,
                                           struct text *error);

/* Names in the store and in memory, sorted, each once. `visit` is called on the caller's thread
 * before it returns; blocks on the store. position: as the head says. */
enum persistence_status persistence_list(struct persistence *p,
                                         void (*visit)(void *ctx, struct slice name,
                                                       enum namespace_state state,
                                                       uint64_t position, size_t keys),
                                         void *ctx, struct text *error);

/* Probes the store (probe.h) on a worker. `done` comes on another thread; the sentence is the
 * callee's only until it returns: what is wrong, or with PROBE_OK how swaps are done when not by
 * conditional writes. A memory store passes at once. */
typedef void persistence_probe_done(void *ctx, enum probe_result result, const char *sentence);
void persistence_probe(struct persistence *p, persistence_probe_done *done, void *ctx);

/*
 * Runs `run` on a thread that may block on the store, whose handle it is given; short and long
 * readings have a thread each. STOPPED: the server is going down, and the handle is not to be used.
 * A memory store: on the caller's thread, the handle NULL.
 */
typedef void persistence_reading(void *ctx, enum persistence_status status, struct store *store);
void persistence_read(struct persistence *p, bool is_long, persistence_reading *run, void *ctx);
bool persistence_in_memory(const struct persistence *p);
/* Becomes true on the way down, for readings that take long. */
const _Atomic bool *persistence_stopping(struct persistence *p);

/*
 * Calls `done` when the namespace, which is loaded, is at `position` or later, or once the wall
 * clock has passed `until`: with the position it is at. Looks for what others have committed now
 * and, ever more seldom, while it waits. STOPPED: the server is going down.
 */
void persistence_wait_position(
    struct persistence *p, struct namespace *ns, uint64_t position, int64_t until,
    void (*done)(void *ctx, enum persistence_status status, uint64_t position), void *ctx);

struct persistence_stats {
    bool journal;
    bool last_sync_ok;
    int64_t last_sync_ms; /* wall clock of the last good commit; start time before the first */
    int64_t syncs, syncs_failed, folds;
    int64_t aside_ns, aside_max_ns;     /* namespace_lock_aside: how long in all, and at most */
    int64_t pending_ops, pending_bytes; /* inverses included */
    int64_t oldest_pending_ms;          /* age of the oldest op that is not durable; 0 none */
    bool loading;                       /* the store has not been reached since the start */
    int64_t journal_bytes, journal_fsyncs;
    int64_t store_puts, store_gets, store_lists, store_removes, store_bytes_out, store_bytes_in;
    bool remote; /* an S3 store: s3 holds its requests on the wire */
    struct s3_stats s3;
    bool sync_running;
    char replica[96]; /* name/nonce of this incarnation */
    /* commit-mode lock, and what became of its locks. */
    bool locks;
    struct store_lock_counts lock;
};
/* Any thread. */
void persistence_stats(struct persistence *p, struct persistence_stats *out);
void persistence_reset_peaks(struct persistence *p); /* aside_max_ns */

/* Without a server: prints the state of a namespace as one JSON document to fd, and changes nothing
 * in the store; takes one back (refuses when the namespace is there already). Errors as sentences.
 */
enum persistence_status persistence_export(const char *store, struct slice name, int fd,
                                           struct text *error);
enum persistence_status persistence_import(const char *store, struct slice name, int fd,
                                           struct text *error);

#endif
