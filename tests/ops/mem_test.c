/* SPDX-License-Identifier: BSD-3-Clause */
/* What the allocator promises beyond malloc. Without jemalloc only that memory is usable. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "ops/mem.h"

#define HUGE_SHIFT 21
#define BUFFERS    100
#define BUFFER     ((size_t)128 * 1024)
#define SMALL      ((size_t)600)
#define PER_BUFFER 50
#define LARGE      ((size_t)64 << 20)

static uintptr_t huge_page(const void *at)
{
    return (uintptr_t)at >> HUGE_SHIFT;
}

static bool shares_a_page(const char *buffer, char *const *kept, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (huge_page(kept[i]) >= huge_page(buffer) &&
            huge_page(kept[i]) <= huge_page(buffer + BUFFER - 1))
            return true;
    return false;
}

static void buffers_share_no_huge_page_with_what_stays(void **state)
{
    static char *kept[BUFFERS * PER_BUFFER], *buffers[BUFFERS];
    bool apart = strcmp(mem_allocator(), "libc") != 0;
    (void)state;
    for (size_t i = 0; i < BUFFERS; i++) {
        for (size_t n = 0; n < PER_BUFFER; n++)
            kept[i * PER_BUFFER + n] = mem_alloc(SMALL);
        buffers[i] = mem_alloc_passing(BUFFER);
        memset(buffers[i], 1, BUFFER);
    }
    for (size_t i = 0; apart && i < BUFFERS; i++)
        assert_false(shares_a_page(buffers[i], kept, BUFFERS * PER_BUFFER));
    for (size_t i = 0; i < BUFFERS; i++)
        mem_free(buffers[i]);
    for (size_t i = 0; i < BUFFERS * PER_BUFFER; i++)
        mem_free(kept[i]);
}

static void one_that_grows_moves_apart_with_its_bytes(void **state)
{
    bool apart = strcmp(mem_allocator(), "libc") != 0;
    (void)state;
    char *other = mem_alloc_passing(BUFFER);
    char *bytes = mem_realloc_passing(NULL, 16), *neighbour = mem_alloc(SMALL);
    memcpy(bytes, "0123456789abcdef", 16);
    for (size_t size = 32; size <= 16 * BUFFER; size *= 2)
        bytes = mem_realloc_passing(bytes, size);
    assert_memory_equal(bytes, "0123456789abcdef", 16);
    assert_true(mem_usable(bytes) >= 16 * BUFFER);
    if (apart)
        assert_int_not_equal(huge_page(bytes), huge_page(neighbour));
    mem_free(bytes);
    mem_free(neighbour);
    mem_free(other);
}

/* Bytes of `block` that are in memory. */
static size_t resident(char *block, size_t size)
{
    unsigned char pages[LARGE / 4096];
    size_t count = 0;
    assert_int_equal(mincore(block, size, pages), 0);
    for (size_t i = 0; i < size / 4096; i++)
        count += pages[i] & 1;
    return count * 4096;
}

/* At each moment from then on, ten times a second. */
static void tend(int64_t from_ms, int64_t to_ms)
{
    for (; from_ms < to_ms; from_ms += 100) {
        mem_used();
        mem_tend_passing(from_ms);
    }
}

static void what_was_freed_is_kept_for_a_minute(void **state)
{
    bool apart = strcmp(mem_allocator(), "libc") != 0;
    (void)state;
    char *block = mem_alloc_passing(LARGE), *at = block;
    memset(block, 1, LARGE);
    tend(1000, 100000);
    assert_true(!apart || resident(at, LARGE) == LARGE);
    mem_free(block);
    tend(100000, 150000);
    assert_true(!apart || resident(at, LARGE) == LARGE);
    block = mem_alloc_passing(LARGE);
    assert_true(!apart || block == at);
    tend(150000, 150100);
    mem_free(block);
    tend(150100, 200000);
    assert_true(!apart || resident(at, LARGE) == LARGE);
    tend(200000, 221000);
    assert_true(!apart || resident(at, LARGE) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_share_no_huge_page_with_what_stays),
        cmocka_unit_test(one_that_grows_moves_apart_with_its_bytes),
        cmocka_unit_test(what_was_freed_is_kept_for_a_minute),
    };
    mem_part_passing();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
