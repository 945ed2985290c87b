/* SPDX-License-Identifier: BSD-3-Clause */
/* Packed items: written, then walked both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/mem.h"
#include "ops/pack.h"
#include "tests/support/random.h"

static const size_t lengths[] = {0, 1, 2, 126, 127, 128, 129, 300, 16383, 16384, 70000};
enum { LENGTHS = sizeof(lengths) / sizeof(*lengths), ITEMS = 200 };

static char bytes[70000];

static void items_walk_back_as_they_were_put(void **state)
{
    (void)state;
    struct random rng = random_init();
    size_t chosen[ITEMS], total = 0;
    random_bytes(&rng, bytes, sizeof(bytes));
    for (size_t i = 0; i < ITEMS; i++) {
        chosen[i] = lengths[random_below(&rng, LENGTHS)];
        total += pack_both_size(chosen[i]);
    }
    char *block = mem_alloc(total), *end = block;
    for (size_t i = 0; i < ITEMS; i++)
        end = pack_both_put(end, slice_make(bytes, chosen[i]));
    assert_int_equal(end - block, total);
    const char *at = block;
    struct slice item;
    for (size_t i = 0; i < ITEMS; i++) {
        at = pack_both_get(at, &item);
        assert_true(slice_equal(item, slice_make(bytes, chosen[i])));
    }
    assert_ptr_equal(at, end);
    for (size_t i = ITEMS; i-- > 0;) {
        at = pack_both_prev(at, &item);
        assert_true(slice_equal(item, slice_make(bytes, chosen[i])));
    }
    assert_ptr_equal(at, block);
    mem_free(block);
}

static void plain_items_take_their_size(void **state)
{
    (void)state;
    char *block = mem_alloc(pack_size(sizeof(bytes)));
    for (size_t i = 0; i < LENGTHS; i++) {
        struct slice item, put = slice_make(bytes, lengths[i]);
        assert_int_equal(pack_put(block, put) - block, pack_size(put.len));
        assert_int_equal(pack_get(block, &item) - block, pack_size(put.len));
        assert_true(slice_equal(item, put));
    }
    mem_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_walk_back_as_they_were_put),
        cmocka_unit_test(plain_items_take_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
