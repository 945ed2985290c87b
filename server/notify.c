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
    if (!wanted || !(wanted & notify_flag_of(event_class)) || !pubsub_any_listener())
        return;
    struct slice space = namespace_name(ns);
    if (wanted & NOTIFY_KEYSPACE)
        publish(x, "__keyspace@", space, key, slice_of(event));
    if (wanted & NOTIFY_KEYEVENT)
        publish(x, "__keyevent@", space, slice_of(event), key);
}

struct event {
    char class;
    const char *name; /* NULL: none */
};

/* What the command behind an op publishes; where several have the same op, see differences.md. */
static struct event event_of(const struct op *op)
{
    switch (op->kind) {
    case OP_SCALAR_SET:
    case OP_INT_SET: return (struct event){'$', "set"};
    case OP_INT_ADD: return (struct event){'$', "incrby"};
    case OP_INT_MUL: return (struct event){'$', "mulby"};
    case OP_INT_DIV: return (struct event){'$', "divby"};
    case OP_FLOAT_ADD: return (struct event){'$', "incrbyfloat"};
    case OP_STRING_APPEND: return (struct event){'$', "append"};
    case OP_STRING_SET_RANGE: return (struct event){'$', "setrange"};
    case OP_SET_ADD: return (struct event){'s', "sadd"};
    case OP_SET_REMOVE: return (struct event){'s', "srem"};
    case OP_INT_MAP_SET:
    case OP_MAP_SET: return (struct event){'h', "hset"};
    case OP_INT_MAP_ADD: return (struct event){'h', "hincrby"};
    case OP_INT_MAP_MUL: return (struct event){'h', "hmulby"};
    case OP_INT_MAP_DIV: return (struct event){'h', "hdivby"};
    case OP_FLOAT_MAP_ADD: return (struct event){'h', "hincrbyfloat"};
    case OP_INT_MAP_DELETE:
    case OP_MAP_DELETE: return (struct event){'h', "hdel"};
    case OP_LIST_APPEND: return (struct event){'l', "rpush"};
    case OP_LIST_PREPEND: return (struct event){'l', "lpush"};
    case OP_LIST_POP:
        return (struct event){'l', op->list_pop.side == OP_SIDE_LEFT ? "lpop" : "rpop"};
    case OP_LIST_SET: return (struct event){'l', "lset"};
    case OP_LIST_INSERT: return (struct event){'l', "linsert"};
    case OP_LIST_REMOVE: return (struct event){'l', "lrem"};
    case OP_LIST_TRIM: return (struct event){'l', "ltrim"};
    case OP_SCALAR_DELETE:
    case OP_KEY_DELETE: return (struct event){'g', "del"};
    case OP_KEY_PUT: return (struct event){'g', "restore"};
    case OP_KEY_EXPIRE_AT:
        return (struct event){'g', op->key_expire_at.deadline > op->time ? "expire" : NULL};
    case OP_KEY_PERSIST: return (struct event){'g', "persist"};
    case OP_NAMESPACE_CLEAR:
    case OP_COUNT: break;
    }
    return (struct event){0};
}

const char *effects_command_of(const struct op *op)
{
    return event_of(op).name;
}

static bool sets_deadline(const struct op *op)
{
    return (op->kind == OP_SCALAR_SET && op->scalar_set.expires > 0) ||
           (op->kind == OP_INT_SET && op->int_set.expires > 0);
}

void effects_notify_op(struct exec *x, struct namespace *ns, const struct op *op,
                       const struct outcome *outcome)
{
    struct event event = event_of(op);
    if (outcome->created)
        effects_notify(x, ns, 'n', "new", op->key);
    if (event.name)
        effects_notify(x, ns, event.class, event.name, op->key);
    if (outcome->removed && op->kind != OP_KEY_DELETE && op->kind != OP_SCALAR_DELETE)
        effects_notify(x, ns, 'g', "del", op->key);
    if (sets_deadline(op))
        effects_notify(x, ns, 'g', "expire", op->key);
}
