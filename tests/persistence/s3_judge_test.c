/* SPDX-License-Identifier: BSD-3-Clause */
/* What each answer means: the table that swaps rest on. */
#include "persistence/s3_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct s3_verdict judge(enum store_verb verb, enum store_condition condition, long status,
                               const char *code)
{
    struct s3_judged judged = {verb, condition, S3_HTTP_ANSWERED, status, code};
    return s3_judge(&judged);
}

static struct s3_verdict judge_none(enum store_verb verb, enum store_condition condition,
                                    enum s3_http_result sent)
{
    struct s3_judged judged = {verb, condition, sent, 0, ""};
    return s3_judge(&judged);
}

static void a_swap_is_done_refused_or_open(void **state)
{
    static const struct {
        long status;
        enum store_result result;
    } rows[] = {{200, STORE_OK},      {412, STORE_PRECONDITION}, {304, STORE_PRECONDITION},
                {409, STORE_UNKNOWN}, {500, STORE_UNKNOWN},      {502, STORE_UNKNOWN},
                {503, STORE_UNKNOWN}, {504, STORE_UNKNOWN},      {408, STORE_UNKNOWN},
                {429, STORE_UNKNOWN}, {501, STORE_INVALID},      {507, STORE_NO_SPACE},
                {403, STORE_DENIED},  {400, STORE_INVALID},      {301, STORE_DENIED}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int c = STORE_IF_ABSENT; c <= STORE_IF_MATCH; c++) {
            struct s3_verdict verdict =
                judge(STORE_PUT, (enum store_condition)c, rows[i].status, "");
            assert_int_equal(verdict.result, rows[i].result);
            assert_false(verdict.retry);
        }
    }
}

static void a_swap_is_never_sent_again_from_here(void **state)
{
    static const char *const codes[] = {
        "", "SlowDown", "RequestTimeTooSkewed", "InternalError", "RequestTimeout", "ExpiredToken"};
    (void)state;
    for (long status = 100; status < 600; status++)
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
            for (int c = STORE_IF_ABSENT; c <= STORE_IF_MATCH; c++)
                assert_false(judge(STORE_PUT, (enum store_condition)c, status, codes[i]).retry);
    for (int sent = S3_HTTP_NOT_SENT; sent <= S3_HTTP_TOO_LARGE; sent++)
        for (int c = STORE_IF_ABSENT; c <= STORE_IF_MATCH; c++)
            assert_false(
                judge_none(STORE_PUT, (enum store_condition)c, (enum s3_http_result)sent).retry);
}

static void no_answer_is_open_only_if_the_request_may_have_arrived(void **state)
{
    (void)state;
    assert_int_equal(judge_none(STORE_PUT, STORE_IF_MATCH, S3_HTTP_BROKEN).result, STORE_UNKNOWN);
    assert_int_equal(judge_none(STORE_PUT, STORE_IF_MATCH, S3_HTTP_NOT_SENT).result,
                     STORE_TRANSIENT);
    assert_int_equal(judge_none(STORE_PUT, STORE_ALWAYS, S3_HTTP_BROKEN).result, STORE_UNKNOWN);
    assert_true(judge_none(STORE_PUT, STORE_ALWAYS, S3_HTTP_BROKEN).retry);
    assert_int_equal(judge_none(STORE_REMOVE, STORE_ALWAYS, S3_HTTP_BROKEN).result, STORE_UNKNOWN);
    assert_int_equal(judge_none(STORE_GET, STORE_ALWAYS, S3_HTTP_BROKEN).result, STORE_TRANSIENT);
    assert_true(judge_none(STORE_GET, STORE_ALWAYS, S3_HTTP_BROKEN).retry);
    assert_int_equal(judge_none(STORE_GET, STORE_ALWAYS, S3_HTTP_DISTRUSTED).result, STORE_DENIED);
}

static void missing_means_what_was_asked(void **state)
{
    (void)state;
    assert_int_equal(judge(STORE_GET, STORE_ALWAYS, 404, "NoSuchKey").result, STORE_NOT_FOUND);
    assert_int_equal(judge(STORE_REMOVE, STORE_ALWAYS, 404, "NoSuchKey").result, STORE_NOT_FOUND);
    assert_int_equal(judge(STORE_PUT, STORE_IF_MATCH, 404, "NoSuchKey").result, STORE_PRECONDITION);
    for (int verb = STORE_GET; verb <= STORE_REMOVE; verb++)
        assert_int_equal(judge((enum store_verb)verb, STORE_IF_MATCH, 404, "NoSuchBucket").result,
                         STORE_DENIED);
}

static void reads_and_unconditional_writes_are_tried_again_when_the_server_is_busy(void **state)
{
    static const enum store_verb verbs[] = {STORE_GET, STORE_PUT, STORE_LIST, STORE_REMOVE};
    static const long statuses[] = {500, 502, 503, 504, 429, 408};
    (void)state;
    for (size_t v = 0; v < 4; v++)
        for (size_t s = 0; s < 6; s++)
            assert_true(judge(verbs[v], STORE_ALWAYS, statuses[s], "SlowDown").retry);
    assert_false(judge(STORE_GET, STORE_ALWAYS, 403, "AccessDenied").retry);
    assert_false(judge(STORE_GET, STORE_ALWAYS, 404, "NoSuchKey").retry);
}

static void expired_keys_and_wrong_clocks_are_noticed(void **state)
{
    (void)state;
    struct s3_verdict expired = judge(STORE_GET, STORE_ALWAYS, 400, "ExpiredToken");
    assert_true(expired.keys_refused && expired.retry);
    assert_int_equal(expired.result, STORE_TRANSIENT);
    struct s3_verdict skewed = judge(STORE_GET, STORE_ALWAYS, 403, "RequestTimeTooSkewed");
    assert_true(skewed.clock_off && skewed.retry);
    assert_int_equal(judge(STORE_GET, STORE_ALWAYS, 403, "AccessDenied").result, STORE_DENIED);
    assert_int_equal(judge(STORE_PUT, STORE_ALWAYS, 403, "QuotaExceeded").result, STORE_NO_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_swap_is_done_refused_or_open),
        cmocka_unit_test(a_swap_is_never_sent_again_from_here),
        cmocka_unit_test(no_answer_is_open_only_if_the_request_may_have_arrived),
        cmocka_unit_test(missing_means_what_was_asked),
        cmocka_unit_test(reads_and_unconditional_writes_are_tried_again_when_the_server_is_busy),
        cmocka_unit_test(expired_keys_and_wrong_clocks_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
