/* SPDX-License-Identifier: BSD-3-Clause */
/* Every source of access keys, from files in a temporary directory and from a scripted server. */
#include "persistence/credentials.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "persistence/credentials_profile.h"
#include "persistence/credentials_sources.h"
#include "tests/support/http_fake.h"

static char home[64];
static _Atomic time_t clock_back_s;

/* In place of the C library's, so that the clock of the day can be set. */
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= atomic_load(&clock_back_s);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CONFIG_FILE",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN",
                                        "AWS_ROLE_SESSION_NAME",
                                        "AWS_ENDPOINT_URL_STS",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT"};

/* An environment that says nothing, and a home with nothing in it. */
static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    strcpy(home, "/tmp/cairn-keys-XXXXXX");
    return mkdtemp(home) && setenv("HOME", home, 1) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", home);
    return system(command);
}

/* Writes a file in the home and names it in the environment. */
static void write_file(const char *variable, const char *name, const char *contents)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", home, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(contents, file);
    fclose(file);
    setenv(variable, path, 1);
}

static void set_url(const char *variable, struct http_fake *fake, const char *path)
{
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", http_fake_port(fake), path);
    setenv(variable, url, 1);
}

static void assert_found(const char *access_key, const char *secret_key, const char *token)
{
    struct credentials found;
    struct text error = {0};
    if (!credentials_resolve("eu-west-1", NULL, &found, &error))
        fail_msg("%s", text_terminated(&error));
    assert_string_equal(found.access_key, access_key);
    assert_string_equal(found.secret_key, secret_key);
    assert_string_equal(found.session_token, token);
    text_release(&error);
}

static void assert_missing(const char *words)
{
    struct credentials found;
    struct text error = {0};
    assert_false(credentials_resolve("eu-west-1", NULL, &found, &error));
    if (!strstr(text_terminated(&error), words))
        fail_msg("'%s' is not in: %s", words, text_terminated(&error));
    text_release(&error);
}

static void the_environment_comes_first(void **state)
{
    (void)state;
    write_file("AWS_SHARED_CREDENTIALS_FILE", "credentials",
               "[default]\naws_access_key_id=F\naws_secret_access_key=FS\n");
    assert_found("F", "FS", "");
    setenv("AWS_ACCESS_KEY_ID", "E", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
    assert_found("E", "ES", "");
    setenv("AWS_SESSION_TOKEN", "ET", 1);
    assert_found("E", "ES", "ET");
}

static void profiles_are_sections_of_both_files(void **state)
{
    char region[64];
    (void)state;
    write_file(
        "AWS_SHARED_CREDENTIALS_FILE", "credentials",
        "# comment\r\n[default]\r\naws_access_key_id = D \r\naws_secret_access_key\t=\tDS\r\n"
        "[work]\naws_access_key_id=W\naws_secret_access_key=W/S+=\n"
        "aws_session_token=WT\n");
    write_file("AWS_CONFIG_FILE", "config",
               "[default]\nregion = eu-central-1\ns3 =\n  max_concurrent_requests = 20\n"
               "[profile  work]\nregion=us-west-2\naws_access_key_id=ignored\n"
               "[profile only]\naws_access_key_id=O\naws_secret_access_key=OS\n"
               "[work]\nregion=wrong\n");
    assert_found("D", "DS", "");
    credentials_region(region);
    assert_string_equal(region, "eu-central-1");
    setenv("AWS_PROFILE", "work", 1);
    assert_found("W", "W/S+=", "WT");
    credentials_region(region);
    assert_string_equal(region, "us-west-2");
    setenv("AWS_PROFILE", "only", 1);
    assert_found("O", "OS", "");
    setenv("AWS_PROFILE", "none", 1);
    assert_missing("there is no profile none");
    setenv("AWS_REGION", "ap-south-1", 1);
    credentials_region(region);
    assert_string_equal(region, "ap-south-1");
}

static void damaged_files_do_no_harm(void **state)
{
    struct credentials_profile profile = {0};
    char longest[9000];
    (void)state;
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "[a]\nregion=", 11);
    credentials_profile_parse(slice_make(longest, sizeof(longest)), false, "a", &profile);
    assert_true(profile.found);
    assert_string_equal(profile.region, "");
    static const char *const odd[] = {"", "\n", "[", "[]", "[a", "=\n[a]\n=\n=x\nregion", "]["};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        credentials_profile_parse(slice_of(odd[i]), true, "a", &profile);
    assert_string_equal(profile.region, "");
}

static void nothing_anywhere_is_said(void **state)
{
    (void)state;
    assert_missing("there are no credentials");
}

#define JSON(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body
#define KEYS(a, s, t, e)                                                                           \
    JSON("{\"Code\":\"Success\",\"AccessKeyId\":\"" a "\",\"SecretAccessKey\":\"" s                \
         "\",\"Token\":\"" t "\",\"Expiration\":\"" e "\"}")

static void a_containers_endpoint_is_asked_with_its_token(void **state)
{
    static const struct http_fake_reply replies[] = {
        {KEYS("C", "CS", "CT", "2099-01-31T23:59:59Z"), 0, true}};
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 1);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/creds?id=1");
    write_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token", "Bearer abc\n");
    assert_found("C", "CS", "CT");
    assert_non_null(strstr(http_fake_request(fake, 0), "GET /creds?id=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(http_fake_request(fake, 0), "\r\nAuthorization: Bearer abc\r\n"));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/creds", 1);
    assert_missing("neither https nor this host");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1.example.com/creds", 1);
    assert_missing("neither https nor this host");
    write_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token", "a\r\nX-Evil: 1\n");
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/creds");
    assert_missing("holds no token");
    assert_int_equal(http_fake_count(fake), 1);
    http_fake_stop(fake);
}

static void an_instance_is_asked_by_session(void **state)
{
    static const struct http_fake_reply replies[] = {
        {JSON("TOKEN=="), 0, true},
        {JSON("my role\nother\n"), 0, true},
        {KEYS("I", "IS", "IT", "2099-01-31T23:59:59Z"), 0, true},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0, true}};
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 4);
    unsetenv("AWS_EC2_METADATA_DISABLED");
    set_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", fake, "/");
    assert_found("I", "IS", "IT");
    assert_non_null(strstr(http_fake_request(fake, 0), "PUT /latest/api/token HTTP/1.1\r\n"));
    assert_non_null(strstr(http_fake_request(fake, 0), "token-ttl-seconds: 21600\r\n"));
    assert_non_null(
        strstr(http_fake_request(fake, 2),
               "GET /latest/meta-data/iam/security-credentials/my%20role HTTP/1.1\r\n"));
    assert_non_null(strstr(http_fake_request(fake, 2), "X-aws-ec2-metadata-token: TOKEN==\r\n"));
    assert_missing("status 404");
    http_fake_stop(fake);
}

#define STS                                                                                        \
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"                                                 \
    "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"      \
    "<AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>"             \
    "<Credentials><AccessKeyId>S</AccessKeyId><SecretAccessKey>SS</SecretAccessKey>"               \
    "<SessionToken>ST</SessionToken><Expiration>2099-01-31T23:59:59Z</Expiration></Credentials>"   \
    "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"

static void a_web_identity_is_exchanged(void **state)
{
    static const struct http_fake_reply replies[] = {{STS, 0, true}};
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 1);
    set_url("AWS_ENDPOINT_URL_STS", fake, "/");
    setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
    write_file("AWS_WEB_IDENTITY_TOKEN_FILE", "token", "ey.J+/=\n");
    assert_found("S", "SS", "ST");
    assert_non_null(strstr(http_fake_request(fake, 0),
                           "\r\n\r\nAction=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1"
                           "%3Arole%2Fr&RoleSessionName=cairn&Version=2011-06-15&"
                           "WebIdentityToken=ey.J%2B%2F%3D"));
    unsetenv("AWS_ROLE_ARN");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    char config[512];
    snprintf(config, sizeof(config),
             "[default]\nrole_arn=arn:x\nrole_session_name=me\nweb_identity_token_file=%s/token\n",
             home);
    write_file("AWS_CONFIG_FILE", "config", config);
    assert_found("S", "SS", "ST");
    assert_non_null(strstr(http_fake_request(fake, 1), "RoleSessionName=me"));
    http_fake_stop(fake);
}

/* Nobody is asked: there is no proxy at that port, and its refusal names the address. */
static void a_web_identity_is_exchanged_in_its_region(void **state)
{
    (void)state;
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    write_file("AWS_WEB_IDENTITY_TOKEN_FILE", "token", "ey.J\n");
    setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
    assert_missing("https://sts.eu-west-1.amazonaws.com/: ");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    char config[256];
    snprintf(config, sizeof(config),
             "[default]\nregion=cn-north-1\nrole_arn=arn:x\nweb_identity_token_file=%s/token\n",
             home);
    write_file("AWS_CONFIG_FILE", "config", config);
    assert_missing("https://sts.cn-north-1.amazonaws.com.cn/: ");
    unsetenv("https_proxy");
}

static void answers_that_hold_no_keys_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"AccessKeyId\":\"A\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"",
        "{\"AccessKeyId\":\"A\\r\\nX: y\",\"SecretAccessKey\":\"S\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":\"S\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct credentials found;
        struct text error = {0};
        assert_false(credentials_parse_json(slice_of(bad[i]), &found, &error));
        assert_true(error.len > 0);
        text_release(&error);
    }
}

/* --- the provider --- */

static void assert_provided(struct credentials_provider *provider, const char *access_key)
{
    struct credentials found = {0};
    char error[CREDENTIALS_ERROR_MAX];
    for (int i = 0; i < 1000; i++) {
        if (credentials_get(provider, &found, error) == CREDENTIALS_READY &&
            strcmp(found.access_key, access_key) == 0)
            return;
        usleep(10000);
    }
    fail_msg("no %s", access_key);
}

static void keys_are_fetched_anew_before_they_expire(void **state)
{
    char first[512];
    time_t soon = time(NULL) + 4;
    struct tm tm;
    struct credentials found;
    char date[32], error[CREDENTIALS_ERROR_MAX];
    (void)state;
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&soon, &tm));
    snprintf(first, sizeof(first),
             JSON("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"%s\"}"), date);
    struct http_fake_reply replies[] = {{first, 0, true},
                                        {KEYS("B", "S", "T", "2099-01-31T23:59:59Z"), 0, true}};
    struct http_fake *fake = http_fake_start(replies, 2);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/");
    struct credentials_provider *provider = credentials_create("eu-west-1");
    assert_provided(provider, "A");
    assert_provided(provider, "B");
    credentials_refused(provider, "A"); /* of an older request: says nothing about B */
    assert_int_equal(credentials_get(provider, &found, error), CREDENTIALS_READY);
    credentials_destroy(provider);
    http_fake_stop(fake);
}

static void a_source_out_of_reach_is_asked_again(void **state)
{
    static const struct http_fake_reply replies[] = {
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 0, true},
        {KEYS("A", "S", "T", "2099-01-31T23:59:59Z"), 0, true}};
    struct credentials found;
    char error[CREDENTIALS_ERROR_MAX];
    enum credentials_status status;
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 2);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/");
    struct credentials_provider *provider = credentials_create("eu-west-1");
    while ((status = credentials_get(provider, &found, error)) == CREDENTIALS_PENDING)
        usleep(1000);
    if (status == CREDENTIALS_MISSING)
        assert_non_null(strstr(error, "status 500"));
    assert_provided(provider, "A");
    credentials_destroy(provider);
    http_fake_stop(fake);
}

static void a_clock_that_is_put_forward_asks_at_once(void **state)
{
    static const struct http_fake_reply replies[] = {
        {KEYS("A", "S", "T", "2099-01-31T23:59:59Z"), 0, true},
        {KEYS("B", "S", "T", "2299-01-31T23:59:59Z"), 0, true}};
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 2);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/");
    struct credentials_provider *provider = credentials_create("eu-west-1");
    assert_provided(provider, "A");
    usleep(50000); /* until the thread sleeps */
    atomic_store(&clock_back_s, -(time_t)100 * 366 * 24 * 3600);
    assert_provided(provider, "B");
    atomic_store(&clock_back_s, 0);
    credentials_destroy(provider);
    http_fake_stop(fake);
}

/* As machines do at a start, once they have asked for the time. */
static void a_clock_that_is_set_back_delays_nothing(void **state)
{
    static const struct http_fake_reply replies[] = {
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 0, true},
        {KEYS("A", "S", "T", "2099-01-31T23:59:59Z"), 0, true}};
    struct credentials found;
    char error[CREDENTIALS_ERROR_MAX];
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 2);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/");
    struct credentials_provider *provider = credentials_create("eu-west-1");
    while (credentials_get(provider, &found, error) == CREDENTIALS_PENDING)
        usleep(1000);
    atomic_store(&clock_back_s, 7200);
    assert_provided(provider, "A");
    atomic_store(&clock_back_s, 0);
    credentials_destroy(provider);
    http_fake_stop(fake);
}

static void nobody_waits_for_a_source_that_stalls(void **state)
{
    static const struct http_fake_reply replies[] = {{NULL, 60000, true}};
    struct credentials found;
    char error[CREDENTIALS_ERROR_MAX];
    (void)state;
    struct http_fake *fake = http_fake_start(replies, 1);
    set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", fake, "/");
    struct credentials_provider *provider = credentials_create("eu-west-1");
    assert_int_equal(credentials_get(provider, &found, error), CREDENTIALS_PENDING);
    credentials_destroy(provider);
    http_fake_stop(fake);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_environment_comes_first),
        TEST(profiles_are_sections_of_both_files),
        TEST(damaged_files_do_no_harm),
        TEST(nothing_anywhere_is_said),
        TEST(a_containers_endpoint_is_asked_with_its_token),
        TEST(an_instance_is_asked_by_session),
        TEST(a_web_identity_is_exchanged),
        TEST(a_web_identity_is_exchanged_in_its_region),
        TEST(answers_that_hold_no_keys_are_refused),
        TEST(keys_are_fetched_anew_before_they_expire),
        TEST(a_source_out_of_reach_is_asked_again),
        TEST(a_clock_that_is_put_forward_asks_at_once),
        TEST(a_clock_that_is_set_back_delays_nothing),
        TEST(nobody_waits_for_a_source_that_stalls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
