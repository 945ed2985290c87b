/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each op on keys and strings does, in small steps on key "k"; each step is undone first.
 */
#include "ops/apply.h"
#include "ops/value.h"
#include "tests/support/apply_step.h"

/* Keys. */

static void test_set_makes_and_overwrites_any_type(void **state)
{
    (void)state;
    struct outcome out = SET("one");
    assert_true(out.created && out.changed && !out.removed);
    HOLDS("one");
    out = SET("one");
    assert_true(!out.created && out.changed);
    RUN_PLAIN(KEY_DELETE);
    PUSH(S("a"));
    out = SET("two");
    assert_true(!out.created && out.changed && !out.removed);
    HOLDS("two");
}

static void test_set_looks_at_the_presence_of_the_key(void **state)
{
    (void)state;
    REFUSED(RUN(SCALAR_SET, scalar_set, S("a"), OP_CONDITION_XX), CONDITION);
    HOLDS("-");
    OK(RUN(SCALAR_SET, scalar_set, S("a"), OP_CONDITION_NX), 0);
    REFUSED(RUN(SCALAR_SET, scalar_set, S("b"), OP_CONDITION_NX), CONDITION);
    HOLDS("a");
    OK(RUN(SCALAR_SET, scalar_set, S("b"), OP_CONDITION_XX), 0);
    HOLDS("b");
    REFUSED(RUN(INT_SET, int_set, 5, OP_CONDITION_NX), CONDITION);
    OK(RUN(INT_SET, int_set, 5, OP_CONDITION_XX), 5);
    HOLDS("5");
}

static void test_set_clears_keeps_or_sets_the_deadline(void **state)
{
    (void)state;
    RUN(SCALAR_SET, scalar_set, S("a"), .expires = NOW + 5);
    assert_int_equal(step_deadline(), NOW + 5);
    RUN(SCALAR_SET, scalar_set, S("b"), .expires = OP_EXPIRES_KEEP);
    assert_int_equal(step_deadline(), NOW + 5);
    RUN(INT_SET, int_set, 7, .expires = OP_EXPIRES_KEEP);
    assert_int_equal(step_deadline(), NOW + 5);
    RUN(INT_SET, int_set, 8, .expires = NOW + 9);
    assert_int_equal(step_deadline(), NOW + 9);
    SET("c");
    assert_int_equal(step_deadline(), 0);
    RUN(SCALAR_SET, scalar_set, S("b"), .expires = OP_EXPIRES_KEEP);
    assert_int_equal(step_deadline(), 0);
}

static void test_set_with_a_passed_deadline_leaves_the_key_absent(void **state)
{
    (void)state;
    UNCHANGED(RUN(SCALAR_SET, scalar_set, S("a"), .expires = NOW), 0);
    HOLDS("-");
    SET("a");
    struct outcome out = RUN(SCALAR_SET, scalar_set, S("b"), .expires = NOW);
    assert_true(out.changed && out.removed && !out.created);
    HOLDS("-");
    assert_int_equal(keyspace_size(step_keyspace), 0);
}

static void put_expired(void)
{
    keyspace_insert(step_keyspace, entry_build_integer(S("k"), NOW, 41));
}

static void test_a_key_past_its_deadline_counts_as_absent(void **state)
{
    (void)state;
    put_expired();
    UNCHANGED(RUN_PLAIN(KEY_DELETE), 0);
    put_expired();
    REFUSED(RUN_PLAIN(KEY_PERSIST), NO_KEY);
    put_expired();
    REFUSED(RUN(SCALAR_SET, scalar_set, S("a"), OP_CONDITION_XX), CONDITION);
    put_expired();
    struct outcome out = RUN(INT_ADD, int_add, 1);
    assert_true(out.created);
    OK(out, 1);
    assert_int_equal(step_deadline(), 0);
}

static void test_an_expired_key_comes_back_when_the_op_after_it_is_undone(void **state)
{
    struct op op = {.kind = OP_INT_ADD, .key = S("k"), .time = NOW, .int_add = {1}};
    struct op earlier = {.kind = OP_INT_ADD, .key = S("k"), .time = NOW - 1, .int_add = {1}};
    struct outcome out;
    struct inverse *undo;
    (void)state;
    put_expired();
    apply(step_keyspace, &op, &out, &undo);
    assert_int_equal(out.number, 1);
    inverse_undo(step_keyspace, undo, op.key, op.hash);
    apply(step_keyspace, &earlier, &out, &undo);
    assert_int_equal(out.number, 42);
    inverse_destroy(undo);
}

static void test_delete_removes_any_type_and_scalar_delete_strings(void **state)
{
    (void)state;
    UNCHANGED(RUN_PLAIN(KEY_DELETE), 0);
    UNCHANGED(RUN_PLAIN(SCALAR_DELETE), 0);
    SET("a");
    struct outcome out = RUN_PLAIN(SCALAR_DELETE);
    assert_true(out.removed && out.changed);
    OK(out, 1);
    PUSH(S("a"), S("b"));
    REFUSED(RUN_PLAIN(SCALAR_DELETE), WRONG_TYPE);
    OK(RUN_PLAIN(KEY_DELETE), 1);
    HOLDS("-");
}

static void test_expire_follows_its_conditions(void **state)
{
    const int64_t no = -(int64_t)OUTCOME_CONDITION;
    (void)state;
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_NONE), -(int64_t)OUTCOME_NO_KEY);
    SET("a");
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_XX), no);
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_GT), no);
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_XX_LT), no);
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_LT), 1);
    assert_int_equal(step_expire_at(NOW + 6, OP_CONDITION_NX), no);
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_GT), no);
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_LT), no);
    assert_int_equal(step_expire_at(NOW + 5, OP_CONDITION_XX_LT), no);
    assert_int_equal(step_expire_at(NOW + 6, OP_CONDITION_GT), 1);
    assert_int_equal(step_expire_at(NOW + 4, OP_CONDITION_XX_LT), 1);
    assert_int_equal(step_expire_at(NOW + 9, OP_CONDITION_XX), 1);
    assert_int_equal(step_deadline(), NOW + 9);
    SET("a");
    assert_int_equal(step_expire_at(NOW + 7, OP_CONDITION_NX), 1);
    assert_int_equal(step_deadline(), NOW + 7);
}

static void test_expire_in_the_past_deletes(void **state)
{
    (void)state;
    ADD(S("a"), S("b"));
    struct outcome out = RUN(KEY_EXPIRE_AT, key_expire_at, NOW);
    assert_true(out.removed && out.changed);
    OK(out, 1);
    HOLDS("-");
    SET("a");
    OK(RUN(KEY_EXPIRE_AT, key_expire_at, INT64_MIN), 1);
    HOLDS("-");
}

static void test_persist_takes_the_deadline_away(void **state)
{
    (void)state;
    REFUSED(RUN_PLAIN(KEY_PERSIST), NO_KEY);
    SET("a");
    UNCHANGED(RUN_PLAIN(KEY_PERSIST), 0);
    step_expire_at(NOW + 5, OP_CONDITION_NONE);
    OK(RUN_PLAIN(KEY_PERSIST), 1);
    assert_int_equal(step_deadline(), 0);
}

static struct entry *some_list(void)
{
    struct entry *value = entry_build(S("another key"), 77, VALUE_LIST);
    entry_build_item(&value, S("x"));
    entry_build_item(&value, S("y"));
    return value;
}

static void test_put_takes_the_value_and_gives_it_the_key_and_deadline(void **state)
{
    (void)state;
    struct outcome out = RUN(KEY_PUT, key_put, some_list(), NOW + 5);
    assert_true(out.created && out.changed);
    HOLDS("[x y]");
    assert_int_equal(step_deadline(), NOW + 5);
    SET("a");
    REFUSED(RUN(KEY_PUT, key_put, some_list(), 0, OP_CONDITION_NX), CONDITION);
    HOLDS("a");
    OK(RUN(KEY_PUT, key_put, some_list()), 0);
    HOLDS("[x y]");
    out = RUN(KEY_PUT, key_put, some_list(), NOW - 1);
    assert_true(out.removed);
    HOLDS("-");
}

static void test_put_leaves_a_refused_value_to_the_caller(void **state)
{
    struct op op = {.kind = OP_KEY_PUT, .key = S("k"), .time = NOW};
    struct outcome out;
    (void)state;
    op.key_put = (struct op_key_put){some_list(), 0, OP_CONDITION_XX};
    apply(step_keyspace, &op, &out, NULL);
    assert_int_equal(out.status, OUTCOME_CONDITION);
    assert_non_null(op.key_put.value);
    op.key_put.condition = OP_CONDITION_NX;
    apply(step_keyspace, &op, &out, NULL);
    assert_int_equal(out.status, OUTCOME_OK);
    assert_null(op.key_put.value);
}

static void test_clear_empties_the_namespace(void **state)
{
    struct op clear = {.kind = OP_NAMESPACE_CLEAR, .key = S(""), .time = NOW};
    (void)state;
    UNCHANGED(step_run(clear), 0);
    SET("a");
    RUN(KEY_EXPIRE_AT, key_expire_at, NOW + 5);
    keyspace_insert(step_keyspace, entry_build_string(S("other"), 0, S("b")));
    OK(step_run(clear), 2);
    HOLDS("-");
    assert_int_equal(keyspace_size(step_keyspace), 0);
    assert_int_equal(keyspace_expires(step_keyspace), 0);
}

/* Strings. */

static void test_integers_count_from_nothing_and_keep_the_deadline(void **state)
{
    (void)state;
    OK(RUN(INT_ADD, int_add, 5), 5);
    step_expire_at(NOW + 5, OP_CONDITION_NONE);
    OK(RUN(INT_MUL, int_mul, -3), -15);
    OK(RUN(INT_DIV, int_div, 4), -3);
    OK(RUN(INT_ADD, int_add, -7), -10);
    assert_int_equal(step_deadline(), NOW + 5);
    HOLDS("-10");
    RUN_PLAIN(KEY_DELETE);
    OK(RUN(INT_MUL, int_mul, 4), 0);
    HOLDS("0");
    RUN_PLAIN(KEY_DELETE);
    OK(RUN(INT_DIV, int_div, 4), 0);
    HOLDS("0");
}

static void test_integers_do_not_overflow(void **state)
{
    (void)state;
    RUN(INT_SET, int_set, INT64_MAX);
    REFUSED(RUN(INT_ADD, int_add, 1), OVERFLOW);
    REFUSED(RUN(INT_MUL, int_mul, 2), OVERFLOW);
    OK(RUN(INT_ADD, int_add, -1), INT64_MAX - 1);
    RUN(INT_SET, int_set, INT64_MIN);
    REFUSED(RUN(INT_ADD, int_add, -1), OVERFLOW);
    REFUSED(RUN(INT_MUL, int_mul, -1), OVERFLOW);
    REFUSED(RUN(INT_DIV, int_div, -1), OVERFLOW);
    HOLDS("-9223372036854775808");
    REFUSED(RUN(INT_DIV, int_div, 0), ZERO_DIVISOR);
}

static void test_a_zero_divisor_makes_no_key(void **state)
{
    (void)state;
    REFUSED(RUN(INT_DIV, int_div, 0), ZERO_DIVISOR);
    REFUSED(RUN(INT_MAP_DIV, int_map_div, S("f"), 0), ZERO_DIVISOR);
    HOLDS("-");
}

static void test_only_canonical_integers_are_numbers(void **state)
{
    static const char *const bad[] = {"",   " 1", "1 ",  "+1",
                                      "01", "-0", "1.0", "9223372036854775808"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        RUN(SCALAR_SET, scalar_set, slice_of(bad[i]));
        REFUSED(RUN(INT_ADD, int_add, 1), NOT_INTEGER);
        HOLDS(bad[i]);
        RUN_PLAIN(KEY_DELETE);
        HSET(S("f"), slice_of(bad[i]));
        REFUSED(RUN(INT_MAP_MUL, int_map_mul, S("f"), 1), NOT_INTEGER);
        RUN_PLAIN(KEY_DELETE);
    }
    SET("-12");
    OK(RUN(INT_ADD, int_add, 1), -11);
}

static void test_floats_are_added_as_decimals(void **state)
{
    (void)state;
    OK(RUN(FLOAT_ADD, float_add, S("1.5")), 0);
    assert_string_equal(step_text, "1.5");
    step_expire_at(NOW + 5, OP_CONDITION_NONE);
    OK(RUN(FLOAT_ADD, float_add, S("1.5e0")), 0);
    assert_string_equal(step_text, "3");
    HOLDS("3");
    OK(RUN(INT_ADD, int_add, 1), 4);
    assert_int_equal(step_deadline(), NOW + 5);
    REFUSED(RUN(FLOAT_ADD, float_add, S("x")), NOT_FLOAT);
    REFUSED(RUN(FLOAT_ADD, float_add, S("-inf")), NOT_FINITE);
    SET(" 1");
    REFUSED(RUN(FLOAT_ADD, float_add, S("1")), NOT_FLOAT);
    SET("1\0");
    REFUSED(RUN(FLOAT_ADD, float_add, S("1")), NOT_FLOAT);
}

static void test_append_gives_the_length_and_goes_on_from_numbers(void **state)
{
    (void)state;
    OK(RUN(STRING_APPEND, string_append, S("12")), 2);
    OK(RUN(STRING_APPEND, string_append, S("3")), 3);
    HOLDS("123");
    OK(RUN(INT_ADD, int_add, 1), 124);
    OK(RUN(STRING_APPEND, string_append, S("x")), 4);
    UNCHANGED(RUN(STRING_APPEND, string_append, S("")), 4);
    HOLDS("124x");
    RUN_PLAIN(KEY_DELETE);
    struct outcome out = RUN(STRING_APPEND, string_append, S(""));
    assert_true(out.created);
    HOLDS("");
}

static void test_set_range_overwrites_and_fills_with_zeros(void **state)
{
    (void)state;
    UNCHANGED(RUN(STRING_SET_RANGE, string_set_range, 5, S("")), 0);
    HOLDS("-");
    OK(RUN(STRING_SET_RANGE, string_set_range, 2, S("ab")), 4);
    assert_memory_equal(step_dump(), "\0\0ab", 4);
    SET("hello world");
    OK(RUN(STRING_SET_RANGE, string_set_range, 6, S("redis")), 11);
    HOLDS("hello redis");
    UNCHANGED(RUN(STRING_SET_RANGE, string_set_range, 0, S("")), 11);
    OK(RUN(STRING_SET_RANGE, string_set_range, 9, S("xyz!")), 13);
    HOLDS("hello redxyz!");
    SET("12345");
    OK(RUN(STRING_SET_RANGE, string_set_range, 7, S("6")), 8);
    assert_memory_equal(step_dump(), "12345\0\0006", 8);
    REFUSED(RUN(STRING_SET_RANGE, string_set_range, -1, S("6")), OUT_OF_RANGE);
}

static void test_strings_do_not_pass_their_limit(void **state)
{
    int64_t former = value_limits.string_max;
    (void)state;
    value_limits.string_max = 10;
    SET("123456789");
    OK(RUN(STRING_APPEND, string_append, S("0")), 10);
    REFUSED(RUN(STRING_APPEND, string_append, S("1")), TOO_LONG);
    step_expect(RUN(STRING_SET_RANGE, string_set_range, 9, S("ab")), OUTCOME_TOO_LONG, 10,
                __LINE__);
    step_expect(RUN(STRING_SET_RANGE, string_set_range, INT64_MAX, S("ab")), OUTCOME_TOO_LONG, 10,
                __LINE__);
    OK(RUN(STRING_SET_RANGE, string_set_range, 8, S("ab")), 10);
    value_limits.string_max = former;
    HOLDS("12345678ab");
}

static void test_ops_on_another_type_do_nothing(void **state)
{
    (void)state;
    PUSH(S("a"));
    REFUSED(RUN(INT_ADD, int_add, 1), WRONG_TYPE);
    REFUSED(RUN(INT_MUL, int_mul, 1), WRONG_TYPE);
    REFUSED(RUN(INT_DIV, int_div, 0), WRONG_TYPE);
    REFUSED(RUN(FLOAT_ADD, float_add, S("1")), WRONG_TYPE);
    REFUSED(RUN(STRING_APPEND, string_append, S("1")), WRONG_TYPE);
    REFUSED(RUN(STRING_SET_RANGE, string_set_range, 0, S("1")), WRONG_TYPE);
    REFUSED(ADD(S("a")), WRONG_TYPE);
    REFUSED(RUN(SET_REMOVE, set_remove, LIST(S("a"))), WRONG_TYPE);
    REFUSED(HSET(S("a"), S("b")), WRONG_TYPE);
    REFUSED(RUN(INT_MAP_SET, int_map_set, S("a"), 1), WRONG_TYPE);
    REFUSED(RUN(INT_MAP_ADD, int_map_add, S("a"), 1), WRONG_TYPE);
    REFUSED(RUN(INT_MAP_DELETE, int_map_delete, LIST(S("a"))), WRONG_TYPE);
    REFUSED(RUN(FLOAT_MAP_ADD, float_map_add, S("a"), S("1")), WRONG_TYPE);
    REFUSED(RUN(MAP_DELETE, map_delete, LIST(S("a"))), WRONG_TYPE);
    SET("a");
    REFUSED(PUSH(S("a")), WRONG_TYPE);
    REFUSED(RUN(LIST_PREPEND, list_prepend, LIST(S("a"))), WRONG_TYPE);
    REFUSED(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 1), WRONG_TYPE);
    REFUSED(RUN(LIST_SET, list_set, 0, S("a")), WRONG_TYPE);
    REFUSED(RUN(LIST_INSERT, list_insert, OP_SIDE_LEFT, S("a"), S("b")), WRONG_TYPE);
    REFUSED(RUN(LIST_REMOVE, list_remove, 0, S("a")), WRONG_TYPE);
    REFUSED(RUN(LIST_TRIM, list_trim, 0, -1), WRONG_TYPE);
    HOLDS("a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, step_set_up, step_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_set_makes_and_overwrites_any_type),
        TEST(test_set_looks_at_the_presence_of_the_key),
        TEST(test_set_clears_keeps_or_sets_the_deadline),
        TEST(test_set_with_a_passed_deadline_leaves_the_key_absent),
        TEST(test_a_key_past_its_deadline_counts_as_absent),
        TEST(test_an_expired_key_comes_back_when_the_op_after_it_is_undone),
        TEST(test_delete_removes_any_type_and_scalar_delete_strings),
        TEST(test_expire_follows_its_conditions),
        TEST(test_expire_in_the_past_deletes),
        TEST(test_persist_takes_the_deadline_away),
        TEST(test_put_takes_the_value_and_gives_it_the_key_and_deadline),
        TEST(test_put_leaves_a_refused_value_to_the_caller),
        TEST(test_clear_empties_the_namespace),
        TEST(test_integers_count_from_nothing_and_keep_the_deadline),
        TEST(test_integers_do_not_overflow),
        TEST(test_a_zero_divisor_makes_no_key),
        TEST(test_only_canonical_integers_are_numbers),
        TEST(test_floats_are_added_as_decimals),
        TEST(test_append_gives_the_length_and_goes_on_from_numbers),
        TEST(test_set_range_overwrites_and_fills_with_zeros),
        TEST(test_strings_do_not_pass_their_limit),
        TEST(test_ops_on_another_type_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
