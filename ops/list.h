/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists, as the rest of the value files need them. */
#ifndef CAIRN_OPS_LIST_H
#define CAIRN_OPS_LIST_H

#include <stddef.h>

#include "ops/slice.h"

struct entry;
struct value_iter;

size_t list_len(const struct entry *entry);
bool list_iter_next(struct value_iter *it, struct slice *item);

#endif
