/* SPDX-License-Identifier: BSD-3-Clause */
/* Slices are equal when all of their bytes are, whichever way a length is compared, or copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ops/slice.h"

#define LONGEST 40

/* Of the exact size, so that a sanitizer sees what is read past it. */
static char *letters(size_t len)
{
    char *bytes = malloc(len ? len : 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)('a' + i);
    return bytes;
}

static void any_byte_makes_a_difference(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        char *a = letters(len), *b = letters(len);
        assert_true(slice_equal(slice_make(a, len), slice_make(b, len)));
        for (size_t i = 0; i < len; i++) {
            b[i] ^= 1;
            assert_false(slice_equal(slice_make(a, len), slice_make(b, len)));
            b[i] ^= 1;
        }
        free(a);
        free(b);
    }
}

static void a_prefix_is_not_equal(void **state)
{
    (void)state;
    char *bytes = letters(LONGEST);
    for (size_t len = 0; len < LONGEST; len++)
        assert_false(slice_equal(slice_make(bytes, len), slice_make(bytes, len + 1)));
    free(bytes);
}

static void a_copy_is_equal_and_leaves_the_rest(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        char *from = letters(len), to[LONGEST + 2];
        memset(to, '-', sizeof(to));
        slice_copy(to + 1, slice_make(from, len));
        assert_true(slice_equal(slice_make(from, len), slice_make(to + 1, len)));
        assert_int_equal(to[0], '-');
        assert_int_equal(to[len + 1], '-');
        free(from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_byte_makes_a_difference),
        cmocka_unit_test(a_prefix_is_not_equal),
        cmocka_unit_test(a_copy_is_equal_and_leaves_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
