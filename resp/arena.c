/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks of doubling size; what does not fit well into one gets a chunk of its own. */
#include "resp/arena.h"

#include "resp/memory.h"

/* Past this size doubling saves nothing more, and the last chunk would waste more. */
#define CHUNK_MAX (1024 * 1024)

void resp_arena_init(struct resp_arena *arena, size_t first_size)
{
    *arena = (struct resp_arena){.first_size = first_size, .next_size = first_size};
}

static void free_chunks(struct resp_arena *arena, const struct resp_chunk *keep)
{
    struct resp_chunk *next;
    for (struct resp_chunk *chunk = arena->chunks; chunk; chunk = next) {
        next = chunk->next;
        if (chunk != keep)
            free(chunk);
    }
}

void resp_arena_release(struct resp_arena *arena)
{
    free_chunks(arena, NULL);
    resp_arena_init(arena, arena->first_size);
}

void resp_arena_reset(struct resp_arena *arena)
{
    struct resp_chunk *first = arena->first;
    if (!first) {
        resp_arena_release(arena);
        return;
    }
    if (arena->chunks != first || first->next)
        free_chunks(arena, first);
    first->next = NULL;
    arena->chunks = first;
    arena->at = first->data;
    arena->left = first->size;
    arena->bytes = sizeof(*first) + first->size;
    arena->next_size = arena->first_size;
}

void resp_arena_adopt_chunk(struct resp_arena *arena, struct resp_chunk *chunk)
{
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->bytes += sizeof(*chunk) + chunk->size;
}

void resp_arena_adopt(struct resp_arena *arena, struct resp_arena *from)
{
    struct resp_chunk *next;
    for (struct resp_chunk *chunk = from->chunks; chunk; chunk = next) {
        next = chunk->next;
        resp_arena_adopt_chunk(arena, chunk);
    }
    resp_arena_init(from, from->first_size);
}

static struct resp_chunk *add_chunk(struct resp_arena *arena, size_t size)
{
    struct resp_chunk *chunk = resp_alloc(sizeof(*chunk) + size);
    chunk->size = size;
    resp_arena_adopt_chunk(arena, chunk);
    return chunk;
}

char *resp_arena_grow(struct resp_arena *arena, size_t size)
{
    if (size > arena->next_size / 2)
        return add_chunk(arena, size)->data;
    struct resp_chunk *chunk = add_chunk(arena, arena->next_size);
    if (!arena->first)
        arena->first = chunk;
    if (arena->next_size < CHUNK_MAX)
        arena->next_size *= 2;
    arena->at = chunk->data + size;
    arena->left = chunk->size - size;
    return chunk->data;
}
