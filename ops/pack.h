/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte strings one after the other in a block of memory: the form of small hashes and sets and of
 * list nodes. A plain item is its length as a varint and its bytes. A two-way item is followed by
 * the same varint mirrored, so that a list can be walked from its end. These functions know no
 * bounds: the block's owner does.
 */
#ifndef CAIRN_OPS_PACK_H
#define CAIRN_OPS_PACK_H

#include <stdint.h>

#include "ops/slice.h"

enum { PACK_VARINT_MAX = 5 };

static inline size_t pack_varint_size(size_t value)
{
    size_t size = 1;
    for (; value >= 128; value >>= 7)
        size++;
    return size;
}

/* Plain items. put returns where the next one goes; get returns where the next one is. */
static inline size_t pack_size(size_t len)
{
    return pack_varint_size(len) + len;
}

static inline char *pack_put(char *at, struct slice item)
{
    size_t rest = item.len;
    for (; rest >= 128; rest >>= 7)
        *at++ = (char)(rest | 128);
    *at++ = (char)rest;
    if (item.len)
        memcpy(at, item.data, item.len);
    return at + item.len;
}

static inline const char *pack_get(const char *at, struct slice *item)
{
    size_t len = (unsigned char)*at++;
    if (__builtin_expect(len >= 128, 0)) {
        unsigned char byte;
        len &= 127;
        for (unsigned shift = 7;; shift += 7) {
            byte = (unsigned char)*at++;
            len |= (size_t)(byte & 127) << shift;
            if (byte < 128)
                break;
        }
    }
    *item = slice_make(at, len);
    return at + len;
}

/* Two-way items. prev takes the end of an item and returns its start. */
static inline size_t pack_both_size(size_t len)
{
    return 2 * pack_varint_size(len) + len;
}

static inline char *pack_both_put(char *at, struct slice item)
{
    char *end = pack_put(at, item);
    size_t size = (size_t)(end - at) - item.len;
    for (size_t i = size; i-- > 0;)
        *end++ = at[i];
    return end;
}

static inline const char *pack_both_get(const char *at, struct slice *item)
{
    const char *end = pack_get(at, item);
    return end + (item->data - at);
}

static inline const char *pack_both_prev(const char *end, struct slice *item)
{
    const char *at = end;
    size_t len = 0;
    unsigned char byte;
    unsigned shift = 0;
    do {
        byte = (unsigned char)*--at;
        len |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while (byte >= 128);
    const char *data = at - len;
    *item = slice_make(data, len);
    return data - (end - at);
}

#endif
