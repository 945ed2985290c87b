/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting of ops by their keys, for folds. Any thread. */
#ifndef CAIRN_PERSISTENCE_OP_SORT_H
#define CAIRN_PERSISTENCE_OP_SORT_H

#include <stdint.h>

#include "ops/slice.h"

struct op_ref {
    struct slice key; /* of the op, wherever that lies */
    size_t at;     /* what stands for the op; rises from one to the next before they are sorted */
    uint64_t word; /* for op_refs_sort alone */
};

/* By key as slice_compare has it, then by `at`. */
void op_refs_sort(struct op_ref *refs, size_t count);

#endif
