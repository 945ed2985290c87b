/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is done to values of any type: naming, measuring, walking, picking, copying, comparing,
 * building. The forms are those of entry.h; their insides belong to string, hash, set and list.
 */
#include "ops/value.h"

#include <assert.h>

#include "ops/entry.h"
#include "ops/list.h"
#include "ops/list_chain.h"
#include "ops/pack.h"
#include "ops/pack_table.h"
#include "ops/set.h"
#include "ops/value_integer.h"

struct value_limits value_limits = {
    .hash_max_listpack_entries = 128,
    .hash_max_listpack_value = 64,
    .set_max_intset_entries = 512,
    .list_max_listpack_size = -2,
    .list_compress_depth = 0,
    .string_max = INT64_C(512) << 20,
};

enum {
    EMBSTR_MAX = 44, /* Redis: longer strings are raw */
    ROOM_MAX = 64,   /* what entry_resize does not take for waste */
};

static enum entry_form form_of(const struct entry *entry)
{
    return entry->form;
}

const char *value_type_name(enum value_type type)
{
    switch (type) {
#define X(name, text)                                                                              \
    case VALUE_##name: return text;
        VALUE_TYPE_LIST(X)
#undef X
    case VALUE_TYPE_COUNT: break;
    }
    assert(!"value type");
    return "";
}

static const char *string_encoding(const struct entry *entry)
{
    if (entry->form == FORM_INTEGER)
        return "int";
    return entry->flags & ENTRY_RAW || entry->value_len > EMBSTR_MAX ? "raw" : "embstr";
}

const char *entry_encoding(const struct entry *entry)
{
    bool outgrown = entry->flags & ENTRY_OUTGROWN;
    switch (entry_type(entry)) {
    case VALUE_STRING: return string_encoding(entry);
    case VALUE_LIST: return "quicklist";
    case VALUE_SET: return outgrown ? "hashtable" : "intset";
    case VALUE_HASH: return outgrown ? "hashtable" : "listpack";
    case VALUE_TYPE_COUNT: break;
    }
    assert(!"value type");
    return "";
}

static size_t string_len(const struct entry *entry)
{
    char scratch[24];
    return string_bytes(entry, scratch).len;
}

size_t value_len(const struct entry *entry)
{
    switch (form_of(entry)) {
    case FORM_INTEGER: return string_len(entry);
    case FORM_BYTES: return entry->value_len;
    case FORM_PACKED: return entry->small;
    case FORM_INTSET: return intset_count(entry);
    case FORM_TABLE: return ((struct pack_table *)entry_object(entry))->count;
    case FORM_CHAIN: return list_len(entry);
    }
    assert(!"form");
    return 0;
}

size_t entry_memory(const struct entry *entry, size_t samples)
{
    size_t bytes = mem_usable(entry);
    switch (form_of(entry)) {
    case FORM_INTEGER:
    case FORM_BYTES:
    case FORM_PACKED:
    case FORM_INTSET: return bytes;
    case FORM_TABLE: return bytes + pack_table_memory(entry_object(entry), samples);
    case FORM_CHAIN: return bytes + chain_memory(entry_object(entry), samples);
    }
    assert(!"form");
    return 0;
}

void value_iter_init(struct value_iter *it, const struct entry *entry)
{
    if (entry->type == VALUE_LIST) {
        list_iter_init(it, entry, 0, value_len(entry), false);
        return;
    }
    *it = (struct value_iter){.entry = entry, .left = value_len(entry)};
    if (entry->form == FORM_PACKED)
        it->pos.at = entry_payload(entry);
}

static bool table_iter_next(struct value_iter *it, struct slice *a, struct slice *b)
{
    struct pack_table_iter pos = {it->pos.at, it->pos.node, it->pos.bucket};
    bool found = pack_table_next(entry_object(it->entry), &pos, a, b);
    it->pos.at = pos.at;
    it->pos.node = pos.end;
    it->pos.bucket = pos.index;
    return found;
}

bool value_iter_next(struct value_iter *it, struct slice *a, struct slice *b)
{
    *b = slice_make(NULL, 0);
    if (it->entry->type == VALUE_LIST)
        return list_iter_next(it, a);
    if (it->left == 0)
        return false;
    it->left--;
    switch (form_of(it->entry)) {
    case FORM_PACKED:
        it->pos.at = pack_get(it->pos.at, a);
        if (it->entry->type == VALUE_HASH)
            it->pos.at = pack_get(it->pos.at, b);
        return true;
    case FORM_INTSET:
        *a = integer_format(intset_get(it->entry, it->pos.ints.index++), it->scratch);
        return true;
    case FORM_TABLE: return table_iter_next(it, a, b);
    case FORM_INTEGER:
    case FORM_BYTES:
    case FORM_CHAIN: break;
    }
    assert(!"a string has no items");
    return false;
}

uint64_t value_scan(const struct entry *entry, uint64_t cursor,
                    void (*visit)(void *ctx, struct slice a, struct slice b), void *ctx)
{
    if (entry->form == FORM_TABLE)
        return pack_table_scan(entry_object(entry), cursor, visit, ctx);
    struct value_iter it;
    struct slice a, b;
    value_iter_init(&it, entry);
    while (value_iter_next(&it, &a, &b))
        visit(ctx, a, b);
    return 0;
}

void value_random(const struct entry *entry, uint64_t (*random)(void *ctx), void *ctx,
                  char scratch[24], struct slice *a, struct slice *b)
{
    *b = slice_make(NULL, 0);
    if (entry->form == FORM_TABLE) {
        pack_table_random(entry_object(entry), random, ctx, a, b);
        return;
    }
    size_t index = random(ctx) % value_len(entry);
    if (entry->form == FORM_INTSET) {
        *a = integer_format(intset_get(entry, index), scratch);
        return;
    }
    struct value_iter it;
    value_iter_init(&it, entry);
    do
        value_iter_next(&it, a, b);
    while (index--);
}

struct entry *entry_copy(const struct entry *entry, struct slice key, int64_t expires)
{
    struct entry *copy = entry_create(key, expires, entry->type, entry->form, entry->value_len);
    void *object = NULL;
    copy->flags |= entry->flags & (uint8_t)~ENTRY_EXPIRES;
    copy->small = entry->small;
    switch (form_of(entry)) {
    case FORM_INTEGER:
    case FORM_BYTES:
    case FORM_PACKED:
    case FORM_INTSET:
        memcpy(entry_payload(copy), entry_payload(entry), entry->value_len);
        return copy;
    case FORM_TABLE: object = pack_table_copy(entry_object(entry)); break;
    case FORM_CHAIN: object = chain_copy(entry_object(entry)); break;
    }
    memcpy(entry_payload(copy), &object, sizeof(object));
    return copy;
}

static bool string_equal(const struct entry *a, const struct entry *b)
{
    char scratch_a[24], scratch_b[24];
    return slice_equal(string_bytes(a, scratch_a), string_bytes(b, scratch_b));
}

static bool items_equal(const struct entry *a, const struct entry *b)
{
    struct value_iter in_a, in_b;
    struct slice item_a, item_b, other_a, other_b;
    value_iter_init(&in_a, a);
    value_iter_init(&in_b, b);
    while (value_iter_next(&in_a, &item_a, &other_a)) {
        if (entry_type(a) == VALUE_LIST) {
            if (!value_iter_next(&in_b, &item_b, &other_b) || !slice_equal(item_a, item_b))
                return false;
        } else if (entry_type(a) == VALUE_SET) {
            if (!set_contains(b, item_a))
                return false;
        } else if (!hash_get(b, item_a, &other_b) || !slice_equal(other_a, other_b)) {
            return false;
        }
    }
    return true;
}

bool value_equal(const struct entry *a, const struct entry *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_STRING)
        return string_equal(a, b);
    return value_len(a) == value_len(b) && items_equal(a, b);
}

struct entry *entry_build_room(struct slice key, int64_t expires, enum value_type type, size_t room)
{
    assert(type < VALUE_TYPE_COUNT);
    if (type == VALUE_STRING)
        return entry_build_string(key, expires, slice_of(""));
    struct entry *entry =
        entry_create(key, expires, type, type == VALUE_SET ? FORM_INTSET : FORM_PACKED,
                     room < ROOM_MAX ? room : ROOM_MAX);
    entry->value_len = 0;
    return entry;
}

struct entry *entry_build(struct slice key, int64_t expires, enum value_type type)
{
    return entry_build_room(key, expires, type, 0);
}

void entry_build_item(struct entry **entry, struct slice item)
{
    list_push(entry, OP_SIDE_RIGHT, item);
}

bool entry_build_member(struct entry **entry, struct slice member)
{
    return set_add(entry, member);
}

bool entry_build_field(struct entry **entry, struct slice field, struct slice value)
{
    return hash_set(entry, field, value);
}
