/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a namespace from the store: head, chunks (on several threads), tail. Blocks; takes no
 * lock; what comes out is handed over in O(1).
 */
#ifndef CAIRN_PERSISTENCE_LOADER_H
#define CAIRN_PERSISTENCE_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/keyspace.h"
#include "persistence/fold.h"
#include "persistence/head.h"
#include "persistence/store.h"

struct loaded {
    struct head head;
    char etag[STORE_ETAG_MAX]; /* "": there is no head yet */
    struct keyspace *keyspace; /* NULL: only the head was asked for */
    int64_t clock;             /* the newest time of any op */
};

void loaded_release(struct loaded *loaded);

enum loader_result {
    LOADER_OK,
    LOADER_UNREACHABLE, /* try again later */
    LOADER_CORRUPT,     /* what is there cannot be trusted */
};

struct loader_options {
    struct store *store; /* the calling thread's */
    struct slice namespace;
    bool expect; /* something refers to this namespace: no head is an error */
    int workers;
    const _Atomic bool *stop; /* true: give up, unreachable; may be NULL */
    struct keyspace_hooks hooks;
    /* Called on the calling thread about once a second while it takes long; may be NULL. */
    void (*progress)(void *ctx, struct slice namespace, uint64_t keys, uint64_t keys_all);
    int64_t (*now_ms)(void *ctx); /* what a second is, for `progress` */
    void *ctx;
};

/* The head alone. `error` gets a sentence that names the object. No head beside objects is a lost
 * one, if it is still not there after they were seen: a namespace begins with its head. */
enum loader_result loader_head(const struct loader_options *options, struct loaded *ret_loaded,
                               struct text *error);
/*
 * Head and state. Objects that are missing or damaged are an error when the store's head names them
 * after they were missed; when it does not, a fold has made them superfluous meanwhile, and it is
 * begun again with that head; LOADER_UNREACHABLE when that does not end (overtaken.h).
 */
enum loader_result loader_run(const struct loader_options *options, struct loaded *ret_loaded,
                              struct text *error);

#define LOADER_PROGRESS_MS 5000 /* of folds */

/*
 * The objects of one namespace in a store, as folds see them. `unreachable` becomes true when the
 * store, not the object, was the trouble.
 */
struct loader_objects {
    struct store *store;
    char namespace[NAMESPACE_NAME_MAX + 1];
    bool unreachable;
    char object[COMMIT_OBJECT_SIZE]; /* the last that was asked for; "": none was */
    const _Atomic bool *stop;        /* true: give up; may be NULL */
    int64_t (*now_ms)(void *ctx); /* for the names of new objects; NULL: they cannot be written */
    /* Called on the calling thread every LOADER_PROGRESS_MS while it takes long; NULL: never. */
    void (*progress)(void *ctx, const struct loader_objects *objects);
    int64_t told; /* when that was last called, or the work began: the caller's to set */
    uint64_t bytes_read, bytes_written;
    void *ctx;
};

void loader_objects_init(struct loader_objects *objects, struct store *store,
                         struct slice namespace);
/* After a failure: it is only that the store's head does not name the last object any more. False
 * and `unreachable`: the head cannot be read now, so that nobody knows. */
bool loader_superseded(struct loader_objects *objects);
/* Borrows `objects`. */
struct fold_store loader_fold_store(struct loader_objects *objects);
/* The same for run_make: new objects are named as runs. */
struct fold_store loader_run_store(struct loader_objects *objects);

#endif
