/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of CLIENT LIST and CLIENT INFO. */
#ifndef CAIRN_SERVER_CLIENT_LIST_H
#define CAIRN_SERVER_CLIENT_LIST_H

#include "server/client.h"
#include "server/exec.h"

struct client_list_filter {
    int64_t now;
    const char *type; /* NULL: any */
    uint64_t *ids;    /* NULL: all */
    size_t id_count;
};

/* Writes the reply: a verbatim string, a line for each client that fits. */
void client_list(struct exec *x, const struct client_list_filter *filter);

/* "normal" or "pubsub". */
const char *client_type(const struct client *client);
/* As given to CLIENT LIST TYPE; NULL: no such type. Types that never occur here are known too. */
const char *client_type_named(struct slice name);

#endif
