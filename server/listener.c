/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accepting in one place costs a post per connection and keeps them evenly spread, which
 * SO_REUSEPORT does not; connections last, so it is not on the hot path.
 */
#include "server/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/config.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/registry.h"
#include "server/server.h"

#define SOCKETS_MAX 32

struct listener {
    int fd;
    bool is_unix;
    struct event *event;
};

static struct listener listeners[SOCKETS_MAX];
static int count;
static int next_loop;

static bool add_socket(int fd, bool is_unix, struct text *error)
{
    if (listen(fd, (int)CONFIG(tcp_backlog)) < 0 || count == SOCKETS_MAX) {
        text_append_format(error, "cannot listen: %s", strerror(errno));
        close(fd);
        return false;
    }
    listeners[count++] = (struct listener){.fd = fd, .is_unix = is_unix};
    return true;
}

static bool bind_one(const char *host, const char *port, bool optional, struct text *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    const char *node = strcmp(host, "*") == 0 ? "0.0.0.0" : strcmp(host, "::*") == 0 ? "::" : host;
    int failed = getaddrinfo(node, port, &hints, &found);
    if (failed) {
        text_append_format(error, "cannot bind %s: %s", host, gai_strerror(failed));
        return optional;
    }
    int on = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && found->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool bound = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    int why = errno;
    freeaddrinfo(found);
    if (bound)
        return add_socket(fd, false, error);
    if (fd >= 0)
        close(fd);
    if (optional && (why == EADDRNOTAVAIL || why == EAFNOSUPPORT || why == ENOPROTOOPT))
        return true;
    text_append_format(error, "cannot listen on %s port %s: %s%s", host, port, strerror(why),
                       why == EADDRINUSE ? " (is another server running? use --port)" : "");
    return false;
}

/* As in Redis, an address that begins with '-' may be missing on this machine. */
static bool bind_addresses(struct text *error)
{
    char port[16], *list = CONFIG_STRING(bind), *rest = NULL;
    snprintf(port, sizeof(port), "%d", (int)CONFIG(port));
    bool good = true;
    for (char *host = strtok_r(list, " ", &rest); host && good; host = strtok_r(NULL, " ", &rest))
        good = bind_one(host[0] == '-' ? host + 1 : host, port, host[0] == '-', error);
    mem_free(list);
    return good;
}

static bool bind_unix(const char *path, struct text *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        text_append_format(error, "unixsocket: the path is longer than %zu bytes",
                           sizeof(address.sun_path) - 1);
        return false;
    }
    strcpy(address.sun_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        text_append_format(error, "cannot listen on %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (CONFIG(unixsocketperm))
        chmod(path, (mode_t)CONFIG(unixsocketperm));
    return add_socket(fd, true, error);
}

bool listener_open(struct text *error)
{
    bool good = CONFIG(port) == 0 || bind_addresses(error);
    char *path = CONFIG_STRING(unixsocket);
    if (good && path[0])
        good = bind_unix(path, error);
    mem_free(path);
    if (good && count == 0) {
        text_append_string(error, "nothing to listen on: set port, bind or unixsocket");
        return false;
    }
    return good;
}

struct newcomer {
    struct loop *loop;
    int fd;
    bool is_unix;
};

static void take_connection(struct client *none, void *ctx)
{
    (void)none;
    struct newcomer *newcomer = ctx;
    stats_count(STAT_CONNECTIONS, 1);
    client_create(newcomer->loop, registry_next_id(), newcomer->fd, newcomer->is_unix);
    mem_free(newcomer);
}

static void refuse(int fd, const char *text)
{
    ssize_t sent = write(fd, text, strlen(text));
    (void)sent; /* it is told if it can be told */
    close(fd);
    stats_count(STAT_REJECTED_CONNECTIONS, 1);
}

/* Redis's rule: no password, bound to everything, and the peer is not this machine. */
static bool is_protected(const struct listener *from, const struct sockaddr_storage *peer)
{
    if (from->is_unix || !CONFIG(protected_mode) ||
        atomic_load_explicit(&server.password_set, memory_order_relaxed))
        return false;
    if (peer->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >> 24) != 127;
    return !IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)peer)->sin6_addr);
}

static const char denied[] =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from external computers to Redis you may adopt one of the "
    "following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
    "protected-mode no' from the loopback interface by connecting to Redis from the same host the "
    "server is running, however MAKE SURE Redis is not publicly accessible from internet if you do "
    "so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable "
    "the protected mode by editing the Redis configuration file, and setting the protected mode "
    "option to 'no', and then restarting the server. 3) If you started the server manually just "
    "for "
    "testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication "
    "password for the default user. NOTE: You only need to do one of the above things in order for "
    "the server to start accepting connections from the outside.\r\n";

static void hand_out(const struct listener *from, int fd, const struct sockaddr_storage *peer)
{
    if (!registry_admit()) {
        refuse(fd, "-ERR max number of clients reached\r\n");
        return;
    }
    if (is_protected(from, peer)) {
        registry_leave();
        refuse(fd, denied);
        return;
    }
    struct newcomer *newcomer = mem_alloc(sizeof(*newcomer));
    *newcomer = (struct newcomer){loop_at(next_loop), fd, from->is_unix};
    next_loop = (next_loop + 1) % loop_count();
    loop_post(newcomer->loop, 0, take_connection, newcomer);
}

static void on_connection(int fd, short what, void *arg)
{
    (void)what;
    const struct listener *from = arg;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof(peer);
        int taken = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (taken >= 0) {
            hand_out(from, taken, &peer);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN)
                log_line(LOG_WARNING, "cannot accept a connection: %s", strerror(errno));
            return;
        }
    }
}

void listener_start(void)
{
    for (int i = 0; i < count; i++) {
        struct listener *one = &listeners[i];
        one->event = event_new(loop_at(0)->base, one->fd, EV_READ | EV_PERSIST, on_connection, one);
        event_add(one->event, NULL);
    }
}

void listener_stop(void)
{
    for (int i = 0; i < count; i++) {
        if (listeners[i].event)
            event_free(listeners[i].event);
        listeners[i].event = NULL;
    }
}

void listener_close(void)
{
    char *path = CONFIG_STRING(unixsocket);
    for (int i = 0; i < count; i++) {
        close(listeners[i].fd);
        if (listeners[i].is_unix)
            unlink(path);
    }
    count = 0;
    mem_free(path);
}
