/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AWS Signature Version 4 (the "Signature Version 4 signing process" pages of S3's API reference):
 * a pure function of the request, the time and the keys. Ours, because libcurl's own signer fails
 * on keys and continuation tokens that are legitimate. Knows no transport.
 */
#ifndef CAIRN_PERSISTENCE_S3_SIGN_H
#define CAIRN_PERSISTENCE_S3_SIGN_H

#include <stdint.h>

#include "persistence/text.h"

#define S3_PAIRS_MAX 16
#define S3_DATE_SIZE 17 /* 20260131T235959Z and a NUL */

/* A name and a value, neither encoded. */
struct s3_pair {
    const char *name;
    const char *value;
};

struct s3_pairs {
    struct s3_pair items[S3_PAIRS_MAX];
    size_t count;
};

/* Both strings are borrowed; at most S3_PAIRS_MAX. */
void s3_pairs_add(struct s3_pairs *pairs, const char *name, const char *value);

struct s3_sign_input {
    const char *method;
    const char *path; /* not encoded; begins with '/'; dot segments stay as they are */
    struct s3_pairs query;
    struct s3_pairs headers;  /* all that is to be signed, names in lower case, "host" among them */
    const char *payload_hash; /* lower-case hex, or UNSIGNED-PAYLOAD */
    const char *date;         /* as s3_date writes it */
    const char *region;
    const char *service; /* "s3" */
    const char *access_key;
    const char *secret_key;
};

/* Appends the value of the Authorization header. */
void s3_sign(const struct s3_sign_input *input, struct text *ret_authorization);

/* `seconds` since 1970. */
void s3_date(int64_t seconds, char out[S3_DATE_SIZE]);

/* Appends the path with all but A-Z a-z 0-9 - . _ ~ / as %XX: what is signed and what is sent. */
void s3_encode_path(const char *path, struct text *out);
/* Appends name=value&… in the order and form that is signed. */
void s3_encode_query(const struct s3_pairs *query, struct text *out);

#endif
