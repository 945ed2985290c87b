/* SPDX-License-Identifier: BSD-3-Clause */
/* The pending log: what was recorded comes out in order, once, and no batch is torn. */
#include "persistence/pending.h"

#include "tests/persistence/codec_support.h"

enum { LIMIT = 4 * 1024 * 1024, BATCHES_MAX = 20000 };

struct recording {
    struct pending pending;
    struct random random;
    uint64_t ends[BATCHES_MAX]; /* numbers of the last ops of the batches */
    size_t batches;
    uint64_t bytes;
};

/* Ops tell their number by their time. One is taken back now and then. */
static void record_batch(struct recording *r, size_t ops, size_t value_max)
{
    static char value[4096];
    struct slice sealed;
    uint64_t first, count;
    for (size_t i = 0; i < ops; i++) {
        struct op op = {.kind = OP_SCALAR_SET, .key = slice_of("key")};
        op.time = (int64_t)r->pending.recorded + 1;
        op.scalar_set.value = slice_make(value, random_below(&r->random, value_max));
        pending_record(&r->pending, &op);
        if (random_below(&r->random, 16) == 0) {
            pending_forget(&r->pending);
            pending_record(&r->pending, &op);
        }
    }
    assert_true(pending_seal(&r->pending, &sealed, &first, &count));
    assert_int_equal(count, ops);
    assert_int_equal(first + count - 1, r->pending.recorded);
    r->bytes += sealed.len;
    assert_true(r->batches < BATCHES_MAX);
    r->ends[r->batches++] = r->pending.recorded;
}

/* The numbers of its ops, from `next` on; returns the one behind. */
static uint64_t check_ops(struct slice ops, uint64_t next, uint64_t count)
{
    struct op_scratch scratch = {0};
    struct op op;
    for (; count; count--, next++) {
        size_t len = op_binary_decode(ops, &scratch, &op);
        assert_true(len);
        assert_int_equal(op.time, next);
        ops = slice_make(ops.data + len, ops.len - len);
    }
    assert_int_equal(ops.len, 0);
    return next;
}

/* Takes all of it out; returns in how many parts it came. */
static size_t take_all(struct recording *r, uint64_t next)
{
    struct pending_cut cut;
    size_t parts = 0, batch = 0;
    uint64_t bytes = 0;
    pending_take(&r->pending, &cut);
    assert_int_equal(cut.first, next);
    assert_int_equal(cut.bytes, r->bytes);
    for (; cut.head; parts++) {
        struct text out = {0};
        uint64_t count = pending_cut_shift(&cut, LIMIT, &out);
        next = check_ops(text_slice(&out), next, count);
        assert_int_equal(cut.first, next);
        while (batch < r->batches && r->ends[batch] < next - 1)
            batch++;
        assert_int_equal(r->ends[batch], next - 1);
        bytes += out.len;
        assert_int_equal(cut.bytes, r->bytes - bytes);
        text_release(&out);
    }
    assert_int_equal(bytes, r->bytes);
    assert_int_equal(cut.ops, 0);
    assert_int_equal(next, r->pending.recorded + 1);
    r->bytes = 0;
    r->batches = 0;
    return parts;
}

static void what_was_recorded_comes_out_in_whole_batches(void **state)
{
    (void)state;
    struct recording *r = mem_calloc(1, sizeof(*r));
    r->random = random_init();
    for (unsigned round = 0; round < 20; round++) {
        uint64_t next = r->pending.recorded + 1;
        for (size_t batches = 1 + random_below(&r->random, 300); batches; batches--)
            record_batch(r, 1 + random_below(&r->random, 300), 1 + random_below(&r->random, 600));
        take_all(r, next);
    }
    pending_release(&r->pending);
    mem_free(r);
}

static void much_makes_few_commits(void **state)
{
    (void)state;
    struct recording *r = mem_calloc(1, sizeof(*r));
    r->random = random_init();
    while (r->bytes < (uint64_t)10 * LIMIT)
        record_batch(r, 256, 64);
    size_t parts = take_all(r, 1);
    assert_in_range(parts, 10, 14);
    pending_release(&r->pending);
    mem_free(r);
}

static void a_batch_larger_than_a_commit_stays_whole(void **state)
{
    (void)state;
    struct recording *r = mem_calloc(1, sizeof(*r));
    r->random = random_init();
    record_batch(r, 10, 100);
    record_batch(r, 20000, 4096);
    record_batch(r, 10, 100);
    assert_true(r->bytes > (uint64_t)2 * LIMIT);
    take_all(r, 1);
    pending_release(&r->pending);
    mem_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_recorded_comes_out_in_whole_batches),
        cmocka_unit_test(much_makes_few_commits),
        cmocka_unit_test(a_batch_larger_than_a_commit_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
