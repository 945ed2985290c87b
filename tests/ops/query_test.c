/* SPDX-License-Identifier: BSD-3-Clause */
/* Read ops: what each answers on its type, on another, and on nothing; and LRANGE's indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/query.h"
#include "tests/support/random.h"

#define NOW 1000

static struct keyspace *ks;

static int set_up(void **state)
{
    struct entry *hash = entry_build(slice_of("hash"), 0, VALUE_HASH);
    struct entry *set = entry_build(slice_of("set"), NOW + 5, VALUE_SET);
    struct entry *list = entry_build(slice_of("list"), 0, VALUE_LIST);
    (void)state;
    ks = keyspace_create(NULL);
    entry_build_field(&hash, slice_of("n"), slice_of("-12"));
    entry_build_field(&hash, slice_of("t"), slice_of("text"));
    entry_build_member(&set, slice_of("a"));
    entry_build_member(&set, slice_of("7"));
    for (int i = 0; i < 5; i++)
        entry_build_item(&list, slice_make(&"abcde"[i], 1));
    keyspace_insert(ks, hash);
    keyspace_insert(ks, set);
    keyspace_insert(ks, list);
    keyspace_insert(ks, entry_build_integer(slice_of("number"), 0, -42));
    keyspace_insert(ks, entry_build_string(slice_of("text"), 0, slice_of("abc")));
    keyspace_insert(ks, entry_build_string(slice_of("gone"), NOW, slice_of("abc")));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyspace_destroy(ks);
    return 0;
}

static struct answer answer;

static enum answer_status ask(enum read_op_kind kind, const char *key, const char *argument)
{
    struct read_op op = {.kind = kind, .key = slice_of(key), .time = NOW};
    op.argument = slice_of(argument);
    query(ks, &op, &answer);
    return answer.status;
}

static void expect_number(enum read_op_kind kind, const char *key, const char *argument,
                          int64_t number)
{
    assert_int_equal(ask(kind, key, argument), ANSWER_OK);
    assert_int_equal(answer.number, number);
}

static void expect_bytes(enum read_op_kind kind, const char *key, const char *argument,
                         const char *bytes)
{
    assert_int_equal(ask(kind, key, argument), ANSWER_OK);
    assert_true(slice_equal(answer.bytes, slice_of(bytes)));
}

static void test_strings_are_read_as_bytes_and_numbers(void **state)
{
    (void)state;
    expect_bytes(READ_OP_SCALAR_GET, "text", "", "abc");
    expect_bytes(READ_OP_SCALAR_GET, "number", "", "-42");
    expect_number(READ_OP_SCALAR_LEN, "number", "", 3);
    expect_number(READ_OP_INT_GET, "number", "", -42);
    assert_int_equal(ask(READ_OP_INT_GET, "text", ""), ANSWER_NOT_INTEGER);
}

static void test_sets_and_hashes_are_asked_for_one_or_all(void **state)
{
    struct slice a, b;
    (void)state;
    expect_number(READ_OP_SET_CONTAINS, "set", "7", 1);
    expect_number(READ_OP_SET_CONTAINS, "set", "b", 0);
    expect_number(READ_OP_SET_LEN, "set", "", 2);
    expect_number(READ_OP_SET_MEMBERS, "set", "", 2);
    expect_number(READ_OP_MAP_LEN, "hash", "", 2);
    expect_bytes(READ_OP_MAP_GET, "hash", "t", "text");
    assert_int_equal(ask(READ_OP_MAP_GET, "hash", "x"), ANSWER_MISSING);
    expect_number(READ_OP_INT_MAP_GET, "hash", "n", -12);
    assert_int_equal(ask(READ_OP_INT_MAP_GET, "hash", "t"), ANSWER_NOT_INTEGER);
    assert_int_equal(ask(READ_OP_INT_MAP_GET, "hash", "x"), ANSWER_MISSING);
    expect_number(READ_OP_INT_MAP_KEYS, "hash", "", 2);
    expect_number(READ_OP_INT_MAP_ENTRIES, "hash", "", 2);
    expect_number(READ_OP_MAP_KEYS, "hash", "", 2);
    expect_number(READ_OP_MAP_ENTRIES, "hash", "", 2);
    for (int64_t i = 0; i < answer.number; i++) {
        assert_true(value_iter_next(&answer.iter, &a, &b));
        assert_true(slice_equal(a, slice_of("n")) ? slice_equal(b, slice_of("-12"))
                                                  : slice_equal(b, slice_of("text")));
    }
    assert_false(value_iter_next(&answer.iter, &a, &b));
}

static void test_keys_are_asked_for_presence_type_and_deadline(void **state)
{
    (void)state;
    expect_number(READ_OP_KEY_EXISTS, "list", "", 1);
    expect_number(READ_OP_KEY_TYPE, "list", "", VALUE_LIST);
    expect_number(READ_OP_KEY_TYPE, "number", "", VALUE_STRING);
    expect_number(READ_OP_KEY_EXPIRES, "list", "", 0);
    expect_number(READ_OP_KEY_EXPIRES, "set", "", NOW + 5);
}

static void test_nothing_is_missing_and_other_types_are_wrong(void **state)
{
    static const enum value_type wanted[READ_OP_COUNT] = {
        [READ_OP_SCALAR_GET] = VALUE_STRING,    [READ_OP_SCALAR_LEN] = VALUE_STRING,
        [READ_OP_INT_GET] = VALUE_STRING,       [READ_OP_SET_CONTAINS] = VALUE_SET,
        [READ_OP_SET_MEMBERS] = VALUE_SET,      [READ_OP_SET_LEN] = VALUE_SET,
        [READ_OP_INT_MAP_GET] = VALUE_HASH,     [READ_OP_INT_MAP_KEYS] = VALUE_HASH,
        [READ_OP_INT_MAP_ENTRIES] = VALUE_HASH, [READ_OP_MAP_GET] = VALUE_HASH,
        [READ_OP_MAP_KEYS] = VALUE_HASH,        [READ_OP_MAP_ENTRIES] = VALUE_HASH,
        [READ_OP_MAP_LEN] = VALUE_HASH,         [READ_OP_LIST_ENTRIES] = VALUE_LIST,
        [READ_OP_LIST_GET] = VALUE_LIST,        [READ_OP_LIST_LEN] = VALUE_LIST};
    static const char *const keys[VALUE_TYPE_COUNT] = {"text", "list", "set", "hash"};
    (void)state;
    for (unsigned kind = 0; kind < READ_OP_COUNT; kind++) {
        assert_int_equal(ask((enum read_op_kind)kind, "absent", ""), ANSWER_MISSING);
        assert_int_equal(answer.number, 0);
        for (unsigned type = 0; type < VALUE_TYPE_COUNT && kind < READ_OP_KEY_EXISTS; type++)
            assert_int_equal(ask((enum read_op_kind)kind, keys[type], "") == ANSWER_WRONG_TYPE,
                             type != wanted[kind]);
    }
}

static void test_a_key_past_its_deadline_is_missing_and_dropped(void **state)
{
    (void)state;
    size_t size = keyspace_size(ks);
    assert_int_equal(ask(READ_OP_SCALAR_GET, "gone", ""), ANSWER_MISSING);
    assert_int_equal(keyspace_size(ks), size - 1);
}

static const char *range(int64_t start, int64_t stop)
{
    static char out[16];
    struct read_op op = {.kind = READ_OP_LIST_ENTRIES, .key = slice_of("list"), .time = NOW};
    struct slice a, b;
    size_t len = 0;
    op.start = start;
    op.stop = stop;
    query(ks, &op, &answer);
    assert_int_equal(answer.status, ANSWER_OK);
    while (value_iter_next(&answer.iter, &a, &b))
        out[len++] = a.data[0];
    assert_int_equal(len, answer.number);
    out[len] = 0;
    return out;
}

static void test_ranges_are_clipped_as_lrange_clips(void **state)
{
    (void)state;
    assert_string_equal(range(0, -1), "abcde");
    assert_string_equal(range(1, 2), "bc");
    assert_string_equal(range(-2, -1), "de");
    assert_string_equal(range(-100, 1), "ab");
    assert_string_equal(range(3, 100), "de");
    assert_string_equal(range(INT64_MIN, INT64_MAX), "abcde");
    assert_string_equal(range(2, 1), "");
    assert_string_equal(range(5, 6), "");
    assert_string_equal(range(0, -6), "");
    assert_string_equal(range(INT64_MAX, INT64_MIN), "");
}

static void test_an_item_is_found_from_either_end(void **state)
{
    static const struct {
        int64_t index;
        const char *item;
    } cases[] = {{0, "a"},  {4, "e"},   {5, NULL},         {-1, "e"},
                 {-5, "a"}, {-6, NULL}, {INT64_MIN, NULL}, {INT64_MAX, NULL}};
    struct read_op op = {.kind = READ_OP_LIST_GET, .key = slice_of("list"), .time = NOW};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        op.start = cases[i].index;
        query(ks, &op, &answer);
        assert_int_equal(answer.status, cases[i].item ? ANSWER_OK : ANSWER_MISSING);
        if (cases[i].item)
            assert_true(slice_equal(answer.bytes, slice_of(cases[i].item)));
    }
    expect_number(READ_OP_LIST_LEN, "list", "", 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_strings_are_read_as_bytes_and_numbers),
        TEST(test_sets_and_hashes_are_asked_for_one_or_all),
        TEST(test_keys_are_asked_for_presence_type_and_deadline),
        TEST(test_nothing_is_missing_and_other_types_are_wrong),
        TEST(test_a_key_past_its_deadline_is_missing_and_dropped),
        TEST(test_ranges_are_clipped_as_lrange_clips),
        TEST(test_an_item_is_found_from_either_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
