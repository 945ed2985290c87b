/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growable byte string, and the few questions about bytes that the JSON reader and writer share:
 * is it UTF-8, is it plain, is it a canonical integer. Knows nothing of JSON's structure.
 */
#ifndef CAIRN_PERSISTENCE_TEXT_H
#define CAIRN_PERSISTENCE_TEXT_H

#include "ops/slice.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* All zero is a valid empty text. `data` is NULL until the first byte; not terminated. */
struct text {
    char *data;
    size_t len;
    size_t cap;
};

/* Longest result of text_format_int64. */
#define TEXT_INT64_MAX 20

void text_init(struct text *text);
void text_release(struct text *text);

/* Makes room for `extra` more bytes; called by text_reserve only. */
void text_grow(struct text *text, size_t extra);

/*
 * Room for `extra` bytes behind the present ones; returns where they begin. The caller writes them
 * and adds to `len`. May move `data`, but does not when the room is there already.
 */
static inline char *text_reserve(struct text *text, size_t extra)
{
    if (text->cap - text->len < extra || !text->data)
        text_grow(text, extra);
    return text->data + text->len;
}

static inline void text_append(struct text *text, const void *data, size_t len)
{
    if (len) {
        memcpy(text_reserve(text, len), data, len);
        text->len += len;
    }
}

static inline void text_append_slice(struct text *text, struct slice bytes)
{
    text_append(text, bytes.data, bytes.len);
}

static inline void text_append_char(struct text *text, char c)
{
    *text_reserve(text, 1) = c;
    text->len++;
}

void text_append_string(struct text *text, const char *string);
/* As one word of printable ASCII: what is none of that, a space and % are % and two hex digits. */
void text_append_word(struct text *text, struct slice bytes);
void text_append_int64(struct text *text, int64_t number);
void text_append_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_append_vformat(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Forgets the bytes and keeps the memory. */
static inline void text_clear(struct text *text)
{
    text->len = 0;
}

/* What is large changes hands. */
static inline void text_swap(struct text *a, struct text *b)
{
    struct text kept = *a;
    *a = *b;
    *b = kept;
}

/* Borrowed: valid until the text changes. */
static inline struct slice text_slice(const struct text *text)
{
    return (struct slice){text->data, text->len};
}

/* The bytes with a NUL behind them that does not count in `len`; borrowed. */
const char *text_terminated(struct text *text);

/* Hands the memory over (the caller gives it to mem_free; never NULL) and leaves the text empty. */
char *text_take(struct text *text, size_t *ret_len);

/* Writes the decimal form, without a NUL, and returns its length. */
size_t text_format_int64(int64_t number, char out[TEXT_INT64_MAX]);

/* True when `bytes` is exactly what "%lld" prints for some int64_t; ret_number is untouched
 * otherwise. */
bool text_parse_int64(struct slice bytes, int64_t *ret_number);

/* Well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF. */
bool text_is_utf8(struct slice bytes);

/* Length of the well-formed UTF-8 sequence at the start of `left` > 0 bytes; 0 when there is none.
 */
size_t text_utf8_sequence(const char *data, size_t left);

/*
 * Eight bytes at `data`, the first in the lowest bits on every processor, so that the position of
 * a found byte is the count of trailing zeros.
 */
static inline uint64_t text_load8(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

#define TEXT_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Marks (0x80) the bytes of `word` that a JSON string cannot hold as they stand: quote, backslash,
 * below 0x20. Exact up to and including the lowest mark; borrows may set false marks above it.
 */
static inline uint64_t text_escape_marks(uint64_t word)
{
    uint64_t quote = word ^ TEXT_EACH('"');
    uint64_t slash = word ^ TEXT_EACH('\\');
    uint64_t found = ((quote - TEXT_EACH(1)) & ~quote) | ((slash - TEXT_EACH(1)) & ~slash) |
                     ((word - TEXT_EACH(0x20)) & ~word);
    return found & TEXT_EACH(0x80);
}

/* Those, and bytes from 0x80, which need a look at what they spell. */
static inline uint64_t text_special_marks(uint64_t word)
{
    return text_escape_marks(word) | (word & TEXT_EACH(0x80));
}

static inline bool text_is_special(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\';
}

#ifdef __SSE2__
/* A bit for each of sixteen bytes that is special. As signed numbers, those from 0x80 are below
 * 0x20 too. */
static inline unsigned text_special_bits(const char *data)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)data);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i outside = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), outside));
}
#endif

/* The first special byte of data … end, or `end`. */
static inline const char *text_find_special(const char *data, const char *end)
{
#ifdef __SSE2__
    if (end - data >= 16) {
        unsigned bits;
        for (; end - data >= 16; data += 16)
            if ((bits = text_special_bits(data)))
                return data + __builtin_ctz(bits);
        /* The last sixteen, of which some have been looked at. */
        bits = text_special_bits(end - 16) >> (16 - (end - data));
        return bits ? data + __builtin_ctz(bits) : end;
    }
#endif
    while (end - data >= 8) {
        uint64_t marks = text_special_marks(text_load8(data));
        if (marks)
            return data + (__builtin_ctzll(marks) >> 3);
        data += 8;
    }
    while (data < end && !text_is_special(*data))
        data++;
    return data;
}

#endif
