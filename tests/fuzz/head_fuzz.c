/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: the input is put before a right sum, as somebody who means harm could, and
 * taken for a head. What is accepted loads, folds, exports and encodes within bounds, and comes
 * back as it was. The same bytes also stand for every chunk and segment the head names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "persistence/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool read_input(void *ctx, const char *object, struct text *body, struct text *error)
{
    (void)object, (void)error;
    text_clear(body);
    text_append_slice(body, *(const struct slice *)ctx);
    return true;
}

static bool write_nothing(void *ctx, struct slice body, char object[COMMIT_OBJECT_SIZE],
                          struct text *error)
{
    (void)ctx, (void)body, (void)error;
    snprintf(object, COMMIT_OBJECT_SIZE, "chunk.jsonl");
    return true;
}

static bool put_nothing(void *ctx, struct slice piece, struct text *error)
{
    (void)ctx, (void)piece, (void)error;
    return true;
}

static void comes_back(const struct head *head)
{
    struct text out = {0}, again = {0}, error = {0};
    struct head read;
    head_encode(head, &out);
    must(head_decode(text_slice(&out), slice_of(head->namespace), &read, &error));
    head_encode(&read, &again);
    must(slice_equal(text_slice(&out), text_slice(&again)));
    head_release(&read);
    text_release(&out);
    text_release(&again);
}

static void insert(void *ctx, struct entry *entry)
{
    keyspace_insert(ctx, entry);
}

/* The texts inside heads and segments, which their hashes guard from most mutations. */
static void parts(struct slice input)
{
    struct commit commit = {.replica = "a/1", .time = 5, .first = 1, .count = 2, .segment = "s"};
    struct chunk_ref ref = {.object = "c", .bytes = input.len, .count = 1};
    struct keyspace *ks[3] = {keyspace_create(NULL), keyspace_create(NULL), keyspace_create(NULL)};
    struct text error = {0};
    struct commit_reader reader;
    struct slice ops;
    int64_t clock = 0;
    commit.bytes = input.len;
    sha256_digest_hex(input, commit.sha256);
    sha256_digest_hex(input, ref.sha256);
    commit_replay(ks[0], input, 5, &clock, &error);
    chunk_load_state(input, insert, ks[1], &error);
    chunk_load(&ref, input, insert, ks[2], &error);
    if (segment_find(input, slice_of("git"), &commit, &ops, &error))
        commit_replay(ks[0], ops, 5, &clock, &error);
    if (commit_reader_init_segment(&reader, input, slice_of("git"), &commit, &error)) {
        commit_replay_reader(ks[0], &reader, &clock, &error);
        commit_reader_release(&reader);
    }
    for (unsigned i = 0; i < 3; i++)
        keyspace_destroy(ks[i]);
    text_release(&error);
}

/* SETRANGE far out is a valid op that costs half a gigabyte: of no interest here. */
static bool affordable(struct slice input)
{
    return !memmem(input.data, input.len, "StringSetRange", 14);
}

static void use(struct head *head, struct slice input)
{
    struct fold_store store = {&input, read_input, write_nothing};
    struct fold_options options = {.chunk_size = 64, .inline_limit = 128};
    struct keyspace *ks = keyspace_create(NULL);
    struct text error = {0};
    struct head_base base;
    int64_t clock;
    comes_back(head);
    fold_load(head, &store, ks, &clock, &error);
    document_export(head, &store, put_nothing, NULL, &error);
    if (fold_run(head, head->position, &store, &options, &base, &error)) {
        must(head_rebase(head, &base));
        must(head->tail_count == 0);
        comes_back(head);
    }
    keyspace_destroy(ks);
    text_release(&error);
}

static void import(struct slice input)
{
    struct fold_store store = {&input, read_input, write_nothing};
    struct fold_options options = {.chunk_size = 64, .inline_limit = 128};
    struct text error = {0};
    struct head_base base;
    if (document_import(input, &store, &options, &base, &error))
        head_base_release(&base);
    else
        must(error.len > 0);
    text_release(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char seed[16] = {1};
    struct slice input = slice_make(data, size), begin = input;
    struct text body = {0}, error = {0};
    struct head head;
    char sum[SHA256_HEX_SIZE];
    /* The corpus holds whole heads: what a mutation left of their sum is cut off. */
    const char *old = memmem(input.data, input.len, "\"sum\":", 6);
    if (old)
        begin.len = (size_t)(old - input.data);
    text_append_slice(&body, begin);
    sha256_digest_hex(text_slice(&body), sum);
    text_append_format(&body, "\"sum\":\"%s\"}\n", sum);
    key_hash_seed(seed);
    char *copy = malloc(body.len);
    must(copy != NULL);
    memcpy(copy, body.data, body.len);
    if (!head_decode(slice_make(copy, body.len), slice_of("git"), &head, &error)) {
        must(error.len > 0);
    } else {
        if (affordable(input))
            use(&head, input);
        head_release(&head);
    }
    if (affordable(input))
        parts(input);
    import(input);
    free(copy);
    text_release(&body);
    text_release(&error);
    return 0;
}
