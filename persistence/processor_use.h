/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this process keeps the processors it may run on busy, so that work that can wait does.
 * What others on the machine do is not looked at: they would take their share all the same.
 */
#ifndef CAIRN_PERSISTENCE_PROCESSOR_USE_H
#define CAIRN_PERSISTENCE_PROCESSOR_USE_H

#include <stdbool.h>
#include <stdint.h>

/* Of one thread. All zero: nothing is known yet, so they are not scarce. */
struct processor_use {
    int64_t at_us, used_us; /* at the last look */
    bool scarce;
};

/* Of `elapsed` of each of `processors`, all threads together have had `used`; in one unit. */
bool processor_use_is_much(int64_t used, int64_t elapsed, int processors);

/* From the time since the last look, or, where that is too short to tell, as it was then. */
bool processor_use_scarce(struct processor_use *use);

#define PROCESSOR_USE_PATIENCE_MS 10000

/*
 * Whether work that can wait is to do so: while they are scarce, for PROCESSOR_USE_PATIENCE_MS at
 * the most. `since`: when it was first put off, 0 when it is not; `now_ms`: of monotonic_ms.
 */
bool processor_use_puts_off(bool scarce, int64_t now_ms, int64_t *since);

#endif
