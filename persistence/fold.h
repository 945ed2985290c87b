/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Folding the tail into the base: a streaming merge. Keys that no op touches are copied as text,
 * chunks that no op touches are neither read nor written and keep their names. Memory: the ops
 * (op_bins.h); one chunk read, three chunk sizes to be written. Runs without any lock, on a head of
 * the caller's own.
 */
#ifndef CAIRN_PERSISTENCE_FOLD_H
#define CAIRN_PERSISTENCE_FOLD_H

#include <stdbool.h>

#include "persistence/head.h"

/* The store as folds see it. Each function returns false with a sentence appended to `error`. */
struct fold_store {
    void *ctx;
    /* Makes `body` the bytes of an object of this namespace. They are checked by the caller. */
    bool (*read)(void *ctx, const char *object, struct text *body, struct text *error);
    /* Puts a new chunk (run_make: a new run) and says its name. Not needed by fold_visit_state
     * and fold_load. */
    bool (*write)(void *ctx, struct slice body, char object[COMMIT_OBJECT_SIZE],
                  struct text *error);
};

struct fold_options {
    size_t chunk_size;   /* aim; no chunk but that of one huge key passes twice this */
    size_t inline_limit; /* a state whose text is no longer is kept in the head */
};

/*
 * The base that `head` has at `position`, a boundary (head_boundary). What it wrote before an
 * error is orphaned, as after a lost race. On success `ret_base` is the caller's to release or to
 * give to head_rebase.
 */
bool fold_run(const struct head *head, uint64_t position, const struct fold_store *store,
              const struct fold_options *options, struct head_base *ret_base, struct text *error);

/* The same state key by key, sorted, as members (chunk.h): nothing is written. */
typedef bool fold_visit(void *ctx, struct slice key, struct slice member, struct text *error);
bool fold_visit_state(const struct head *head, const struct fold_store *store, fold_visit *visit,
                      void *ctx, struct text *error);

/*
 * Makes a base of members that come sorted, each key once, none with a line feed: for --import, and
 * wherever a state is written anew. Begin; add; finish, which releases either way. Position, hash
 * and time of the base stay those of an empty namespace.
 */
struct fold_output;
struct fold_output *fold_output_create(const struct fold_store *store,
                                       const struct fold_options *options);
bool fold_output_add(struct fold_output *output, struct slice key, struct slice member,
                     struct text *error);
bool fold_output_finish(struct fold_output *output, struct head_base *ret_base, struct text *error);
void fold_output_destroy(struct fold_output *output); /* gives up; NULL-safe */

/*
 * The state at the head's position into an empty keyspace, on the calling thread: chunk_load for
 * each chunk, then commit_replay for each commit of the tail. `ret_clock`: the newest op's time.
 */
bool fold_load(const struct head *head, const struct fold_store *store, struct keyspace *ks,
               int64_t *ret_clock, struct text *error);
/* The second half of it alone, for those who load chunks in parallel. */
bool fold_load_tail(const struct head *head, const struct fold_store *store, struct keyspace *ks,
                    int64_t *ret_clock, struct text *error);

#endif
