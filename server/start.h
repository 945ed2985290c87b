/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of a start and an end, for main and for tests that run a server in their process. */
#ifndef CAIRN_SERVER_START_H
#define CAIRN_SERVER_START_H

#include <stdbool.h>

#include "persistence/text.h"

void server_init(void);         /* clock, random seeds, command table, signals that are ignored */
void server_apply_config(void); /* after config_load */
void server_configure_s3(void); /* the same; what store_open uses for buckets */
bool server_open(struct text *error); /* sockets, store, loops; false: `error` says what failed */
void server_run(void);                /* until server_stop */
int server_close(void); /* commits and frees; the process's exit status. After SHUTDOWN
            NOSAVE nothing is freed: leave by _exit */

#endif
