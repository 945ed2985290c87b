/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena of a turn: what is handed out stays put, and memory is used again, then given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "resp/arena.h"

#define FIRST 4096
#define LARGE (300 * 1024)

static void test_what_is_handed_out_does_not_move(void **state)
{
    struct resp_arena arena;
    char *pieces[1000];
    (void)state;
    resp_arena_init(&arena, FIRST);
    for (int i = 0; i < 1000; i++) {
        pieces[i] = resp_arena_bytes(&arena, 100);
        memset(pieces[i], i, 100);
    }
    for (int i = 0; i < 1000; i++)
        for (int j = 0; j < 100; j++)
            assert_int_equal((unsigned char)pieces[i][j], i & 255);
    resp_arena_release(&arena);
}

static void test_large_memory_is_used_again(void **state)
{
    struct resp_arena arena;
    (void)state;
    resp_arena_init(&arena, FIRST);
    resp_arena_bytes(&arena, 1);
    char *large = resp_arena_bytes(&arena, LARGE);
    resp_arena_reset(&arena);
    assert_true(arena.bytes < LARGE);
    assert_true(arena.spare_bytes >= LARGE);
    assert_ptr_equal(resp_arena_bytes(&arena, LARGE), large);
    assert_int_equal(arena.spare_bytes, 0);
    resp_arena_release(&arena);
}

static void test_a_small_request_does_not_take_a_large_spare(void **state)
{
    struct resp_arena arena;
    (void)state;
    resp_arena_init(&arena, FIRST);
    resp_arena_bytes(&arena, LARGE);
    resp_arena_reset(&arena);
    resp_arena_bytes(&arena, LARGE / 4);
    assert_true(arena.spare_bytes >= LARGE);
    resp_arena_release(&arena);
}

static void test_spare_memory_goes_at_the_second_trim(void **state)
{
    struct resp_arena arena;
    (void)state;
    resp_arena_init(&arena, FIRST);
    resp_arena_bytes(&arena, LARGE);
    resp_arena_reset(&arena);
    resp_arena_trim(&arena);
    assert_true(arena.spare_bytes >= LARGE);
    resp_arena_trim(&arena);
    assert_int_equal(arena.spare_bytes, 0);
    assert_null(arena.spare);
    resp_arena_release(&arena);
}

static void test_spare_memory_is_bounded(void **state)
{
    struct resp_arena arena;
    (void)state;
    resp_arena_init(&arena, FIRST);
    for (int i = 0; i < 100; i++)
        resp_arena_bytes(&arena, LARGE);
    resp_arena_reset(&arena);
    assert_true(arena.spare_bytes > 0);
    assert_true(arena.spare_bytes <= 8 * 1024 * 1024);
    resp_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_handed_out_does_not_move),
        cmocka_unit_test(test_large_memory_is_used_again),
        cmocka_unit_test(test_a_small_request_does_not_take_a_large_spare),
        cmocka_unit_test(test_spare_memory_goes_at_the_second_trim),
        cmocka_unit_test(test_spare_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
