/* SPDX-License-Identifier: BSD-3-Clause */
/* See processor_use.h. */
#include "persistence/processor_use.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_US 200000 /* the shortest time that tells something */

bool processor_use_is_much(int64_t used, int64_t elapsed, int processors)
{
    return used / 3 >= elapsed / 4 * processors;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t microseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static int64_t all_used_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return 0;
    return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

/* Machines with more than cpu_set_t has bits do not tell which: then it is all of them. */
static int processors(void)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
    return online > 0 ? (int)online : 1;
}

bool processor_use_scarce(struct processor_use *use)
{
    int64_t now = now_us(), elapsed = now - use->at_us;
    if (use->at_us && elapsed < WINDOW_US)
        return use->scarce;
    int64_t used = all_used_us();
    use->scarce = use->at_us && processor_use_is_much(used - use->used_us, elapsed, processors());
    use->at_us = now;
    use->used_us = used;
    return use->scarce;
}

bool processor_use_puts_off(bool scarce, int64_t now_ms, int64_t *since)
{
    if (scarce && !*since)
        *since = now_ms;
    if (scarce && now_ms - *since < PROCESSOR_USE_PATIENCE_MS)
        return true;
    *since = 0;
    return false;
}
