/* SPDX-License-Identifier: BSD-3-Clause */
/* SUBSCRIBE, PUBLISH and their kin. Confirmations are pushes: sent whatever CLIENT REPLY says. */
#include "ops/mem.h"
#include "server/command.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/pubsub.h"

static const char *subscribe_word(enum pubsub_kind kind)
{
    static const char *const words[] = {
#define X(name, message, subscribe, unsubscribe) subscribe,
        PUBSUB_KIND_LIST(X)
#undef X
    };
    return words[kind];
}

static const char *unsubscribe_word(enum pubsub_kind kind)
{
    static const char *const words[] = {
#define X(name, message, subscribe, unsubscribe) unsubscribe,
        PUBSUB_KIND_LIST(X)
#undef X
    };
    return words[kind];
}

/* Shard channels are counted by themselves, channels and patterns together. */
static size_t count_after(const struct client *client, enum pubsub_kind kind)
{
    if (kind == PUBSUB_SHARD)
        return pubsub_subscriptions(client, PUBSUB_SHARD);
    return pubsub_subscriptions(client, PUBSUB_CHANNEL) +
           pubsub_subscriptions(client, PUBSUB_PATTERN);
}

static void confirm(struct exec *x, const char *word, enum pubsub_kind kind,
                    const struct slice *name)
{
    x->push = true;
    resp_write_push(x->out, 3);
    resp_write_bulk_text(x->out, word);
    if (name)
        resp_write_bulk(x->out, name->data, name->len);
    else
        resp_write_nil(x->out);
    resp_write_integer(x->out, (long long)count_after(x->client, kind));
}

static void subscribe(struct exec *x, enum pubsub_kind kind)
{
    for (int i = 1; i < x->argc; i++) {
        pubsub_subscribe(x->client, kind, x->argv[i]);
        confirm(x, subscribe_word(kind), kind, &x->argv[i]);
    }
}

static void unsubscribe_all(struct exec *x, enum pubsub_kind kind)
{
    struct slice name;
    bool some = false;
    while (pubsub_any(x->client, kind, &name)) {
        char *copy = mem_alloc(name.len);
        memcpy(copy, name.data, name.len);
        struct slice kept = slice_make(copy, name.len);
        pubsub_unsubscribe(x->client, kind, kept);
        confirm(x, unsubscribe_word(kind), kind, &kept);
        mem_free(copy);
        some = true;
    }
    if (!some)
        confirm(x, unsubscribe_word(kind), kind, NULL);
}

static void unsubscribe(struct exec *x, enum pubsub_kind kind)
{
    if (x->argc == 1)
        unsubscribe_all(x, kind);
    for (int i = 1; i < x->argc; i++) {
        pubsub_unsubscribe(x->client, kind, x->argv[i]);
        confirm(x, unsubscribe_word(kind), kind, &x->argv[i]);
    }
}

static void subscribe_command(struct exec *x)
{
    subscribe(x, PUBSUB_CHANNEL);
}

static void psubscribe_command(struct exec *x)
{
    subscribe(x, PUBSUB_PATTERN);
}

static void ssubscribe_command(struct exec *x)
{
    if (x->in_transaction) /* though SUBSCRIBE is, in Redis */
        exec_error(x, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    else
        subscribe(x, PUBSUB_SHARD);
}

static void unsubscribe_command(struct exec *x)
{
    unsubscribe(x, PUBSUB_CHANNEL);
}

static void punsubscribe_command(struct exec *x)
{
    unsubscribe(x, PUBSUB_PATTERN);
}

static void sunsubscribe_command(struct exec *x)
{
    unsubscribe(x, PUBSUB_SHARD);
}

static void publish_command(struct exec *x)
{
    size_t receivers = pubsub_publish(x, PUBSUB_CHANNEL, x->argv[1], x->argv[2]);
    resp_write_integer(x->out, (long long)receivers);
}

static void spublish_command(struct exec *x)
{
    size_t receivers = pubsub_publish(x, PUBSUB_SHARD, x->argv[1], x->argv[2]);
    resp_write_integer(x->out, (long long)receivers);
}

struct names_reply {
    struct resp_writer *out;
    size_t count;
};

static void write_name(void *ctx, struct slice name)
{
    struct names_reply *reply = ctx;
    resp_write_bulk(reply->out, name.data, name.len);
    reply->count++;
}

static void write_names(struct exec *x, enum pubsub_kind kind)
{
    if (x->argc > 3) {
        exec_wrong_subcommand(x);
        return;
    }
    struct names_reply reply = {x->out, 0};
    size_t begun = resp_defer_begin(x->out);
    pubsub_names(kind, x->argc == 3 ? &x->argv[2] : NULL, write_name, &reply);
    resp_defer_array(x->out, begun, reply.count);
}

static void write_counts(struct exec *x, enum pubsub_kind kind)
{
    resp_write_array(x->out, 2 * ((size_t)x->argc - 2)); /* no map, in RESP3 neither */
    for (int i = 2; i < x->argc; i++) {
        resp_write_bulk(x->out, x->argv[i].data, x->argv[i].len);
        resp_write_integer(x->out, (long long)pubsub_listeners(kind, x->argv[i]));
    }
}

static void pubsub_channels_command(struct exec *x)
{
    write_names(x, PUBSUB_CHANNEL);
}

static void pubsub_shardchannels_command(struct exec *x)
{
    write_names(x, PUBSUB_SHARD);
}

static void pubsub_numsub_command(struct exec *x)
{
    write_counts(x, PUBSUB_CHANNEL);
}

static void pubsub_shardnumsub_command(struct exec *x)
{
    write_counts(x, PUBSUB_SHARD);
}

static void pubsub_numpat_command(struct exec *x)
{
    resp_write_integer(x->out, (long long)pubsub_patterns());
}

/* clang-format off */
#define LISTENING (CMD_PUBSUB | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_LOCK | CMD_IN_SUBSCRIBE)
#define PUBLISHING (CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_LOCK)
#define INSPECTING (CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_NO_LOCK)
#define PUBSUB(name_, arity_, flags_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = flags_, .group = GROUP_PUBSUB, .handler = handler_, \
     .since = since_, .complexity = complexity_, .syntax = syntax_, .summary = summary_}

static const struct command pubsub_subcommands[] = {
    PUBSUB("channels", -2, INSPECTING, pubsub_channels_command, "2.8.0", "O(N) where N is the number of channels", "[pattern]", "Returns the channels that have listeners."),
    PUBSUB("numpat", 2, INSPECTING, pubsub_numpat_command, "2.8.0", "O(1)", "", "Returns the number of different patterns subscribed to."),
    PUBSUB("numsub", -2, INSPECTING, pubsub_numsub_command, "2.8.0", "O(N) for N channels asked for", "[channel [channel ...]]", "Returns how many listeners channels have."),
    PUBSUB("shardchannels", -2, INSPECTING, pubsub_shardchannels_command, "7.0.0", "O(N) where N is the number of shard channels", "[pattern]", "Returns the shard channels that have listeners."),
    PUBSUB("shardnumsub", -2, INSPECTING, pubsub_shardnumsub_command, "7.0.0", "O(N) for N channels asked for", "[shardchannel [shardchannel ...]]", "Returns how many listeners shard channels have."),
    COMMAND_HELP(GROUP_SERVER, "6.2.0"),
    {0},
};

const struct command pubsub_commands[] = {
    PUBSUB("psubscribe", -2, LISTENING, psubscribe_command, "2.0.0", "O(N) for N patterns", "pattern [pattern ...]", "Listens to the channels that match patterns."),
    PUBSUB("publish", 3, PUBLISHING | CMD_MAY_REPLICATE, publish_command, "2.0.0", "O(N+M) for N listeners of the channel and M patterns", "channel message", "Sends a message to a channel."),
    {.name = "pubsub", .arity = -2, .group = GROUP_PUBSUB, .subcommands = pubsub_subcommands, .since = "2.8.0", .complexity = "Depends on subcommand.", .summary = "A container for commands about channels."},
    PUBSUB("punsubscribe", -1, LISTENING, punsubscribe_command, "2.0.0", "O(N) for N patterns", "[pattern [pattern ...]]", "Stops listening to patterns, or to all of them."),
    PUBSUB("spublish", 3, PUBLISHING | CMD_MAY_REPLICATE, spublish_command, "7.0.0", "O(N) for N listeners", "shardchannel message", "Sends a message to a shard channel."),
    PUBSUB("ssubscribe", -2, LISTENING, ssubscribe_command, "7.0.0", "O(N) for N channels", "shardchannel [shardchannel ...]", "Listens to shard channels."),
    PUBSUB("subscribe", -2, LISTENING, subscribe_command, "2.0.0", "O(N) for N channels", "channel [channel ...]", "Listens to channels."),
    PUBSUB("sunsubscribe", -1, LISTENING, sunsubscribe_command, "7.0.0", "O(N) for N channels", "[shardchannel [shardchannel ...]]", "Stops listening to shard channels, or to all of them."),
    PUBSUB("unsubscribe", -1, LISTENING, unsubscribe_command, "2.0.0", "O(N) for N channels", "[channel [channel ...]]", "Stops listening to channels, or to all of them."),
    {0},
};
/* clang-format on */
