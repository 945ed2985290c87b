/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, resizing and freeing entries; entry.h has the layout. Knows no type but to free it. */
#include "ops/entry.h"

#include <assert.h>

#include "ops/list_chain.h"
#include "ops/pack_table.h"

enum { SHRINK_SLACK = 64 }; /* a smaller value stays in place unless half and this are spare */

static size_t entry_size(const struct entry *entry)
{
    return (size_t)(entry_payload(entry) - (const char *)entry) + entry->value_len;
}

struct entry *entry_create(struct slice key, int64_t expires, enum value_type type,
                           enum entry_form form, size_t value_len)
{
    size_t deadline = expires ? sizeof(expires) : 0;
    assert(key.len <= UINT32_MAX && value_len <= UINT32_MAX);
    struct entry *entry = mem_alloc(sizeof(*entry) + key.len + deadline + value_len);
    *entry = (struct entry){.key_len = (uint32_t)key.len,
                            .value_len = (uint32_t)value_len,
                            .type = type,
                            .form = form,
                            .flags = expires ? ENTRY_EXPIRES : 0};
    if (key.len)
        memcpy(entry->bytes, key.data, key.len);
    if (expires)
        memcpy(entry->bytes + key.len, &expires, sizeof(expires));
    return entry;
}

void entry_release_object(struct entry *entry)
{
    switch ((enum entry_form)entry->form) {
    case FORM_INTEGER:
    case FORM_BYTES:
    case FORM_PACKED:
    case FORM_INTSET: break;
    case FORM_TABLE: pack_table_destroy(entry_object(entry)); break;
    case FORM_CHAIN: chain_destroy(entry_object(entry)); break;
    }
}

void entry_destroy(struct entry *entry)
{
    if (!entry)
        return;
    entry_release_object(entry);
    mem_free(entry);
}

char *entry_resize(struct entry **e, size_t value_len)
{
    struct entry *entry = *e;
    size_t old = entry_size(entry), size = old - entry->value_len + value_len;
    assert(value_len <= UINT32_MAX);
    if (size != old) {
        size_t usable = mem_usable(entry);
        if (size > usable || 2 * size + SHRINK_SLACK < usable)
            entry = *e = mem_realloc(entry, size);
        entry->value_len = (uint32_t)value_len;
    }
    return entry_payload(entry);
}

char *entry_splice(struct entry **e, size_t at, size_t old, size_t new)
{
    size_t before = (*e)->value_len, tail = before - at - old;
    if (new <= old) {
        char *payload = entry_payload(*e);
        memmove(payload + at + new, payload + at + old, tail);
        return entry_resize(e, before - old + new) + at;
    }
    char *payload = entry_resize(e, before - old + new);
    memmove(payload + at + new, payload + at + old, tail);
    return payload + at;
}

void entry_set_object(struct entry **e, enum entry_form form, void *object)
{
    entry_release_object(*e);
    memcpy(entry_resize(e, sizeof(object)), &object, sizeof(object));
    (*e)->form = form;
    (*e)->small = 0;
}

int64_t entry_expires(const struct entry *entry)
{
    int64_t expires = 0;
    if (entry->flags & ENTRY_EXPIRES)
        memcpy(&expires, entry->bytes + entry->key_len, sizeof(expires));
    return expires;
}

static void entry_drop_expires(struct entry **e)
{
    struct entry *entry = *e;
    char *deadline = entry->bytes + entry->key_len;
    memmove(deadline, deadline + sizeof(int64_t), entry->value_len);
    entry->flags &= (uint8_t)~ENTRY_EXPIRES;
}

static void entry_add_expires(struct entry **e)
{
    struct entry *entry = *e;
    size_t size = entry_size(entry) + sizeof(int64_t);
    if (size > mem_usable(entry))
        entry = *e = mem_realloc(entry, size);
    char *deadline = entry->bytes + entry->key_len;
    memmove(deadline + sizeof(int64_t), deadline, entry->value_len);
    entry->flags |= ENTRY_EXPIRES;
}

void entry_set_expires(struct entry **e, int64_t expires)
{
    bool has = (*e)->flags & ENTRY_EXPIRES;
    if (expires && !has)
        entry_add_expires(e);
    else if (!expires && has)
        entry_drop_expires(e);
    if (expires)
        memcpy((*e)->bytes + (*e)->key_len, &expires, sizeof(expires));
}

struct slice entry_key(const struct entry *entry)
{
    return slice_make(entry->bytes, entry->key_len);
}

enum value_type entry_type(const struct entry *entry)
{
    return entry->type;
}

struct entry *entry_rekey(struct entry *entry, struct slice key, int64_t expires)
{
    if (slice_equal(entry_key(entry), key)) {
        entry_set_expires(&entry, expires);
        return entry;
    }
    struct entry *moved = entry_create(key, expires, entry->type, entry->form, entry->value_len);
    moved->flags |= entry->flags & (uint8_t)~ENTRY_EXPIRES;
    moved->small = entry->small;
    memcpy(entry_payload(moved), entry_payload(entry), entry->value_len);
    mem_free(entry);
    return moved;
}
