/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Allocation inside resp/: never NULL. Without memory no reply could be sent either, so the process
 * ends with a message, as everywhere in cairn. resp/ may not use ops/mem.h, hence its own.
 */
#ifndef CAIRN_RESP_MEMORY_H
#define CAIRN_RESP_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

static inline void *resp_checked(void *memory)
{
    if (memory)
        return memory;
    fputs("cairn: out of memory in resp\n", stderr);
    abort();
}

static inline void *resp_alloc(size_t size)
{
    return resp_checked(malloc(size));
}

static inline void *resp_realloc(void *old, size_t size)
{
    return resp_checked(realloc(old, size));
}

#endif
