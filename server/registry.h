/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All clients of all loops, for CLIENT LIST, CLIENT KILL and INFO: a list under one mutex, touched
 * when a client comes, goes or is listed, never by other commands. The strings of a client (name,
 * library) are under the same mutex.
 */
#ifndef CAIRN_SERVER_REGISTRY_H
#define CAIRN_SERVER_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

uint64_t registry_next_id(void);
/* Counts one connection more; false: maxclients are there already. */
bool registry_admit(void);
void registry_leave(void); /* of one that was admitted */
size_t registry_count(void);

void registry_add(struct client *client);
void registry_remove(struct client *client);

/* Calls visit for every client, in the order they came, with the mutex held: visit must be short
 * and must not come back here. */
void registry_each(void (*visit)(void *ctx, const struct client *client), void *ctx);

void registry_lock(void);
void registry_unlock(void);

/* Copies the client's name, "" for none. */
void registry_copy_name(const struct client *client, char *out, size_t cap);

#endif
