/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The head: the one mutable document of a namespace, and the only place that says which objects
 * belong to it. In memory the texts of base and tail entries are kept as they stood, so appending a
 * commit encodes nothing but that commit. Plain data: no thread, no store.
 */
#ifndef CAIRN_PERSISTENCE_HEAD_H
#define CAIRN_PERSISTENCE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "persistence/chunk.h"
#include "persistence/commit.h"
#include "persistence/namespace.h"
#include "persistence/text.h"

/* The state at a position: inline when chunk_count is 0 (empty state: "{}"), else in chunks. */
struct head_base {
    uint64_t position;
    char hash[SHA256_HEX_SIZE]; /* the chain up to the position */
    int64_t time;               /* newest time of any op up to it: see commit_replay */
    struct text state;          /* inline: the object's text */
    struct chunk_ref *chunks;
    size_t chunk_count;
};

/* Commits of the tail that lie in an object of their own: see run.h. */
struct head_run {
    char object[COMMIT_OBJECT_SIZE];
    uint64_t from;                        /* position before its first commit */
    uint64_t position;                    /* of its last */
    char hash[SHA256_HEX_SIZE];           /* the chain up to that */
    uint64_t bytes;                       /* of the object */
    char (*segments)[COMMIT_OBJECT_SIZE]; /* that its commits name */
    size_t segment_count;
    uint64_t segment_bytes;
};

struct head_replica {
    char name[COMMIT_REPLICA_SIZE];
    uint64_t op;       /* number of its last op that is committed */
    uint64_t position; /* of its last commit; 0: not known */
    int64_t time;      /* its writer's clock at that commit; 0: not known */
};

struct head {
    char namespace[NAMESPACE_NAME_MAX + 1];
    uint64_t position;
    char hash[SHA256_HEX_SIZE];
    struct head_base base;
    struct head_run *runs; /* the older part of the tail: from base.position on, without gap */
    size_t run_count;
    struct commit *tail; /* its last `tail_count` commits, up to `position`: those behind the runs;
                          * more after run_open */
    size_t tail_count;
    size_t tail_cap;
    struct head_replica *replicas; /* sorted by name */
    size_t replica_count;
    /* No commit of a replica whose entry has expired lies above this position; 0: none has. */
    uint64_t expired;
};

/* An empty namespace at position 0. */
void head_init(struct head *head, struct slice namespace);
void head_release(struct head *head);
void head_base_init(struct head_base *base);
void head_base_release(struct head_base *base);

/* Appends the whole document. */
void head_encode(const struct head *head, struct text *out);
/*
 * Takes a document back after checking its sum, its format, its namespace and its chain: a flipped
 * or missing byte anywhere is found. False with a sentence appended to `error` (without the
 * object's name) and nothing to release. The contents of state and ops are checked when used.
 */
bool head_decode(struct slice body, struct slice namespace, struct head *ret_head,
                 struct text *error);

/*
 * The chain at a position from base.position to head->position. False where it cannot be told
 * without reading a run: inside one.
 */
bool head_hash_at(const struct head *head, uint64_t position, char out[SHA256_HEX_SIZE]);
/* The last position not above `position` where it can, at least base.position. */
uint64_t head_boundary(const struct head *head, uint64_t position);

/* Up to where the tail lies in runs; base.position when there are none. */
uint64_t head_runs_end(const struct head *head);
void head_run_release(struct head_run *run);
/*
 * Puts `run` (which it takes) in the place of the runs and commits that it covers. False, and
 * nothing done, when base and runs are no longer such that it fits.
 */
bool head_place_run(struct head *head, struct head_run *run);
/* Drops commits in memory up to `position`: they are folded, or in a run. */
void head_drop_tail(struct head *head, uint64_t position);

/* Bytes that the tail's entries take in the document, without those in runs. */
size_t head_tail_bytes(const struct head *head);

/*
 * Appends a sealed commit whose position is head->position + 1; takes its text and leaves `commit`
 * empty. The replica's entry becomes its last op, first + count - 1.
 */
void head_append(struct head *head, struct commit *commit);

/* NULL: no entry. Borrowed until entries come or go. */
struct head_replica *head_replica(const struct head *head, struct slice name);
/* 0: no entry. */
uint64_t head_replica_op(const struct head *head, struct slice name);
void head_set_replica(struct head *head, struct slice name, uint64_t op);
void head_drop_replica(struct head *head, struct slice name);
/* The same for one that never came back: `expired` rises to its last commit, which must be in the
 * base, not in the tail. */
void head_expire_replica(struct head *head, struct slice name);

/*
 * Puts `base` (which it takes) in the place of the present one and drops the tail up to its
 * position. False, and nothing done, when `base` is older than the present base or not of this
 * chain: then the fold lost a race, and its caller releases `base`.
 */
bool head_rebase(struct head *head, struct head_base *base);

#endif
