/* SPDX-License-Identifier: BSD-3-Clause */
/* The namespace's attachment, and the hook by which a keyspace says that a key expired. */
#include "server/ns_state.h"

#include "ops/mem.h"
#include "server/effects.h"
#include "server/config.h"
#include "server/loop-internal.h"

void *ns_state_attach(void *ctx, struct namespace *ns)
{
    (void)ctx;
    struct ns_state *state = mem_calloc(1, sizeof(*state));
    state->ns = ns;
    return state;
}

void ns_state_detach(void *ctx, void *attachment)
{
    (void)ctx;
    mem_free(attachment);
}

/* Outside the loops' threads (loading, folding) nobody watches or listens yet. */
static void on_expired(void *ctx, struct slice key)
{
    struct ns_state *state = ctx;
    struct loop *loop = loop_current();
    if (!loop)
        return;
    stats_bump(&loop->stats.counters[STAT_EXPIRED_KEYS], 1);
    if (state->watches)
        effects_key_changed(&loop->x, state->ns, key);
    if (CONFIG(notify_keyspace_events))
        effects_notify(&loop->x, state->ns, 'x', "expired", key);
}

void ns_state_arrived(void *attachment, const struct op *op, const struct outcome *outcome)
{
    struct ns_state *state = attachment;
    (void)outcome;
    state->arrived = state->blocked != NULL;
    if (!state->watches)
        return;
    if (op && op->kind != OP_NAMESPACE_CLEAR)
        effects_key_changed(NULL, state->ns, op->key);
    else
        watch_mark_all(state->ns);
}

struct keyspace_hooks ns_state_hooks(void *attachment)
{
    return (struct keyspace_hooks){.ctx = attachment, .expired = on_expired};
}
