/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of the sync cores: one thread with a libevent loop that carries out their requests,
 * has folds and loads done by the workers, and answers those who wait. All the work happens on that
 * thread; what is below create and destroy only hands it over, and may be called on any.
 */
#ifndef CAIRN_PERSISTENCE_SYNCER_H
#define CAIRN_PERSISTENCE_SYNCER_H

#include "persistence/namespace-internal.h"

struct syncer;

struct syncer *syncer_create(struct persistence *p, struct text *error);
/*
 * Ends the workers (persistence.stopping is true already), commits what is pending, answers all
 * who wait, ends the thread. True: everything is committed. NULL-safe.
 */
bool syncer_destroy(struct syncer *syncer);

/* Runs `task` on the syncer's thread. Any thread. */
void syncer_post(struct syncer *syncer, void (*task)(void *ctx), void *ctx);

/* The namespace has something pending, to be looked at when the interval is over. Its lock is
 * held. */
void syncer_mark_dirty(struct namespace *ns);
/* … or at once. Any thread. */
void syncer_urge(struct namespace *ns);

/* Shared: it is used again, and has not been looked at for long. Its lock may be held. */
void syncer_look(struct namespace *ns);

void syncer_interval_changed(struct syncer *syncer);

/* `done` when the ops up to `mark` are committed; `once`: an attempt that fails ends it too. */
void syncer_wait(struct namespace *ns, uint64_t mark, bool once,
                 void (*done)(void *ctx, enum persistence_status status), void *ctx);
/* The same for everything that is pending in all namespaces; `ns` NULL, or of one. */
void syncer_sync(struct persistence *p, struct namespace *ns,
                 void (*done)(void *ctx, enum persistence_status status, uint64_t position),
                 void *ctx);
void syncer_load(struct namespace *ns, void (*done)(void *ctx, struct namespace *ns), void *ctx);

#endif
