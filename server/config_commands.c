/* SPDX-License-Identifier: BSD-3-Clause */
/* CONFIG GET, SET, RESETSTAT, REWRITE: the table of config.h over the wire. */
#include "ops/mem.h"
#include "server/config-internal.h"
#include "server/evict.h"
#include "server/exec.h"
#include "server/lazyfree.h"
#include "server/loop-internal.h"
#include "server/server.h"

struct listing {
    struct resp_writer *out;
    size_t count;
};

static void write_pair(void *ctx, struct slice name, struct slice value)
{
    struct listing *listing = ctx;
    resp_write_bulk(listing->out, name.data, name.len);
    resp_write_bulk(listing->out, value.data, value.len);
    listing->count++;
}

static void get_command(struct exec *x)
{
    struct listing listing = {.out = x->out};
    size_t begun = resp_defer_begin(x->out);
    config_get(x->argv + 2, (size_t)(x->argc - 2), write_pair, &listing);
    resp_defer_map(x->out, begun, listing.count);
}

static void set_command(struct exec *x)
{
    if (x->argc % 2) {
        exec_syntax_error(x);
        return;
    }
    size_t count = (size_t)(x->argc - 2) / 2;
    struct config_pair *pairs = mem_alloc(count * sizeof(*pairs));
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct config_pair){x->argv[2 + 2 * i], x->argv[3 + 2 * i]};
    struct text error = {0};
    if (config_set(pairs, count, &error)) {
        resp_write_ok(x->out);
        evict_everywhere(x);
    } else {
        exec_error_format(x, "ERR %s", text_terminated(&error));
    }
    text_release(&error);
    mem_free(pairs);
}

static void resetstat_command(struct exec *x)
{
    stats_reset();
    lazyfree_reset();
    persistence_reset_peaks(server.persistence);
    resp_write_ok(x->out);
}

static void rewrite_command(struct exec *x)
{
    struct text error = {0};
    if (config_rewrite(&error))
        resp_write_ok(x->out);
    else
        exec_error_format(x, "ERR %s", text_terminated(&error));
    text_release(&error);
}

#define CONFIG_ROW(name_, arity_, flags_, handler_, since_, syntax_, summary_)                     \
    {                                                                                              \
        .name = name_, .arity = arity_,                                                            \
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | (flags_),                    \
        .group = GROUP_SERVER, .handler = handler_, .since = since_,                               \
        .complexity = "O(N) for N directives", .syntax = syntax_, .summary = summary_              \
    }

/* clang-format off */
static const struct command subcommands[] = {
    CONFIG_ROW("get", -3, CMD_NO_LOCK, get_command, "2.0.0", "pattern [pattern ...]", "Directives whose names match, with their values."),
    CONFIG_ROW("resetstat", 2, CMD_NO_LOCK, resetstat_command, "2.0.0", "", "Starts the counters of INFO anew."),
    CONFIG_ROW("rewrite", 2, CMD_OWN_LOCKS, rewrite_command, "2.8.0", "", "Writes the present values into the configuration file."),
    CONFIG_ROW("set", -4, CMD_OWN_LOCKS, set_command, "2.0.0", "name value [name value ...]", "Sets directives, all or none."),
    COMMAND_HELP(GROUP_SERVER, "5.0.0"),
    {0},
};

const struct command config_commands[] = {
    {.name = "config", .arity = -2, .flags = CMD_NO_LOCK, .group = GROUP_SERVER, .subcommands = subcommands, .summary = "Container of commands about the configuration.", .since = "2.0.0", .complexity = "Depends on the subcommand", .syntax = "subcommand"},
    {0},
};
/* clang-format on */
