/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maxmemory with a policy other than noeviction. Keys carry no access times, so the LRU and LFU
 * policies pick at random among the keys they may take (docs/differences.md).
 */
#ifndef CAIRN_SERVER_EVICT_H
#define CAIRN_SERVER_EVICT_H

#include <stdbool.h>

struct exec;

/* Before a write, its namespace locked (else nothing is done): true when memory fits afterwards. */
bool evict_for_write(struct exec *x);
/* After CONFIG SET maxmemory, no lock held: evicts from all namespaces at once. */
void evict_everywhere(struct exec *x);

#endif
