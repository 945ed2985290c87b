/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs: the older commits of a long tail, moved out of the head into immutable objects, their
 * entries as they stood. So the head stays small however long the tail is, and the base, which
 * grows with the namespace, need be rewritten only when the tail has grown with it. Short runs are
 * made one with the newest commits from time to time: their number grows with the logarithm of the
 * tail. Plain data and a store as folds see it; no thread.
 */
#ifndef CAIRN_PERSISTENCE_RUN_H
#define CAIRN_PERSISTENCE_RUN_H

#include <stdbool.h>

#include "persistence/fold.h"
#include "persistence/head.h"

/*
 * Makes one run of the commits inside `head` and of as many of its newest runs as are short
 * (`unit`: what a shortest one is to have). `ret_run` is the caller's, for head_place_run.
 */
bool run_make(const struct head *head, size_t unit, const struct fold_store *store,
              struct head_run *ret_run, struct text *error);

/*
 * Calls `visit` for each commit behind the base, up to `position`, in order. `reader` has its ops,
 * from its segment when it has one; the visitor takes all of them, and looks at the reader's error.
 * False: an object is missing or not what the head says (a sentence appended), or `visit` returned
 * false.
 */
typedef bool run_visit(void *ctx, const struct commit *commit, struct commit_reader *reader,
                       struct text *error);
bool run_walk(const struct head *head, uint64_t position, const struct fold_store *store,
              run_visit *visit, void *ctx, struct text *error);

/* The run whose commits end where those in memory begin; NULL: they reach back to the base. */
const struct head_run *run_next(const struct head *head);
/* Puts the commits of that run, whose object's bytes these are, before those in memory. */
bool run_open(struct head *head, struct slice body, struct text *error);
/* Forgets again what lies in runs. */
void run_close(struct head *head);

#endif
