/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random ops of every kind over arbitrary bytes, their copies and their equality, and the same for
 * whole keyspaces: what the property tests of apply, of the codecs and the fuzzers draw from.
 */
#ifndef CAIRN_TESTS_OP_RANDOM_H
#define CAIRN_TESTS_OP_RANDOM_H

#include "ops/keyspace.h"
#include "ops/op.h"
#include "tests/support/random.h"

struct op_source {
    struct random *random;
    /*
     * How many keys there are; few, so that ops meet. Key i mostly gets ops for the type i % 4, so
     * that values grow. 0: keys of arbitrary bytes.
     */
    unsigned keys;
    size_t bytes_max; /* longest byte string; most are much shorter */
    int64_t time;     /* of the ops; deadlines lie around it */
};

/* An op that owns its bytes and, until apply() takes it, the value of a KeyPut. */
struct op_box {
    struct op op;
    struct op_chunk *chunks;
};

/* Any kind; NamespaceClear and ops that remove whole keys come seldom. */
struct op_box *op_random(const struct op_source *source);
struct op_box *op_random_kind(const struct op_source *source, enum op_kind kind);
struct op_box *op_box_copy(const struct op *op);
void op_box_destroy(struct op_box *box);

/* Same kind, key, time and fields; the hash is of no account. */
bool op_equal(const struct op *a, const struct op *b);

/* A value of some items (collections have one at least) under `key`, sometimes with a deadline. */
struct entry *op_random_value(const struct op_source *source, struct slice key);

/* Whole keyspaces, keys with passed deadlines included. */
struct keyspace *state_copy(struct keyspace *ks);
/* Same keys, values, deadlines. */
bool state_equal(struct keyspace *a, struct keyspace *b);

#endif
