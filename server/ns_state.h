/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server keeps beside a namespace: who watches its keys, who is blocked on them. It is the
 * namespace's attachment, made when the namespace object is made, and protected by its lock.
 */
#ifndef CAIRN_SERVER_NS_STATE_H
#define CAIRN_SERVER_NS_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#include "persistence/namespace.h"

struct watch_table;   /* watch.c: key → clients that watch it */
struct blocked_table; /* blocking.c: key → clients blocked on it, first come first */

struct ns_state {
    struct namespace *ns;
    struct watch_table *watches;   /* NULL: nobody watches any key here */
    struct blocked_table *blocked; /* NULL: nobody is blocked here */
    bool arrived;                  /* others changed keys; a loop is called to serve the blocked */
    _Atomic int64_t cleared;       /* times it was flushed */
};

static inline struct ns_state *ns_state_of(const struct namespace *ns)
{
    return (struct ns_state *)namespace_attachment(ns);
}

/* persistence_options.attach, detach and hooks; arrivals.h has the others. */
struct keyspace_hooks ns_state_hooks(void *attachment);
void *ns_state_attach(void *ctx, struct namespace *ns);
void ns_state_detach(void *ctx, void *attachment);

#endif
