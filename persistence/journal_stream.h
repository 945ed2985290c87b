/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is appended to the journal and not yet certain to be on the disk, in blocks of memory. A
 * place in it is a number of bytes since the start of the server. Knows nothing of files; the
 * journal's mutex is held in all of these functions. What they cost depends on the bytes they
 * handle alone, however much waits for a slow disk.
 */
#ifndef CAIRN_PERSISTENCE_JOURNAL_STREAM_H
#define CAIRN_PERSISTENCE_JOURNAL_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Some 256 KiB: the page cache takes pages as large as a write, and a virtual machine may have to
 * get such pages from its host first. */
#define JOURNAL_STREAM_PARTS_MAX 2

struct journal_block;

/* All zero is empty. kept <= written <= end; the blocks have what is from `kept` on. */
struct journal_stream {
    uint64_t end, written, kept;
    struct journal_block *head, *tail;
    struct journal_block *unwritten; /* the first that is not wholly written, or NULL */
    struct journal_block *spare;
    unsigned spares;
};

void journal_stream_release(struct journal_stream *stream);

void journal_stream_put(struct journal_stream *stream, const void *data, size_t len);

/* Fills `parts` with what is not written, from its beginning, up to *ret_end; returns how many, 0
 * when there is nothing. They stay where they are until they are forgotten. */
int journal_stream_gather(const struct journal_stream *stream,
                          struct iovec parts[JOURNAL_STREAM_PARTS_MAX], uint64_t *ret_end);
void journal_stream_wrote(struct journal_stream *stream, uint64_t end);

/* What is before `kept`, and written, is not needed any more. */
void journal_stream_forget(struct journal_stream *stream, uint64_t kept);
/* What is kept is to be written once more. */
void journal_stream_rewind(struct journal_stream *stream);

#endif
