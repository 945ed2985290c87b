/* SPDX-License-Identifier: BSD-3-Clause */
/* Growing byte strings, and what is UTF-8 or an integer: each code point, each place. */
#include "persistence/text.h"

#include "ops/mem.h"
#include "tests/support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void appends_grow_and_keep_what_was_there(void **state)
{
    (void)state;
    struct text text;
    text_init(&text);
    for (int i = 0; i < 1000; i++)
        text_append_format(&text, "%d,", i);
    const char *at = text_terminated(&text);
    for (int i = 0; i < 1000; i++) {
        char *after;
        assert_int_equal(strtol(at, &after, 10), i);
        at = after + 1;
    }
    assert_int_equal(at - text.data, text.len);
    text_release(&text);
    assert_null(text.data);
}

static void reserved_room_is_not_moved_by_filling_it(void **state)
{
    (void)state;
    struct text text = {0};
    text_append_string(&text, "abc");
    char *room = text_reserve(&text, 5000);
    for (int i = 0; i < 5000; i++)
        text_append_char(&text, 'x');
    assert_ptr_equal(room, text.data + 3);
    text_release(&text);
}

static void clear_keeps_memory_and_take_gives_it_away(void **state)
{
    (void)state;
    struct text text = {0};
    size_t len;
    text_append_string(&text, "hello");
    char *before = text.data;
    text_clear(&text);
    text_append_slice(&text, slice_of("bye"));
    assert_ptr_equal(text.data, before);
    char *taken = text_take(&text, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(taken, "bye", 3);
    assert_null(text.data);
    mem_free(taken);
    taken = text_take(&text, &len);
    assert_non_null(taken);
    assert_int_equal(len, 0);
    mem_free(taken);
}

static void formats_longer_than_the_room_come_whole(void **state)
{
    (void)state;
    struct text text = {0};
    char expected[600];
    memset(expected, 'y', sizeof(expected));
    text_append_format(&text, "%s", "");
    assert_int_equal(text.len, 0);
    text_append_format(&text, "%.*s", 600, expected);
    assert_int_equal(text.len, 600);
    assert_memory_equal(text.data, expected, 600);
    text_release(&text);
}

static void check_integer(int64_t number)
{
    char expected[32], out[TEXT_INT64_MAX];
    int64_t back = ~number;
    int len = snprintf(expected, sizeof(expected), "%lld", (long long)number);
    assert_int_equal(text_format_int64(number, out), len);
    assert_memory_equal(out, expected, len);
    assert_true(text_parse_int64(slice_make(out, (size_t)len), &back));
    assert_true(back == number);
}

static void a_word_has_nothing_but_printable_characters(void **state)
{
    (void)state;
    struct text text = {0};
    text_append_word(&text, slice_make(" a%\n~\x7f\x00\xffz", 9));
    assert_string_equal(text_terminated(&text), "%20a%25%0a~%7f%00%ffz");
    text_release(&text);
}

static void integers_come_back_from_their_digits(void **state)
{
    (void)state;
    struct random r = random_init();
    check_integer(0);
    check_integer(INT64_MAX);
    check_integer(INT64_MIN);
    for (int i = 0; i < 100000; i++)
        check_integer(int64_random(&r));
}

static void only_canonical_integers_are_integers(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "-0",
                                      "00",
                                      "01",
                                      "-01",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "123456789012345678901"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t number = 77;
        assert_false(text_parse_int64(slice_of(bad[i]), &number));
        assert_int_equal(number, 77);
    }
    int64_t number;
    assert_false(text_parse_int64(slice_make("1\0", 2), &number));
}

/* The definition, by encoding each code point: slow, and nothing like the code under test. */
static size_t encode(uint32_t point, unsigned char out[4])
{
    if (point < 0x80)
        return out[0] = (unsigned char)point, 1;
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        out[i] = (unsigned char)(0x80 | (point & 63));
    out[0] = (unsigned char)((0xf00 >> len) | point);
    return len;
}

static void every_code_point_but_surrogates_is_utf8(void **state)
{
    (void)state;
    size_t sequences = 0;
    for (uint32_t point = 0; point < 0x200000; point++) {
        unsigned char bytes[4];
        size_t len = encode(point, bytes);
        bool good = point < 0x110000 && (point < 0xd800 || point > 0xdfff);
        size_t found = text_utf8_sequence((const char *)bytes, len);
        if (found != (good ? len : 0) || text_is_utf8(slice_make(bytes, len)) != good)
            fail_msg("U+%04X", point);
        if (len > 1 && text_utf8_sequence((const char *)bytes, len - 1) != 0)
            fail_msg("U+%04X cut short", point);
        sequences += good;
    }
    assert_int_equal(sequences, 0x110000 - 0x800);
}

/* All four-byte strings with high first bytes that are valid are those that encode gives. */
static void nothing_else_is_a_sequence(void **state)
{
    (void)state;
    for (uint32_t first = 0x80; first < 0x100; first++) {
        for (uint32_t rest = 0; rest < 0x10000; rest++) {
            unsigned char bytes[4] = {(unsigned char)first, (unsigned char)(rest >> 8),
                                      (unsigned char)rest, 0xbf};
            unsigned char again[4];
            size_t len = text_utf8_sequence((const char *)bytes, 4);
            if (len == 0)
                continue;
            uint32_t point = first & (0x7fu >> len);
            for (size_t i = 1; i < len; i++)
                point = point << 6 | (bytes[i] & 63);
            assert_int_equal(encode(point, again), len);
            assert_memory_equal(bytes, again, len);
        }
    }
}

static void a_bad_byte_is_found_at_every_place(void **state)
{
    (void)state;
    char bytes[40];
    for (size_t len = 1; len <= sizeof(bytes); len++) {
        memset(bytes, 'a', sizeof(bytes));
        assert_true(text_is_utf8(slice_make(bytes, len)));
        for (size_t at = 0; at < len; at++) {
            bytes[at] = (char)0xff;
            assert_false(text_is_utf8(slice_make(bytes, len)));
            bytes[at] = 'a';
        }
    }
}

static void specials_are_found_where_they_are(void **state)
{
    (void)state;
    struct random r = random_init();
    char bytes[40];
    for (int round = 0; round < 200000; round++) {
        size_t len = random_below(&r, sizeof(bytes) + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(random_below(&r, 12) ? "!#[]~\x7f ^"[random_below(&r, 8)]
                                                   : (int)random_below(&r, 256));
        size_t expected = 0;
        while (expected < len && !text_is_special(bytes[expected]))
            expected++;
        assert_ptr_equal(text_find_special(bytes, bytes + len), bytes + expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_grow_and_keep_what_was_there),
        cmocka_unit_test(reserved_room_is_not_moved_by_filling_it),
        cmocka_unit_test(clear_keeps_memory_and_take_gives_it_away),
        cmocka_unit_test(formats_longer_than_the_room_come_whole),
        cmocka_unit_test(a_word_has_nothing_but_printable_characters),
        cmocka_unit_test(integers_come_back_from_their_digits),
        cmocka_unit_test(only_canonical_integers_are_integers),
        cmocka_unit_test(every_code_point_but_surrogates_is_utf8),
        cmocka_unit_test(nothing_else_is_a_sequence),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place),
        cmocka_unit_test(specials_are_found_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
