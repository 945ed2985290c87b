/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting ops by key, wherever they lie. Any thread. */
#ifndef CAIRN_PERSISTENCE_OP_SORT_H
#define CAIRN_PERSISTENCE_OP_SORT_H

#include <endian.h>
#include <stdint.h>

#include "ops/slice.h"

struct op_ref {
    const char *at;   /* the op; op_sort looks only at its key */
    uint64_t word;    /* op_sort's */
    uint32_t key_len; /* keys are shorter than 4 GiB: no bulk string is longer */
    uint8_t key_at;   /* where in the op the key begins */
    uint8_t mark;     /* the caller's */
};

static inline struct slice op_ref_key(const struct op_ref *ref)
{
    return slice_make(ref->at + ref->key_at, ref->key_len);
}

/* The eight bytes of a key from `depth` on, the first one highest; 0 where it has none. */
static inline uint64_t op_key_word(struct slice key, size_t depth)
{
    uint64_t word = 0;
    if (key.len <= depth)
        return 0;
    size_t left = key.len - depth;
    if (left >= sizeof(word)) {
        memcpy(&word, key.data + depth, sizeof(word));
        return be64toh(word);
    }
    if (key.len >= sizeof(word)) {
        memcpy(&word, key.data + key.len - sizeof(word), sizeof(word));
        return be64toh(word) << (64 - 8 * left);
    }
    memcpy(&word, key.data + depth, left);
    return be64toh(word);
}

/*
 * By key as slice_compare has it; refs of one key stay in their order. `spare` has room for as
 * many.
 */
void op_sort(struct op_ref *refs, struct op_ref *spare, size_t count);

#endif
