/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growing list of byte strings with copies of their bytes: for members and items that are taken
 * out of the keyspace before an op changes it, or that an iterator formats into its scratch.
 */
#ifndef CAIRN_SERVER_SLICE_BAG_H
#define CAIRN_SERVER_SLICE_BAG_H

#include "ops/mem.h"
#include "ops/slice.h"

struct slice_bag {
    char *bytes;
    size_t len, cap;
    size_t *ends; /* of each string in bytes */
    struct slice *items;
    size_t count, room;
};

/* {0} is an empty bag. */
void slice_bag_release(struct slice_bag *bag);
void slice_bag_add(struct slice_bag *bag, struct slice bytes);
/* All of them in order; good until the next add. */
struct slice_list slice_bag_list(struct slice_bag *bag);

/* One string copied; a short one needs no allocation. Do not copy the struct around. */
struct slice_copy {
    char *heap;
    char room[120];
};

static inline struct slice slice_copy_init(struct slice_copy *copy, struct slice bytes)
{
    copy->heap = bytes.len > sizeof(copy->room) ? (char *)mem_alloc(bytes.len) : NULL;
    char *to = copy->heap ? copy->heap : copy->room;
    if (bytes.len)
        memcpy(to, bytes.data, bytes.len);
    return slice_make(to, bytes.len);
}

static inline void slice_copy_release(struct slice_copy *copy)
{
    mem_free(copy->heap);
}

#endif
