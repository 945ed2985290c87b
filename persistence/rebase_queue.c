/* SPDX-License-Identifier: BSD-3-Clause */
/* See rebase_queue.h. Knows what an op's bytes and inverse weigh, but not what they mean. */
#include "persistence/rebase_queue.h"

#include <assert.h>

#include "ops/mem.h"

/* The first chunk and, a middling one between, all others: most namespaces have little pending. */
#define CHUNK_MIN ((size_t)4 * 1024)
#define CHUNK_MAX ((size_t)256 * 1024)
/* Room for an inverse, if it is one of the usual. */
#define ROOM 256
/* A longer op is given none, and may have a chunk of its own. */
#define SHORT_MAX ((size_t)2048)
#define LEN_END   ((size_t)1 << 39)
/* Bytes that an op and what is kept with it mostly take, at most, and how far ahead these are
 * fetched. */
#define FETCH 256
#define AHEAD 512
_Static_assert(ROOM / 8 < 1 << 6 && HELD_DETAIL_MAX < 1 << 9, "lengths fit their bits");
/*
 * An index grows while the namespace is locked, hence not without end: with more ops than it is
 * made for, a commit of others walks longer chains, which it may.
 */
#define BUCKETS_MIN ((size_t)64)
#define BUCKETS_MAX ((size_t)64 * 1024)

struct held_chunk {
    struct held_chunk *next;
    struct held *first; /* of those that were ever in it: `count`, linked by `next` */
    size_t count;
    size_t left; /* that are still pending */
    bool owns;   /* so does one, or did one that is not pending any more */
    bool broken; /* not numbers of one origin without a gap */
    struct held *last;
    size_t memory, timed, clears; /* of those that are still pending, as they were counted */
    size_t used, cap;
    char bytes[];
};

static size_t align(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

struct slice held_detail(const struct held *held)
{
    return slice_make(held->bytes + align(held->len) + 8 * held->inside, held->detail_len);
}

/* --- chunks --- */

void held_chunk_free(struct held_chunk *chunk)
{
    struct held *held = chunk->first;
    for (size_t i = 0; chunk->owns && i < chunk->count; i++, held = held->next)
        if (held->owns)
            inverse_destroy(held->undo);
    mem_free(chunk);
}

void held_queue_release(struct held_queue *q)
{
    while (q->chunks) {
        struct held_chunk *next = q->chunks->next;
        q->chunks->owns = true;
        held_chunk_free(q->chunks);
        q->chunks = next;
    }
    mem_free(q->heads);
    *q = (struct held_queue){0};
}

static size_t room_left(const struct held_queue *q)
{
    return q->tail ? q->tail->cap - q->tail->used : 0;
}

static void add_chunk(struct held_queue *q, size_t need)
{
    size_t size = CHUNK_MIN;
    if (q->tail)
        size = q->tail->cap < CHUNK_MAX / 4 ? CHUNK_MAX / 4 : CHUNK_MAX;
    if (size < sizeof(struct held_chunk) + need)
        size = sizeof(struct held_chunk) + need;
    struct held_chunk *chunk = mem_alloc_passing(size);
    *chunk = (struct held_chunk){.cap = size - sizeof(*chunk)};
    *(q->tail ? &q->tail->next : &q->chunks) = chunk;
    q->tail = chunk;
}

/* Where the ops to come will be written: memory that has not been in use for a second or so. */
static inline void fetch_ahead(const struct held_queue *q, char *at)
{
    if (room_left(q) < AHEAD + FETCH)
        return;
    for (size_t line = 0; line < FETCH; line += 64)
        mem_fetch_to_write(at + AHEAD + line);
}

void held_queue_room(struct held_queue *q, struct slice op, struct inverse_room *ret_room)
{
    size_t before = sizeof(struct held) + align(op.len);
    size_t need = before + ROOM + HELD_DETAIL_MAX;
    if (op.len > SHORT_MAX) {
        *ret_room = (struct inverse_room){0};
        return;
    }
    if (room_left(q) < need)
        add_chunk(q, need);
    char *at = q->tail->bytes + q->tail->used;
    memcpy(at + sizeof(struct held), op.data, op.len);
    fetch_ahead(q, at);
    ret_room->at = at + before;
    ret_room->size = ROOM;
}

/* --- the index --- */

static struct held_link *bucket_of(const struct held_queue *q, uint64_t hash)
{
    return &q->heads[hash & (q->buckets - 1)];
}

void held_queue_prefetch(const struct held_queue *q, uint64_t hash)
{
    if (q->buckets)
        __builtin_prefetch(bucket_of(q, hash), 1);
}

static bool is_pending(const struct held_queue *q, uint64_t place)
{
    return q->first && place >= q->first->place;
}

static struct held *before(const struct held_queue *q, const struct held *held)
{
    return held->gap && is_pending(q, held->place - held->gap) ? held->older : NULL;
}

static void enter(struct held_queue *q, struct held *held)
{
    if (!held->hash)
        return;
    struct held_link *head = bucket_of(q, held->hash);
    uint64_t gap = held->place - head->place;
    held->older = head->held;
    held->gap = head->held && gap <= UINT32_MAX ? (uint32_t)gap : 0;
    *head = (struct held_link){held, held->place};
}

static void grow_index(struct held_queue *q)
{
    q->buckets = q->buckets ? q->buckets * 4 : BUCKETS_MIN;
    mem_free(q->heads);
    q->heads = mem_calloc(q->buckets, sizeof(*q->heads));
    for (struct held *held = q->first; held; held = held->next)
        enter(q, held);
}

struct held *held_queue_newest(const struct held_queue *q, uint64_t hash)
{
    if (!q->first || !hash)
        return NULL;
    const struct held_link *head = bucket_of(q, hash);
    struct held *held = is_pending(q, head->place) ? head->held : NULL;
    while (held && held->hash != hash)
        held = before(q, held);
    return held;
}

struct held *held_queue_older(const struct held_queue *q, const struct held *held)
{
    struct held *older = before(q, held);
    while (older && older->hash != held->hash)
        older = before(q, older);
    return older;
}

/* --- the order --- */

static uint32_t sixteens(size_t bytes)
{
    return bytes / 16 < UINT32_MAX ? (uint32_t)(bytes / 16) : UINT32_MAX;
}

static uint32_t weigh(size_t len, size_t detail, const struct inverse *undo)
{
    return sixteens(sizeof(struct held) + len + detail + inverse_memory(undo));
}

/* Not set yet. */
static struct held *place(struct held_queue *q, size_t len, size_t inside, size_t detail)
{
    size_t size = sizeof(struct held) + align(len) + align(inside) + align(detail);
    if (room_left(q) < size) {
        assert(!inside);
        add_chunk(q, size);
    }
    struct held_chunk *chunk = q->tail;
    struct held *held = (struct held *)(chunk->bytes + chunk->used);
    chunk->used += size;
    chunk->left++;
    if (chunk->count++ == 0)
        chunk->first = held;
    return held;
}

struct held *held_queue_add(struct held_queue *q, struct slice op, uint64_t hash,
                            struct inverse *undo, struct slice detail)
{
    size_t inside = align(inverse_inside(undo));
    bool owns = inverse_owns(undo);
    assert(detail.len <= HELD_DETAIL_MAX && op.len < LEN_END);
    struct held *held = place(q, op.len, inside, detail.len);
    assert(!inside || (char *)undo == held->bytes + align(op.len));
    held->next = NULL;
    held->gap = 0;
    held->memory = weigh(op.len, detail.len, undo);
    held->place = ++q->places;
    held->hash = hash;
    held->undo = undo;
    /* The whole word at once, else it would be read first: this memory is not in the cache. */
    held->status = 0;
    held->whole = held->timed = held->differs = held->created = held->removed = false;
    held->owns = owns;
    held->inside = inside / 8;
    held->detail_len = detail.len;
    held->len = op.len;
    if (!inside)
        memcpy(held->bytes, op.data, op.len);
    if (detail.len)
        memcpy(held->bytes + align(op.len) + inside, detail.data, detail.len);
    *(q->first ? &q->last->next : &q->first) = held;
    q->last = held;
    q->count++;
    if (q->count > 2 * q->buckets && q->buckets < BUCKETS_MAX)
        grow_index(q);
    else
        enter(q, held);
    return held;
}

void held_queue_count(struct held_queue *q)
{
    struct held_chunk *chunk = q->tail;
    const struct held *held = q->last, *before_it = chunk->last;
    chunk->owns |= held->owns;
    chunk->memory += held->memory;
    chunk->timed += held->timed;
    chunk->clears += !held->hash;
    if (before_it)
        chunk->broken |= before_it->origin != held->origin || before_it->number + 1 != held->number;
    chunk->last = q->last;
}

void held_queue_ran_again(struct held_queue *q, struct held *held, struct inverse *undo)
{
    held->undo = undo;
    held->owns = inverse_owns(undo);
    held->memory = weigh(held->len, held->detail_len, undo);
    if (held->place > q->disturbed)
        q->disturbed = held->place;
}

/* That of the first op. Those before it were made for ops that were not kept. */
static struct held_chunk *first_chunk(struct held_queue *q)
{
    struct held_chunk *chunk = q->chunks;
    while (!chunk->left) {
        q->chunks = chunk->next;
        mem_free(chunk);
        chunk = q->chunks;
    }
    return chunk;
}

/* The first chunk, whose ops are all taken out. */
static struct held_chunk *take_chunk(struct held_queue *q)
{
    struct held_chunk *chunk = q->chunks;
    q->chunks = chunk->next;
    if (chunk == q->tail)
        q->tail = NULL;
    if (!q->first) {
        q->last = NULL;
        mem_free(q->heads);
        q->heads = NULL;
        q->buckets = 0;
    }
    chunk->next = NULL;
    return chunk;
}

struct held_chunk *held_queue_drop(struct held_queue *q)
{
    struct held_chunk *chunk = first_chunk(q);
    struct held *held = q->first;
    chunk->owns |= held->owns;
    chunk->memory -= held->memory;
    chunk->timed -= held->timed;
    chunk->clears -= !held->hash;
    q->first = held->next;
    q->count--;
    return --chunk->left ? NULL : take_chunk(q);
}

bool held_queue_front(struct held_queue *q, struct held_front *ret_front)
{
    const struct held_chunk *chunk = first_chunk(q);
    *ret_front = (struct held_front){.count = chunk->left,
                                     .memory = chunk->memory,
                                     .timed = chunk->timed,
                                     .clears = chunk->clears,
                                     .last = chunk->last};
    return !chunk->broken && chunk->first->place > q->disturbed;
}

struct held_chunk *held_queue_drop_front(struct held_queue *q)
{
    struct held_chunk *chunk = first_chunk(q);
    q->first = chunk->last->next;
    q->count -= chunk->left;
    chunk->left = 0;
    return take_chunk(q);
}
