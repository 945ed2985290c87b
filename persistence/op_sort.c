/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Quicksort by eight bytes of the keys at a time. The keys of a large tail lie all over memory, and
 * comparing them there is what a sort by comparison spends its time with; here each is read once
 * per eight bytes, and the words beside the refs are compared (docs/performance.md).
 */
#include "persistence/op_sort.h"

#include <endian.h>
#include <stdlib.h>

enum {
    WORD = sizeof(uint64_t),
    FEW = 12,        /* below, insertion is quicker */
    SPLITS_MAX = 64, /* past this somebody chose the keys: qsort's bounds hold for any */
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

static inline void swap(struct op_ref *a, struct op_ref *b)
{
    struct op_ref former = *a;
    *a = *b;
    *b = former;
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* Words below the pivot's come first, then [*low, *high) with the same, then those above. */
static void partition(struct op_ref *refs, size_t count, size_t *low, size_t *high)
{
    uint64_t pivot = median(refs[0].word, refs[count / 2].word, refs[count - 1].word);
    *low = 0;
    *high = count;
    for (size_t i = 0; i < *high;) {
        if (refs[i].word < pivot)
            swap(&refs[i++], &refs[(*low)++]);
        else if (refs[i].word > pivot)
            swap(&refs[i], &refs[--*high]);
        else
            i++;
    }
}

/* Of keys that are the same up to `depth`: those that end there go first, sorted. Their number. */
static size_t take_ended(struct op_ref *refs, size_t count, size_t depth)
{
    size_t ended = 0;
    for (size_t i = 0; i < count; i++)
        if (refs[i].key.len <= depth)
            swap(&refs[i], &refs[ended++]);
    qsort(refs, ended, sizeof(*refs), compare_refs);
    return ended;
}

/* The keys are the same up to `depth`; the words are those from there. */
static void sort_from(struct op_ref *refs, size_t count, size_t depth, unsigned splits)
{
    while (count > FEW) {
        size_t low, high;
        if (splits == SPLITS_MAX) {
            qsort(refs, count, sizeof(*refs), compare_refs);
            return;
        }
        partition(refs, count, &low, &high);
        sort_from(refs, low, depth, splits + 1);
        sort_from(refs + high, count - high, depth, splits + 1);
        depth += WORD;
        refs += low;
        count = high - low;
        size_t ended = take_ended(refs, count, depth);
        refs += ended;
        count -= ended;
        for (size_t i = 0; i < count; i++)
            refs[i].word = word_at(refs[i].key, depth);
    }
    insertion_sort(refs, count);
}

void op_refs_sort(struct op_ref *refs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refs[i].word = word_at(refs[i].key, 0);
    sort_from(refs, count, 0, 0);
}
