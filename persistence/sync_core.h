/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How one namespace gets its ops into the store: a state machine that does no I/O and reads no
 * clock. The driver gives it batches, answers and the time, and carries out what it wants:
 *
 *     rest -> (segment put) -> swap of the head -> rest
 *                                 | precondition failed, outcome unknown
 *                                 v
 *                              read the head: did it land? -> rest, or build it anew
 *
 * Whether a batch landed is told by the head alone: the entry of its replica says how far that
 * replica's ops are committed. So nothing is sent twice, whatever was lost on the way.
 *
 * Where others write too (settings.shared), every head read is taken in: its commits after our
 * position are arrivals, which the driver gives to rebase in order, before it does anything else
 * with the namespace. Ours among them are told by their replica's name and numbers. The place to
 * run commands on the newest head is between the last arrival and the next push.
 */
#ifndef CAIRN_PERSISTENCE_SYNC_CORE_H
#define CAIRN_PERSISTENCE_SYNC_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "persistence/head.h"
#include "persistence/store.h"
#include "persistence/uuid.h"

/* A head names an immutable object only within an hour of its naming (orphans go after a day). */
#define SYNC_OBJECT_AGE_MS (INT64_C(60) * 60 * 1000)

/* Ops of one incarnation that become one commit. */
struct sync_batch {
    struct sync_batch *next;
    char replica[COMMIT_REPLICA_SIZE];
    uint64_t first, count;
    int64_t time;    /* of the first op */
    struct text ops; /* op_binary */
    /* Filled by the core: the segment that the batch would be, and where in it the ops are. */
    struct text json;
    size_t json_ops, json_ops_len;
    char segment[COMMIT_OBJECT_SIZE]; /* "": none made */
    char sha256[SHA256_HEX_SIZE];
    uint64_t bytes;
    int64_t named; /* when the segment got its name, which others take for its age */
    bool uploaded;
    /* What it was in parts: batches that joined it, ops and bytes of it that were committed before.
     */
    uint64_t joined, gone_count, gone_bytes;
    bool sent; /* a swap with it was handed out: it may have landed, or may land yet */
    /* From a journal: the namespace's position when its first op was recorded, and the file. */
    uint64_t known, file;
    uint64_t ticket; /* the journal's, that is safe once this is committed; 0: none is */
};

void sync_batch_destroy(struct sync_batch *batch);
/* Takes the first `count` ops away. False: they cannot be read. */
bool sync_batch_skip(struct sync_batch *batch, uint64_t count);

struct sync_settings {
    size_t inline_limit;
    size_t tail_max; /* commits inside a head before a fold is due */
    int64_t backoff_max_ms;
    const char *replica;     /* this server's name, borrowed */
    const char *incarnation; /* name/nonce, borrowed */
    bool shared;             /* other servers write too; the next four are for that alone */
    size_t merge_limit;      /* bytes of ops of batches that become one commit */
    size_t tail_keep; /* newest commits that a fold leaves in the tail for those behind, unless they
                       * are large */
    uint64_t (*random)(void *ctx);
    void *ctx;
    int64_t object_age_ms; /* 0: SYNC_OBJECT_AGE_MS */
    /* Entries of replicas without a commit for so long go; 0 or NULL: never. Borrowed, may change
     * at any time. */
    const _Atomic int64_t *replica_expiry_ms;
    /* A new object's name; randomness comes in here. */
    void (*make_uuid)(int64_t now_ms, char out[UUID_TEXT_SIZE]);
};

/* A commit after the position that was known before. */
struct sync_arrival {
    struct sync_arrival *next;
    uint64_t position;
    char replica[COMMIT_REPLICA_SIZE];
    uint64_t first, count;
    int64_t time;
    bool pending;    /* every op of it is pending here; no ops are given */
    struct text ops; /* the JSON array: commit_reader */
};

void sync_arrival_destroy(struct sync_arrival *arrival);

enum sync_want {
    SYNC_REST,  /* nothing to do until a batch or a fold comes */
    SYNC_SLEEP, /* nothing before `until` */
    SYNC_GET,   /* the head or a segment; `etag` empty: whatever it is now */
    SYNC_PUT,
    SYNC_RELOAD, /* a fold has passed our position: load, sync_core_may_reload, sync_core_reload */
    SYNC_STUCK,  /* nothing more can be done: sync_core_error says why */
};

struct sync_request {
    int64_t until;
    char key[STORE_KEY_MAX];
    enum store_condition condition;
    char etag[STORE_ETAG_MAX];
    struct slice body; /* borrowed until the answer */
};

struct sync_core;

struct sync_core *sync_core_create(struct slice namespace, const struct sync_settings *settings);
void sync_core_destroy(struct sync_core *core); /* NULL-safe; batches too */

/* What the store holds, as just read: takes `head`; etag "" when there is none yet. */
void sync_core_adopt(struct sync_core *core, struct head *head, const char *etag);
/* Does `head` continue what this core has seen of the store, if it was adopted ever? */
bool sync_core_continues(const struct sync_core *core, const struct head *head);
/* Forgets it again, but for how far it was; nothing may be queued. */
void sync_core_leave(struct sync_core *core);
bool sync_core_adopted(const struct sync_core *core);

/* Takes the batch; batches of an incarnation come in order, without gap. */
void sync_core_push(struct sync_core *core, struct sync_batch *batch);
/* Batches that are committed, oldest first: NULL when there is none. The caller destroys it. */
struct sync_batch *sync_core_take_done(struct sync_core *core);
/* Nothing is queued and nothing under way. */
bool sync_core_at_rest(const struct sync_core *core);

/* What to do now. Asked again without an answer in between, it says the same. */
enum sync_want sync_core_next(struct sync_core *core, int64_t now,
                              struct sync_request *ret_request);
void sync_core_answer(struct sync_core *core, int64_t now, enum store_result result,
                      const char *etag, struct slice body, const char *error);

/* Shared: the head is to be looked at, before anything is sent. */
void sync_core_poll(struct sync_core *core);
/* That look is not over yet; where the core is stuck, it never is. */
bool sync_core_polling(const struct sync_core *core);
/* Shared: the next commit to take in; NULL: none. The caller destroys it. */
struct sync_arrival *sync_core_take_arrival(struct sync_core *core);
/*
 * May what was loaded for SYNC_RELOAD take the place of the state here? False: the store has gone
 * back behind what was seen of it, or does not tell which pending ops it has; the core is stuck
 * then, and the newer state, in memory, is to stay.
 */
bool sync_core_may_reload(struct sync_core *core, const struct head *head);
/* What was loaded for SYNC_RELOAD, and may be: takes `head`. The pending ops it has are done. */
void sync_core_reload(struct sync_core *core, struct head *head, const char *etag);
void sync_core_reload_failed(struct sync_core *core, int64_t now, enum store_result result,
                             const char *error);

/* Entries of this server's earlier incarnations may go: their journal files are gone. */
void sync_core_drop_dead(struct sync_core *core);

/* The tail is long enough to be folded and no fold waits. */
bool sync_core_fold_due(const struct sync_core *core);
/* It is several times as long as that: folds do not keep up. */
bool sync_core_fold_overdue(const struct sync_core *core);
/* Up to where: what is newer stays in the tail. */
uint64_t sync_core_fold_position(const struct sync_core *core);
/* The head has so many commits inside that they are better moved into a run (run.h), no fold is due
 * soon, and no run waits. */
bool sync_core_run_due(const struct sync_core *core);
/* Takes `run`, uploaded not before `began`: it goes in with the next commit. */
void sync_core_offer_run(struct sync_core *core, struct head_run *run, int64_t began);
/* The committed head as it is in the store, for a fold or a run: false while it is not known. */
bool sync_core_head(const struct sync_core *core, struct head *ret_head, struct text *error);
/* Takes `base`, whose first object was uploaded not before `began`. */
void sync_core_offer_base(struct sync_core *core, struct head_base *base, int64_t began);

uint64_t sync_core_position(const struct sync_core *core);
/* Of the head as last seen; "": there is none. */
const char *sync_core_etag(const struct sync_core *core);
/* The time of the oldest op that is queued; 0: none is. */
int64_t sync_core_oldest(const struct sync_core *core);
uint64_t sync_core_folds(const struct sync_core *core); /* that reached the store */
/* The result of the last attempt; STORE_OK when there is no trouble. */
enum store_result sync_core_result(const struct sync_core *core);
const char *sync_core_error(const struct sync_core *core);
/* Attempts that failed so far. */
uint64_t sync_core_failures(const struct sync_core *core);
/* Races lost, and batches that went with another one. */
uint64_t sync_core_losses(const struct sync_core *core);
uint64_t sync_core_merged(const struct sync_core *core);

#endif
