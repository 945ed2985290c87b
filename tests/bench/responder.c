/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare responder: what a server of this kind costs when it does nothing but read requests and
 * answer them.
 *
 *   responder PORT [VALUE_SIZE]
 *
 * It counts whole requests (arrays of bulk strings) and answers GET with a bulk of VALUE_SIZE
 * bytes, LRANGE with a hundred of them, and all else with +OK; it looks nothing up. One libevent
 * loop with an event and a buffer per connection, as the server itself has; no hiredis, so that it
 * is the limit of the machine and not of a parser.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 1 << 18, OUT_SIZE = 1 << 18, LRANGE_ITEMS = 100, BACKLOG = 511, MAX_VALUE = 4096 };

struct peer {
    struct event *event;
    size_t have;
    char in[IN_SIZE];
};

static struct event_base *base;
static char out[OUT_SIZE];
static size_t out_len;
static char value_reply[MAX_VALUE + 32];
static size_t value_reply_len;

static void drop_peer(struct peer *peer)
{
    int fd = event_get_fd(peer->event);

    event_free(peer->event);
    free(peer);
    close(fd);
}

static bool flush_out(int fd)
{
    for (size_t done = 0; done < out_len;) {
        ssize_t n = write(fd, out + done, out_len - done);

        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};

            poll(&writable, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
    }
    out_len = 0;
    return true;
}

static bool put(int fd, const char *data, size_t len)
{
    if (out_len + len > OUT_SIZE && !flush_out(fd))
        return false;
    memcpy(out + out_len, data, len);
    out_len += len;
    return true;
}

static bool answer(int fd, const char *name, size_t len)
{
    bool good = true;

    if (len == 3 && toupper((unsigned char)name[0]) == 'G')
        return put(fd, value_reply, value_reply_len);
    if (len == 4 && toupper((unsigned char)name[0]) == 'P')
        return put(fd, "+PONG\r\n", 7);
    if (len != 6 || toupper((unsigned char)name[0]) != 'L')
        return put(fd, "+OK\r\n", 5);
    good = put(fd, "*100\r\n", 6);
    for (int i = 0; good && i < LRANGE_ITEMS; i++)
        good = put(fd, value_reply, value_reply_len);
    return good;
}

/* Reads "<mark><digits>\r\n" at *at; false if it isn't all there or isn't that. */
static bool read_length(const char *in, size_t have, char mark, size_t *at, size_t *length)
{
    size_t i = *at;
    size_t n = 0;

    if (i >= have || in[i++] != mark)
        return false;
    while (i < have && in[i] >= '0' && in[i] <= '9')
        n = n * 10 + (size_t)(in[i++] - '0');
    if (i + 2 > have || n > IN_SIZE)
        return false;
    *at = i + 2;
    *length = n;
    return true;
}

/* Answers one whole request at *at and moves *at behind it; false if there is none. */
static bool take_request(int fd, const char *in, size_t have, size_t *at)
{
    size_t i = *at, argc, len, name = 0, name_len = 0;

    if (!read_length(in, have, '*', &i, &argc))
        return false;
    for (size_t arg = 0; arg < argc; arg++) {
        if (!read_length(in, have, '$', &i, &len) || i + len + 2 > have)
            return false;
        if (arg == 0) {
            name = i;
            name_len = len;
        }
        i += len + 2;
    }
    *at = i;
    return answer(fd, in + name, name_len);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct peer *peer = arg;
    size_t at = 0;
    ssize_t n = read(fd, peer->in + peer->have, IN_SIZE - peer->have);

    (void)what;
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            drop_peer(peer);
        return;
    }
    peer->have += (size_t)n;
    while (take_request(fd, peer->in, peer->have, &at))
        continue;
    memmove(peer->in, peer->in + at, peer->have - at);
    peer->have -= at;
    if (!flush_out(fd) || peer->have == IN_SIZE)
        drop_peer(peer);
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
    int on = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer;

    (void)what;
    (void)arg;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    peer = malloc(sizeof(*peer));
    if (!peer)
        abort();
    peer->have = 0;
    peer->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, peer);
    event_add(peer->event, NULL);
}

static int listen_on(int port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG)) {
        perror("responder");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 16;
    int head;

    if (argc < 2 || size > MAX_VALUE) {
        fprintf(stderr, "usage: responder PORT [VALUE_SIZE up to %d]\n", MAX_VALUE);
        return 2;
    }
    head = snprintf(value_reply, sizeof(value_reply), "$%zu\r\n", size);
    memset(value_reply + head, 'x', size);
    memcpy(value_reply + (size_t)head + size, "\r\n", 2);
    value_reply_len = (size_t)head + size + 2;
    signal(SIGPIPE, SIG_IGN);
    base = event_base_new();
    event_add(event_new(base, listen_on(atoi(argv[1])), EV_READ | EV_PERSIST, on_connection, NULL),
              NULL);
    return event_base_dispatch(base) < 0;
}
