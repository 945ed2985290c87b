/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory cleared before it is asked for. The first touch of a page has the kernel, and under a
 * hypervisor the host too, find and clear it: of 2 MiB, for milliseconds at times, in which all
 * clients of a loop wait. Here a thread touches the pages that come next. Without jemalloc or
 * without its huge pages (MALLOC_CONF) all this does nothing.
 */
#ifndef CAIRN_SERVER_MEM_AHEAD_H
#define CAIRN_SERVER_MEM_AHEAD_H

#include <stddef.h>

/* Starts the thread ("pages"), and has the memory of buffers (mem_alloc_passing) from here. One
 * thread calls this and mem_ahead_stop. */
void mem_ahead_start(void);

/* From now on the calling thread has an arena of its own, with its memory from here. Any thread,
 * between start and stop. */
void mem_ahead_join(void);

/* Ends the thread; what was allocated stays, and arenas grow as before, but nothing is cleared for
 * them. Does nothing when it is not started. */
void mem_ahead_stop(void);

/* Bytes that are cleared and that no arena has got yet. Any thread. */
size_t mem_ahead_ready(void);

#endif
