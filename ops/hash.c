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
        slice_copy((char *)old.data, value);
        return;
    }
    size_t head = pack_varint_size(old.len);
    size_t at = (size_t)(old.data - entry_payload(*e)) - head;
    pack_put(entry_splice(e, at, head + old.len, pack_size(value.len)), value);
}

/* False: there is no room for one more. */
static bool packed_add(struct entry **e, struct slice field, struct slice value, size_t most)
{
    size_t end = (*e)->value_len, len = end + pack_size(field.len) + pack_size(value.len);
    if ((*e)->small >= PACKED_COUNT_MAX || (*e)->small >= most || len > PACKED_BYTES_MAX)
        return false;
    pack_put(pack_put(entry_resize(e, len) + end, field), value);
    (*e)->small++;
    return true;
}

bool hash_set(struct entry **e, struct slice field, struct slice value)
{
    size_t longest = (size_t)value_limits.hash_max_listpack_value;
    size_t most = (size_t)value_limits.hash_max_listpack_entries;
    const char *pair;
    struct slice old;
    if (field.len > longest || value.len > longest)
        (*e)->flags |= ENTRY_OUTGROWN;
    if ((*e)->form == FORM_PACKED) {
        if (!((*e)->flags & ENTRY_OUTGROWN)) {
            if (packed_find(*e, field, &pair, &old)) {
                packed_replace(e, old, value);
                return false;
            }
            if (packed_add(e, field, value, most))
                return true;
        }
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
