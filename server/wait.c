/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wait has one part for each namespace, and one for whoever starts it; the last part to end posts
 * to the client's thread. A timer may have answered by then: the token tells.
 */
#include "server/wait.h"

#include "ops/mem.h"
#include "server/loop-internal.h"
#include "server/server.h"

struct wait {
    struct client_ref client;
    uint64_t token;
    wait_answer *answer;
    atomic_int parts;
    atomic_bool failed;
    _Atomic int status;
    _Atomic uint64_t position;
};

static void answer_here(struct client *client, void *ctx)
{
    struct wait *wait = ctx;
    struct resp_writer *out = client ? client_answer(client, wait->token) : NULL;
    if (out) {
        wait->answer(out, !atomic_load(&wait->failed),
                     (enum persistence_status)atomic_load(&wait->status),
                     atomic_load(&wait->position));
        client_resume(client, wait->token);
    }
    mem_free(wait);
}

static void part_ends(struct wait *wait)
{
    if (atomic_fetch_sub(&wait->parts, 1) == 1)
        loop_post_client(wait->client, answer_here, wait);
}

static void on_wait(void *ctx, enum persistence_status status)
{
    struct wait *wait = ctx;
    if (status != PERSISTENCE_OK) {
        atomic_store(&wait->status, (int)status);
        atomic_store(&wait->failed, true);
    }
    part_ends(wait);
}

static void on_sync(void *ctx, enum persistence_status status, uint64_t position)
{
    struct wait *wait = ctx;
    atomic_store(&wait->position, position);
    on_wait(wait, status);
}

static struct wait *wait_create(struct exec *x, wait_answer *answer)
{
    struct wait *wait = mem_calloc(1, sizeof(*wait));
    wait->client = client_ref(x->client);
    wait->answer = answer;
    atomic_store(&wait->parts, 1);
    atomic_store(&wait->status, (int)PERSISTENCE_OK);
    return wait;
}

static void on_timeout(struct client *client, uint64_t token)
{
    struct resp_writer *out = client_answer(client, token);
    wait_answer *answer = client->wait_answer;
    if (!out)
        return;
    answer(out, false, PERSISTENCE_OK, 0);
    client_resume(client, token);
}

/* Suspended under `token`, for ms at the most (0: for ever); it counts as blocked. */
static void be_blocked(struct exec *x, uint64_t token, int64_t ms,
                       void (*ends)(struct client *client, uint64_t token))
{
    x->client->wait_ends = ends;
    client_flag_set(x->client, CLIENT_BLOCKED);
    if (ms)
        client_set_timer(x->client, token, loop_now(x->loop) + ms, ends);
}

void wait_write_unblocked(struct client *client, struct resp_writer *out)
{
    static const char text[] = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
    struct loop_stats *stats = &client->loop->stats;
    const struct command *command =
        atomic_load_explicit(&client->last_command, memory_order_relaxed);
    resp_write_error(out, text);
    stats_bump(&stats->counters[STAT_ERROR_REPLIES], 1);
    stats_bump(&stats->commands[command->id].failed, 1);
    stats_error(text, strlen(text));
}

bool wait_unblock(struct client *client, bool with_error)
{
    uint64_t token = client->wait_token;
    if (!client->wait_ends)
        return false;
    if (with_error) {
        wait_write_unblocked(client, client_answer(client, token));
        client_resume(client, token);
    } else {
        client->wait_ends(client, token);
    }
    return true;
}

/* The starter's own part ends. Nothing left: answers now. Else suspends, unless it must not. */
static void finish_start(struct exec *x, struct wait *wait, int64_t ms, bool block,
                         void (*ends)(struct client *client, uint64_t token))
{
    wait_answer *answer = wait->answer;
    if (atomic_load(&wait->parts) == 1) {
        answer(x->out, !atomic_load(&wait->failed),
               (enum persistence_status)atomic_load(&wait->status), atomic_load(&wait->position));
        mem_free(wait);
        return;
    }
    if (!block || x->in_transaction) {
        answer(x->out, false, PERSISTENCE_OK, 0); /* the wait itself ends with nobody to tell */
    } else {
        wait->token = exec_suspend(x);
        x->client->wait_answer = answer;
        if (ends)
            be_blocked(x, wait->token, ms, ends);
    }
    part_ends(wait);
}

void wait_for_writes(struct exec *x, enum durability level, int64_t ms, bool block,
                     wait_answer *answer)
{
    struct client *client = x->client;
    struct wait *wait = wait_create(x, answer);
    if (level == DURABILITY_WRITTEN)
        x->loop->harden_fsync = true;
    for (size_t i = 0; i < client->mark_count; i++) {
        atomic_fetch_add(&wait->parts, 1);
        persistence_wait(server.persistence, client->marks[i].ns, client->marks[i].mark, level,
                         on_wait, wait);
    }
    finish_start(x, wait, ms, block, on_timeout);
}

void wait_for_sync(struct exec *x, struct namespace *ns, wait_answer *answer)
{
    struct wait *wait = wait_create(x, answer);
    atomic_fetch_add(&wait->parts, 1);
    persistence_sync(server.persistence, ns, on_sync, wait);
    finish_start(x, wait, 0, true, NULL);
}

/* --- for a position --- */

/* A wait whose client has gone ends by itself after so long; one that is still wanted begins anew.
 */
#define POSITION_WAIT_MS 10000

struct position_wait {
    struct client_ref client;
    uint64_t token;
    struct namespace *ns;
    uint64_t position;
    bool stopped;
};

static void wait_on(struct position_wait *wait);

/* Without a client perhaps also without namespaces: on the way down. */
static void position_here(struct client *client, void *ctx)
{
    struct position_wait *wait = ctx;
    uint64_t position = client ? namespace_position(wait->ns) : 0;
    bool wanted = client && client->wait_token == wait->token;
    if (wanted && !wait->stopped && position < wait->position) {
        wait_on(wait);
        return;
    }
    struct resp_writer *out = wanted ? client_answer(client, wait->token) : NULL;
    if (out) {
        resp_write_integer(out, (long long)position);
        client_resume(client, wait->token);
    }
    mem_free(wait);
}

static void on_position(void *ctx, enum persistence_status status, uint64_t position)
{
    struct position_wait *wait = ctx;
    (void)position;
    wait->stopped = status == PERSISTENCE_STOPPED;
    loop_post_client(wait->client, position_here, wait);
}

static void wait_on(struct position_wait *wait)
{
    persistence_wait_position(server.persistence, wait->ns, wait->position,
                              loop_now(wait->client.loop) + POSITION_WAIT_MS, on_position, wait);
}

static void on_position_timeout(struct client *client, uint64_t token)
{
    struct resp_writer *out = client_answer(client, token);
    if (!out)
        return;
    resp_write_integer(out, (long long)namespace_position(client_namespace(client)));
    client_resume(client, token);
}

void wait_for_position(struct exec *x, uint64_t position, int64_t ms)
{
    uint64_t now_at = namespace_position(x->ns);
    if (now_at >= position || x->in_transaction || persistence_in_memory(server.persistence)) {
        resp_write_integer(x->out, (long long)now_at);
        return;
    }
    struct position_wait *wait = mem_alloc(sizeof(*wait));
    *wait =
        (struct position_wait){.client = client_ref(x->client), .ns = x->ns, .position = position};
    wait->token = exec_suspend(x);
    be_blocked(x, wait->token, ms, on_position_timeout);
    wait_on(wait);
}
