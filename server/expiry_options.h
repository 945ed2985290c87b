/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The expiry options that SET, GETEX and the commands of the EXPIRE family share: turning what a
 * client sent into an absolute deadline in Unix ms, with Redis's range checks and texts.
 */
#ifndef CAIRN_SERVER_EXPIRY_OPTIONS_H
#define CAIRN_SERVER_EXPIRY_OPTIONS_H

#include "server/exec.h"

enum expiry_unit {
    EXPIRY_SECONDS,      /* EX */
    EXPIRY_MILLISECONDS, /* PX */
    EXPIRY_AT_SECONDS,   /* EXAT */
    EXPIRY_AT_MILLISECONDS,
};

/*
 * EX, PX, EXAT or PXAT at argv[index]: sets unit and gives true.
 */
bool expiry_option(const struct exec *x, int index, enum expiry_unit *unit);

/*
 * argv[index] as a deadline. `positive`: what is not above zero is "invalid expire time" (SET,
 * GETEX, SETEX), else it lies in the past (EXPIRE). false: an error was written.
 */
bool expiry_deadline(struct exec *x, int index, enum expiry_unit unit, bool positive,
                     int64_t *deadline);

#endif
