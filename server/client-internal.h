/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and ending clients: for the loop and the listener. */
#ifndef CAIRN_SERVER_CLIENT_INTERNAL_H
#define CAIRN_SERVER_CLIENT_INTERNAL_H

#include "ops/mem.h"
#include "server/client.h"
#include "server/config.h"
#include "server/server.h"

/* On the loop's thread. Takes fd; NULL: it could not be made ready, and fd is closed. */
struct client *client_create(struct loop *loop, uint64_t id, int fd, bool unix_socket);
/* At the end of a turn, for a client that was marked with client_close_now. */
void client_destroy(struct client *client);

/* Closes it for client-output-buffer-limit. */
void client_close_past_limit(struct client *client);

void client_set_authenticated(struct client *client, bool authenticated);

/* A password may go while connections wait that never gave it: then they need none. */
static inline bool client_must_authenticate(const struct client *client)
{
    return !client_is(client, CLIENT_AUTHENTICATED) &&
           atomic_load_explicit(&server.password_set, memory_order_relaxed);
}

/* Brings the figures that CLIENT LIST prints up to date. */
void client_note_memory(struct client *client);

/* Its answers wait for the commit. Where there is no journal, those that were to be in it too: the
 * store is all that outlives the process. */
static inline bool client_waits_for_store(const struct client *client)
{
    return client->durability == DURABILITY_DURABLE ||
           (client->durability == DURABILITY_WRITTEN && !CONFIG(journal));
}

/* What the client wrote in ns reaches up to `mark`. */
static inline void client_note_mark(struct client *client, struct namespace *ns, uint64_t mark)
{
    size_t at = 0;
    while (at < client->mark_count && client->marks[at].ns != ns)
        at++;
    if (at == client->mark_count) {
        client->marks = mem_realloc(client->marks, (at + 1) * sizeof(*client->marks));
        client->mark_count++;
        client->marks[at].ns = ns;
    }
    client->marks[at].mark = mark;
    client->marks[at].held = true;
}

/* Puts a resumed client back to work when nothing holds it any more. */
void client_release_hold(struct client *client, unsigned hold);

#endif
