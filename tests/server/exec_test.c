/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as arguments. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/exec.h"
#include "tests/support/random.h"

static void only_canonical_integers_are_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"7", 7},
                {"-7", -7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    int64_t value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(parse_int(slice_of(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-0",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "0x1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999",
                                      "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(parse_int(slice_of(bad[i]), &value));
    assert_false(parse_int(slice_make("1\0", 2), &value));
}

static void what_printf_prints_is_read_back(void **state)
{
    (void)state;
    struct random random = random_init();
    for (int i = 0; i < 20000; i++) {
        int64_t in = (int64_t)(random_next(&random) >> random_next(&random) % 64), out;
        if (random_next(&random) & 1)
            in = -in;
        char text[32];
        snprintf(text, sizeof(text), "%lld", (long long)in);
        assert_true(parse_int(slice_of(text), &out));
        assert_true(in == out);
    }
}

static void floats_are_whole_words(void **state)
{
    (void)state;
    double value;
    assert_true(parse_double(slice_of("1.5e3"), &value) && value == 1500);
    assert_true(parse_double(slice_of("-inf"), &value) && isinf(value));
    static const char *const bad[] = {"", " 1", "1 ", "abc", "nan", "1e999999", "1.5x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(parse_double(slice_of(bad[i]), &value));
    assert_false(parse_double(slice_make("1\0"
                                         "2",
                                         3),
                              &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_canonical_integers_are_integers),
        cmocka_unit_test(what_printf_prints_is_read_back),
        cmocka_unit_test(floats_are_whole_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
