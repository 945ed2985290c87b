/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See arrivals.h. Messages go straight to their listeners' loops: what arrives is durable already,
 * so nothing has to wait for the journal. Blocked clients are served on a loop's thread, as a pop
 * is a local op with all that follows from one. Once the loops are gone nobody listens, watches or
 * is blocked, so nothing is posted to them.
 */
#include "server/arrivals.h"

#include <pthread.h>

#include "ops/mem.h"
#include "persistence/json_writer.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/ns_state.h"
#include "server/pubsub.h"
#include "server/stats.h"

#define LOG_PAUSE_MS 5000 /* between two lines about changed answers */
#define LOG_KEY_MAX  64   /* bytes of a key that the log shows */

/* --- blocked clients --- */

static void serve(struct exec *x, struct namespace *ns)
{
    struct loop *loop = x->loop;
    x->client = NULL;
    batch_set_time(loop, loop->now, &ns, 1);
    x->ns = ns;
    x->keys = namespace_keyspace(ns);
    effects_look_again(x, ns);
    if (x->serve)
        effects_after_command(x);
    uint64_t ticket = namespace_seal(ns);
    if (CONFIG(journal_fsync) == JOURNAL_FSYNC_ALWAYS)
        ticket = namespace_ticket(ns);
    if (ticket > loop->ticket)
        loop->ticket = ticket;
}

static void serve_here(struct client *client, void *ctx)
{
    (void)client;
    struct ns_state *state = ctx;
    struct namespace *ns = state->ns;
    struct loop *loop = loop_current();
    namespace_lock(ns);
    bool needed = state->blocked && namespace_state(ns) == NAMESPACE_READY;
    state->arrived = false;
    if (needed)
        serve(&loop->x, ns);
    namespace_unlock(ns);
    if (needed)
        batch_harden(loop);
}

static void call_server(struct ns_state *state)
{
    if (!state->blocked || state->arrived)
        return;
    state->arrived = true;
    int loop = (int)(namespace_order(state->ns) % (uint64_t)loop_count());
    loop_post(loop_at(loop), 0, serve_here, state);
}

bool arrivals_awaited(void *attachment)
{
    const struct ns_state *state = attachment;
    return state->blocked || state->watches ||
           (CONFIG(notify_keyspace_events) && pubsub_any_listener());
}

/* --- ops --- */

void arrivals_op(void *attachment, const struct op *op, const struct outcome *outcome)
{
    struct ns_state *state = attachment;
    call_server(state);
    if (!op || op->kind == OP_NAMESPACE_CLEAR) {
        watch_mark_all(state->ns);
        return;
    }
    stats_count(STAT_ARRIVED_OPS, 1);
    if (state->watches)
        effects_key_changed(NULL, state->ns, op->key);
    if (CONFIG(notify_keyspace_events))
        effects_notify_op(NULL, state->ns, op, outcome);
}

void arrivals_expired(void *attachment, struct slice key)
{
    struct ns_state *state = attachment;
    struct loop *loop = loop_current();
    struct exec *x = loop ? &loop->x : NULL;
    stats_count(STAT_EXPIRED_KEYS, 1);
    if (state->watches)
        effects_key_changed(x, state->ns, key);
    if (CONFIG(notify_keyspace_events))
        effects_notify(x, state->ns, 'x', "expired", key);
}

/* --- changed answers --- */

static const char *status_word(enum outcome_status status)
{
    switch (status) {
    case OUTCOME_OK: return "ok";
    case OUTCOME_CONDITION: return "condition";
    case OUTCOME_WRONG_TYPE: return "wrong-type";
    case OUTCOME_NOT_INTEGER: return "not-integer";
    case OUTCOME_NOT_FLOAT: return "not-float";
    case OUTCOME_OVERFLOW: return "overflow";
    case OUTCOME_NOT_FINITE: return "not-finite";
    case OUTCOME_ZERO_DIVISOR: return "zero-divisor";
    case OUTCOME_TOO_LONG: return "too-long";
    case OUTCOME_NO_KEY: return "no-key";
    case OUTCOME_OUT_OF_RANGE: return "out-of-range";
    case OUTCOME_NO_PIVOT: return "no-pivot";
    }
    return "";
}

static bool answers_with_number(enum op_kind kind)
{
    return kind != OP_SCALAR_SET && kind != OP_INT_SET && kind != OP_LIST_SET && kind != OP_KEY_PUT;
}

static bool answers_with_text(enum op_kind kind)
{
    return kind == OP_FLOAT_ADD || kind == OP_FLOAT_MAP_ADD;
}

static void write_answer(struct json_writer *json, const char *name, enum op_kind kind,
                         const struct rebase_answer *answer)
{
    struct slice detail = answer->detail, item;
    bool ok = answer->status == OUTCOME_OK;
    json_write_field(json, name);
    json_begin_object(json);
    json_write_field(json, "status");
    json_write_string(json, status_word(answer->status));
    if (ok && answers_with_text(kind)) {
        json_write_field(json, "text");
        json_write_bytes(json, detail);
    } else if (ok && answers_with_number(kind)) {
        json_write_field(json, "number");
        json_write_int64(json, answer->number);
    }
    if (ok && kind == OP_LIST_POP && answer->whole) {
        json_write_field(json, "items");
        json_begin_array(json);
        while (rebase_answer_item(&detail, &item))
            json_write_bytes(json, item);
        json_end_array(json);
    }
    json_end_object(json);
}

void arrivals_describe(struct text *out, struct slice space, const struct op *op,
                       const struct rebase_answer *was, const struct rebase_answer *is,
                       uint64_t position)
{
    struct json_writer json;
    const char *command = effects_command_of(op);
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_write_field(&json, "namespace");
    json_write_bytes(&json, space);
    json_write_field(&json, "key");
    json_write_bytes(&json, op->key);
    json_write_field(&json, "op");
    json_write_string(&json, op_kind_name(op->kind));
    if (command) {
        json_write_field(&json, "command");
        json_write_string(&json, command);
    }
    write_answer(&json, "old", op->kind, was);
    write_answer(&json, "new", op->kind, is);
    json_write_field(&json, "position");
    json_write_int64(&json, (int64_t)position);
    json_end_object(&json);
}

static struct {
    pthread_mutex_t mutex;
    int64_t quiet_until;
    uint64_t suppressed;
} changed = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* True: a line may be written; suppressed: changed answers since the last one. */
static bool may_log(int64_t now, uint64_t *suppressed)
{
    pthread_mutex_lock(&changed.mutex);
    bool may = now >= changed.quiet_until;
    if (may) {
        *suppressed = changed.suppressed;
        changed.suppressed = 0;
        changed.quiet_until = now + LOG_PAUSE_MS;
    } else {
        changed.suppressed++;
    }
    pthread_mutex_unlock(&changed.mutex);
    return may;
}

void arrivals_tick(int64_t now)
{
    pthread_mutex_lock(&changed.mutex);
    bool due = changed.suppressed && now >= changed.quiet_until;
    uint64_t suppressed = changed.suppressed;
    if (due) {
        changed.suppressed = 0;
        changed.quiet_until = now + LOG_PAUSE_MS;
    }
    pthread_mutex_unlock(&changed.mutex);
    if (due)
        log_line(LOG_NOTICE,
                 "answers have changed, since commits of other servers came first "
                 "(%llu more were not logged)",
                 (unsigned long long)suppressed);
}

static void log_change(struct slice space, const struct op *op, const struct rebase_answer *was,
                       const struct rebase_answer *is, uint64_t position)
{
    uint64_t suppressed;
    struct text line = {0};
    struct op shown = *op;
    if (!may_log(clock_ms(), &suppressed))
        return;
    if (shown.key.len > LOG_KEY_MAX)
        shown.key.len = LOG_KEY_MAX;
    arrivals_describe(&line, space, &shown, was, is, position);
    log_line(LOG_NOTICE,
             "an answer has changed, since commits of other servers came first (%llu more were not "
             "logged): %s",
             (unsigned long long)suppressed, text_terminated(&line));
    text_release(&line);
}

void arrivals_differ(void *attachment, const struct op *op, const struct rebase_answer *was,
                     const struct rebase_answer *is, uint64_t position)
{
    const struct ns_state *state = attachment;
    struct slice space = namespace_name(state->ns), channel = slice_of(ARRIVALS_CONFLICTS);
    stats_count(STAT_CHANGED_ANSWERS, 1);
    log_change(space, op, was, is, position);
    if (!pubsub_heard(channel))
        return;
    struct text message = {0};
    arrivals_describe(&message, space, op, was, is, position);
    pubsub_publish(NULL, PUBSUB_CHANNEL, channel, text_slice(&message));
    text_release(&message);
}
