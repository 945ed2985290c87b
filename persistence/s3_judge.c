/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_judge.h. */
#include "persistence/s3_judge.h"

static bool is_conditional(const struct s3_judged *j)
{
    return j->verb == STORE_PUT && j->condition != STORE_ALWAYS;
}

static bool has_code(const struct s3_judged *j, const char *code)
{
    return strcmp(j->code, code) == 0;
}

/* The request may have been carried out, or may be yet. */
static struct s3_verdict open_outcome(const struct s3_judged *j)
{
    bool reads = j->verb == STORE_GET || j->verb == STORE_LIST;
    return (struct s3_verdict){.result = reads ? STORE_TRANSIENT : STORE_UNKNOWN,
                               .retry = !is_conditional(j)};
}

static struct s3_verdict judge_unanswered(const struct s3_judged *j)
{
    switch (j->sent) {
    case S3_HTTP_ANSWERED: break;
    case S3_HTTP_NOT_SENT:
        return (struct s3_verdict){.result = STORE_TRANSIENT, .retry = !is_conditional(j)};
    case S3_HTTP_DISTRUSTED: return (struct s3_verdict){.result = STORE_DENIED};
    case S3_HTTP_TOO_LARGE: return (struct s3_verdict){.result = STORE_INVALID};
    case S3_HTTP_BROKEN: break;
    }
    return open_outcome(j);
}

static struct s3_verdict judge_missing(const struct s3_judged *j)
{
    enum store_result result = STORE_DENIED; /* a bucket that is not there */
    if (!has_code(j, "NoSuchBucket") && j->verb != STORE_LIST) {
        if (j->verb != STORE_PUT)
            result = STORE_NOT_FOUND;
        else if (j->condition == STORE_IF_MATCH)
            result = STORE_PRECONDITION; /* the key is gone */
    }
    return (struct s3_verdict){.result = result};
}

/* 400 and 403: refused, nothing was done. */
static struct s3_verdict judge_refused(const struct s3_judged *j)
{
    static const char *const expired[] = {"ExpiredToken", "ExpiredTokenException",
                                          "TokenRefreshRequired", "RequestExpired"};
    struct s3_verdict verdict = {.result = j->status == 400 ? STORE_INVALID : STORE_DENIED};
    if (has_code(j, "RequestTimeout") || has_code(j, "IncompleteBody"))
        return open_outcome(j);
    if (has_code(j, "RequestTimeTooSkewed")) {
        verdict.result = STORE_TRANSIENT;
        verdict.clock_off = true;
        verdict.retry = !is_conditional(j);
    }
    for (size_t i = 0; i < sizeof(expired) / sizeof(expired[0]); i++) {
        if (has_code(j, expired[i])) {
            verdict.result = STORE_TRANSIENT;
            verdict.keys_refused = true;
            verdict.retry = !is_conditional(j);
        }
    }
    if (has_code(j, "InvalidAccessKeyId") || has_code(j, "InvalidToken") ||
        has_code(j, "InvalidClientTokenId")) {
        verdict.result = STORE_DENIED;
        verdict.keys_refused = true;
    }
    if (has_code(j, "QuotaExceeded"))
        verdict.result = STORE_NO_SPACE;
    if (has_code(j, "AuthorizationHeaderMalformed") || has_code(j, "MissingSecurityHeader"))
        verdict.result = STORE_DENIED;
    return verdict;
}

static enum store_result on_success(const struct s3_judged *j)
{
    bool expected = j->status == 200 || (j->verb == STORE_REMOVE && j->status == 204) ||
                    (j->verb == STORE_PUT && (j->status == 201 || j->status == 204));
    return expected ? STORE_OK : STORE_INVALID;
}

struct s3_verdict s3_judge(const struct s3_judged *j)
{
    if (j->sent != S3_HTTP_ANSWERED)
        return judge_unanswered(j);
    if (j->status >= 200 && j->status < 300)
        return (struct s3_verdict){.result = on_success(j)};
    switch (j->status) {
    case 304:
        if (j->verb == STORE_GET)
            return (struct s3_verdict){.result = STORE_NOT_MODIFIED};
        return (struct s3_verdict){.result =
                                       is_conditional(j) ? STORE_PRECONDITION : STORE_INVALID};
    case 301:
    case 307:
    case 308: return (struct s3_verdict){.result = STORE_DENIED};
    case 400:
    case 401:
    case 403: return judge_refused(j);
    case 404: return judge_missing(j);
    case 408:
    case 409:
    case 425:
    case 429: return open_outcome(j);
    case 412:
        return (struct s3_verdict){.result =
                                       is_conditional(j) ? STORE_PRECONDITION : STORE_INVALID};
    case 501: return (struct s3_verdict){.result = STORE_INVALID};
    case 507: return (struct s3_verdict){.result = STORE_NO_SPACE};
    }
    return j->status >= 500 ? open_outcome(j) : (struct s3_verdict){.result = STORE_INVALID};
}
