/* SPDX-License-Identifier: BSD-3-Clause */
/* The namespace's attachment, and the hook by which a keyspace says that a key expired. */
#include "server/ns_state.h"

#include "ops/mem.h"
#include "server/arrivals.h"
#include "server/loop.h"

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

/* While a keyspace is loaded nobody watches it or listens; of ops that arrive rebase.h tells. */
static void on_expired(void *ctx, struct slice key)
{
    if (loop_current())
        arrivals_expired(ctx, key);
}

struct keyspace_hooks ns_state_hooks(void *attachment)
{
    return (struct keyspace_hooks){.ctx = attachment, .expired = on_expired};
}
