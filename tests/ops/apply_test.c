/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each op does, in small steps on key "k". Every step is also applied with an inverse and
 * undone first, so that each of these is a test of its inverse too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/apply.h"
#include "ops/value.h"
#include "tests/support/op_random.h"

/* Fields that are not named are zero, and are meant to be. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define NOW 1000000

static struct keyspace *ks;

static int set_up(void **state)
{
    (void)state;
    ks = keyspace_create(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyspace_destroy(ks);
    return 0;
}

static void copy_text(struct slice text, char *out, size_t room)
{
    assert_true(text.len < room);
    if (text.len)
        memcpy(out, text.data, text.len);
    out[text.len] = 0;
}

/* The text of the last FloatAdd. */
static char last_text[128];

static struct outcome run(struct op op)
{
    struct outcome undone, out;
    struct inverse *undo;
    struct keyspace *before = state_copy(ks);
    struct op_box *again = op_box_copy(&op);
    apply(ks, &again->op, &undone, &undo);
    assert_int_equal(undo != NULL, undone.changed);
    assert_true(!undo || inverse_memory(undo) > 0);
    inverse_undo(ks, undo);
    if (!state_equal(ks, before))
        fail_msg("%s is not undone", op_kind_name(op.kind));
    apply(ks, &op, &out, NULL);
    copy_text(out.text, last_text, sizeof(last_text));
    assert_int_equal(out.status, undone.status);
    assert_int_equal(out.changed, undone.changed);
    assert_int_equal(out.created, undone.created);
    assert_int_equal(out.removed, undone.removed);
    assert_int_equal(out.number, undone.number);
    if (out.status != OUTCOME_OK) {
        assert_false(out.changed);
        keyspace_find(before, op.key, 0, NOW); /* drops it when it has expired, as apply did */
        assert_true(state_equal(ks, before));
    }
    if (op.kind == OP_KEY_PUT && op.key_put.value)
        entry_destroy(op.key_put.value);
    op_box_destroy(again);
    keyspace_destroy(before);
    return out;
}

#define S(text) slice_make("" text, sizeof(text) - 1)
#define LIST(...)                                                                                  \
    {                                                                                              \
        (struct slice[]){__VA_ARGS__},                                                             \
            sizeof((struct slice[]){__VA_ARGS__}) / sizeof(struct slice)                           \
    }
#define RUN(KIND, member, ...)                                                                     \
    run((struct op){.kind = OP_##KIND, .key = S("k"), .time = NOW, .member = {__VA_ARGS__}})
#define RUN_PLAIN(KIND) run((struct op){.kind = OP_##KIND, .key = S("k"), .time = NOW})
#define SET(text)       RUN(SCALAR_SET, scalar_set, .value = S(text))
#define PUSH(...)       RUN(LIST_APPEND, list_append, .items = LIST(__VA_ARGS__))
#define ADD(...)        RUN(SET_ADD, set_add, .members = LIST(__VA_ARGS__))
#define HSET(...)       RUN(MAP_SET, map_set, .pairs = LIST(__VA_ARGS__))

static void expect_outcome(struct outcome out, enum outcome_status status, int64_t number, int line)
{
    if (out.status != status || out.number != number)
        fail_msg("line %d: status %d number %lld", line, (int)out.status, (long long)out.number);
}
#define OK(run, number)      expect_outcome(run, OUTCOME_OK, number, __LINE__)
#define REFUSED(run, STATUS) expect_outcome(run, OUTCOME_##STATUS, 0, __LINE__)
#define UNCHANGED(run, number)                                                                     \
    do {                                                                                           \
        struct outcome unchanged_ = run;                                                           \
        expect_outcome(unchanged_, OUTCOME_OK, number, __LINE__);                                  \
        assert_false(unchanged_.changed);                                                          \
    } while (0)

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The value of "k" as text: `abc`, `[a b]`, `{a b}`, `{f=v g=w}` (sorted), or `-`. */
static const char *dump(void)
{
    static char out[4096], items[64][128];
    char *sorted[64], scratch[24], *at = out;
    struct slice a, b;
    size_t count = 0;
    struct value_iter it;
    struct entry *entry = keyspace_find(ks, S("k"), 0, NOW);
    if (!entry)
        return "-";
    if (entry_type(entry) == VALUE_STRING) {
        copy_text(string_bytes(entry, scratch), out, sizeof(out));
        return out;
    }
    value_iter_init(&it, entry);
    while (value_iter_next(&it, &a, &b)) {
        sorted[count] = items[count];
        snprintf(items[count++], 128, "%.*s%s%.*s", (int)a.len, a.data,
                 entry_type(entry) == VALUE_HASH ? "=" : "", (int)b.len, b.data ? b.data : "");
    }
    assert_int_equal(count, value_len(entry));
    if (entry_type(entry) != VALUE_LIST)
        qsort(sorted, count, sizeof(*sorted), by_text);
    *at++ = entry_type(entry) == VALUE_LIST ? '[' : '{';
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s%s", i ? " " : "", sorted[i]);
    strcpy(at, entry_type(entry) == VALUE_LIST ? "]" : "}");
    return out;
}
#define HOLDS(text) assert_string_equal(dump(), text)

static int64_t deadline(void)
{
    struct entry *entry = keyspace_find(ks, S("k"), 0, NOW);
    return entry ? entry_expires(entry) : -1;
}

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
    assert_int_equal(deadline(), NOW + 5);
    RUN(SCALAR_SET, scalar_set, S("b"), .expires = OP_EXPIRES_KEEP);
    assert_int_equal(deadline(), NOW + 5);
    RUN(INT_SET, int_set, 7, .expires = OP_EXPIRES_KEEP);
    assert_int_equal(deadline(), NOW + 5);
    RUN(INT_SET, int_set, 8, .expires = NOW + 9);
    assert_int_equal(deadline(), NOW + 9);
    SET("c");
    assert_int_equal(deadline(), 0);
    RUN(SCALAR_SET, scalar_set, S("b"), .expires = OP_EXPIRES_KEEP);
    assert_int_equal(deadline(), 0);
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
    assert_int_equal(keyspace_size(ks), 0);
}

static void put_expired(void)
{
    keyspace_insert(ks, entry_build_integer(S("k"), NOW, 41));
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
    assert_int_equal(deadline(), 0);
}

static void test_an_expired_key_comes_back_when_the_op_after_it_is_undone(void **state)
{
    struct op op = {.kind = OP_INT_ADD, .key = S("k"), .time = NOW, .int_add = {1}};
    struct op earlier = {.kind = OP_INT_ADD, .key = S("k"), .time = NOW - 1, .int_add = {1}};
    struct outcome out;
    struct inverse *undo;
    (void)state;
    put_expired();
    apply(ks, &op, &out, &undo);
    assert_int_equal(out.number, 1);
    inverse_undo(ks, undo);
    apply(ks, &earlier, &out, &undo);
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

static int64_t expire_at(int64_t at, enum op_condition condition)
{
    struct outcome out = RUN(KEY_EXPIRE_AT, key_expire_at, at, condition);
    return out.status == OUTCOME_OK ? out.number : -(int64_t)out.status;
}

static void test_expire_follows_its_conditions(void **state)
{
    const int64_t no = -(int64_t)OUTCOME_CONDITION;
    (void)state;
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_NONE), -(int64_t)OUTCOME_NO_KEY);
    SET("a");
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_XX), no);
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_GT), no);
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_XX_LT), no);
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_LT), 1);
    assert_int_equal(expire_at(NOW + 6, OP_CONDITION_NX), no);
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_GT), no);
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_LT), no);
    assert_int_equal(expire_at(NOW + 5, OP_CONDITION_XX_LT), no);
    assert_int_equal(expire_at(NOW + 6, OP_CONDITION_GT), 1);
    assert_int_equal(expire_at(NOW + 4, OP_CONDITION_XX_LT), 1);
    assert_int_equal(expire_at(NOW + 9, OP_CONDITION_XX), 1);
    assert_int_equal(deadline(), NOW + 9);
    SET("a");
    assert_int_equal(expire_at(NOW + 7, OP_CONDITION_NX), 1);
    assert_int_equal(deadline(), NOW + 7);
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
    expire_at(NOW + 5, OP_CONDITION_NONE);
    OK(RUN_PLAIN(KEY_PERSIST), 1);
    assert_int_equal(deadline(), 0);
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
    assert_int_equal(deadline(), NOW + 5);
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
    apply(ks, &op, &out, NULL);
    assert_int_equal(out.status, OUTCOME_CONDITION);
    assert_non_null(op.key_put.value);
    op.key_put.condition = OP_CONDITION_NX;
    apply(ks, &op, &out, NULL);
    assert_int_equal(out.status, OUTCOME_OK);
    assert_null(op.key_put.value);
}

static void test_clear_empties_the_namespace(void **state)
{
    struct op clear = {.kind = OP_NAMESPACE_CLEAR, .key = S(""), .time = NOW};
    (void)state;
    UNCHANGED(run(clear), 0);
    SET("a");
    RUN(KEY_EXPIRE_AT, key_expire_at, NOW + 5);
    keyspace_insert(ks, entry_build_string(S("other"), 0, S("b")));
    OK(run(clear), 2);
    HOLDS("-");
    assert_int_equal(keyspace_size(ks), 0);
    assert_int_equal(keyspace_expires(ks), 0);
}

/* Strings. */

static void test_integers_count_from_nothing_and_keep_the_deadline(void **state)
{
    (void)state;
    OK(RUN(INT_ADD, int_add, 5), 5);
    expire_at(NOW + 5, OP_CONDITION_NONE);
    OK(RUN(INT_MUL, int_mul, -3), -15);
    OK(RUN(INT_DIV, int_div, 4), -3);
    OK(RUN(INT_ADD, int_add, -7), -10);
    assert_int_equal(deadline(), NOW + 5);
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
    assert_string_equal(last_text, "1.5");
    expire_at(NOW + 5, OP_CONDITION_NONE);
    OK(RUN(FLOAT_ADD, float_add, S("1.5e0")), 0);
    assert_string_equal(last_text, "3");
    HOLDS("3");
    OK(RUN(INT_ADD, int_add, 1), 4);
    assert_int_equal(deadline(), NOW + 5);
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
    assert_memory_equal(dump(), "\0\0ab", 4);
    SET("hello world");
    OK(RUN(STRING_SET_RANGE, string_set_range, 6, S("redis")), 11);
    HOLDS("hello redis");
    UNCHANGED(RUN(STRING_SET_RANGE, string_set_range, 0, S("")), 11);
    OK(RUN(STRING_SET_RANGE, string_set_range, 9, S("xyz!")), 13);
    HOLDS("hello redxyz!");
    SET("12345");
    OK(RUN(STRING_SET_RANGE, string_set_range, 7, S("6")), 8);
    assert_memory_equal(dump(), "12345\0\0006", 8);
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
    expect_outcome(RUN(STRING_SET_RANGE, string_set_range, 9, S("ab")), OUTCOME_TOO_LONG, 10,
                   __LINE__);
    expect_outcome(RUN(STRING_SET_RANGE, string_set_range, INT64_MAX, S("ab")), OUTCOME_TOO_LONG,
                   10, __LINE__);
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

/* Sets. */

static void test_set_add_counts_new_members(void **state)
{
    (void)state;
    UNCHANGED(run((struct op){.kind = OP_SET_ADD, .key = S("k"), .time = NOW}), 0);
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
    expire_at(NOW + 5, OP_CONDITION_NONE);
    UNCHANGED(RUN(SET_REMOVE, set_remove, LIST(S("x"))), 0);
    OK(RUN(SET_REMOVE, set_remove, LIST(S("a"), S("x"), S("a"))), 1);
    HOLDS("{1 b}");
    struct outcome out = RUN(SET_REMOVE, set_remove, LIST(S("1"), S("b")));
    OK(out, 2);
    assert_true(out.removed);
    assert_int_equal(keyspace_size(ks), 0);
}

/* Hashes. */

static void test_map_set_counts_new_fields_and_the_last_pair_wins(void **state)
{
    (void)state;
    UNCHANGED(run((struct op){.kind = OP_MAP_SET, .key = S("k"), .time = NOW}), 0);
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
    assert_string_equal(last_text, "10.6");
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
    UNCHANGED(run((struct op){.kind = OP_LIST_APPEND, .key = S("k"), .time = NOW}), 2);
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
    expire_at(NOW + 5, OP_CONDITION_NONE);
    UNCHANGED(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 0), 0);
    UNCHANGED(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, -1), 0);
    OK(RUN(LIST_POP, list_pop, OP_SIDE_LEFT, 1), 1);
    HOLDS("[b c d e]");
    OK(RUN(LIST_POP, list_pop, OP_SIDE_RIGHT, 2), 2);
    HOLDS("[b c]");
    assert_int_equal(deadline(), NOW + 5);
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
    keyspace_insert(ks, list);
    OK(RUN(LIST_REMOVE, list_remove, -2000, S("x")), 2000);
    assert_int_equal(deadline(), NOW + 5);
    list = keyspace_find(ks, S("k"), 0, NOW);
    assert_int_equal(value_len(list), 2 * PAIRS - 2000);
    for (int i = 0; i < 2000; i++) {
        struct slice item;
        int len = sprintf(number, "%d", PAIRS - 1 - i);
        assert_true(list_get(list, value_len(list) - 1 - (size_t)i, &item));
        assert_true(slice_equal(item, slice_make(number, (size_t)len)));
    }
    OK(RUN(LIST_REMOVE, list_remove, 0, S("x")), PAIRS - 2000);
    assert_int_equal(value_len(keyspace_find(ks, S("k"), 0, NOW)), PAIRS);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
