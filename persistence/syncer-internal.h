/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by syncer*.c, position_wait.c and opening.c. On the syncer's thread, or before it runs. */
#ifndef CAIRN_PERSISTENCE_SYNCER_INTERNAL_H
#define CAIRN_PERSISTENCE_SYNCER_INTERNAL_H

#include "persistence/processor_use.h"
#include "persistence/syncer.h"

struct event;
struct event_base;
struct task;

struct syncer {
    struct persistence *owner;
    struct event_base *base;
    struct event *wake, *tick, *retry, *slow;
    struct store *store;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    struct task *tasks, **tasks_end; /* under the mutex, as is `dirty` */
    struct namespace *dirty;
    int64_t retry_at; /* 0: not armed */
    bool closing;
    int64_t close_by; /* of monotonic_ms */
    /* syncer_poll.c: one look at all heads. */
    struct store_request listing;
    bool is_listing, list_refused;
    unsigned list_failures, ticks;
    size_t list_pages; /* requests that the last one took */
    struct processor_use use;
};

/* Carries the namespace's sync on as far as it goes now. */
void agent_run(struct namespace *ns);

/* Has what others have committed taken in; `take`: and what is pending sent. */
void agent_look(struct namespace *ns, bool take);
struct event_base *syncer_base(struct syncer *syncer);

/* position_wait.c: for namespaces with a watch; dropping needs none. */
void agent_settle_positions(struct namespace *ns);
void agent_drop_positions(struct namespace *ns);

/* The state in memory is that of `position` from now on. What others have written is taken in under
 * the namespace's lock, and so must this be then: who holds it finds the two in agreement. */
void agent_note_position(struct namespace *ns, uint64_t position);
/* Batches that the core is done with, and troubles. */
void agent_settle(struct namespace *ns);

/* syncer_shared.c: gives what others have committed to rebase. */
void agent_take_arrivals(struct namespace *ns);
/* A fold has passed us: loads the state anew and puts what is pending on top. */
void agent_start_reload(struct namespace *ns);

/* syncer_jobs.c: what the workers do, and what becomes of it on the syncer's thread. */
void agent_start_load(struct namespace *ns);
/* Begins one, or puts it off: then `fold_at` says when to ask again. */
void agent_start_fold(struct namespace *ns);
void agent_start_move(struct namespace *ns);
void agent_start_tidy(struct namespace *ns);
/* Drops an idle namespace from memory. */
void agent_unload(struct namespace *ns);

/* Tries again what could not be loaded since the store was out of reach, when that is due. */
void agent_load_again(struct namespace *ns);

/* syncer_trouble.c: what of it is told, and whether writes are refused. */
void agent_show_trouble(struct namespace *ns);
/* Once a second: tells when ops are not durable for long. */
void trouble_beat(struct persistence *p, struct namespace **list, size_t count);

/* syncer_poll.c: when heads that others may have moved are looked at. */
/* The sync interval is over. */
void poll_tick(struct syncer *syncer);
/* It was used, or changed: at the interval again. */
void agent_poll_often(struct namespace *ns);

#endif
