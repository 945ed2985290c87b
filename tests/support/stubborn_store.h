/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store before one with faults, that does not give up: what did not happen is asked for again,
 * and of an open outcome it finds out by reading, as the sync does. So a suite for sound stores
 * runs behind injected faults: what it sees is what the conditions of PUTs are worth under them.
 */
#ifndef CAIRN_TESTS_STUBBORN_STORE_H
#define CAIRN_TESTS_STUBBORN_STORE_H

#include "persistence/store_faulty.h"

/* Takes `faulty`, one of store_faulty.h. An object that is put under a condition must be told from
 * what was there before, and from what others put at that time. */
struct store *stubborn_store_create(struct store *faulty);
/* How often each fault has befallen the stores that are closed by now. */
uint64_t stubborn_store_faults(enum store_fault fault);

#endif
