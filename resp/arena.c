/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks of doubling size; what does not fit well into one gets a chunk of its own. */
#include "resp/arena.h"

#include "resp/memory.h"

/* Past this size doubling saves nothing more, and the last chunk would waste more. */
#define CHUNK_MAX (1024 * 1024)
/* Spare memory of a thread: some turns of large requests. */
#define SPARE_MAX (8 * 1024 * 1024)
#define SPARE_MIN (64 * 1024) /* smaller ones are quick to allocate, and would make a long list */

void resp_arena_init(struct resp_arena *arena, size_t first_size)
{
    *arena = (struct resp_arena){.first_size = first_size, .next_size = first_size};
}

static void free_list(struct resp_chunk *chunk)
{
    while (chunk) {
        struct resp_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void resp_arena_release(struct resp_arena *arena)
{
    free_list(arena->chunks);
    free_list(arena->spare);
    resp_arena_init(arena, arena->first_size);
}

static void make_spare(struct resp_arena *arena, struct resp_chunk *chunk)
{
    if (chunk->size < SPARE_MIN || arena->spare_bytes + chunk->size > SPARE_MAX) {
        free(chunk);
        return;
    }
    chunk->idle = false;
    chunk->next = arena->spare;
    arena->spare = chunk;
    arena->spare_bytes += chunk->size;
}

void resp_arena_reset(struct resp_arena *arena)
{
    struct resp_chunk *first = arena->first, *next;
    for (struct resp_chunk *chunk = arena->chunks; chunk; chunk = next) {
        next = chunk->next;
        if (chunk != first)
            make_spare(arena, chunk);
    }
    arena->chunks = first;
    arena->at = first ? first->data : NULL;
    arena->left = first ? first->size : 0;
    arena->bytes = first ? sizeof(*first) + first->size : 0;
    arena->next_size = arena->first_size;
    if (first)
        first->next = NULL;
}

void resp_arena_trim(struct resp_arena *arena)
{
    struct resp_chunk **link = &arena->spare;
    while (*link) {
        struct resp_chunk *chunk = *link;
        if (chunk->idle) {
            *link = chunk->next;
            arena->spare_bytes -= chunk->size;
            free(chunk);
        } else {
            chunk->idle = true;
            link = &chunk->next;
        }
    }
}

/* A spare chunk that fits without wasting more than it holds; NULL: none. */
static struct resp_chunk *take_spare(struct resp_arena *arena, size_t size)
{
    for (struct resp_chunk **link = &arena->spare; *link; link = &(*link)->next) {
        struct resp_chunk *chunk = *link;
        if (chunk->size < size || chunk->size / 2 > size)
            continue;
        *link = chunk->next;
        arena->spare_bytes -= chunk->size;
        return chunk;
    }
    return NULL;
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
    struct resp_chunk *chunk = take_spare(arena, size);
    if (!chunk) {
        chunk = resp_alloc(sizeof(*chunk) + size);
        chunk->size = size;
    }
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
