/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decimal numbers as text, added exactly, so that a float op gives the same bytes on every
 * processor (C's long double does not). Range and printed form are those Redis shows on x86:
 * magnitudes to 10^4932, 17 digits after the point, trailing zeros cut.
 */
#ifndef CAIRN_OPS_DECIMAL_H
#define CAIRN_OPS_DECIMAL_H

#include <stdint.h>

#include "ops/slice.h"

/* Texts of this length or longer are no numbers to Redis; it bounds the work here as well. */
#define DECIMAL_INPUT_MAX 5120
/* Room for any result: sign, 4933 digits, point, 17 digits. */
#define DECIMAL_TEXT_MAX 4960

enum decimal_status {
    DECIMAL_OK,
    DECIMAL_INVALID,  /* not a number, or NaN, or out of the range of a long double */
    DECIMAL_INFINITE, /* "inf", "-Infinity" …; or a sum out of range */
};

struct decimal_text {
    size_t len;
    char bytes[DECIMAL_TEXT_MAX];
};

/* What `text` would be as an operand: INCRBYFLOAT's argument. */
enum decimal_status decimal_check(struct slice text);

/*
 * a + b, rounded half to even at 17 digits after the point; no exponent, no "-0". `sum` is set
 * for DECIMAL_OK alone. INVALID goes before INFINITE.
 */
enum decimal_status decimal_add(struct slice a, struct slice b, struct decimal_text *sum);

#endif
