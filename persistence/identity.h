/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who this server is: a name that lasts as long as its directory, kept in .cairn/identity with a
 * checksum, and a nonce that is new at each start. Together they name an incarnation.
 */
#ifndef CAIRN_PERSISTENCE_IDENTITY_H
#define CAIRN_PERSISTENCE_IDENTITY_H

#include <stdbool.h>

#include "persistence/commit.h"
#include "persistence/text.h"

/* Reads the name from `directory`, or makes one and keeps it there. */
bool identity_open(int directory, char ret_replica[COMMIT_REPLICA_SIZE], struct text *error);
/* `name/nonce`. */
void identity_incarnation(const char *replica, char out[COMMIT_REPLICA_SIZE]);

#endif
