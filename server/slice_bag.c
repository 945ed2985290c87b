/* SPDX-License-Identifier: BSD-3-Clause */
/* The slices are made at the end, since the bytes move while they grow. */
#include "server/slice_bag.h"

#include "ops/mem.h"

void slice_bag_release(struct slice_bag *bag)
{
    mem_free(bag->bytes);
    mem_free(bag->ends);
    mem_free(bag->items);
    *bag = (struct slice_bag){0};
}

void slice_bag_add(struct slice_bag *bag, struct slice bytes)
{
    if (bag->count == bag->room) {
        bag->room = bag->room ? bag->room * 2 : 8;
        bag->ends = mem_realloc(bag->ends, bag->room * sizeof(*bag->ends));
    }
    if (bytes.len > bag->cap - bag->len) {
        bag->cap = (bag->len + bytes.len) * 3 / 2 + 64;
        bag->bytes = mem_realloc(bag->bytes, bag->cap);
    }
    if (bytes.len)
        memcpy(bag->bytes + bag->len, bytes.data, bytes.len);
    bag->len += bytes.len;
    bag->ends[bag->count++] = bag->len;
}

struct slice_list slice_bag_list(struct slice_bag *bag)
{
    size_t begin = 0;
    mem_free(bag->items);
    bag->items = mem_alloc((bag->count + 1) * sizeof(*bag->items));
    for (size_t i = 0; i < bag->count; begin = bag->ends[i++])
        bag->items[i] = slice_make(bag->bytes + begin, bag->ends[i] - begin);
    return (struct slice_list){bag->items, bag->count};
}
