/* SPDX-License-Identifier: BSD-3-Clause */
/* Time for pauses and durations, whatever becomes of the wall clock. Any thread. */
#ifndef CAIRN_PERSISTENCE_MONOTONIC_H
#define CAIRN_PERSISTENCE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment before this process began. */
static inline int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
