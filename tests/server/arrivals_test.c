/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said of an answer that changed. That it is said, tests/integration/arrivals.py shows. */
#include "server/arrivals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void expect(const struct op *op, struct rebase_answer was, struct rebase_answer is,
                   const char *expected)
{
    struct text out = {0};
    arrivals_describe(&out, slice_of("jobs"), op, &was, &is, 12);
    assert_string_equal(text_terminated(&out), expected);
    text_release(&out);
}

static void a_changed_number_is_one_object(void **state)
{
    (void)state;
    struct op op = {.kind = OP_INT_ADD, .key = slice_of("n")};
    expect(&op, (struct rebase_answer){.number = 10, .whole = true},
           (struct rebase_answer){.number = 5, .whole = true},
           "{\"namespace\":\"jobs\",\"key\":\"n\",\"op\":\"IntAdd\",\"command\":\"incrby\","
           "\"old\":{\"status\":\"ok\",\"number\":10},\"new\":{\"status\":\"ok\",\"number\":5},"
           "\"position\":12}");
}

static void what_is_refused_now_is_told_by_its_reason(void **state)
{
    (void)state;
    struct op op = {.kind = OP_SCALAR_SET, .key = slice_of("lock")};
    expect(&op, (struct rebase_answer){.whole = true},
           (struct rebase_answer){.status = OUTCOME_CONDITION, .whole = true},
           "{\"namespace\":\"jobs\",\"key\":\"lock\",\"op\":\"ScalarSet\",\"command\":\"set\","
           "\"old\":{\"status\":\"ok\"},\"new\":{\"status\":\"condition\"},\"position\":12}");
}

static void bytes_that_are_no_text_survive(void **state)
{
    (void)state;
    struct text items = {0};
    struct slice item = slice_make("\"\n\0", 3);
    struct op op = {.kind = OP_LIST_POP, .key = slice_make("\xff\x00", 2)};
    text_append(&items, &item.len, sizeof(item.len));
    text_append_slice(&items, item);
    expect(
        &op, (struct rebase_answer){.number = 1, .detail = text_slice(&items), .whole = true},
        (struct rebase_answer){.number = 40},
        "{\"namespace\":\"jobs\",\"key\":\"base64:/wA=\",\"op\":\"ListPop\",\"command\":\"lpop\","
        "\"old\":{\"status\":\"ok\",\"number\":1,\"items\":[\"\\\"\\n\\u0000\"]},"
        "\"new\":{\"status\":\"ok\",\"number\":40},\"position\":12}");
    text_release(&items);
}

static void a_float_is_its_text(void **state)
{
    (void)state;
    struct op op = {.kind = OP_FLOAT_MAP_ADD, .key = slice_of("h")};
    expect(
        &op, (struct rebase_answer){.detail = slice_of("1.5"), .whole = true},
        (struct rebase_answer){.status = OUTCOME_NOT_FLOAT, .whole = true},
        "{\"namespace\":\"jobs\",\"key\":\"h\",\"op\":\"FloatMapAdd\",\"command\":\"hincrbyfloat\","
        "\"old\":{\"status\":\"ok\",\"text\":\"1.5\"},\"new\":{\"status\":\"not-float\"},"
        "\"position\":12}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_number_is_one_object),
        cmocka_unit_test(what_is_refused_now_is_told_by_its_reason),
        cmocka_unit_test(bytes_that_are_no_text_survive),
        cmocka_unit_test(a_float_is_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
