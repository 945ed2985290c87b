/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies keep their bytes while the bag grows; short and long single copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "server/slice_bag.h"

static void strings_come_back_in_order(void **state)
{
    (void)state;
    struct slice_bag bag = {0};
    for (int i = 0; i < 1000; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%d", i);
        slice_bag_add(&bag, slice_make(text, i % 7 ? (size_t)len : 0));
    }
    struct slice_list list = slice_bag_list(&bag);
    assert_int_equal(list.count, 1000);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%d", i);
        assert_true(slice_equal(list.items[i], slice_make(text, i % 7 ? (size_t)len : 0)));
    }
    slice_bag_release(&bag);
}

static void an_empty_bag_lists_nothing(void **state)
{
    (void)state;
    struct slice_bag bag = {0};
    assert_int_equal(slice_bag_list(&bag).count, 0);
    slice_bag_release(&bag);
    assert_int_equal(bag.count, 0);
}

static void a_bag_may_grow_after_it_was_listed(void **state)
{
    (void)state;
    struct slice_bag bag = {0};
    slice_bag_add(&bag, slice_make("a\0b", 3));
    slice_bag_list(&bag);
    slice_bag_add(&bag, slice_of("c"));
    struct slice_list list = slice_bag_list(&bag);
    assert_int_equal(list.count, 2);
    assert_true(slice_equal(list.items[0], slice_make("a\0b", 3)));
    assert_true(slice_equal(list.items[1], slice_of("c")));
    slice_bag_release(&bag);
}

static void single_copies_outlive_their_source(void **state)
{
    (void)state;
    char source[300];
    const size_t lengths[] = {0, 1, 120, 121, 300};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct slice_copy copy;
        memset(source, 'x', sizeof(source));
        struct slice kept = slice_copy_init(&copy, slice_make(source, lengths[i]));
        memset(source, 'y', sizeof(source));
        assert_int_equal(kept.len, lengths[i]);
        for (size_t j = 0; j < kept.len; j++)
            assert_int_equal(kept.data[j], 'x');
        slice_copy_release(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_come_back_in_order),
        cmocka_unit_test(an_empty_bag_lists_nothing),
        cmocka_unit_test(a_bag_may_grow_after_it_was_listed),
        cmocka_unit_test(single_copies_outlive_their_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
