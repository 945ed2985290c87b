/* SPDX-License-Identifier: BSD-3-Clause */
/* See pending.h. Recording is the hot path of every write: one encode into reserved memory. */
#include "persistence/pending.h"

#include <assert.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"

enum {
    LINE = 64, /* bytes that a processor fetches at once */
    AHEAD = 5 * LINE
};

static void block_destroy(struct pending_block *block)
{
    text_release(&block->bytes);
    mem_free(block);
}

void pending_cut_release(struct pending_cut *cut)
{
    while (cut->head) {
        struct pending_block *next = cut->head->next;
        block_destroy(cut->head);
        cut->head = next;
    }
    *cut = (struct pending_cut){0};
}

void pending_release(struct pending *pending)
{
    pending_cut_release(&pending->log);
}

static void add_block(struct pending *pending)
{
    struct pending_cut *log = &pending->log;
    struct pending_block *block = mem_calloc(1, sizeof(*block));
    /* The first block grows as needed: most namespaces have little pending. */
    if (log->tail) {
        text_reserve(&block->bytes, PENDING_BLOCK_SIZE + PENDING_BLOCK_SIZE / 4);
        log->tail->next = block;
    } else {
        log->head = block;
        log->first = pending->recorded + 1;
    }
    log->tail = block;
    pending->open_offset = 0;
}

/* Where the ops to come will be written: their block has not been in use for a second or so. */
static inline void fetch_ahead(const struct text *bytes)
{
    if (bytes->cap - bytes->len < AHEAD + LINE)
        return;
    mem_fetch_to_write(bytes->data + bytes->len + AHEAD);
    mem_fetch_to_write(bytes->data + bytes->len + AHEAD + LINE);
}

void pending_record(struct pending *pending, const struct op *op)
{
    struct pending_cut *log = &pending->log;
    bool opens = pending->recorded == pending->sealed;
    if (!log->tail || (opens && log->tail->bytes.len >= PENDING_BLOCK_SIZE))
        add_block(pending);
    struct pending_block *block = log->tail;
    if (log->ops == 0)
        log->time = op->time;
    pending->last_offset = block->bytes.len;
    op_binary_encode(&block->bytes, op);
    fetch_ahead(&block->bytes);
    log->bytes += block->bytes.len - pending->last_offset;
    log->ops++;
    block->ops++;
    pending->recorded++;
}

struct slice pending_last(const struct pending *pending)
{
    const struct text *bytes = &pending->log.tail->bytes;
    return slice_make(bytes->data + pending->last_offset, bytes->len - pending->last_offset);
}

void pending_forget(struct pending *pending)
{
    struct pending_cut *log = &pending->log;
    assert(pending->recorded > pending->sealed);
    assert(pending->last_offset < log->tail->bytes.len);
    log->bytes -= log->tail->bytes.len - pending->last_offset;
    log->tail->bytes.len = pending->last_offset;
    log->tail->ops--;
    log->ops--;
    pending->recorded--;
}

bool pending_seal(struct pending *pending, struct slice *ret_ops, uint64_t *ret_first,
                  uint64_t *ret_count)
{
    if (pending->recorded == pending->sealed)
        return false;
    const struct text *bytes = &pending->log.tail->bytes;
    *ret_ops = slice_make(bytes->data + pending->open_offset, bytes->len - pending->open_offset);
    *ret_first = pending->sealed + 1;
    *ret_count = pending->recorded - pending->sealed;
    pending->sealed = pending->recorded;
    pending->open_offset = bytes->len;
    return true;
}

void pending_take(struct pending *pending, struct pending_cut *ret_cut)
{
    assert(pending->recorded == pending->sealed);
    *ret_cut = pending->log;
    pending->log = (struct pending_cut){0};
    pending->open_offset = 0;
}

uint64_t pending_cut_shift(struct pending_cut *cut, size_t limit, struct text *out)
{
    uint64_t ops = 0;
    text_reserve(out, cut->bytes < limit ? cut->bytes : limit);
    do {
        struct pending_block *block = cut->head;
        text_append_slice(out, text_slice(&block->bytes));
        ops += block->ops;
        cut->bytes -= block->bytes.len;
        cut->head = block->next;
        block_destroy(block);
    } while (cut->head && out->len + cut->head->bytes.len <= limit);
    if (!cut->head)
        cut->tail = NULL;
    cut->first += ops;
    cut->ops -= ops;
    return ops;
}
