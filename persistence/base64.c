/* SPDX-License-Identifier: BSD-3-Clause */
/* Table lookups, four characters to three bytes; the padded group at the end on its own. */
#include "persistence/base64.h"

#include <stdint.h>

/* clang-format off */
static const char digits[64] = {
    'A','B','C','D','E','F','G','H','I','J','K','L','M','N','O','P',
    'Q','R','S','T','U','V','W','X','Y','Z','a','b','c','d','e','f',
    'g','h','i','j','k','l','m','n','o','p','q','r','s','t','u','v',
    'w','x','y','z','0','1','2','3','4','5','6','7','8','9','+','/',
};

/* A digit's value plus one; 0 marks every other character. */
static const unsigned char places[256] = {
    ['A'] = 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
            14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
            40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['+'] = 63, ['/'] = 64,
};
/* clang-format on */

size_t base64_encode(struct slice bytes, char *out)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t left = bytes.len;
    char *to = out;
    for (; left >= 3; left -= 3, at += 3, to += 4) {
        uint32_t group = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        to[0] = digits[group >> 18];
        to[1] = digits[group >> 12 & 63];
        to[2] = digits[group >> 6 & 63];
        to[3] = digits[group & 63];
    }
    if (left) {
        uint32_t group = (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0);
        to[0] = digits[group >> 18];
        to[1] = digits[group >> 12 & 63];
        to[2] = left > 1 ? digits[group >> 6 & 63] : '=';
        to[3] = '=';
        to += 4;
    }
    return (size_t)(to - out);
}

/* The last four characters when they are padded: one byte or two. */
static bool decode_padded(const unsigned char *at, unsigned char *to, size_t *ret_len)
{
    unsigned a = places[at[0]], b = places[at[1]], c = places[at[2]];
    if (!a || !b)
        return false;
    if (at[2] == '=') {
        if ((b - 1) & 15)
            return false;
        to[0] = (unsigned char)((a - 1) << 2 | (b - 1) >> 4);
        *ret_len = 1;
        return true;
    }
    if (!c || ((c - 1) & 3))
        return false;
    to[0] = (unsigned char)((a - 1) << 2 | (b - 1) >> 4);
    to[1] = (unsigned char)((b - 1) << 4 | (c - 1) >> 2);
    *ret_len = 2;
    return true;
}

bool base64_decode(struct slice text, char *out, size_t *ret_len)
{
    const unsigned char *at = (const unsigned char *)text.data;
    unsigned char *to = (unsigned char *)out;
    size_t left = text.len, tail = 0;
    if (left % 4)
        return false;
    bool padded = left && at[left - 1] == '=';
    for (; left > (padded ? 4 : 0); left -= 4, at += 4, to += 3) {
        unsigned a = places[at[0]], b = places[at[1]], c = places[at[2]], d = places[at[3]];
        if (!a || !b || !c || !d)
            return false;
        uint32_t group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        to[0] = (unsigned char)(group >> 16);
        to[1] = (unsigned char)(group >> 8);
        to[2] = (unsigned char)group;
    }
    if (padded && !decode_padded(at, to, &tail))
        return false;
    *ret_len = (size_t)(to - (unsigned char *)out) + tail;
    return true;
}
