/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: bytes taken for a row of ops, as a journal record holds them. What decodes can
 * be applied and encoded, in both forms, and comes back from both as it was.
 */
#include <stdlib.h>

#include "ops/apply.h"
#include "persistence/commit.h"
#include "persistence/op_binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Of the same op, but a collection inside a KeyPut may come in another order. */
static void encode_again(const struct op *op, struct slice bytes)
{
    struct text out = {0};
    op_binary_encode(&out, op);
    must(out.len == bytes.len);
    if (op->kind != OP_KEY_PUT)
        must(slice_equal(text_slice(&out), bytes));
    text_release(&out);
}

/* Through the JSON of a commit and back to the pending form. */
static void through_json(struct slice pending, uint64_t count)
{
    struct text ops = {0}, again = {0}, twice = {0};
    struct commit_reader reader;
    struct op op;
    uint64_t written;
    must(commit_ops_encode(pending, 0, &ops, &written) && written == count);
    commit_reader_init(&reader, text_slice(&ops), 0);
    while (commit_reader_next(&reader, &op)) {
        op_binary_encode(&again, &op);
        op_release(&op);
    }
    must(!commit_reader_error(&reader) && reader.count == count && again.len == pending.len);
    commit_reader_release(&reader);
    must(commit_ops_encode(text_slice(&again), 0, &twice, &written));
    must(slice_equal(text_slice(&ops), text_slice(&twice)));
    text_release(&ops);
    text_release(&again);
    text_release(&twice);
}

/* A long string takes memory, not insight. */
static bool affordable(const struct op *op)
{
    return op->kind != OP_STRING_SET_RANGE || op->string_set_range.offset < 4096;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char seed[16] = {1};
    struct op_scratch scratch = {0};
    struct outcome outcome;
    struct op op;
    size_t at = 0, len;
    uint64_t count = 0;
    /* A copy of exactly this size, so that a read behind it is caught. */
    char *copy = malloc(size ? size : 1);
    must(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    key_hash_seed(seed);
    struct keyspace *ks = keyspace_create(NULL);
    while ((len = op_binary_decode(slice_make(copy + at, size - at), &scratch, &op))) {
        enum op_kind kind;
        struct slice key, bytes = slice_make(copy + at, len);
        must(op_binary_skip(slice_make(copy + at, size - at), &kind, &key) == len);
        must(kind == op.kind && slice_equal(key, op.key));
        encode_again(&op, bytes);
        if (affordable(&op))
            apply(ks, &op, &outcome, NULL);
        op_release(&op);
        at += len;
        count++;
    }
    op_binary_skip(slice_make(copy + at, size - at), NULL, NULL);
    through_json(slice_make(copy, at), count);
    keyspace_destroy(ks);
    op_scratch_release(&scratch);
    free(copy);
    return 0;
}
