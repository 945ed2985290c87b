/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a bucket is and how it is spoken to: what all handles on one S3 store share. Any thread.
 */
#ifndef CAIRN_PERSISTENCE_S3_SITE_H
#define CAIRN_PERSISTENCE_S3_SITE_H

#include <stdatomic.h>

#include "persistence/credentials.h"
#include "persistence/s3_http.h"
#include "persistence/store_s3.h"

#define S3_REGION_MAX 64

struct s3_site {
    atomic_int handles;
    char *base;        /* https://bucket.s3.eu-west-1.amazonaws.com, without a '/' at its end */
    char *host;        /* as the Host header says it */
    char *root;        /* what the path of every request begins with: "/" or "/bucket/", … */
    char *bucket_path; /* the path of the bucket itself, for listings */
    char *prefix;      /* of every key: "" or "some/where/" */
    char *label;       /* s3://bucket/prefix, for messages */
    char region[S3_REGION_MAX];
    char *ca_file, *sse, *sse_key, *storage_class; /* NULL: none */
    struct s3_http_limits limits;
    int attempts;
    struct credentials_provider *credentials;
    atomic_bool bare_etags;         /* If-Match without quotes */
    _Atomic int64_t clock_offset_s; /* the server's clock minus ours, when it said they differ */
    int64_t opened_ms;              /* monotonic */
    _Atomic int64_t counts[S3_KINDS][S3_STATUSES];
    _Atomic int64_t retries;
};

enum store_result s3_site_create(const char *where, const struct s3_options *options,
                                 struct s3_site **ret_site, struct text *error);
struct s3_site *s3_site_share(struct s3_site *site);
void s3_site_release(struct s3_site *site); /* by the last handle: frees */

#endif
