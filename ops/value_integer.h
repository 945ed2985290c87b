/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Canonical integers: the int64 texts that Redis stores as numbers ("-7", not "-07", "+7", " 7").
 */
#ifndef CAIRN_OPS_VALUE_INTEGER_H
#define CAIRN_OPS_VALUE_INTEGER_H

#include <stdint.h>

#include "ops/slice.h"

enum { INTEGER_TEXT_MAX = 20 };

/* False, *number untouched, when `text` is not the canonical form of an int64. */
bool integer_parse(struct slice text, int64_t *number);
/* Writes the canonical text into `out`; returns it. */
struct slice integer_format(int64_t number, char out[24]);

#endif
