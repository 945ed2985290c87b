/* SPDX-License-Identifier: BSD-3-Clause */
/* One atomic holds the latest time given out; a clock that was set back stands still until then. */
#include "server/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t latest_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    int64_t now = read_us(CLOCK_REALTIME) / 1000;
    int64_t seen = atomic_load_explicit(&latest_ms, memory_order_relaxed);
    while (now > seen) {
        if (atomic_compare_exchange_weak_explicit(&latest_ms, &seen, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return now;
    }
    return seen;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}
