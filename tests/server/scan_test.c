/* SPDX-License-Identifier: BSD-3-Clause */
/* What is a cursor, and what a pattern that matches all costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "server/arguments.h"
#include "server/scan.h"

static void expect_cursor(const char *text, uint64_t wanted)
{
    uint64_t cursor;
    assert_true(scan_parse_cursor(slice_of(text), &cursor));
    assert_true(cursor == wanted);
}

static void cursors_are_what_strtoull_reads(void **state)
{
    (void)state;
    expect_cursor("0", 0);
    expect_cursor("", 0);
    expect_cursor("00017", 17);
    expect_cursor("+3", 3);
    expect_cursor("-1", UINT64_MAX);
    expect_cursor("18446744073709551615", UINT64_MAX);
    expect_cursor("-18446744073709551615", 1);
    expect_cursor("0000000000000000000000000000000000000000000000000000000000000000017", 17);
    uint64_t cursor;
    assert_true(scan_parse_cursor(slice_make("7\0x", 3), &cursor));
    assert_true(cursor == 7);
}

static void other_texts_are_no_cursors(void **state)
{
    (void)state;
    uint64_t cursor;
    const char *const texts[] = {" 1",
                                 "1 ",
                                 "x",
                                 "1x",
                                 "18446744073709551616",
                                 "1.5",
                                 "-",
                                 "+",
                                 "-18446744073709551616",
                                 "99999999999999999999"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(scan_parse_cursor(slice_of(texts[i]), &cursor));
    assert_false(scan_parse_cursor(slice_make("x\0", 2), &cursor));
}

static void without_a_pattern_all_matches(void **state)
{
    (void)state;
    struct scan_options options = {0};
    assert_true(scan_matches(&options, slice_of("")));
    options.has_pattern = true;
    options.pattern = slice_of("a*");
    assert_true(scan_matches(&options, slice_of("ab")));
    assert_false(scan_matches(&options, slice_of("ba")));
}

static int keys_of(const char *count, int argc, int *out)
{
    struct slice argv[6] = {slice_of("LMPOP"), slice_of(count)};
    return argument_keys(argv, argc, 1, out, 2);
}

static void numbered_keys_follow_their_number(void **state)
{
    (void)state;
    int keys[2] = {0, 0};
    assert_int_equal(keys_of("2", 5, keys), 2);
    assert_int_equal(keys[0], 2);
    assert_int_equal(keys[1], 3);
    assert_int_equal(keys_of("3", 6, keys), 3);
    assert_int_equal(keys_of("4", 5, keys), -1);
    assert_int_equal(keys_of("0", 5, keys), -1);
    assert_int_equal(keys_of("x", 5, keys), -1);
    assert_int_equal(keys_of("9223372036854775807", 5, keys), -1);
    assert_int_equal(argument_keys(NULL, 1, 1, keys, 2), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_are_what_strtoull_reads),
        cmocka_unit_test(other_texts_are_no_cursors),
        cmocka_unit_test(without_a_pattern_all_matches),
        cmocka_unit_test(numbered_keys_follow_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
