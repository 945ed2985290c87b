/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All ops go into one bin until it is large. Then its ops are sorted, and cut into bins of about
 * the same size: so ranges are those of the keys that came, whatever these look like. A bin that
 * grows large again is cut again.
 *
 * A key finds its bin by the words of eight bytes in which the first keys of bins differ: a few
 * steps of a search that needs no branches.
 */
#include "persistence/op_bins.h"

#include <assert.h>

#include "ops/mem.h"

#define PIECES      64                  /* that a bin is cut into */
#define BLOCK_SIZE  ((size_t)40 * 1024) /* a large buffer, for mem_alloc_passing */
#define LEN_MIN     1                   /* bytes of an op's length, with its mark */
#define LEN_MAX     9
#define WORD_BYTES  7    /* of a key, in a word of a route */
#define FETCH_AHEAD 1024 /* bytes; ops are found one by one, each by the length of the last */
#define WAYS        8    /* that a search goes apart at once */

/* Ops one behind the other, each behind its length. */
struct op_block {
    struct op_block *next;
    size_t len;
    char bytes[];
};

/* Tells apart the first keys of bins that begin alike. */
struct op_route {
    size_t same;     /* bytes that they begin with */
    size_t first;    /* bin */
    size_t end;      /* bin behind the last */
    size_t count;    /* of different words */
    uint64_t *words; /* what is behind these bytes */
    struct op_fork *forks;
};

/* First keys that go on with one word. */
struct op_fork {
    uint32_t first; /* bin */
    uint32_t route; /* that tells them apart; 0: there is but one */
};

/* --- routes --- */

/* What comes behind `depth` bytes: WORD_BYTES of it, and how many there are. Of keys that are the
 * same up to there it has the order, and who has the same one goes on behind it, or is the same. */
static inline uint64_t route_word(struct slice key, size_t depth)
{
    size_t left = key.len > depth ? key.len - depth : 0;
    return left > WORD_BYTES ? op_key_word(key, depth) | 0xff : op_key_word(key, depth) | left;
}

/* How many are: of rising ones. What is compared at once does not depend on each other. */
static size_t words_below(const uint64_t *words, size_t count, uint64_t word)
{
    size_t below = 0;
    while (count > WAYS) {
        size_t step = count / WAYS, part = 0;
        for (size_t i = 1; i < WAYS; i++)
            part += words[below + i * step - 1] < word;
        below += part * step;
        count = part == WAYS - 1 ? count - part * step : step;
    }
    size_t more = 0;
    for (size_t i = 0; i < count; i++)
        more += words[below + i] < word;
    return below + more;
}

static size_t find_bin(const struct op_bins *bins, struct slice key)
{
    const struct op_route *route = bins->routes;
    if (bins->route_count == 0)
        return 0;
    for (;;) {
        struct slice same = slice_make(bins->bins[route->first].first.data, route->same);
        struct slice begin = slice_make(key.data, key.len < same.len ? key.len : same.len);
        if (!slice_equal(begin, same))
            return (slice_compare(begin, same) < 0 ? route->first : route->end) - 1;
        uint64_t word = route_word(key, route->same);
        size_t at = words_below(route->words, route->count, word);
        if (at == route->count)
            return route->end - 1;
        const struct op_fork *fork = &route->forks[at];
        if (route->words[at] != word)
            return fork->first - 1;
        if (!fork->route)
            return fork->first - (slice_compare(key, bins->bins[fork->first].first) < 0);
        route = &bins->routes[fork->route];
    }
}

static size_t common_len(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len, same = 0;
    while (same < len && a.data[same] == b.data[same])
        same++;
    return same;
}

static uint32_t add_route(struct op_bins *bins, size_t first, size_t end)
{
    struct op_route route = {.first = first, .end = end};
    size_t index = bins->route_count++;
    if (bins->route_cap <= index) {
        bins->route_cap = bins->route_cap ? 2 * bins->route_cap : 8;
        bins->routes = mem_realloc(bins->routes, bins->route_cap * sizeof(*bins->routes));
    }
    route.same = common_len(bins->bins[first].first, bins->bins[end - 1].first);
    route.words = mem_alloc((end - first) * sizeof(*route.words));
    route.forks = mem_alloc((end - first) * sizeof(*route.forks));
    for (size_t i = first, next; i < end; i = next) {
        uint64_t word = route_word(bins->bins[i].first, route.same);
        for (next = i + 1; next < end; next++)
            if (route_word(bins->bins[next].first, route.same) != word)
                break;
        route.words[route.count] = word;
        route.forks[route.count++] = (struct op_fork){
            .first = (uint32_t)i, .route = next - i > 1 ? add_route(bins, i, next) : 0};
    }
    bins->routes[index] = route;
    return (uint32_t)index;
}

static void drop_routes(struct op_bins *bins)
{
    for (size_t i = 0; i < bins->route_count; i++) {
        mem_free(bins->routes[i].words);
        mem_free(bins->routes[i].forks);
    }
    bins->route_count = 0;
}

/* --- bins --- */

static const char *take_len(const char *at, uint64_t *ret_len)
{
    *ret_len = (unsigned char)*at++;
    if (*ret_len < 0xff)
        return at;
    memcpy(ret_len, at, sizeof(*ret_len));
    return at + sizeof(*ret_len);
}

/* The op of a ref, and its mark. */
static struct slice take_op(const char *at, bool *ret_mark)
{
    uint64_t len;
    at = take_len(at, &len);
    *ret_mark = len & 1;
    return slice_make(at, len >> 1);
}

static void bin_close(struct op_bin *bin)
{
    if (bin->last)
        bin->last->len = (size_t)(bin->at - bin->last->bytes);
}

/* Another block, for `len` bytes at least. */
static void bin_grow(struct op_bin *bin, size_t len)
{
    size_t cap = BLOCK_SIZE - sizeof(struct op_block);
    if (cap < len)
        cap = len;
    struct op_block *block = mem_alloc_passing(sizeof(*block) + cap);
    bin_close(bin);
    *block = (struct op_block){0};
    if (bin->last)
        bin->len += bin->last->len;
    *(bin->last ? &bin->last->next : &bin->blocks) = block;
    bin->last = block;
    bin->at = block->bytes;
    bin->end = bin->at + cap;
}

/* Where the next op goes, behind room for its length. */
static char *bin_room(struct op_bin *bin, size_t most)
{
    if ((size_t)(bin->end - bin->at) < LEN_MAX + most)
        bin_grow(bin, LEN_MAX + most);
    return bin->at + LEN_MIN;
}

/* It has been written there. */
static void bin_take(struct op_bin *bin, size_t len, bool mark)
{
    uint64_t head = (uint64_t)len << 1 | mark;
    if (head < 0xff) {
        *bin->at = (char)head;
        bin->at += LEN_MIN + len;
    } else {
        memmove(bin->at + LEN_MAX, bin->at + LEN_MIN, len);
        *bin->at = (char)0xff;
        memcpy(bin->at + 1, &head, sizeof(head));
        bin->at += LEN_MAX + len;
    }
    mem_fetch_to_write(bin->at + 64);
}

static void bin_free_ops(struct op_bin *bin)
{
    for (struct op_block *block = bin->blocks, *next; block; block = next) {
        next = block->next;
        mem_free(block);
    }
    *bin = (struct op_bin){.first = bin->first, .split_at = OP_BINS_SPLIT};
}

static void bin_release(struct op_bin *bin)
{
    bin_free_ops(bin);
    mem_free((char *)bin->first.data);
}

static struct op_ref make_ref(const char *at, size_t *ret_len)
{
    bool mark;
    struct slice op = take_op(at, &mark), key = op_binary_key(op);
    assert(key.len <= UINT32_MAX);
    *ret_len = (size_t)(op.data - at) + op.len;
    return (struct op_ref){
        .at = at, .key_len = (uint32_t)key.len, .key_at = (uint8_t)(key.data - at), .mark = mark};
}

static void add_ref(struct op_bins *bins, struct op_ref ref)
{
    if (bins->ref_count == bins->ref_cap) {
        bins->ref_cap = bins->ref_cap ? 2 * bins->ref_cap : 1024;
        bins->refs = mem_realloc_passing(bins->refs, bins->ref_cap * sizeof(ref));
        bins->spare = mem_realloc_passing(bins->spare, bins->ref_cap * sizeof(ref));
    }
    bins->refs[bins->ref_count++] = ref;
}

static void sort_bin(struct op_bins *bins, struct op_bin *bin)
{
    size_t len;
    bin_close(bin);
    bins->ref_count = 0;
    for (const struct op_block *block = bin->blocks; block; block = block->next)
        for (const char *at = block->bytes; at < block->bytes + block->len; at += len) {
            mem_fetch(at + FETCH_AHEAD);
            add_ref(bins, make_ref(at, &len));
        }
    op_sort(bins->refs, bins->spare, bins->ref_count);
}

static struct op_bin *add_bin(struct op_bins *bins, size_t index)
{
    if (bins->count == bins->cap) {
        bins->cap = bins->cap ? 2 * bins->cap : 1;
        bins->bins = mem_realloc(bins->bins, bins->cap * sizeof(*bins->bins));
    }
    struct op_bin *bin = &bins->bins[index];
    memmove(bin + 1, bin, (bins->count - index) * sizeof(*bin));
    bins->count++;
    *bin = (struct op_bin){.split_at = OP_BINS_SPLIT};
    return bin;
}

static struct slice copy_key(struct slice key)
{
    char *copy = mem_alloc(key.len);
    slice_copy(copy, key);
    return slice_make(copy, key.len);
}

/* Cuts a bin into some that have the same number of ops, but for those of one key, which stay
 * together. */
static void split(struct op_bins *bins, size_t index)
{
    struct op_bin old = bins->bins[index], *bin = &bins->bins[index];
    size_t in_piece = 0;
    sort_bin(bins, &old);
    *bin = (struct op_bin){.first = old.first, .split_at = OP_BINS_SPLIT};
    for (size_t i = 0; i < bins->ref_count; i++) {
        const struct op_ref *ref = &bins->refs[i];
        bool mark;
        struct slice op = take_op(ref->at, &mark);
        if (in_piece > bins->ref_count / PIECES &&
            !slice_equal(op_ref_key(ref), op_ref_key(ref - 1))) {
            bin = add_bin(bins, ++index);
            bin->first = copy_key(op_ref_key(ref));
            in_piece = 0;
        }
        slice_copy(bin_room(bin, op.len), op);
        bin_take(bin, op.len, mark);
        in_piece++;
        /* What cannot be cut is not tried again for each block. */
        if (bin->split_at < 2 * bin->len)
            bin->split_at = 2 * bin->len;
    }
    bins->ref_count = 0;
    bin_free_ops(&old);
    drop_routes(bins);
    if (bins->count > 1)
        add_route(bins, 1, bins->count);
}

void op_bins_add(struct op_bins *bins, struct op *op, bool mark)
{
    if (bins->count == 0) {
        add_bin(bins, 0);
        bins->epoch = op->time;
    }
    size_t index = find_bin(bins, op->key);
    struct op_bin *bin = &bins->bins[index];
    int64_t time = op->time;
    op->time = (int64_t)((uint64_t)time - (uint64_t)bins->epoch);
    char *room = bin_room(bin, op_binary_most(op));
    bin_take(bin, (size_t)(op_binary_put(room, op) - room), mark);
    op->time = time;
    if (bin->len >= bin->split_at)
        split(bins, index);
}

bool op_bins_next(struct op_bins *bins)
{
    bins->ref_count = 0;
    if (bins->next)
        bin_free_ops(&bins->bins[bins->next - 1]);
    if (bins->next == bins->count)
        return false;
    sort_bin(bins, &bins->bins[bins->next++]);
    return true;
}

void op_bins_decode(const struct op_bins *bins, const struct op_ref *ref,
                    struct op_scratch *scratch, struct op *op)
{
    bool mark;
    size_t len = op_binary_decode(take_op(ref->at, &mark), scratch, op);
    assert(len);
    (void)len;
    op->time = (int64_t)((uint64_t)op->time + (uint64_t)bins->epoch);
}

void op_bins_clear(struct op_bins *bins)
{
    for (size_t i = 0; i < bins->count; i++)
        bin_release(&bins->bins[i]);
    drop_routes(bins);
    bins->count = bins->next = bins->ref_count = 0;
}

void op_bins_release(struct op_bins *bins)
{
    op_bins_clear(bins);
    mem_free(bins->bins);
    mem_free(bins->routes);
    mem_free(bins->refs);
    mem_free(bins->spare);
    *bins = (struct op_bins){0};
}
