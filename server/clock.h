/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process's clock: wall-clock milliseconds that never go back, whichever thread asks. Ops carry
 * its time, so a step back of the machine's clock must not make a later op look earlier.
 */
#ifndef CAIRN_SERVER_CLOCK_H
#define CAIRN_SERVER_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);
/* For durations and for TIME: monotonic and wall-clock microseconds. */
int64_t clock_monotonic_us(void);
int64_t clock_wall_us(void);

#endif
