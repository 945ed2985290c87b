/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scripted HTTP server on loopback: answers the n-th request it reads with the n-th reply, and
 * keeps what it read. For what a real server does not do on demand: hang up, stall, cut short.
 */
#ifndef CAIRN_TESTS_HTTP_FAKE_H
#define CAIRN_TESTS_HTTP_FAKE_H

#include <stdbool.h>
#include <stddef.h>

struct http_fake_reply {
    const char *text; /* head and body as they are sent; NULL: nothing */
    int delay_ms;     /* before it is sent */
    bool hang_up;     /* then closes the connection */
};

struct http_fake;

/* `replies` is borrowed; requests behind the last get the last again. */
struct http_fake *http_fake_start(const struct http_fake_reply *replies, size_t count);
int http_fake_port(const struct http_fake *fake);
size_t http_fake_count(struct http_fake *fake);
/* The n-th request, head and body; borrowed until the stop. */
const char *http_fake_request(struct http_fake *fake, size_t n);
void http_fake_stop(struct http_fake *fake);

#endif
