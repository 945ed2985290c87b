/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * .cairn/namespaces: of which namespaces this server has read or written a head, and in which
 * store; a line of text for each, with a checksum, added once and never changed. So a head that
 * goes missing is noticed even when the journal has nothing of its namespace. An operator who means
 * it takes the line away. Knows no store and no journal, and nothing of threads.
 */
#ifndef CAIRN_PERSISTENCE_NAMESPACES_FILE_H
#define CAIRN_PERSISTENCE_NAMESPACES_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "persistence/text.h"

#define NAMESPACES_FILE ".cairn/namespaces" /* for messages */

struct namespaces_file {
    int fd;            /* -1: none is open */
    struct text store; /* as the lines have it */
    struct text owed;  /* what is not on disk yet */
    off_t end;         /* of what is on disk and sound */
    bool cut;          /* a last line that a crash had cut short was dropped when it was opened */
};

/* Nothing open yet. */
void namespaces_file_init(struct namespaces_file *file);
/*
 * Reads it from `directory`, or makes one there, and calls `visit` for each namespace that was
 * noted of `store`, any bytes that tell one store from another. On failure, with a sentence that
 * names the line, only namespaces_file_close is left to do.
 */
bool namespaces_file_open(struct namespaces_file *file, int directory, struct slice store,
                          void (*visit)(void *ctx, struct slice name), void *ctx,
                          struct text *error);
/* It has no line yet. On disk after the next flush. */
void namespaces_file_add(struct namespaces_file *file, struct slice name);
/* 0 or an errno: then what is owed is still owed. */
int namespaces_file_flush(struct namespaces_file *file);
void namespaces_file_close(struct namespaces_file *file);

#endif
