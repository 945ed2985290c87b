/* SPDX-License-Identifier: BSD-3-Clause */
/* Growth doubles, so that appending is linear; the scans go eight bytes at a time over ASCII. */
#include "persistence/text.h"

#include "ops/mem.h"

#include <stdio.h>

#define TEXT_CAP_FIRST 64

void text_init(struct text *text)
{
    *text = (struct text){0};
}

void text_release(struct text *text)
{
    mem_free(text->data);
    text_init(text);
}

void text_grow(struct text *text, size_t extra)
{
    assert(extra <= SIZE_MAX / 4 && text->len <= SIZE_MAX / 4);
    size_t need = text->len + extra;
    size_t cap = text->cap * 2;
    if (cap < need)
        cap = need;
    if (cap < TEXT_CAP_FIRST)
        cap = TEXT_CAP_FIRST;
    text->data = mem_realloc_passing(text->data, cap);
    text->cap = cap;
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_append_word(struct text *text, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (c <= ' ' || c == '%' || c >= 0x7f)
            text_append_format(text, "%%%02x", c);
        else
            text_append_char(text, (char)c);
    }
}

void text_append_int64(struct text *text, int64_t number)
{
    text->len += text_format_int64(number, text_reserve(text, TEXT_INT64_MAX));
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_append_vformat(text, format, args);
    va_end(args);
}

void text_append_vformat(struct text *text, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = text->cap - text->len;
    int len = vsnprintf(room ? text->data + text->len : NULL, room, format, args);
    assert(len >= 0);
    if ((size_t)len >= room)
        vsnprintf(text_reserve(text, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    text->len += (size_t)len;
}

const char *text_terminated(struct text *text)
{
    *text_reserve(text, 1) = '\0';
    return text->data;
}

char *text_take(struct text *text, size_t *ret_len)
{
    char *data = text_reserve(text, 0) - text->len;
    *ret_len = text->len;
    text_init(text);
    return data;
}

size_t text_format_int64(int64_t number, char out[TEXT_INT64_MAX])
{
    char digits[TEXT_INT64_MAX];
    size_t at = sizeof(digits), len = 0;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        out[len++] = '-';
    memcpy(out + len, digits + at, sizeof(digits) - at);
    return len + sizeof(digits) - at;
}

bool text_parse_int64(struct slice bytes, int64_t *ret_number)
{
    size_t minus = bytes.len > 0 && bytes.data[0] == '-';
    size_t digits = bytes.len - minus;
    /* Nineteen digits cannot overflow the 64 bits they are gathered in. */
    if (digits == 0 || digits > 19)
        return false;
    if (bytes.data[minus] == '0' && bytes.len > 1)
        return false;
    uint64_t sum = 0;
    for (size_t i = minus; i < bytes.len; i++) {
        unsigned digit = (unsigned char)bytes.data[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    if (sum > (uint64_t)INT64_MAX + minus)
        return false;
    *ret_number = minus ? (int64_t)-sum : (int64_t)sum;
    return true;
}

static inline size_t utf8_sequence(const char *data, size_t left)
{
    const unsigned char *at = (const unsigned char *)data;
    unsigned first = at[0], low = 0x80, high = 0xbf;
    size_t len;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        len = 2;
    else if ((first & 0xf0) == 0xe0)
        len = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        len = 4;
    else
        return 0;
    if (left < len)
        return 0;
    /* The second byte shuts out overlong forms, surrogates and what lies above U+10FFFF. */
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

size_t text_utf8_sequence(const char *data, size_t left)
{
    return utf8_sequence(data, left);
}

bool text_is_utf8(struct slice bytes)
{
    const char *at = bytes.data;
    size_t left = bytes.len;
    while (left) {
        size_t step;
        if (left >= 8 && !(text_load8(at) & TEXT_EACH(0x80)))
            step = 8;
        else
            step = utf8_sequence(at, left);
        if (step == 0)
            return false;
        at += step;
        left -= step;
    }
    return true;
}
