/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process's clock: wall-clock milliseconds that never go back, whichever thread asks. Ops carry
 * its time, so a step back of the machine's clock must not make a later op look earlier. After one
 * it goes on at half speed until the machine's clock has caught up: an hour is made good in two,
 * and whoever waits for a time waits twice as long at the most.
 */
#ifndef CAIRN_SERVER_CLOCK_H
#define CAIRN_SERVER_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

int64_t clock_ms(void);
/* For durations and for TIME: monotonic and wall-clock microseconds. */
int64_t clock_monotonic_us(void);
int64_t clock_wall_us(void);

/* What clock_ms keeps, all zero at first; both only grow. */
struct clock_state {
    _Atomic int64_t latest_us; /* the latest time given out */
    /* Through each time that was given out goes a line of half speed over the monotonic clock: of
     * these the latest, as 2 * time - monotonic. */
    _Atomic int64_t line_us;
};

/*
 * The time in microseconds, from readings of both clocks, the wall clock's first: read the other
 * way round, what passes in between would be in the line. Any thread.
 */
int64_t clock_step(struct clock_state *clock, int64_t wall_us, int64_t monotonic_us);

#endif
