/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world of replicas on one store, in virtual time: everything that happens is an event drawn from
 * one seed, so a run repeats to the byte. The code under test is the real one: sync core, rebase,
 * pending log, recovery, codecs, folds. What is imitated: clients, clocks, journal, store, network.
 */
#ifndef CAIRN_TESTS_SIM_H
#define CAIRN_TESTS_SIM_H

#include "ops/apply.h"
#include "ops/keyspace.h"
#include "persistence/fold.h"
#include "persistence/pending.h"
#include "persistence/rebase.h"
#include "persistence/recovery.h"
#include "persistence/run.h"
#include "persistence/sync_core.h"
#include "persistence/tidy.h"
#include "tests/support/op_random.h"

#define SIM_REPLICAS_MAX 5
#define SIM_SPACES       2 /* namespaces */
#define SIM_INTERVAL_MS  1000
#define SIM_EPOCH_MS     INT64_C(1700000000000)
/*
 * All have converged two intervals after healing (in the first one each sends what it has, in the
 * second one each looks at the head again), and later by
 *
 * what was under way: a timeout of 400 ms and then a back-off of up to 300, or an answer that is up
 * to 1360 ms slow, of which 360 do not run beside the first interval;
 *
 * what is left to commit: a life that a journal has kept is a commit of its own, and swaps of one
 * head do not run side by side. Whoever wins, all others are later by that: the winner uploads and
 * swaps, the last one to look fetches it, and folds come in between; a request takes 43 ms in the
 * mean. Of the two namespaces the one with more commits counts.
 *
 * All at its worst does not come together: what was slow runs beside the commits of others, and who
 * loses is drawn. Of 20,000 worlds the latest was 120 ms above two intervals and 100 ms for each
 * commit; there were 4 commits in the mean, 11 at most.
 */
#define SIM_SLACK_MS  400
#define SIM_COMMIT_MS 100

/*
 * An hour and a day, as short as a run of seconds needs: an object is named within the first of its
 * upload, a PUT may land two seconds after it was sent and clocks differ, so the second is longer
 * than all of that.
 */
#define SIM_OBJECT_AGE_MS 600
#define SIM_ORPHAN_AGE_MS 3000
#define SIM_TIDY_MS       500
/* A removal may be under way for so long. */
#define SIM_REMOVAL_MS 1600
/* How long after everything else the last orphan is gone. */
#define SIM_DAY_MS 10000

/* What can go wrong with a request. */
#define SIM_FAULT_LIST(X)                                                                          \
    X(ANSWER_LOST)  /* done, the answer never comes */                                             \
    X(REQUEST_LOST) /* not done, no answer */                                                      \
    X(LATE)         /* timed out, and lands afterwards */                                          \
    X(DOUBLED)      /* arrives twice */                                                            \
    X(ERROR_409)    /* not done */                                                                 \
    X(ERROR_412)    /* done, and yet: a proxy tried again */                                       \
    X(ERROR_500)    /* done or not */                                                              \
    X(ERROR_503)    /* not done */                                                                 \
    X(TRUNCATED)    /* a body without its end */                                                   \
    X(FLIPPED)      /* a body with a wrong bit */                                                  \
    X(OUT)          /* the store is out of reach, for all, for seconds */                          \
    X(RESET)        /* done or not, no answer */                                                   \
    X(SLOW)

/* Where a replica can crash. */
#define SIM_CRASH_LIST(X)                                                                          \
    X(APPLIED) /* applied and answered, not in the journal */                                      \
    X(JOURNALED)                                                                                   \
    X(PUSHED)                                                                                      \
    X(BEFORE_SEND)                                                                                 \
    X(AFTER_SEND)                                                                                  \
    X(ANSWERED)                                                                                    \
    X(BEFORE_REBASE)                                                                               \
    X(REBASED) /* before the journal lets go */                                                    \
    X(RELEASED)                                                                                    \
    X(FOLDED) /* chunks written, not in a head */                                                  \
    X(TIDYING)                                                                                     \
    X(LOADED)

/* What must happen now and then, or the run proves little. */
#define SIM_EVENT_LIST(X)                                                                          \
    X(LOST_RACE)                                                                                   \
    X(MERGED)                                                                                      \
    X(FOLD)                                                                                        \
    X(RELOAD)                                                                                      \
    X(SEGMENT)                                                                                     \
    X(CHUNK)                                                                                       \
    X(DIFFERS)                                                                                     \
    X(RECOVERED)                                                                                   \
    X(FOREIGN_REST) /* ops of a dead incarnation beyond what its journal kept */                   \
    X(LOST_OPS)     /* a crash took ops that nobody was promised */                                \
    X(ACROSS)       /* a transaction over several namespaces */                                    \
    X(RUN)          /* commits moved out of the head */                                            \
    X(OLD_FOLD)     /* offered when its objects were too old to be named */                        \
    X(OLD_SEGMENT)  /* its upload took so long that it got another name */                         \
    X(REMOVED)      /* an object that a head had named */                                          \
    X(ORPHAN)       /* one that no head ever named, removed */                                     \
    X(GONE)         /* a segment that was not there any more for who wanted to read it */          \
    X(EXPIRED)      /* an entry went by age */                                                     \
    X(REFUSED)      /* a replica whose entry had gone does not guess */                            \
    X(CLEAR)

#define X(name) SIM_FAULT_##name,
enum sim_fault { SIM_FAULT_LIST(X) SIM_FAULT_COUNT };
#undef X
#define X(name) SIM_CRASH_##name,
enum sim_crash { SIM_CRASH_LIST(X) SIM_CRASH_COUNT };
#undef X
#define X(name) SIM_EVENT_##name,
enum sim_event { SIM_EVENT_LIST(X) SIM_EVENT_COUNT };
#undef X

struct sim_totals {
    uint64_t faults[SIM_FAULT_COUNT], crashes[SIM_CRASH_COUNT], events[SIM_EVENT_COUNT];
    uint64_t kinds[OP_COUNT]; /* ops that entered the order */
    uint64_t ops, commits;
};

struct world;
struct replica;
struct seat;

/* A request on its way; the world owns it until its last event. */
struct call {
    struct world *world;
    struct seat *seat;
    unsigned epoch; /* of the replica that sent it */
    int events;     /* that still refer to it */
    bool put, landed;
    char key[STORE_KEY_MAX];
    enum store_condition condition;
    char etag[STORE_ETAG_MAX];
    struct text body;
    enum store_result result; /* as landed, then as answered */
    char answer_etag[STORE_ETAG_MAX];
    struct text answer;
};

struct timer {
    int64_t at;
    uint64_t order;
    void (*fire)(struct world *world, void *ctx, unsigned epoch);
    void *ctx;
    unsigned epoch;
};

struct sim_object {
    char key[STORE_KEY_MAX];
    struct text body;
    uint64_t version;
    bool is_named, was_named; /* by the head */
    int64_t named_until;
};

/* A namespace, as it truly is. */
struct space {
    struct world *world;
    const char *name;
    struct canon *canon; /* by position */
    uint64_t position, base_seen;
    uint64_t healed_at; /* the position then */
    int64_t base_time, quiet_until;
    uint64_t expired;
};

/* What an incarnation has done, as the checker knows it. */
struct life {
    struct space *space;
    char name[COMMIT_REPLICA_SIZE];
    struct text *issued; /* op_binary of op i + 1 */
    size_t count, cap;
    uint64_t committed; /* in the shared order */
    uint64_t promised;  /* must get there */
};

struct journal_item {
    struct life *life;
    uint64_t first, count, known;
    struct text ops;
    uint64_t record; /* sections of one record are torn together */
    bool synced;
};

/* Ops done + 1 … last of a life are pending in a replica, by its own count. */
struct pending_life {
    struct life *life;
    uint64_t done, last;
};

/* What a replica has of a namespace. */
struct seat {
    struct world *world;
    struct replica *replica;
    struct space *space;
    struct life *life;
    struct keyspace *ks;
    struct rebase *rebase;
    struct sync_core *core;
    struct pending pending;
    struct pending_life *pending_lives; /* in order; the last is its own */
    size_t pending_life_count;
    bool asked, wanted, folding, reloading;
    int64_t sleep_until;
    uint64_t losses_seen, merged_seen;
    struct head fold_head;
    struct head_base fold_base; /* once its objects are written */
    struct head_run run;
    int64_t fold_began;
    struct strays strays;
    struct text listed; /* names of objects, each ended by 0 */
    char segment_sent[STORE_KEY_MAX];
};

struct replica {
    struct world *world;
    unsigned index, epoch;
    char name[16], incarnation[COMMIT_REPLICA_SIZE];
    bool up; /* loaded and serving */
    enum { JOURNAL_NONE, JOURNAL_LAZY, JOURNAL_ALWAYS } journal_kind;
    int64_t skew;
    struct journal_item *journal;
    size_t journal_count, journal_cap;
    uint64_t records;
    bool drop_journal; /* its operator chose to */
    struct seat seats[SIM_SPACES];
};

/* The one true state at a position. */
struct canon {
    struct keyspace *ks;
    int64_t clock;
};

struct world {
    uint64_t seed;
    struct random random;
    int64_t now;
    struct timer *timers; /* a heap */
    size_t timer_count, timer_cap;
    uint64_t orders;
    bool faulty, closing;
    struct replica replicas[SIM_REPLICAS_MAX];
    unsigned replica_count;
    struct sim_object *objects;
    size_t object_count;
    uint64_t versions;
    struct life **lives;
    size_t life_count;
    struct space spaces[SIM_SPACES];
    size_t inline_limit;
    int64_t history;
    _Atomic int64_t replica_expiry;
    int64_t out_from, out_until;
    const struct replica *out_for; /* NULL: all */
    bool failed;
    struct text trace;
    struct sim_totals totals;
};

/* sim_world.c */
void world_trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Notes the failure; the run goes on to its end without being believed. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_after(struct world *w, int64_t delay,
                 void (*fire)(struct world *world, void *ctx, unsigned epoch), void *ctx,
                 unsigned epoch);
uint64_t world_below(struct world *w, uint64_t limit);
/* Runs `seed` to its end; false: a property did not hold. The trace is in ret_trace. */
void totals_add(struct sim_totals *to, const struct sim_totals *from);
/* For who is about to end with a signal: the seed that runs, and its trace so far. */
void world_tell_running(int fd);
bool world_run(uint64_t seed, struct sim_totals *totals, struct text *ret_trace);

/* sim_store.c */
/* For the replica; NULL: for all. */
bool store_is_out(const struct world *w, const struct replica *r);
struct sim_object *store_object(struct world *w, const char *key);
void store_put_object(struct world *w, const char *key, struct slice body);
/* Takes the call's fields from `wanted`; replica_answered is called for it, or never. */
void store_send(struct seat *s, bool put, const struct sync_request *wanted);
/* The request goes out, and does its work some time. */
void store_remove(struct seat *s, const char *key);
struct fold_store store_for_folds(struct seat *s);
struct fold_store store_for_runs(struct seat *s);
void store_release(struct world *w);

/* sim_replica.c: the process, its journal, its clients. */
void replica_start(struct replica *r);
void replica_crash(struct replica *r, enum sim_crash where);
/* As an operator does who was asked to choose: it comes back without what its journal has. */
void replica_drop_journal(struct replica *r);
void replica_release(struct replica *r);
/* False: it crashed. */
bool replica_survives(struct replica *r, enum sim_crash where);
int64_t replica_clock(const struct replica *r);
/* For waits and ages, in which the core takes part; clocks of clients go wrong. */
int64_t replica_steady(const struct replica *r);
/* The journal keeps nothing of the life up to `last`. */
void journal_let_go(struct replica *r, const struct life *life, uint64_t last);
void sim_uuid(int64_t now_ms, char out[UUID_TEXT_SIZE]);
void sim_uuid_reset(void);

/* sim_seat.c: what the driver does around rebase and sync core. */
void seat_reset(struct seat *s);
void seat_release(struct seat *s);
void seat_answered(struct seat *s, const struct call *call);
bool seat_load(struct seat *s, struct loaded *loaded);
/* Serves from what was loaded and recovered. */
void seat_open(struct seat *s, struct loaded *loaded, struct recovered *recovered);
void seat_schedule(struct seat *s);
struct pending_life *seat_add_life(struct seat *s, struct life *life, uint64_t done, uint64_t last);

/* sim_check.c */
struct life *check_life(struct space *space, const char *name, bool create);
void check_issued(struct life *life, const struct op *op);
/* A head has landed in the store. */
void check_head(struct space *space, struct slice body);
/* An object is being removed. */
void check_removal(struct world *w, const struct sim_object *object);
/* `life` was told that its ops up to `last` are durable. */
void check_durable(struct world *w, struct life *life, uint64_t last);
/* The replica shows the state at its position with its pending ops on top. */
void check_seat(struct seat *s);
/* At the end: all are at one position with the same bytes and nothing pending. */
void check_end(struct world *w);
/* A day later: the store has what heads name, and nothing else. */
void check_tidy(struct world *w);
void check_release(struct world *w);

#endif
