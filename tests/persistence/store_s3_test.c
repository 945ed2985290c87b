/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the S3 store makes of servers that stall, hang up, cut short or lie, from a scripted one;
 * what it must do on a real one is in store_test.c, but for TLS, which is here.
 */
#include "persistence/store_s3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <event2/event.h>

#include "ops/mem.h"
#include "persistence/store_lock.h"
#include "tests/support/http_fake.h"
#include "tests/support/s3_server.h"

#define OK_PUT    "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 0\r\n\r\n"
#define OK_GET    "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 4\r\n\r\nbody"
#define BUSY      "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
#define REFUSED   "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
#define CUT_SHORT "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 9\r\n\r\nbody"
#define ENDLESS   "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nConnection: close\r\n\r\nbody"

struct scene {
    struct http_fake *fake;
    struct store *store;
    struct store_request request;
};

static struct s3_options quick = {.region = "us-east-1",
                                  .connect_timeout_ms = 2000,
                                  .first_byte_timeout_ms = 2000,
                                  .timeout_ms = 5000};

static void open_store(struct scene *scene, const struct s3_options *options)
{
    char endpoint[64];
    struct s3_options mine = *options;
    struct text error = {0};
    snprintf(endpoint, sizeof(endpoint), "http://localhost:%d", http_fake_port(scene->fake));
    mine.endpoint = endpoint;
    if (store_s3_create("s3://bucket/pre", &mine, &scene->store, &error) != STORE_OK)
        fail_msg("%s", text_terminated(&error));
}

static void begin(struct scene *scene, const struct http_fake_reply *replies, size_t count)
{
    *scene = (struct scene){.fake = http_fake_start(replies, count)};
    open_store(scene, &quick);
}

#define BEGIN(scene, ...)                                                                          \
    static const struct http_fake_reply replies_[] = {__VA_ARGS__};                                \
    begin(scene, replies_, sizeof(replies_) / sizeof(replies_[0]))

static void end(struct scene *scene)
{
    store_request_release(&scene->request);
    store_close(scene->store);
    http_fake_stop(scene->fake);
}

static enum store_result ask(struct scene *scene, enum store_verb verb,
                             enum store_condition condition)
{
    store_request_release(&scene->request);
    scene->request = (struct store_request){.verb = verb,
                                            .key = "head.json",
                                            .condition = condition,
                                            .body = slice_of(verb == STORE_PUT ? "body" : ""),
                                            .want_etags = true};
    if (verb == STORE_LIST)
        scene->request.key[0] = '\0';
    if (condition == STORE_IF_MATCH)
        strcpy(scene->request.etag, "\"e0\"");
    return store_wait(scene->store, &scene->request);
}

/* One swap, one reply: what it means, and that the request went out once. */
static void assert_swap(const struct http_fake_reply *reply, enum store_result expected)
{
    for (int condition = STORE_IF_ABSENT; condition <= STORE_IF_MATCH; condition++) {
        struct scene scene;
        begin(&scene, reply, 1);
        assert_int_equal(ask(&scene, STORE_PUT, (enum store_condition)condition), expected);
        assert_int_equal(http_fake_count(scene.fake), 1);
        if (expected != STORE_OK)
            assert_true(scene.request.error[0]);
        end(&scene);
    }
}

static void a_swap_goes_out_once_whatever_comes_back(void **state)
{
    static const struct {
        struct http_fake_reply reply;
        enum store_result expected;
    } rows[] = {
        {{OK_PUT, 0, false}, STORE_OK},
        {{REFUSED, 0, false}, STORE_PRECONDITION},
        {{"HTTP/1.1 304 Not Modified\r\n\r\n", 0, false}, STORE_PRECONDITION},
        {{"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", 0, false}, STORE_UNKNOWN},
        {{"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 0, false}, STORE_UNKNOWN},
        {{BUSY, 0, false}, STORE_UNKNOWN},
        {{NULL, 0, true}, STORE_UNKNOWN},
        {{"HTTP/1.1 200 OK\r\nETag: \"e", 0, true}, STORE_UNKNOWN},
        {{"garbage\r\n\r\n", 0, true}, STORE_UNKNOWN},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, false}, STORE_UNKNOWN}, /* no ETag */
        {{"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 0, false}, STORE_DENIED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_swap(&rows[i].reply, rows[i].expected);
}

/* libcurl by itself sends a request anew that met a connection just closed. */
static void a_swap_on_a_dying_connection_is_not_sent_anew(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {OK_PUT, 0, false}, {NULL, 0, true}, {OK_PUT, 0, false});
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_MATCH), STORE_OK);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_MATCH), STORE_UNKNOWN);
    assert_int_equal(http_fake_count(scene.fake), 2);
    end(&scene);
}

/* What must not come late is sent once, and its outcome is told, whatever it is. */
static void a_request_with_a_time_limit_goes_out_once(void **state)
{
    static const struct {
        enum store_verb verb;
        struct http_fake_reply reply;
        enum store_result expected;
    } rows[] = {
        {STORE_PUT, {OK_PUT, 0, false}, STORE_OK},
        {STORE_PUT, {BUSY, 0, false}, STORE_UNKNOWN},
        {STORE_PUT, {NULL, 0, true}, STORE_UNKNOWN},
        {STORE_PUT, {OK_PUT, 3000, false}, STORE_UNKNOWN},
        {STORE_PUT, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, false}, STORE_UNKNOWN},
        {STORE_REMOVE, {BUSY, 0, false}, STORE_UNKNOWN},
        {STORE_REMOVE, {NULL, 0, true}, STORE_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        begin(&scene, &rows[i].reply, 1);
        scene.request = (struct store_request){
            .verb = rows[i].verb, .key = "a.lock", .within_ms = 500, .body = slice_of("body")};
        assert_int_equal(store_wait(scene.store, &scene.request), rows[i].expected);
        assert_int_equal(http_fake_count(scene.fake), 1);
        end(&scene);
    }
}

static void what_comes_too_late_is_not_sent(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene,
          {"HTTP/1.1 503 Slow Down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", 0, false});
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_ABSENT), STORE_UNKNOWN);
    store_request_release(&scene.request);
    scene.request = (struct store_request){
        .verb = STORE_PUT, .key = "a.lock", .within_ms = 50, .body = slice_of("body")};
    assert_int_equal(store_wait(scene.store, &scene.request), STORE_TRANSIENT);
    assert_int_equal(http_fake_count(scene.fake), 1);
    end(&scene);
}

static void other_requests_are_sent_anew(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {OK_PUT, 0, false}, {NULL, 0, true}, {OK_PUT, 0, false}, {NULL, 0, true},
          {BUSY, 0, false}, {OK_GET, 0, false});
    assert_int_equal(ask(&scene, STORE_PUT, STORE_ALWAYS), STORE_OK);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_ALWAYS), STORE_OK);
    assert_int_equal(http_fake_count(scene.fake), 3);
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_OK);
    assert_int_equal(http_fake_count(scene.fake), 6);
    assert_true(slice_equal(text_slice(&scene.request.answer), slice_of("body")));
    assert_string_equal(scene.request.answer_etag, "\"e1\"");
    end(&scene);
}

static void attempts_are_bounded_and_the_last_one_decides(void **state)
{
    struct scene scene;
    struct s3_stats stats;
    (void)state;
    BEGIN(&scene, {BUSY, 0, false});
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_TRANSIENT);
    assert_int_equal(http_fake_count(scene.fake), 4);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_ALWAYS), STORE_UNKNOWN);
    assert_int_equal(http_fake_count(scene.fake), 8);
    assert_true(store_s3_stats(scene.store, &stats));
    assert_int_equal(stats.counts[S3_KIND_GET][S3_STATUS_SERVER_ERROR], 4);
    assert_int_equal(stats.counts[S3_KIND_PUT][S3_STATUS_SERVER_ERROR], 4);
    assert_int_equal(stats.retries, 6);
    end(&scene);
}

static void a_pause_the_server_asks_for_is_kept_or_reported(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {"HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", 0, false},
          {OK_GET, 0, false},
          {"HTTP/1.1 503 No\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", 0, false});
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_OK);
    assert_int_equal(http_fake_count(scene.fake), 2);
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_TRANSIENT);
    assert_int_equal(http_fake_count(scene.fake), 3);
    end(&scene);
}

static void a_body_cut_short_is_never_an_object(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {CUT_SHORT, 0, true}, {ENDLESS, 0, true}, {OK_GET, 0, false});
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_OK);
    assert_int_equal(http_fake_count(scene.fake), 3);
    assert_true(slice_equal(text_slice(&scene.request.answer), slice_of("body")));
    end(&scene);
}

/* libcurl by itself takes what there is of it for the whole: an empty object. */
static void a_head_cut_short_is_never_an_answer(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {"HTTP/1.1 200 OK\r\nETag: \"e1\"\r\n", 0, true},
          {"HTTP/1.1 404 Not Found\r\n", 0, true},
          {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 0, true}, {OK_GET, 0, false});
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_OK);
    assert_int_equal(http_fake_count(scene.fake), 4);
    assert_true(slice_equal(text_slice(&scene.request.answer), slice_of("body")));
    end(&scene);
}

static void an_answer_beyond_the_limit_is_refused(void **state)
{
    struct scene scene;
    struct s3_options small = quick;
    static const struct http_fake_reply reply = {OK_GET, 0, false};
    (void)state;
    small.answer_max = 3;
    scene = (struct scene){.fake = http_fake_start(&reply, 1)};
    open_store(&scene, &small);
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_INVALID);
    assert_int_equal(http_fake_count(scene.fake), 1);
    end(&scene);
}

static void endless_headers_and_error_bodies_are_cut_off(void **state)
{
    struct scene scene;
    struct text headers = {0}, error = {0};
    (void)state;
    text_append_string(&headers, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 4000; i++)
        text_append_format(&headers, "x-%d: 0123456789abcdef\r\n", i);
    text_append_string(&headers, "\r\n");
    text_append_string(&error, "HTTP/1.1 400 No\r\nContent-Length: 200000\r\n\r\n");
    for (int i = 0; i < 200000; i++)
        text_append_char(&error, 'x');
    struct http_fake_reply replies[] = {{text_terminated(&headers), 0, false},
                                        {text_terminated(&error), 0, false}};
    begin(&scene, replies, 2);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_MATCH), STORE_UNKNOWN);
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_INVALID);
    end(&scene);
    text_release(&headers);
    text_release(&error);
}

static void patience_for_the_first_byte_is_bounded(void **state)
{
    struct scene scene;
    struct s3_options hasty = quick;
    static const struct http_fake_reply reply = {OK_GET, 60000, false};
    (void)state;
    hasty.connect_timeout_ms = hasty.first_byte_timeout_ms = 500;
    hasty.attempts = 2;
    scene = (struct scene){.fake = http_fake_start(&reply, 1)};
    open_store(&scene, &hasty);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_MATCH), STORE_UNKNOWN);
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_TRANSIENT);
    assert_non_null(strstr(scene.request.error, "no answer in time"));
    assert_int_equal(http_fake_count(scene.fake), 3);
    end(&scene);
}

static void patience_for_the_whole_is_bounded(void **state)
{
    struct scene scene;
    struct s3_options hasty = quick;
    static const struct http_fake_reply reply = {CUT_SHORT, 0, false}; /* the rest never comes */
    (void)state;
    hasty.timeout_ms = 200;
    hasty.attempts = 1;
    scene = (struct scene){.fake = http_fake_start(&reply, 1)};
    open_store(&scene, &hasty);
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_TRANSIENT);
    end(&scene);
}

static void nobody_there_means_nothing_happened(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {OK_PUT, 0, true});
    http_fake_stop(scene.fake);
    static const struct http_fake_reply reply = {OK_PUT, 0, true};
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_MATCH), STORE_TRANSIENT);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_ALWAYS), STORE_TRANSIENT);
    scene.fake = http_fake_start(&reply, 1);
    end(&scene);
}

/* A whole answer with this body; the caller frees it. */
static char *page_of(const char *body)
{
    struct text out = {0};
    size_t len;
    text_append_format(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
                       body);
    text_append_char(&out, '\0');
    return text_take(&out, &len);
}

static void a_listing_is_followed_page_by_page(void **state)
{
    struct scene scene;
    char *first = page_of("<ListBucketResult><IsTruncated>true</IsTruncated>"
                          "<NextContinuationToken>a+/=%20&amp;</NextContinuationToken>"
                          "<Contents><Key>pre/b</Key><ETag>&quot;1&quot;</ETag><Size>1</Size>"
                          "</Contents></ListBucketResult>");
    char *second = page_of("<ListBucketResult><IsTruncated>false</IsTruncated>"
                           "<Contents><Key>pre/a</Key><Size>2</Size></Contents>"
                           "</ListBucketResult>");
    struct http_fake_reply replies[] = {{first, 0, false}, {BUSY, 0, false}, {second, 0, false}};
    (void)state;
    begin(&scene, replies, 3);
    assert_int_equal(ask(&scene, STORE_LIST, STORE_ALWAYS), STORE_OK);
    assert_int_equal(scene.request.item_count, 2);
    assert_string_equal(scene.request.items[0].key, "a"); /* S3 Express does not sort */
    assert_string_equal(scene.request.items[1].key, "b");
    assert_false(scene.request.truncated);
    assert_non_null(strstr(http_fake_request(scene.fake, 2),
                           "continuation-token=a%2B%2F%3D%2520%26&list-type=2"));
    end(&scene);
    mem_free(first);
    mem_free(second);
}

static void a_listing_that_does_not_move_on_is_refused(void **state)
{
    struct scene scene;
    char *same = page_of("<ListBucketResult><IsTruncated>true</IsTruncated>"
                         "<NextContinuationToken>t</NextContinuationToken></ListBucketResult>");
    struct http_fake_reply reply = {same, 0, false};
    (void)state;
    begin(&scene, &reply, 1);
    assert_int_equal(ask(&scene, STORE_LIST, STORE_ALWAYS), STORE_TRANSIENT);
    assert_int_equal(http_fake_count(scene.fake), 2);
    assert_int_equal(scene.request.item_count, 0);
    end(&scene);
    mem_free(same);
}

/* Who asked for keys below a name takes that many bytes off each. */
static void a_listing_gives_no_keys_that_were_not_asked_for(void **state)
{
    struct scene scene;
    char *page = page_of("<ListBucketResult><IsTruncated>false</IsTruncated>"
                         "<Contents><Key>pre/b</Key></Contents>"
                         "<Contents><Key>pre/apt/x</Key></Contents>"
                         "<Contents><Key>apt/y</Key></Contents>"
                         "<Contents><Key>pre/aptly/chunk</Key></Contents>"
                         "<CommonPrefixes><Prefix>pre/git/</Prefix></CommonPrefixes>"
                         "<CommonPrefixes><Prefix>pre/apt/old/</Prefix></CommonPrefixes>"
                         "</ListBucketResult>");
    struct http_fake_reply reply = {page, 0, false};
    (void)state;
    begin(&scene, &reply, 1);
    scene.request = (struct store_request){.verb = STORE_LIST, .key = "apt/"};
    assert_int_equal(store_wait(scene.store, &scene.request), STORE_OK);
    assert_int_equal(scene.request.item_count, 2);
    assert_string_equal(scene.request.items[0].key, "apt/old/");
    assert_string_equal(scene.request.items[1].key, "apt/x");
    end(&scene);
    mem_free(page);
}

static void what_is_known_is_not_fetched_again(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {"HTTP/1.1 304 Not Modified\r\nETag: \"e1\"\r\n\r\n", 0, false});
    scene.request = (struct store_request){.verb = STORE_GET, .key = "head.json", .etag = "\"e1\""};
    assert_int_equal(store_wait(scene.store, &scene.request), STORE_NOT_MODIFIED);
    assert_non_null(strstr(http_fake_request(scene.fake, 0), "\r\nif-none-match: \"e1\"\r\n"));
    assert_non_null(strstr(http_fake_request(scene.fake, 0), "SignedHeaders=host;if-none-match;"));
    end(&scene);
}

static void a_bucket_elsewhere_is_named(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene, {"HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\nLocation: http://x/\r\n"
                   "Content-Length: 0\r\n\r\n",
                   0, false});
    assert_int_equal(ask(&scene, STORE_GET, STORE_ALWAYS), STORE_DENIED);
    assert_non_null(strstr(scene.request.error, "eu-west-1"));
    end(&scene);
}

static void a_wrong_clock_is_set_by_the_servers(void **state)
{
    struct scene scene;
    (void)state;
    BEGIN(&scene,
          {"HTTP/1.1 403 No\r\nDate: Tue, 01 Dec 2026 10:00:00 GMT\r\nContent-Length: 48\r\n\r\n"
           "<Error><Code>RequestTimeTooSkewed</Code></Error>",
           0, false},
          {OK_GET, 0, false});
    enum store_result result = ask(&scene, STORE_GET, STORE_ALWAYS);
    const char *second = http_fake_count(scene.fake) > 1 ? http_fake_request(scene.fake, 1) : "";
    /* A machine whose clock is weeks away from that date keeps its own. */
    if (strstr(second, "x-amz-date: 20261201T1000"))
        assert_int_equal(result, STORE_OK);
    else
        assert_true(http_fake_count(scene.fake) >= 2);
    end(&scene);
}

static void options_become_headers_that_are_signed(void **state)
{
    struct scene scene;
    struct s3_options options = quick;
    static const struct http_fake_reply reply = {OK_PUT, 0, false};
    (void)state;
    options.sse = "aws:kms";
    options.sse_key = "key-1";
    options.storage_class = "STANDARD_IA";
    scene = (struct scene){.fake = http_fake_start(&reply, 1)};
    setenv("AWS_SESSION_TOKEN", "session+token", 1);
    open_store(&scene, &options);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_IF_MATCH), STORE_OK);
    unsetenv("AWS_SESSION_TOKEN");
    const char *request = http_fake_request(scene.fake, 0);
    assert_non_null(strstr(request, "PUT /bucket/pre/head.json HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-server-side-encryption: aws:kms\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-server-side-encryption-aws-kms-key-id: key-1\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-storage-class: STANDARD_IA\r\n"));
    assert_non_null(strstr(request, "\r\nx-amz-security-token: session+token\r\n"));
    assert_non_null(strstr(request,
                           "SignedHeaders=host;if-match;x-amz-content-sha256;x-amz-date;"
                           "x-amz-security-token;x-amz-server-side-encryption;"
                           "x-amz-server-side-encryption-aws-kms-key-id;x-amz-storage-class, "));
    assert_null(strstr(request, "Expect:"));
    end(&scene);
}

static void virtual_hosts_have_the_bucket_in_their_name(void **state)
{
    struct scene scene;
    struct s3_options options = quick;
    char host[64];
    static const struct http_fake_reply reply = {OK_PUT, 0, false};
    (void)state;
    options.style = S3_STYLE_VIRTUAL;
    scene = (struct scene){.fake = http_fake_start(&reply, 1)};
    open_store(&scene, &options);
    assert_int_equal(ask(&scene, STORE_PUT, STORE_ALWAYS), STORE_OK);
    snprintf(host, sizeof(host), "\r\nhost: bucket.localhost:%d\r\n", http_fake_port(scene.fake));
    assert_non_null(strstr(http_fake_request(scene.fake, 0), "PUT /pre/head.json HTTP/1.1\r\n"));
    assert_non_null(strcasestr(http_fake_request(scene.fake, 0), host));
    end(&scene);
}

static void on_done(struct store_request *request)
{
    event_base_loopbreak(request->ctx);
}

static void an_attached_handle_answers_from_its_loop(void **state)
{
    struct scene scene;
    struct event_base *base = event_base_new();
    (void)state;
    BEGIN(&scene, {OK_GET, 0, false}, {NULL, 60000, false});
    store_attach(scene.store, base);
    scene.request = (struct store_request){
        .verb = STORE_GET, .key = "a", .done = on_done, .ctx = base, .result = STORE_INVALID};
    store_submit(scene.store, &scene.request);
    assert_int_equal(http_fake_count(scene.fake), 0);
    event_base_dispatch(base);
    assert_int_equal(scene.request.result, STORE_OK);
    /* And one that never ends is given up when the handle is closed. */
    store_submit(scene.store, &scene.request);
    event_base_loop(base, EVLOOP_NONBLOCK);
    store_close(scene.store);
    scene.store = NULL;
    end(&scene);
    event_base_free(base);
}

static void wrong_places_are_refused(void **state)
{
    static const struct {
        const char *where, *endpoint;
    } bad[] = {{"s3://", NULL},
               {"s3:///x", NULL},
               {"s3://a b/x", NULL},
               {"s3://b/\xff", NULL},
               {"s3://b/a\nb", NULL},
               {"s3://b/x", "ftp://x"},
               {"s3://b/x", "localhost"},
               {"s3://b/x", "http://"},
               {"s3://b/x", "http://a b"},
               {"s3://b/x", "http://user@host"}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct store *store;
        struct text error = {0};
        struct s3_options options = {.endpoint = bad[i].endpoint};
        assert_int_equal(store_s3_create(bad[i].where, &options, &store, &error), STORE_INVALID);
        assert_true(error.len > 0);
        text_release(&error);
    }
}

/* --- on the real server --- */

static enum store_result put_over_tls(const char *ca_file)
{
    char where[256];
    struct store *store;
    struct text error = {0};
    struct s3_options options = {.endpoint = getenv("S3_TLS_ENDPOINT"), .ca_file = ca_file};
    struct store_request request = {.verb = STORE_PUT, .key = "x", .body = slice_of("x")};
    s3_server_place("", where, sizeof(where));
    assert_int_equal(store_s3_create(where, &options, &store, &error), STORE_OK);
    enum store_result result = store_wait(store, &request);
    store_request_release(&request);
    store_close(store);
    return result;
}

static void certificates_are_verified(void **state)
{
    (void)state;
    assert_non_null(getenv("S3_TLS_ENDPOINT"));
    assert_int_equal(put_over_tls(getenv("S3_CA_FILE")), STORE_OK);
    assert_int_equal(put_over_tls(NULL), STORE_DENIED);
}

static void listings_of_more_than_a_page_are_whole(void **state)
{
    char where[256];
    struct store *store;
    struct text error = {0};
    struct store_request list = {.verb = STORE_LIST, .key = "n/"};
    (void)state;
    s3_server_place("/a+b c", where, sizeof(where));
    assert_int_equal(store_open(where, &store, &error), STORE_OK);
    for (int i = 0; i < 1100; i++) {
        struct store_request put = {.verb = STORE_PUT, .body = slice_of("x")};
        snprintf(put.key, sizeof(put.key), "n/%04d", i);
        assert_int_equal(store_wait(store, &put), STORE_OK);
        store_request_release(&put);
    }
    assert_int_equal(store_wait(store, &list), STORE_OK);
    assert_int_equal(list.item_count, 1100);
    assert_string_equal(list.items[1099].key, "n/1099");
    assert_false(list.truncated);
    store_request_release(&list);
    store_close(store);
}

static int set_up(void **state)
{
    return s3_server_start(state);
}

static void assert_url(const char *where, const char *endpoint, enum s3_style style,
                       const char *expected)
{
    struct s3_options options = {.region = "eu-west-1", .endpoint = endpoint, .style = style};
    struct store_lock_options lock = {.ttl_ms = 1000, .holder = "me"};
    struct store *store;
    struct text url = {0}, error = {0};
    assert_int_equal(store_s3_create(where, &options, &store, &error), STORE_OK);
    store = store_lock_create(store, &lock);
    assert_true(store_s3_url(store, &url));
    assert_string_equal(text_terminated(&url), expected);
    text_release(&url);
    store_close(store);
}

static void a_store_has_an_address(void **state)
{
    struct store *memory;
    struct text url = {0}, error = {0};
    (void)state;
    assert_url("s3://bucket/pre/", "https://s3.eu-west-1.amazonaws.com", S3_STYLE_VIRTUAL,
               "https://bucket.s3.eu-west-1.amazonaws.com/pre/");
    assert_url("s3://bucket", "http://localhost:9000/s3", S3_STYLE_AUTO,
               "http://localhost:9000/s3/bucket/");
    assert_url("s3://bucket/a//b", "http://localhost:9000", S3_STYLE_VIRTUAL,
               "http://bucket.localhost:9000/a//b/");
    assert_int_equal(store_open("memory", &memory, &error), STORE_OK);
    assert_false(store_s3_url(memory, &url));
    assert_int_equal(url.len, 0);
    store_close(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_swap_goes_out_once_whatever_comes_back),
        cmocka_unit_test(a_swap_on_a_dying_connection_is_not_sent_anew),
        cmocka_unit_test(a_request_with_a_time_limit_goes_out_once),
        cmocka_unit_test(what_comes_too_late_is_not_sent),
        cmocka_unit_test(other_requests_are_sent_anew),
        cmocka_unit_test(attempts_are_bounded_and_the_last_one_decides),
        cmocka_unit_test(a_pause_the_server_asks_for_is_kept_or_reported),
        cmocka_unit_test(a_body_cut_short_is_never_an_object),
        cmocka_unit_test(a_head_cut_short_is_never_an_answer),
        cmocka_unit_test(an_answer_beyond_the_limit_is_refused),
        cmocka_unit_test(endless_headers_and_error_bodies_are_cut_off),
        cmocka_unit_test(patience_for_the_first_byte_is_bounded),
        cmocka_unit_test(patience_for_the_whole_is_bounded),
        cmocka_unit_test(nobody_there_means_nothing_happened),
        cmocka_unit_test(a_listing_is_followed_page_by_page),
        cmocka_unit_test(a_listing_that_does_not_move_on_is_refused),
        cmocka_unit_test(a_listing_gives_no_keys_that_were_not_asked_for),
        cmocka_unit_test(what_is_known_is_not_fetched_again),
        cmocka_unit_test(a_bucket_elsewhere_is_named),
        cmocka_unit_test(a_wrong_clock_is_set_by_the_servers),
        cmocka_unit_test(options_become_headers_that_are_signed),
        cmocka_unit_test(virtual_hosts_have_the_bucket_in_their_name),
        cmocka_unit_test(an_attached_handle_answers_from_its_loop),
        cmocka_unit_test(a_store_has_an_address),
        cmocka_unit_test(wrong_places_are_refused),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(listings_of_more_than_a_page_are_whole),
    };
    return cmocka_run_group_tests(tests, set_up, s3_server_stop);
}
