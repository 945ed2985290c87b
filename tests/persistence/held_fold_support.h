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

/* The chunk that the head names: others in the folder may be dead. */
static inline bool held_fold_find(char chunk[600], const char *store, const char *name)
{
    const char *mark = "\"object\":\"";
    char path[300], *text = NULL, *object = NULL;
    snprintf(path, sizeof(path), "%s/%s.json", store, name);
    FILE *head = fopen(path, "r");
    if (head) {
        size_t size = 0;
        if (getdelim(&text, &size, '\0', head) > 0)
            object = strstr(text, mark);
        fclose(head);
    }
    if (object) {
        object += strlen(mark);
        snprintf(chunk, 600, "%s/%s/%.*s", store, name, (int)strcspn(object, "\""), object);
    }
    free(text);
    return object != NULL;
}

/* The pipe takes the chunk's place in one step: whoever reads it finds either. */
static inline void held_fold_take(struct held_fold *held, const char *chunk)
{
    char pipe_path[620];
    snprintf(held->chunk, sizeof(held->chunk), "%s", chunk);
    snprintf(held->aside, sizeof(held->aside), "%s.aside", chunk);
    snprintf(pipe_path, sizeof(pipe_path), "%s.pipe", chunk);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(link(held->chunk, held->aside), 0);
    assert_int_equal(rename(pipe_path, held->chunk), 0);
}

/* The namespace comes to have a chunk; `write` writes to it and syncs it, until a fold begins. A
 * fold that was under way when the pipe came makes another chunk: then the pipe goes there. */
static inline void held_fold_begin(struct held_fold *held, const char *store, const char *name,
                                   void (*write)(void *ctx), void *ctx)
{
    char chunk[600];
    held->fd = -1;
    held->chunk[0] = '\0';
    for (int i = 0; i < HELD_TRIES && held->fd < 0; i++) {
        write(ctx);
        usleep(10000);
        if (held_fold_find(chunk, store, name) && strcmp(chunk, held->chunk) != 0) {
            if (held->chunk[0])
                assert_int_equal(rename(held->aside, held->chunk), 0);
            held_fold_take(held, chunk);
        }
        if (held->chunk[0])
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
