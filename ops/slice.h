/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Borrowed byte strings. A slice never owns its bytes and may hold any byte, NUL included; its
 * data is not terminated. The one string type that passes between modules.
 */
#ifndef CAIRN_OPS_SLICE_H
#define CAIRN_OPS_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

/* A borrowed array of slices; whose memory it is, the function that takes it says. */
struct slice_list {
    const struct slice *items;
    size_t count;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){data, len};
}

/* Whether 8 bytes of each differ: not 0 then. */
static inline uint64_t slice_word_differs(const char *a, const char *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x ^ y;
}

static inline uint32_t slice_half_differs(const char *a, const char *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x ^ y;
}

/* For more than 32 bytes of the same length each. Out of line: inlined, GCC would see it compare
 * what is too short for it, and warn. */
bool slice_long_equal(struct slice a, struct slice b);

/* Where keys and fields differ their ends mostly do. Up to 32 bytes words decide, which may
 * overlap: a call costs more. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    if (a.len < 4)
        return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
    if (a.len < 8)
        return !slice_half_differs(a.data, b.data) &&
               !slice_half_differs(a.data + a.len - 4, b.data + a.len - 4);
    if (slice_word_differs(a.data + a.len - 8, b.data + a.len - 8) ||
        slice_word_differs(a.data, b.data))
        return false;
    if (a.len <= 16)
        return true;
    if (a.len > 32)
        return slice_long_equal(a, b);
    return !(slice_word_differs(a.data + 8, b.data + 8) |
             slice_word_differs(a.data + a.len - 16, b.data + a.len - 16));
}

/* To memory apart from it. For 8 to 32 bytes two moves, which may overlap, are less than a call. */
static inline void slice_copy(char *to, struct slice from)
{
    if (from.len - 16 <= 16) {
        memcpy(to, from.data, 16);
        memcpy(to + from.len - 16, from.data + from.len - 16, 16);
    } else if (from.len - 8 <= 8) {
        memcpy(to, from.data, 8);
        memcpy(to + from.len - 8, from.data + from.len - 8, 8);
    } else if (from.len) {
        memcpy(to, from.data, from.len);
    }
}

/* Order of unsigned bytes, a prefix before what it begins: the order of keys in the store. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

#endif
