/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashes. Small ones are packed pairs inside the entry; beyond Redis's thresholds, or our own on
 * the bytes a search may walk, a table of packed blocks. The encoding Redis would report is a flag
 * of its own: it never turns back.
 */
#include "ops/entry.h"
#include "ops/pack.h"
#include "ops/pack_table.h"

static void hash_open_table(struct entry **e)
{
    struct pack_table *fields = pack_table_create(true);
    const char *at = entry_payload(*e), *end = at + (*e)->value_len;
    while (at < end) {
        struct slice field, value;
        at = pack_get(pack_get(at, &field), &value);
        pack_table_set(fields, field, value);
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
    return pack_table_get(entry_object(entry), field, value);
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
    bool added = pack_table_set(entry_object(*e), field, value);
    if (value_len(*e) > most)
        (*e)->flags |= ENTRY_OUTGROWN;
    return added;
}

bool hash_delete(struct entry **e, struct slice field)
{
    if ((*e)->form == FORM_TABLE)
        return pack_table_remove(entry_object(*e), field);
    const char *pair;
    struct slice value;
    if (!packed_find(*e, field, &pair, &value))
        return false;
    size_t at = (size_t)(pair - entry_payload(*e));
    entry_splice(e, at, (size_t)(value.data + value.len - pair), 0);
    (*e)->small--;
    return true;
}
