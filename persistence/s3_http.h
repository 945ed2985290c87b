/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP for the S3 store: libcurl's multi interface driven by a libevent loop. One exchange is one
 * request on the wire, never more: what may be sent again, the store decides. Knows no S3.
 */
#ifndef CAIRN_PERSISTENCE_S3_HTTP_H
#define CAIRN_PERSISTENCE_S3_HTTP_H

#include <curl/curl.h>
#include <event2/event.h>

#include "persistence/s3_sign.h"

#define S3_HTTP_ERROR_MAX 160
#define S3_HTTP_FIELD_MAX 128 /* of an answer's header; longer ones count as absent */

struct s3_http_limits {
    long connect_ms, first_byte_ms, whole_ms;
    size_t answer_max;   /* bytes of a body with status 200 */
    const char *ca_file; /* NULL: the system's */
};

struct s3_http;

/* `base` NULL: a loop of its own, for s3_http_run. */
struct s3_http *s3_http_create(struct event_base *base);
/* NULL-safe. No exchange may be under way. */
void s3_http_destroy(struct s3_http *http);
struct event_base *s3_http_base(struct s3_http *http);
/* Runs the loop until `*finished`. Not from within one of its callbacks. */
void s3_http_run(struct s3_http *http, const bool *finished);

enum s3_http_result {
    S3_HTTP_ANSWERED,
    S3_HTTP_NOT_SENT,   /* the server cannot have seen the whole request */
    S3_HTTP_BROKEN,     /* it may have */
    S3_HTTP_DISTRUSTED, /* TLS: the certificate is not to be trusted; nothing was sent */
    S3_HTTP_TOO_LARGE,  /* the answer is */
};

/* The caller's until `done`; all zero but the asking part. */
struct s3_exchange {
    const char *method; /* GET, PUT, DELETE */
    const char *url;
    struct s3_pairs headers;
    struct slice body;
    bool send_once; /* not even libcurl may send the body a second time */
    const struct s3_http_limits *limits;
    void (*done)(struct s3_exchange *exchange);
    void *ctx;

    enum s3_http_result result;
    long status;
    char etag[S3_HTTP_FIELD_MAX];          /* as the server wrote it */
    char bucket_region[S3_HTTP_FIELD_MAX]; /* x-amz-bucket-region */
    int64_t retry_after_s;                 /* 0: not said */
    int64_t date;                          /* seconds since 1970; 0: not said */
    struct text answer;                    /* kept whatever the status */
    char error[S3_HTTP_ERROR_MAX];         /* when not answered */

    struct s3_http *http; /* the rest is private */
    CURL *easy;
    struct curl_slist *list;
    struct event *patience;
    size_t sent, header_bytes;
    bool head_whole, chunked, too_large;
};

/* `done` comes later, from the loop. */
void s3_exchange_start(struct s3_http *http, struct s3_exchange *exchange);
/* Gives up an exchange under way: no `done`. Harmless on one that is not. */
void s3_exchange_abort(struct s3_exchange *exchange);
/* Frees the answer. */
void s3_exchange_release(struct s3_exchange *exchange);

#endif
