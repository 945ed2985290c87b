/* SPDX-License-Identifier: BSD-3-Clause */
/* A fold that does not come to its end until it is let go: a pipe stands where its base's chunk
 * was. */
#ifndef CAIRN_TESTS_HELD_FOLD_SUPPORT_H
#define CAIRN_TESTS_HELD_FOLD_SUPPORT_H

#include <fcntl.h>

#include "tests/persistence/persistence_support.h"

#define HELD_TRIES 2000 /* some 10 ms each */

struct held_fold {
    char chunk[600], aside[620];
    int fd; /* the pipe's, once the fold reads it */
};

/* Any chunk in the namespace's folder. */
static inline bool held_fold_find(struct held_fold *held, const char *store, const char *name)
{
    char folder[300];
    struct dirent *entry;
    bool found = false;
    snprintf(folder, sizeof(folder), "%s/%s", store, name);
    DIR *all = opendir(folder);
    while (all && !found && (entry = readdir(all))) {
        found = strncmp(entry->d_name, "chunk-", 6) == 0;
        snprintf(held->chunk, sizeof(held->chunk), "%s/%s", folder, entry->d_name);
    }
    if (all)
        closedir(all);
    return found;
}

/* The namespace has one chunk; `write` writes to it and syncs it, until a fold begins. */
static inline void held_fold_begin(struct held_fold *held, const char *store, const char *name,
                                   void (*write)(void *ctx), void *ctx)
{
    held->fd = -1;
    for (int i = 0; i < HELD_TRIES && !held_fold_find(held, store, name); i++) {
        write(ctx);
        usleep(10000);
    }
    assert_true(held_fold_find(held, store, name));
    snprintf(held->aside, sizeof(held->aside), "%s.aside", held->chunk);
    assert_int_equal(rename(held->chunk, held->aside), 0);
    assert_int_equal(mkfifo(held->chunk, 0600), 0);
    for (int i = 0; i < HELD_TRIES && held->fd < 0; i++) {
        write(ctx);
        usleep(10000);
        held->fd = open(held->chunk, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    }
    assert_true(held->fd >= 0);
}

/* It has read a chunk of no length, and fails; the chunk is there again when it is tried anew. */
static inline void held_fold_let_go(struct held_fold *held)
{
    assert_int_equal(rename(held->aside, held->chunk), 0);
    close(held->fd);
}

#endif
