/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal: the local append-only files that hold the ops of all namespaces until they are
 * committed. A record is a batch, whole or not there at all; docs/format.md tells each byte.
 *
 * Appending copies a record into memory and gives a ticket, its place in the stream of all records
 * of this incarnation. Hardening brings the stream to disk: threads that come together share one
 * write and one fsync. Records stay in memory until an fsync has covered them, since after a
 * failed fsync nobody knows what the disk has: then a new file takes all that was not covered.
 */
#ifndef CAIRN_PERSISTENCE_JOURNAL_H
#define CAIRN_PERSISTENCE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/slice.h"
#include "persistence/commit.h"
#include "persistence/identity.h"
#include "persistence/persistence.h"
#include "persistence/text.h"

#define JOURNAL_HEADER_SIZE 128
#define JOURNAL_RECORD_SIZE 24 /* before its payload */

/* A part of a record: `count` ops of one namespace, numbered from `first`. */
struct journal_section {
    struct slice namespace;
    uint64_t position; /* the namespace's newest commit when this was appended */
    uint64_t first;
    uint64_t count;
    struct slice ops;
};

/* journal_read.c: what is there. */

struct journal_file_header {
    uint64_t sequence;
    uint64_t start; /* place of the first record in the stream of its incarnation */
    char incarnation[COMMIT_REPLICA_SIZE];
};

/* Hands each section out in order; false stops, with a sentence appended to `error`. */
typedef bool journal_visit(void *ctx, const struct journal_file_header *header,
                           const struct journal_section *section, struct text *error);

void journal_header_encode(const struct journal_file_header *header, char out[JOURNAL_HEADER_SIZE]);

enum journal_verdict {
    JOURNAL_WHOLE,
    JOURNAL_TORN,    /* the end was never completed: *ret_good bytes are */
    JOURNAL_DAMAGED, /* `error` says at which byte */
};

/*
 * Walks a file in memory. `stop`: records from this place of the stream on are of no account (a
 * later file has them again); UINT64_MAX: none. Torn at 0: not even the header was completed.
 */
enum journal_verdict journal_parse(struct slice file, uint64_t stop, journal_visit *visit,
                                   void *ctx, struct journal_file_header *ret_header,
                                   uint64_t *ret_good, struct text *error);

struct journal_scan {
    uint64_t *sequences; /* rising, without gap; owned */
    size_t count;
    uint64_t next; /* a number that no file has had, as far as is known */
    char cut[256]; /* what was cut off the end, a sentence; empty: nothing */
};

void journal_scan_release(struct journal_scan *scan);

/*
 * Reads all files of `directory` (the one of the server's own files) in order. A torn end of the
 * last one is cut off, on disk too when `repair`. False: damage, a missing file, or unreadable.
 * Which files must be there, the identity in the same directory says: one that it does not need any
 * more is not looked at (and removed when `repair`).
 */
bool journal_read(int directory, bool repair, journal_visit *visit, void *ctx,
                  struct journal_scan *ret_scan, struct text *error);

/* Removes the files of `scan`, whose ops are all committed, where no journal is written. */
bool journal_remove(int directory, struct identity *identity, const struct journal_scan *scan,
                    struct text *error);

/* journal.c: what is written. */

struct journal_options {
    int directory; /* borrowed */
    const char *incarnation;
    struct identity *identity; /* borrowed; is told which files there are. NULL: nobody is */
    enum journal_fsync fsync;
    uint64_t rotate_bytes; /* a file longer than this is followed by another … */
    int64_t rotate_ms;     /* … and one with records that is older; 0: a day */
    /* A sentence when the journal cannot write, NULL when it can again. Without any lock. */
    void (*trouble)(void *ctx, const char *sentence);
    void *ctx;
};

struct journal;

/* Begins a new file behind those of `scan`, which stay until journal_release_old. */
struct journal *journal_create(const struct journal_options *options,
                               const struct journal_scan *scan, struct text *error);
/* Stops its thread; `empty`: everything is committed, so the files go. False when they could not.
 * NULL-safe. */
bool journal_destroy(struct journal *journal, bool empty);

void journal_set_fsync(struct journal *journal, enum journal_fsync policy);

/*
 * One record, copied into memory; returns its ticket. Several sections: no commit may leave before
 * journal_joint_ticket is hardened. This and all below may be called on any thread.
 */
uint64_t journal_append(struct journal *journal, const struct journal_section *sections,
                        size_t count);
uint64_t journal_end(struct journal *journal);          /* the newest ticket */
uint64_t journal_joint_ticket(struct journal *journal); /* of the newest with several sections */

/*
 * Writes everything up to `ticket`; with `fsync`, or the policy `always`, brings it to disk too.
 * Blocks, so no namespace may be locked. With `everysec` it does not wait for an fsync or a
 * new file that is under way (for 2 s): then the record stays in memory until that is over. False:
 * it could not be done; the record stays in memory and is tried again. After a failed fsync with
 * the policy `no` nothing counts as being on disk until all that was written before it is released.
 */
bool journal_harden(struct journal *journal, uint64_t ticket, bool fsync);
/* Calls `done` on the journal's thread when all that is appended now is fsynced. */
void journal_harden_later(struct journal *journal, void (*done)(void *ctx, bool ok), void *ctx);

/* All records up to this ticket are committed: files that hold nothing else may go. */
void journal_release(struct journal *journal, uint64_t ticket);
/* The same for the files of earlier incarnations. Blocks until the directory is on disk. */
bool journal_release_old(struct journal *journal);

/* Bytes of records in the files of this incarnation that are still there, and fsyncs so far. */
void journal_count(struct journal *journal, int64_t *ret_bytes, int64_t *ret_fsyncs);

#endif
