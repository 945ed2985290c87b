/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A commit as the tail of a head holds it, and segments, which hold the ops of commits too large
 * for the head. The text of a tail entry never changes once it is written: the chain of hashes runs
 * over it. A segment does not name positions, so a commit that lost its race keeps its segment.
 */
#ifndef CAIRN_PERSISTENCE_COMMIT_H
#define CAIRN_PERSISTENCE_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/keyspace.h"
#include "ops/op.h"
#include "persistence/json_reader.h"
#include "persistence/op_binary.h"
#include "persistence/sha256.h"
#include "persistence/text.h"

/* With their NULs. Object names are [A-Za-z0-9_.-], not starting with a dot, without folder. */
#define COMMIT_OBJECT_SIZE  64
#define COMMIT_REPLICA_SIZE 96

/* Positions and numbers of ops above this are refused wherever they come from. What can be written
 * is larger (2^53), so that there is a next one to any that is taken. */
#define COMMIT_TAKEN_MAX (UINT64_C(1) << 52)

bool commit_object_valid(struct slice name);
/* `name/nonce`: 1 to 95 bytes of printable ASCII without space, quote or backslash, and not
 * beginning with "base64:", which would make it something else in JSON. */
bool commit_replica_valid(struct slice name);

struct commit {
    uint64_t position;
    char replica[COMMIT_REPLICA_SIZE];
    int64_t time;   /* Unix ms; ops that name no time of their own have this */
    uint64_t first; /* number of its first op among the replica's */
    uint64_t count;
    char segment[COMMIT_OBJECT_SIZE]; /* "": the ops are in the entry itself */
    char sha256[SHA256_HEX_SIZE];     /* of the segment's bytes … */
    uint64_t bytes;                   /* … and how many they are */
    struct text text;                 /* the whole entry as JSON; owned */
    struct slice ops;                 /* without segment: the array "ops" inside `text` */
};

void commit_release(struct commit *commit);

/*
 * Ops of the pending log (op_binary) as a JSON array, one op a line, for a commit whose `time` that
 * will be. False when `pending` is damaged.
 */
bool commit_ops_encode(struct slice pending, int64_t time, struct text *out, uint64_t *ret_count);

/* Makes `text` (and `ops`) from the other fields: with the ops inside, or with the segment. */
void commit_seal_inline(struct commit *commit, struct slice ops);
void commit_seal_segment(struct commit *commit);

/* Takes one tail entry. On error false, the error is the reader's, nothing to release. */
bool commit_read(struct json_reader *reader, struct commit *commit);

/* Position 0's hash: 64 zeros. */
extern const char commit_hash_zero[SHA256_HEX_SIZE];
/* hash_n = sha256(hash_{n-1} as hex, "\n", text of entry n). `out` may be `before`. */
void commit_chain(const char before[SHA256_HEX_SIZE], struct slice text, char out[SHA256_HEX_SIZE]);

/*
 * A segment: begin; for each commit open (replica, time, first, count are looked at), its array of
 * ops, appended by the caller, and close; end.
 */
void segment_begin(struct text *out, struct slice namespace);
void segment_open(struct text *out, const struct commit *commit);
void segment_close(struct text *out);
void segment_end(struct text *out);
/*
 * All of this for one commit, whose ops are those of `pending`: appends to an empty `out`, and sets
 * the commit's `bytes`, `sha256`, and `ops`, which borrows from `out`. False when `pending` is
 * damaged or has not `count` ops; then nothing of `commit` is set.
 */
bool segment_encode(struct text *out, struct slice namespace, struct commit *commit,
                    struct slice pending);
/*
 * Finds the ops of `commit` in the bytes of its segment, after checking them against the entry's
 * size and sha256; the array borrows from `body`. False with a sentence appended to `error`.
 */
bool segment_find(struct slice body, struct slice namespace, const struct commit *commit,
                  struct slice *ret_ops, struct text *error);

/* Walks an "ops" array. */
struct commit_reader {
    struct json_reader json;
    struct text unescaped;
    struct op_scratch scratch;
    int64_t time;
    uint64_t count;    /* ops given so far */
    bool inside;       /* of a segment, whose end is still to be read … */
    uint64_t expected; /* … behind so many ops */
};

void commit_reader_init(struct commit_reader *reader, struct slice ops, int64_t time);
/*
 * As segment_find and commit_reader_init, but a segment that is laid out as ours are is read only
 * once, while the ops are taken: what is wrong behind them shows at the end, as an error of the
 * reader. `body` outlives the reader.
 */
bool commit_reader_init_segment(struct commit_reader *reader, struct slice body,
                                struct slice namespace, const struct commit *commit,
                                struct text *error);
/* The next op, borrowed until the next call; a KeyPut's value is the caller's (op_release). False
 * at the end and on error. */
bool commit_reader_next(struct commit_reader *reader, struct op *op);
/* NULL when there was none. */
const char *commit_reader_error(const struct commit_reader *reader);
void commit_reader_release(struct commit_reader *reader);

/*
 * Applies all ops that `reader` still has to `ks`. `*clock` is the newest time of any op before
 * these in the namespace's order: an op never runs at an earlier time, so that a key that has
 * expired does not come back to life when a replica's clock is behind. It is advanced. Every replay
 * keeps this rule.
 */
bool commit_replay_reader(struct keyspace *ks, struct commit_reader *reader, int64_t *clock,
                          struct text *error);
/* All ops of an array. */
bool commit_replay(struct keyspace *ks, struct slice ops, int64_t time, int64_t *clock,
                   struct text *error);

#endif
