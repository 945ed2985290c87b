/* SPDX-License-Identifier: BSD-3-Clause */
/* The newest commits of a namespace, as its head and runs have them. Blocks on the store. */
#ifndef CAIRN_PERSISTENCE_HISTORY_H
#define CAIRN_PERSISTENCE_HISTORY_H

#include "persistence/loader.h"

/*
 * The head, with the commits of its runs before those in memory until they are `commits`, or all
 * that the tail has. Begins again when a fold of another server has removed a run meanwhile; when
 * that does not end, it is UNREACHABLE. `error` gets a sentence.
 */
enum loader_result history_read(const struct loader_options *options, uint64_t commits,
                                struct loaded *ret_loaded, struct text *error);

#endif
