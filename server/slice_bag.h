/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growing list of byte strings with copies of their bytes: for members and items that are taken
 * out of the keyspace before an op changes it, or that an iterator formats into its scratch.
 */
#ifndef CAIRN_SERVER_SLICE_BAG_H
#define CAIRN_SERVER_SLICE_BAG_H

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

#endif
