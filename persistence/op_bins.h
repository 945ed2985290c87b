/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ops in their compact form, gathered in the order in which they happened and given back by key,
 * for folds. They lie in bins, each with the keys of one range: what is done with the ops of a bin
 * is done in the processor's cache, and its memory goes back before the next one's turn. Any
 * thread.
 */
#ifndef CAIRN_PERSISTENCE_OP_BINS_H
#define CAIRN_PERSISTENCE_OP_BINS_H

#include "persistence/op_binary.h"
#include "persistence/op_sort.h"

#define OP_BINS_SPLIT ((size_t)4 << 20) /* a bin of so many bytes becomes many */

struct op_block;

struct op_bin {
    char *at, *end; /* room in the last block */
    struct op_block *blocks, *last;
    size_t len;         /* of the blocks before the last */
    size_t split_at;    /* with that length */
    struct slice first; /* no key of it is below this; of the first bin nothing. Owned */
};

/* All zero is empty. */
struct op_bins {
    struct op_bin *bins; /* by their ranges */
    size_t count, cap;
    struct op_route *routes; /* to a key's bin; the first leads on to the others */
    size_t route_count, route_cap;
    int64_t epoch; /* ms; what times are kept as differences from, modulo 2 to the 64th */
    /* What op_bins_next has given. */
    size_t next;         /* bin */
    struct op_ref *refs; /* sorted by key; ops of one key in their order */
    struct op_ref *spare;
    size_t ref_count, ref_cap;
};

/* Copies the op, which is afterwards as before; `mark` comes back with its ref. Not after
 * op_bins_next. */
void op_bins_add(struct op_bins *bins, struct op *op, bool mark);
/*
 * Makes `refs` those of the next bin: all its keys are behind those of the bins before, of which
 * nothing is left. False, and none: that was the last one.
 */
bool op_bins_next(struct op_bins *bins);
/* As op_binary_decode; `op` borrows from the bin. */
void op_bins_decode(const struct op_bins *bins, const struct op_ref *ref,
                    struct op_scratch *scratch, struct op *op);
void op_bins_clear(struct op_bins *bins);
void op_bins_release(struct op_bins *bins);

#endif
