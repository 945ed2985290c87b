/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds that are not configuration, with their reasons; and those of the request reader. */
#ifndef CAIRN_SERVER_LIMITS_H
#define CAIRN_SERVER_LIMITS_H

#include "resp/reader.h"

/* What CLIENT LIST shows as an active connection's reply buffer, and the least that an idle one's
 * shrinks to: Redis's figures. */
#define CLIENT_QUERY_SIZE     (16 * 1024)
#define CLIENT_REPLY_SIZE     (16 * 1024)
#define CLIENT_REPLY_SIZE_MIN 1024
/* Connections taken in one event: a flood must not keep the others waiting. */
#define ACCEPT_MAX 200
/* File descriptors kept for the store, the journal and the log, beside maxclients; as Redis. */
#define RESERVED_FDS 32

/* Filled from the configuration, shared by all readers. */
extern struct resp_limits request_limits;

#endif
