/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Most strings are plain ASCII: one scan that finds nothing special proves that they are valid
 * UTF-8 and need no escape, and they are copied whole. The rest pays for a second look.
 */
#include "persistence/json_writer.h"

#include "persistence/base64.h"

#define TAG     "base64:"
#define TAG_LEN (sizeof(TAG) - 1)

void json_writer_init(struct json_writer *writer, struct text *out)
{
    *writer = (struct json_writer){.out = out};
}

static inline bool in_object(const struct json_writer *writer)
{
    return writer->depth > 0 && (writer->objects & 1);
}

/* Everything that puts a value passes here first. */
static inline void begin_value(struct json_writer *writer)
{
    assert(in_object(writer) == writer->named);
    if (writer->comma)
        text_append_char(writer->out, ',');
    writer->comma = true;
    writer->named = false;
}

static void open_level(struct json_writer *writer, bool object)
{
    begin_value(writer);
    assert(writer->depth < JSON_WRITER_DEPTH_MAX);
    writer->objects = writer->objects << 1 | object;
    writer->depth++;
    writer->comma = false;
    text_append_char(writer->out, object ? '{' : '[');
}

static void close_level(struct json_writer *writer, bool object)
{
    assert(writer->depth > 0 && in_object(writer) == object && !writer->named);
    writer->objects >>= 1;
    writer->depth--;
    writer->comma = true;
    text_append_char(writer->out, object ? '}' : ']');
}

void json_begin_object(struct json_writer *writer)
{
    open_level(writer, true);
}

void json_end_object(struct json_writer *writer)
{
    close_level(writer, true);
}

void json_begin_array(struct json_writer *writer)
{
    open_level(writer, false);
}

void json_end_array(struct json_writer *writer)
{
    close_level(writer, false);
}

static inline bool is_tagged(struct slice bytes)
{
    return bytes.len >= TAG_LEN && bytes.data[0] == TAG[0] && memcmp(bytes.data, TAG, TAG_LEN) == 0;
}

static void append_base64(struct text *out, struct slice bytes)
{
    char *at = text_reserve(out, TAG_LEN + base64_encoded_len(bytes.len) + 2);
    *at++ = '"';
    memcpy(at, TAG, TAG_LEN);
    at += TAG_LEN;
    at += base64_encode(bytes, at);
    *at++ = '"';
    out->len = (size_t)(at - out->data);
}

static size_t write_escape(unsigned char byte, char out[6])
{
    static const char short_form[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char hex[] = "0123456789abcdef";
    char letter = byte >= 0x20 ? (char)byte : short_form[byte];
    out[0] = '\\';
    if (letter) {
        out[1] = letter;
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = hex[byte >> 4];
    out[5] = hex[byte & 15];
    return 6;
}

/* The first byte that needs an escape, or `end`. */
static const char *find_escape(const char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t marks = text_escape_marks(text_load8(at));
        if (marks)
            return at + (__builtin_ctzll(marks) >> 3);
    }
    while (at < end && ((unsigned char)*at >= 0x80 || !text_is_special(*at)))
        at++;
    return at;
}

/* `bytes` is known to be valid UTF-8, and free of escapes up to `from`. */
static void append_escaped(struct text *out, struct slice bytes, const char *from)
{
    const char *at = bytes.data, *end = bytes.data + bytes.len;
    text_append_char(out, '"');
    for (;;) {
        const char *escape = find_escape(from, end);
        size_t run = (size_t)(escape - at);
        char *to = text_reserve(out, run + 6);
        memcpy(to, at, run);
        out->len += run;
        if (escape == end)
            break;
        out->len += write_escape((unsigned char)*escape, to + run);
        at = from = escape + 1;
    }
    text_append_char(out, '"');
}

#ifdef __SSE2__
static inline bool copy_plain16(char *to, const char *from)
{
    memcpy(to, from, 16);
    return !text_special_bits(from);
}
#endif

static inline bool copy_plain8(char *to, const char *from)
{
    memcpy(to, from, 8);
    return !text_special_marks(text_load8(from));
}

static inline bool copy_plain4to7(char *to, const char *from, size_t len)
{
    uint32_t first, last;
    memcpy(&first, from, 4);
    memcpy(&last, from + len - 4, 4);
    memcpy(to, &first, 4);
    memcpy(to + len - 4, &last, 4);
    return !text_special_marks((uint64_t)last << 32 | first);
}

/* Copies `bytes` and looks at them in one go: false when one is special, and what was copied is of
 * no account. */
static inline bool copy_plain(char *to, struct slice bytes)
{
    const char *from = bytes.data;
    size_t at = 0;
    if (bytes.len >= 4 && bytes.len < 8)
        return copy_plain4to7(to, from, bytes.len);
    if (bytes.len < 4) {
        for (; at < bytes.len && !text_is_special(from[at]); at++)
            to[at] = from[at];
        return at == bytes.len;
    }
    /* The last sixteen, or eight, are those of which some may have been copied. */
#ifdef __SSE2__
    if (bytes.len >= 16) {
        for (; bytes.len - at > 16; at += 16)
            if (!copy_plain16(to + at, from + at))
                return false;
        return copy_plain16(to + bytes.len - 16, from + bytes.len - 16);
    }
#endif
    for (; bytes.len - at > 8; at += 8)
        if (!copy_plain8(to + at, from + at))
            return false;
    return copy_plain8(to + bytes.len - 8, from + bytes.len - 8);
}

/* The whole rule for byte strings. */
static inline void append_bytes(struct text *out, struct slice bytes)
{
    if (bytes.len == 0) {
        text_append(out, "\"\"", 2);
        return;
    }
    if (is_tagged(bytes)) {
        append_base64(out, bytes);
        return;
    }
    char *at = text_reserve(out, bytes.len + 2);
    if (copy_plain(at + 1, bytes)) {
        at[0] = at[bytes.len + 1] = '"';
        out->len += bytes.len + 2;
        return;
    }
    const char *end = bytes.data + bytes.len;
    const char *special = text_find_special(bytes.data, end);
    if (text_is_utf8(slice_make(special, (size_t)(end - special)))) {
        append_escaped(out, bytes, special);
    } else {
        append_base64(out, bytes);
    }
}

void json_write_name(struct json_writer *writer, struct slice name)
{
    assert(in_object(writer) && !writer->named);
    if (writer->comma)
        text_append_char(writer->out, ',');
    append_bytes(writer->out, name);
    text_append_char(writer->out, ':');
    writer->comma = false;
    writer->named = true;
}

void json_write_field(struct json_writer *writer, const char *name)
{
    json_write_name(writer, slice_of(name));
}

void json_write_bytes(struct json_writer *writer, struct slice bytes)
{
    begin_value(writer);
    append_bytes(writer->out, bytes);
}

void json_write_string(struct json_writer *writer, const char *string)
{
    json_write_bytes(writer, slice_of(string));
}

static inline bool is_exact(int64_t number)
{
    return number >= -JSON_INTEGER_MAX && number <= JSON_INTEGER_MAX;
}

/* Most bytes that are no number do not begin like one. */
static inline bool is_number(struct slice bytes)
{
    int64_t number;
    return bytes.len && (bytes.data[0] == '-' || (bytes.data[0] >= '0' && bytes.data[0] <= '9')) &&
           text_parse_int64(bytes, &number) && is_exact(number);
}

void json_write_scalar(struct json_writer *writer, struct slice bytes)
{
    begin_value(writer);
    if (is_number(bytes))
        text_append_slice(writer->out, bytes);
    else
        append_bytes(writer->out, bytes);
}

void json_write_int64(struct json_writer *writer, int64_t number)
{
    bool exact = is_exact(number);
    begin_value(writer);
    if (!exact)
        text_append_char(writer->out, '"');
    text_append_int64(writer->out, number);
    if (!exact)
        text_append_char(writer->out, '"');
}

void json_write_bool(struct json_writer *writer, bool value)
{
    begin_value(writer);
    text_append_string(writer->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer)
{
    begin_value(writer);
    text_append_string(writer->out, "null");
}

void json_write_raw(struct json_writer *writer, struct slice json)
{
    begin_value(writer);
    text_append_slice(writer->out, json);
}
