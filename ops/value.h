/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values as seen from outside ops: an entry is a key with its value in one allocation, and this
 * header reads, walks, picks, copies and builds them. Changing one goes through apply() only.
 */
#ifndef CAIRN_OPS_VALUE_H
#define CAIRN_OPS_VALUE_H

#include <stdint.h>

#include "ops/slice.h"

struct entry;

#define VALUE_TYPE_LIST(X)                                                                         \
    X(STRING, "string")                                                                            \
    X(LIST, "list")                                                                                \
    X(SET, "set")                                                                                  \
    X(HASH, "hash")

enum value_type {
#define X(name, text) VALUE_##name,
    VALUE_TYPE_LIST(X)
#undef X
        VALUE_TYPE_COUNT
};

/* Slices that come out are borrowed: good until the entry changes, unless it is said otherwise. */
struct slice entry_key(const struct entry *entry);
int64_t entry_expires(const struct entry *entry); /* ms; 0 none */
enum value_type entry_type(const struct entry *entry);
const char *value_type_name(enum value_type type);
/* Redis's name at Redis's thresholds: int embstr raw listpack hashtable intset quicklist. */
const char *entry_encoding(const struct entry *entry);
/* Bytes of everything the entry holds; looks at no more than `samples` items (0: all). */
size_t entry_memory(const struct entry *entry, size_t samples);
/* Fields, members, items; bytes of a string. */
size_t value_len(const struct entry *entry);

/* String: the bytes; an integer is formatted into scratch. */
struct slice string_bytes(const struct entry *entry, char scratch[24]);
bool string_integer(const struct entry *entry, int64_t *number);

/* Walks a value's items. `b` is the value of a hash field; empty for lists and sets. */
struct value_iter {
    const struct entry *entry;
    union {
        struct {
            const void *node;
            const char *at;
            uint64_t bucket;
            unsigned slot;
        };
        struct {
            size_t index;
        } ints;
    } pos;
    size_t left;      /* items still to come */
    bool backwards;   /* lists only */
    char scratch[24]; /* integers of an intset are formatted here: good until the next call */
};

/* Whole value. Lists: from index `start` (0 based, already clipped), `count` items, either way. */
void value_iter_init(struct value_iter *it, const struct entry *entry);
void list_iter_init(struct value_iter *it, const struct entry *entry, size_t start, size_t count,
                    bool backwards);
bool value_iter_next(struct value_iter *it, struct slice *a, struct slice *b);

bool set_contains(const struct entry *entry, struct slice member);
bool hash_get(const struct entry *entry, struct slice field, struct slice *value);
/* Item at `index` (0 based from the head). Borrowed. */
bool list_get(const struct entry *entry, size_t index, struct slice *item);

/* HSCAN and SSCAN: as keyspace_scan; a small value is visited whole and returns 0. */
uint64_t value_scan(const struct entry *entry, uint64_t cursor,
                    void (*visit)(void *ctx, struct slice a, struct slice b), void *ctx);

/* One item of a set or hash picked with `random`, fairly enough for SRANDMEMBER and HRANDFIELD. */
void value_random(const struct entry *entry, uint64_t (*random)(void *ctx), void *ctx,
                  char scratch[24], struct slice *a, struct slice *b);

/* A deep copy under another key, without deadline unless given. */
struct entry *entry_copy(const struct entry *entry, struct slice key, int64_t expires);
void entry_destroy(struct entry *entry);
/* Same type, same contents; order matters for lists only; encodings, keys, deadlines do not. */
bool value_equal(const struct entry *a, const struct entry *b);

/*
 * Builders for decoders and for *STORE commands: entry_build makes an empty value (a string of
 * no bytes), the add functions fill it and may move it. A collection without items must not reach
 * a keyspace. Adding a member or field twice keeps one and returns false.
 */
struct entry *entry_build_string(struct slice key, int64_t expires, struct slice bytes);
struct entry *entry_build_integer(struct slice key, int64_t expires, int64_t number);
struct entry *entry_build(struct slice key, int64_t expires, enum value_type type);
/* The same, likely to take `room` bytes of items without moving, if they are few. */
struct entry *entry_build_room(struct slice key, int64_t expires, enum value_type type,
                               size_t room);
void entry_build_item(struct entry **entry, struct slice item); /* list: at the tail */
bool entry_build_member(struct entry **entry, struct slice member);
bool entry_build_field(struct entry **entry, struct slice field, struct slice value);

#endif
