/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pull parser over one JSON text in memory: RFC 8259 to the letter, well-formed UTF-8 only, no
 * recursion, bounded depth. Made for input that may be damaged or hostile: it reads no byte outside
 * the text and the first error stops it for good. Duplicate names are reported as they come.
 *
 * Strings without escapes are borrowed from the input; others are decoded behind the bytes of
 * `scratch`. At its first need the reader reserves there as much as all the rest of the input could
 * take, so slices stay valid until the scratch is cleared, released or used by another reader.
 *
 * A decoder asks for what its format says:
 *
 *     struct slice name;
 *     if (!json_expect_object(reader))
 *         return false;
 *     while (json_next_name(reader, &name)) {
 *         if (slice_equal(name, slice_of("delta")))
 *             json_expect_int64(reader, &delta);
 *         else
 *             json_reader_fail(reader, "unknown field");
 *     }
 *     return !json_reader_failed(reader);
 *
 * Each name and each element must have its value read (or skipped) before the next is asked for.
 * After an error every function returns false and leaves its results alone, so a decoder may check
 * once, at its end, provided it gave its variables a value first.
 */
#ifndef CAIRN_PERSISTENCE_JSON_READER_H
#define CAIRN_PERSISTENCE_JSON_READER_H

#include "ops/slice.h"
#include "persistence/json_form.h"
#include "persistence/text.h"

/* Our documents nest less than ten deep; one bit per level fits a word. */
#define JSON_DEPTH_MAX 64

/* The long prefix keeps clear of jansson, which the tests use beside this. */
enum json_kind {
    JSON_KIND_NONE, /* only from json_peek: no value begins here */
    JSON_KIND_OBJECT_BEGIN,
    JSON_KIND_OBJECT_END,
    JSON_KIND_ARRAY_BEGIN,
    JSON_KIND_ARRAY_END,
    JSON_KIND_NAME,
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_TRUE,
    JSON_KIND_FALSE,
    JSON_KIND_NULL,
    JSON_KIND_END, /* the text is over, and was whole */
};

struct json_event {
    enum json_kind kind;
    bool is_integer;   /* a number that "%lld" would print just so */
    int64_t integer;   /* its value */
    struct slice text; /* names, strings: unescaped, the base64: rule not applied; numbers: raw */
};

/* What may come next; the reader's own. */
enum json_state {
    JSON_AT_VALUE,         /* at the start, after ':', after ',' in an array */
    JSON_AT_FIRST_NAME,    /* after '{' */
    JSON_AT_FIRST_ELEMENT, /* after '[' */
    JSON_AT_NEXT,          /* after a value inside an object or an array */
    JSON_AT_END,           /* after the outermost value */
};

struct json_reader {
    const char *start;
    const char *cursor;
    const char *end;
    const char *token; /* where the last name or value began, or where the error is */
    struct text *scratch;
    uint64_t objects; /* one bit per open level, the innermost lowest: 1 for an object */
    unsigned depth;
    unsigned char state;
    bool failed;
    char error[160];
};

/* `input` and `scratch` stay the caller's and outlive the reader and its slices. */
static inline void json_reader_init(struct json_reader *reader, struct slice input,
                                    struct text *scratch)
{
    /* Not by a whole assignment: the error buffer need not be cleared for every short line. */
    reader->start = reader->cursor = reader->token = input.data;
    reader->end = input.len ? input.data + input.len : input.data;
    reader->scratch = scratch;
    reader->objects = 0;
    reader->depth = 0;
    reader->state = JSON_AT_VALUE;
    reader->failed = false;
    reader->error[0] = '\0';
}

/* A place in the text, to come back to. */
struct json_mark {
    const char *cursor;
    uint64_t objects;
    size_t scratch_len;
    unsigned depth;
    unsigned char state;
};

/*
 * For values whose first names decide how the rest is read: mark, look, rewind, read. Rewinding
 * gives the scratch back, so names and values read since the mark are gone. It does not undo
 * errors.
 */
void json_reader_mark(const struct json_reader *reader, struct json_mark *ret_mark);
void json_reader_rewind(struct json_reader *reader, const struct json_mark *mark);

/* The next event, whatever it is. False on error. JSON_KIND_END again and again once the text is
 * over.
 */
bool json_read_event(struct json_reader *reader, struct json_event *ret_event);

/* What value comes next, without taking it. JSON_KIND_NONE, and an error, when none does. */
enum json_kind json_peek(struct json_reader *reader);

/* Inside an object: the next name, base64: rule applied. False at its end (taken) or on error. */
bool json_next_name(struct json_reader *reader, struct slice *ret_name);

/* Of json_take_name. */
static inline bool json_take_text(struct json_reader *reader, enum json_state state,
                                  const char *text, size_t len)
{
    if (reader->state != state || reader->failed || (size_t)(reader->end - reader->cursor) < len ||
        memcmp(reader->cursor, text, len) != 0)
        return false;
    reader->token = reader->cursor + (text[0] == ',');
    reader->cursor += len;
    reader->state = JSON_AT_VALUE;
    return true;
}

/*
 * Inside an object, behind a member: takes the next name if it stands there just so (JSON_NEXT).
 * False: it does not, and json_next_name has to be asked.
 */
static inline bool json_take_name(struct json_reader *reader, const char *text, size_t len)
{
    assert(reader->failed || reader->objects & 1);
    return json_take_text(reader, JSON_AT_NEXT, text, len);
}

/* The same for the first, which has no comma before it. */
static inline bool json_take_first_name(struct json_reader *reader, const char *text, size_t len)
{
    assert(reader->failed || reader->objects & 1);
    return json_take_text(reader, JSON_AT_FIRST_NAME, text + 1, len - 1);
}

/*
 * Before an object, perhaps at the end of a line, that begins with these bytes, a brace and whole
 * members up to the value of the last name: takes them. False: it does not.
 */
static inline bool json_take_beginning(struct json_reader *reader, const char *text, size_t len)
{
    if (reader->cursor < reader->end && *reader->cursor == '\n' && !reader->failed)
        reader->cursor++;
    if (reader->depth == JSON_DEPTH_MAX || !json_take_text(reader, JSON_AT_VALUE, text, len))
        return false;
    reader->objects = reader->objects << 1 | 1;
    reader->depth++;
    return true;
}

/* Inside an array: true when an element follows. False at its end (taken) or on error. */
bool json_next_element(struct json_reader *reader);

/* Each takes one value of that kind, or sets the error and returns false. */
bool json_expect_object(struct json_reader *reader);
/*
 * An object and its first name, as json_expect_object and json_next_name give them; both at once
 * where no space stands between them and the name is plain.
 */
static inline bool json_expect_member(struct json_reader *reader, struct slice *ret_name)
{
    const char *at = reader->cursor, *end = reader->end;
    assert(reader->failed || reader->state == JSON_AT_VALUE);
    if (!reader->failed && reader->depth < JSON_DEPTH_MAX && end - at > 1 && at[0] == '{' &&
        at[1] == '"') {
        const char *quote = text_find_special(at + 2, end);
        struct slice name = slice_make(at + 2, (size_t)(quote - at - 2));
        if (end - quote > 1 && quote[0] == '"' && quote[1] == ':' && !json_is_tagged(name)) {
            reader->cursor = quote + 2;
            reader->token = at + 1;
            reader->objects = reader->objects << 1 | 1;
            reader->depth++;
            *ret_name = name;
            return true;
        }
    }
    return json_expect_object(reader) && json_next_name(reader, ret_name);
}
bool json_expect_array(struct json_reader *reader);
/* Unescaped, the base64: rule not applied. */
bool json_expect_string(struct json_reader *reader, struct slice *ret_string);
/* A number, or a string of the same digits, as json_write_int64 writes large ones. */
bool json_expect_int64(struct json_reader *reader, int64_t *ret_number);
bool json_expect_bool(struct json_reader *reader, bool *ret_value);
bool json_expect_null(struct json_reader *reader);
/* After the last value: nothing but space may follow. */
bool json_expect_end(struct json_reader *reader);

/* A string as json_write_bytes wrote it. */
bool json_read_bytes(struct json_reader *reader, struct slice *ret_bytes);
/* A string or an integer as json_write_scalar wrote it; an integer is given as its digits. */
bool json_read_scalar(struct json_reader *reader, struct slice *ret_bytes);

/* Where the next value begins, or would: to borrow values from the input as they stand. */
const char *json_value_begin(struct json_reader *reader);

/* Takes one whole value, checked like any other but not decoded; `ret_raw` (may be NULL) borrows
 * it. */
bool json_skip_value(struct json_reader *reader, struct slice *ret_raw);

/* Sets an error of the caller's own, at the last name or value: "<message> at byte n". Returns
 * false. */
bool json_reader_fail(struct json_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool json_reader_failed(const struct json_reader *reader)
{
    return reader->failed;
}

/* "expected ',' or '}' at byte 123", or "" when there was no error. Lives as long as the reader. */
const char *json_reader_error(const struct json_reader *reader);

/* Where the error is, or where the last name or value began, in bytes from the start. */
size_t json_reader_offset(const struct json_reader *reader);

#endif
