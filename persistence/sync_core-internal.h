/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a sync core, for sync_core.c (sending), sync_receive.c (receiving) and
 * sync_replicas.c (entries of replicas) alone. */
#ifndef CAIRN_PERSISTENCE_SYNC_CORE_INTERNAL_H
#define CAIRN_PERSISTENCE_SYNC_CORE_INTERNAL_H

#include "persistence/sync_core.h"

enum sync_phase {
    PHASE_REST,
    PHASE_POLL,  /* has the head changed? */
    PHASE_READ,  /* the head, whole: a swap was lost, or may have landed */
    PHASE_FETCH, /* segments of what has arrived */
    PHASE_RELOAD,
    PHASE_SEGMENT,
    PHASE_SWAP,
    PHASE_STUCK
};

struct sync_core {
    struct sync_settings settings;
    char namespace[NAMESPACE_NAME_MAX + 1];
    enum sync_phase phase;
    bool adopted;
    bool drop_dead;
    bool purging, purged; /* no entry of an earlier life is in the candidate; in the store */
    bool poll;

    struct head head;
    char etag[STORE_ETAG_MAX];
    uint64_t position; /* committed */
    char hash[SHA256_HEX_SIZE];
    uint64_t base_position;
    /* Of the newest head that was read, taken in or not: none that is read later may be older. */
    uint64_t seen_position, seen_base;
    char seen_hash[SHA256_HEX_SIZE];
    bool ours_last; /* the newest change of the head was our own */

    struct sync_batch *queue, **queue_end;
    struct sync_batch *done, **done_end;
    bool placed; /* the first of the queue is in the candidate */

    struct head_base base; /* a fold that waits */
    bool base_waits;
    int64_t base_began; /* of the fold that waits or is in the candidate */
    bool base_placed;

    struct head_run run; /* goes in with the next swap */
    bool run_waits;
    int64_t run_began; /* as base_began */
    bool run_placed;

    /* A head that was read and whose commits are being gathered. */
    struct head incoming;
    bool is_incoming, incoming_checked;
    char incoming_etag[STORE_ETAG_MAX];
    size_t fetch_at;                  /* index in its tail of the next commit to take */
    char doubted[COMMIT_OBJECT_SIZE]; /* could not be read: what does the newest head say of it? */
    struct sync_arrival *arriving, **arriving_end;
    struct sync_arrival *arrivals, **arrivals_end;

    struct text body;
    int64_t retry_at;
    int64_t backoff;
    /* What became of the swap that the head is read for, with a sentence; STORE_OK: of none. */
    enum store_result lost;
    char lost_error[STORE_ERROR_MAX];
    unsigned suspicion; /* that the store takes no swap of ours: by those in a row that were lost */
    unsigned losses_in_row;
    uint64_t folds, failures, losses, merged;
    enum store_result result;
    char error[STORE_ERROR_MAX + 64];
};

/* sync_core.c */
void sync_core_fail(struct sync_core *core, int64_t now, enum store_result result,
                    const char *error);
void sync_core_succeed(struct sync_core *core);
void sync_core_be_stuck(struct sync_core *core, enum store_result result, const char *why);
void sync_core_remember(struct sync_core *core, const char *etag);
/* The head that was read, with `etag`, is taken in, and has something of ours that it had not
 * before, if it `landed`: what does it say of the swap it was read for? */
void sync_core_end_read(struct sync_core *core, int64_t now, const char *etag, bool landed);
/* The same for a head that was loaded. */
void sync_core_judge_loss(struct sync_core *core, bool moved, bool landed);
void sync_core_note_seen(struct sync_core *core, const struct head *head);
void sync_core_finish_batch(struct sync_core *core);
void sync_core_hash_at(const struct head *head, uint64_t position, char out[SHA256_HEX_SIZE]);

/* sync_replicas.c */
/* NULL, or a sentence: `head` does not tell what of the queue is in it. */
const char *sync_core_doubt(const struct sync_core *core, const struct head *head);
/* What of the queue is in `head`, just read, leaves it. NULL, or a sentence: that cannot be told.
 */
const char *sync_core_settle_queue(struct sync_core *core, const struct head *head);
/* Drops entries from the candidate that nobody needs any more. */
void sync_core_drop_entries(struct sync_core *core, int64_t now);

/* NULL, or a sentence: another server has this one's name. */
const char *sync_core_twin(const struct sync_core *core, const struct head *head);

/* sync_receive.c */
/* Takes `head`, just read, after which the core gathers its commits, rests, or wants a reload. */
void sync_core_receive(struct sync_core *core, int64_t now, struct head *head, const char *etag);
enum sync_want sync_core_request_segment(const struct sync_core *core,
                                         struct sync_request *ret_request);
void sync_core_answer_segment(struct sync_core *core, int64_t now, enum store_result result,
                              struct slice body, const char *error);
/*
 * All ops of the commit are in the queue, hence pending here. False also for the commit of a dead
 * incarnation that had more ops than its journal kept: the rest of them is news to us.
 */
bool sync_core_has_pending(const struct sync_core *core, const struct commit *commit);
/* The first of the queue was just committed by our own swap. */
void sync_core_note_own(struct sync_core *core);
void sync_core_forget_incoming(struct sync_core *core);

#endif
