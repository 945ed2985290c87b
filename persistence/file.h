/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files as a durable store needs them: read whole, written whole, replaced so that a crash leaves
 * the old or the new. Large files go past the page cache where the file system lets them, and what
 * is read into, or written from, begins at a page. Every function returns 0 or an errno.
 */
#ifndef CAIRN_PERSISTENCE_FILE_H
#define CAIRN_PERSISTENCE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ops/slice.h"
#include "persistence/text.h"

/* Appends the contents to `out`. */
int file_read(int directory, const char *name, struct text *out);
/* The same, and the kernel keeps no copy: nobody is about to read it again. */
int file_read_once(int directory, const char *name, struct text *out);
/* All of it, however many calls that takes. */
int file_write_all(int fd, struct slice bytes);
/* The same for a vector, which is used up on the way. */
int file_writev_all(int fd, struct iovec *parts, int count);

/* A new file (none may be there) with its data on disk, its directory entry not yet. */
int file_create(int directory, const char *name, struct slice bytes);
/*
 * Writes `temporary`, brings it to disk, renames it to `name` and brings the directory of `name`
 * (`parent`, "." for `directory` itself) to disk. *landed: the rename was done, so an error means
 * only that a power cut might undo it.
 */
int file_replace(int directory, const char *temporary, const char *name, const char *parent,
                 struct slice bytes, bool *landed);

int file_sync_directory(int directory, const char *name);

#define FILE_LOCK_SHARED (-1L)

/*
 * Opens (makes) `name` and takes its flock, for us alone or beside others that share it, or
 * EWOULDBLOCK with, in *holder, the pid of who has it alone (0: somebody has it alone, whose pid
 * cannot be read) or FILE_LOCK_SHARED. Who has it alone leaves its pid there; the lock lives as
 * long as *ret_fd.
 */
int file_lock(int directory, const char *name, bool alone, int *ret_fd, long *holder);

/*
 * The same for who changes nothing, and may perhaps not: keeps others away as long as *ret_fd, or
 * EWOULDBLOCK. *ret_fd is -1 where there is no such file: then nobody has it.
 */
int file_lock_to_read(int directory, const char *name, int *ret_fd);

#endif
