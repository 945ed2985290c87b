/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks that a handler takes itself (CMD_OWN_LOCKS): sorted by namespace_order, each once, so that
 * no two threads ever wait for each other. Inside EXEC they are held already.
 */
#include <assert.h>
#include <stdlib.h>

#include "ops/mem.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/loop-internal.h"
#include "server/refusal.h"
#include "server/server.h"

static int by_order(const void *a, const void *b)
{
    uint64_t x = namespace_order(*(struct namespace *const *)a);
    uint64_t y = namespace_order(*(struct namespace *const *)b);
    return (x > y) - (x < y);
}

static bool is_held(const struct held_locks *held, const struct namespace *ns)
{
    for (int i = 0; i < held->count; i++) {
        if (held->list[i] == ns)
            return true;
    }
    return false;
}

static void fill(struct held_locks *held, struct namespace **list, int count)
{
    if (count > held->cap) {
        held->cap = count;
        held->list = mem_realloc(held->list, (size_t)count * sizeof(*held->list));
    }
    memcpy(held->list, list, (size_t)count * sizeof(*list));
    qsort(held->list, (size_t)count, sizeof(*held->list), by_order);
    held->count = 0;
    for (int i = 0; i < count; i++) {
        if (held->count == 0 || held->list[held->count - 1] != held->list[i])
            held->list[held->count++] = held->list[i];
    }
}

static void unlock_all(struct held_locks *held)
{
    for (int i = held->count - 1; i >= 0; i--)
        namespace_unlock(held->list[i]);
    held->count = 0;
}

/* Locked, all of them; NULL, or the first that is not in memory. */
static struct namespace *first_absent(const struct held_locks *held)
{
    for (int i = 0; i < held->count; i++) {
        if (namespace_state(held->list[i]) != NAMESPACE_READY)
            return held->list[i];
    }
    return NULL;
}

static bool all_held(struct exec *x, struct namespace **list, int count)
{
    for (int i = 0; i < count; i++) {
        if (!is_held(&x->loop->held, list[i])) {
            exec_error(x, "ERR a namespace came into use after MULTI; try again");
            return false;
        }
    }
    return true;
}

bool exec_lock_namespaces(struct exec *x, struct namespace **list, int count)
{
    struct loop *loop = x->loop;
    struct held_locks *held = &loop->held;
    if (held->count) {
        if (!all_held(x, list, count))
            return false;
        held->depth++;
        return true;
    }
    assert(!loop->locked && count > 0);
    fill(held, list, count);
    for (int i = 0; i < held->count; i++)
        namespace_lock(held->list[i]);
    struct namespace *absent = first_absent(held);
    if (!absent) {
        held->depth = 1;
        batch_set_time(loop, loop->now, held->list, held->count);
        x->keys = is_held(held, x->ns) ? namespace_keyspace(x->ns) : NULL;
        return true;
    }
    char why[REFUSAL_MAX];
    bool refused = refusal_of(absent, why);
    unlock_all(held);
    if (refused)
        refusal_answer(x->client, x->command, why);
    else
        loop->wanted = absent;
    return false;
}

void exec_unlock_namespaces(struct exec *x)
{
    struct held_locks *held = &x->loop->held;
    assert(held->depth > 0);
    if (--held->depth > 0 || x->loop->locked)
        return;
    if (x->serve)
        effects_after_command(x);
    uint64_t ticket = held->count == 1 ? namespace_seal(held->list[0])
                                       : namespace_seal_together(held->list, (size_t)held->count);
    for (int i = 0; i < held->count && CONFIG(journal_fsync) == JOURNAL_FSYNC_ALWAYS; i++) {
        uint64_t newest = namespace_ticket(held->list[i]); /* as batch_seal */
        if (newest > ticket)
            ticket = newest;
    }
    if (ticket > x->loop->ticket)
        x->loop->ticket = ticket;
    unlock_all(held);
    x->keys = NULL;
}

bool exec_lock_all(struct exec *x, struct namespace **extra, int extra_count)
{
    struct namespace **known;
    size_t n = server_namespaces(&known), ready = 0;
    known = mem_realloc(known, (n + (size_t)extra_count + 2) * sizeof(*known));
    for (size_t i = 0; i < n; i++) {
        if (namespace_state(known[i]) != NAMESPACE_FAILED)
            known[ready++] = known[i];
    }
    for (int i = 0; i < extra_count; i++)
        known[ready++] = extra[i];
    known[ready++] = client_namespace(x->client);
    bool locked = exec_lock_namespaces(x, known, (int)ready);
    mem_free(known);
    return locked;
}

bool exec_holds(const struct exec *x, const struct namespace *ns)
{
    return is_held(&x->loop->held, ns);
}
