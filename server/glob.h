/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET, with Redis's meaning: * ? [a-z] [^a-z] and \
 * before a character that stands for itself.
 */
#ifndef CAIRN_SERVER_GLOB_H
#define CAIRN_SERVER_GLOB_H

#include <stdbool.h>

#include "ops/slice.h"

/* Time is at most the product of the lengths, whatever the pattern. */
bool glob_match(struct slice pattern, struct slice text, bool ignore_case);

#endif
