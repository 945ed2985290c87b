/* SPDX-License-Identifier: BSD-3-Clause */
/* Unfolded from OP_LIST: each kind has a writer, and a reader that takes its fields by name. */
#include "persistence/op_json.h"

#include "persistence/value_json.h"

static char *put_list(struct text *out, char *at, struct slice_list list)
{
    *at++ = '[';
    for (size_t i = 0; i < list.count; i++) {
        if (i)
            *at++ = ',';
        at = json_put_scalar(out, at, list.items[i]);
    }
    *at++ = ']';
    return at;
}

static char *put_value(struct text *out, char *at, const struct entry *value)
{
    struct json_writer writer;
    json_put_end(out, at);
    json_writer_init(&writer, out);
    value_json_write(&writer, value, 0);
    return json_put_begin(out);
}

static char *put_word(struct text *out, char *at, const char *word)
{
    return json_put_bytes(out, at, slice_of(word));
}

/* No field is the first of its object: "op" is. */
#define PUT_NAME(name) at = json_put_verbatim(at, JSON_NEXT(#name))

#define IS_EXPIRES(name) (strcmp(#name, "expires") == 0)

/* An op that sets no deadline does not speak of one; any other number is always there. */
#define PUT_INT(name)                                                                              \
    if (!IS_EXPIRES(name) || f->name != OP_EXPIRES_NEVER)                                          \
    PUT_NAME(name), at = json_put_int64(at, f->name)
#define PUT_CONDITION(name)                                                                        \
    if (f->name != OP_CONDITION_NONE)                                                              \
    PUT_NAME(name), at = put_word(out, at, op_condition_name(f->name))
#define PUT_BYTES(name) PUT_NAME(name), at = json_put_scalar(out, at, f->name)
#define PUT_LIST(name)  PUT_NAME(name), at = put_list(out, at, f->name)
#define PUT_SIDE(name)  PUT_NAME(name), at = put_word(out, at, op_side_name(f->name))
#define PUT_VALUE(name) PUT_NAME(name), at = put_value(out, at, f->name)

static inline char *put_fields(struct text *out, char *at, const struct op *op)
{
    switch (op->kind) {
#define PUT(KIND, name) PUT_##KIND(name);
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: {                                                                              \
        const struct op_##member *f = &op->member;                                                 \
        (void)f;                                                                                   \
        OP_FIELDS_##NAME(PUT) break;                                                               \
    }
        OP_LIST(OP)
#undef OP
    case OP_COUNT: assert(!"not an op"); break;
    }
    return at;
}

#define BEGINNING_MAX 32
#define KEY_NAME      ",\"key\":"

/* What stands before the key; all of `text` is copied, which takes a processor less than a part. */
static const struct beginning {
    char text[BEGINNING_MAX];
    size_t len;
} beginnings[OP_COUNT] = {
#define BEGINNING(json)        "{\"op\":\"" json "\"" KEY_NAME
#define OP(NAME, member, json) [OP_##NAME] = {BEGINNING(json), sizeof(BEGINNING(json)) - 1},
    OP_LIST(OP)
#undef OP
};
#define OP(NAME, member, json)                                                                     \
    _Static_assert(sizeof(BEGINNING(json)) <= BEGINNING_MAX, json " is too long a name");
OP_LIST(OP)
#undef OP

void op_json_write(struct text *out, const struct op *op, int64_t *time)
{
    char *at = json_put_begin(out);
    memcpy(at, beginnings[op->kind].text, BEGINNING_MAX);
    at += beginnings[op->kind].len;
    if (op->kind != OP_NAMESPACE_CLEAR)
        at = json_put_bytes(out, at, op->key);
    else
        at -= sizeof(KEY_NAME) - 1;
    at = put_fields(out, at, op);
    if (op->time != *time) {
        at = json_put_verbatim(at, JSON_NEXT("at"));
        at = json_put_int64(at, op->time);
    }
    *at++ = '}';
    json_put_end(out, at);
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
    if (json_take_beginning(r->json, beginnings[*kind].text, beginnings[*kind].len)) {
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
