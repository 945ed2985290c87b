/* SPDX-License-Identifier: BSD-3-Clause */
/* Frees what is big on a thread of its own, off the request path. Any thread. */
#ifndef CAIRN_SERVER_LAZYFREE_H
#define CAIRN_SERVER_LAZYFREE_H

#include <stdint.h>

#include "ops/apply.h"

void lazyfree_start(void);
/* Frees what is left and ends the thread. */
void lazyfree_stop(void);

/* Takes the contents of a cleared keyspace (`keys` of them); NULL: nothing. */
void lazyfree_contents(struct inverse *contents, int64_t keys);
/* Takes a chain of keyspace_take_garbage; NULL: nothing. */
void lazyfree_garbage(struct garbage *chain);

int64_t lazyfree_pending(void);
int64_t lazyfree_freed(void);
void lazyfree_reset(void); /* CONFIG RESETSTAT: the count of freed objects */

#endif
