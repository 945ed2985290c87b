/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A state says what may come next; open levels are bits of a word. Every look at the input is
 * preceded by a look at its end.
 */
#include "persistence/json_reader.h"

#include "persistence/base64.h"

#include <stdio.h>

#define SURE_DIGITS 18 /* of an integer that fits 64 bits whatever they are */

enum step { STEP_FAILED, STEP_ITEM, STEP_CLOSED };

static bool fail_vat(struct json_reader *reader, const char *at, const char *format, va_list args)
{
    if (reader->failed)
        return false;
    reader->failed = true;
    reader->token = at;
    /* The position must survive a long message. */
    size_t room = sizeof(reader->error) - 32;
    int len = vsnprintf(reader->error, room, format, args);
    size_t used = len < 0 ? 0 : (size_t)len < room ? (size_t)len : room - 1;
    snprintf(reader->error + used, sizeof(reader->error) - used, " at byte %zu",
             json_reader_offset(reader));
    return false;
}

__attribute__((cold, format(printf, 3, 4))) static bool
fail_at(struct json_reader *reader, const char *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_vat(reader, at, format, args);
    va_end(args);
    return false;
}

bool json_reader_fail(struct json_reader *reader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_vat(reader, reader->token, format, args);
    va_end(args);
    return false;
}

const char *json_reader_error(const struct json_reader *reader)
{
    return reader->error;
}

size_t json_reader_offset(const struct json_reader *reader)
{
    return reader->start ? (size_t)(reader->token - reader->start) : 0;
}

void json_reader_mark(const struct json_reader *reader, struct json_mark *ret_mark)
{
    *ret_mark = (struct json_mark){.cursor = reader->cursor,
                                   .objects = reader->objects,
                                   .scratch_len = reader->scratch->len,
                                   .depth = reader->depth,
                                   .state = reader->state};
}

void json_reader_rewind(struct json_reader *reader, const struct json_mark *mark)
{
    if (reader->failed)
        return;
    reader->cursor = reader->token = mark->cursor;
    reader->objects = mark->objects;
    reader->scratch->len = mark->scratch_len;
    reader->depth = mark->depth;
    reader->state = mark->state;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Moves to the next token and returns its first character, or 0 at the end of the text. */
static inline char skip_space(struct json_reader *reader)
{
    while (reader->cursor < reader->end && is_space(*reader->cursor))
        reader->cursor++;
    return reader->cursor < reader->end ? *reader->cursor : '\0';
}

static inline void after_value(struct json_reader *reader)
{
    reader->state = reader->depth ? JSON_AT_NEXT : JSON_AT_END;
}

static bool open_level(struct json_reader *reader, bool object)
{
    if (reader->depth == JSON_DEPTH_MAX)
        return fail_at(reader, reader->cursor, "nested more than %d levels deep", JSON_DEPTH_MAX);
    reader->cursor++;
    reader->objects = reader->objects << 1 | object;
    reader->depth++;
    reader->state = object ? JSON_AT_FIRST_NAME : JSON_AT_FIRST_ELEMENT;
    return true;
}

static enum step close_level(struct json_reader *reader)
{
    reader->cursor++;
    reader->objects >>= 1;
    reader->depth--;
    after_value(reader);
    return STEP_CLOSED;
}

/* Four hex digits at `at`, or -1. */
static int32_t read_hex4(const char *at, const char *end)
{
    int32_t sum = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i], lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            sum = sum << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            sum = sum << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return sum;
}

static size_t encode_utf8(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 63));
        out[2] = (char)(0x80 | (point & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 63));
    out[2] = (char)(0x80 | (point >> 6 & 63));
    out[3] = (char)(0x80 | (point & 63));
    return 4;
}

/* `at` is behind "\u". Returns where the escape ends, NULL when it is none; a surrogate needs its
 * pair. */
static const char *read_unicode(const char *at, const char *end, char out[4], size_t *ret_len)
{
    int32_t point = read_hex4(at, end);
    if (point < 0 || (point >= 0xdc00 && point <= 0xdfff))
        return NULL;
    at += 4;
    if (point >= 0xd800 && point <= 0xdbff) {
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
            return NULL;
        int32_t low = read_hex4(at + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
            return NULL;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *ret_len = encode_utf8((uint32_t)point, out);
    return at;
}

/* `at` is behind the backslash. Returns where the escape ends, NULL when it is none. */
static const char *read_escape(const char *at, const char *end, char out[4], size_t *ret_len)
{
    if (at == end)
        return NULL;
    *ret_len = 1;
    switch (*at++) {
    case '"': out[0] = '"'; return at;
    case '\\': out[0] = '\\'; return at;
    case '/': out[0] = '/'; return at;
    case 'b': out[0] = '\b'; return at;
    case 'f': out[0] = '\f'; return at;
    case 'n': out[0] = '\n'; return at;
    case 'r': out[0] = '\r'; return at;
    case 't': out[0] = '\t'; return at;
    case 'u': return read_unicode(at, end, out, ret_len);
    }
    return NULL;
}

/* As scan_run, for what is more than plain bytes and a quote: `at` is its first byte that is
 * special. */
static const char *scan_special(struct json_reader *reader, const char *at)
{
    const char *end = reader->end;
    for (;; at = text_find_special(at, end)) {
        if (at == end) {
            fail_at(reader, reader->token, "string without end");
            return NULL;
        }
        if (*at == '"' || *at == '\\')
            return at;
        if ((unsigned char)*at < 0x20) {
            fail_at(reader, at, "control character in a string");
            return NULL;
        }
        do {
            size_t step = text_utf8_sequence(at, (size_t)(end - at));
            if (step == 0) {
                fail_at(reader, at, "invalid UTF-8");
                return NULL;
            }
            at += step;
        } while (at < end && (unsigned char)*at >= 0x80);
    }
}

/*
 * From `at` to the next quote or backslash, everything between checked. NULL, with the error set,
 * when the string cannot go on.
 */
static inline const char *scan_run(struct json_reader *reader, const char *at)
{
    at = text_find_special(at, reader->end);
    return at < reader->end && *at == '"' ? at : scan_special(reader, at);
}

/*
 * The rest of a string from its first backslash at `at`, decoded behind the scratch. Decoded bytes
 * are never more than the input they come from, so what is reserved at first lasts to the end.
 */
static bool read_escaped(struct json_reader *reader, const char *from, const char *at,
                         struct slice *ret_string)
{
    char *to = text_reserve(reader->scratch, (size_t)(reader->end - from));
    char *begin = to;
    while (*at != '"') {
        size_t len = (size_t)(at - from);
        memcpy(to, from, len);
        to += len;
        const char *escape = at;
        from = read_escape(at + 1, reader->end, to, &len);
        if (!from)
            return fail_at(reader, escape, "invalid escape in a string");
        to += len;
        at = scan_run(reader, from);
        if (!at)
            return false;
    }
    memcpy(to, from, (size_t)(at - from));
    to += at - from;
    reader->cursor = at + 1;
    reader->scratch->len += (size_t)(to - begin);
    *ret_string = slice_make(begin, (size_t)(to - begin));
    return true;
}

/* As read_escaped, but only to check and to pass. */
static bool pass_escaped(struct json_reader *reader, const char *at)
{
    while (*at != '"') {
        char ignored[4];
        size_t len;
        const char *from = read_escape(at + 1, reader->end, ignored, &len);
        if (!from)
            return fail_at(reader, at, "invalid escape in a string");
        at = scan_run(reader, from);
        if (!at)
            return false;
    }
    reader->cursor = at + 1;
    return true;
}

/* The cursor is on the opening quote. Without `decode`, `ret_string` is left alone. */
static inline bool read_string(struct json_reader *reader, bool decode, struct slice *ret_string)
{
    const char *from = reader->cursor + 1;
    reader->token = reader->cursor;
    const char *at = scan_run(reader, from);
    if (!at)
        return false;
    if (*at != '"')
        return decode ? read_escaped(reader, from, at, ret_string) : pass_escaped(reader, at);
    reader->cursor = at + 1;
    if (decode)
        *ret_string = slice_make(from, (size_t)(at - from));
    return true;
}

static inline bool is_digit_at(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const char *pass_digits(const char *at, const char *end)
{
    while (is_digit_at(at, end))
        at++;
    return at;
}

/*
 * Most numbers are integers of few digits: true when one stands at the cursor and something else
 * than a number goes on behind it, false when that takes a closer look.
 */
static inline bool take_integer(struct json_reader *reader, struct slice *ret_text,
                                int64_t *ret_number)
{
    const char *at = reader->cursor, *end = reader->end;
    bool negative = at < end && *at == '-';
    uint64_t number = 0;
    at += negative;
    const char *digits = at;
    for (; is_digit_at(at, end); at++)
        number = number * 10 + (unsigned)(*at - '0');
    size_t count = (size_t)(at - digits);
    if (count == 0 || count > SURE_DIGITS || at == end || *at == '.' || (*at | 0x20) == 'e' ||
        (*digits == '0' && count + negative > 1))
        return false;
    *ret_text = slice_make(reader->cursor, (size_t)(at - reader->cursor));
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    reader->token = reader->cursor;
    reader->cursor = at;
    after_value(reader);
    return true;
}

/* The cursor is on a minus or a digit. */
static bool read_number(struct json_reader *reader, struct json_event *event)
{
    const char *at = reader->cursor, *end = reader->end;
    bool plain = true;
    if (*at == '-')
        at++;
    if (!is_digit_at(at, end))
        return fail_at(reader, at, "expected a digit");
    at = *at == '0' ? at + 1 : pass_digits(at, end);
    if (at < end && *at == '.') {
        plain = false;
        if (!is_digit_at(at + 1, end))
            return fail_at(reader, at + 1, "expected a digit");
        at = pass_digits(at + 1, end);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        plain = false;
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!is_digit_at(at, end))
            return fail_at(reader, at, "expected a digit");
        at = pass_digits(at, end);
    }
    event->kind = JSON_KIND_NUMBER;
    event->text = slice_make(reader->cursor, (size_t)(at - reader->cursor));
    event->is_integer = plain && text_parse_int64(event->text, &event->integer);
    reader->cursor = at;
    return true;
}

static bool read_word(struct json_reader *reader, const char *word, enum json_kind kind,
                      struct json_event *event)
{
    size_t len = strlen(word);
    if ((size_t)(reader->end - reader->cursor) < len || memcmp(reader->cursor, word, len) != 0)
        return fail_at(reader, reader->cursor, "expected a value");
    reader->cursor += len;
    event->kind = kind;
    return true;
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '{': return JSON_KIND_OBJECT_BEGIN;
    case '[': return JSON_KIND_ARRAY_BEGIN;
    case '"': return JSON_KIND_STRING;
    case 't': return JSON_KIND_TRUE;
    case 'f': return JSON_KIND_FALSE;
    case 'n': return JSON_KIND_NULL;
    }
    return first == '-' || (first >= '0' && first <= '9') ? JSON_KIND_NUMBER : JSON_KIND_NONE;
}

/* Takes the beginning of a container, or a whole value of any other kind. */
static bool read_value(struct json_reader *reader, bool decode, struct json_event *event)
{
    assert(reader->state == JSON_AT_VALUE);
    enum json_kind kind = kind_of(skip_space(reader));
    bool done = false;
    reader->token = reader->cursor;
    switch (kind) {
    case JSON_KIND_OBJECT_BEGIN:
    case JSON_KIND_ARRAY_BEGIN:
        event->kind = kind;
        return open_level(reader, kind == JSON_KIND_OBJECT_BEGIN);
    case JSON_KIND_STRING:
        event->kind = kind;
        done = read_string(reader, decode, &event->text);
        break;
    case JSON_KIND_NUMBER: done = read_number(reader, event); break;
    case JSON_KIND_TRUE: done = read_word(reader, "true", kind, event); break;
    case JSON_KIND_FALSE: done = read_word(reader, "false", kind, event); break;
    case JSON_KIND_NULL: done = read_word(reader, "null", kind, event); break;
    case JSON_KIND_NONE:
    case JSON_KIND_OBJECT_END:
    case JSON_KIND_ARRAY_END:
    case JSON_KIND_NAME:
    case JSON_KIND_END: done = fail_at(reader, reader->cursor, "expected a value"); break;
    }
    if (done)
        after_value(reader);
    return done;
}

/* In an object, between its members: takes a name with its colon, or the end. */
static inline enum step step_object(struct json_reader *reader, bool decode, struct slice *ret_name)
{
    assert(reader->state == JSON_AT_FIRST_NAME || reader->state == JSON_AT_NEXT);
    bool first = reader->state == JSON_AT_FIRST_NAME;
    char c = skip_space(reader);
    if (c == '}')
        return close_level(reader);
    if (!first) {
        if (c != ',') {
            fail_at(reader, reader->cursor, "expected ',' or '}'");
            return STEP_FAILED;
        }
        reader->cursor++;
        c = skip_space(reader);
    }
    if (c != '"') {
        fail_at(reader, reader->cursor, first ? "expected a name or '}'" : "expected a name");
        return STEP_FAILED;
    }
    if (!read_string(reader, decode, ret_name))
        return STEP_FAILED;
    if (skip_space(reader) != ':') {
        fail_at(reader, reader->cursor, "expected ':'");
        return STEP_FAILED;
    }
    reader->cursor++;
    reader->state = JSON_AT_VALUE;
    return STEP_ITEM;
}

/* In an array, between its elements: takes the comma that must be there, or the end. */
static inline enum step step_array(struct json_reader *reader)
{
    assert(reader->state == JSON_AT_FIRST_ELEMENT || reader->state == JSON_AT_NEXT);
    char c = skip_space(reader);
    if (c == ']')
        return close_level(reader);
    if (reader->state == JSON_AT_NEXT) {
        if (c != ',') {
            fail_at(reader, reader->cursor, "expected ',' or ']'");
            return STEP_FAILED;
        }
        reader->cursor++;
    }
    reader->state = JSON_AT_VALUE;
    return STEP_ITEM;
}

static bool read_end(struct json_reader *reader)
{
    skip_space(reader);
    if (reader->cursor != reader->end)
        return fail_at(reader, reader->cursor, "expected nothing more");
    return true;
}

static bool read_event(struct json_reader *reader, bool decode, struct json_event *event)
{
    enum step step;
    if (reader->failed)
        return false;
    if (reader->state == JSON_AT_END) {
        event->kind = JSON_KIND_END;
        return read_end(reader);
    }
    if (reader->state == JSON_AT_VALUE)
        return read_value(reader, decode, event);
    if (reader->objects & 1) {
        step = step_object(reader, decode, &event->text);
        event->kind = step == STEP_ITEM ? JSON_KIND_NAME : JSON_KIND_OBJECT_END;
        return step != STEP_FAILED;
    }
    step = step_array(reader);
    if (step == STEP_ITEM)
        return read_value(reader, decode, event);
    event->kind = JSON_KIND_ARRAY_END;
    return step != STEP_FAILED;
}

bool json_read_event(struct json_reader *reader, struct json_event *ret_event)
{
    struct json_event event = {0};
    if (!read_event(reader, true, &event))
        return false;
    *ret_event = event;
    return true;
}

enum json_kind json_peek(struct json_reader *reader)
{
    if (reader->failed)
        return JSON_KIND_NONE;
    assert(reader->state == JSON_AT_VALUE);
    enum json_kind kind = kind_of(skip_space(reader));
    if (kind == JSON_KIND_NONE)
        fail_at(reader, reader->cursor, "expected a value");
    return kind;
}

/* Undoes the base64: tag of json_write_bytes; the text may lie in the scratch already. */
static bool decode_tagged(struct json_reader *reader, struct slice string, struct slice *ret_bytes)
{
    struct slice digits = slice_make(string.data + JSON_TAG_LEN, string.len - JSON_TAG_LEN);
    bool borrowed = string.data >= reader->start && string.data < reader->end;
    char *to = borrowed ? text_reserve(reader->scratch, (size_t)(reader->end - string.data))
                        : (char *)string.data;
    size_t len;
    if (!base64_decode(digits, to, &len))
        return json_reader_fail(reader, "invalid base64");
    if (borrowed)
        reader->scratch->len += len;
    *ret_bytes = slice_make(to, len);
    return true;
}

static inline bool untag(struct json_reader *reader, struct slice string, struct slice *ret_bytes)
{
    if (json_is_tagged(string))
        return decode_tagged(reader, string, ret_bytes);
    *ret_bytes = string;
    return true;
}

bool json_next_name(struct json_reader *reader, struct slice *ret_name)
{
    struct slice name;
    if (reader->failed)
        return false;
    assert(reader->objects & 1);
    if (reader->cursor < reader->end && *reader->cursor == '}') {
        assert(reader->state != JSON_AT_VALUE);
        close_level(reader);
        return false;
    }
    return step_object(reader, true, &name) == STEP_ITEM && untag(reader, name, ret_name);
}

bool json_next_element(struct json_reader *reader)
{
    if (reader->failed)
        return false;
    assert(reader->depth && !(reader->objects & 1));
    if (reader->state == JSON_AT_NEXT && reader->cursor < reader->end && *reader->cursor == ',') {
        reader->cursor++;
        reader->state = JSON_AT_VALUE;
        return true;
    }
    return step_array(reader) == STEP_ITEM;
}

/* Takes one value if it is of `kind`; `what` names it for the error. */
static inline bool expect(struct json_reader *reader, enum json_kind kind, const char *what,
                          struct json_event *event)
{
    enum json_kind found = json_peek(reader);
    if (found == kind)
        return read_value(reader, true, event);
    return fail_at(reader, reader->cursor, "expected %s", what);
}

/* Does the next value begin with `first`? The kinds that commits and chunks are made of are told
 * so, and taken without asking for more; expect() finds the words for what is something else. */
static inline bool at_value(struct json_reader *reader, char first)
{
    if (reader->failed)
        return false;
    assert(reader->state == JSON_AT_VALUE);
    if (skip_space(reader) != first)
        return false;
    reader->token = reader->cursor;
    return true;
}

/* An integer, `ret_text` its digits. */
static bool expect_integer(struct json_reader *reader, const char *what, struct slice *ret_text,
                           int64_t *ret_number)
{
    struct json_event event;
    if (!reader->failed && take_integer(reader, ret_text, ret_number))
        return true;
    if (!expect(reader, JSON_KIND_NUMBER, what, &event))
        return false;
    if (!event.is_integer)
        return json_reader_fail(reader, "number not an integer of 64 bits");
    *ret_text = event.text;
    *ret_number = event.integer;
    return true;
}

bool json_expect_object(struct json_reader *reader)
{
    struct json_event event;
    return at_value(reader, '{') ? open_level(reader, true)
                                 : expect(reader, JSON_KIND_OBJECT_BEGIN, "an object", &event);
}

bool json_expect_array(struct json_reader *reader)
{
    struct json_event event;
    return at_value(reader, '[') ? open_level(reader, false)
                                 : expect(reader, JSON_KIND_ARRAY_BEGIN, "an array", &event);
}

/* The value, at which at_value() saw a quote. */
static inline bool take_string(struct json_reader *reader, struct slice *ret_string)
{
    if (!read_string(reader, true, ret_string))
        return false;
    after_value(reader);
    return true;
}

bool json_expect_string(struct json_reader *reader, struct slice *ret_string)
{
    struct json_event event;
    return at_value(reader, '"') ? take_string(reader, ret_string)
                                 : expect(reader, JSON_KIND_STRING, "a string", &event);
}

bool json_expect_int64(struct json_reader *reader, int64_t *ret_number)
{
    struct slice string;
    if (!at_value(reader, '"'))
        return expect_integer(reader, "an integer", &string, ret_number);
    return take_string(reader, &string) && (text_parse_int64(string, ret_number) ||
                                            json_reader_fail(reader, "expected an integer"));
}

bool json_expect_bool(struct json_reader *reader, bool *ret_value)
{
    struct json_event event;
    bool is_true = json_peek(reader) == JSON_KIND_TRUE;
    if (!expect(reader, is_true ? JSON_KIND_TRUE : JSON_KIND_FALSE, "true or false", &event))
        return false;
    *ret_value = is_true;
    return true;
}

bool json_expect_null(struct json_reader *reader)
{
    struct json_event event;
    return expect(reader, JSON_KIND_NULL, "null", &event);
}

bool json_expect_end(struct json_reader *reader)
{
    if (reader->failed)
        return false;
    assert(reader->state == JSON_AT_END);
    return read_end(reader);
}

bool json_read_bytes(struct json_reader *reader, struct slice *ret_bytes)
{
    struct slice string;
    return json_expect_string(reader, &string) && untag(reader, string, ret_bytes);
}

bool json_read_scalar(struct json_reader *reader, struct slice *ret_bytes)
{
    struct slice string;
    int64_t number;
    if (at_value(reader, '"'))
        return take_string(reader, &string) && untag(reader, string, ret_bytes);
    return expect_integer(reader, "a string or an integer", ret_bytes, &number);
}

const char *json_value_begin(struct json_reader *reader)
{
    skip_space(reader);
    return reader->cursor;
}

bool json_skip_value(struct json_reader *reader, struct slice *ret_raw)
{
    struct json_event event;
    if (json_peek(reader) == JSON_KIND_NONE)
        return false;
    const char *from = reader->cursor;
    unsigned depth = reader->depth;
    do {
        if (!read_event(reader, false, &event))
            return false;
    } while (reader->depth > depth);
    reader->token = from;
    if (ret_raw)
        *ret_raw = slice_make(from, (size_t)(reader->cursor - from));
    return true;
}
