/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop's insides, shared by the files of the request path: loop.c (turn, posts), loop_io.c
 * (reading and writing), batch.c (grouping, locking, looking ahead), dispatch.c (one command),
 * exec.c and exec_locks.c (what a handler calls), cron.c and client.c.
 */
#ifndef CAIRN_SERVER_LOOP_INTERNAL_H
#define CAIRN_SERVER_LOOP_INTERNAL_H

#include <pthread.h>

#include "resp/arena.h"
#include "server/command.h"
#include "server/exec.h"
#include "server/loop.h"
#include "server/stats.h"

struct event_base;

/*
 * Bounds of a turn, so that no connection starves the others and no namespace is held for long.
 * Their reasons: 128 commands of one connection, or 16 KiB, are a tenth of a millisecond, so that
 * who sends one request does not wait long for those who send a million (redis-cli --pipe); with
 * 64, pipelines of 128 cost a fifth more. 256 requests are about 100 µs under the lock. After 16
 * connections their replies leave, so that the other side works while the next are read. When 24
 * connections sent something within a millisecond, and fewer than 8 of them had the last turn, a
 * pause of 50 µs where nothing is ready makes larger turns and spares both sides most of the
 * wake-ups (docs/performance.md); network cards gather packets for as long.
 */
#define TURN_CLIENTS_MAX   16
#define CROWD_CLIENTS      24
#define GATHER_CLIENTS     8
#define GATHER_NS          50000
#define TURN_READ_MAX      (16 * 1024)
#define TURN_COMMANDS_MAX  128
#define BATCH_REQUESTS_MAX 256
/* Input kept for a connection that may not run: past this its socket is no longer read. */
#define HELD_INPUT_MAX (1024 * 1024)
#define LOOP_IDS       1024 /* chains of the table of ids; a power of two */

struct request {
    struct client *client;
    const struct command *command; /* NULL: unknown, see dispatch */
    struct slice *argv;
    int argc;
    uint64_t hash;
    struct request *next; /* in a client's backlog */
};

struct post {
    uint64_t client_id;
    void (*run)(struct client *client, void *ctx);
    void *ctx;
};

struct posts {
    struct post *items;
    size_t count, cap;
};

struct outbox_item {
    struct loop *loop;
    struct post post;
    /* Of a promise: run instead when it does not hold. NULL: a message, which is true all the same.
     */
    void (*withhold)(struct client *client, void *ctx);
};

/* The namespaces this thread holds: its batch's one, or those of exec_lock_namespaces. */
struct held_locks {
    struct namespace **list;
    int count, cap;
    int depth; /* of nested exec_lock_namespaces; 0: none, or the batch's own */
};

struct loop {
    int index;
    struct event_base *base;
    pthread_t thread;
    bool stopping;

    pthread_mutex_t mail_mutex;
    struct posts mail; /* under mail_mutex */
    bool mail_signalled;
    int wake_fd;
    struct posts mail_running;

    int64_t now;
    uint64_t turn, pass, tokens;
    size_t turn_clients;     /* that the last turn read */
    size_t crowd, crowd_now; /* distinct clients in the last millisecond of turns, in this one */
    struct exec x;
    uint32_t slow_mask; /* commands with one of these flags take the slow path */
    bool time_all;      /* the slow log wants commands of less than a millisecond */

    struct client **ready;
    size_t ready_count, ready_cap;
    struct client **flush;
    size_t flush_count, flush_cap;
    struct client **closing;
    size_t closing_count, closing_cap;
    struct client **writers; /* that changed something this turn */
    size_t writers_count, writers_cap;

    struct request *requests;
    size_t request_count, request_cap;
    struct request *spent; /* backlog items of this turn: freed at its end */
    struct resp_arena arena;
    char *read_buffer;

    struct namespace *locked; /* the batch's; NULL: none */
    struct keyspace *locked_keys;
    struct held_locks held;
    struct namespace *wanted; /* exec_lock_namespaces met one that is not loaded */
    uint64_t ticket;          /* largest of this turn */
    bool harden_fsync;        /* a connection with durability written wrote */
    bool evict_failed;        /* memory is short, and evict_turn has found no key that may go */
    int64_t evict_again;      /* when it looks again after that, ms */
    struct outbox_item *outbox;
    size_t outbox_count, outbox_cap;

    struct client *ids[LOOP_IDS];
    struct client *clients; /* ring; cron walks it */
    size_t client_count;
    struct client *cron_at;
    uint64_t ticks;     /* of cron */
    size_t expire_at;   /* which namespace is looked through next, counted on and on */
    size_t expire_left; /* … and how many more there are in this cycle */

    struct loop_stats stats;
    struct event *wake_event, *cron_event;
    struct event *expire_event; /* pending while expired keys are left for it */
    uint64_t random_state[2];
};

/* Grows one of the loop's arrays to hold one more. */
#define LOOP_ROOM(array, count, cap)                                                               \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? (cap)*2 : 64;                                                          \
            (array) = mem_realloc((array), (cap) * sizeof(*(array)));                              \
        }                                                                                          \
    } while (0)

/* loop.c */
bool loops_create(int count);
void loops_run(void); /* runs loop 0 on the caller's thread, returns when all have stopped */
void loops_destroy(void);
void loop_stop(struct loop *loop);
struct client *loop_client(struct loop *loop, uint64_t id);
void loop_add_client(struct loop *loop, struct client *client);
void loop_remove_client(struct loop *loop, struct client *client);
void loop_mark_ready(struct client *client);
void loop_mark_flush(struct client *client);
uint64_t loop_random(struct loop *loop); /* not for secrets */

/* loop_io.c */
void io_read_ready(struct loop *loop);
void io_flush(struct loop *loop);
void io_on_readable(int fd, short what, void *arg);
void io_on_writable(int fd, short what, void *arg);
/* It has been silent for a while: what its last read could not tell is looked for. */
void io_look_again(struct client *client);

/* batch.c: step 2 and 3 of a turn. */
void batch_run(struct loop *loop);
/* Makes what was changed safe, then lets the outbox go; also for cron. False: it could not. */
bool batch_harden(struct loop *loop);
/* The client's replies stay here until the store has all of its held marks. */
void batch_hold_durable(struct client *client);
/*
 * The time of what runs under the locks of these namespaces: `now`, or that of their newest op when
 * it is later, since a machine's clock may have gone back between two starts, and another server's
 * may be ahead. Set anew with each lock, so that one namespace's time is no other's.
 */
void batch_set_time(struct loop *loop, int64_t now, struct namespace **list, int count);
void batch_seal(struct loop *loop); /* seals and gives back the batch's lock, if held */
/* Puts a request (copied) behind what its client has waiting. */
void backlog_append(struct client *client, const struct request *request);
void backlog_free(struct request *list);
/* Has ns loaded, the client waits. */
void batch_await_load(struct client *client, struct namespace *ns);

/* Every row, set when the table is built; rows that always take the slow path: containers, set
 * then, and what changes how replies leave. */
#define CMD_ANY  (1u << 30)
#define CMD_SLOW (1u << 31)

/* Clients with one of these flags take the slow path. */
#define CLIENT_SLOW                                                                                \
    (CLIENT_MULTI | CLIENT_PUBSUB | CLIENT_MONITOR | CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP |        \
     CLIENT_REPLY_SKIP_NEXT)

/* Replies of these clients are dropped, pushes excepted. */
#define CLIENT_MUTED (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP | CLIENT_REPLY_SKIP_NEXT)

/* dispatch.c */
void dispatch_prepare(struct loop *loop, struct request *request); /* finds command and hash */
void dispatch_slow(struct loop *loop, struct request *request);
void dispatch_update_mask(struct loop *loop);
void dispatch_run(struct exec *x); /* the handler, with statistics */

/* cron.c */
void cron_start(struct loop *loop);

#endif
