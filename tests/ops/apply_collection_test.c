/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each op on sets, hashes and lists does, in small steps on key "k"; each step is undone
 * first.
 */
#include <stdio.h>

#include "ops/apply.h"
#include "ops/value.h"
#include "tests/support/apply_step.h"

/* Sets. */

static void test_set_add_counts_new_members(void **state)
{
    (void)state;
    UNCHANGED(step_run((struct op){.kind = OP_SET_ADD, .key = S("k"), .time = NOW}), 0);
    HOLDS("-");
    OK(ADD(S("a"), S("b"), S("a")), 2);
    OK(ADD(S("b"), S("3"), S("c"), S("3")), 2);
    UNCHANGED(ADD(S("a"), S("3")), 0);
    HOLDS("{3 a b c}");
}

static void test_set_remove_counts_and_removes_the_empty_key(void **state)
{
    (void)state;
    UNCHANGED(RUN(SET_REMOVE, set_remove, LIST(S("a"))), 0);
    ADD(S("a"), S("b"), S("1"));
    step_expire_at(NOW + 5, OP_CONDITION_NONE);
    UNCHANGED(RUN(SET_REMOVE, set_remove, LIST(S("x"))), 0);
    OK(RUN(SET_REMOVE, set_remove, LIST(S("a"), S("x"), S("a"))), 1);
    HOLDS("{1 b}");
    struct outcome out = RUN(SET_REMOVE, set_remove, LIST(S("1"), S("b")));
    OK(out, 2);
    assert_true(out.removed);
    assert_int_equal(keyspace_size(step_keyspace), 0);
}

/* Hashes. */

static void test_map_set_counts_new_fields_and_the_last_pair_wins(void **state)
{
    (void)state;
    UNCHANGED(step_run((struct op){.kind = OP_MAP_SET, .key = S("k"), .time = NOW}), 0);
    OK(HSET(S("f"), S("1"), S("g"), S("2"), S("f"), S("3")), 2);
    HOLDS("{f=3 g=2}");
    struct outcome out = HSET(S("f"), S("4"), S("h"), S(""), S("h"), S("5"));
    OK(out, 1);
    HOLDS("{f=4 g=2 h=5}");
    OK(HSET(S("f"), S("4")), 0);
}

static void test_map_set_looks_at_its_fields(void **state)
{
    (void)state;
    REFUSED(RUN(MAP_SET, map_set, LIST(S("f"), S("1")), OP_CONDITION_XX), CONDITION);
    OK(RUN(MAP_SET, map_set, LIST(S("f"), S("1")), OP_CONDITION_NX), 1);
    REFUSED(RUN(MAP_SET, map_set, LIST(S("f"), S("2")), OP_CONDITION_NX), CONDITION);
    REFUSED(RUN(MAP_SET, map_set, LIST(S("g"), S("2"), S("f"), S("2")), OP_CONDITION_NX),
            CONDITION);
    OK(RUN(MAP_SET, map_set, LIST(S("f"), S("2")), OP_CONDITION_XX), 0);
    HOLDS("{f=2}");
}

static void test_map_delete_counts_and_removes_the_empty_key(void **state)
{
    (void)state;
    UNCHANGED(RUN(MAP_DELETE, map_delete, LIST(S("f"))), 0);
    HSET(S("f"), S("1"), S("g"), S("2"), S("h"), S("3"));
    UNCHANGED(RUN(MAP_DELETE, map_delete, LIST(S("x"))), 0);
    OK(RUN(MAP_DELETE, map_delete, LIST(S("x"), S("f"), S("f"))), 1);
    OK(RUN(INT_MAP_DELETE, int_map_delete, LIST(S("g"))), 1);
    HOLDS("{h=3}");
    struct outcome out = RUN(MAP_DELETE, map_delete, LIST(S("h"), S("h")));
    OK(out, 1);
    assert_true(out.removed);
    HOLDS("-");
}

static void test_map_integers(void **state)
{
    (void)state;
    OK(RUN(INT_MAP_ADD, int_map_add, S("f"), 5), 5);
    OK(RUN(INT_MAP_MUL, int_map_mul, S("f"), -3), -15);
    OK(RUN(INT_MAP_DIV, int_map_div, S("f"), 2), -7);
    OK(RUN(INT_MAP_MUL, int_map_mul, S("g"), 2), 0);
    OK(RUN(INT_MAP_SET, int_map_set, S("h"), INT64_MIN), 1);
    REFUSED(RUN(INT_MAP_DIV, int_map_div, S("h"), -1), OVERFLOW);
    REFUSED(RUN(INT_MAP_ADD, int_map_add, S("h"), -1), OVERFLOW);
    REFUSED(RUN(INT_MAP_DIV, int_map_div, S("h"), 0), ZERO_DIVISOR);
    HOLDS("{f=-7 g=0 h=-9223372036854775808}");
}

static void test_map_floats(void **state)
{
    (void)state;
    OK(RUN(FLOAT_MAP_ADD, float_map_add, S("f"), S("10.5")), 0);
    OK(RUN(FLOAT_MAP_ADD, float_map_add, S("f"), S("0.1")), 0);
    assert_string_equal(step_text, "10.6");
    HOLDS("{f=10.6}");
    REFUSED(RUN(FLOAT_MAP_ADD, float_map_add, S("f"), S("")), NOT_FLOAT);
    REFUSED(RUN(FLOAT_MAP_ADD, float_map_add, S("f"), S("inf")), NOT_FINITE);
    HSET(S("f"), S("1 "));
    REFUSED(RUN(FLOAT_MAP_ADD, float_map_add, S("f"), S("1")), NOT_FLOAT);
}

/* Lists. */

static void test_push_keeps_the_order_of_its_items(void **state)
{
    (void)state;
    OK(PUSH(S("a"), S("b")), 2);
    OK(RUN(LIST_PREPEND, list_prepend, LIST(S("c"), S("d"))), 4);
    HOLDS("[d c a b]");
    RUN_PLAIN(KEY_DELETE);
    OK(RUN(LIST_PREPEND, list_prepend, LIST(S("c"), S("d"))), 2);
    HOLDS("[d c]");
    UNCHANGED(step_run((struct op){.kind = OP_LIST_APPEND, .key = S("k"), .time = NOW}), 2);
}

static void test_push_only_if_present(void **state)
{
    (void)state;
    REFUSED(RUN(LIST_APPEND, list_append, LIST(S("a")), OP_CONDITION_XX), CONDITION);
    REFUSED(RUN(LIST_PREPEND, list_prepend, LIST(S("a")), OP_CONDITION_XX), CONDITION);
    HOLDS("-");
    PUSH(S("a"));
    OK(RUN(LIST_APPEND, list_append, LIST(S("b")), OP_CONDITION_XX), 2);
}

static void test_pop_takes_up_to_count_from_a_side(void **state)
{
    (void)state;
    UNCHANGED(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 1), 0);
    PUSH(S("a"), S("b"), S("c"), S("d"), S("e"));
    step_expire_at(NOW + 5, OP_CONDITION_NONE);
    UNCHANGED(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 0), 0);
    UNCHANGED(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, -1), 0);
    OK(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 1), 1);
    HOLDS("[b c d e]");
    OK(RUN(LIST_POP, list_pop, OP_SIDE_RIGHT, 2), 2);
    HOLDS("[b c]");
    assert_int_equal(step_deadline(), NOW + 5);
    struct outcome out = RUN(LIST_POP, list_pop, OP_SIDE_RIGHT, INT64_MAX);
    OK(out, 2);
    assert_true(out.removed);
    HOLDS("-");
    PUSH(S("a"), S("b"));
    out = RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 2);
    OK(out, 2);
    assert_true(out.removed);
    HOLDS("-");
}

static void test_list_set_takes_either_index(void **state)
{
    (void)state;
    REFUSED(RUN(LIST_SET, list_set, 0, S("x")), NO_KEY);
    PUSH(S("a"), S("b"), S("c"));
    OK(RUN(LIST_SET, list_set, 0, S("x")), 0);
    OK(RUN(LIST_SET, list_set, -1, S("z")), 0);
    HOLDS("[x b z]");
    REFUSED(RUN(LIST_SET, list_set, 3, S("x")), OUT_OF_RANGE);
    REFUSED(RUN(LIST_SET, list_set, -4, S("x")), OUT_OF_RANGE);
    REFUSED(RUN(LIST_SET, list_set, INT64_MIN, S("x")), OUT_OF_RANGE);
}

static void test_list_insert_stands_beside_the_first_pivot(void **state)
{
    (void)state;
    REFUSED(RUN(LIST_INSERT, list_insert, OP_SIDE_LEFT, S("a"), S("x")), NO_KEY);
    PUSH(S("a"), S("b"), S("a"));
    OK(RUN(LIST_INSERT, list_insert, OP_SIDE_LEFT, S("a"), S("x")), 4);
    OK(RUN(LIST_INSERT, list_insert, OP_SIDE_RIGHT, S("a"), S("y")), 5);
    HOLDS("[x a y b a]");
    OK(RUN(LIST_INSERT, list_insert, OP_SIDE_RIGHT, S("b"), S("z")), 6);
    HOLDS("[x a y b z a]");
    REFUSED(RUN(LIST_INSERT, list_insert, OP_SIDE_LEFT, S("q"), S("x")), NO_PIVOT);
}

static void test_list_remove_goes_from_either_end(void **state)
{
    (void)state;
    UNCHANGED(RUN(LIST_REMOVE, list_remove, 0, S("a")), 0);
    PUSH(S("a"), S("b"), S("a"), S("a"), S("c"), S("a"));
    UNCHANGED(RUN(LIST_REMOVE, list_remove, 0, S("x")), 0);
    OK(RUN(LIST_REMOVE, list_remove, 2, S("a")), 2);
    HOLDS("[b a c a]");
    PUSH(S("a"));
    OK(RUN(LIST_REMOVE, list_remove, -2, S("a")), 2);
    HOLDS("[b a c]");
    RUN(LIST_PREPEND, list_prepend, LIST(S("a")));
    OK(RUN(LIST_REMOVE, list_remove, INT64_MIN, S("a")), 2);
    HOLDS("[b c]");
    PUSH(S("b"), S("b"));
    OK(RUN(LIST_REMOVE, list_remove, 0, S("b")), 3);
    struct outcome out = RUN(LIST_REMOVE, list_remove, 1, S("c"));
    OK(out, 1);
    assert_true(out.removed);
    HOLDS("-");
}

/* So many places that the list is built anew, on the way there and back. */
static void test_list_remove_in_very_many_places(void **state)
{
    enum { PAIRS = 5000 };
    struct entry *list = entry_build(S("k"), NOW + 5, VALUE_LIST);
    char number[24];
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        entry_build_item(&list, S("x"));
        entry_build_item(&list, slice_make(number, (size_t)sprintf(number, "%d", i)));
    }
    keyspace_insert(step_keyspace, list);
    OK(RUN(LIST_REMOVE, list_remove, -2000, S("x")), 2000);
    assert_int_equal(step_deadline(), NOW + 5);
    list = keyspace_find(step_keyspace, S("k"), 0, NOW);
    assert_int_equal(value_len(list), 2 * PAIRS - 2000);
    for (int i = 0; i < 2000; i++) {
        struct slice item;
        int len = sprintf(number, "%d", PAIRS - 1 - i);
        assert_true(list_get(list, value_len(list) - 1 - (size_t)i, &item));
        assert_true(slice_equal(item, slice_make(number, (size_t)len)));
    }
    OK(RUN(LIST_REMOVE, list_remove, 0, S("x")), PAIRS - 2000);
    assert_int_equal(value_len(keyspace_find(step_keyspace, S("k"), 0, NOW)), PAIRS);
    RUN_PLAIN(KEY_DELETE);
    for (int i = 0; i < 1500; i++)
        PUSH(S("x"));
    struct outcome out = RUN(LIST_REMOVE, list_remove, 0, S("x"));
    OK(out, 1500);
    assert_true(out.removed);
}

static void test_list_trim_keeps_the_range(void **state)
{
    (void)state;
    UNCHANGED(RUN(LIST_TRIM, list_trim, 1, 2), 0);
    PUSH(S("a"), S("b"), S("c"), S("d"), S("e"), S("f"));
    UNCHANGED(RUN(LIST_TRIM, list_trim, 0, -1), 0);
    UNCHANGED(RUN(LIST_TRIM, list_trim, INT64_MIN, INT64_MAX), 0);
    OK(RUN(LIST_TRIM, list_trim, 1, -2), 2);
    HOLDS("[b c d e]");
    OK(RUN(LIST_TRIM, list_trim, -3, 100), 1);
    HOLDS("[c d e]");
    OK(RUN(LIST_TRIM, list_trim, -100, 1), 1);
    HOLDS("[c d]");
    struct outcome out = RUN(LIST_TRIM, list_trim, 2, 1);
    OK(out, 2);
    assert_true(out.removed);
    HOLDS("-");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, step_set_up, step_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_set_add_counts_new_members),
        TEST(test_set_remove_counts_and_removes_the_empty_key),
        TEST(test_map_set_counts_new_fields_and_the_last_pair_wins),
        TEST(test_map_set_looks_at_its_fields),
        TEST(test_map_delete_counts_and_removes_the_empty_key),
        TEST(test_map_integers),
        TEST(test_map_floats),
        TEST(test_push_keeps_the_order_of_its_items),
        TEST(test_push_only_if_present),
        TEST(test_pop_takes_up_to_count_from_a_side),
        TEST(test_list_set_takes_either_index),
        TEST(test_list_insert_stands_beside_the_first_pivot),
        TEST(test_list_remove_goes_from_either_end),
        TEST(test_list_remove_in_very_many_places),
        TEST(test_list_trim_keeps_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
