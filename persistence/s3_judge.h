/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an answer of S3, or the lack of one, means for a request of the store, and whether the store
 * may ask again by itself. A pure function, so that the whole table is tested. The rule above all:
 * a conditional PUT whose outcome is open is UNKNOWN and is never sent again from here.
 */
#ifndef CAIRN_PERSISTENCE_S3_JUDGE_H
#define CAIRN_PERSISTENCE_S3_JUDGE_H

#include "persistence/s3_http.h"
#include "persistence/store.h"

struct s3_judged {
    enum store_verb verb;
    enum store_condition condition;
    enum s3_http_result sent;
    long status;
    const char *code; /* of the error body: "SlowDown"; "" when it has none */
};

struct s3_verdict {
    enum store_result result; /* if this was the last attempt */
    bool retry;               /* another attempt cannot change what the result means */
    bool keys_refused;        /* the keys may have expired or been replaced */
    bool clock_off;           /* the server's clock and ours are too far apart */
};

struct s3_verdict s3_judge(const struct s3_judged *judged);

#endif
