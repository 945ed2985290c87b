/* SPDX-License-Identifier: BSD-3-Clause */
/* Decimal addition: what is a number, exact sums, rounding, range; a model on __int128. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/decimal.h"
#include "tests/support/random.h"

static void expect_sum(const char *a, const char *b, const char *sum)
{
    struct decimal_text text;
    assert_int_equal(decimal_add(slice_of(a), slice_of(b), &text), DECIMAL_OK);
    if (!slice_equal(slice_make(text.bytes, text.len), slice_of(sum)))
        fail_msg("%s + %s = %.*s, not %s", a, b, (int)text.len, text.bytes, sum);
}

static void test_sums_are_exact_and_printed_without_exponent(void **state)
{
    (void)state;
    expect_sum("10.50", "0.1", "10.6");
    expect_sum("5.0e3", "2.0e2", "5200");
    expect_sum("3", "1.1", "4.1");
    expect_sum("17179869184", "1.5", "17179869185.5");
    expect_sum("1234567.891", "0.1", "1234567.991");
    expect_sum("0.1", "0.2", "0.3");
    expect_sum("1", "-1.1", "-0.1");
    expect_sum("-1.1", "1", "-0.1");
    expect_sum("999.9", "0.1", "1000");
    expect_sum("-999.9", "-0.1", "-1000");
    expect_sum("1000", "-0.001", "999.999");
    expect_sum(".5", "5.", "5.5");
    expect_sum("+1", "1E+2", "101");
    expect_sum("0012.340", "0", "12.34");
    expect_sum("1e30", "1", "1000000000000000000000000000001");
}

static void test_zero_has_one_spelling(void **state)
{
    (void)state;
    expect_sum("0", "0", "0");
    expect_sum("-0", "-0", "0");
    expect_sum("-0.000", "0e5", "0");
    expect_sum("1.5", "-1.5", "0");
    expect_sum("-1e-18", "0", "0");
    expect_sum("0e99999999999999999999", "-0", "0");
}

static void test_the_17th_digit_is_rounded_half_to_even(void **state)
{
    (void)state;
    expect_sum("0.000000000000000005", "0", "0");
    expect_sum("0.0000000000000000050001", "0", "0.00000000000000001");
    expect_sum("0.000000000000000015", "0", "0.00000000000000002");
    expect_sum("0.000000000000000025", "0", "0.00000000000000002");
    expect_sum("-0.000000000000000015", "0", "-0.00000000000000002");
    expect_sum("0.000000000000000004", "0.000000000000000001", "0");
    expect_sum("9.999999999999999999", "0", "10");
    expect_sum("0.000000000000000015", "-1e-4000", "0.00000000000000001");
    expect_sum("0.000000000000000025", "1e-4000", "0.00000000000000003");
}

static void test_what_is_no_number_is_refused(void **state)
{
    static const char *const bad[] = {
        "",     " 1",     "1 ",      "abc",       "1a",           ".",
        "-",    "+",      "e5",      "1e",        "1e+",          "--1",
        "1.2.", "nan",    "-nan",    "0x1p3",     "1e5000",       "1e-5000",
        "in",   "1e4933", "infinit", "infinityy", "1e99999999999"};
    struct decimal_text text;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (decimal_check(slice_of(bad[i])) != DECIMAL_INVALID)
            fail_msg("taken as a number: \"%s\"", bad[i]);
        assert_int_equal(decimal_add(slice_of("1"), slice_of(bad[i]), &text), DECIMAL_INVALID);
        assert_int_equal(decimal_add(slice_of(bad[i]), slice_of("inf"), &text), DECIMAL_INVALID);
    }
    assert_int_equal(decimal_check(slice_make("1\0", 2)), DECIMAL_INVALID);
}

static void test_infinities_and_sums_out_of_range_are_infinite(void **state)
{
    static const char *const infinite[] = {"inf", "-inf", "+INF", "Infinity", "-iNFINITY"};
    struct decimal_text text;
    (void)state;
    for (size_t i = 0; i < sizeof(infinite) / sizeof(*infinite); i++)
        assert_int_equal(decimal_check(slice_of(infinite[i])), DECIMAL_INFINITE);
    assert_int_equal(decimal_add(slice_of("0"), slice_of("+inf"), &text), DECIMAL_INFINITE);
    assert_int_equal(decimal_add(slice_of("9e4932"), slice_of("1e4932"), &text), DECIMAL_INFINITE);
}

static void test_the_largest_range_fits(void **state)
{
    struct decimal_text text;
    char longest[DECIMAL_INPUT_MAX];
    (void)state;
    memset(longest, '9', sizeof(longest));
    memcpy(longest, "0.", 2);
    memcpy(longest + sizeof(longest) - 7, "e-4950", 6);
    struct slice tiny = {longest, sizeof(longest) - 1};
    assert_int_equal(decimal_add(slice_of("-9.9e4932"), tiny, &text), DECIMAL_OK);
    assert_int_equal(text.len, 1 + 4933);
    assert_memory_equal(text.bytes, "-99000", 6);
    assert_int_equal(decimal_check(slice_make(longest, sizeof(longest))), DECIMAL_INVALID);
}

/* n / 10^scale as a person would write it, somewhat. */
static void spell(char *out, size_t size, int64_t n, int scale, struct random *r)
{
    uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n, unit = 1;
    for (int i = 0; i < scale; i++)
        unit *= 10;
    if (random_below(r, 4) == 0)
        snprintf(out, size, "%lld%s%d", (long long)n, random_below(r, 2) ? "e-" : "E-", scale);
    else
        snprintf(out, size, "%s%llu.%0*llu", n < 0 ? "-" : "",
                 (unsigned long long)(magnitude / unit), scale & 31,
                 (unsigned long long)(magnitude % unit));
}

static void test_random_sums_agree_with_integers(void **state)
{
    struct random r = random_init();
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char a[64], b[64], sum[96];
        struct decimal_text text;
        int scale = 1 + (int)random_below(&r, 15);
        int64_t limit = INT64_C(1) << (1 + random_below(&r, 60));
        int64_t x = (int64_t)random_below(&r, (uint64_t)limit) - limit / 2;
        int64_t y = (int64_t)random_below(&r, (uint64_t)limit) - limit / 2;
        spell(a, sizeof(a), x, scale, &r);
        spell(b, sizeof(b), y, scale, &r);
        snprintf(sum, sizeof(sum), "%lld", (long long)(x + y));
        assert_int_equal(decimal_add(slice_of(a), slice_of(b), &text), DECIMAL_OK);
        /* Scaled back up, the sum has the digits of the integers' sum. */
        struct decimal_text scaled;
        char shifted[DECIMAL_TEXT_MAX + 8];
        snprintf(shifted, sizeof(shifted), "%.*se%d", (int)text.len, text.bytes, scale);
        assert_int_equal(decimal_add(slice_of(shifted), slice_of("0"), &scaled), DECIMAL_OK);
        if (!slice_equal(slice_make(scaled.bytes, scaled.len), slice_of(sum)))
            fail_msg("%s + %s = %.*s", a, b, (int)text.len, text.bytes);
    }
}

static void test_arbitrary_text_is_handled(void **state)
{
    static const char letters[] = "0123456789..--++eEinfINFx 9900";
    struct random r = random_init();
    (void)state;
    for (int round = 0; round < 50000; round++) {
        char bytes[24];
        struct decimal_text sum;
        size_t len = random_below(&r, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = letters[random_below(&r, sizeof(letters) - 1)];
        enum decimal_status status = decimal_add(slice_make(bytes, len), slice_of("0"), &sum);
        if (status == DECIMAL_OK) {
            struct decimal_text again;
            struct slice text = {sum.bytes, sum.len};
            assert_int_equal(decimal_add(text, slice_of("0"), &again), DECIMAL_OK);
            assert_true(slice_equal(text, slice_make(again.bytes, again.len)));
        }
        assert_int_equal(decimal_check(slice_make(bytes, len)), status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_are_exact_and_printed_without_exponent),
        cmocka_unit_test(test_zero_has_one_spelling),
        cmocka_unit_test(test_the_17th_digit_is_rounded_half_to_even),
        cmocka_unit_test(test_what_is_no_number_is_refused),
        cmocka_unit_test(test_infinities_and_sums_out_of_range_are_infinite),
        cmocka_unit_test(test_the_largest_range_fits),
        cmocka_unit_test(test_random_sums_agree_with_integers),
        cmocka_unit_test(test_arbitrary_text_is_handled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
