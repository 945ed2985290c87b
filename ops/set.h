/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of integers as sorted arrays (FORM_INTSET), as the rest of the value files need them. */
#ifndef CAIRN_OPS_SET_H
#define CAIRN_OPS_SET_H

#include <stdint.h>

#include "ops/slice.h"

struct entry;

size_t intset_count(const struct entry *entry);
int64_t intset_get(const struct entry *entry, size_t index);

#endif
