/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_http.h. libcurl tells which sockets and what time-out it waits for; libevent waits. */
#include "persistence/s3_http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ops/mem.h"

#define ERROR_BODY_MAX  65536 /* what is behind it says nothing more */
#define HEADERS_MAX     65536
#define CONNECTIONS_MAX 64L
/* A connection idle for longer is not used again: S3 closes them after some 20 s, and a request
 * that meets the closing ends as unknown. */
#define CONNECTION_IDLE_S 10L

struct s3_http {
    struct event_base *base;
    bool own_base;
    CURLM *multi;
    struct event *timer;
};

static void must(bool ok)
{
    if (!ok) {
        fprintf(stderr, "cairn: libcurl or libevent is out of memory\n");
        abort();
    }
}

static void global_init(void)
{
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

/* --- the end of an exchange --- */

static void detach(struct s3_exchange *exchange)
{
    if (!exchange->easy)
        return;
    curl_multi_remove_handle(exchange->http->multi, exchange->easy);
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->list);
    event_free(exchange->patience);
    exchange->easy = NULL;
    exchange->list = NULL;
    exchange->patience = NULL;
}

/* Whether the whole request cannot have reached the server. */
static bool cannot_be_sent(const struct s3_exchange *exchange, CURLcode code)
{
    curl_off_t began = 0;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
        code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR)
        return exchange->sent == 0;
    if (exchange->body.len)
        return exchange->sent == 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_PRETRANSFER_TIME_T, &began);
    return began == 0;
}

static enum s3_http_result result_of(const struct s3_exchange *exchange, CURLcode code)
{
    if (code == CURLE_OK)
        return S3_HTTP_ANSWERED;
    if (exchange->too_large)
        return S3_HTTP_TOO_LARGE;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return S3_HTTP_DISTRUSTED;
    return cannot_be_sent(exchange, code) ? S3_HTTP_NOT_SENT : S3_HTTP_BROKEN;
}

/* A body whose end only the closing of the connection tells may be cut without a trace. */
static bool has_no_end(struct s3_exchange *exchange)
{
    curl_off_t announced = -1;
    curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    return exchange->status == 200 && exchange->answer.len && announced < 0 && !exchange->chunked;
}

static void finish(struct s3_exchange *exchange, CURLcode code, const char *why)
{
    curl_off_t retry_after = 0;
    exchange->result = result_of(exchange, code);
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    if (curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
        exchange->retry_after_s = retry_after;
    if (exchange->result == S3_HTTP_ANSWERED && !exchange->head_whole) {
        exchange->result = S3_HTTP_BROKEN; /* to libcurl it is an answer without a body */
        why = "the connection ended within the head of the answer";
    } else if (exchange->result == S3_HTTP_ANSWERED && has_no_end(exchange)) {
        exchange->result = S3_HTTP_BROKEN;
        why = "the answer has neither length nor end";
    }
    if (exchange->result != S3_HTTP_ANSWERED)
        snprintf(exchange->error, sizeof(exchange->error), "%s",
                 why ? why : curl_easy_strerror(code));
    detach(exchange);
    exchange->done(exchange);
}

static void reap(struct s3_http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        struct s3_exchange *exchange = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        finish(exchange, code, exchange->too_large ? "the answer is too large" : NULL);
    }
}

static void on_impatience(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    finish(ctx, CURLE_OPERATION_TIMEDOUT, "no answer in time");
}

static void be_patient(struct s3_exchange *exchange, long ms)
{
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    evtimer_add(exchange->patience, &wait);
}

/* --- libcurl and the loop --- */

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
    struct s3_http *http = ctx;
    int ready = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(http->multi, fd, ready, &running);
    reap(http);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct s3_http *http = ctx;
    int running;
    (void)fd, (void)what;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(http);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct s3_http *http = ctx;
    struct event *watch = socket_ctx;
    short wanted = EV_PERSIST;
    (void)easy;
    if (watch)
        event_free(watch);
    watch = NULL;
    if (what != CURL_POLL_REMOVE) {
        wanted |= what & CURL_POLL_IN ? EV_READ : 0;
        wanted |= what & CURL_POLL_OUT ? EV_WRITE : 0;
        watch = event_new(http->base, fd, wanted, on_socket, http);
        must(watch && event_add(watch, NULL) == 0);
    }
    curl_multi_assign(http->multi, fd, watch);
    return 0;
}

static int set_timer(CURLM *multi, long ms, void *ctx)
{
    struct s3_http *http = ctx;
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)multi;
    if (ms < 0)
        evtimer_del(http->timer);
    else
        evtimer_add(http->timer, &wait);
    return 0;
}

struct s3_http *s3_http_create(struct event_base *base)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct s3_http *http = mem_calloc(1, sizeof(*http));
    pthread_once(&once, global_init);
    http->own_base = !base;
    http->base = base ? base : event_base_new();
    must(http->base);
    http->multi = curl_multi_init();
    http->timer = evtimer_new(http->base, on_timer, http);
    must(http->multi && http->timer);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
    return http;
}

void s3_http_destroy(struct s3_http *http)
{
    if (!http)
        return;
    curl_multi_cleanup(http->multi);
    event_free(http->timer);
    if (http->own_base)
        event_base_free(http->base);
    mem_free(http);
}

struct event_base *s3_http_base(struct s3_http *http)
{
    return http->base;
}

void s3_http_run(struct s3_http *http, const bool *finished)
{
    while (!*finished)
        event_base_loop(http->base, EVLOOP_ONCE);
}

/* --- the parts of an exchange --- */

static void keep_field(struct slice value, char out[S3_HTTP_FIELD_MAX])
{
    out[0] = '\0';
    if (value.len >= S3_HTTP_FIELD_MAX)
        return;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] > '~')
            return;
    if (value.len)
        memcpy(out, value.data, value.len);
    out[value.len] = '\0';
}

static bool is_field(struct slice line, const char *name, struct slice *ret_value)
{
    size_t len = strlen(name);
    if (line.len <= len || strncasecmp(line.data, name, len) != 0 || line.data[len] != ':')
        return false;
    const char *value = line.data + len + 1, *end = line.data + line.len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]))
        end--;
    *ret_value = slice_make(value, (size_t)(end - value));
    return true;
}

static void take_date(struct slice value, struct s3_exchange *exchange)
{
    char date[S3_HTTP_FIELD_MAX];
    keep_field(value, date);
    time_t seconds = curl_getdate(date, NULL);
    exchange->date = seconds > 0 ? (int64_t)seconds : 0;
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
    struct s3_exchange *exchange = ctx;
    struct slice line = slice_make(data, size * count), value;
    event_del(exchange->patience);
    exchange->header_bytes += line.len;
    if (exchange->header_bytes > HEADERS_MAX)
        return 0;
    if (line.len > 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        exchange->etag[0] = exchange->bucket_region[0] = '\0';
        exchange->date = 0;
        exchange->head_whole = exchange->chunked = false;
    } else if (line.len && line.len <= 2 && line.data[line.len - 1] == '\n') {
        exchange->head_whole = true;
    } else if (is_field(line, "etag", &value)) {
        keep_field(value, exchange->etag);
    } else if (is_field(line, "x-amz-bucket-region", &value)) {
        keep_field(value, exchange->bucket_region);
    } else if (is_field(line, "transfer-encoding", &value)) {
        exchange->chunked = value.len >= 7 && strncasecmp(value.data, "chunked", 7) == 0;
    } else if (is_field(line, "date", &value)) {
        take_date(value, exchange);
    }
    return line.len;
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct s3_exchange *exchange = ctx;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        size_t room = ERROR_BODY_MAX - exchange->answer.len;
        text_append(&exchange->answer, data, len < room ? len : room);
        return len;
    }
    if (len > exchange->limits->answer_max - exchange->answer.len) {
        exchange->too_large = true;
        return 0;
    }
    text_append(&exchange->answer, data, len);
    return len;
}

static size_t give_body(char *out, size_t size, size_t count, void *ctx)
{
    struct s3_exchange *exchange = ctx;
    size_t left = exchange->body.len - exchange->sent, room = size * count;
    size_t len = left < room ? left : room;
    if (len)
        memcpy(out, exchange->body.data + exchange->sent, len);
    exchange->sent += len;
    be_patient(exchange, exchange->limits->first_byte_ms);
    return len;
}

/* libcurl wants to begin again: it met a connection that had died. */
static int rewind_body(void *ctx, curl_off_t offset, int origin)
{
    struct s3_exchange *exchange = ctx;
    if (origin != SEEK_SET || offset != 0 || (exchange->send_once && exchange->sent))
        return CURL_SEEKFUNC_FAIL;
    exchange->sent = 0;
    return CURL_SEEKFUNC_OK;
}

static void add_header(struct s3_exchange *exchange, const char *name, const char *value)
{
    struct text line = {0};
    text_append_format(&line, *value ? "%s: %s" : "%s:", name, value);
    struct curl_slist *longer = curl_slist_append(exchange->list, text_terminated(&line));
    must(longer);
    exchange->list = longer;
    text_release(&line);
}

static void set_method(struct s3_exchange *exchange)
{
    CURL *easy = exchange->easy;
    if (strcmp(exchange->method, "PUT") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->body.len);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
    if (exchange->send_once && exchange->body.len == 0) /* nothing to rewind: no old connection */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    add_header(exchange, "Expect", "");
}

static void set_transport(struct s3_exchange *exchange)
{
    CURL *easy = exchange->easy;
    const struct s3_http_limits *limits = exchange->limits;
    curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "cairn");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limits->connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limits->whole_ms);
    if (limits->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, limits->ca_file);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
}

static void clear_answer(struct s3_exchange *exchange)
{
    text_clear(&exchange->answer);
    exchange->result = S3_HTTP_BROKEN;
    exchange->status = 0;
    exchange->etag[0] = exchange->bucket_region[0] = exchange->error[0] = '\0';
    exchange->retry_after_s = exchange->date = 0;
    exchange->sent = exchange->header_bytes = 0;
    exchange->head_whole = exchange->chunked = exchange->too_large = false;
}

void s3_exchange_start(struct s3_http *http, struct s3_exchange *exchange)
{
    clear_answer(exchange);
    exchange->http = http;
    exchange->list = NULL;
    exchange->easy = curl_easy_init();
    exchange->patience = evtimer_new(http->base, on_impatience, exchange);
    must(exchange->easy && exchange->patience);
    for (size_t i = 0; i < exchange->headers.count; i++)
        add_header(exchange, exchange->headers.items[i].name, exchange->headers.items[i].value);
    set_transport(exchange);
    set_method(exchange);
    curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->list);
    be_patient(exchange, exchange->limits->connect_ms + exchange->limits->first_byte_ms);
    must(curl_multi_add_handle(http->multi, exchange->easy) == CURLM_OK);
}

void s3_exchange_abort(struct s3_exchange *exchange)
{
    detach(exchange);
}

void s3_exchange_release(struct s3_exchange *exchange)
{
    text_release(&exchange->answer);
}
