/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection's life: made by its loop, ended at the end of a turn. */
#include "server/client.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/monitor.h"
#include "server/registry.h"
#include "server/server.h"

static void print_address(const struct sockaddr_storage *address, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, cap, "%s:%d", host, ntohs(in->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, cap, "[%s]:%d", host, ntohs(in6->sin6_port));
    } else {
        char *path = config_string(&config.unixsocket);
        snprintf(out, cap, "%.50s:0", path);
        mem_free(path);
    }
}

static void name_ends(struct client *client)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    if (getpeername(client->fd, (struct sockaddr *)&address, &len) == 0)
        print_address(&address, client->address, sizeof(client->address));
    len = sizeof(address);
    memset(&address, 0, sizeof(address));
    if (getsockname(client->fd, (struct sockaddr *)&address, &len) == 0)
        print_address(&address, client->local_address, sizeof(client->local_address));
}

static void tune_socket(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int idle = (int)CONFIG(tcp_keepalive);
    if (!idle)
        return;
    int interval = idle / 3 > 0 ? idle / 3 : 1, probes = 3;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

struct client *client_create(struct loop *loop, uint64_t id, int fd, bool unix_socket)
{
    struct client *client = mem_calloc(1, sizeof(*client));
    client->id = id;
    client->loop = loop;
    client->fd = fd;
    atomic_init(&client->ns, server.databases[0]);
    client->reader = resp_reader_create(&request_limits);
    client->writer = (struct resp_writer){&client->output, 2};
    client->durability = (enum durability)CONFIG(durability);
    atomic_init(&client->queued, -1);
    atomic_init(&client->protocol, 2);
    client->created_ms = loop->now;
    atomic_init(&client->last_ms, loop->now);
    atomic_init(&client->reply_size, CLIENT_REPLY_SIZE);
    client_flag_set(client, unix_socket ? CLIENT_UNIX_SOCKET : 0);
    client_set_authenticated(client,
                             !atomic_load_explicit(&server.password_set, memory_order_relaxed));
    name_ends(client);
    if (!unix_socket)
        tune_socket(fd);
    client->read_event =
        event_new(loop->base, fd, EV_READ | EV_CLOSED | EV_PERSIST | EV_ET, io_on_readable, client);
    client->write_event = event_new(loop->base, fd, EV_WRITE | EV_ET, io_on_writable, client);
    loop_add_client(loop, client);
    registry_add(client);
    event_add(client->read_event, NULL);
    return client;
}

void client_set_authenticated(struct client *client, bool authenticated)
{
    if (authenticated)
        client_flag_set(client, CLIENT_AUTHENTICATED);
    else
        client_flag_clear(client, CLIENT_AUTHENTICATED);
    resp_reader_set_authenticated(client->reader, authenticated);
}

static void leave_ready_list(struct client *client)
{
    struct loop *loop = client->loop;
    for (size_t i = 0; client->ready && i < loop->ready_count; i++) {
        if (loop->ready[i] == client) {
            loop->ready[i] = loop->ready[--loop->ready_count];
            client->ready = false;
        }
    }
}

static void free_events(struct client *client)
{
    event_free(client->read_event);
    event_free(client->write_event);
    if (client->timer)
        event_free(client->timer);
}

void client_destroy(struct client *client)
{
    transaction_on_close(client);
    blocking_on_close(client);
    pubsub_on_close(client);
    monitor_on_close(client);
    registry_remove(client);
    registry_leave();
    loop_remove_client(client->loop, client);
    leave_ready_list(client);
    free_events(client);
    close(client->fd);
    backlog_free(client->backlog);
    resp_reader_destroy(client->reader);
    resp_buffer_release(&client->output);
    mem_free(client->marks);
    mem_free(client->name);
    mem_free(client->library_name);
    mem_free(client->library_version);
    mem_free(client);
}

void client_close_now(struct client *client)
{
    struct loop *loop = client->loop;
    if (client_is(client, CLIENT_CLOSE_NOW))
        return;
    client_flag_set(client, CLIENT_CLOSE_NOW);
    LOOP_ROOM(loop->closing, loop->closing_count, loop->closing_cap);
    loop->closing[loop->closing_count++] = client;
}

void client_close_after_reply(struct client *client)
{
    client_flag_set(client, CLIENT_CLOSE_REPLY);
    loop_mark_flush(client);
}

void client_close_past_limit(struct client *client)
{
    log_line(LOG_WARNING, "client id=%llu addr=%s closed: it passed the output buffer limit",
             (unsigned long long)client->id, client->address);
    stats_bump(&client->loop->stats.counters[STAT_OUTPUT_LIMIT_CLOSED], 1);
    client_close_now(client);
}

bool client_past_hard_limit(struct client *client)
{
    enum output_class class = client_is(client, CLIENT_PUBSUB) ? OUTPUT_PUBSUB : OUTPUT_NORMAL;
    int64_t hard = atomic_load_explicit(&config.output_limits[class].hard, memory_order_relaxed);
    if (!hard || (int64_t)resp_buffer_pending(&client->output) <= hard)
        return false;
    if (!client_is(client, CLIENT_CLOSE_NOW))
        client_close_past_limit(client);
    return true;
}

struct resp_writer *client_push(struct client *client)
{
    loop_mark_flush(client);
    return &client->writer;
}

struct resp_writer *client_answer(struct client *client, uint64_t token)
{
    if (!token || client->wait_token != token)
        return NULL;
    client->held_before = resp_buffer_pending(&client->output);
    loop_mark_flush(client);
    return &client->writer;
}

void client_resume(struct client *client, uint64_t token)
{
    if (!token || client->wait_token != token)
        return;
    if (client_is(client, CLIENT_MUTED))
        resp_buffer_take_back(&client->output, client->held_before);
    client_flag_clear(client, CLIENT_REPLY_SKIP);
    client->wait_token = 0;
    client->wait_ends = NULL;
    client_flag_clear(client, CLIENT_BLOCKED);
    if (client->timer)
        event_del(client->timer);
    client_release_hold(client, HOLD_SUSPENDED);
}

void client_release_hold(struct client *client, unsigned hold)
{
    if (!(client->hold & hold))
        return;
    client->hold &= ~hold;
    if (client->hold)
        return;
    client->input_left = true;
    atomic_store_explicit(&client->last_ms, client->loop->now, memory_order_relaxed);
    if (client->read_paused && !client->eof) {
        event_add(client->read_event, NULL);
        client->read_paused = false;
    }
    loop_mark_ready(client);
    loop_mark_flush(client);
}

static void on_timer(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct client *client = arg;
    client->timer_run(client, client->timer_token);
}

void client_set_timer(struct client *client, uint64_t token, int64_t at_ms,
                      void (*run)(struct client *client, uint64_t token))
{
    if (!client->timer)
        client->timer = event_new(client->loop->base, -1, 0, on_timer, client);
    client->timer_run = run;
    client->timer_token = token;
    int64_t wait = at_ms > client->loop->now ? at_ms - client->loop->now : 0;
    struct timeval delay = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
    event_add(client->timer, &delay);
}

/*
 * qbuf and qbuf-free as Redis would show them: input waits in a buffer of at least 16 KiB while the
 * client is active, as large as its recent peak, and in none when it is idle.
 */
void client_note_memory(struct client *client)
{
    int64_t waiting = (int64_t)resp_reader_buffered(client->reader);
    int64_t idle = client->loop->now - atomic_load_explicit(&client->last_ms, memory_order_relaxed);
    int64_t room = idle > 2000 && waiting == 0              ? 0
                   : client->query_peak > CLIENT_QUERY_SIZE ? client->query_peak
                                                            : CLIENT_QUERY_SIZE;
    int64_t memory =
        (int64_t)(sizeof(*client) + resp_reader_memory(client->reader) + client->output.cap);
    atomic_store_explicit(&client->query_bytes, waiting, memory_order_relaxed);
    atomic_store_explicit(&client->query_free, room > waiting ? room - waiting : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&client->memory, memory, memory_order_relaxed);
}

void client_select(struct client *client, struct namespace *ns)
{
    atomic_store_explicit(&client->ns, ns, memory_order_relaxed);
}
