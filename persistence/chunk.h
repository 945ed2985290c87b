/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two forms of a piece of state, both sorted by the bytes of the keys, a key at most once:
 * an object with one key a line (inline state, `{"key":value,…}`), and chunks, an immutable object
 * of the store with one JSON object a line (`{"key":value}`). `"key":value` is called a member.
 */
#ifndef CAIRN_PERSISTENCE_CHUNK_H
#define CAIRN_PERSISTENCE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/value.h"
#include "persistence/commit.h"
#include "persistence/json_reader.h"
#include "persistence/text.h"

/* What a base says of a chunk. */
struct chunk_ref {
    char object[COMMIT_OBJECT_SIZE];
    struct text first; /* first key; owned */
    uint64_t count;    /* keys */
    uint64_t bytes;
    char sha256[SHA256_HEX_SIZE];
};

void chunk_ref_release(struct chunk_ref *ref);
void chunk_ref_copy(const struct chunk_ref *from, struct chunk_ref *to);

/* Appends `"key":value`, the deadline being the entry's own. */
void chunk_member_encode(struct text *out, struct slice key, const struct entry *entry);
/* The same for a string without deadline. */
void chunk_member_encode_string(struct text *out, struct slice key, struct slice string);

/* Size and sha256 as `ref` says? Else false, with a sentence appended to `error`. */
bool chunk_check(const struct chunk_ref *ref, struct slice body, struct text *error);

/* Walks the members of a chunk or of an inline state without decoding values. */
struct chunk_reader {
    struct slice input;
    const char *at;
    bool state; /* an inline state, not a chunk */
    struct json_reader json;
    struct text unescaped[2]; /* keys: this one's and the last one's */
    struct slice key;         /* the last one given */
    uint64_t count;
    bool failed;
    struct text error;
};

void chunk_reader_init(struct chunk_reader *reader, struct slice body);
void chunk_reader_init_state(struct chunk_reader *reader, struct slice state);
/* key: borrowed until the next call; member: borrowed from the input. False at the end and on
 * error (chunk_reader_failed): bad JSON, keys not in rising order. */
bool chunk_reader_next(struct chunk_reader *reader, struct slice *ret_key,
                       struct slice *ret_member);
/* The entry of the member just given; NULL with a sentence appended to `error`, and then the reader
 * is at its end. */
struct entry *chunk_reader_decode(struct chunk_reader *reader, struct slice member,
                                  struct text *error);
bool chunk_reader_failed(const struct chunk_reader *reader, struct text *error);
void chunk_reader_release(struct chunk_reader *reader);

/* Makes the entry of a member; NULL with a sentence appended to `error`. */
struct entry *chunk_member_decode(struct slice member, struct text *error);

/*
 * Decodes every member and hands the entries to `visit`, which takes them, in order of their keys.
 * chunk_load checks the body against `ref` first. No state but the arguments: chunks of a base may
 * load on as many threads as there are. On error false, a sentence appended; some entries may have
 * been handed out.
 */
typedef void chunk_visit(void *ctx, struct entry *entry);
bool chunk_load(const struct chunk_ref *ref, struct slice body, chunk_visit *visit, void *ctx,
                struct text *error);
bool chunk_load_state(struct slice state, chunk_visit *visit, void *ctx, struct text *error);

#endif
