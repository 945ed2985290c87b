/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Radix sort, the first byte that differs first. The keys of a large tail lie all over memory, and
 * comparing them there is what a sort by comparison spends its time with; here each is read once
 * per eight bytes, and refs are dealt out by one byte of the words beside them. Every step keeps
 * the order in which refs of one key came.
 */
#include "persistence/op_sort.h"

#include <endian.h>
#include <stdlib.h>

#include "ops/mem.h"

enum {
    WORD = sizeof(uint64_t),
    FEW = 24,        /* below, insertion is quicker */
    LEVELS_MAX = 64, /* past this somebody chose the keys: qsort's bounds hold for any */
};

static uint64_t word_at(struct slice key, size_t depth)
{
    uint64_t word = 0;
    if (key.len >= depth + WORD)
        memcpy(&word, key.data + depth, WORD);
    else if (key.len > depth)
        memcpy(&word, key.data + depth, key.len - depth);
    return be64toh(word);
}

static void load_words(struct op_ref *refs, size_t count, size_t depth)
{
    for (size_t i = 0; i < count; i++)
        refs[i].word = word_at(refs[i].key, depth);
}

static int compare_refs(const void *a, const void *b)
{
    const struct op_ref *x = a, *y = b;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static bool precedes(const struct op_ref *x, const struct op_ref *y)
{
    return x->word != y->word ? x->word < y->word : compare_refs(x, y) < 0;
}

static void insertion_sort(struct op_ref *refs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct op_ref ref = refs[i];
        size_t to = i;
        for (; to > 0 && precedes(&ref, &refs[to - 1]); to--)
            refs[to] = refs[to - 1];
        refs[to] = ref;
    }
}

/* Where in the eight bytes before `depth` the key ends; behind all of these when it goes on. */
static size_t end_of(const struct op_ref *ref, size_t depth)
{
    return ref->key.len <= depth ? ref->key.len + WORD - depth : WORD + 1;
}

/*
 * Of keys that are the same up to `depth` or end in the eight bytes before it: those that end go
 * first, the shorter before the longer. Their number.
 */
static size_t take_ended(struct op_ref *refs, struct op_ref *spare, size_t count, size_t depth)
{
    size_t starts[WORD + 2] = {0}, ended = 0;
    for (size_t i = 0; i < count; i++)
        ended += refs[i].key.len <= depth;
    if (ended == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (refs[i].key.len <= depth)
            starts[end_of(&refs[i], depth) + 1]++;
    for (size_t i = 1; i < WORD + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++)
        spare[starts[end_of(&refs[i], depth)]++] = refs[i];
    memcpy(refs, spare, count * sizeof(*refs));
    return ended;
}

static void sort_from(struct op_ref *refs, struct op_ref *spare, size_t count, size_t depth,
                      unsigned level);

/* Deals the refs out by the first byte in which their words differ, and sorts each heap. */
static void split(struct op_ref *refs, struct op_ref *spare, size_t count, size_t depth,
                  unsigned level, uint64_t differences)
{
    unsigned shift = (63 - (unsigned)__builtin_clzll(differences)) & ~7u;
    size_t ends[256] = {0}, begin = 0;
    for (size_t i = 0; i < count; i++)
        ends[refs[i].word >> shift & 255]++;
    for (size_t i = 0; i < 256; i++) {
        size_t heap = ends[i];
        ends[i] = begin;
        begin += heap;
    }
    for (size_t i = 0; i < count; i++)
        spare[ends[refs[i].word >> shift & 255]++] = refs[i];
    memcpy(refs, spare, count * sizeof(*refs));
    begin = 0;
    for (size_t i = 0; i < 256; i++) {
        if (ends[i] - begin > 1)
            sort_from(refs + begin, spare, ends[i] - begin, depth, level + 1);
        begin = ends[i];
    }
}

/* The keys are the same up to `depth`; the words are those from there. */
static void sort_from(struct op_ref *refs, struct op_ref *spare, size_t count, size_t depth,
                      unsigned level)
{
    while (count > FEW) {
        uint64_t differences = 0;
        for (size_t i = 1; i < count; i++)
            differences |= refs[i].word ^ refs[0].word;
        if (differences && level == LEVELS_MAX) {
            qsort(refs, count, sizeof(*refs), compare_refs);
            return;
        }
        if (differences) {
            split(refs, spare, count, depth, level, differences);
            return;
        }
        depth += WORD;
        size_t ended = take_ended(refs, spare, count, depth);
        refs += ended;
        count -= ended;
        load_words(refs, count, depth);
    }
    insertion_sort(refs, count);
}

void op_refs_sort(struct op_ref *refs, size_t count)
{
    struct op_ref *spare = mem_alloc((count ? count : 1) * sizeof(*spare));
    load_words(refs, count, 0);
    sort_from(refs, spare, count, 0, 0);
    mem_free(spare);
}
