/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Radix sort, the first bits that differ first. Comparing keys where they lie is what a sort by
 * comparison spends its time with; here each is read once per eight bytes, and refs are dealt out
 * by the words beside them, by as many bits at once as make heaps that are worth it. Every step
 * keeps the order in which refs of one key came.
 */
#include "persistence/op_sort.h"

enum {
    WORD = sizeof(uint64_t),
    FEW = 24,        /* below, insertion is quicker */
    LEVELS_MAX = 64, /* past this somebody chose the keys: merging has bounds that hold for any */
    DIGIT_BITS = 11,
    RUNS_MAX = 4,
};

/* Some of the bits of a word, the highest first, drawn together: digits of text share others. */
struct digit {
    unsigned runs, bits;
    uint64_t mask; /* of all of them */
    struct {
        unsigned shift, bits;
        uint64_t mask;
    } run[RUNS_MAX];
};

struct sort {
    struct op_ref *spare;
    size_t ends[1 << DIGIT_BITS];
};

static void load_words(struct op_ref *refs, size_t count, size_t depth)
{
    for (size_t i = 0; i < count; i++)
        refs[i].word = op_key_word(op_ref_key(&refs[i]), depth);
}

/* Of keys that are the same up to `depth`. The same word and the same length, if that is all there
 * is of them, are the same key: most that meet here, and they need not be looked at. */
static bool precedes(const struct op_ref *x, const struct op_ref *y, size_t depth)
{
    if (x->word != y->word)
        return x->word < y->word;
    if (x->key_len == y->key_len && x->key_len <= depth + WORD)
        return false;
    return slice_compare(op_ref_key(x), op_ref_key(y)) < 0;
}

static void insertion_sort(struct op_ref *refs, size_t count, size_t depth)
{
    for (size_t i = 1; i < count; i++) {
        struct op_ref ref = refs[i];
        size_t to = i;
        for (; to > 0 && precedes(&ref, &refs[to - 1], depth); to--)
            refs[to] = refs[to - 1];
        refs[to] = ref;
    }
}

/* Of keys of any kind. */
static void merge_sort(const struct sort *sort, struct op_ref *refs, size_t count, size_t depth)
{
    size_t half = count / 2, left = 0, right = half;
    if (count <= FEW) {
        insertion_sort(refs, count, depth);
        return;
    }
    merge_sort(sort, refs, half, depth);
    merge_sort(sort, refs + half, count - half, depth);
    memcpy(sort->spare, refs, count * sizeof(*refs));
    for (size_t i = 0; i < count; i++) {
        bool from_right = left == half || (right < count && precedes(&sort->spare[right],
                                                                     &sort->spare[left], depth));
        refs[i] = sort->spare[from_right ? right++ : left++];
    }
}

/* Where in the eight bytes before `depth` a key ends; behind all of these when it goes on. */
static size_t end_of(const struct op_ref *ref, size_t depth)
{
    return ref->key_len <= depth ? ref->key_len + WORD - depth : WORD + 1;
}

/*
 * Of keys that are the same up to `depth` or end in the eight bytes before it: those that end go
 * first, the shorter before the longer. Their number.
 */
static size_t take_ended(const struct sort *sort, struct op_ref *refs, size_t count, size_t depth)
{
    size_t starts[WORD + 3] = {0};
    for (size_t i = 0; i < count; i++)
        starts[end_of(&refs[i], depth) + 1]++;
    size_t ended = count - starts[WORD + 2];
    if (ended == 0)
        return 0;
    for (size_t i = 1; i < WORD + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++)
        sort->spare[starts[end_of(&refs[i], depth)]++] = refs[i];
    memcpy(refs, sort->spare, count * sizeof(*refs));
    return ended;
}

/* The highest of the bits that differ, no more than give a heap for each of `count` refs. */
static struct digit plan_digit(uint64_t differences, size_t count)
{
    struct digit digit = {0};
    unsigned most = 63 - (unsigned)__builtin_clzll(count);
    if (most > DIGIT_BITS)
        most = DIGIT_BITS;
    while (differences && digit.runs < RUNS_MAX && digit.bits < most) {
        unsigned above = (unsigned)__builtin_clzll(differences), left = most - digit.bits;
        uint64_t rest = ~(differences << above);
        unsigned bits = rest ? (unsigned)__builtin_clzll(rest) : 64;
        if (bits > left)
            bits = left;
        unsigned shift = 64 - above - bits;
        uint64_t mask = (UINT64_C(1) << bits) - 1;
        digit.run[digit.runs].shift = shift;
        digit.run[digit.runs].bits = bits;
        digit.run[digit.runs++].mask = mask;
        digit.bits += bits;
        digit.mask |= mask << shift;
        differences &= ~digit.mask;
    }
    return digit;
}

static inline size_t digit_of(const struct digit *digit, const struct op_ref *ref)
{
    size_t value = 0;
    for (unsigned i = 0; i < digit->runs; i++)
        value =
            value << digit->run[i].bits | (ref->word >> digit->run[i].shift & digit->run[i].mask);
    return value;
}

static void deal_out(struct sort *sort, struct op_ref *refs, size_t count,
                     const struct digit *digit)
{
    size_t heaps = (size_t)1 << digit->bits, begin = 0;
    memset(sort->ends, 0, heaps * sizeof(*sort->ends));
    for (size_t i = 0; i < count; i++)
        sort->ends[digit_of(digit, &refs[i])]++;
    for (size_t i = 0; i < heaps; i++) {
        size_t heap = sort->ends[i];
        sort->ends[i] = begin;
        begin += heap;
    }
    for (size_t i = 0; i < count; i++)
        sort->spare[sort->ends[digit_of(digit, &refs[i])]++] = refs[i];
    memcpy(refs, sort->spare, count * sizeof(*refs));
}

static void sort_from(struct sort *sort, struct op_ref *refs, size_t count, size_t depth,
                      unsigned level);

/* Deals the refs out by the first bits in which their words differ, and sorts each heap. */
static void split(struct sort *sort, struct op_ref *refs, size_t count, size_t depth,
                  unsigned level, uint64_t differences)
{
    struct digit digit = plan_digit(differences, count);
    size_t begin = 0;
    deal_out(sort, refs, count, &digit);
    while (begin < count) {
        size_t end = begin + 1;
        while (end < count && !((refs[end].word ^ refs[begin].word) & digit.mask))
            end++;
        sort_from(sort, refs + begin, end - begin, depth, level + 1);
        begin = end;
    }
}

/* Whether words with these differences are enough to tell `count` keys apart. */
static bool tell_apart(uint64_t differences, size_t count)
{
    return __builtin_popcountll(differences) >= 63 - __builtin_clzll(count);
}

/*
 * The keys are the same up to `depth`; the words are those from there. Words that begin alike and
 * differ in little are read once more from where they begin to differ: of keys that are the same
 * but for a number, one word has all of it then.
 */
static void sort_from(struct sort *sort, struct op_ref *refs, size_t count, size_t depth,
                      unsigned level)
{
    while (count > FEW) {
        uint64_t differences = 0;
        for (size_t i = 1; i < count; i++)
            differences |= refs[i].word ^ refs[0].word;
        size_t same = differences ? (size_t)__builtin_clzll(differences) / 8 : WORD;
        if (differences && level == LEVELS_MAX) {
            merge_sort(sort, refs, count, depth);
            return;
        }
        if (same == 0 || tell_apart(differences, count)) {
            split(sort, refs, count, depth, level, differences);
            return;
        }
        depth += same;
        size_t ended = take_ended(sort, refs, count, depth);
        refs += ended;
        count -= ended;
        load_words(refs, count, depth);
    }
    insertion_sort(refs, count, depth);
}

void op_sort(struct op_ref *refs, struct op_ref *spare, size_t count)
{
    struct sort sort;
    sort.spare = spare;
    load_words(refs, count, 0);
    sort_from(&sort, refs, count, 0, 0);
}
