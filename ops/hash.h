/* SPDX-License-Identifier: BSD-3-Clause */
/* The big form of hashes, as the rest of the value files need it. */
#ifndef CAIRN_OPS_HASH_H
#define CAIRN_OPS_HASH_H

#include "ops/slice.h"

struct entry;
struct table;

void hash_table_destroy(struct table *fields);
struct table *hash_table_copy(const struct table *fields);
struct slice hash_item_field(const void *item);
struct slice hash_item_value(const void *item);

#endif
