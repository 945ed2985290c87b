/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From "there is a store" to "its namespaces may be used": the probe, the names of what it holds,
 * the journal's ops on top of it. A directory goes through that before the start is over. A bucket
 * may be out of reach: then the server starts without it, this tries again and again, and nothing
 * of the store is served or written before all of it has succeeded once.
 */
#ifndef CAIRN_PERSISTENCE_OPENING_H
#define CAIRN_PERSISTENCE_OPENING_H

#include "persistence/namespace-internal.h"
#include "persistence/recovery.h"

/* A directory: all of it at once, before there is a syncer. */
enum persistence_status opening_run_now(struct persistence *p, struct recovery *recovery,
                                        struct text *error);

/* A bucket: takes `recovery`. Before there is a syncer. */
void opening_prepare(struct persistence *p, struct recovery *recovery);
/*
 * Starts it on the syncer's thread, and waits until it has succeeded, failed for good (an error
 * status), or has to try again: then OK, and persistence_loading says so.
 */
enum persistence_status opening_begin(struct persistence *p, struct text *error);
/* From now on options.failed tells what fails for good. */
void opening_arm(struct persistence *p);

/* The rest is the syncer's. */
/* The next try, when it is due. */
void opening_beat(struct persistence *p);
/* Why nothing can be loaded yet; borrowed until the syncer's thread goes on. */
const char *opening_reason(const struct persistence *p);

/* Ops of the journal, *ret_ops many, are not on top of the store yet: the journal must stay. No
 * thread runs. */
bool opening_owes(const struct persistence *p, int64_t *ret_ops);
void opening_destroy(struct persistence *p);

#endif
