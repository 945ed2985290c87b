/* SPDX-License-Identifier: BSD-3-Clause */
/* Names that clients give themselves. */
#ifndef CAIRN_SERVER_CLIENT_NAME_H
#define CAIRN_SERVER_CLIENT_NAME_H

#include <stdbool.h>

#include "ops/slice.h"

struct client;
struct exec;

/* Printable characters without spaces, as CLIENT LIST needs. */
bool client_name_valid(struct slice name);
/* An empty name takes it away. The name is valid. */
void client_name_set(struct client *client, struct slice name);
/* The same with Redis's error when the name is not valid; writes nothing else. */
bool client_name_checked(struct exec *x, struct slice name);

#endif
