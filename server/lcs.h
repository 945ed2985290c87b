/* SPDX-License-Identifier: BSD-3-Clause */
/* LCS: the longest common subsequence of two strings. A row of string_commands. */
#ifndef CAIRN_SERVER_LCS_H
#define CAIRN_SERVER_LCS_H

struct exec;

void lcs_command(struct exec *x);

#endif
