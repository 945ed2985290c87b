/* SPDX-License-Identifier: BSD-3-Clause */
/* What store_s3.h says about requests so far: names, and what they cost. */
#include "persistence/store_s3.h"

#define MONTH_MS (INT64_C(30) * 24 * 3600 * 1000)
/* Shorter times say nothing: at start a probe alone makes a hundred requests. */
#define LEAST_MS (INT64_C(3600) * 1000)
/* Millionths of a dollar for a thousand requests. */
#define PRICE_PUT_LIST 5000
#define PRICE_GET      400

const char *s3_kind_name(enum s3_kind kind)
{
    static const char *const names[] = {
#define X(name, text) [S3_KIND_##name] = (text),
        S3_KIND_LIST(X)
#undef X
    };
    return names[kind];
}

const char *s3_status_name(enum s3_status status)
{
    static const char *const names[] = {
#define X(name, text) [S3_STATUS_##name] = (text),
        S3_STATUS_LIST(X)
#undef X
    };
    return names[status];
}

/* Those that were answered: for what never arrived nobody asks money. 5xx is free too. */
static int64_t paid(const struct s3_stats *stats, enum s3_kind kind)
{
    int64_t sum = 0;
    for (int status = 0; status < S3_STATUSES; status++)
        if (status != S3_STATUS_NO_ANSWER && status != S3_STATUS_SERVER_ERROR)
            sum += stats->counts[kind][status];
    return sum;
}

int64_t s3_stats_monthly_cost(const struct s3_stats *stats)
{
    double thousandths =
        (double)(paid(stats, S3_KIND_PUT) + paid(stats, S3_KIND_LIST)) * PRICE_PUT_LIST +
        (double)paid(stats, S3_KIND_GET) * PRICE_GET;
    int64_t elapsed = stats->elapsed_ms > LEAST_MS ? stats->elapsed_ms : LEAST_MS;
    return (int64_t)(thousandths / 1000 * (double)MONTH_MS / (double)elapsed);
}
