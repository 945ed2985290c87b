/* SPDX-License-Identifier: BSD-3-Clause */
/* Subcommands of CAIRN that read the store in the background: handlers for cairn_commands.c. */
#ifndef CAIRN_SERVER_CAIRN_READING_H
#define CAIRN_SERVER_CAIRN_READING_H

#include "server/exec.h"

void cairn_namespaces(struct exec *x);
void cairn_history(struct exec *x); /* [count] */
void cairn_verify(struct exec *x);  /* [namespace] */

#endif
