/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Samples the memory in use ten times a second (server.used_memory, server.peak_memory), and gives
 * back what buffers have long not needed. On a thread of its own, since jemalloc adds its figures
 * up under its locks, and another thread that gives pages back may hold one of these for
 * milliseconds.
 */
#ifndef CAIRN_SERVER_MEMORY_WATCH_H
#define CAIRN_SERVER_MEMORY_WATCH_H

void memory_watch_start(void);
/* Ends the thread. */
void memory_watch_stop(void);

#endif
