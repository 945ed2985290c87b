/* SPDX-License-Identifier: BSD-3-Clause */
/* See credentials_http.h. No proxy and no redirect: these addresses are the machine's own. */
#include "persistence/credentials_http.h"

#include <curl/curl.h>

#define BODY_MAX 65536 /* keys and a token take a few KiB */

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct text *body = ctx;
    if (body->len + size * count > BODY_MAX)
        return 0;
    text_append(body, data, size * count);
    return size * count;
}

static int check_abort(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const atomic_bool *abort = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return abort && atomic_load(abort);
}

static void set_up(CURL *easy, const struct credentials_call *call, struct curl_slist *headers,
                   struct text *body)
{
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (call->form)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->form);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, check_abort);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, (void *)call->abort);
    if (strncmp(call->url, "http:", 5) == 0)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
}

bool credentials_http(const struct credentials_call *call, struct text *ret_body,
                      struct text *error)
{
    struct curl_slist *headers = NULL;
    long status = 0;
    CURL *easy = curl_easy_init();
    assert(easy);
    for (size_t i = 0; i < 2; i++)
        if (call->headers[i])
            headers = curl_slist_append(headers, call->headers[i]);
    text_clear(ret_body);
    set_up(easy, call, headers, ret_body);
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        text_append_format(error, "%s: %s", call->url, curl_easy_strerror(code));
    else if (status != 200)
        text_append_format(error, "%s answered with status %ld", call->url, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return code == CURLE_OK && status == 200;
}
