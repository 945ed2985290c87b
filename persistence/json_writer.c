/* SPDX-License-Identifier: BSD-3-Clause */
/* Commas, colons and levels; and byte strings that are not plain (see json_put.h). */
#include "persistence/json_writer.h"

#include "persistence/base64.h"

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

static char *put_base64(struct text *out, char *at, struct slice bytes)
{
    at = json_put_reserve(out, at, JSON_TAG_LEN + base64_encoded_len(bytes.len) + 2);
    at = json_put_verbatim(at, "\"" JSON_TAG, 1 + JSON_TAG_LEN);
    at += base64_encode(bytes, at);
    *at++ = '"';
    return at;
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
static char *put_escaped(struct text *out, char *at, struct slice bytes, const char *from)
{
    const char *rest = bytes.data, *end = bytes.data + bytes.len;
    *at++ = '"';
    for (;;) {
        const char *escape = find_escape(from, end);
        size_t run = (size_t)(escape - rest);
        at = json_put_reserve(out, at, run + 6);
        memcpy(at, rest, run);
        at += run;
        if (escape == end)
            break;
        at += write_escape((unsigned char)*escape, at);
        rest = from = escape + 1;
    }
    *at++ = '"';
    return at;
}

char *json_put_special(struct text *out, char *at, struct slice bytes)
{
    const char *end = bytes.data + bytes.len;
    if (json_is_tagged(bytes))
        return put_base64(out, at, bytes);
    const char *special = text_find_special(bytes.data, end);
    if (text_is_utf8(slice_make(special, (size_t)(end - special))))
        return put_escaped(out, at, bytes, special);
    return put_base64(out, at, bytes);
}

static inline bool is_exact(int64_t number)
{
    return number >= -JSON_INTEGER_MAX && number <= JSON_INTEGER_MAX;
}

char *json_put_digits(struct text *out, char *at, struct slice bytes)
{
    int64_t number;
    if (!text_parse_int64(bytes, &number) || !is_exact(number))
        return json_put_bytes(out, at, bytes);
    at = json_put_reserve(out, at, bytes.len);
    memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

char *json_put_int64(char *at, int64_t number)
{
    bool exact = is_exact(number);
    if (!exact)
        *at++ = '"';
    at += text_format_int64(number, at);
    if (!exact)
        *at++ = '"';
    return at;
}

static void append_bytes(struct text *out, struct slice bytes)
{
    json_put_end(out, json_put_bytes(out, json_put_begin(out), bytes));
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

void json_write_scalar(struct json_writer *writer, struct slice bytes)
{
    begin_value(writer);
    json_put_end(writer->out, json_put_scalar(writer->out, json_put_begin(writer->out), bytes));
}

void json_write_int64(struct json_writer *writer, int64_t number)
{
    begin_value(writer);
    json_put_end(writer->out, json_put_int64(json_put_begin(writer->out), number));
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
