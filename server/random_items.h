/* SPDX-License-Identifier: BSD-3-Clause */
/* Random picks from a set or hash: HRANDFIELD, SRANDMEMBER, SPOP. */
#ifndef CAIRN_SERVER_RANDOM_ITEMS_H
#define CAIRN_SERVER_RANDOM_ITEMS_H

#include <stdbool.h>

#include "ops/value.h"

/* `b` is a field's value. The slices are good for this call only. False: no more are wanted. */
typedef bool random_items_visit(void *ctx, struct slice a, struct slice b);

/* `count` different items, every such subset as likely; all of them when there are fewer. */
void random_items_subset(const struct entry *entry, size_t count, random_items_visit *visit,
                         void *ctx);
/* `count` items, each of them picked from all. */
void random_items_draw(const struct entry *entry, size_t count, random_items_visit *visit,
                       void *ctx);

#endif
