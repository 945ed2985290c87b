/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of op kinds, conditions and sides; what makes an op well-formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/op.h"
#include "ops/query.h"
#include "ops/value.h"
#include "tests/support/op_random.h"

static void test_every_kind_is_found_by_its_name_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OP_COUNT; i++) {
        char longer[64];
        const char *name = op_kind_name((enum op_kind)i);
        enum op_kind kind = OP_COUNT;
        assert_true(op_kind_parse(slice_of(name), &kind));
        assert_int_equal(kind, i);
        assert_false(op_kind_parse(slice_make(name, strlen(name) - 1), &kind));
        strcpy(longer, name);
        strcat(longer, "x");
        assert_false(op_kind_parse(slice_of(longer), &kind));
        assert_int_equal(kind, i);
    }
}

static void test_unknown_names_are_refused(void **state)
{
    enum op_kind kind;
    enum op_condition condition;
    enum op_side side;
    (void)state;
    assert_false(op_kind_parse(slice_make(NULL, 0), &kind));
    assert_false(op_kind_parse(slice_of("scalarset"), &kind));
    assert_false(op_condition_parse(slice_of("NX"), &condition));
    assert_false(op_side_parse(slice_of("middle"), &side));
}

static void test_the_names_of_the_system_this_follows_are_there(void **state)
{
    static const char *const ops[] = {"ScalarSet",    "ScalarDelete", "IntSet",    "IntAdd",
                                      "IntMul",       "IntDiv",       "SetAdd",    "SetRemove",
                                      "IntMapSet",    "IntMapAdd",    "IntMapMul", "IntMapDiv",
                                      "IntMapDelete", "MapSet",       "MapDelete", "ListAppend"};
    enum op_kind kind;
    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
        assert_true(op_kind_parse(slice_of(ops[i]), &kind));
    assert_string_equal(read_op_kind_name(READ_OP_SCALAR_GET), "ScalarGet");
    assert_string_equal(read_op_kind_name(READ_OP_LIST_LEN), "ListLen");
}

static void test_conditions_and_sides_are_found_by_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OP_CONDITION_COUNT; i++) {
        enum op_condition condition;
        const char *name = op_condition_name((enum op_condition)i);
        assert_true(op_condition_parse(slice_of(name), &condition));
        assert_int_equal(condition, i);
    }
    for (unsigned i = 0; i < OP_SIDE_COUNT; i++) {
        enum op_side side;
        assert_true(op_side_parse(slice_of(op_side_name((enum op_side)i)), &side));
        assert_int_equal(side, i);
    }
}

static void test_malformed_ops_are_told(void **state)
{
    struct slice three[3] = {slice_of("a"), slice_of("b"), slice_of("c")};
    struct entry *empty = entry_build(slice_of("k"), 0, VALUE_SET);
    struct entry *text = entry_build_string(slice_of("k"), 0, slice_of(""));
    struct op good[] = {
        {.kind = OP_SCALAR_SET, .scalar_set = {.expires = OP_EXPIRES_KEEP}},
        {.kind = OP_MAP_SET, .map_set = {.pairs = {three, 2}}},
        {.kind = OP_KEY_PUT, .key_put = {.value = text}},
        {.kind = OP_KEY_EXPIRE_AT, .key_expire_at = {-5, OP_CONDITION_XX_LT}},
        {.kind = OP_NAMESPACE_CLEAR},
    };
    struct op bad[] = {
        {.kind = OP_SCALAR_SET, .scalar_set = {.expires = -2}},
        {.kind = OP_INT_SET, .int_set = {.condition = OP_CONDITION_GT}},
        {.kind = OP_MAP_SET, .map_set = {.pairs = {three, 3}}},
        {.kind = OP_LIST_APPEND, .list_append = {.condition = OP_CONDITION_LT}},
        {.kind = OP_KEY_PUT, .key_put = {.value = empty}},
        {.kind = OP_KEY_PUT, .key_put = {.value = NULL}},
        {.kind = OP_NAMESPACE_CLEAR, .key = slice_of("k")},
        {.kind = OP_COUNT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(op_valid(&good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(op_valid(&bad[i]));
    entry_destroy(empty);
    entry_destroy(text);
}

static void test_random_ops_are_valid_and_equal_their_copies(void **state)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .bytes_max = 300, .time = 1000000};
    struct op_box *last = op_random(&source);
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct op_box *box = op_random_kind(&source, (enum op_kind)(i % OP_COUNT));
        struct op_box *copy = op_box_copy(&box->op);
        assert_true(op_valid(&box->op));
        assert_true(op_equal(&box->op, &copy->op));
        assert_false(op_equal(&box->op, &last->op));
        op_box_destroy(copy);
        op_box_destroy(last);
        last = box;
    }
    op_box_destroy(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_found_by_its_name_alone),
        cmocka_unit_test(test_unknown_names_are_refused),
        cmocka_unit_test(test_the_names_of_the_system_this_follows_are_there),
        cmocka_unit_test(test_conditions_and_sides_are_found_by_name),
        cmocka_unit_test(test_malformed_ops_are_told),
        cmocka_unit_test(test_random_ops_are_valid_and_equal_their_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
