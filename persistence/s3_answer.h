/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What S3's XML answers say: a page of a listing, an error. All of it comes from outside: bounded,
 * and refused when it is not what was asked for. Knows no transport.
 */
#ifndef CAIRN_PERSISTENCE_S3_ANSWER_H
#define CAIRN_PERSISTENCE_S3_ANSWER_H

#include "persistence/store-internal.h"

#define S3_TOKEN_MAX 4096
#define S3_CODE_MAX  64

struct s3_page {
    bool truncated;
    struct text token; /* to continue with when truncated */
};

void s3_page_release(struct s3_page *page);

/*
 * Adds a page's keys to the request's items, `prefix` taken off. Keys that do not begin with the
 * prefix and the request's key, or that no store of ours would have written, are passed over.
 * False: no such answer.
 */
bool s3_answer_list(struct slice body, const char *prefix, struct store_request *request,
                    struct s3_page *ret_page);

struct s3_error {
    char code[S3_CODE_MAX]; /* "NoSuchKey"; empty when the body says none */
    char message[160];      /* printable */
};
/* Never fails: what cannot be read gives empty strings. */
void s3_answer_error(struct slice body, struct s3_error *ret_error);

#endif
