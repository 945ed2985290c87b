/* SPDX-License-Identifier: BSD-3-Clause */
/* What syncer.c and syncer_jobs.c share. */
#ifndef CAIRN_PERSISTENCE_SYNCER_INTERNAL_H
#define CAIRN_PERSISTENCE_SYNCER_INTERNAL_H

#include "persistence/syncer.h"

/* Carries the namespace's sync on as far as it goes now. */
void agent_run(struct namespace *ns);

/* Has what others have committed taken in; `take`: and what is pending sent. */
void agent_look(struct namespace *ns, bool take);
struct event_base *syncer_base(struct syncer *syncer);

/* position_wait.c: for namespaces with a watch; dropping needs none. */
void agent_settle_positions(struct namespace *ns);
void agent_drop_positions(struct namespace *ns);

/* Batches that the core is done with, and troubles. */
void agent_settle(struct namespace *ns);

/* syncer_jobs.c: what the workers do, and what becomes of it on the syncer's thread. */
void agent_start_load(struct namespace *ns);
/* Gives what others have committed to rebase. */
void agent_take_arrivals(struct namespace *ns);
/* A fold has passed us: loads the state anew and puts what is pending on top. */
void agent_start_reload(struct namespace *ns);
void agent_start_fold(struct namespace *ns);
void agent_start_move(struct namespace *ns);
void agent_start_tidy(struct namespace *ns);
/* Drops an idle namespace from memory. */
void agent_unload(struct namespace *ns);

#endif
