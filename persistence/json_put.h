/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of JSON written at a cursor, for what is written by the million. The cursor is a place in
 * the memory of a struct text, whose `len` is of no account until json_put_end. Whatever takes the
 * text besides the cursor leaves JSON_PUT_ROOM free behind the one it returns, for what is put
 * without asking: names, numbers, brackets. Nobody checks the structure; json_writer.h does.
 */
#ifndef CAIRN_PERSISTENCE_JSON_PUT_H
#define CAIRN_PERSISTENCE_JSON_PUT_H

#include "ops/slice.h"
#include "persistence/json_form.h"
#include "persistence/text.h"

#define JSON_PUT_ROOM 256

/* The cursor at the end of `out`. */
static inline char *json_put_begin(struct text *out)
{
    return text_reserve(out, JSON_PUT_ROOM);
}

/* All before the cursor is part of the text. */
static inline void json_put_end(struct text *out, const char *at)
{
    out->len = (size_t)(at - out->data);
    assert(out->len <= out->cap);
}

/* Room for `len` bytes and JSON_PUT_ROOM. */
static inline char *json_put_reserve(struct text *out, char *at, size_t len)
{
    if ((size_t)(out->data + out->cap - at) >= len + JSON_PUT_ROOM)
        return at;
    json_put_end(out, at);
    return text_reserve(out, len + JSON_PUT_ROOM);
}

/* What is in the program as it stands in JSON, and short. */
static inline char *json_put_verbatim(char *at, const char *text, size_t len)
{
    assert(len <= JSON_PUT_ROOM / 4);
    memcpy(at, text, len);
    return at + len;
}

/* The rule for byte strings where one is not plain text; json_writer.c. */
char *json_put_special(struct text *out, char *at, struct slice bytes);
/* The same for bytes that begin like a number: a number when they are a canonical integer. */
char *json_put_digits(struct text *out, char *at, struct slice bytes);
char *json_put_int64(char *at, int64_t number);

#ifdef __SSE2__
static inline bool json_copy16(char *to, const char *from)
{
    memcpy(to, from, 16);
    return !text_special_bits(from);
}
#endif

static inline bool json_copy8(char *to, const char *from)
{
    memcpy(to, from, 8);
    return !text_special_marks(text_load8(from));
}

static inline bool json_copy4to7(char *to, const char *from, size_t len)
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
static inline bool json_copy_plain(char *to, struct slice bytes)
{
    const char *from = bytes.data;
    size_t at = 0;
    if (bytes.len >= 4 && bytes.len < 8)
        return json_copy4to7(to, from, bytes.len);
    if (bytes.len < 4) {
        for (; at < bytes.len && !text_is_special(from[at]); at++)
            to[at] = from[at];
        return at == bytes.len;
    }
    /* The last sixteen, or eight, are those of which some may have been copied. */
#ifdef __SSE2__
    if (bytes.len >= 16) {
        for (; bytes.len - at > 16; at += 16)
            if (!json_copy16(to + at, from + at))
                return false;
        return json_copy16(to + bytes.len - 16, from + bytes.len - 16);
    }
#endif
    for (; bytes.len - at > 8; at += 8)
        if (!json_copy8(to + at, from + at))
            return false;
    return json_copy8(to + bytes.len - 8, from + bytes.len - 8);
}

/* The whole rule for byte strings. Most are plain ASCII: one look that finds nothing special proves
 * that they are valid UTF-8 and need no escape. */
static inline char *json_put_bytes(struct text *out, char *at, struct slice bytes)
{
    at = json_put_reserve(out, at, bytes.len + 2);
    if (json_is_tagged(bytes) || !json_copy_plain(at + 1, bytes))
        return json_put_special(out, at, bytes);
    at[0] = at[bytes.len + 1] = '"';
    return at + bytes.len + 2;
}

/* Bytes that may be a number; most that are none do not begin like one. */
static inline char *json_put_scalar(struct text *out, char *at, struct slice bytes)
{
    if (bytes.len && (bytes.data[0] == '-' || (bytes.data[0] >= '0' && bytes.data[0] <= '9')))
        return json_put_digits(out, at, bytes);
    return json_put_bytes(out, at, bytes);
}

#endif
