/* SPDX-License-Identifier: BSD-3-Clause */
/* The forms of sets, as the rest of the value files need them. */
#ifndef CAIRN_OPS_SET_H
#define CAIRN_OPS_SET_H

#include <stdint.h>

#include "ops/slice.h"

struct entry;
struct table;

void set_table_destroy(struct table *members);
struct table *set_table_copy(const struct table *members);
struct slice set_item_member(const void *item);

/* FORM_INTSET. */
size_t intset_count(const struct entry *entry);
int64_t intset_get(const struct entry *entry, size_t index);

#endif
