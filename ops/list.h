/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists, as the rest of the value files need them. */
#ifndef CAIRN_OPS_LIST_H
#define CAIRN_OPS_LIST_H

#include <stddef.h>

#include "ops/slice.h"

struct chain;
struct entry;
struct value_iter;

size_t list_len(const struct entry *entry);
bool list_iter_next(struct value_iter *it, struct slice *item);
void list_chain_destroy(struct chain *chain);
struct chain *list_chain_copy(const struct chain *chain);
size_t list_chain_memory(const struct chain *chain, size_t samples);

#endif
