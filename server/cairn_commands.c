/* SPDX-License-Identifier: BSD-3-Clause */
/* CAIRN: what Redis has no word for. */
#include "ops/mem.h"
#include "server/arguments.h"
#include "server/cairn_reading.h"
#include "server/exec.h"
#include "server/loop-internal.h"
#include "server/server.h"
#include "server/wait.h"

static void answer_sync(struct resp_writer *out, bool reached, enum persistence_status status,
                        uint64_t position)
{
    if (reached && status == PERSISTENCE_OK) {
        resp_write_integer(out, (long long)position);
        return;
    }
    char reason[256];
    persistence_trouble(server.persistence, reason, sizeof(reason));
    resp_write_error_format(out, "CAIRNERR the store took no commit: %s",
                            reason[0] ? reason : "the server is going down");
}

/* The client's namespace or the one it names, in memory; that alone is no use of it. False: an
 * error was written, or the command will be run again once it is loaded. */
static bool namespace_of(struct exec *x, struct namespace **ret_ns)
{
    *ret_ns = x->ns;
    if (x->argc > 3) {
        exec_wrong_arity(x);
        return false;
    }
    if (x->argc == 3 && !exec_namespace(x, x->argv[2], ret_ns))
        return false;
    if (namespace_state(*ret_ns) == NAMESPACE_READY)
        return true;
    if (!exec_lock_namespaces(x, ret_ns, 1))
        return false;
    exec_unlock_namespaces(x);
    return true;
}

static void sync_command(struct exec *x)
{
    struct namespace *ns;
    if (namespace_of(x, &ns))
        wait_for_sync(x, ns, answer_sync);
}

static void position_command(struct exec *x)
{
    struct namespace *ns;
    if (namespace_of(x, &ns))
        resp_write_integer(x->out, (long long)namespace_position(ns));
}

static void waitposition_command(struct exec *x)
{
    int64_t position, ms;
    if (exec_int_range(x, 2, 0, INT64_MAX, "ERR position is out of range, must be positive",
                       &position) &&
        argument_milliseconds(x, 3, &ms))
        wait_for_position(x, (uint64_t)position, ms);
}

static void durability_command(struct exec *x)
{
    static const char *const levels[] = {
        [DURABILITY_APPLIED] = "applied",
        [DURABILITY_WRITTEN] = "written",
        [DURABILITY_DURABLE] = "durable",
    };
    if (x->argc == 2) {
        resp_write_bulk_text(x->out, levels[x->client->durability]);
        return;
    }
    for (int i = 0; x->argc == 3 && i < 3; i++) {
        if (exec_is(x, 2, levels[i])) {
            x->client->durability = (enum durability)i;
            resp_write_ok(x->out);
            return;
        }
    }
    exec_error(x, "ERR the levels of durability are applied, written and durable");
}

/* --- PROBE --- */

struct probe {
    struct client_ref client;
    uint64_t token;
    enum probe_result result;
    struct text sentence;
    atomic_int parts; /* the probe's end, and the command's: the later one answers */
};

static void answer_probe(struct client *client, void *ctx)
{
    struct probe *probe = ctx;
    struct resp_writer *out = client ? client_answer(client, probe->token) : NULL;
    const char *sentence = text_terminated(&probe->sentence);
    if (out) {
        if (probe->result == PROBE_OK)
            resp_write_simple(out, sentence[0] ? sentence : "OK");
        else
            resp_write_error_format(out, "CAIRNERR %s", sentence);
        client_resume(client, probe->token);
    }
    text_release(&probe->sentence);
    mem_free(probe);
}

static void probe_part_ends(struct probe *probe)
{
    if (atomic_fetch_sub(&probe->parts, 1) == 1)
        loop_post_client(probe->client, answer_probe, probe);
}

static void on_probe(void *ctx, enum probe_result result, const char *sentence)
{
    struct probe *probe = ctx;
    probe->result = result;
    text_append_string(&probe->sentence, sentence);
    probe_part_ends(probe);
}

static void probe_command(struct exec *x)
{
    struct probe *probe = mem_calloc(1, sizeof(*probe));
    probe->client = client_ref(x->client);
    atomic_init(&probe->parts, 2);
    persistence_probe(server.persistence, on_probe, probe);
    probe->token = exec_suspend(x);
    probe_part_ends(probe);
}

#define CAIRN(name_, arity_, flags_, handler_, complexity_, syntax_, summary_)                     \
    {                                                                                              \
        .name = name_, .arity = arity_, .flags = CMD_NOSCRIPT | (flags_), .group = GROUP_CAIRN,    \
        .handler = handler_, .since = "0.1.0", .complexity = complexity_, .syntax = syntax_,       \
        .summary = summary_                                                                        \
    }

/* clang-format off */
static const struct command subcommands[] = {
    CAIRN("durability", -2, CMD_FAST | CMD_NO_LOCK, durability_command, "O(1)", "[applied|written|durable]", "What an answer promises to this connection: applied in memory, written to the journal's disk (without a journal the same as durable), durable in the store."),
    CAIRN("history", -2, CMD_OWN_LOCKS | CMD_NO_MULTI, cairn_history, "O(N) with N being the number of commits in the head or listed", "[count]", "The newest commits of the connection's namespace in the store, newest first: position, time, replica, number of ops. 10 of them, -1 for all that no fold has taken."),
    CAIRN("namespaces", 2, CMD_OWN_LOCKS | CMD_NO_MULTI, cairn_namespaces, "O(N) with N being the number of namespaces", "", "All namespaces, in the store and in memory, with state, position and keys."),
    CAIRN("position", -2, CMD_FAST | CMD_OWN_LOCKS, position_command, "O(1)", "[namespace]", "How many commits a namespace has had, as far as this server knows."),
    CAIRN("probe", 2, CMD_OWN_LOCKS | CMD_NO_MULTI, probe_command, "O(1)", "", "Shows that the store's conditional writes hold, by racing for objects of its own."),
    CAIRN("sync", -2, CMD_OWN_LOCKS | CMD_NO_MULTI, sync_command, "O(N) with N being the number of changes", "[namespace]", "Brings a namespace's changes to the store now, and takes in those of other servers; answers with its position."),
    CAIRN("verify", -2, CMD_OWN_LOCKS | CMD_NO_MULTI, cairn_verify, "O(N) with N being the size of the namespace", "[namespace]", "Reads a namespace back from the store and checks all of it; an error names the first fault."),
    CAIRN("waitposition", 4, CMD_BLOCKING, waitposition_command, "O(1)", "position timeout", "Waits until this server has the connection's namespace at a position; answers with the one it has. Timeout in milliseconds, 0: for ever."),
    COMMAND_HELP(GROUP_CAIRN, "0.1.0"),
    {0},
};

const struct command cairn_commands[] = {
    {.name = "cairn", .arity = -2, .flags = CMD_NO_LOCK, .group = GROUP_CAIRN, .subcommands = subcommands, .summary = "Container of commands that Redis has no word for.", .since = "0.1.0", .complexity = "Depends on the subcommand", .syntax = "subcommand"},
    {0},
};
/* clang-format on */
