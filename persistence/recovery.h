/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a journal holds, sorted by namespace, and what of it is not in the store yet. Used when a
 * server starts, and by an export beside no server. Knows no threads.
 */
#ifndef CAIRN_PERSISTENCE_RECOVERY_H
#define CAIRN_PERSISTENCE_RECOVERY_H

#include "persistence/journal.h"
#include "persistence/loader.h"
#include "persistence/sync_core.h"

struct recovered {
    char namespace[NAMESPACE_NAME_MAX + 1];
    uint64_t position;          /* the newest that any record has seen */
    struct sync_batch *batches; /* in order */
    struct sync_batch *last;
    /*
     * What to do with orphans: ops that may or may not be committed, since the head's entry of
     * their incarnation has expired. `orphans` is how many there were.
     */
    enum journal_orphans choice;
    uint64_t orphans;
};

struct recovery {
    struct recovered *items;
    size_t count;
    enum journal_orphans choice; /* for each item */
};

void recovery_release(struct recovery *recovery);
uint64_t recovery_ops(const struct recovery *recovery); /* how many */

/* For journal_read; `ctx` is a struct recovery. */
journal_visit recovery_collect;

/*
 * Leaves of `recovered` what is not committed according to `head`: ops that can be decoded. False,
 * with a sentence, when they cannot, when journal and store do not fit together, or when there are
 * orphans and nobody chose. Orphans that are replayed keep their name and number, so that a crash
 * in between does not double them.
 */
bool recovery_settle(struct recovered *recovered, const struct head *head, struct text *error);

/*
 * Leaves of `recovered` what is not committed according to `loaded`, and applies it to the loaded
 * keyspace. False, with a sentence, as recovery_settle.
 */
bool recovery_apply(struct recovered *recovered, struct loaded *loaded, struct text *error);

#endif
