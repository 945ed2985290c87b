/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pending log of a namespace: ops that were applied and are not yet on their way to the store,
 * in op_binary form, in a chain of blocks. A batch (what is recorded between two seals) never
 * spans blocks, so every block may become a commit of its own without tearing a transaction.
 * The namespace's lock protects it; it knows neither journal nor store.
 */
#ifndef CAIRN_PERSISTENCE_PENDING_H
#define CAIRN_PERSISTENCE_PENDING_H

#include <stdint.h>

#include "ops/op.h"
#include "persistence/text.h"

/* A batch that begins when the block has so many bytes gets a new block. */
#define PENDING_BLOCK_SIZE ((size_t)64 * 1024)

struct pending_block {
    struct pending_block *next;
    uint64_t ops;
    struct text bytes;
};

/* A chain that was cut off: ops first … first + ops - 1. All zero is empty. */
struct pending_cut {
    struct pending_block *head, *tail;
    uint64_t first, ops;
    size_t bytes;
    int64_t time; /* of the first op */
};

struct pending {
    struct pending_cut log;
    uint64_t recorded;  /* number of the last op recorded; 0: none yet */
    uint64_t sealed;    /* number of the last op sealed */
    size_t open_offset; /* where the open batch begins in the tail block */
    size_t last_offset; /* where the last op begins: for pending_forget */
};

void pending_release(struct pending *pending);

/* Encodes a copy of `op` at the end; it gets the next number. */
void pending_record(struct pending *pending, const struct op *op);
/* The encoding of the last op recorded; borrowed until the next record. */
struct slice pending_last(const struct pending *pending);
/* Takes back the last op recorded; once per record, before anything else. */
void pending_forget(struct pending *pending);

/* What was recorded since the last seal; false: nothing. Borrowed until the next record. */
bool pending_seal(struct pending *pending, struct slice *ret_ops, uint64_t *ret_first,
                  uint64_t *ret_count);

/* Takes the whole log in O(1); nothing may be unsealed. */
void pending_take(struct pending *pending, struct pending_cut *ret_cut);

void pending_cut_release(struct pending_cut *cut);
/*
 * Moves whole blocks from the front of `cut` to the end of `out` while `out` is no longer than
 * `limit` (at least one block). Returns how many ops that were.
 */
uint64_t pending_cut_shift(struct pending_cut *cut, size_t limit, struct text *out);

#endif
