/* SPDX-License-Identifier: BSD-3-Clause */
/* See http_fake.h: a thread a connection. */
#include "tests/support/http_fake.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAX    64
#define REQUEST_MAX     262144
#define CONNECTIONS_MAX 64

struct connection {
    struct http_fake *fake;
    int fd;
    pthread_t thread;
};

struct http_fake {
    const struct http_fake_reply *replies;
    size_t reply_count;
    int listener, port;
    atomic_bool stopping;
    pthread_t thread;
    pthread_mutex_t mutex;
    char *requests[REQUESTS_MAX];
    size_t count;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
};

/* False when the fake stops first. */
static bool wait_readable(struct http_fake *fake, int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&fake->stopping))
        if (poll(&poller, 1, 20) > 0)
            return true;
    return false;
}

static size_t announced(const char *head)
{
    const char *field = strcasestr(head, "\ncontent-length:");
    return field ? strtoul(field + 16, NULL, 10) : 0;
}

/* One whole request, or NULL when the peer closed. */
static char *read_request(struct http_fake *fake, int fd)
{
    char *request = calloc(1, REQUEST_MAX + 1);
    size_t len = 0;
    assert(request);
    while (len < REQUEST_MAX && wait_readable(fake, fd)) {
        ssize_t got = read(fd, request + len, REQUEST_MAX - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        const char *body = strstr(request, "\r\n\r\n");
        if (body && len >= (size_t)(body + 4 - request) + announced(request))
            return request;
    }
    free(request);
    return NULL;
}

static const struct http_fake_reply *record(struct http_fake *fake, char *request)
{
    pthread_mutex_lock(&fake->mutex);
    size_t n = fake->count++;
    assert(n < REQUESTS_MAX);
    fake->requests[n] = request;
    pthread_mutex_unlock(&fake->mutex);
    return &fake->replies[n < fake->reply_count ? n : fake->reply_count - 1];
}

static void nap(struct http_fake *fake, int ms)
{
    for (; ms > 0 && !atomic_load(&fake->stopping); ms -= 10)
        usleep(10000);
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    char *request;
    while ((request = read_request(connection->fake, connection->fd))) {
        const struct http_fake_reply *reply = record(connection->fake, request);
        nap(connection->fake, reply->delay_ms);
        if (reply->text && send(connection->fd, reply->text, strlen(reply->text), MSG_NOSIGNAL) < 0)
            break;
        if (reply->hang_up)
            break;
    }
    shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct http_fake *fake = arg;
    while (wait_readable(fake, fake->listener)) {
        struct connection *connection = &fake->connections[fake->connection_count];
        assert(fake->connection_count < CONNECTIONS_MAX);
        connection->fake = fake;
        connection->fd = accept(fake->listener, NULL, NULL);
        if (connection->fd >= 0 &&
            pthread_create(&connection->thread, NULL, serve, connection) == 0)
            fake->connection_count++;
    }
    return NULL;
}

struct http_fake *http_fake_start(const struct http_fake_reply *replies, size_t count)
{
    struct http_fake *fake = calloc(1, sizeof(*fake));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    assert(fake);
    fake->replies = replies;
    fake->reply_count = count;
    pthread_mutex_init(&fake->mutex, NULL);
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = bind(fake->listener, (struct sockaddr *)&address, len) ||
                 listen(fake->listener, 64) ||
                 getsockname(fake->listener, (struct sockaddr *)&address, &len) ||
                 pthread_create(&fake->thread, NULL, accept_all, fake);
    assert(!failed);
    (void)failed;
    fake->port = ntohs(address.sin_port);
    return fake;
}

int http_fake_port(const struct http_fake *fake)
{
    return fake->port;
}

size_t http_fake_count(struct http_fake *fake)
{
    pthread_mutex_lock(&fake->mutex);
    size_t count = fake->count;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

const char *http_fake_request(struct http_fake *fake, size_t n)
{
    assert(n < http_fake_count(fake));
    return fake->requests[n];
}

void http_fake_stop(struct http_fake *fake)
{
    atomic_store(&fake->stopping, true);
    pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < fake->connection_count; i++) {
        pthread_join(fake->connections[i].thread, NULL);
        close(fake->connections[i].fd);
    }
    for (size_t i = 0; i < fake->count; i++)
        free(fake->requests[i]);
    close(fake->listener);
    pthread_mutex_destroy(&fake->mutex);
    free(fake);
}
