/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Borrowed byte strings. A slice never owns its bytes and may hold any byte, NUL included; its
 * data is not terminated. The one string type that passes between modules.
 */
#ifndef CAIRN_OPS_SLICE_H
#define CAIRN_OPS_SLICE_H

#include <stdbool.h>
#include <stddef.h>
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

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
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
