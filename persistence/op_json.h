/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An op as a JSON object, as commits hold it:
 *
 *     {"op":"SetAdd","key":"k","members":["a","b"],"at":1795212345678}
 *
 * "op" first, then "key" (not for NamespaceClear), then the fields under their names in op.h.
 * Left out: a condition of none, `expires` 0, and "at" where the time is that of the op before (of
 * the commit, for the first).
 */
#ifndef CAIRN_PERSISTENCE_OP_JSON_H
#define CAIRN_PERSISTENCE_OP_JSON_H

#include <stdint.h>

#include "ops/op.h"
#include "persistence/json_reader.h"
#include "persistence/op_binary.h"
#include "persistence/text.h"

/* At the end of `out`. `time`: that of the op before; becomes this op's. */
void op_json_write(struct text *out, const struct op *op, int64_t *time);

/*
 * Takes one op, which borrows from the reader's input, its scratch and `scratch`. A KeyPut's value
 * is the caller's (op_release). False on error, which is then the reader's; nothing to release.
 */
bool op_json_read(struct json_reader *reader, struct op_scratch *scratch, int64_t *time,
                  struct op *op);

#endif
