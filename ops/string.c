/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strings: bytes inside the entry, or an int64 where the bytes are its canonical text. Growth
 * relies on the allocator's size classes, which are a quarter apart: appending is amortised O(1).
 */
#include "ops/entry.h"
#include "ops/value_integer.h"

static const uint8_t string_flags = ENTRY_RAW | ENTRY_OUTGROWN;

/* Makes the entry a string of `len` bytes, contents void; tries hard to stay where it is. */
static char *string_become(struct entry **e, enum entry_form form, size_t len)
{
    if ((*e)->form == FORM_TABLE || (*e)->form == FORM_CHAIN)
        entry_release_object(*e);
    (*e)->type = VALUE_STRING;
    (*e)->form = form;
    (*e)->small = 0;
    (*e)->flags &= (uint8_t)~string_flags;
    return (*e)->value_len == len ? entry_payload(*e) : entry_resize(e, len);
}

void string_set_integer(struct entry **e, int64_t number)
{
    memcpy(string_become(e, FORM_INTEGER, sizeof(number)), &number, sizeof(number));
}

void string_set(struct entry **e, struct slice bytes)
{
    int64_t number;
    if (integer_parse(bytes, &number)) {
        string_set_integer(e, number);
        return;
    }
    slice_copy(string_become(e, FORM_BYTES, bytes.len), bytes);
}

bool string_is_plain(const struct entry *entry)
{
    return !(entry->flags & string_flags);
}

struct slice string_bytes(const struct entry *entry, char scratch[24])
{
    if (entry->form == FORM_BYTES)
        return slice_make(entry_payload(entry), entry->value_len);
    int64_t number;
    memcpy(&number, entry_payload(entry), sizeof(number));
    return integer_format(number, scratch);
}

bool string_integer(const struct entry *entry, int64_t *number)
{
    if (entry->form == FORM_INTEGER) {
        memcpy(number, entry_payload(entry), sizeof(*number));
        return true;
    }
    return integer_parse(slice_make(entry_payload(entry), entry->value_len), number);
}

/* Before a change in place: the bytes themselves, and no longer short or a number to Redis. */
static void string_open(struct entry **e)
{
    if ((*e)->form == FORM_INTEGER) {
        char scratch[24];
        struct slice text = string_bytes(*e, scratch);
        memcpy(string_become(e, FORM_BYTES, text.len), text.data, text.len);
    }
    (*e)->flags |= ENTRY_RAW;
}

void string_append(struct entry **e, struct slice bytes)
{
    string_open(e);
    size_t len = (*e)->value_len;
    char *payload = entry_resize(e, len + bytes.len);
    if (bytes.len)
        memcpy(payload + len, bytes.data, bytes.len);
}

void string_set_range(struct entry **e, size_t offset, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    string_open(e);
    size_t len = (*e)->value_len;
    char *payload = entry_payload(*e);
    if (offset + bytes.len > len)
        payload = entry_resize(e, offset + bytes.len);
    if (offset > len)
        memset(payload + len, 0, offset - len);
    memcpy(payload + offset, bytes.data, bytes.len);
}

void string_truncate(struct entry **e, size_t len)
{
    string_open(e);
    if (len < (*e)->value_len)
        entry_resize(e, len);
}

struct entry *entry_build_integer(struct slice key, int64_t expires, int64_t number)
{
    struct entry *entry = entry_create(key, expires, VALUE_STRING, FORM_INTEGER, sizeof(number));
    memcpy(entry_payload(entry), &number, sizeof(number));
    return entry;
}

struct entry *entry_build_string(struct slice key, int64_t expires, struct slice bytes)
{
    int64_t number;
    if (integer_parse(bytes, &number))
        return entry_build_integer(key, expires, number);
    struct entry *entry = entry_create(key, expires, VALUE_STRING, FORM_BYTES, bytes.len);
    if (bytes.len)
        memcpy(entry_payload(entry), bytes.data, bytes.len);
    return entry;
}
