/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pending ops of one shared namespace, kept with their inverses, and how commits of others go
 * beneath them: for each key that theirs touch, ours are undone in reverse, theirs applied, ours
 * applied again. Keys that theirs do not touch are left alone. The caller holds the namespace's
 * lock for every call; nothing here knows a store, a thread or a clock.
 *
 * Time. An op runs at the newest time of any op before it in the shared order, its own included
 * (commit_replay has the same rule), so that all replicas that replay a position see the same keys
 * expire. Pending ops stand behind everything committed: their effective time is the later of their
 * own and the committed clock, and an op near a deadline is applied again when a commit of others
 * moves that clock. A key whose deadline has passed is dropped for good only when the committed
 * clock has passed it (rebase_floor), since an op of another replica with an earlier time may still
 * come before; until then it counts as absent for those who are later.
 */
#ifndef CAIRN_PERSISTENCE_REBASE_H
#define CAIRN_PERSISTENCE_REBASE_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/apply.h"
#include "persistence/head.h"

/* What a client is told of an op. */
struct rebase_answer {
    enum outcome_status status;
    int64_t number; /* as in struct outcome */
    /* FloatAdd, FloatMapAdd: the new value. ListPop: the items, for rebase_answer_item. */
    struct slice detail;
    bool whole; /* false: that was too long to keep, and is left out */
};

/* Takes the next item off a ListPop's `detail`; false: there is none. */
bool rebase_answer_item(struct slice *detail, struct slice *item);

/* Called with the lock held; must not touch the keyspace. NULL members: nothing. */
struct rebase_hooks {
    void *ctx;
    /*
     * An op of another replica was applied and changed something; or one of ours, applied again,
     * made or removed its key after such a change, or where it did not before. So the last call for
     * a key, those for ops that rebase_run applied included, tells whether it is there.
     */
    void (*arrived)(void *ctx, const struct op *op, const struct outcome *out);
    /* A key is gone by its deadline. Comes before an op that met it so, after one that left it so.
     */
    void (*expired)(void *ctx, struct slice key);
    /* An op of ours, applied again, gives another answer than its client was told; once per op. */
    void (*differs)(void *ctx, const struct op *op, const struct rebase_answer *was,
                    const struct rebase_answer *is);
};

struct rebase;
struct rebase_garbage;

/* Borrows `ks`, whose state is that of a position; `clock`: the newest time of any op up to it. */
struct rebase *rebase_create(struct keyspace *ks, int64_t clock, const struct rebase_hooks *hooks);
/* The pending ops are forgotten, not undone. NULL-safe. */
void rebase_destroy(struct rebase *rebase);

/* The ops that follow are of this incarnation, numbered from `next`. */
void rebase_begin(struct rebase *rebase, struct slice replica, uint64_t next);
/*
 * Applies a new op of ours and keeps it, with the next number, when it changed something (true).
 * `op->time` becomes its effective time, which is the one to record.
 */
bool rebase_run(struct rebase *rebase, struct op *op, struct outcome *out);
/* The same for an op whose time is effective already, with the encoding (op_binary) it has. */
bool rebase_run_encoded(struct rebase *rebase, struct op *op, struct slice encoded,
                        struct outcome *out);
/* The same for an op that is recorded already: kept, with the next number, whatever it does. */
void rebase_run_recorded(struct rebase *rebase, struct op *op, struct outcome *out);

/*
 * Taking in a commit: for each of its ops in order, rebase_ours if it may be one of ours; where
 * that says false, rebase_theirs. After the last commit rebase_finish, before anything else is
 * called.
 */
/* Op `number` of `replica` is committed: false when it is none of the pending ones. */
bool rebase_ours(struct rebase *rebase, struct slice replica, uint64_t number);
/* The same for that op and those after it: false when one of these `count` is none. */
bool rebase_ours_all(struct rebase *rebase, struct slice replica, uint64_t first, uint64_t count);
/* Takes a KeyPut's value, as apply() does. */
void rebase_theirs(struct rebase *rebase, struct op *op);
void rebase_finish(struct rebase *rebase);

/*
 * Another state to stand on, loaded from `head`: what that head has committed of ours leaves the
 * pending ops, the others are applied to `ks`. The old keyspace is the caller's to destroy.
 */
void rebase_restart(struct rebase *rebase, struct keyspace *ks, int64_t clock,
                    const struct head *head);

size_t rebase_count(const struct rebase *rebase);
/* Bytes that pending ops and their inverses hold. */
size_t rebase_memory(const struct rebase *rebase);
/* The newest time of any op, pending ones included: none may run at an earlier one. */
int64_t rebase_clock(const struct rebase *rebase);
/* The committed clock: keys whose deadline is at or before it may be dropped (keyspace_set_floor is
 * kept at it). */
int64_t rebase_floor(const struct rebase *rebase);
/* Pending ops whose answer has changed so far. */
uint64_t rebase_differing(const struct rebase *rebase);

/* Inverses that are no longer needed, to be freed without the lock; NULL: none. */
struct rebase_garbage *rebase_take_garbage(struct rebase *rebase);
void rebase_garbage_free(struct rebase_garbage *garbage);

#endif
