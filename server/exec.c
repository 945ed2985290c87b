/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What handlers call: errors, arguments, read ops, writes. exec_apply is the one place where a
 * change is recorded and where everything that follows from it starts.
 */
#include "server/exec.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ops/mem.h"
#include "ops/value_integer.h"
#include "server/client-internal.h"
#include "server/command_docs.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/lazyfree.h"
#include "server/loop-internal.h"
#include "server/server.h"

void exec_error(struct exec *x, const char *text)
{
    resp_write_error(x->out, text);
    x->failed = true;
    stats_bump(&x->loop->stats.counters[STAT_ERROR_REPLIES], 1);
    stats_error(text, strlen(text));
}

void exec_error_format(struct exec *x, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    exec_error(x, text);
}

void exec_wrong_type(struct exec *x)
{
    exec_error(x, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void exec_syntax_error(struct exec *x)
{
    exec_error(x, "ERR syntax error");
}

void exec_wrong_arity(struct exec *x)
{
    exec_error_format(x, "ERR wrong number of arguments for '%s' command", x->command->full_name);
}

void exec_wrong_subcommand(struct exec *x)
{
    char name[40];
    const struct command *parent = x->command->parent;
    command_upper_name(parent ? parent : x->command, name, sizeof(name));
    struct slice word = x->argv[1];
    exec_error_format(
        x, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
        word.len < 128 ? (int)word.len : 128, word.data, name);
}

bool parse_int(struct slice text, int64_t *value)
{
    return integer_parse(text, value);
}

static bool parse_long_double(struct slice text, long double *value)
{
    char copy[256];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(" \t\n\v\f\r", text.data[0], 6) ||
        memchr(text.data, 0, text.len))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    char *end;
    errno = 0;
    *value = strtold(copy, &end);
    if (*end || isnan(*value))
        return false;
    return errno != ERANGE || !(*value == HUGE_VALL || *value == -HUGE_VALL || *value == 0);
}

bool parse_double(struct slice text, double *value)
{
    long double wide;
    if (!parse_long_double(text, &wide))
        return false;
    *value = (double)wide;
    return true;
}

bool exec_int(struct exec *x, int index, int64_t *value)
{
    if (parse_int(x->argv[index], value))
        return true;
    exec_error(x, "ERR value is not an integer or out of range");
    return false;
}

bool exec_int_range(struct exec *x, int index, int64_t min, int64_t max, const char *error,
                    int64_t *value)
{
    int64_t number;
    if (!parse_int(x->argv[index], &number) || number < min || number > max) {
        exec_error(x, error);
        return false;
    }
    *value = number;
    return true;
}

bool exec_double(struct exec *x, int index, double *value)
{
    if (parse_double(x->argv[index], value))
        return true;
    exec_error(x, "ERR value is not a valid float");
    return false;
}

bool exec_is(const struct exec *x, int index, const char *word)
{
    struct slice arg = x->argv[index];
    return arg.len == strlen(word) && strncasecmp(arg.data, word, arg.len) == 0;
}

bool exec_timeout(struct exec *x, int index, int64_t *ms)
{
    long double seconds;
    if (!parse_long_double(x->argv[index], &seconds)) {
        exec_error(x, "ERR timeout is not a float or out of range");
        return false;
    }
    if (seconds < 0) {
        exec_error(x, "ERR timeout is negative");
        return false;
    }
    long double wide = ceill(seconds * 1000);
    if (wide > (long double)(INT64_MAX - x->now)) {
        exec_error(x, "ERR timeout is out of range");
        return false;
    }
    *ms = (int64_t)wide;
    return true;
}

static uint64_t hash_of(const struct exec *x, int key_index)
{
    return key_index == x->command->first_key ? x->hash : 0;
}

struct read_op exec_read_op(struct exec *x, enum read_op_kind kind, int key_index)
{
    return (struct read_op){
        .kind = kind, .key = x->argv[key_index], .hash = hash_of(x, key_index), .time = x->now};
}

void exec_count_lookup(struct exec *x, bool found)
{
    stats_bump(&x->loop->stats.counters[found ? STAT_KEYSPACE_HITS : STAT_KEYSPACE_MISSES], 1);
}

void exec_note_lookup(struct exec *x, struct slice key, bool found)
{
    exec_count_lookup(x, found);
    if (!found && CONFIG(notify_keyspace_events) & NOTIFY_MISS)
        effects_notify(x, x->ns, 'm', "keymiss", key);
}

static inline void note_lookup_of_read(struct exec *x, struct slice key, bool found)
{
    if (x->command->flags & CMD_READONLY)
        exec_note_lookup(x, key, found);
}

bool exec_query(struct exec *x, const struct read_op *op, struct answer *answer)
{
    query(x->keys, op, answer);
    note_lookup_of_read(x, op->key, answer->iter.entry != NULL);
    if (answer->status != ANSWER_WRONG_TYPE)
        return true;
    exec_wrong_type(x);
    return false;
}

struct entry *exec_find(struct exec *x, struct slice key)
{
    int at = x->command->first_key;
    /* What MULTI queues lies end to end: an empty argument begins where the next one does. */
    bool first =
        at > 0 && at < x->argc && x->argv[at].data == key.data && x->argv[at].len == key.len;
    struct entry *entry = keyspace_find(x->keys, key, first ? x->hash : 0, x->now);
    note_lookup_of_read(x, key, entry != NULL);
    return entry;
}

bool exec_find_type(struct exec *x, int key_index, enum value_type type, struct entry **entry)
{
    *entry = keyspace_find(x->keys, x->argv[key_index], hash_of(x, key_index), x->now);
    note_lookup_of_read(x, x->argv[key_index], *entry != NULL);
    if (!*entry || entry_type(*entry) == type)
        return true;
    exec_wrong_type(x);
    return false;
}

struct op exec_op(struct exec *x, enum op_kind kind, int key_index)
{
    return (struct op){
        .kind = kind, .key = x->argv[key_index], .hash = hash_of(x, key_index), .time = x->now};
}

/* Notes how far the client's writes went: for WAIT, durability, and a journal that fails. */
static void note_write(struct exec *x, struct namespace *ns)
{
    struct client *client = x->client;
    struct loop *loop = x->loop;
    if (!client)
        return;
    if (client->wrote_turn != loop->turn) {
        client->wrote_turn = loop->turn;
        LOOP_ROOM(loop->writers, loop->writers_count, loop->writers_cap);
        loop->writers[loop->writers_count++] = client;
        if (client->durability >= DURABILITY_WRITTEN)
            loop->harden_fsync = true;
    }
    client_note_mark(client, ns, namespace_mark(ns));
}

static bool deletes_by_intent(const struct op *op)
{
    return op->kind == OP_KEY_DELETE || op->kind == OP_SCALAR_DELETE;
}

/* Everything that follows from a change; each step is skipped at once when nobody cares. */
static void follow_change(struct exec *x, struct namespace *ns, const struct op *op,
                          char event_class, const char *event, const struct outcome *outcome)
{
    struct ns_state *state = ns_state_of(ns);
    int64_t notify = CONFIG(notify_keyspace_events);
    note_write(x, ns);
    if (state->watches)
        effects_key_changed(x, ns, op->key);
    if (notify) {
        if (outcome->created && notify & NOTIFY_NEW)
            effects_notify(x, ns, 'n', "new", op->key);
        if (event)
            effects_notify(x, ns, event_class, event, op->key);
        if (outcome->removed && !deletes_by_intent(op))
            effects_notify(x, ns, 'g', "del", op->key);
    }
    if (state->blocked && !outcome->removed) {
        struct entry *entry = keyspace_find(namespace_keyspace(ns), op->key, op->hash, x->now);
        if (entry)
            effects_key_ready(x, ns, op->key, entry_type(entry));
    }
}

/* True: the handler answers. */
static bool answer_status(struct exec *x, const struct op *op, enum outcome_status status)
{
    bool field = op->kind == OP_INT_MAP_ADD || op->kind == OP_INT_MAP_MUL ||
                 op->kind == OP_INT_MAP_DIV || op->kind == OP_FLOAT_MAP_ADD;
    switch (status) {
    case OUTCOME_OK:
    case OUTCOME_CONDITION:
    case OUTCOME_ZERO_DIVISOR:
    case OUTCOME_NO_KEY:
    case OUTCOME_OUT_OF_RANGE:
    case OUTCOME_NO_PIVOT: return true;
    case OUTCOME_WRONG_TYPE: exec_wrong_type(x); return false;
    case OUTCOME_NOT_INTEGER:
        exec_error(x, field ? "ERR hash value is not an integer"
                            : "ERR value is not an integer or out of range");
        return false;
    case OUTCOME_NOT_FLOAT:
        exec_error(x, field ? "ERR hash value is not a float" : "ERR value is not a valid float");
        return false;
    case OUTCOME_OVERFLOW: exec_error(x, "ERR increment or decrement would overflow"); return false;
    case OUTCOME_NOT_FINITE:
        exec_error(x, "ERR increment would produce NaN or Infinity");
        return false;
    case OUTCOME_TOO_LONG:
        exec_error(x, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return false;
    }
    return false;
}

/* The same where other servers write too: every op is kept with its inverse. */
static bool apply_shared(struct exec *x, struct namespace *ns, struct op *op, char event_class,
                         const char *event, struct outcome *outcome)
{
    namespace_apply(ns, op, outcome);
    if (outcome->changed)
        follow_change(x, ns, op, event_class, event, outcome);
    return outcome->status == OUTCOME_OK || answer_status(x, op, outcome->status);
}

bool exec_apply_in(struct exec *x, struct namespace *ns, struct op *op, char event_class,
                   const char *event, struct outcome *outcome)
{
    struct keyspace *keys = ns == x->ns && x->keys ? x->keys : namespace_keyspace(ns);
    bool early = op->kind == OP_KEY_PUT; /* apply takes its value */
    if (namespace_shared(ns))
        return apply_shared(x, ns, op, event_class, event, outcome);
    if (early)
        namespace_record(ns, op);
    apply(keys, op, outcome, NULL);
    if (outcome->changed) {
        if (!early)
            namespace_record(ns, op);
        follow_change(x, ns, op, event_class, event, outcome);
    } else if (early) {
        namespace_forget(ns);
    }
    return outcome->status == OUTCOME_OK || answer_status(x, op, outcome->status);
}

bool exec_apply(struct exec *x, struct op *op, char event_class, const char *event,
                struct outcome *outcome)
{
    return exec_apply_in(x, x->ns, op, event_class, event, outcome);
}

/* Its inverse needs the value itself, so the caller gets a copy. */
static struct entry *take_shared(struct exec *x, struct op *op, const char *event)
{
    struct outcome outcome;
    struct entry *entry = keyspace_find(x->keys, op->key, op->hash, op->time);
    struct entry *copy = entry ? entry_copy(entry, op->key, entry_expires(entry)) : NULL;
    namespace_apply(x->ns, op, &outcome);
    if (outcome.changed)
        follow_change(x, x->ns, op, 'g', event, &outcome);
    return copy;
}

struct entry *exec_take(struct exec *x, int key_index, const char *event)
{
    struct outcome outcome;
    struct inverse *undo;
    struct op op = exec_op(x, OP_KEY_DELETE, key_index);
    if (namespace_shared(x->ns))
        return take_shared(x, &op, event);
    apply(x->keys, &op, &outcome, &undo);
    if (!outcome.changed)
        return NULL;
    namespace_record(x->ns, &op);
    follow_change(x, x->ns, &op, 'g', event, &outcome);
    return inverse_take(undo);
}

int64_t exec_clear(struct exec *x, struct namespace *ns)
{
    effects_before_clear(x, ns);
    return exec_clear_quiet(x, ns);
}

int64_t exec_clear_quiet(struct exec *x, struct namespace *ns)
{
    struct op op = {.kind = OP_NAMESPACE_CLEAR, .key = slice_make("", 0), .time = x->now};
    struct outcome outcome;
    struct inverse *contents = NULL;
    if (namespace_shared(ns))
        namespace_apply(ns, &op, &outcome);
    else
        apply(namespace_keyspace(ns), &op, &outcome, &contents);
    if (!outcome.changed)
        return 0;
    if (!namespace_shared(ns))
        namespace_record(ns, &op);
    note_write(x, ns);
    atomic_fetch_add_explicit(&ns_state_of(ns)->cleared, 1, memory_order_relaxed);
    if (contents)
        lazyfree_contents(contents, outcome.number);
    return outcome.number;
}

void exec_put_quiet(struct exec *x, struct namespace *ns, struct op *op)
{
    struct outcome outcome;
    assert(op->kind == OP_KEY_PUT);
    namespace_apply(ns, op, &outcome);
    if (outcome.changed)
        note_write(x, ns);
}

void exec_notify(struct exec *x, char event_class, const char *event, struct slice key)
{
    if (CONFIG(notify_keyspace_events))
        effects_notify(x, x->ns, event_class, event, key);
}

static bool all_digits(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < '0' || name.data[i] > '9')
            return false;
    return name.len > 0;
}

bool exec_namespace_quiet(struct slice name, struct namespace **ns)
{
    int64_t number;
    bool numeric = parse_int(name, &number);
    if (numeric && number >= 0 && number < CONFIG(databases))
        *ns = server.databases[number];
    else if (!numeric && !all_digits(name) && namespace_name_valid(name))
        *ns = persistence_namespace(server.persistence, name);
    else
        return false;
    return true;
}

bool exec_namespace_known(struct slice name, struct namespace **ns)
{
    int64_t number;
    struct namespace **list;
    bool found = false;
    if (parse_int(name, &number))
        return exec_namespace_quiet(name, ns);
    size_t count = server_namespaces(&list);
    for (size_t i = 0; i < count && !found; i++) {
        found = slice_equal(namespace_name(list[i]), name);
        if (found)
            *ns = list[i];
    }
    mem_free(list);
    return found;
}

bool exec_namespace(struct exec *x, struct slice name, struct namespace **ns)
{
    int64_t number;
    bool numeric = parse_int(name, &number);
    if (exec_namespace_quiet(name, ns))
        return true;
    if (numeric && (number < INT_MIN || number > INT_MAX))
        exec_error_format(x, "ERR value is out of range, value must between %d and %d", INT_MIN,
                          INT_MAX);
    else
        exec_error(x, numeric || all_digits(name)
                          ? "ERR DB index is out of range"
                          : "ERR invalid namespace name: 1 to 128 of letters, digits, '_', '.' and "
                            "'-', not starting with '.'");
    return false;
}

uint64_t exec_suspend(struct exec *x)
{
    struct client *client = x->client;
    client->wait_token = ++x->loop->tokens;
    client->hold |= HOLD_SUSPENDED;
    return client->wait_token;
}

void exec_post_promise(struct exec *x, struct client_ref to,
                       void (*run)(struct client *client, void *ctx),
                       void (*withhold)(struct client *client, void *ctx), void *ctx)
{
    struct loop *loop = x->loop;
    LOOP_ROOM(loop->outbox, loop->outbox_count, loop->outbox_cap);
    loop->outbox[loop->outbox_count++] = (struct outbox_item){to.loop, {to.id, run, ctx}, withhold};
}

void exec_post(struct exec *x, struct client_ref to, void (*run)(struct client *client, void *ctx),
               void *ctx)
{
    exec_post_promise(x, to, run, NULL, ctx);
}
