/* SPDX-License-Identifier: BSD-3-Clause */
/* MONITOR: every command is told to the connections that asked. */
#ifndef CAIRN_SERVER_MONITOR_H
#define CAIRN_SERVER_MONITOR_H

#include <stdbool.h>

struct client;
struct exec;

bool monitor_active(void); /* one relaxed load */
void monitor_add(struct client *client);
void monitor_on_close(struct client *client);
/* After a command has run: SELECT is shown in its new namespace, EXEC behind what it ran. */
void monitor_feed(struct exec *x);

#endif
