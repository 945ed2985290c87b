/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps 1 and 4 of a turn: reading and parsing of all that is ready, writing of all replies. Events
 * only note that a connection is ready. One read a connection and turn, as a rule, and one write.
 *
 * Events are told once (EV_ET): whoever is noted stays so until a read has found less than it asked
 * for, so that the kernel need not be asked again about those that had no turn yet, nor about those
 * that had one. An end that came with the last of the input is told by the event; a reset is not,
 * and cron reads once more where the connection is silent (io_look_again).
 */
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/config.h"
#include "server/log.h"
#include "server/loop-internal.h"

#define REPLY_KEEP                                                                                 \
    (16 * 1024) /* an output buffer that grew past this gives memory back when empty */

void io_on_readable(int fd, short what, void *arg)
{
    (void)fd;
    struct client *client = arg;
    client->input_ready = true;
    client->input_ends |= (what & EV_CLOSED) != 0;
    loop_mark_ready(client);
}

void io_look_again(struct client *client)
{
    if (!client->input_short || client->read_paused)
        return;
    client->input_ready = true;
    loop_mark_ready(client);
}

void io_on_writable(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct client *client = arg;
    client->writable_wait = false;
    loop_mark_flush(client);
}

/* Takes back what waited while the client was held. */
static void take_backlog(struct loop *loop, struct client *client)
{
    if (client->backlog)
        loop_mark_flush(client);
    while (client->backlog) {
        struct request *item = client->backlog;
        client->backlog = item->next;
        LOOP_ROOM(loop->requests, loop->request_count, loop->request_cap);
        loop->requests[loop->request_count++] = *item;
        item->next = loop->spent;
        loop->spent = item;
    }
    client->backlog_last = NULL;
}

static void protocol_error(struct client *client)
{
    log_line(LOG_VERBOSE, "protocol error from client id=%llu addr=%s: %s",
             (unsigned long long)client->id, client->address, resp_reader_error(client->reader));
    resp_write_error(&client->writer, resp_reader_error(client->reader));
    client_close_after_reply(client);
}

/* Parses until the reader has no whole command or the turn has enough of them; true: enough. */
static bool parse(struct loop *loop, struct client *client, size_t *commands)
{
    struct resp_command command;
    /* What follows an AUTH is judged by the limits that hold behind it: so it has to run first. */
    size_t most = client_is(client, CLIENT_AUTHENTICATED) ? TURN_COMMANDS_MAX : 1;
    if (most == 1)
        resp_reader_set_authenticated(client->reader, !client_must_authenticate(client));
    while (*commands < most) {
        switch (resp_reader_next(client->reader, &loop->arena, &command)) {
        case RESP_NEXT_COMMAND:
            LOOP_ROOM(loop->requests, loop->request_count, loop->request_cap);
            struct request *request = &loop->requests[loop->request_count++];
            request->client = client;
            request->argv = (struct slice *)command.argv;
            request->argc = command.argc;
            dispatch_prepare(loop, request);
            ++*commands;
            break;
        case RESP_NEXT_MORE: return false;
        case RESP_NEXT_ERROR:
            client->broken = true; /* told after the replies of what came before */
            return true;
        }
    }
    return true;
}

enum input { INPUT_SOME, INPUT_NONE, INPUT_END };

/* From the socket into the reader. */
static enum input read_some(struct loop *loop, struct client *client, size_t *bytes)
{
    ssize_t got;
    do {
        got = recv(client->fd, loop->read_buffer, TURN_READ_MAX, 0);
    } while (got < 0 && errno == EINTR);
    stats_bump(&loop->stats.counters[STAT_READS], 1);
    client->input_ready = got == TURN_READ_MAX || (got > 0 && client->input_ends);
    client->input_short = got > 0 && !client->input_ready;
    if (got < 0 && errno == EAGAIN)
        return INPUT_NONE;
    if (got <= 0)
        return INPUT_END;
    stats_bump(&loop->stats.counters[STAT_INPUT_BYTES], got);
    *bytes = (size_t)got;
    atomic_store_explicit(&client->last_ms, loop->now, memory_order_relaxed);
    if (!resp_reader_feed(client->reader, loop->read_buffer, (size_t)got)) {
        log_line(LOG_WARNING, "client id=%llu addr=%s closed: it passed the query buffer limit",
                 (unsigned long long)client->id, client->address);
        stats_bump(&loop->stats.counters[STAT_QUERY_LIMIT_CLOSED], 1);
        return INPUT_END;
    }
    return INPUT_SOME;
}

/* For CLIENT LIST: cron does the rest. */
static void note_input(struct client *client, size_t bytes)
{
    size_t waiting = resp_reader_buffered(client->reader);
    int64_t held = (int64_t)(waiting > bytes ? waiting : bytes);
    bool grew = held > client->query_peak;
    if (grew)
        client->query_peak = held;
    if ((grew && held > TURN_READ_MAX) ||
        atomic_load_explicit(&client->query_free, memory_order_relaxed) == 0)
        client_note_memory(client);
}

static void end_input(struct client *client)
{
    client->eof = true;
    event_del(client->read_event);
    client->read_paused = true;
}

/* Its peer has sent its last byte, and all that came before has run, or waits in a command, which
 * ends with the connection. */
static bool is_over(const struct client *client)
{
    bool idle = !client->hold && !client->input_left && !client->backlog;
    return client->eof && (idle || client->hold == HOLD_SUSPENDED);
}

static void read_and_parse(struct loop *loop, struct client *client)
{
    size_t bytes = 0, commands = 0;
    enum input state = INPUT_NONE;
    bool enough = client->input_left && parse(loop, client, &commands);
    if (!enough && client->input_ready)
        state = read_some(loop, client, &bytes);
    if (state == INPUT_SOME)
        enough = parse(loop, client, &commands);
    if (state == INPUT_END)
        end_input(client);
    client->input_left = enough && !client->broken;
    if (commands)
        loop_mark_flush(client);
    note_input(client, bytes);
}

/* A held client is read all the same, so that its end is noticed, but not parsed. A load is nothing
 * that clients should notice: what one has sent before its end runs behind it. */
static void read_held(struct loop *loop, struct client *client)
{
    size_t bytes = 0;
    if (resp_reader_buffered(client->reader) > HELD_INPUT_MAX) {
        event_del(client->read_event);
        client->read_paused = true;
    } else if (read_some(loop, client, &bytes) == INPUT_END) {
        if (client->hold & HOLD_LOADING)
            end_input(client);
        else
            client_close_now(client);
    }
}

static void read_client(struct loop *loop, struct client *client)
{
    if (client_is(client, CLIENT_CLOSE_NOW | CLIENT_CLOSE_REPLY)) {
        if (!client_is(client, CLIENT_CLOSE_NOW)) {
            event_del(client->read_event); /* it waits for its output alone */
            client->read_paused = true;
        }
    } else if (client->hold) {
        if (client->input_ready)
            read_held(loop, client);
    } else {
        take_backlog(loop, client);
        read_and_parse(loop, client);
    }
}

/* An fsync is shared by all who wrote in a turn: where there is one, a turn takes all who are
 * ready. */
static size_t clients_of_turn(const struct loop *loop)
{
    bool fsyncs =
        CONFIG(journal_fsync) == JOURNAL_FSYNC_ALWAYS || CONFIG(durability) != DURABILITY_APPLIED;
    return fsyncs || loop->ready_count < TURN_CLIENTS_MAX ? loop->ready_count : TURN_CLIENTS_MAX;
}

static bool comes_again(const struct client *client)
{
    if (client->input_ready && !client->read_paused)
        return true;
    return client->input_left && !client->hold && !client->broken;
}

void io_read_ready(struct loop *loop)
{
    size_t n = clients_of_turn(loop);
    loop->turn_clients = n;
    for (size_t i = 0; i < n; i++) {
        struct client *client = loop->ready[i];
        client->ready = false;
        loop->crowd_now += client->crowd_ms != loop->now;
        client->crowd_ms = loop->now;
        read_client(loop, client);
    }
    /* Those with input left, or at their end, come again when what they sent has been run; those
     * who had no turn yet are before them. */
    for (size_t i = 0; i < n; i++) {
        struct client *client = loop->ready[i];
        if (client->broken || client->eof)
            loop_mark_flush(client);
        if (comes_again(client))
            loop_mark_ready(client);
    }
    loop->ready_count -= n;
    if (loop->ready_count)
        memmove(loop->ready, loop->ready + n, loop->ready_count * sizeof(struct client *));
}

static bool past_output_limit(struct loop *loop, struct client *client, int64_t pending)
{
    bool pubsub = client_is(client, CLIENT_PUBSUB);
    struct output_limit *limit = &config.output_limits[pubsub ? OUTPUT_PUBSUB : OUTPUT_NORMAL];
    int64_t hard = atomic_load_explicit(&limit->hard, memory_order_relaxed);
    int64_t soft = atomic_load_explicit(&limit->soft, memory_order_relaxed);
    int64_t seconds = atomic_load_explicit(&limit->soft_seconds, memory_order_relaxed);
    if (hard && pending > hard)
        return true;
    if (!soft || pending <= soft) {
        client->soft_limit_since = 0;
        return false;
    }
    if (!client->soft_limit_since)
        client->soft_limit_since = loop->now;
    return loop->now - client->soft_limit_since > seconds * 1000;
}

/* False: the connection is gone. */
static bool write_some(struct loop *loop, struct client *client)
{
    struct resp_buffer *out = &client->output;
    while (resp_buffer_pending(out)) {
        ssize_t sent =
            send(client->fd, out->data + out->sent, resp_buffer_pending(out), MSG_NOSIGNAL);
        stats_bump(&loop->stats.counters[STAT_WRITES], 1);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return true;
        if (sent < 0)
            return false;
        stats_bump(&loop->stats.counters[STAT_OUTPUT_BYTES], sent);
        atomic_store_explicit(&client->last_ms, loop->now, memory_order_relaxed);
        bool whole = (size_t)sent == resp_buffer_pending(out);
        resp_buffer_consume(out, (size_t)sent);
        if (!whole)
            return true; /* the socket is full: the event tells when it is not */
    }
    return true;
}

static bool closed_past_limit(struct loop *loop, struct client *client)
{
    int64_t pending = (int64_t)resp_buffer_pending(&client->output);
    if (!past_output_limit(loop, client, pending))
        return false;
    client_close_past_limit(client);
    return true;
}

static void note_reply_peak(struct client *client)
{
    int64_t len = (int64_t)client->output.len;
    if (len > atomic_load_explicit(&client->reply_peak, memory_order_relaxed))
        atomic_store_explicit(&client->reply_peak, len, memory_order_relaxed);
}

static void flush_client(struct loop *loop, struct client *client)
{
    client->flush_listed = false;
    if (client_is(client, CLIENT_CLOSE_NOW))
        return;
    if (client->hold & HOLD_DURABLE) {
        closed_past_limit(loop, client); /* pushes gather behind its replies */
        return;
    }
    if (client->broken && !client_is(client, CLIENT_CLOSE_REPLY) && !client->hold &&
        !client->backlog)
        protocol_error(client);
    note_reply_peak(client);
    if (!client->writable_wait && !write_some(loop, client)) {
        client_close_now(client);
        return;
    }
    size_t pending = resp_buffer_pending(&client->output);
    atomic_store_explicit(&client->output_bytes, (int64_t)pending, memory_order_relaxed);
    if (pending == 0) {
        if (client_is(client, CLIENT_CLOSE_REPLY) || is_over(client))
            client_close_now(client);
        if (client->output.cap > REPLY_KEEP)
            resp_buffer_shrink(&client->output);
        return;
    }
    if (!closed_past_limit(loop, client) && !client->writable_wait) {
        client->writable_wait = true;
        event_add(client->write_event, NULL);
    }
}

void io_flush(struct loop *loop)
{
    for (size_t i = 0; i < loop->flush_count; i++)
        flush_client(loop, loop->flush[i]);
    loop->flush_count = 0;
}
