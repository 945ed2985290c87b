/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fields and members are sorted by their bytes, because tables keep them in an order that depends
 * on their history and on the process's hash seed.
 */
#include "persistence/value_json.h"

#include <stdlib.h>

#include "ops/mem.h"

/* Small collections, most of them, are sorted on the stack. */
#define SORT_ON_STACK 64
#define FEW           12 /* below, insertion is quicker than qsort, most of all where all is sorted */

struct item {
    uint64_t order; /* eight bytes behind what all names begin with: decides most comparisons */
    struct slice name;
    struct slice value; /* hashes */
};

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return slice_compare(x->name, y->name);
}

static size_t common_prefix(struct slice a, struct slice b)
{
    size_t max = a.len < b.len ? a.len : b.len, len = 0;
    while (len < max && a.data[len] == b.data[len])
        len++;
    return len;
}

/* The bytes of `name` from `skip` on as a number that sorts as they do; missing ones are zeros. */
static uint64_t order_of(struct slice name, size_t skip)
{
    unsigned char bytes[8] = {0};
    size_t len = name.len - skip < sizeof(bytes) ? name.len - skip : sizeof(bytes);
    uint64_t order = 0;
    if (len)
        memcpy(bytes, name.data + skip, len);
    for (size_t i = 0; i < sizeof(bytes); i++)
        order = order << 8 | bytes[i];
    return order;
}

static void insert_items(struct item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct item item = items[i];
        size_t to = i;
        for (; to > 0 && compare_items(&item, &items[to - 1]) < 0; to--)
            items[to] = items[to - 1];
        items[to] = item;
    }
}

/* Names lie all over memory and mostly begin alike: comparing them whole waits for each. */
static void sort_items(struct item *items, size_t count)
{
    assert(count); /* a collection without items is never stored */
    struct slice prefix = items[0].name;
    for (size_t i = 1; i < count; i++)
        prefix.len = common_prefix(prefix, items[i].name);
    for (size_t i = 0; i < count; i++)
        items[i].order = order_of(items[i].name, prefix.len);
    if (count < FEW)
        insert_items(items, count);
    else
        qsort(items, count, sizeof(*items), compare_items);
}

/* `numbers` keeps integers that the iterator formats into its own scratch. */
static void collect_items(const struct entry *entry, struct item *items, struct text *numbers)
{
    struct value_iter it;
    struct slice name, value;
    size_t count = 0;
    value_iter_init(&it, entry);
    while (value_iter_next(&it, &name, &value)) {
        if (name.data >= it.scratch && name.data < it.scratch + sizeof(it.scratch)) {
            if (!numbers->data)
                text_reserve(numbers, value_len(entry) * sizeof(it.scratch));
            size_t at = numbers->len;
            text_append_slice(numbers, name);
            name.data = numbers->data + at;
        }
        items[count++] = (struct item){.name = name, .value = value};
    }
}

/* A hash or a set. */
static void write_sorted(struct json_writer *writer, const struct entry *entry)
{
    struct item few[SORT_ON_STACK], *items = few;
    struct text numbers = {0};
    size_t count = value_len(entry);
    bool hash = entry_type(entry) == VALUE_HASH;
    if (count > SORT_ON_STACK)
        items = mem_alloc(count * sizeof(*items));
    collect_items(entry, items, &numbers);
    sort_items(items, count);
    if (hash)
        json_begin_object(writer);
    else
        json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        if (hash)
            json_write_name(writer, items[i].name);
        json_write_scalar(writer, hash ? items[i].value : items[i].name);
    }
    if (hash)
        json_end_object(writer);
    else
        json_end_array(writer);
    if (items != few)
        mem_free(items);
    text_release(&numbers);
}

static void write_list(struct json_writer *writer, const struct entry *entry)
{
    struct value_iter it;
    struct slice item, none;
    value_iter_init(&it, entry);
    json_begin_array(writer);
    while (value_iter_next(&it, &item, &none))
        json_write_scalar(writer, item);
    json_end_array(writer);
}

static void write_bare(struct json_writer *writer, const struct entry *entry)
{
    char scratch[24];
    int64_t number;
    switch (entry_type(entry)) {
    case VALUE_STRING:
        if (string_integer(entry, &number))
            json_write_int64(writer, number);
        else
            json_write_scalar(writer, string_bytes(entry, scratch));
        break;
    case VALUE_LIST: write_list(writer, entry); break;
    case VALUE_SET:
    case VALUE_HASH: write_sorted(writer, entry); break;
    case VALUE_TYPE_COUNT: assert(!"a type"); break;
    }
}

/* As they stand in JSON. */
static const struct slice names[VALUE_TYPE_COUNT] = {
#define X(type, text) [VALUE_##type] = {"\"" text "\":", sizeof("\"" text "\":") - 1},
    VALUE_TYPE_LIST(X)
#undef X
};

void value_json_write(struct json_writer *writer, const struct entry *entry, int64_t expires)
{
    if (entry_type(entry) == VALUE_STRING && !expires) {
        write_bare(writer, entry);
        return;
    }
    struct slice name = names[entry_type(entry)];
    json_begin_object(writer);
    json_write_verbatim(writer, name.data, name.len);
    write_bare(writer, entry);
    if (expires) {
        json_write_verbatim(writer, JSON_NEXT("expires"));
        json_write_int64(writer, expires);
    }
    json_end_object(writer);
}

static bool parse_type(struct slice name, enum value_type *ret_type)
{
#define X(type, text)                                                                              \
    if (slice_equal(name, slice_make(text, sizeof(text) - 1))) {                                   \
        *ret_type = VALUE_##type;                                                                  \
        return true;                                                                               \
    }
    VALUE_TYPE_LIST(X)
#undef X
    return false;
}

static void read_hash(struct json_reader *reader, struct entry **entry)
{
    struct slice field, value;
    if (!json_expect_object(reader))
        return;
    while (json_next_name(reader, &field))
        if (json_read_scalar(reader, &value) && !entry_build_field(entry, field, value))
            json_reader_fail(reader, "field twice in a hash");
}

static void read_set(struct json_reader *reader, struct entry **entry)
{
    struct slice member;
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader))
        if (json_read_scalar(reader, &member) && !entry_build_member(entry, member))
            json_reader_fail(reader, "member twice in a set");
}

static void read_list(struct json_reader *reader, struct entry **entry)
{
    struct slice item;
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader))
        if (json_read_scalar(reader, &item))
            entry_build_item(entry, item);
}

/* Bytes that the items up to the end of the text take, roughly: JSON has quotes, too. Of a set it
 * tells little, since integers take less. */
static size_t room_for(const struct json_reader *reader, enum value_type type)
{
    return type == VALUE_SET ? 0 : (size_t)(reader->end - reader->cursor) * 2 / 3;
}

/* The value under one of the type names. NULL on error. */
static struct entry *read_typed(struct json_reader *reader, struct slice key, int64_t expires,
                                enum value_type type)
{
    struct slice string;
    if (type == VALUE_STRING) {
        if (!json_read_scalar(reader, &string))
            return NULL;
        return entry_build_string(key, expires, string);
    }
    struct entry *entry = entry_build_room(key, expires, type, room_for(reader, type));
    switch (type) {
    case VALUE_LIST: read_list(reader, &entry); break;
    case VALUE_SET: read_set(reader, &entry); break;
    case VALUE_HASH: read_hash(reader, &entry); break;
    case VALUE_STRING:
    case VALUE_TYPE_COUNT: break;
    }
    if (!json_reader_failed(reader) && value_len(entry) == 0)
        json_reader_fail(reader, "a %s without items", value_type_name(type));
    if (json_reader_failed(reader)) {
        entry_destroy(entry);
        return NULL;
    }
    return entry;
}

/* One member of the object that stands for a value. */
static void read_member(struct json_reader *reader, struct slice name, struct slice key,
                        int64_t *expires, struct entry **entry)
{
    enum value_type type;
    if (slice_equal(name, slice_of("expires"))) {
        if (*expires)
            json_reader_fail(reader, "\"expires\" twice");
        else if (json_expect_int64(reader, expires) && *expires <= 0)
            json_reader_fail(reader, "a deadline that is not positive");
    } else if (!parse_type(name, &type)) {
        json_reader_fail(reader, "expected \"string\", \"list\", \"set\", \"hash\" or \"expires\"");
    } else if (*entry) {
        json_reader_fail(reader, "a second value for one key");
    } else {
        *entry = read_typed(reader, key, *expires, type);
    }
}

/* The writer puts "expires" last, but other programs sort names: then the entry is made anew. */
static struct entry *read_object(struct json_reader *reader, struct slice key)
{
    struct entry *entry = NULL;
    struct slice name;
    int64_t expires = 0;
    for (bool more = json_expect_member(reader, &name); more; more = json_next_name(reader, &name))
        read_member(reader, name, key, &expires, &entry);
    if (!entry) {
        json_reader_fail(reader, "a key without a value");
        return NULL;
    }
    if (json_reader_failed(reader)) {
        entry_destroy(entry);
        return NULL;
    }
    if (entry_expires(entry) != expires) {
        struct entry *copy = entry_copy(entry, key, expires);
        entry_destroy(entry);
        entry = copy;
    }
    return entry;
}

struct entry *value_json_read(struct json_reader *reader, struct slice key)
{
    struct slice string;
    if (json_peek(reader) == JSON_KIND_OBJECT_BEGIN)
        return read_object(reader, key);
    if (!json_read_scalar(reader, &string))
        return NULL;
    return entry_build_string(key, 0, string);
}
