/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How apply() changes values and keyspaces; for ops/ alone. Functions that take `struct entry **`
 * may move the entry and then store its new address through it. Nothing here looks at deadlines
 * or conditions, and nothing fails: apply() has checked before.
 */
#ifndef CAIRN_OPS_VALUE_INTERNAL_H
#define CAIRN_OPS_VALUE_INTERNAL_H

#include "ops/keyspace.h"
#include "ops/op.h"
#include "ops/value.h"

/* Keyspace. A slot is where the table keeps an entry's address: good until the next insertion. */
struct entry **keyspace_slot(struct keyspace *ks, struct slice key, uint64_t hash, int64_t time);
/* After a change through a slot: tells the table of deadlines that `before` now lives at *slot. */
void keyspace_moved(struct keyspace *ks, uint64_t hash, struct entry *before, struct entry **slot);
void keyspace_set_expires(struct keyspace *ks, uint64_t hash, struct entry **slot, int64_t expires);
/* Adds a new key; returns its slot. Takes the entry. */
struct entry **keyspace_add(struct keyspace *ks, uint64_t hash, struct entry *entry);
/* Takes the entry out; it is the caller's now (deadline still in it). */
struct entry *keyspace_remove(struct keyspace *ks, uint64_t hash, struct entry **slot);
/* Puts `entry`, which has the same key, in the place of the slot's; returns the former one. */
struct entry *keyspace_replace(struct keyspace *ks, uint64_t hash, struct entry **slot,
                               struct entry *entry);
/* Frees now when small, else hands it to the garbage chain. */
void keyspace_discard(struct keyspace *ks, struct entry *entry);
/* Exchanges the contents (O(1)): NamespaceClear and its inverse. */
void keyspace_swap(struct keyspace *a, struct keyspace *b);

/* The same value under another key (moved, not copied, when it is big). Consumes `entry`. */
struct entry *entry_rekey(struct entry *entry, struct slice key, int64_t expires);

/* String. set_* turns the entry's value, whatever its type was, into this string. */
void string_set(struct entry **e, struct slice bytes);
void string_set_integer(struct entry **e, int64_t number);
/* Its own bytes, given to string_set, make it again, inner form and all. */
bool string_is_plain(const struct entry *entry);
void string_append(struct entry **e, struct slice bytes);
/* Overwrites at offset, zero-filling a gap. */
void string_set_range(struct entry **e, size_t offset, struct slice bytes);
void string_truncate(struct entry **e, size_t len);

bool hash_set(struct entry **e, struct slice field, struct slice value); /* true: a new field */
bool hash_delete(struct entry **e, struct slice field);
bool set_add(struct entry **e, struct slice member);
bool set_remove(struct entry **e, struct slice member);

void list_push(struct entry **e, enum op_side side, struct slice item);
void list_replace(struct entry **e, size_t index, struct slice item);
void list_insert(struct entry **e, size_t index,
                 struct slice item); /* before that index; len: at the end */
void list_remove_at(struct entry **e, size_t index);
/* Takes `count` items off one side as a list of its own, in their order; count <= length. */
struct entry *list_cut(struct entry **e, enum op_side side, size_t count);
/* Puts the items of `part` back on that side, in their order. Consumes `part`. */
void list_join(struct entry **e, enum op_side side, struct entry *part);
/* First index at or after `from` (backwards: at or before) whose item equals; false: none. */
bool list_find(const struct entry *entry, size_t from, bool backwards, struct slice item,
               size_t *index);

#endif
