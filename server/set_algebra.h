/* SPDX-License-Identifier: BSD-3-Clause */
/* Handlers over several sets; their rows are in set_commands.c. */
#ifndef CAIRN_SERVER_SET_ALGEBRA_H
#define CAIRN_SERVER_SET_ALGEBRA_H

#include "server/exec.h"

void sinter_command(struct exec *x);
void sintercard_command(struct exec *x);
void sinterstore_command(struct exec *x);
void sunion_command(struct exec *x);
void sunionstore_command(struct exec *x);
void sdiff_command(struct exec *x);
void sdiffstore_command(struct exec *x);

int sintercard_keys(const struct slice *argv, int argc, int *out, int cap);

#endif
