/* SPDX-License-Identifier: BSD-3-Clause */
/* UUIDs of version 7: form, order and randomness. */
#include "persistence/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void the_form_is_that_of_version_7(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        char id[UUID_TEXT_SIZE];
        uuid7_make(0x017f22e279b0, id);
        assert_int_equal(strlen(id), 36);
        assert_memory_equal(id, "017f22e2-79b0-7", 15);
        assert_non_null(strchr("89ab", id[19]));
        for (int i = 0; i < 36; i++) {
            bool dash = i == 8 || i == 13 || i == 18 || i == 23;
            assert_true(dash ? id[i] == '-' : strchr("0123456789abcdef", id[i]) != NULL);
        }
    }
}

static void later_ids_sort_later(void **state)
{
    (void)state;
    char before[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    uuid7_make(0, before);
    for (int64_t ms = 1; ms < INT64_C(1) << 48; ms = ms * 2 + 1) {
        uuid7_make(ms, id);
        assert_true(strcmp(before, id) < 0);
        memcpy(before, id, sizeof(id));
    }
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ids_of_one_moment_differ_in_every_random_digit(void **state)
{
    (void)state;
    static char ids[20000][UUID_TEXT_SIZE];
    bool differs[UUID_TEXT_SIZE] = {false};
    for (int i = 0; i < 20000; i++) {
        uuid7_make(1795212345678, ids[i]);
        for (int at = 0; at < 36; at++)
            differs[at] |= ids[i][at] != ids[0][at];
    }
    for (int at = 0; at < 36; at++)
        assert_int_equal(differs[at], at > 14 && at != 18 && at != 23);
    qsort(ids, 20000, UUID_TEXT_SIZE, compare_ids);
    for (int i = 1; i < 20000; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_that_of_version_7),
        cmocka_unit_test(later_ids_sort_later),
        cmocka_unit_test(ids_of_one_moment_differ_in_every_random_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
