/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole state of a namespace as one JSON document, one key a line:
 *
 *     {"namespace":"git","position":1182,"state":{
 *     "etags":{"hash":{"a.tar":"9f3c"}},
 *     "hits":42
 *     }}
 */
#ifndef CAIRN_PERSISTENCE_DOCUMENT_H
#define CAIRN_PERSISTENCE_DOCUMENT_H

#include <stdbool.h>

#include "persistence/fold.h"

/* Hands the document piece by piece to `put`, which returns false to stop (and says why). */
typedef bool document_put(void *ctx, struct slice piece, struct text *error);
bool document_export(const struct head *head, const struct fold_store *store, document_put *put,
                     void *ctx, struct text *error);

/*
 * Takes such a document, in any layout and with the keys in any order, and makes a base of it. The
 * document's own namespace and position are of no account. False with a sentence that names the
 * byte: not JSON, a key twice, an empty collection, an unknown member.
 */
bool document_import(struct slice document, const struct fold_store *store,
                     const struct fold_options *options, struct head_base *ret_base,
                     struct text *error);

#endif
