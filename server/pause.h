/* SPDX-License-Identifier: BSD-3-Clause */
/* CLIENT PAUSE: commands of all clients, or those that write, wait until a time. Meanwhile nothing
 * expires in the background, and nothing is evicted: no key changes. Any thread. */
#ifndef CAIRN_SERVER_PAUSE_H
#define CAIRN_SERVER_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct command;

bool pause_active(void); /* one relaxed load */
bool pause_holds(bool write);
/* Commands that run all the same: those that end the pause, and those that tell about it. */
bool pause_exempt(const struct command *command);

/* It counts as blocked until the pause ends. On its thread. */
void pause_hold(struct client *client);

void pause_start(int64_t until_ms, bool all);
void pause_stop(void); /* and lets the waiting clients of all loops go on */
/* Cron of one loop: ends a pause whose time has come. */
void pause_tick(int64_t now_ms);

#endif
