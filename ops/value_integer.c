/* SPDX-License-Identifier: BSD-3-Clause */
/* Canonical integers, both ways; on the path of every SET and INCR. */
#include "ops/value_integer.h"

bool integer_parse(struct slice text, int64_t *number)
{
    if (text.len == 0 || text.len > INTEGER_TEXT_MAX)
        return false;
    const char *at = text.data, *end = text.data + text.len;
    bool negative = *at == '-';
    at += negative;
    if (at == end || *at < '0' || *at > '9')
        return false;
    if (*at == '0') {
        if (text.len != 1)
            return false;
        *number = 0;
        return true;
    }
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
    for (; at < end; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';
        if (digit > 9 || value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

struct slice integer_format(int64_t number, char out[24])
{
    char *end = out + 24, *at = end;
    uint64_t value = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    if (number < 0)
        *--at = '-';
    return slice_make(at, (size_t)(end - at));
}
