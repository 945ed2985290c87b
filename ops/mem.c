/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thin cover of malloc: jemalloc where it is linked in, the C library's or a sanitizer's
 * otherwise. What only one of them has is declared weak, so the same object serves all three.
 */
#include "ops/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * jemalloc reads this at start. Look-ups in many keys wait for memory, a good part of it for
 * address translation: huge pages save a tenth of a pipelined request (docs/performance.md), and
 * without fork nothing is ever copied with them. Pages are given back by threads of its own: by
 * default whoever allocates next does it, which is a client's wait. The environment's MALLOC_CONF
 * goes before all this.
 */
extern const char *malloc_conf;
const char *malloc_conf = "thp:always,background_thread:true";

int mallctl(const char *name, void *old, size_t *old_len, void *new_value, size_t new_len)
    __attribute__((weak));

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static void *checked(void *memory, size_t size)
{
    if (memory)
        return memory;
    fprintf(stderr, "cairn: out of memory allocating %zu bytes\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size ? size : 1), size);
}

void *mem_calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return checked(NULL, SIZE_MAX);
    return checked(calloc(count ? count : 1, size ? size : 1), count * size);
}

void *mem_realloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1), size);
}

void mem_free(void *old)
{
    free(old);
}

void *mem_alloc_aligned(size_t align, size_t size)
{
    return checked(aligned_alloc(align, size), size);
}

size_t mem_usable(const void *old)
{
    return old ? malloc_usable_size((void *)old) : 0;
}

size_t mem_used(void)
{
    if (mallctl) {
        uint64_t epoch = 1;
        size_t len = sizeof(epoch), allocated = 0;
        mallctl("epoch", &epoch, &len, &epoch, len);
        len = sizeof(allocated);
        if (mallctl("stats.allocated", &allocated, &len, NULL, 0) == 0)
            return allocated;
    }
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

void mem_purge(void)
{
    if (mallctl)
        mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all arenas */
    else
        malloc_trim(0);
}

const char *mem_allocator(void)
{
    static _Thread_local char name[64];
    const char *version;
    size_t len = sizeof(version);
    if (!mallctl || mallctl("version", &version, &len, NULL, 0) != 0)
        return "libc";
    snprintf(name, sizeof(name), "jemalloc-%.*s", (int)strcspn(version, "-"), version);
    return name;
}
