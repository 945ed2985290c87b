/* SPDX-License-Identifier: BSD-3-Clause */
/* By name and position, on the path of MONITOR and SLOWLOG alone; knows no handler. */
#include "server/redact.h"

#include "ops/mem.h"
#include "server/command.h"
#include "server/exec.h"

static void hide(struct slice *arg)
{
    *arg = slice_of("(redacted)");
}

/* All of them: a password with spaces in it is more arguments than AUTH takes. */
static void redact_auth(const struct exec *x, struct slice *shown)
{
    for (int i = 1; i < x->argc; i++)
        hide(&shown[i]);
}

/* As hello_command reads it: AUTH may be told once more, and ends with the first word that is no
 * option. */
static void redact_hello(const struct exec *x, struct slice *shown)
{
    for (int i = 2; i < x->argc; i++) {
        if (exec_is(x, i, "auth") && i + 2 < x->argc) {
            hide(&shown[i + 1]);
            hide(&shown[i + 2]);
            i += 2;
        } else if (exec_is(x, i, "setname") && i + 1 < x->argc) {
            i++;
        } else {
            return;
        }
    }
}

/* Those of Redis, whether or not we have them. */
static void redact_config_set(const struct exec *x, struct slice *shown)
{
    for (int i = 2; i + 1 < x->argc; i += 2)
        if (exec_is(x, i, "requirepass") || exec_is(x, i, "masterauth") ||
            exec_is(x, i, "masteruser"))
            hide(&shown[i + 1]);
}

struct slice *redact(const struct exec *x)
{
    static const struct {
        const char *command;
        void (*redact)(const struct exec *x, struct slice *shown);
    } rows[] = {{"auth", redact_auth}, {"hello", redact_hello}, {"config|set", redact_config_set}};
    struct slice *shown = mem_alloc((size_t)x->argc * sizeof(*shown));
    memcpy(shown, x->argv, (size_t)x->argc * sizeof(*shown));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(x->command->full_name, rows[i].command) == 0)
            rows[i].redact(x, shown);
    return shown;
}
