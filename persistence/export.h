/* SPDX-License-Identifier: BSD-3-Clause */
/* A namespace as one JSON document (document.h), for who has no server. Blocks on the store. */
#ifndef CAIRN_PERSISTENCE_EXPORT_H
#define CAIRN_PERSISTENCE_EXPORT_H

#include "persistence/persistence.h"
#include "persistence/recovery.h"
#include "persistence/store.h"
#include "persistence/text.h"

/*
 * Writes the document to `fd`; `item` is what a journal has of the namespace, or NULL. Begins again
 * when a fold of another server has removed an object meanwhile, as long as nothing has left that
 * cannot be taken back: a file is cut to what it was, of a pipe the first EXPORT_HELD bytes wait.
 * A file is also cut where the export fails.
 */
enum persistence_status export_namespace(struct store *store, struct recovered *item,
                                         struct slice name, int fd, struct text *error);

#define EXPORT_HELD ((size_t)8 << 20)

#endif
