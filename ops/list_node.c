/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of a list node: where its spare room lies, and when it grows. */
#include "ops/list_node.h"

#include <assert.h>

#include "ops/keyspace.h"
#include "ops/mem.h"

enum {
    NODE_SMALLEST = 256,     /* header included, as all sizes of allocations here */
    NODE_COUNT_BYTES = 8192, /* bound on bytes where the limit is a count of items */
};

/* Bytes of items a node may hold, so that with its header it fills the allocation. */
static size_t limit_bytes(void)
{
    int64_t limit = value_limits.list_max_listpack_size;
    size_t size = NODE_COUNT_BYTES;
    if (limit < 0)
        size = (size_t)4096 << (limit < -5 ? 4 : -limit - 1);
    return size - sizeof(struct list_node);
}

static size_t limit_count(void)
{
    int64_t limit = value_limits.list_max_listpack_size;
    if (limit < 0)
        return SIZE_MAX;
    return limit ? (size_t)limit : 1;
}

static size_t room_for(size_t bytes)
{
    size_t size = NODE_SMALLEST, most = limit_bytes();
    if (bytes > most)
        return bytes;
    while (size - sizeof(struct list_node) < bytes)
        size *= 2;
    size -= sizeof(struct list_node);
    return size < most ? size : most;
}

/* Room to grow within the limit; what passes it stands alone and gets no more than it needs. */
static size_t grown_room(size_t used)
{
    size_t most = limit_bytes(), wanted = used + used / 4;
    return room_for(used < most && wanted > most ? most : used > most ? used : wanted);
}

struct list_node *node_create(size_t bytes, enum op_side side)
{
    size_t room = room_for(bytes);
    assert(room <= UINT32_MAX);
    struct list_node *node = mem_alloc(sizeof(*node) + room);
    *node = (struct list_node){.room = (uint32_t)room};
    node->begin = node->end = side == OP_SIDE_LEFT ? node->room : 0;
    return node;
}

bool node_accepts(const struct list_node *node, size_t size)
{
    return node_used(node) + size <= limit_bytes() && node->count < limit_count();
}

bool node_accepts_push(const struct list_node *node, enum op_side side, size_t size)
{
    if (!node_accepts(node, size))
        return false;
    size_t spare = side == OP_SIDE_LEFT ? node->begin : node->room - node->end;
    size_t used = node_used(node);
    return spare >= size || node->room < limit_bytes() ||
           used + size + node->room / 4 <= node->room;
}

/* Lays the items out anew in `node` or a bigger block, the gap of `new` bytes in its place. */
static char *node_relocate(struct list_node **node, size_t at, size_t old, size_t new, size_t room)
{
    struct list_node *from = *node, *to = from;
    size_t left = at - from->begin, right = from->end - at - old, used = left + new + right;
    /* A push leaves all spare room on its own side, anything else halves it. */
    size_t begin = (room - used) / 2;
    if (right == 0)
        begin = 0;
    else if (left == 0)
        begin = room - used;
    if (room != from->room) {
        to = mem_alloc(sizeof(*to) + room);
        *to = *from;
        to->room = (uint32_t)room;
    }
    const char *left_from = from->data + from->begin, *right_from = from->data + at + old;
    /* Within one block the part that moves away from the other goes first. */
    if (begin + left + new > at + old) {
        memmove(to->data + begin + left + new, right_from, right);
        memmove(to->data + begin, left_from, left);
    } else {
        memmove(to->data + begin, left_from, left);
        memmove(to->data + begin + left + new, right_from, right);
    }
    to->begin = (uint32_t)begin;
    to->end = (uint32_t)(begin + used);
    if (to != from)
        mem_free(from);
    *node = to;
    return to->data + begin + left;
}

static char *node_shrink(struct list_node **node, size_t at, size_t old, size_t new)
{
    struct list_node *n = *node;
    size_t less = old - new, used = node_used(n) - less;
    size_t left = at - n->begin, right = n->end - at - old;
    if (used < n->room / 4 && n->room > room_for(0))
        return node_relocate(node, at, old, new, room_for(2 * used));
    if (left < right) {
        memmove(n->data + n->begin + less, n->data + n->begin, left);
        n->begin += (uint32_t)less;
        return n->data + at + less;
    }
    memmove(n->data + at + new, n->data + at + old, right);
    n->end -= (uint32_t)less;
    return n->data + at;
}

char *node_splice(struct list_node **node, size_t at, size_t old, size_t new)
{
    struct list_node *n = *node;
    if (new <= old)
        return node_shrink(node, at, old, new);
    size_t more = new - old, used = node_used(n) + more;
    size_t left = at - n->begin, right = n->end - at - old;
    bool before = n->begin >= more, after = n->room - n->end >= more;
    if (before && (left < right || !after)) {
        memmove(n->data + n->begin - more, n->data + n->begin, left);
        n->begin -= (uint32_t)more;
        return n->data + at - more;
    }
    if (after) {
        memmove(n->data + at + new, n->data + at + old, right);
        n->end += (uint32_t)more;
        return n->data + at;
    }
    bool roomy = used + n->room / 4 <= n->room || (used <= n->room && n->room >= limit_bytes());
    assert(used <= UINT32_MAX);
    return node_relocate(node, at, old, new, roomy ? n->room : grown_room(used));
}

void node_trim(struct list_node **node)
{
    struct list_node *n = *node;
    size_t used = node_used(n);
    if (n->room - used <= n->room / 8)
        return;
    memmove(n->data, n->data + n->begin, used);
    n->begin = 0;
    n->end = n->room = (uint32_t)used;
    *node = mem_realloc(n, sizeof(*n) + used);
}
