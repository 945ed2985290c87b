/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Channels and who listens to them, over all loops. Messages reach their listeners by posts, so a
 * listener's connection is touched on its own thread only. One mutex guards the tables; inside it
 * only a loop's mailbox is locked.
 */
#ifndef CAIRN_SERVER_PUBSUB_H
#define CAIRN_SERVER_PUBSUB_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/slice.h"
#include "server/client.h"

struct exec;

#define PUBSUB_KIND_LIST(X)                                                                        \
    X(CHANNEL, "message", "subscribe", "unsubscribe")                                              \
    X(PATTERN, "pmessage", "psubscribe", "punsubscribe")                                           \
    X(SHARD, "smessage", "ssubscribe", "sunsubscribe")

enum pubsub_kind {
#define X(name, message, subscribe, unsubscribe) PUBSUB_##name,
    PUBSUB_KIND_LIST(X)
#undef X
        PUBSUB_KINDS
};

/* On the client's thread. False: it was so already. */
bool pubsub_subscribe(struct client *client, enum pubsub_kind kind, struct slice name);
bool pubsub_unsubscribe(struct client *client, enum pubsub_kind kind, struct slice name);
size_t pubsub_subscriptions(const struct client *client, enum pubsub_kind kind);
/* Any one name the client has subscribed to; false: none is left. */
bool pubsub_any(const struct client *client, enum pubsub_kind kind, struct slice *name);

/* Whether anybody listens to any channel or pattern; cheap. */
bool pubsub_any_listener(void);
/* Whether a message to this channel would reach anybody now, by its name or a pattern. */
bool pubsub_heard(struct slice channel);
/* Sends to the listeners of a CHANNEL (patterns included) or SHARD; returns how many. Any lock may
 * be held. `x` NULL, on any thread: at once, not with the outbox of a batch. */
size_t pubsub_publish(struct exec *x, enum pubsub_kind kind, struct slice channel,
                      struct slice payload);

/* Names with listeners, of those matching `pattern` (NULL: all); `visit` must not call back. */
void pubsub_names(enum pubsub_kind kind, const struct slice *pattern,
                  void (*visit)(void *ctx, struct slice name), void *ctx);
size_t pubsub_listeners(enum pubsub_kind kind, struct slice name);

#endif
