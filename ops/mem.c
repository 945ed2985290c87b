/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thin cover of malloc: jemalloc where it is linked in, the C library's or a sanitizer's
 * otherwise. What only one of them has is declared weak, so the same object serves all three.
 */
#include "ops/mem.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/*
 * jemalloc reads this at start. Look-ups in many keys wait for memory, a good part of it for
 * address translation: huge pages save a tenth of a pipelined request (docs/performance.md), and
 * without fork nothing is ever copied with them. Pages are given back by threads of its own: by
 * default whoever allocates next does it, which is a client's wait. The environment's MALLOC_CONF
 * goes before all this.
 */
extern const char *malloc_conf;
const char *malloc_conf = "thp:always,background_thread:true";

/* Shorter ones stay in their thread's cache. */
#define PASSING_MIN ((size_t)32 * 1024 + 1)
/* So long the pages of buffers are kept: what works in bursts wants them again at the next one, and
 * getting them from the system takes longer than most of what is done with them. */
#define PASSING_KEPT_MS 60000
/* Looked at by so many parts of that time. */
#define PASSING_SLOTS 6
/* Pages that are not worth giving back. */
#define PASSING_SPARE    2048
#define PASSING_LG_ALIGN 12

int mallctl(const char *name, void *old, size_t *old_len, void *new_value, size_t new_len)
    __attribute__((weak));
void *mallocx(size_t size, int flags) __attribute__((weak));
void *rallocx(void *old, size_t size, int flags) __attribute__((weak));

static struct {
    unsigned arena;
    int flags;                  /* of jemalloc's functions; 0: there is no arena of its own */
    bool tended;                /* mem_tend_passing gives its pages back, jemalloc does not */
    int64_t slot;               /* the last one looked at */
    size_t most[PASSING_SLOTS]; /* pages in use at once, in the last slots */
} passing;

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

/*
 * jemalloc gives free pages back one by one as they age, though they are wanted again a moment
 * later: so here all that is free goes at once, or nothing.
 */
void mem_part_passing(void)
{
    ssize_t decay = PASSING_KEPT_MS, none = -1;
    size_t len = sizeof(passing.arena), never = SIZE_MAX, tended_len = sizeof(passing.tended);
    char name[64];
    if (passing.flags || !mallctl || !mallocx || !rallocx ||
        mallctl("arenas.create", &passing.arena, &len, NULL, 0) != 0)
        return;
    if (mallctl("config.stats", &passing.tended, &tended_len, NULL, 0) != 0)
        passing.tended = false;
    snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", passing.arena);
    mallctl(name, NULL, NULL, passing.tended ? &none : &decay, sizeof(decay));
    /* What is free and has so many bytes would go at once. */
    snprintf(name, sizeof(name), "arena.%u.oversize_threshold", passing.arena);
    mallctl(name, NULL, NULL, &never, sizeof(never));
    /* MALLOCX_ARENA, MALLOCX_TCACHE_NONE and MALLOCX_LG_ALIGN of jemalloc's header, which not every
     * build has. At the beginning of a page they can be read into and written from without a copy
     * (persistence/file.c). */
    passing.flags = (int)(passing.arena + 1) << 20 | 1 << 8 | PASSING_LG_ALIGN;
}

bool mem_passing_arena(unsigned *ret_arena)
{
    *ret_arena = passing.arena;
    return passing.flags != 0;
}

static size_t passing_pages(const char *which)
{
    size_t pages = 0, len = sizeof(pages);
    char name[64];
    snprintf(name, sizeof(name), "stats.arenas.%u.%s", passing.arena, which);
    return mallctl(name, &pages, &len, NULL, 0) == 0 ? pages : 0;
}

/* The most pages that were in use at once, as far back as it counts. */
static size_t note_most(size_t active, int64_t slot)
{
    size_t most = 0;
    if (slot - passing.slot > PASSING_SLOTS)
        passing.slot = slot - PASSING_SLOTS;
    while (passing.slot < slot)
        passing.most[++passing.slot % PASSING_SLOTS] = 0;
    size_t *now = &passing.most[slot % PASSING_SLOTS];
    if (active > *now)
        *now = active;
    for (size_t i = 0; i < PASSING_SLOTS; i++)
        if (passing.most[i] > most)
            most = passing.most[i];
    return most;
}

void mem_tend_passing(int64_t now_ms)
{
    char name[64];
    if (!passing.flags || !passing.tended)
        return;
    size_t active = passing_pages("pactive"), held = active + passing_pages("pdirty");
    if (held <= 2 * note_most(active, now_ms / (PASSING_KEPT_MS / PASSING_SLOTS)) + PASSING_SPARE)
        return;
    snprintf(name, sizeof(name), "arena.%u.purge", passing.arena);
    mallctl(name, NULL, NULL, NULL, 0);
}

static bool passes(size_t size)
{
    return passing.flags && size >= PASSING_MIN;
}

void *mem_alloc_passing(size_t size)
{
    return passes(size) ? checked(mallocx(size, passing.flags), size) : mem_alloc(size);
}

void *mem_realloc_passing(void *old, size_t size)
{
    if (!old)
        return mem_alloc_passing(size);
    return passes(size) ? checked(rallocx(old, size, passing.flags), size) : mem_realloc(old, size);
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
