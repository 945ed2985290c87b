/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bump allocation for the arguments of one loop turn. Each event-loop thread has one arena: the
 * reader copies arguments into it, the turn executes them, one reset frees all of them. An arena
 * belongs to one thread. Knows neither connections nor the protocol.
 */
#ifndef CAIRN_RESP_ARENA_H
#define CAIRN_RESP_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resp_chunk {
    struct resp_chunk *next;
    size_t size; /* of data */
    bool idle;   /* spare since before the last trim */
    char data[];
};

struct resp_arena {
    char *at;    /* next free byte of the current chunk */
    size_t left; /* bytes free from there */
    struct resp_chunk *chunks;
    struct resp_chunk *first; /* one of `chunks`, kept by reset; NULL before the first allocation */
    size_t first_size;
    size_t next_size;         /* chunks double, so that many arguments are few chunks */
    size_t bytes;             /* of all chunks in use, their heads included */
    struct resp_chunk *spare; /* chunks of earlier turns, for use again */
    size_t spare_bytes;
};

/* The first chunk is allocated when first needed; a server's thread does well with 256 KiB or more.
 */
void resp_arena_init(struct resp_arena *arena, size_t first_size);
void resp_arena_release(struct resp_arena *arena);

/* All memory handed out becomes invalid. The first chunk is kept; others are spare from now on, up
 * to some MiB, so that a run of large requests does not allocate for each. */
void resp_arena_reset(struct resp_arena *arena);
/* Frees what has been spare since the last trim; for a cron, about once a second. */
void resp_arena_trim(struct resp_arena *arena);

/* Moves all chunks of `from`, which becomes empty, to `arena`: what lies in them does not move. */
void resp_arena_adopt(struct resp_arena *arena, struct resp_arena *from);
/* The same for one chunk from malloc. */
void resp_arena_adopt_chunk(struct resp_arena *arena, struct resp_chunk *chunk);

/* Slow path of the two below. `size` already has room for any alignment. */
char *resp_arena_grow(struct resp_arena *arena, size_t size);

/* The next one where `size` bytes are left. */
static inline char *resp_arena_take(struct resp_arena *arena, size_t size)
{
    char *result = arena->at;
    arena->at += size;
    arena->left -= size;
    return result;
}

/* Uninitialised bytes of no alignment; never NULL for size > 0. */
static inline char *resp_arena_bytes(struct resp_arena *arena, size_t size)
{
    return size > arena->left ? resp_arena_grow(arena, size) : resp_arena_take(arena, size);
}

/* Uninitialised memory aligned for pointers. */
static inline void *resp_arena_alloc(struct resp_arena *arena, size_t size)
{
    const size_t align = sizeof(void *);
    char *raw = resp_arena_bytes(arena, size + align - 1);
    return raw + (-(uintptr_t)raw & (align - 1));
}

#endif
