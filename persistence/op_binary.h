/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The compact form of an op, for the pending log and the journal; docs/format.md tells each byte.
 * Encoding runs under a namespace's lock for every write, so it knows nothing of JSON, checks
 * nothing, and reserves once. Decoding takes bytes that may be damaged or hostile.
 */
#ifndef CAIRN_PERSISTENCE_OP_BINARY_H
#define CAIRN_PERSISTENCE_OP_BINARY_H

#include <stdint.h>

#include "ops/op.h"
#include "persistence/text.h"

/* Where decoders put the list of an op; all zero is empty. Each op decoded overwrites the last. */
struct op_scratch {
    struct slice *items;
    size_t cap;
    enum op_kind kind; /* of the last op that op_json_read took: the next is often one too */
};

void op_scratch_release(struct op_scratch *scratch);
/* Makes room for item number `index`; called by op_scratch_item only. */
void op_scratch_grow(struct op_scratch *scratch, size_t index);

/* Room for item number `index`, which the caller then sets; may move `items`. */
static inline struct slice *op_scratch_item(struct op_scratch *scratch, size_t index)
{
    if (index >= scratch->cap)
        op_scratch_grow(scratch, index);
    return &scratch->items[index];
}

/* Appends `op`. Ops stand one behind the other without separators: each tells its own end. */
void op_binary_encode(struct text *out, const struct op *op);
/* The same where op_binary_most(op) bytes are free; returns what is behind it. */
char *op_binary_put(char *at, const struct op *op);
size_t op_binary_most(const struct op *op);

/*
 * Takes the op at the start of `bytes`: returns how many bytes it has, 0 when they are no op (cut
 * short, unknown kind, a list that apply could not take …). `op` borrows from `bytes` and
 * `scratch`; its hash is 0. A KeyPut's value is the caller's: op_release it, unless apply took it.
 */
size_t op_binary_decode(struct slice bytes, struct op_scratch *scratch, struct op *op);

/* The same without building anything; kind and key may be NULL. */
size_t op_binary_skip(struct slice bytes, enum op_kind *kind, struct slice *key);

/* The key of an encoded op, within its bytes. */
struct slice op_binary_key(struct slice op);

/* Destroys the value of a decoded KeyPut that apply did not take; nothing for other ops. */
void op_release(struct op *op);

/* The byte that stands for a kind, for ever: never reused, whatever happens to OP_LIST. */
uint8_t op_binary_number(enum op_kind kind);

#endif
