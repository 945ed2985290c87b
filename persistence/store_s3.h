/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store in an S3 bucket. Requests are signed by us and carried by libcurl on the event loop of
 * the handle: a loop of its own, run by store_wait, or one it is attached to (store_attach).
 *
 * Reads, unconditional PUTs and removals are tried again after a pause; a conditional PUT whose
 * outcome is open never is: it is STORE_UNKNOWN, and the caller reads the object.
 */
#ifndef CAIRN_PERSISTENCE_STORE_S3_H
#define CAIRN_PERSISTENCE_STORE_S3_H

#include "persistence/store.h"

/* bucket.host/key or host/bucket/key. AUTO: a bucket in the host name only on AWS. */
enum s3_style { S3_STYLE_AUTO, S3_STYLE_PATH, S3_STYLE_VIRTUAL };

/* NULL, empty or 0: the default, or none. */
struct s3_options {
    const char *endpoint; /* http(s)://host[:port][/path]; AWS_ENDPOINT_URL[_S3], else AWS's */
    const char *region;   /* as AWS's tools find it, else us-east-1 */
    enum s3_style style;
    const char *ca_file;           /* PEM; the system's */
    const char *sse;               /* x-amz-server-side-encryption: AES256, aws:kms */
    const char *sse_key;           /* … its key id */
    const char *storage_class;     /* of what is put */
    int64_t connect_timeout_ms;    /* 5 s */
    int64_t first_byte_timeout_ms; /* 15 s, after the request is sent */
    int64_t timeout_ms;            /* 60 s, for one attempt */
    int attempts;                  /* 4, the first one included */
    int64_t answer_max;            /* 1 GiB: an answer larger than this is refused */
};

/* What store_open uses for s3://bucket/prefix. Strings are copied. Before threads are started. */
void store_s3_configure(const struct s3_options *options);

/* `where`: s3://bucket or s3://bucket/prefix. Nothing is sent yet. */
enum store_result store_s3_create(const char *where, const struct s3_options *options,
                                  struct store **ret_store, struct text *error);

#define S3_KIND_LIST(X) X(GET, "get") X(PUT, "put") X(LIST, "list") X(REMOVE, "remove")
#define S3_STATUS_LIST(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(NOT_MODIFIED, "not-modified")                                                                \
    X(NOT_FOUND, "not-found")                                                                      \
    X(PRECONDITION, "precondition")                                                                \
    X(CLIENT_ERROR, "client-error") /* the rest of 3xx and 4xx */                                  \
    X(SERVER_ERROR, "server-error") /* 5xx */                                                      \
    X(NO_ANSWER, "no-answer")

enum s3_kind {
#define X(name, text) S3_KIND_##name,
    S3_KIND_LIST(X)
#undef X
        S3_KINDS
};
enum s3_status {
#define X(name, text) S3_STATUS_##name,
    S3_STATUS_LIST(X)
#undef X
        S3_STATUSES
};

/* Requests on the wire, retries included, of a handle and all its clones. */
struct s3_stats {
    int64_t counts[S3_KINDS][S3_STATUSES];
    int64_t retries;
    int64_t elapsed_ms; /* since the store was opened */
};
/* False when it is another kind of store. */
bool store_s3_stats(struct store *store, struct s3_stats *ret_stats);
/* Appends http(s)://host/bucket/prefix/. False when it is another kind of store. */
bool store_s3_url(struct store *store, struct text *out);
const char *s3_kind_name(enum s3_kind kind);
const char *s3_status_name(enum s3_status status);

/*
 * What 30 days of requests at the pace so far cost, in millionths of a dollar, at the prices of S3
 * Standard in us-east-1: 5 $ a million PUT and LIST, 0.40 $ a million GET. Storage and traffic are
 * not in it. In the first hour the pace is that of an hour with what there was so far.
 */
int64_t s3_stats_monthly_cost(const struct s3_stats *stats);

#endif
