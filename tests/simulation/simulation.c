/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *     simulation [SEEDS [FIRST]]    that many seeds, from FIRST (1) on
 *
 * A seed that fails prints its trace; `simulation 1 SEED` repeats it. With TRACE=1 every trace is
 * printed. Ends with `N passed, N failed`; every fault, crash and event must have happened when
 * there were seeds enough.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/simulation/sim.h"

#define ENOUGH_SEEDS 1000

#define X(name) #name,
static const char *const fault_names[] = {SIM_FAULT_LIST(X)};
static const char *const crash_names[] = {SIM_CRASH_LIST(X)};
static const char *const event_names[] = {SIM_EVENT_LIST(X)};
#undef X

/* Runs it twice when asked to: the second time must tell the same story. */
static bool run_seed(uint64_t seed, bool twice, struct sim_totals *totals)
{
    struct text trace = {0}, again = {0};
    struct sim_totals ignored = {0};
    bool ok = world_run(seed, totals, &trace);
    if (!ok || getenv("TRACE"))
        fwrite(trace.data, 1, trace.len, stdout);
    if (!ok)
        printf("seed %" PRIu64 " failed\n", seed);
    if (ok && twice) {
        world_run(seed, &ignored, &again);
        ok = slice_equal(text_slice(&trace), text_slice(&again));
        if (!ok)
            printf("seed %" PRIu64 " did not repeat\n", seed);
    }
    text_release(&trace);
    text_release(&again);
    return ok;
}

static bool print_counts(const char *title, const char *const *names, const uint64_t *counts,
                         int count)
{
    bool all = true;
    printf("%s:", title);
    for (int i = 0; i < count; i++) {
        printf(" %s %" PRIu64, names[i], counts[i]);
        all &= counts[i] > 0;
    }
    printf("\n");
    return all;
}

int main(int argc, char **argv)
{
    static const unsigned char fixed[16] = "a fixed hash key";
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000, failed = 0;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct sim_totals totals = {0};
    key_hash_seed(fixed);
    for (uint64_t i = 0; i < seeds; i++)
        if (!run_seed(first + i, i % 50 == 0, &totals) && ++failed == 10)
            break;
    bool all = print_counts("faults", fault_names, totals.faults, SIM_FAULT_COUNT);
    all = print_counts("crashes", crash_names, totals.crashes, SIM_CRASH_COUNT) && all;
    all = print_counts("events", event_names, totals.events, SIM_EVENT_COUNT) && all;
    printf("ops %" PRIu64 " commits %" PRIu64 "\n", totals.ops, totals.commits);
    if (!all && !failed && seeds >= ENOUGH_SEEDS) {
        printf("something never happened\n");
        failed++;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", seeds - failed, failed);
    return failed ? 1 : 0;
}
