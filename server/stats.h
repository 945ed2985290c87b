/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters for INFO. Each loop has its own set, written by its thread alone with relaxed stores;
 * INFO adds them up. CONFIG RESETSTAT remembers the sums of that moment and INFO subtracts them, so
 * that no thread ever writes another's counters.
 */
#ifndef CAIRN_SERVER_STATS_H
#define CAIRN_SERVER_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "persistence/text.h"

/* clang-format off */
#define STAT_LIST(X)                                                                            \
    X(CONNECTIONS) X(COMMANDS) X(INPUT_BYTES) X(OUTPUT_BYTES) X(REJECTED_CONNECTIONS)           \
    X(EXPIRED_KEYS) X(EVICTED_KEYS) X(KEYSPACE_HITS) X(KEYSPACE_MISSES) X(ERROR_REPLIES)        \
    X(ACTIVE_EXPIRE_US) X(EXPIRE_CYCLES_CUT) X(READS) X(WRITES) X(TURNS) X(BATCHES)             \
    X(QUERY_LIMIT_CLOSED) X(OUTPUT_LIMIT_CLOSED) X(UNBLOCKED) X(PUBSUB_MESSAGES)                \
    X(DENIED) X(ARRIVED_OPS) X(CHANGED_ANSWERS)
/* clang-format on */

enum stats_counter {
#define X(name) STAT_##name,
    STAT_LIST(X)
#undef X
        STAT_COUNT
};

struct command_stats {
    _Atomic int64_t calls, usec, rejected, failed;
};

struct loop_stats {
    _Atomic int64_t counters[STAT_COUNT];
    struct command_stats *commands; /* by command id */
};

void stats_init(struct loop_stats *stats);
void stats_release(struct loop_stats *stats);

/* For the owner thread: a plain add, since nobody else writes. */
static inline void stats_bump(_Atomic int64_t *counter, int64_t by)
{
    int64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + by, memory_order_relaxed);
}

/* Counts in the calling loop's set, or in that of all other threads. */
void stats_count(enum stats_counter stat, int64_t by);

/* Sums over all loops since the last reset. Any thread. */
int64_t stats_sum(enum stats_counter stat);
struct command_totals {
    int64_t calls, usec, rejected, failed;
};
struct command_totals stats_command(size_t command_id);
void stats_reset(void);

/* errorstats: counts an error reply by its code, the first word of `text`. Any thread. */
void stats_error(const char *text, size_t len);
/* Appends "errorstat_<code>:count=<n>\r\n" lines in the order of codes. */
void stats_errors_print(struct text *out);

/* Operations and bytes a second over the last samples; sampled by cron of loop 0. */
void stats_sample(int64_t now_ms);
struct stats_rates {
    int64_t commands, input, output; /* a second */
};
struct stats_rates stats_rates(void);

#endif
