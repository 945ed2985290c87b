/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The signer against signatures made once by botocore 1.43.11 (AWS's own Python library) for the
 * same requests, date and example keys.
 */
#include "persistence/s3_sign.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "persistence/sha256.h"

#define HOST "bucket.s3.eu-west-1.amazonaws.com"
#define DATE "20260131T235959Z"

static struct s3_sign_input input_of(const char *method, const char *path, const char *body,
                                     char hash[SHA256_HEX_SIZE])
{
    struct s3_sign_input input = {.method = method,
                                  .path = path,
                                  .payload_hash = hash,
                                  .date = DATE,
                                  .region = "eu-west-1",
                                  .service = "s3",
                                  .access_key = "AKIDEXAMPLE",
                                  .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
    sha256_digest_hex(slice_of(body), hash);
    s3_pairs_add(&input.headers, "x-amz-date", DATE);
    s3_pairs_add(&input.headers, "x-amz-content-sha256", hash);
    s3_pairs_add(&input.headers, "host", HOST);
    return input;
}

static void assert_signed(const struct s3_sign_input *input, const char *names,
                          const char *signature)
{
    struct text got = {0};
    char expected[512];
    snprintf(expected, sizeof(expected),
             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/eu-west-1/s3/aws4_request, "
             "SignedHeaders=%s, Signature=%s",
             names, signature);
    s3_sign(input, &got);
    assert_string_equal(text_terminated(&got), expected);
    text_release(&got);
}

#define PLAIN_NAMES "host;x-amz-content-sha256;x-amz-date"

static void a_plain_get_is_signed(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input input = input_of("GET", "/a/b.json", "", hash);
    (void)state;
    assert_signed(&input, PLAIN_NAMES,
                  "e51318e54eb307631fe9b6186628af64f8c4cf0508ef7cbf3d3062efe7cc6812");
}

static void heads_and_deletions_are_signed(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input head = input_of("HEAD", "/a/b.json", "", hash);
    struct s3_sign_input removal = input_of("DELETE", "/a/b.json", "", hash);
    (void)state;
    assert_signed(&head, PLAIN_NAMES,
                  "4fc3a28d3c3cb3dca754798b8b6fef04f65af052f84e72a5a7f24fead24e5025");
    assert_signed(&removal, PLAIN_NAMES,
                  "05afc687fc15df511ecf1a7d05610f1836a683613e1b1cf11c3fc4a518267713");
}

static void odd_characters_of_a_key_are_signed_as_they_are_sent(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input input =
        input_of("PUT", "/a b/%41=+/\xc3\xbc\xe4\xb8\xad~!*'()&?#", "{\"x\":1}", hash);
    (void)state;
    assert_signed(&input, PLAIN_NAMES,
                  "9589f96a87a1beecc5e9b1fb90b5d44efb1b62b8f5d9df26b4d57fad33239cc7");
}

static void dot_segments_stay(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input input = input_of("GET", "/a/../b/./c//d", "", hash);
    (void)state;
    assert_signed(&input, PLAIN_NAMES,
                  "5892d44f068f0a12440a265bd985ca8b6634aa7a7b9a096a9cc15ced0fe70532");
}

static void queries_are_sorted_and_continuation_tokens_encoded(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input input = input_of("GET", "/", "", hash);
    (void)state;
    s3_pairs_add(&input.query, "start-after", "");
    s3_pairs_add(&input.query, "list-type", "2");
    s3_pairs_add(&input.query, "prefix", "a b/");
    s3_pairs_add(&input.query, "delimiter", "/");
    s3_pairs_add(&input.query, "continuation-token", "1/+=ab%20");
    assert_signed(&input, PLAIN_NAMES,
                  "4c145caa21038ed2b495c56498a354fff5f3393e2ba5ff4f20e7d95136bfe81a");
}

static void condition_and_spaces_of_headers_are_signed(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input input = input_of("PUT", "/x", "body", hash);
    (void)state;
    s3_pairs_add(&input.headers, "x-amz-storage-class", "  STANDARD   IA ");
    s3_pairs_add(&input.headers, "if-match", "\"abc\"");
    assert_signed(&input, "host;if-match;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                  "15777e60ff9ff343202e958f392f8cbf66ed062fc69af87bcf067a1fc29dc973");
}

static void session_token_is_signed(void **state)
{
    char hash[SHA256_HEX_SIZE];
    struct s3_sign_input input = input_of("DELETE", "/x", "", hash);
    (void)state;
    s3_pairs_add(&input.headers, "x-amz-security-token", "FwoG/ses+sion==");
    assert_signed(&input, PLAIN_NAMES ";x-amz-security-token",
                  "642cbfc6c7a413500c0cd15cb9be58d153101632178728cc4d1c044ef33b9963");
}

static void query_names_that_begin_alike_are_ordered_by_name(void **state)
{
    struct s3_pairs query = {0};
    struct text out = {0};
    (void)state;
    s3_pairs_add(&query, "key-marker", "1");
    s3_pairs_add(&query, "key", "z");
    s3_pairs_add(&query, "key", "+ a");
    s3_encode_query(&query, &out);
    assert_string_equal(text_terminated(&out), "key=%2B%20a&key=z&key-marker=1");
    text_release(&out);
}

static void dates_are_utc(void **state)
{
    char date[S3_DATE_SIZE];
    (void)state;
    s3_date(1769903999, date);
    assert_string_equal(date, DATE);
    s3_date(0, date);
    assert_string_equal(date, "19700101T000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_get_is_signed),
        cmocka_unit_test(heads_and_deletions_are_signed),
        cmocka_unit_test(odd_characters_of_a_key_are_signed_as_they_are_sent),
        cmocka_unit_test(dot_segments_stay),
        cmocka_unit_test(queries_are_sorted_and_continuation_tokens_encoded),
        cmocka_unit_test(condition_and_spaces_of_headers_are_signed),
        cmocka_unit_test(session_token_is_signed),
        cmocka_unit_test(query_names_that_begin_alike_are_ordered_by_name),
        cmocka_unit_test(dates_are_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
