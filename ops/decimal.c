/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decimal addition on digit arrays. Operands are kept exactly (they are at most 5119 characters
 * long), so rounding happens once, at the end, and never depends on a processor's formats.
 */
#include "ops/decimal.h"

#include <assert.h>

/* Powers of ten of the first digit that a long double can hold. */
#define POWER_MAX       4932
#define POWER_MIN       (-4951)
#define FRACTION_DIGITS 17
/* From the carry above the largest operand down to the last digit of the smallest. */
#define SUM_DIGITS (POWER_MAX + 2 - POWER_MIN + DECIMAL_INPUT_MAX)
/* Beyond every bound above, far from overflow. */
#define EXPONENT_CLAMP 100000

/* 0.0…0 has no digits. Else neither the first nor the last digit is zero. */
struct decimal {
    bool negative;
    int count;
    int power; /* of ten, of the first digit */
    signed char digits[DECIMAL_INPUT_MAX];
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool text_is(struct slice text, const char *lower)
{
    if (text.len != strlen(lower))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] | 0x20) != lower[i])
            return false;
    }
    return true;
}

/* Reads digits and point from *at on; false when there is no digit. */
static bool parse_digits(struct slice text, size_t *at, struct decimal *out)
{
    bool point = false, any = false;
    int whole = 0; /* digits before the point, counted from the first kept one */
    out->count = 0;
    for (; *at < text.len; ++*at) {
        char c = text.data[*at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        any = true;
        if (out->count == 0 && c == '0') {
            whole -= point;
            continue;
        }
        out->digits[out->count++] = (signed char)(c - '0');
        whole += !point;
    }
    while (out->count && out->digits[out->count - 1] == 0)
        out->count--;
    out->power = whole - 1;
    return any;
}

/* Reads e[+-]digits, to the end of the text. */
static bool parse_exponent(struct slice text, size_t at, int *exponent)
{
    int number = 0;
    bool negative = false;
    if ((text.data[at] | 0x20) != 'e')
        return false;
    at++;
    if (at < text.len && (text.data[at] == '-' || text.data[at] == '+'))
        negative = text.data[at++] == '-';
    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        if (!is_digit(text.data[at]))
            return false;
        number = number * 10 + (text.data[at] - '0');
        if (number > EXPONENT_CLAMP)
            number = EXPONENT_CLAMP;
    }
    *exponent = negative ? -number : number;
    return true;
}

static enum decimal_status parse(struct slice text, struct decimal *out)
{
    size_t at = 0;
    int exponent = 0;
    if (text.len == 0 || text.len >= DECIMAL_INPUT_MAX)
        return DECIMAL_INVALID;
    out->negative = text.data[0] == '-';
    if (out->negative || text.data[0] == '+')
        at = 1;
    struct slice rest = {text.data + at, text.len - at};
    if (text_is(rest, "inf") || text_is(rest, "infinity"))
        return DECIMAL_INFINITE;
    if (!parse_digits(text, &at, out))
        return DECIMAL_INVALID;
    if (at < text.len && !parse_exponent(text, at, &exponent))
        return DECIMAL_INVALID;
    if (out->count == 0)
        return DECIMAL_OK;
    out->power += exponent;
    if (out->power > POWER_MAX || out->power < POWER_MIN)
        return DECIMAL_INVALID;
    return DECIMAL_OK;
}

/* Order of the magnitudes. */
static int compare(const struct decimal *a, const struct decimal *b)
{
    if (!a->count || !b->count)
        return (a->count > 0) - (b->count > 0);
    if (a->power != b->power)
        return a->power > b->power ? 1 : -1;
    int common = a->count < b->count ? a->count : b->count;
    int order = memcmp(a->digits, b->digits, (size_t)common);
    return order ? order : (a->count > b->count) - (a->count < b->count);
}

static int last_power(const struct decimal *d)
{
    return d->power - d->count + 1;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Digits of the powers top … bottom, one place each, the first being that of `top`. */
struct sum {
    int top, bottom;
    signed char digits[SUM_DIGITS];
};

/* |a| + |b|, or |a| - |b| where |a| >= |b|. The sum reaches at least one digit past rounding. */
static void combine(const struct decimal *a, const struct decimal *b, bool subtract,
                    struct sum *sum)
{
    sum->top = larger(a->count ? a->power : 0, b->count ? b->power : 0);
    sum->top = larger(sum->top, 0) + 1;
    sum->bottom = -FRACTION_DIGITS - 1;
    if (a->count && last_power(a) < sum->bottom)
        sum->bottom = last_power(a);
    if (b->count && last_power(b) < sum->bottom)
        sum->bottom = last_power(b);
    int places = sum->top - sum->bottom + 1;
    assert(places <= SUM_DIGITS);
    memset(sum->digits, 0, (size_t)places);
    for (int i = 0; i < a->count; i++)
        sum->digits[sum->top - a->power + i] = a->digits[i];
    for (int i = 0; i < b->count; i++) {
        signed char *place = &sum->digits[sum->top - b->power + i];
        *place = (signed char)(subtract ? *place - b->digits[i] : *place + b->digits[i]);
    }
    for (int i = places - 1; i > 0; i--) {
        int carry = sum->digits[i] > 9 ? 1 : sum->digits[i] < 0 ? -1 : 0;
        sum->digits[i] = (signed char)(sum->digits[i] - 10 * carry);
        sum->digits[i - 1] = (signed char)(sum->digits[i - 1] + carry);
    }
}

/* Half to even. The places behind FRACTION_DIGITS are not to be looked at afterwards. */
static void round_fraction(struct sum *sum)
{
    int last = sum->top + FRACTION_DIGITS;
    int next = sum->digits[last + 1];
    bool rest = false;
    for (int i = last + 2; i <= sum->top - sum->bottom && !rest; i++)
        rest = sum->digits[i] != 0;
    if (next < 5 || (next == 5 && !rest && sum->digits[last] % 2 == 0))
        return;
    int at = last;
    while (sum->digits[at] == 9)
        sum->digits[at--] = 0;
    sum->digits[at]++;
}

/* False when the number is out of range. */
static bool print(const struct sum *sum, bool negative, struct decimal_text *out)
{
    int ones = sum->top, first = 0, last = ones + FRACTION_DIGITS;
    size_t len = 0;
    while (first < ones && sum->digits[first] == 0)
        first++;
    while (last > ones && sum->digits[last] == 0)
        last--;
    if (sum->top - first > POWER_MAX)
        return false;
    bool zero = first == last && sum->digits[first] == 0;
    if (negative && !zero)
        out->bytes[len++] = '-';
    for (int i = first; i <= last; i++) {
        if (i == ones + 1)
            out->bytes[len++] = '.';
        out->bytes[len++] = (char)('0' + sum->digits[i]);
    }
    out->len = len;
    return true;
}

enum decimal_status decimal_check(struct slice text)
{
    struct decimal number;
    return parse(text, &number);
}

enum decimal_status decimal_add(struct slice a, struct slice b, struct decimal_text *out)
{
    struct decimal x, y;
    struct sum sum;
    enum decimal_status x_status = parse(a, &x), y_status = parse(b, &y);
    if (x_status == DECIMAL_INVALID || y_status == DECIMAL_INVALID)
        return DECIMAL_INVALID;
    if (x_status == DECIMAL_INFINITE || y_status == DECIMAL_INFINITE)
        return DECIMAL_INFINITE;
    bool swap = compare(&x, &y) < 0;
    const struct decimal *big = swap ? &y : &x, *small = swap ? &x : &y;
    combine(big, small, x.negative != y.negative, &sum);
    round_fraction(&sum);
    return print(&sum, big->negative, out) ? DECIMAL_OK : DECIMAL_INFINITE;
}
