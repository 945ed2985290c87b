/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * WATCH: which clients watch which keys. A namespace's table is guarded by its lock; a client's own
 * list is its thread's.
 */
#ifndef CAIRN_SERVER_WATCH_H
#define CAIRN_SERVER_WATCH_H

#include <stdbool.h>

#include "server/exec.h"

/* x->ns is locked. Watching a key twice is watching it once. */
void watch_key(struct exec *x, struct slice key);

/* Forgets all keys of the client. `locked`: the caller holds the locks of all their namespaces,
 * else no lock at all. */
void watch_clear(struct client *client, bool locked);

/* True when a watched key's deadline has passed unnoticed; their namespaces are locked. */
void watch_expire(struct exec *x);

/* True when the client watches a key outside `ns`. */
bool watch_elsewhere(const struct client *client, const struct namespace *ns);
/* Calls visit for the namespace of each watched key. */
void watch_namespaces(const struct client *client, void (*visit)(void *ctx, struct namespace *ns),
                      void *ctx);

/* The contents of two locked namespaces are about to change places. */
void watch_before_swap(struct exec *x, struct namespace *a, struct namespace *b);

#endif
