/* SPDX-License-Identifier: BSD-3-Clause */
/* FUNCTION, as far as it goes without scripts: there are no functions to list or to flush. */
#include "server/command.h"
#include "server/exec.h"

static void function_flush_command(struct exec *x)
{
    if (x->argc > 3 || (x->argc == 3 && !exec_is(x, 2, "sync") && !exec_is(x, 2, "async")))
        exec_error(x, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    else
        resp_write_ok(x->out);
}

static void function_list_command(struct exec *x)
{
    resp_write_array(x->out, 0);
}

/* clang-format off */
static const struct command function_subcommands[] = {
    {.name = "flush", .arity = -2, .flags = CMD_WRITE | CMD_NOSCRIPT | CMD_NO_LOCK, .group = GROUP_SERVER, .handler = function_flush_command, .since = "7.0.0", .complexity = "O(1)", .syntax = "[ASYNC | SYNC]", .summary = "Deletes all functions; there are none."},
    {.name = "list", .arity = -2, .flags = CMD_NOSCRIPT | CMD_NO_LOCK, .group = GROUP_SERVER, .handler = function_list_command, .since = "7.0.0", .complexity = "O(1)", .syntax = "[LIBRARYNAME pattern] [WITHCODE]", .summary = "Returns the function libraries; there are none."},
    COMMAND_HELP(GROUP_SERVER, "7.0.0"),
    {0},
};

const struct command function_commands[] = {
    {.name = "function", .arity = -2, .group = GROUP_SERVER, .subcommands = function_subcommands, .since = "7.0.0", .complexity = "Depends on subcommand.", .summary = "A container for commands about functions."},
    {0},
};
/* clang-format on */
