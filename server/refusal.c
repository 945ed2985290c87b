/* SPDX-License-Identifier: BSD-3-Clause */
/* See refusal.h. The store is damaged, or out of reach: what clients do about it differs. */
#include "server/refusal.h"

#include <stdio.h>

#include "server/client-internal.h"
#include "server/command.h"
#include "server/effects.h"

bool refusal_of(struct namespace *ns, char why[REFUSAL_MAX])
{
    char reason[512];
    const char *format = NULL;
    switch (namespace_state(ns)) {
    case NAMESPACE_UNLOADED:
    case NAMESPACE_LOADING:
    case NAMESPACE_READY: return false;
    case NAMESPACE_FAILED: format = "CAIRNERR namespace %s cannot be read: %s"; break;
    case NAMESPACE_AWAY:
        format = "LOADING namespace %s is not loaded yet, the store is out of reach: %s";
        break;
    }
    namespace_error(ns, reason, sizeof(reason));
    snprintf(why, REFUSAL_MAX, format, namespace_name(ns).data, reason);
    return true;
}

void refusal_answer(struct client *client, const struct command *command, const char *why)
{
    if (client->transaction && command->flags & CMD_EXEC) {
        transaction_on_close(client);
        resp_write_error_format(&client->writer, "EXECABORT Transaction discarded because of: %s",
                                why);
        return;
    }
    transaction_fail(client);
    resp_write_error(&client->writer, why);
}
