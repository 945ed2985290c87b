/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values as JSON: what stands behind a key in the state, in a chunk's line and in KeyPut.
 *
 *     42   "text"   {"string":"text","expires":ms}
 *     {"hash":{"field":value,…}}   {"set":[member,…]}   {"list":[item,…]}   each with "expires"
 *
 * The same value gives the same bytes everywhere: fields and members stand in order of their bytes.
 */
#ifndef CAIRN_PERSISTENCE_VALUE_JSON_H
#define CAIRN_PERSISTENCE_VALUE_JSON_H

#include <stdint.h>

#include "ops/value.h"
#include "persistence/json_reader.h"
#include "persistence/json_writer.h"

/* Writes the value of `entry`, with the deadline `expires` (0: none), not the entry's own. */
void value_json_write(struct json_writer *writer, const struct entry *entry, int64_t expires);

/*
 * Takes one value and makes it an entry under `key`, the caller's to destroy. NULL on error, which
 * is then the reader's: wrong type, no items, something twice, an unknown member, a bad deadline.
 */
struct entry *value_json_read(struct json_reader *reader, struct slice key);

#endif
