/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * While the wall clock goes on at its speed it is ahead of every line of half speed, so it is the
 * time; set back, it is behind, and the line is. Both atomics are maxima, so neither needs the
 * other to be of the same reading.
 */
#include "server/clock.h"

#include <time.h>

static struct clock_state process_clock;

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The larger of what was there and `value`, which is there then. */
static int64_t raise_to(_Atomic int64_t *highest, int64_t value)
{
    int64_t seen = atomic_load_explicit(highest, memory_order_relaxed);
    while (value > seen) {
        if (atomic_compare_exchange_weak_explicit(highest, &seen, value, memory_order_relaxed,
                                                  memory_order_relaxed))
            return value;
    }
    return seen;
}

int64_t clock_step(struct clock_state *clock, int64_t wall_us, int64_t monotonic_us)
{
    int64_t line = atomic_load_explicit(&clock->line_us, memory_order_relaxed);
    int64_t slow = (line + monotonic_us) / 2;
    int64_t now = wall_us > slow ? wall_us : slow;
    raise_to(&clock->line_us, 2 * now - monotonic_us);
    return raise_to(&clock->latest_us, now);
}

int64_t clock_ms(void)
{
    int64_t wall = read_us(CLOCK_REALTIME);
    return clock_step(&process_clock, wall, read_us(CLOCK_MONOTONIC)) / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}
