/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linear hashing without the items: which bucket a hash belongs to, an array of buckets that
 * grows and shrinks at its end by one, and the order of a scan. A new bucket n takes its share
 * of bucket n - 2^level; the last one gives its items back there. The array is made of segments,
 * so growing never copies much and shrinking gives memory back.
 *
 * `unit` is the size of a bucket, a power of two, the same for every call on one array.
 */
#ifndef CAIRN_OPS_TABLE_LINEAR_H
#define CAIRN_OPS_TABLE_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINEAR_SEGMENT_SHIFT = 12, LINEAR_SEGMENT = 1 << LINEAR_SEGMENT_SHIFT };

struct linear {
    char **segments;
    size_t buckets;     /* 0: nothing allocated */
    uint32_t directory; /* room for that many segments */
    uint32_t room;      /* buckets that fit the first segment */
    uint8_t level;      /* 2^level <= buckets < 2^(level+1), once there are buckets */
};

static inline void *linear_at(const struct linear *l, size_t index, size_t unit)
{
    return l->segments[index >> LINEAR_SEGMENT_SHIFT] + (index & (LINEAR_SEGMENT - 1)) * unit;
}

static inline size_t linear_index(const struct linear *l, uint64_t hash)
{
    size_t low = (size_t)1 << l->level;
    size_t index = hash & (2 * low - 1);
    return index < l->buckets ? index : index - low;
}

/* The bucket that the next one added will be split from; buckets > 0. */
static inline size_t linear_next_source(const struct linear *l)
{
    return l->buckets - ((size_t)1 << l->level);
}

/*
 * Adds a zeroed bucket. Its index is buckets - 1 then, and *source is where the items come from
 * that may belong to it now; false for the first bucket, which has no source.
 */
bool linear_grow(struct linear *l, size_t unit, size_t *source);
/* Before the last of several buckets is dropped: the bucket that takes its items over. */
size_t linear_last_target(const struct linear *l);
/* Drops the last bucket and the memory that is no longer needed. */
void linear_shrink(struct linear *l, size_t unit);
void linear_release(struct linear *l);
size_t linear_memory(const struct linear *l, size_t unit);

/*
 * A scan's cursor counts through the low bits of the hash from the highest down: all hashes whose
 * bits, reversed, are below the reversed cursor have been visited, and that stays true whatever
 * splits and merges happen in between. A step visits bucket *first and, where there is one, its
 * other half *second (else equal to *first), and returns the next cursor, 0 at the end.
 */
uint64_t linear_scan(const struct linear *l, uint64_t cursor, size_t *first, size_t *second);

#endif
