/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for a key to become a list. A waiting client is queued on each of its keys, first come
 * first served, in tables guarded by the namespace's lock. Whoever makes a key ready pops for the
 * waiters right after its command, under the same lock, and posts the finished reply to the
 * waiter's thread: so an element is popped once, and its waiter can no longer time out.
 */
#ifndef CAIRN_SERVER_BLOCKING_H
#define CAIRN_SERVER_BLOCKING_H

#include "server/exec.h"

/* What to do with the first of some keys that holds a list. */
struct list_plan {
    enum { PLAN_POP, PLAN_POP_MANY, PLAN_MOVE } kind;
    enum op_side from, to;    /* to: PLAN_MOVE */
    int64_t count;            /* PLAN_POP_MANY */
    struct slice destination; /* PLAN_MOVE */
};

/* Carries the plan out on `key` of the locked `ns`, which holds a list; the reply goes to x->out.
 */
void list_plan_run(struct exec *x, struct namespace *ns, struct slice key,
                   const struct list_plan *plan);

/* Suspends x->client until one of the keys holds a list, or for ms (0: for ever). */
void blocking_wait(struct exec *x, const struct slice *keys, size_t count,
                   const struct list_plan *plan, int64_t ms);

#endif
