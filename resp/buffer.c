/* SPDX-License-Identifier: BSD-3-Clause */
/* Growth is geometric and moves down only what is smaller than the gap: both stay linear. */
#include "resp/buffer.h"

#include "resp/memory.h"

/* Holds the replies of small commands of one turn without growing. */
#define BUFFER_MIN 1024

void resp_buffer_release(struct resp_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct resp_buffer){0};
}

void resp_buffer_grow(struct resp_buffer *buffer, size_t size)
{
    size_t pending = resp_buffer_pending(buffer);
    if (buffer->sent && buffer->sent >= pending) {
        memmove(buffer->data, buffer->data + buffer->sent, pending);
        buffer->len = pending;
        buffer->sent = 0;
        if (buffer->cap - buffer->len >= size)
            return;
    }
    size_t cap = buffer->cap ? buffer->cap * 2 : BUFFER_MIN;
    if (cap < buffer->len + size)
        cap = buffer->len + size;
    buffer->data = resp_realloc(buffer->data, cap);
    buffer->cap = cap;
}

void resp_buffer_shrink(struct resp_buffer *buffer)
{
    size_t pending = resp_buffer_pending(buffer);
    if (pending == 0) {
        resp_buffer_release(buffer);
        return;
    }
    if (buffer->cap - pending < BUFFER_MIN)
        return;
    memmove(buffer->data, buffer->data + buffer->sent, pending);
    buffer->data = resp_realloc(buffer->data, pending);
    *buffer = (struct resp_buffer){.data = buffer->data, .len = pending, .cap = pending};
}
