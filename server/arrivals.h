/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What clients of this server see of the other servers of a shared store: ops that arrive from
 * them, and answers of ours that changed since theirs came first. These are persistence_options'
 * hooks; all are called with the namespace locked, on the syncer's thread unless said otherwise.
 */
#ifndef CAIRN_SERVER_ARRIVALS_H
#define CAIRN_SERVER_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "persistence/rebase.h"
#include "persistence/text.h"

/* Messages about changed answers: one JSON object each (arrivals_describe). */
#define ARRIVALS_CONFLICTS "__cairn__:conflicts"

/* Marks watchers, publishes the op's notifications, has blocked clients served by a loop. */
void arrivals_op(void *attachment, const struct op *op, const struct outcome *outcome);
/* Any thread. */
void arrivals_expired(void *attachment, struct slice key);
/* Counts, logs, publishes on ARRIVALS_CONFLICTS when somebody listens. */
void arrivals_differ(void *attachment, const struct op *op, const struct rebase_answer *was,
                     const struct rebase_answer *is, uint64_t position);
/* Somebody is blocked on a key here, or watches one, or listens to notifications. */
bool arrivals_awaited(void *attachment);

/*
 * Appends {"namespace","key","op","command","old":{"status",…},"new":{…},"position"}: byte strings
 * as json_writer.h has them, so any key and item survives. "command" is that of the op's keyspace
 * notification, left out where it has none. An answer has "number" where the command's
 * reply has one, "text" (FloatAdd, FloatMapAdd), "items" (ListPop, unless they are long).
 */
void arrivals_describe(struct text *out, struct slice space, const struct op *op,
                       const struct rebase_answer *was, const struct rebase_answer *is,
                       uint64_t position);

/* Now and then, on one loop: logs how many changed answers were not logged. */
void arrivals_tick(int64_t now);

#endif
