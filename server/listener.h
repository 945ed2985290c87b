/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening sockets: all on loop 0, which hands the connections round to all loops in turn. */
#ifndef CAIRN_SERVER_LISTENER_H
#define CAIRN_SERVER_LISTENER_H

#include <stdbool.h>

#include "persistence/text.h"

/* Binds what the configuration says (bind, port, unixsocket). False: `error` says what failed. */
bool listener_open(struct text *error);
/* Begins to accept, on loop 0; and stops. */
void listener_start(void);
void listener_stop(void);
void listener_close(void);

#endif
