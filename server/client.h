/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection. It is owned by one loop's thread for life: everything here is touched on that
 * thread only, but for the fields that say otherwise. Other threads reach a client through
 * loop_post (server/loop.h) with a struct client_ref, which stays harmless after the client's end.
 */
#ifndef CAIRN_SERVER_CLIENT_H
#define CAIRN_SERVER_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ops/slice.h"
#include "persistence/namespace.h"
#include "persistence/persistence.h"
#include "resp/buffer.h"
#include "resp/reader.h"
#include "resp/writer.h"

struct blocked;
struct command;
struct event;
struct loop;
struct request;
struct subscriptions;
struct transaction;
struct watch;

/* The letter is that of CLIENT LIST's flags, in whose order they stand. */
/* clang-format off */
#define CLIENT_FLAG_LIST(X)                                                                     \
    X(MONITOR,     'O')                                                                         \
    X(PUBSUB,      'P') /* has subscriptions */                                                 \
    X(MULTI,       'x') /* between MULTI and EXEC */                                            \
    X(BLOCKED,     'b') /* waits in a blocking command, or for the end of a CLIENT PAUSE */     \
    X(DIRTY_CAS,   'd') /* a watched key changed: EXEC will fail. Any thread, under ns lock */  \
    X(CLOSE_REPLY, 'c') /* closes once its output is written; reads nothing more */             \
    X(CLOSE_NOW,   'A') /* closes at the end of the turn */                                     \
    X(UNIX_SOCKET, 'U')                                                                         \
    X(NO_EVICT,    'e')                                                                         \
    X(NO_TOUCH,    'T')                                                                         \
    X(REPLY_OFF,   0)   /* CLIENT REPLY OFF */                                                  \
    X(REPLY_SKIP,  0)   /* … SKIP: this command's reply is dropped */                           \
    X(REPLY_SKIP_NEXT, 0)                                                                       \
    X(AUTHENTICATED, 0)                                                                         \
    X(INTERNAL,    0)   /* no connection: the server's own work */
/* clang-format on */

enum client_flag_bit {
#define X(name, letter) CLIENT_BIT_##name,
    CLIENT_FLAG_LIST(X)
#undef X
};
enum client_flag {
#define X(name, letter) CLIENT_##name = 1 << CLIENT_BIT_##name,
    CLIENT_FLAG_LIST(X)
#undef X
};

/* Names a client from any thread, alive or not. */
struct client_ref {
    struct loop *loop;
    uint64_t id;
};

enum client_hold {
    HOLD_NONE = 0,
    HOLD_SUSPENDED = 1 << 0, /* exec_suspend: blocked, WAIT, … */
    HOLD_LOADING = 1 << 1,   /* its namespace is being loaded */
    HOLD_PAUSED = 1 << 2,    /* CLIENT PAUSE */
    HOLD_DURABLE = 1 << 3,   /* replies wait for the commit */
};

/* The mark (namespace_mark) behind a client's last write in a namespace. */
struct write_mark {
    struct namespace *ns;
    uint64_t mark;
    bool held; /* for HOLD_DURABLE: written since the last wait */
};

struct client {
    uint64_t id;
    struct loop *loop;
    int fd;
    _Atomic uint32_t flags; /* enum client_flag; written by its thread (DIRTY_CAS: see there) */
    _Atomic(struct namespace *) ns; /* what SELECT chose; never NULL. Others read it */
    struct resp_reader *reader;
    struct resp_buffer output;
    struct resp_writer writer; /* writes into output; knows RESP2 or RESP3 */
    enum durability durability;
    unsigned hold;       /* enum client_hold bits: no further command runs while not 0 */
    uint64_t wait_token; /* of the present exec_suspend; 0: none */

    /* State of command families; each is made, freed and understood by one file. */
    struct transaction *transaction;     /* transaction_commands.c: queue; NULL outside MULTI */
    struct watch *watched;               /* watch.c: its watched keys */
    struct subscriptions *subscriptions; /* pubsub.c */
    struct blocked *blocked;             /* blocking.c */
    bool exec_own_locks; /* EXEC must run as CMD_OWN_LOCKS: the queue has SELECT, MOVE, … in it */

    /* Printed by CLIENT LIST on any thread: relaxed atomics, written by the client's thread. */
    _Atomic int subscribed, psubscribed, ssubscribed; /* counts of channels, patterns, shards */
    _Atomic int queued;                               /* commands in MULTI; -1 outside */
    _Atomic(const struct command *) last_command;
    _Atomic int64_t last_ms; /* of its last traffic, or when it was held last */
    int64_t created_ms;
    _Atomic int64_t query_bytes, query_free, output_bytes, reply_size, reply_peak, memory;
    _Atomic int protocol; /* 2 or 3 */

    /* Under the registry's mutex (registry_lock), since strings are not atomic. */
    char *name;                           /* CLIENT SETNAME; NULL: none */
    char *library_name, *library_version; /* CLIENT SETINFO; NULL: none */
    struct client *registry_prev, *registry_next;
    char address[64], local_address[64]; /* "127.0.0.1:51234"; set once */

    /* The loop's own. */
    struct event *read_event, *write_event, *timer;
    void (*timer_run)(struct client *client, uint64_t token);
    void (*wait_answer)(struct resp_writer *out, bool reached, enum persistence_status status,
                        uint64_t position); /* of server/wait.h: the present wait's */
    void (*wait_ends)(struct client *client, uint64_t token); /* before its time; NULL: cannot */
    uint64_t timer_token;
    struct request *backlog; /* parsed and not yet run, copied out of the turn's arena */
    struct request *backlog_last;
    struct client *id_next;               /* chain of the loop's table of ids */
    struct client *cron_prev, *cron_next; /* ring of the loop's clients, for cron */
    uint64_t pass_skipped;                /* the pass in which a request of it was put off */
    uint64_t wrote_turn;                  /* the turn in which it changed something */
    struct write_mark *marks;             /* how far its writes went in each namespace, for WAIT */
    size_t mark_count;
    unsigned durable_waits;   /* commits that its HOLD_DURABLE waits for */
    int64_t durable_since;    /* ms, when that began */
    int64_t soft_limit_since; /* output buffer above its soft limit since; 0: not */
    int64_t query_peak, reply_peak_ms;
    int64_t crowd_ms;   /* the millisecond of turns in which it was counted */
    size_t held_before; /* bytes of output that waited when the answer of a wait began */
    bool ready, input_left, flush_listed, writable_wait, read_paused;
    bool input_ready; /* the socket may have input, or its end, that was not read */
    bool input_ends;  /* an event has told of the end: behind all input there will be one */
    bool input_short; /* the last read found less than it asked for, and may have missed a reset */
    bool eof, broken; /* the peer sent its last byte; a protocol error */
};

static inline bool client_is(const struct client *client, uint32_t flags)
{
    return atomic_load_explicit(&client->flags, memory_order_relaxed) & flags;
}

static inline void client_flag_set(struct client *client, uint32_t flags)
{
    atomic_fetch_or_explicit(&client->flags, flags, memory_order_relaxed);
}

static inline void client_flag_clear(struct client *client, uint32_t flags)
{
    atomic_fetch_and_explicit(&client->flags, ~flags, memory_order_relaxed);
}

static inline struct client_ref client_ref(const struct client *client)
{
    return (struct client_ref){client->loop, client->id};
}

static inline struct namespace *client_namespace(const struct client *client)
{
    return atomic_load_explicit(&client->ns, memory_order_relaxed);
}

/*
 * Out-of-band output (pub/sub messages, MONITOR lines): returns the writer and has the output
 * written at the end of this turn, whatever CLIENT REPLY says. On the client's thread, from a
 * function run by loop_post or from a handler.
 */
struct resp_writer *client_push(struct client *client);

/*
 * Answers of suspended commands (exec_suspend gave `token`). On the client's thread, from a
 * function run by loop_post or a timer; no namespace lock needed. client_answer returns the writer
 * for the late reply, or NULL when that wait is over already (served, timed out, unblocked: whoever
 * comes first ends it). Then client_resume ends the wait: the client goes on with what it has sent
 * meanwhile.
 */
struct resp_writer *client_answer(struct client *client, uint64_t token);
void client_resume(struct client *client, uint64_t token);

/*
 * Calls `run` on the client's thread, with no lock held, at `at_ms` (as loop_now; exec.now may be a
 * later time than any clock's) or soon after. One timer a client; setting replaces, client_resume
 * and the client's end cancel.
 */
void client_set_timer(struct client *client, uint64_t token, int64_t at_ms,
                      void (*run)(struct client *client, uint64_t token));

/* Closes it at the end of the turn; what is in its output is dropped, or sent first. */
void client_close_now(struct client *client);
void client_close_after_reply(struct client *client);
/* True: more of its output waits than the hard limit of client-output-buffer-limit allows, so it is
 * closed. Less than CLIENT_LONG_OUTPUT is looked at when it has been written. */
#define CLIENT_LONG_OUTPUT (1024 * 1024)
bool client_past_hard_limit(struct client *client);
static inline bool client_overflows(struct client *client)
{
    return resp_buffer_pending(&client->output) > CLIENT_LONG_OUTPUT &&
           client_past_hard_limit(client);
}

/* Moves the connection to another namespace (SELECT, RESET). */
void client_select(struct client *client, struct namespace *ns);

#endif
