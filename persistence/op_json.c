/* SPDX-License-Identifier: BSD-3-Clause */
/* Unfolded from OP_LIST: each kind has a writer, and a reader that takes its fields by name. */
#include "persistence/op_json.h"

#include "persistence/value_json.h"

static void write_list(struct json_writer *writer, struct slice_list list)
{
    json_begin_array(writer);
    for (size_t i = 0; i < list.count; i++)
        json_write_scalar(writer, list.items[i]);
    json_end_array(writer);
}

/* No field is the first of its object: "op" is. */
#define WRITE_NAME(name) json_write_verbatim(writer, JSON_NEXT(#name))

#define IS_EXPIRES(name) (strcmp(#name, "expires") == 0)

/* An op that sets no deadline does not speak of one; any other number is always there. */
#define WRITE_INT(name)                                                                            \
    if (!IS_EXPIRES(name) || f->name != OP_EXPIRES_NEVER)                                          \
    WRITE_NAME(name), json_write_int64(writer, f->name)
#define WRITE_CONDITION(name)                                                                      \
    if (f->name != OP_CONDITION_NONE)                                                              \
    WRITE_NAME(name), json_write_string(writer, op_condition_name(f->name))
#define WRITE_BYTES(name) WRITE_NAME(name), json_write_scalar(writer, f->name)
#define WRITE_LIST(name)  WRITE_NAME(name), write_list(writer, f->name)
#define WRITE_SIDE(name)  WRITE_NAME(name), json_write_string(writer, op_side_name(f->name))
#define WRITE_VALUE(name) WRITE_NAME(name), value_json_write(writer, f->name, 0)

static void write_fields(struct json_writer *writer, const struct op *op)
{
    switch (op->kind) {
#define WRITE(KIND, name) WRITE_##KIND(name);
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: {                                                                              \
        const struct op_##member *f = &op->member;                                                 \
        (void)f;                                                                                   \
        OP_FIELDS_##NAME(WRITE) break;                                                             \
    }
        OP_LIST(OP)
#undef OP
    case OP_COUNT: assert(!"not an op"); break;
    }
}

/* What stands before the key. */
static const struct slice beginnings[OP_COUNT] = {
#define BEGINNING(json)        "{\"op\":\"" json "\",\"key\":"
#define OP(NAME, member, json) [OP_##NAME] = {BEGINNING(json), sizeof(BEGINNING(json)) - 1},
    OP_LIST(OP)
#undef OP
};

void op_json_write(struct json_writer *writer, const struct op *op, int64_t *time)
{
    if (op->kind != OP_NAMESPACE_CLEAR) {
        json_write_beginning(writer, beginnings[op->kind].data, beginnings[op->kind].len);
        json_write_bytes(writer, op->key);
    } else {
        json_begin_object(writer);
        json_write_field(writer, "op");
        json_write_string(writer, op_kind_name(op->kind));
    }
    write_fields(writer, op);
    if (op->time != *time) {
        json_write_verbatim(writer, JSON_NEXT("at"));
        json_write_int64(writer, op->time);
    }
    json_end_object(writer);
    *time = op->time;
}

/* One op under way. Every name has a bit in `seen`: those of the kind's fields come from 2 up. */
struct reading {
    struct json_reader *json;
    struct op_scratch *scratch;
    struct op *op;
    unsigned seen;
};

enum { SEEN_KEY = 1, SEEN_AT = 2, SEEN_FIELDS = 4 };

static bool once(struct reading *r, unsigned bit)
{
    if (r->seen & bit)
        return json_reader_fail(r->json, "the same field twice in an op");
    r->seen |= bit;
    return true;
}

static void read_list(struct reading *r, struct slice_list *list)
{
    struct slice item;
    size_t count = 0;
    if (!json_expect_array(r->json))
        return;
    while (json_next_element(r->json))
        if (json_read_scalar(r->json, &item))
            *op_scratch_item(r->scratch, count++) = item;
    *list = (struct slice_list){r->scratch->items, count};
}

static void read_condition(struct reading *r, enum op_condition *condition)
{
    struct slice name;
    if (json_expect_string(r->json, &name) && !op_condition_parse(name, condition))
        json_reader_fail(r->json, "unknown condition");
}

static void read_side(struct reading *r, enum op_side *side)
{
    struct slice name;
    if (json_expect_string(r->json, &name) && !op_side_parse(name, side))
        json_reader_fail(r->json, "expected \"left\" or \"right\"");
}

static void read_value(struct reading *r, struct entry **value)
{
    *value = value_json_read(r->json, slice_make("", 0));
    if (*value && entry_expires(*value))
        json_reader_fail(r->json, "a deadline inside the value of an op");
}

#define READ_BYTES(to)     json_read_scalar(r->json, to)
#define READ_INT(to)       json_expect_int64(r->json, to)
#define READ_LIST(to)      read_list(r, to)
#define READ_CONDITION(to) read_condition(r, to)
#define READ_SIDE(to)      read_side(r, to)
#define READ_VALUE(to)     read_value(r, to)

#define OPTIONAL_BYTES     false
#define OPTIONAL_INT       strcmp(field, "expires") == 0
#define OPTIONAL_LIST      false
#define OPTIONAL_CONDITION true
#define OPTIONAL_SIDE      false
#define OPTIONAL_VALUE     false

/* Reads the field `name`, if the kind has it. */
static bool read_field(struct reading *r, struct slice name)
{
    unsigned bit = SEEN_FIELDS;
    switch (r->op->kind) {
#define READ(KIND, field)                                                                          \
    if (slice_equal(name, slice_make(#field, sizeof(#field) - 1))) {                               \
        if (once(r, bit))                                                                          \
            READ_##KIND(&f->field);                                                                \
        return true;                                                                               \
    }                                                                                              \
    bit <<= 1;
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: {                                                                              \
        struct op_##member *f = &r->op->member;                                                    \
        (void)f;                                                                                   \
        OP_FIELDS_##NAME(READ) break;                                                              \
    }
        OP_LIST(OP)
#undef OP
    case OP_COUNT: break;
    }
    return false;
}

/* Those fields that stand where writers of ours put them; the rest is left to read_member. */
static void take_fields(struct reading *r)
{
    unsigned bit = SEEN_FIELDS;
    if (r->seen & SEEN_KEY || json_take_name(r->json, JSON_NEXT("key"))) {
        r->seen |= SEEN_KEY;
        json_read_bytes(r->json, &r->op->key);
    }
    switch (r->op->kind) {
#define TAKE(KIND, field)                                                                          \
    if (json_take_name(r->json, JSON_NEXT(#field))) {                                              \
        r->seen |= bit;                                                                            \
        READ_##KIND(&f->field);                                                                    \
    }                                                                                              \
    bit <<= 1;
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: {                                                                              \
        struct op_##member *f = &r->op->member;                                                    \
        (void)f;                                                                                   \
        OP_FIELDS_##NAME(TAKE) break;                                                              \
    }
        OP_LIST(OP)
#undef OP
    case OP_COUNT: break;
    }
}

/* The bits of the fields that must have been there. */
static unsigned required_fields(enum op_kind kind)
{
    unsigned bit = SEEN_FIELDS, required = kind == OP_NAMESPACE_CLEAR ? 0 : SEEN_KEY;
    switch (kind) {
#define REQUIRE(KIND, name)                                                                        \
    {                                                                                              \
        const char *field = #name;                                                                 \
        (void)field;                                                                               \
        if (!(OPTIONAL_##KIND))                                                                    \
            required |= bit;                                                                       \
        bit <<= 1;                                                                                 \
    }
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: OP_FIELDS_##NAME(REQUIRE) break;
        OP_LIST(OP)
#undef OP
    case OP_COUNT: break;
    }
    return required;
}

static void read_member(struct reading *r, struct slice name)
{
    if (slice_equal(name, slice_of("key"))) {
        if (once(r, SEEN_KEY))
            json_read_bytes(r->json, &r->op->key);
    } else if (slice_equal(name, slice_of("at"))) {
        if (once(r, SEEN_AT))
            json_expect_int64(r->json, &r->op->time);
    } else if (!read_field(r, name)) {
        json_reader_fail(r->json, "unknown field in a %s", op_kind_name(r->op->kind));
    }
}

/* "op" tells how the rest is read, so it comes first. */
static bool read_kind(struct json_reader *reader, enum op_kind *kind)
{
    struct slice name;
    if (!json_expect_member(reader, &name) || !slice_equal(name, slice_of("op")))
        return json_reader_fail(reader, "an op must begin with \"op\"");
    if (!json_expect_string(reader, &name))
        return false;
    return op_kind_parse(name, kind) || json_reader_fail(reader, "unknown op");
}

/* The kind, and where writers of ours made it the name "key", which has been seen then. */
static bool read_beginning(struct reading *r)
{
    enum op_kind *kind = &r->scratch->kind;
    if (json_take_beginning(r->json, beginnings[*kind].data, beginnings[*kind].len)) {
        r->seen = SEEN_KEY;
        return true;
    }
    return read_kind(r->json, kind);
}

bool op_json_read(struct json_reader *reader, struct op_scratch *scratch, int64_t *time,
                  struct op *op)
{
    struct reading r = {.json = reader, .scratch = scratch, .op = op};
    struct slice name;
    if (!read_beginning(&r))
        return false;
    memset(op, 0, sizeof(*op));
    op->kind = scratch->kind;
    op->key = slice_make("", 0);
    op->time = *time;
    take_fields(&r);
    while (json_next_name(reader, &name))
        read_member(&r, name);
    if (required_fields(op->kind) & ~r.seen)
        json_reader_fail(reader, "a field is missing in a %s", op_kind_name(op->kind));
    else if (!json_reader_failed(reader) && !op_valid(op))
        json_reader_fail(reader, "not a valid %s", op_kind_name(op->kind));
    if (json_reader_failed(reader)) {
        op_release(op);
        return false;
    }
    *time = op->time;
    return true;
}
