/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers that come when something is as durable as was asked for: WAIT, WAITAOF, SAVE, CAIRN SYNC.
 */
#ifndef CAIRN_SERVER_WAIT_H
#define CAIRN_SERVER_WAIT_H

#include "persistence/persistence.h"
#include "server/exec.h"

/* Writes the reply. reached: in time, and without error; status and position as sync gave them. */
typedef void wait_answer(struct resp_writer *out, bool reached, enum persistence_status status,
                         uint64_t position);

/*
 * Waits until all that this client wrote is at `level`, at most `ms` (0: for ever), then calls
 * `answer`: at once when it is so already, when the command is inside EXEC, or when `block` is
 * false. Not under any lock but EXEC's.
 */
void wait_for_writes(struct exec *x, enum durability level, int64_t ms, bool block,
                     wait_answer *answer);
/* Starts a sync of ns (NULL: all) and answers behind it. */
void wait_for_sync(struct exec *x, struct namespace *ns, wait_answer *answer);
/* Waits until the client's namespace, which is locked, is at `position`, at most `ms` (0: for
 * ever); replies with the position it is at. Inside EXEC, and with a store in memory, at once. */
void wait_for_position(struct exec *x, uint64_t position, int64_t ms);

/* The error of CLIENT UNBLOCK, counted as one of the command that the client waits in. */
void wait_write_unblocked(struct client *client, struct resp_writer *out);
/* CLIENT UNBLOCK of one who waits here, but for a sync: as at its timeout, or with an error. */
bool wait_unblock(struct client *client, bool with_error);

#endif
