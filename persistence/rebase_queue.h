/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where rebase.c keeps pending ops: in their order, one behind the other in chunks of memory, each
 * with what its client was told and mostly with its inverse too. So keeping an op allocates
 * nothing, and what is committed goes away chunk by chunk.
 *
 * An index finds the newest op on a key, and each op names the one before it in the same bucket.
 * Nothing is ever taken out of the index: a link says which op it means by its place in the order,
 * and those before the first are gone. Keys are told apart by their hash alone (see rebase.c).
 */
#ifndef CAIRN_PERSISTENCE_REBASE_QUEUE_H
#define CAIRN_PERSISTENCE_REBASE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/apply.h"
#include "ops/slice.h"

struct origin;
struct lifted;
struct held;

struct held_link {
    struct held *held; /* gone, if `place` says so */
    uint64_t place;
};

/* There may be millions: each byte counts, in memory and in time. */
struct held {
    struct held *next;
    struct held *older; /* in the same bucket, */
    uint32_t gap;       /* so many places before; 0: none */
    uint32_t memory;    /* in sixteens of bytes */
    uint64_t place;
    uint64_t hash; /* of the key; 0: NamespaceClear */
    struct inverse *undo;
    /* The rest, but for the lengths, is rebase.c's. */
    struct lifted *lifted; /* NULL: not lifted, or everything is */
    const struct origin *origin;
    uint64_t number;
    int64_t time;   /* not before that of the op before */
    int64_t ran_at; /* effective */
    /* The answer its client got, and a digest of it. */
    uint64_t told;
    int64_t answer;
    uint64_t status : 4;
    uint64_t whole : 1;
    uint64_t timed : 1;   /* what it does depends on when it runs */
    uint64_t differs : 1; /* that its answer changed has been told */
    uint64_t created : 1; /* when it last ran */
    uint64_t removed : 1;
    uint64_t owns : 1;   /* the inverse must be destroyed */
    uint64_t inside : 6; /* words behind the op where its first inverse lies */
    uint64_t detail_len : 9;
    uint64_t len : 39;
    /* op_binary, inverse, the answer's detail */
    char bytes[] __attribute__((aligned(8)));
};

struct held_chunk;

/* All zero is empty. */
struct held_queue {
    struct held *first, *last;
    size_t count;
    struct held_chunk *chunks, *tail;
    struct held_link *heads; /* of buckets: a power of two */
    size_t buckets;
    uint64_t places;    /* of the newest op */
    uint64_t disturbed; /* place of the newest op that is not as it was counted */
};

/* The pending ops are forgotten, their inverses destroyed. */
void held_queue_release(struct held_queue *q);

/* Where the inverse of this op may lie if the op is the next to be added. Good until the next call.
 */
void held_queue_room(struct held_queue *q, struct slice op, struct inverse_room *ret_room);
/*
 * Keeps an op, whose inverse may lie in the room; the detail has no more than HELD_DETAIL_MAX
 * bytes. What is rebase.c's is for it to set, but that its flags are off.
 */
struct held *held_queue_add(struct held_queue *q, struct slice op, uint64_t hash,
                            struct inverse *undo, struct slice detail);
#define HELD_DETAIL_MAX 256
/* The newest op is complete: its chunk counts it. */
void held_queue_count(struct held_queue *q);
/* The op has another inverse, and is no longer what its chunk has counted. */
void held_queue_ran_again(struct held_queue *q, struct held *held, struct inverse *undo);

/* Takes the first op out. Its memory goes with its chunk: when this was the last op there, that is
 * returned, for held_chunk_free; else NULL. */
struct held_chunk *held_queue_drop(struct held_queue *q);
/* What the pending ops of the first chunk are together. */
struct held_front {
    uint64_t count;
    size_t memory, timed, clears; /* as in struct held */
    const struct held *last;
};
/*
 * False when they must leave one by one: they are not numbers of one origin without a gap, or one
 * may have run again. Takes them out as held_queue_drop does one: the chunk is returned.
 */
bool held_queue_front(struct held_queue *q, struct held_front *ret_front);
struct held_chunk *held_queue_drop_front(struct held_queue *q);
/* Destroys the inverses that must be. On any thread. */
void held_chunk_free(struct held_chunk *chunk);

/* Fetches the key's place in the index, for an op that is about to run and to be added. */
void held_queue_prefetch(const struct held_queue *q, uint64_t hash);
/* The newest op on the key, then the one before it; NULL: none. */
struct held *held_queue_newest(const struct held_queue *q, uint64_t hash);
struct held *held_queue_older(const struct held_queue *q, const struct held *held);

struct slice held_detail(const struct held *held);

#endif
