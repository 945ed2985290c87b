/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maxmemory with a policy other than noeviction. Keys carry no access times, so the LRU and LFU
 * policies pick at random among the keys they may take (docs/differences.md).
 */
#ifndef CAIRN_SERVER_EVICT_H
#define CAIRN_SERVER_EVICT_H

#include <stdbool.h>

struct exec;
struct loop;

/*
 * At the start of a turn, no lock held: while more memory is used than maxmemory, a moment's worth
 * of keys goes, from one namespace after the other.
 */
void evict_turn(struct loop *loop);
/*
 * Before a write: makes room in its namespace, if that is locked. False: memory does not fit, and
 * neither there nor elsewhere is a key that may go. While there are some the write is taken, as in
 * Redis: eviction goes on with the next turn.
 */
bool evict_for_write(struct exec *x);
/* After CONFIG SET maxmemory, no lock held: evicts from all namespaces at once. */
void evict_everywhere(struct exec *x);

#endif
