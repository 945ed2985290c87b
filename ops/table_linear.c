/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays of buckets for linear hashing; table_linear.h tells how they are used. */
#include "ops/table_linear.h"

#include <string.h>

#include "ops/mem.h"

static char *segment_create(size_t count, size_t unit)
{
    return unit >= 64 ? mem_alloc_aligned(64, count * unit) : mem_alloc(count * unit);
}

/* The first segment has any power of two of buckets, the only reason ever to copy some. */
static void first_resize(struct linear *l, size_t room, size_t unit)
{
    char *segment = segment_create(room, unit);
    if (l->buckets) {
        memcpy(segment, l->segments[0], l->buckets * unit);
        mem_free(l->segments[0]);
    }
    l->segments[0] = segment;
    l->room = (uint32_t)room;
}

static void make_room(struct linear *l, size_t unit)
{
    size_t segment = l->buckets >> LINEAR_SEGMENT_SHIFT;
    if (segment >= l->directory) {
        l->directory = l->directory ? 2 * l->directory : 1;
        l->segments = mem_realloc(l->segments, l->directory * sizeof(*l->segments));
    }
    if (segment > 0) {
        if (l->buckets % LINEAR_SEGMENT == 0)
            l->segments[segment] = segment_create(LINEAR_SEGMENT, unit);
    } else if (l->buckets == l->room) {
        first_resize(l, l->room ? 2 * (size_t)l->room : 1, unit);
    }
}

bool linear_grow(struct linear *l, size_t unit, size_t *source)
{
    make_room(l, unit);
    memset(linear_at(l, l->buckets, unit), 0, unit);
    l->buckets++;
    if (l->buckets == 1)
        return false;
    *source = l->buckets - 1 - ((size_t)1 << l->level);
    if (l->buckets == (size_t)2 << l->level)
        l->level++;
    return true;
}

static uint8_t level_without_last(const struct linear *l)
{
    return l->buckets == (size_t)1 << l->level ? l->level - 1 : l->level;
}

size_t linear_last_target(const struct linear *l)
{
    return l->buckets - 1 - ((size_t)1 << level_without_last(l));
}

void linear_shrink(struct linear *l, size_t unit)
{
    l->level = level_without_last(l);
    l->buckets--;
    if (l->buckets >= LINEAR_SEGMENT) {
        if (l->buckets % LINEAR_SEGMENT == 0)
            mem_free(l->segments[l->buckets >> LINEAR_SEGMENT_SHIFT]);
    } else if (l->buckets <= l->room / 4) {
        first_resize(l, l->room / 2, unit);
    }
}

void linear_release(struct linear *l)
{
    for (size_t i = 0; i < l->buckets; i += LINEAR_SEGMENT)
        mem_free(l->segments[i >> LINEAR_SEGMENT_SHIFT]);
    mem_free(l->segments);
    *l = (struct linear){0};
}

size_t linear_memory(const struct linear *l, size_t unit)
{
    size_t room = l->room;
    if (l->buckets > LINEAR_SEGMENT)
        room = (l->buckets + LINEAR_SEGMENT - 1) / LINEAR_SEGMENT * LINEAR_SEGMENT;
    return room * unit + l->directory * sizeof(*l->segments);
}

static uint64_t reverse_bits(uint64_t word)
{
    word = (word >> 1 & UINT64_C(0x5555555555555555)) | (word & UINT64_C(0x5555555555555555)) << 1;
    word = (word >> 2 & UINT64_C(0x3333333333333333)) | (word & UINT64_C(0x3333333333333333)) << 2;
    word = (word >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4;
    return __builtin_bswap64(word);
}

uint64_t linear_scan(const struct linear *l, uint64_t cursor, size_t *first, size_t *second)
{
    size_t low = (size_t)1 << l->level;
    *first = *second = cursor & (low - 1);
    if (*first + low < l->buckets)
        *second = *first + low;
    return reverse_bits(reverse_bits(cursor | ~(uint64_t)(low - 1)) + 1);
}
