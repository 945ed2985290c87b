/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growing byte queue: written at its end, consumed at its front. Output of a connection waits in
 * one until the socket takes it; so does input that was not parsed yet. Knows no protocol.
 */
#ifndef CAIRN_RESP_BUFFER_H
#define CAIRN_RESP_BUFFER_H

#include <stddef.h>
#include <string.h>

/* All zero is an empty buffer. Bytes wait in data[sent, len). */
struct resp_buffer {
    char *data;
    size_t len, cap, sent;
};

void resp_buffer_release(struct resp_buffer *buffer);

/* Slow path of resp_buffer_reserve. */
void resp_buffer_grow(struct resp_buffer *buffer, size_t size);
/* Gives back what the waiting bytes do not need; all of it when none wait. */
void resp_buffer_shrink(struct resp_buffer *buffer);

static inline size_t resp_buffer_pending(const struct resp_buffer *buffer)
{
    return buffer->len - buffer->sent;
}

/* Takes back what was written since `pending` bytes waited; nothing was consumed meanwhile. */
static inline void resp_buffer_take_back(struct resp_buffer *buffer, size_t pending)
{
    buffer->len = buffer->sent + pending; /* growing may have moved what waits */
}

/* Where `size` more bytes may be written; what was written is then added to len. Moves data. */
static inline char *resp_buffer_reserve(struct resp_buffer *buffer, size_t size)
{
    if (buffer->cap - buffer->len < size || !buffer->data)
        resp_buffer_grow(buffer, size);
    return buffer->data + buffer->len;
}

static inline void resp_buffer_append(struct resp_buffer *buffer, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(resp_buffer_reserve(buffer, len), data, len);
    buffer->len += len;
}

/* The first `len` waiting bytes are done with. */
static inline void resp_buffer_consume(struct resp_buffer *buffer, size_t len)
{
    buffer->sent += len;
    if (buffer->sent == buffer->len)
        buffer->sent = buffer->len = 0;
}

#endif
