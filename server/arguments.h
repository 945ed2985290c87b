/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments that several families read alike: counts, waits, and keys that follow their number. */
#ifndef CAIRN_SERVER_ARGUMENTS_H
#define CAIRN_SERVER_ARGUMENTS_H

#include "server/exec.h"

/* Any int64 but the least, so that it can be negated. false: an error was written. */
bool argument_signed_count(struct exec *x, int index, int64_t *count);
/* "ERR value is out of range, must be positive" unless it is 0 or more. */
bool argument_count(struct exec *x, int index, int64_t *count);
/* A wait of 0 ms or more that ends before time does. */
bool argument_milliseconds(struct exec *x, int index, int64_t *ms);
/* The number of keys at argv[index]: 1 or more; may be more than there are. */
bool argument_numkeys(struct exec *x, int index, int64_t *numkeys);
/* For struct command.keys: as many keys as argv[index] says follow it. */
int argument_keys(const struct slice *argv, int argc, int index, int *out, int cap);

#endif
