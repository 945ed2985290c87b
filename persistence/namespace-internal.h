/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a namespace is made of, and the persistence that owns it: for namespace.c, persistence*.c,
 * syncer*.c and recovery.c. Each field says who may touch it.
 */
#ifndef CAIRN_PERSISTENCE_NAMESPACE_INTERNAL_H
#define CAIRN_PERSISTENCE_NAMESPACE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "persistence/identity.h"
#include "persistence/journal.h"
#include "persistence/loader.h"
#include "persistence/namespace.h"
#include "persistence/namespaces_file.h"
#include "persistence/pending.h"
#include "persistence/rebase.h"
#include "persistence/persistence.h"
#include "persistence/store.h"
#include "persistence/sync_core.h"
#include "persistence/workers.h"

#define NAMESPACE_ERROR_MAX 512

struct sync_wait;
struct load_wait;
struct position_watch;

/* An object that no head of ours names any more. */
struct stray {
    char object[COMMIT_OBJECT_SIZE];
    int64_t since; /* when that was first seen */
    bool ours;     /* a head of ours named it once: it is no upload under way */
    bool listed;   /* tidy.c's */
};

struct strays {
    struct stray *items;
    size_t count, cap;
};

enum sync_standing {
    STANDING_GOOD,
    STANDING_OUTAGE, /* the bucket does not answer: served on from memory */
    STANDING_REFUSED /* somebody must mend it: nothing more is written */
};

/* How a namespace gets into the store; the syncer's thread alone touches it. */
struct agent {
    struct sync_core *core;
    struct store_request request;
    bool running;                /* inside agent_run */
    bool asked;                  /* a request is under way … */
    bool answered;               /* … or its answer waits to be looked at */
    bool wanted;                 /* take what is pending as soon as the core rests */
    enum sync_standing standing; /* counted in the persistence's troubles */
    int64_t retry_at;
    struct pending_cut cut; /* taken from the pending log, not yet handed to the core */
    uint64_t cut_ticket;    /* the journal's, of the newest op in `cut` */
    uint64_t safe_ticket;   /* everything up to this ticket is committed */
    uint64_t recovered;     /* batches of earlier incarnations that are not committed yet */
    struct sync_wait *waits;
    struct load_wait *load_waits;
    struct position_watch *watch; /* position_wait.c; NULL: nobody waits */
    bool folding, tidying, reloading;
    uint64_t folds_seen, failures_seen, losses_seen;
    int64_t fold_at;    /* not before */
    int64_t fold_since; /* of monotonic_ms: put off since then; 0: it is not */
    int64_t tidy_at;    /* 0: not planned */
    struct strays strays;
    int64_t last_used;
    uint64_t arriving; /* the position being taken in */
    bool loading;
    int64_t load_at, load_backoff; /* NAMESPACE_AWAY: the next try */
    /* persistence_heads.c's; the second one the opening's. */
    bool noted;  /* its head was read or written: p->noted has it */
    bool listed; /* an object of its head's name was there at the start */
    /* Shared: the polls of one that is not in use come less and less often. */
    int64_t touched_at;
    unsigned poll_factor; /* intervals between two polls */
    bool poll_stopped;
};

struct namespace
{
    /* Never change. */
    struct persistence *owner;
    char name[NAMESPACE_NAME_MAX + 1];
    size_t name_len;
    uint64_t order;
    void *attachment;
    bool shared;  /* other servers write it too */
    bool records; /* there is a store for its ops to go to */

    /* Under the lock. */
    pthread_mutex_t lock __attribute__((aligned(64)));
    struct keyspace *keyspace;
    struct rebase *rebase; /* where the store is shared: the pending ops with their inverses */
    struct pending pending;
    uint64_t last_ticket;
    int64_t clock;
    int64_t aside_since; /* monotonic ns; 0: the lock is held for commands, or not at all */
    bool used;           /* since the syncer last looked */
    bool dirty;          /* the syncer knows that something is pending */
    char error[NAMESPACE_ERROR_MAX];

    /* Any thread. */
    _Atomic int state;
    _Atomic uint64_t position;
    _Atomic uint64_t committed; /* number of the last op of this incarnation that is committed */
    _Atomic int64_t pending_ops, pending_bytes;
    _Atomic int64_t pending_since; /* wall clock, of the oldest op not committed; 0: none */
    _Atomic bool urged, overfull;
    _Atomic int64_t held_bytes; /* of pending ops and their inverses in `rebase` */
    _Atomic bool touched;       /* since the syncer's last tick */
    _Atomic bool slow;          /* polled seldom: whoever touches it asks for a poll */

    struct namespace *dirty_next; /* under the syncer's mutex, as is `listed` */
    bool listed;
    struct agent agent;
};

/* The last one refuses no writes. */
enum trouble_kind {
    TROUBLE_STORE,
    TROUBLE_JOURNAL,
    TROUBLE_PENDING,
    TROUBLE_OUTAGE,
    TROUBLE_KINDS
};

struct syncer;
struct opening;

struct persistence {
    struct persistence_options options; /* strings are `where` and `dir` */
    char *where, *dir;
    bool memory;
    char replica[COMMIT_REPLICA_SIZE], incarnation[COMMIT_REPLICA_SIZE];
    struct store *store; /* for cloning, and for the thread that opens and closes */
    int own;             /* the .cairn directory of `dir` */
    bool own_store;      /* the store is `dir` */
    struct text place;   /* what tells the store from others, whatever way it is named by */
    bool place_noted;    /* in `own` */
    struct identity identity;
    struct namespaces_file noted; /* whose the agents' `noted` is */
    bool noting_failed;
    int lock, store_lock;
    struct journal *journal;
    struct workers *workers;
    struct workers *folders;    /* as many: a load, which clients wait for, waits for no fold */
    struct workers *urgent;     /* one, the syncer's: made when a fold is overdue, else NULL */
    struct workers *readers[2]; /* short, long; the syncer's: persistence_reading.c */
    struct syncer *syncer;
    struct opening *opening; /* a bucket's; else NULL */
    _Atomic bool loading;    /* it has not been reached yet: nothing can be loaded */
    _Atomic bool stopping;
    _Atomic bool retired; /* there is no journal, nor files of an earlier one */

    pthread_mutex_t registry;   /* the next three */
    struct namespace **sorted;  /* by name */
    struct namespace **ordered; /* by order */
    size_t count;

    pthread_mutex_t troubles;
    char trouble[TROUBLE_KINDS][NAMESPACE_ERROR_MAX];
    unsigned standing[STANDING_REFUSED + 1];            /* namespaces in each; the syncer's */
    const struct namespace *told[STANDING_REFUSED + 1]; /* whose reason is told; the syncer's */
    int64_t outage_since;                               /* the syncer's; 0: none */
    int64_t late_tell_at;                               /* the syncer's; 0: nothing is late */
    int overfull; /* namespaces over the limit; under `troubles` */
    _Atomic bool writable;

    _Atomic int64_t pending_limit, sync_interval_ms, replica_expiry_ms;
    _Atomic int64_t last_sync_ms, syncs, syncs_failed, folds;
    _Atomic int64_t aside_ns, aside_max_ns; /* namespaces were locked aside: in all, at most */
    _Atomic bool last_sync_ok;
    _Atomic int asking;             /* namespaces that wait for an answer of the store */
    _Atomic int64_t recovered_left; /* namespaces with batches of earlier incarnations */
};

/* namespace.c */
struct namespace *namespace_create(struct persistence *owner, struct slice name, uint64_t order);
void namespace_destroy(struct namespace *ns);
void namespace_set_state(struct namespace *ns, enum namespace_state state);
struct keyspace_hooks namespace_hooks(struct namespace *ns);
/* What its pending ops and their inverses hold has changed. It is locked. */
void namespace_note_held(struct namespace *ns);
/* Somebody waits for what other servers may write. It is locked. */
bool namespace_awaited(const struct namespace *ns);

/* persistence.c; any thread */
/* A part of it, half at the least: those who failed together shall not come back together. */
int64_t persistence_jitter(int64_t delay);
int64_t persistence_now(struct persistence *p);
void persistence_log(struct persistence *p, enum persistence_log_level level, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));
/* sentence NULL: over. */
void persistence_set_trouble(struct persistence *p, enum trouble_kind kind, const char *sentence);
/* A copy of the list of all namespaces; the caller frees it with mem_free. */
struct namespace **persistence_all(struct persistence *p, size_t *ret_count);
/* Its pending bytes changed by `change`: tells the syncer, and refuses writes, when that is due. */
void persistence_pending_changed(struct namespace *ns, int64_t ops, int64_t bytes);

/* syncer_jobs.c: how it is loaded from `store`, the calling thread's; any thread */
struct loader_options namespace_loader(struct namespace *ns, struct store *store);

/* persistence_heads.c; on the syncer's thread, or where that does not run. The first one and
 * persistence_check_heads are the opening's. */
bool persistence_open_heads(struct persistence *p, struct text *error);
/* It has a head in the store. */
void namespace_note_head(struct namespace *ns);
/* It had one once, and `loaded` has none: a sentence. */
bool namespace_lost_head(const struct namespace *ns, const struct loaded *loaded,
                         struct text *error);
/* Every head that was noted is there; `store` has been listed. Blocks on it. */
enum loader_result persistence_check_heads(struct persistence *p, struct store *store,
                                           struct text *error);
/* Brings to disk what was noted. */
void persistence_flush_heads(struct persistence *p);

/* persistence_place.c: the opening's. */
/* Sets p->place; a bucket's is open, a directory's need not be there yet. */
void persistence_find_place(struct persistence *p);
/* Refuses the start, with a sentence, when the journal has ops, so many, for another store. */
enum persistence_status persistence_check_place(struct persistence *p, uint64_t ops,
                                                struct text *error);
/* Refuses the start when the store, whose own directory is `store_own`, has a journal in itself of
 * a server that used it alone, and ops in that: this start, with another directory, would miss
 * them. */
enum persistence_status persistence_check_left(struct persistence *p, int store_own,
                                               struct text *error);
/* From now on the journal is for this store. Before it gets any op; once the store has been looked
 * at: one that was named by mistake shall not be noted. */
bool persistence_note_place(struct persistence *p, struct text *error);

/* Carries out what workers and folders have queued. On the syncer's thread, or without one. */
void persistence_end_workers(struct persistence *p);

/* persistence_reading.c: carries out what is queued. On the syncer's thread, on the way down. */
void persistence_end_reading(struct persistence *p);

/* Makes objects of all namespaces that the store holds. Blocks on it. */
enum store_result persistence_learn_names(struct persistence *p, struct store *store,
                                          struct text *error);
/* The store gives no answer now: who would have to wait for it had better not ask. */
bool persistence_out_of_reach(struct persistence *p);

/* Like persistence_sync, for threads that may block. */
enum persistence_status persistence_sync_blocking(struct persistence *p, struct namespace *ns);

/* Puts what was loaded into the namespace, which becomes READY. Before the syncer's thread runs,
 * or on it. Takes `loaded`. */
void persistence_install(struct namespace *ns, struct loaded *loaded);

#endif
