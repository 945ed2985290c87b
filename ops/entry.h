/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout of an entry, for the value types and the keyspace alone.
 *
 * One allocation: header, key, deadline if any, payload. The payload is the value itself (integer,
 * bytes, packed items) or the address of a heap object once a collection is big. A string of 16
 * bytes under a key of 20 takes 48 bytes, and one cache miss to read.
 */
#ifndef CAIRN_OPS_ENTRY_H
#define CAIRN_OPS_ENTRY_H

#include "ops/mem.h"
#include "ops/value-internal.h"

enum entry_form {
    FORM_INTEGER, /* string: int64 */
    FORM_BYTES,   /* string */
    FORM_PACKED,  /* hash (field, value, …), set: plain items; list: two-way items */
    FORM_INTSET,  /* set: sorted integers of `small` bytes each */
    FORM_TABLE,   /* hash, set: address of a struct pack_table */
    FORM_CHAIN,   /* list: address of a struct chain */
};

enum {
    ENTRY_EXPIRES = 1,  /* a deadline lies between key and payload */
    ENTRY_RAW = 2,      /* string: was appended to or written into */
    ENTRY_OUTGROWN = 4, /* hash, set: passed Redis's thresholds once, reported as hashtable */
};

/* Begins with key_len: what a table asks of its items. */
struct entry {
    uint32_t key_len;
    uint32_t value_len; /* bytes of the payload */
    uint8_t type;
    uint8_t form;
    uint8_t flags;
    uint8_t small; /* FORM_PACKED: items (hash: fields); FORM_INTSET: width */
    char bytes[];
};

enum { PACKED_COUNT_MAX = 255, PACKED_BYTES_MAX = 8192 };

static inline char *entry_payload(const struct entry *entry)
{
    size_t deadline = entry->flags & ENTRY_EXPIRES ? sizeof(int64_t) : 0;
    return (char *)entry->bytes + entry->key_len + deadline;
}

/* FORM_TABLE, FORM_CHAIN. */
static inline void *entry_object(const struct entry *entry)
{
    void *object;
    memcpy(&object, entry_payload(entry), sizeof(object));
    return object;
}

/* The payload is not initialised. */
struct entry *entry_create(struct slice key, int64_t expires, enum value_type type,
                           enum entry_form form, size_t value_len);
/* Frees the heap object, if any; the payload is void then. */
void entry_release_object(struct entry *entry);
/* Makes the payload `value_len` bytes, keeping its beginning; may move the entry. */
char *entry_resize(struct entry **e, size_t value_len);
/* Replaces the `old` bytes at `at` of the payload by `new` bytes for the caller to fill. */
char *entry_splice(struct entry **e, size_t at, size_t old, size_t new);
/* Releases what is there and makes the payload the address of `object`. */
void entry_set_object(struct entry **e, enum entry_form form, void *object);
/* Writes, adds or (0) removes the deadline; the keyspace's table of deadlines is its caller's. */
void entry_set_expires(struct entry **e, int64_t expires);

#endif
