/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashes. Small ones are packed pairs inside the entry; beyond Redis's thresholds, or our own on
 * the bytes a search may walk, a table of items that hold field and value in one allocation. The
 * encoding Redis would report is a flag of its own: it never turns back.
 */
#include "ops/hash.h"

#include "ops/entry.h"
#include "ops/key_hash.h"
#include "ops/pack.h"
#include "ops/table.h"

struct hash_item {
    uint32_t field_len;
    uint32_t value_len;
    char bytes[]; /* field, value */
};

enum { SHRINK_SLACK = 64 };

struct slice hash_item_field(const void *item)
{
    const struct hash_item *pair = item;
    return slice_make(pair->bytes, pair->field_len);
}

struct slice hash_item_value(const void *item)
{
    const struct hash_item *pair = item;
    return slice_make(pair->bytes + pair->field_len, pair->value_len);
}

static void item_fill_value(struct hash_item *item, struct slice value)
{
    item->value_len = (uint32_t)value.len;
    if (value.len)
        memcpy(item->bytes + item->field_len, value.data, value.len);
}

static struct hash_item *item_create(struct slice field, struct slice value)
{
    struct hash_item *item = mem_alloc(sizeof(*item) + field.len + value.len);
    item->field_len = (uint32_t)field.len;
    if (field.len)
        memcpy(item->bytes, field.data, field.len);
    item_fill_value(item, value);
    return item;
}

static void item_set_value(void **slot, struct slice value)
{
    struct hash_item *item = *slot;
    if (item->value_len != value.len) {
        size_t size = sizeof(*item) + item->field_len + value.len, usable = mem_usable(item);
        if (size > usable || 2 * size + SHRINK_SLACK < usable)
            *slot = item = mem_realloc(item, size);
    }
    item_fill_value(item, value);
}

void hash_table_destroy(struct table *fields)
{
    table_release(fields, mem_free);
    mem_free(fields);
}

static struct table *hash_table_create(void)
{
    struct table *fields = mem_alloc(sizeof(*fields));
    table_init(fields, sizeof(struct hash_item));
    return fields;
}

static void table_add(struct table *fields, struct slice field, uint64_t hash, struct slice value)
{
    table_insert(fields, hash, item_create(field, value));
}

struct table *hash_table_copy(const struct table *fields)
{
    struct table *copy = hash_table_create();
    struct table_iter it = {0};
    const void *item;
    while ((item = table_next(fields, &it))) {
        struct slice field = hash_item_field(item);
        table_add(copy, field, key_hash(field), hash_item_value(item));
    }
    return copy;
}

static void hash_open_table(struct entry **e)
{
    struct table *fields = hash_table_create();
    const char *at = entry_payload(*e), *end = at + (*e)->value_len;
    while (at < end) {
        struct slice field, value;
        at = pack_get(pack_get(at, &field), &value);
        table_add(fields, field, key_hash(field), value);
    }
    entry_set_object(e, FORM_TABLE, fields);
}

/* Where the pair starts and its value; false when the field is absent. */
static bool packed_find(const struct entry *entry, struct slice field, const char **pair,
                        struct slice *value)
{
    const char *at = entry_payload(entry), *end = at + entry->value_len;
    while (at < end) {
        struct slice name;
        *pair = at;
        at = pack_get(pack_get(at, &name), value);
        if (slice_equal(name, field))
            return true;
    }
    return false;
}

bool hash_get(const struct entry *entry, struct slice field, struct slice *value)
{
    const char *pair;
    if (entry->form == FORM_PACKED)
        return packed_find(entry, field, &pair, value);
    void **slot = table_find(entry_object(entry), field, key_hash(field));
    if (slot)
        *value = hash_item_value(*slot);
    return slot;
}

static void packed_replace(struct entry **e, struct slice old, struct slice value)
{
    if (old.len == value.len) {
        memcpy((char *)old.data, value.data, value.len);
        return;
    }
    size_t head = pack_varint_size(old.len);
    size_t at = (size_t)(old.data - entry_payload(*e)) - head;
    pack_put(entry_splice(e, at, head + old.len, pack_size(value.len)), value);
}

static bool packed_has_room(const struct entry *entry, size_t more)
{
    return entry->small < PACKED_COUNT_MAX && entry->value_len + more <= PACKED_BYTES_MAX;
}

static bool packed_set(struct entry **e, struct slice field, struct slice value)
{
    const char *pair;
    struct slice old;
    if (packed_find(*e, field, &pair, &old)) {
        packed_replace(e, old, value);
        return false;
    }
    size_t end = (*e)->value_len;
    char *payload = entry_resize(e, end + pack_size(field.len) + pack_size(value.len));
    pack_put(pack_put(payload + end, field), value);
    (*e)->small++;
    return true;
}

static bool table_set(struct table *fields, struct slice field, struct slice value)
{
    uint64_t hash = key_hash(field);
    void **slot = table_find(fields, field, hash);
    if (slot)
        item_set_value(slot, value);
    else
        table_add(fields, field, hash, value);
    return !slot;
}

bool hash_set(struct entry **e, struct slice field, struct slice value)
{
    size_t longest = (size_t)value_limits.hash_max_listpack_value;
    size_t most = (size_t)value_limits.hash_max_listpack_entries;
    if (field.len > longest || value.len > longest)
        (*e)->flags |= ENTRY_OUTGROWN;
    if ((*e)->form == FORM_PACKED) {
        size_t more = pack_size(field.len) + pack_size(value.len);
        bool roomy = packed_has_room(*e, more) && (*e)->small < most;
        struct slice old;
        if (!((*e)->flags & ENTRY_OUTGROWN) && (roomy || hash_get(*e, field, &old)))
            return packed_set(e, field, value);
        hash_open_table(e);
    }
    bool added = table_set(entry_object(*e), field, value);
    if (value_len(*e) > most)
        (*e)->flags |= ENTRY_OUTGROWN;
    return added;
}

bool hash_delete(struct entry **e, struct slice field)
{
    if ((*e)->form == FORM_TABLE) {
        struct table *fields = entry_object(*e);
        uint64_t hash = key_hash(field);
        void **slot = table_find(fields, field, hash);
        if (slot)
            mem_free(table_remove(fields, hash, slot));
        return slot;
    }
    const char *pair;
    struct slice value;
    if (!packed_find(*e, field, &pair, &value))
        return false;
    size_t at = (size_t)(pair - entry_payload(*e));
    entry_splice(e, at, (size_t)(value.data + value.len - pair), 0);
    (*e)->small--;
    return true;
}
