/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who this server is: a name that lasts as long as its directory, kept in .cairn/identity with a
 * checksum, and a nonce that is new at each start. Together they name an incarnation.
 *
 * The same file says which files of the journal must be there, so that a missing one is noticed
 * whichever it is. That is written in place, into one of two slots by turns: a crash leaves the one
 * or the other, and it takes no room on a disk that the journal may have filled.
 */
#ifndef CAIRN_PERSISTENCE_IDENTITY_H
#define CAIRN_PERSISTENCE_IDENTITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "persistence/commit.h"
#include "persistence/text.h"

/* Files `oldest` … `newest` of the journal hold what may be needed; oldest == newest + 1: none. */
struct identity_journal {
    uint64_t generation; /* 0: it was never written */
    uint64_t oldest, newest;
};

struct identity {
    char replica[COMMIT_REPLICA_SIZE];
    int fd;
    pthread_mutex_t mutex; /* the next two */
    struct identity_journal journal;
    int slot; /* that holds it */
};

/* Nothing open yet. */
void identity_init(struct identity *identity);
/* Reads it from `directory`, or makes one there. On failure only identity_close is left to do. */
bool identity_open(int directory, struct identity *identity, struct text *error);
void identity_close(struct identity *identity);
/* `name/nonce`. */
void identity_incarnation(const char *replica, char out[COMMIT_REPLICA_SIZE]);

/* Looks only at what it says of the journal; generation 0 without a file, or of version 1. */
bool identity_read_journal(int directory, struct identity_journal *ret_journal, struct text *error);
/*
 * Brings to disk that files before `oldest` are not needed and that those up to `newest` are there;
 * neither ever goes back. Before a file is removed, and before records go to a new one. 0 or an
 * errno: then nothing of it may be relied on. Any thread.
 */
int identity_note_journal(struct identity *identity, uint64_t oldest, uint64_t newest);

#endif
