/* SPDX-License-Identifier: BSD-3-Clause */
/* What is answered for a namespace that is not in memory and cannot be loaded now. */
#ifndef CAIRN_SERVER_REFUSAL_H
#define CAIRN_SERVER_REFUSAL_H

#include <stdbool.h>

#include "persistence/namespace.h"

#define REFUSAL_MAX 768

struct client;
struct command;

/* True: it cannot be used now, and `why` is the error. It is locked, and not ready. */
bool refusal_of(struct namespace *ns, char why[REFUSAL_MAX]);
/* Answers so instead of running the command. What would have been queued is not there, and the EXEC
 * that is refused was the end of its transaction. No lock. */
void refusal_answer(struct client *client, const struct command *command, const char *why);

#endif
