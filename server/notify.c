/* SPDX-License-Identifier: BSD-3-Clause */
/* Keyspace notifications: changes of keys as messages on `__keyspace@…` and `__keyevent@…`. */
#include "persistence/text.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/pubsub.h"

static void publish(struct exec *x, const char *prefix, struct slice space, struct slice about,
                    struct slice payload)
{
    struct text channel = {0};
    text_append_string(&channel, prefix);
    text_append_slice(&channel, space);
    text_append_string(&channel, "__:");
    text_append_slice(&channel, about);
    pubsub_publish(x, PUBSUB_CHANNEL, text_slice(&channel), payload);
    text_release(&channel);
}

void effects_notify(struct exec *x, struct namespace *ns, char event_class, const char *event,
                    struct slice key)
{
    int64_t wanted = CONFIG(notify_keyspace_events);
    if (!wanted || !(wanted & notify_flag_of(event_class)))
        return;
    struct slice space = namespace_name(ns);
    if (wanted & NOTIFY_KEYSPACE)
        publish(x, "__keyspace@", space, key, slice_of(event));
    if (wanted & NOTIFY_KEYEVENT)
        publish(x, "__keyevent@", space, slice_of(event), key);
}
