/* SPDX-License-Identifier: BSD-3-Clause */
/* See journal_stream.h: a list of blocks without gaps between their places. */
#include "persistence/journal_stream.h"

#include <assert.h>
#include <string.h>

#include "ops/mem.h"

#define BLOCK_SIZE ((size_t)128 * 1024 - 16)
#define SPARE_MAX  16 /* blocks kept for reuse: 2 MiB */
#define LINE       64 /* bytes that a processor fetches at once */

struct journal_block {
    struct journal_block *next;
    uint64_t start; /* its place */
    char data[BLOCK_SIZE];
};
_Static_assert(sizeof(struct journal_block) == (size_t)128 * 1024, "a size that allocators have");

static void free_blocks(struct journal_block *block)
{
    while (block) {
        struct journal_block *next = block->next;
        mem_free(block);
        block = next;
    }
}

void journal_stream_release(struct journal_stream *stream)
{
    free_blocks(stream->head);
    free_blocks(stream->spare);
    *stream = (struct journal_stream){0};
}

static void add_block(struct journal_stream *stream)
{
    struct journal_block *block = stream->spare;
    if (block) {
        stream->spare = block->next;
        stream->spares--;
    } else {
        block = mem_alloc_passing(sizeof(*block));
    }
    block->next = NULL;
    block->start = stream->end;
    *(stream->tail ? &stream->tail->next : &stream->head) = block;
    stream->tail = block;
    if (!stream->unwritten)
        stream->unwritten = block;
}

/* Where the next record, which is likely to be as long as this one, will be written: the block has
 * not been in use for a second or so. */
static void fetch_ahead(struct journal_block *block, size_t from, size_t len)
{
    size_t end = BLOCK_SIZE - from < len ? BLOCK_SIZE : from + len;
    for (; from < end; from += LINE)
        mem_fetch_to_write(block->data + from);
}

void journal_stream_put(struct journal_stream *stream, const void *data, size_t len)
{
    const char *from = data;
    while (len) {
        if (!stream->tail || stream->end - stream->tail->start == BLOCK_SIZE)
            add_block(stream);
        size_t used = (size_t)(stream->end - stream->tail->start);
        size_t step = BLOCK_SIZE - used < len ? BLOCK_SIZE - used : len;
        memcpy(stream->tail->data + used, from, step);
        stream->end += step;
        from += step;
        len -= step;
        fetch_ahead(stream->tail, used + step, step);
    }
}

int journal_stream_gather(const struct journal_stream *stream,
                          struct iovec parts[JOURNAL_STREAM_PARTS_MAX], uint64_t *ret_end)
{
    int count = 0;
    uint64_t at = stream->written;
    for (struct journal_block *block = stream->unwritten;
         block && count < JOURNAL_STREAM_PARTS_MAX && at < stream->end; block = block->next) {
        uint64_t block_end = block->start + BLOCK_SIZE;
        if (block_end > stream->end)
            block_end = stream->end;
        parts[count++] = (struct iovec){block->data + (at - block->start), block_end - at};
        at = block_end;
    }
    *ret_end = at;
    return count;
}

void journal_stream_wrote(struct journal_stream *stream, uint64_t end)
{
    stream->written = end;
    while (stream->unwritten && stream->unwritten->start + BLOCK_SIZE <= end)
        stream->unwritten = stream->unwritten->next;
}

static void put_aside(struct journal_stream *stream, struct journal_block *block)
{
    if (stream->spares == SPARE_MAX) {
        mem_free(block);
        return;
    }
    block->next = stream->spare;
    stream->spare = block;
    stream->spares++;
}

void journal_stream_forget(struct journal_stream *stream, uint64_t kept)
{
    assert(kept <= stream->written);
    if (kept > stream->kept)
        stream->kept = kept;
    while (stream->head && stream->head->start + BLOCK_SIZE <= stream->kept) {
        struct journal_block *block = stream->head;
        stream->head = block->next;
        if (!stream->head)
            stream->tail = NULL;
        put_aside(stream, block);
    }
}

void journal_stream_rewind(struct journal_stream *stream)
{
    stream->unwritten = stream->head;
    journal_stream_wrote(stream, stream->kept);
}
