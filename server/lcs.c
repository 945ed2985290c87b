/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LCS by the textbook table: lengths[i][j] is the length of the longest common subsequence of the
 * first i bytes of a and the first j of b; walking back from the corner gives the subsequence and
 * the ranges in which it lies.
 */
#include "server/lcs.h"

#include <stdatomic.h>

#include "ops/mem.h"
#include "server/exec.h"

struct lcs {
    struct slice a, b;
    uint32_t *lengths; /* (a.len + 1) rows of (b.len + 1) */
    bool want_len, want_ranges, want_range_lengths;
    int64_t min_range;
};

struct range {
    size_t a_start, a_end, b_start, b_end; /* inclusive */
    bool open;
};

static uint32_t *cell(const struct lcs *l, size_t i, size_t j)
{
    return &l->lengths[i * (l->b.len + 1) + j];
}

static void fill(struct lcs *l)
{
    for (size_t j = 0; j <= l->b.len; j++)
        *cell(l, 0, j) = 0;
    for (size_t i = 1; i <= l->a.len; i++) {
        *cell(l, i, 0) = 0;
        for (size_t j = 1; j <= l->b.len; j++) {
            uint32_t up = *cell(l, i - 1, j), left = *cell(l, i, j - 1);
            if (l->a.data[i - 1] == l->b.data[j - 1])
                *cell(l, i, j) = *cell(l, i - 1, j - 1) + 1;
            else
                *cell(l, i, j) = up > left ? up : left;
        }
    }
}

static size_t write_range(struct exec *x, const struct lcs *l, struct range *range)
{
    size_t len = range->a_end - range->a_start + 1;
    if (!range->open)
        return 0;
    range->open = false;
    if (!l->want_ranges || (int64_t)len < l->min_range)
        return 0;
    resp_write_array(x->out, l->want_range_lengths ? 3 : 2);
    resp_write_array(x->out, 2);
    resp_write_integer(x->out, (long long)range->a_start);
    resp_write_integer(x->out, (long long)range->a_end);
    resp_write_array(x->out, 2);
    resp_write_integer(x->out, (long long)range->b_start);
    resp_write_integer(x->out, (long long)range->b_end);
    if (l->want_range_lengths)
        resp_write_integer(x->out, (long long)len);
    return 1;
}

/* Walks back from the corner; writes ranges as they end and the subsequence into `out`, which has
 * room for all of it. Returns how many ranges were written. */
static size_t walk_back(struct exec *x, const struct lcs *l, char *out)
{
    size_t i = l->a.len, j = l->b.len, left = *cell(l, i, j), ranges = 0;
    struct range range = {0};
    while (left && i && j) {
        if (l->a.data[i - 1] == l->b.data[j - 1]) {
            out[--left] = l->a.data[i - 1];
            i--;
            j--;
            if (!range.open || range.a_start != i + 1 || range.b_start != j + 1) {
                ranges += write_range(x, l, &range);
                range = (struct range){i, i, j, j, true};
            } else {
                range.a_start = i;
                range.b_start = j;
            }
        } else if (*cell(l, i - 1, j) > *cell(l, i, j - 1)) {
            i--;
        } else {
            j--;
        }
    }
    return ranges + write_range(x, l, &range);
}

static void reply(struct exec *x, struct lcs *l)
{
    uint32_t total = *cell(l, l->a.len, l->b.len);
    if (l->want_len) {
        resp_write_integer(x->out, total);
        return;
    }
    char *common = mem_alloc(total);
    if (l->want_ranges) {
        resp_write_map(x->out, 2);
        resp_write_bulk_text(x->out, "matches");
        size_t begun = resp_defer_begin(x->out);
        resp_defer_array(x->out, begun, walk_back(x, l, common));
        resp_write_bulk_text(x->out, "len");
        resp_write_integer(x->out, total);
    } else {
        walk_back(x, l, common);
        resp_write_bulk(x->out, common, total);
    }
    mem_free(common);
}

static bool parse(struct exec *x, struct lcs *l)
{
    for (int i = 3; i < x->argc; i++) {
        if (exec_is(x, i, "len")) {
            l->want_len = true;
        } else if (exec_is(x, i, "idx")) {
            l->want_ranges = true;
        } else if (exec_is(x, i, "withmatchlen")) {
            l->want_range_lengths = true;
        } else if (exec_is(x, i, "minmatchlen") && i + 1 < x->argc) {
            if (!exec_int(x, ++i, &l->min_range))
                return false;
        } else {
            exec_syntax_error(x);
            return false;
        }
    }
    if (l->want_len && l->want_ranges) {
        exec_error(x, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

/* The string at argv[index], empty when absent; false: another type. */
static bool operand(struct exec *x, int index, char scratch[24], struct slice *bytes)
{
    struct entry *entry = exec_find(x, x->argv[index]);
    *bytes = slice_make("", 0);
    if (entry && entry_type(entry) != VALUE_STRING)
        return false;
    if (entry)
        *bytes = string_bytes(entry, scratch);
    return true;
}

/* Both are looked up, whatever the first is: that is what counts as a miss. */
static bool operands(struct exec *x, char scratch[2][24], struct lcs *l)
{
    bool a = operand(x, 1, scratch[0], &l->a), b = operand(x, 2, scratch[1], &l->b);
    if (!a || !b)
        exec_error(x, "ERR The specified keys must contain string values");
    return a && b;
}

void lcs_command(struct exec *x)
{
    struct lcs l = {0};
    char scratch[2][24];
    if (!operands(x, scratch, &l) || !parse(x, &l))
        return;
    uint64_t cells = (uint64_t)(l.a.len + 1) * (l.b.len + 1);
    int64_t max = atomic_load_explicit(&value_limits.string_max, memory_order_relaxed);
    if (cells > (uint64_t)max / sizeof(uint32_t)) {
        exec_error(x, "ERR Insufficient memory, transient memory for LCS exceeds "
                      "proto-max-bulk-len");
        return;
    }
    l.lengths = mem_alloc(cells * sizeof(uint32_t));
    fill(&l);
    reply(x, &l);
    mem_free(l.lengths);
}
