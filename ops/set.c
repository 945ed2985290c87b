/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets. Integers alone are a sorted array of the narrowest width that holds them all; small sets
 * of anything are packed items; the rest is a table of packed blocks. To Redis 7.0 only the first
 * of these is not a hashtable, so the flag that says so is kept apart from the form.
 */
#include "ops/set.h"

#include "ops/entry.h"
#include "ops/pack.h"
#include "ops/pack_table.h"
#include "ops/value_integer.h"

enum {
    PACKED_MEMBERS_MAX = 128,
    PACKED_MEMBER_MAX = 64,
    INTSET_MAX = 8192, /* ours: an insertion moves half of the array */
};

/* Sorted integers. */

static uint8_t width_of(int64_t number)
{
    if (number >= INT16_MIN && number <= INT16_MAX)
        return sizeof(int16_t);
    return number >= INT32_MIN && number <= INT32_MAX ? sizeof(int32_t) : sizeof(int64_t);
}

static int64_t array_get(const char *array, uint8_t width, size_t index)
{
    const char *at = array + index * width;
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (width) {
    case sizeof(two): memcpy(&two, at, sizeof(two)); return two;
    case sizeof(four): memcpy(&four, at, sizeof(four)); return four;
    default: memcpy(&eight, at, sizeof(eight)); return eight;
    }
}

static void array_put(char *array, uint8_t width, size_t index, int64_t number)
{
    char *at = array + index * width;
    int16_t two = (int16_t)number;
    int32_t four = (int32_t)number;
    switch (width) {
    case sizeof(two): memcpy(at, &two, sizeof(two)); break;
    case sizeof(four): memcpy(at, &four, sizeof(four)); break;
    default: memcpy(at, &number, sizeof(number)); break;
    }
}

size_t intset_count(const struct entry *entry)
{
    return entry->small ? entry->value_len / entry->small : 0;
}

int64_t intset_get(const struct entry *entry, size_t index)
{
    return array_get(entry_payload(entry), entry->small, index);
}

/* Index of the first number not below `number`; true when it is the number itself. */
static bool intset_find(const struct entry *entry, int64_t number, size_t *index)
{
    const char *array = entry_payload(entry);
    size_t low = 0, high = intset_count(entry);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (array_get(array, entry->small, middle) < number)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return low < intset_count(entry) && array_get(array, entry->small, low) == number;
}

static void intset_widen(struct entry **e, uint8_t width)
{
    uint8_t old = (*e)->small;
    size_t count = intset_count(*e);
    char *array = entry_resize(e, count * width);
    for (size_t i = count; i-- > 0;)
        array_put(array, width, i, array_get(array, old, i));
    (*e)->small = width;
}

static void intset_insert(struct entry **e, size_t index, int64_t number)
{
    uint8_t width = width_of(number);
    if (width > (*e)->small)
        intset_widen(e, width);
    width = (*e)->small;
    array_put(entry_splice(e, index * width, 0, width), width, 0, number);
}

/* Packed members. */

static const char *packed_find(const struct entry *entry, struct slice member)
{
    const char *at = entry_payload(entry), *end = at + entry->value_len;
    while (at < end) {
        struct slice item;
        const char *next = pack_get(at, &item);
        if (slice_equal(item, member))
            return at;
        at = next;
    }
    return NULL;
}

static void packed_append(struct entry **e, struct slice member)
{
    size_t end = (*e)->value_len;
    pack_put(entry_resize(e, end + pack_size(member.len)) + end, member);
    (*e)->small++;
}

static bool packed_accepts(const struct entry *entry, struct slice member)
{
    return entry->small < PACKED_MEMBERS_MAX && member.len <= PACKED_MEMBER_MAX &&
           entry->value_len + pack_size(member.len) <= PACKED_BYTES_MAX;
}

/* From one form to a bigger one. */

static void set_open_table(struct entry **e)
{
    struct pack_table *members = pack_table_create(false);
    struct value_iter it;
    struct slice member, none;
    value_iter_init(&it, *e);
    while (value_iter_next(&it, &member, &none))
        pack_table_set(members, member, none);
    entry_set_object(e, FORM_TABLE, members);
}

static void intset_open_packed(struct entry **e)
{
    char packed[PACKED_MEMBERS_MAX * (INTEGER_TEXT_MAX + 1)], *end = packed, scratch[24];
    size_t count = intset_count(*e);
    for (size_t i = 0; i < count; i++)
        end = pack_put(end, integer_format(intset_get(*e, i), scratch));
    char *payload = entry_resize(e, (size_t)(end - packed));
    memcpy(payload, packed, (size_t)(end - packed));
    (*e)->form = FORM_PACKED;
    (*e)->small = (uint8_t)count;
}

/* False when the set is no intset (any more) and the member still has to be added. */
static bool intset_add(struct entry **e, struct slice member, bool *added)
{
    int64_t number;
    size_t index, count = intset_count(*e);
    if (integer_parse(member, &number)) {
        *added = !intset_find(*e, number, &index);
        if (!*added)
            return true;
        if (count < (size_t)value_limits.set_max_intset_entries) {
            if (count < INTSET_MAX) {
                intset_insert(e, index, number);
                return true;
            }
            set_open_table(e);
            return false;
        }
    }
    (*e)->flags |= ENTRY_OUTGROWN;
    if (count < PACKED_MEMBERS_MAX && member.len <= PACKED_MEMBER_MAX)
        intset_open_packed(e);
    else
        set_open_table(e);
    return false;
}

static void table_watch_limits(struct entry *entry, struct slice member)
{
    int64_t number;
    if (entry->flags & ENTRY_OUTGROWN)
        return;
    if (!integer_parse(member, &number) ||
        value_len(entry) > (size_t)value_limits.set_max_intset_entries)
        entry->flags |= ENTRY_OUTGROWN;
}

bool set_add(struct entry **e, struct slice member)
{
    bool added = false;
    if ((*e)->form == FORM_INTSET && intset_add(e, member, &added))
        return added;
    if ((*e)->form == FORM_PACKED) {
        if (packed_find(*e, member))
            return false;
        if (packed_accepts(*e, member)) {
            packed_append(e, member);
            return true;
        }
        set_open_table(e);
    }
    added = pack_table_set(entry_object(*e), member, slice_make(NULL, 0));
    table_watch_limits(*e, member);
    return added;
}

bool set_contains(const struct entry *entry, struct slice member)
{
    int64_t number;
    size_t index;
    if (entry->form == FORM_INTSET)
        return integer_parse(member, &number) && intset_find(entry, number, &index);
    if (entry->form == FORM_PACKED)
        return packed_find(entry, member);
    return pack_table_get(entry_object(entry), member, NULL);
}

static bool intset_remove(struct entry **e, struct slice member)
{
    int64_t number;
    size_t index;
    if (!integer_parse(member, &number) || !intset_find(*e, number, &index))
        return false;
    entry_splice(e, index * (*e)->small, (*e)->small, 0);
    return true;
}

bool set_remove(struct entry **e, struct slice member)
{
    if ((*e)->form == FORM_INTSET)
        return intset_remove(e, member);
    if ((*e)->form == FORM_PACKED) {
        const char *at = packed_find(*e, member);
        if (!at)
            return false;
        entry_splice(e, (size_t)(at - entry_payload(*e)), pack_size(member.len), 0);
        (*e)->small--;
        return true;
    }
    return pack_table_remove(entry_object(*e), member);
}
