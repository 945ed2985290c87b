/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The allocator of ops, persistence and server. None of these functions returns NULL: when the
 * machine has no memory left they print one line to stderr and abort, as Redis does, because no
 * caller could keep its promises after that. Sizes that come from outside are bounded by limits
 * before they reach here. Any thread.
 */
#ifndef CAIRN_OPS_MEM_H
#define CAIRN_OPS_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes are in bytes, and may be 0. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull));
void mem_free(void *old);

/* `size` is a multiple of `align`, a power of two; release with mem_free. */
void *mem_alloc_aligned(size_t align, size_t size) __attribute__((malloc, returns_nonnull));

/*
 * For buffers, which go soon: large ones have a part of memory of their own. What stays would
 * otherwise lie in between, in huge pages that break up when the buffers' are given back.
 */
void *mem_alloc_passing(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
/* `old` from any of these, or NULL. */
void *mem_realloc_passing(void *old, size_t size) __attribute__((returns_nonnull));
/* Makes that part, where the allocator has parts; without it they are as all others. Before there
 * are other threads; a second call does nothing. */
void mem_part_passing(void);
/*
 * Gives back what is free of that part when it holds more than twice what it had in use at any time
 * of the last minute. For one thread, some times a second, each time after mem_used, which brings
 * jemalloc's figures up to date; `now_ms` from a clock that never goes back.
 */
void mem_tend_passing(int64_t now_ms);
/* jemalloc's number of that part; false: there is none. */
bool mem_passing_arena(unsigned *ret_arena);

/* What the allocator really set aside for `old`, in bytes; 0 for NULL. */
size_t mem_usable(const void *old);

/* Has the line at `at`, any address, fetched ahead. GCC takes a function that does nothing else for
 * one without an effect, and drops the calls of it: the empty asm is an effect. */
static inline void mem_fetch(const void *at)
{
    __builtin_prefetch(at);
    __asm__ volatile("");
}

/* The same for what is written next. A write waits for its line only where many do: a run of them
 * into memory nobody has touched lately. */
static inline void mem_fetch_to_write(void *at)
{
    __builtin_prefetch(at, 1);
    __asm__ volatile("");
}

/* Bytes in use by the whole process, as the allocator counts them. Takes its locks, so it may wait
 * for milliseconds while another thread gives pages back. */
size_t mem_used(void);

/* "jemalloc-5.3.0" or "libc". */
const char *mem_allocator(void);

/* Gives memory that is free back to the system now. */
void mem_purge(void);

#endif
