/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Committed ops that leave the pending ones by the chunk, against those that leave one by one: two
 * replicas run the same ops, take in the same commits and must not differ in anything.
 */
#include "persistence/rebase_queue.h"

#include "persistence/rebase.h"
#include "tests/persistence/codec_support.h"

struct twin {
    struct keyspace *ks;
    struct rebase *rebase;
    struct text log; /* what was told, in words */
};

static void on_arrival(void *ctx, const struct op *op, const struct outcome *out)
{
    struct twin *twin = ctx;
    text_append_format(&twin->log, "%s %d%d;", op_kind_name(op->kind), out->created, out->removed);
}

static void on_expired(void *ctx, struct slice key)
{
    struct twin *twin = ctx;
    text_append_slice(&twin->log, key);
    text_append_string(&twin->log, " expired;");
}

static void on_difference(void *ctx, const struct op *op, const struct rebase_answer *was,
                          const struct rebase_answer *is)
{
    struct twin *twin = ctx;
    text_append_format(&twin->log, "%s %lld %lld;", op_kind_name(op->kind), (long long)was->number,
                       (long long)is->number);
}

/* What is allocated next, in the size of a first chunk, is not zero. */
static void soil_memory(void)
{
    void *blocks[4];
    for (size_t i = 0; i < 4; i++)
        memset(blocks[i] = mem_alloc_passing(4096), 0xff, 4096);
    for (size_t i = 0; i < 4; i++)
        mem_free(blocks[i]);
}

static void twin_start(struct twin *twin)
{
    struct rebase_hooks hooks = {twin, on_arrival, on_expired, on_difference};
    *twin = (struct twin){.ks = keyspace_create(NULL)};
    twin->rebase = rebase_create(twin->ks, 0, &hooks);
}

static void twin_end(struct twin *twin)
{
    rebase_destroy(twin->rebase);
    keyspace_destroy(twin->ks);
    text_release(&twin->log);
}

/* Op `number` of a life of ours, of which two take turns. */
struct mine {
    const char *life;
    uint64_t number;
};

struct bed {
    struct random random;
    struct op_source source;
    struct twin chunks, singles;
    struct mine *pending; /* from `first` on */
    size_t first, count, cap;
    const char *life;
    uint64_t numbers[2];
};

static void turn_to(struct bed *bed, unsigned which)
{
    static const char *const lives[] = {"me/1", "me/2"};
    bed->life = lives[which];
    bed->numbers[which] += random_below(&bed->random, 3); /* perhaps with a gap */
    rebase_begin(bed->chunks.rebase, slice_of(bed->life), bed->numbers[which] + 1);
    rebase_begin(bed->singles.rebase, slice_of(bed->life), bed->numbers[which] + 1);
}

static void bed_start(struct bed *bed, struct random random)
{
    *bed = (struct bed){.random = random};
    soil_memory();
    bed->source = (struct op_source){.random = &bed->random, .bytes_max = 24, .time = 1000000};
    bed->source.keys = 1 + (unsigned)random_below(&bed->random, 200);
    twin_start(&bed->chunks);
    twin_start(&bed->singles);
    turn_to(bed, 0);
}

static void bed_end(struct bed *bed)
{
    twin_end(&bed->chunks);
    twin_end(&bed->singles);
    mem_free(bed->pending);
}

static struct op_box *next_op(struct bed *bed)
{
    bed->source.time += (int64_t)random_below(&bed->random, 20) - 5;
    if (random_below(&bed->random, 2000) == 0)
        return op_random_kind(&bed->source, OP_NAMESPACE_CLEAR);
    if (random_below(&bed->random, 3)) /* mostly one that depends on no time */
        return op_random_kind(&bed->source, OP_INT_ADD);
    return op_random(&bed->source);
}

static void run_mine(struct bed *bed)
{
    struct outcome out;
    struct op_box *box = next_op(bed), *copy = op_box_copy(&box->op);
    bool kept = rebase_run(bed->chunks.rebase, &box->op, &out);
    assert_int_equal(rebase_run(bed->singles.rebase, &copy->op, &out), kept);
    op_box_destroy(box);
    op_box_destroy(copy);
    if (!kept)
        return;
    if (bed->first + bed->count == bed->cap) {
        bed->cap = bed->cap ? 2 * bed->cap : 64;
        bed->pending = mem_realloc(bed->pending, bed->cap * sizeof(*bed->pending));
    }
    uint64_t number = ++bed->numbers[bed->life[3] - '1'];
    bed->pending[bed->first + bed->count++] = (struct mine){bed->life, number};
}

static void commit_theirs(struct bed *bed)
{
    struct op_box *box = next_op(bed), *copy = op_box_copy(&box->op);
    rebase_theirs(bed->chunks.rebase, &box->op);
    rebase_theirs(bed->singles.rebase, &copy->op);
    op_box_destroy(box);
    op_box_destroy(copy);
}

/* A commit: so many of ours as have one life and no gap; sometimes with some that are none. */
static void commit_mine(struct bed *bed)
{
    const struct mine *mine = &bed->pending[bed->first];
    size_t most = 1 + random_below(&bed->random, bed->count), count = 1;
    while (count < most && mine[count].life == mine->life &&
           mine[count].number == mine->number + count)
        count++;
    struct slice life = slice_of(random_below(&bed->random, 8) ? mine->life : "me/3");
    uint64_t first = mine->number, all = count, extra = random_below(&bed->random, 12);
    if (extra < 3) /* around the first, which may be number 1 */
        first += extra ? extra : UINT64_MAX;
    all += random_below(&bed->random, 8) == 0;
    bool pending = true;
    for (uint64_t i = 0; i < all; i++)
        pending &= rebase_ours(bed->singles.rebase, life, first + i);
    assert_int_equal(rebase_ours_all(bed->chunks.rebase, life, first, all), pending);
    count = bed->count - rebase_count(bed->singles.rebase);
    assert_int_equal(bed->count - rebase_count(bed->chunks.rebase), count);
    bed->first += count;
    bed->count -= count;
}

/* A value that an inverse holds may have come by some bytes more than it asked the allocator for,
 * in one of the two. */
static void check_memory(size_t chunks, size_t singles, size_t count)
{
    assert_in_range(chunks, singles - (singles < 16 * count ? singles : 16 * count),
                    singles + 16 * count);
    assert_int_equal(chunks == 0, count == 0);
}

static void check(struct bed *bed)
{
    struct twin *a = &bed->chunks, *b = &bed->singles;
    assert_int_equal(rebase_count(a->rebase), bed->count);
    assert_int_equal(rebase_count(b->rebase), bed->count);
    check_memory(rebase_memory(a->rebase), rebase_memory(b->rebase), bed->count);
    assert_int_equal(rebase_clock(a->rebase), rebase_clock(b->rebase));
    assert_int_equal(rebase_floor(a->rebase), rebase_floor(b->rebase));
    assert_int_equal(rebase_differing(a->rebase), rebase_differing(b->rebase));
    assert_true(slice_equal(text_slice(&a->log), text_slice(&b->log)));
    assert_true(state_equal(a->ks, b->ks));
    text_clear(&a->log);
    text_clear(&b->log);
}

static void finish(struct bed *bed)
{
    rebase_finish(bed->chunks.rebase);
    rebase_finish(bed->singles.rebase);
}

static void round_of(struct bed *bed)
{
    for (size_t i = random_below(&bed->random, 600); i > 0; i--)
        run_mine(bed);
    for (size_t i = random_below(&bed->random, 2) ? random_below(&bed->random, 5) : 0; i > 0; i--)
        commit_theirs(bed);
    if (random_below(&bed->random, 4)) /* else ours are taken in together with theirs */
        finish(bed);
    for (size_t i = random_below(&bed->random, 4); i > 0 && bed->count; i--)
        commit_mine(bed);
    finish(bed);
    check(bed);
    rebase_garbage_free(rebase_take_garbage(bed->chunks.rebase));
    rebase_garbage_free(rebase_take_garbage(bed->singles.rebase));
    if (random_below(&bed->random, 4) == 0)
        turn_to(bed, (unsigned)random_below(&bed->random, 2));
}

static void ops_that_leave_by_the_chunk_are_as_those_that_leave_one_by_one(void **state)
{
    (void)state;
    struct random random = random_init();
    for (int run = 0; run < 60; run++) {
        struct bed bed;
        bed_start(&bed, random_from(random_next(&random)));
        for (int i = 0; i < 12; i++)
            round_of(&bed);
        while (bed.count)
            commit_mine(&bed);
        finish(&bed);
        check(&bed);
        assert_int_equal(rebase_memory(bed.chunks.rebase), 0);
        bed_end(&bed);
    }
}

/* --- which of them may --- */

static struct held *add(struct held_queue *q, const struct origin *origin, uint64_t number)
{
    struct held *held = held_queue_add(q, slice_of("an op"), 1 + number % 7, NULL, slice_of(""));
    held->origin = origin;
    held->number = number;
    held->memory = (uint32_t)number;
    held->timed = number % 2;
    held_queue_count(q);
    return held;
}

static void drop_front(struct held_queue *q)
{
    struct held_chunk *chunk = held_queue_drop_front(q);
    assert_non_null(chunk);
    held_chunk_free(chunk);
}

static void a_front_is_what_is_pending_of_the_first_chunk(void **state)
{
    enum { OPS = 5000 };
    (void)state;
    const struct origin *origin = (const struct origin *)state; /* which is only compared */
    struct held_queue q = {0};
    struct held_front front;
    uint64_t number = 1, fronts = 0;
    for (uint64_t i = 1; i <= OPS; i++)
        add(&q, origin, i);
    for (; q.count; fronts++) {
        if (fronts % 2) { /* not from its beginning */
            assert_null(held_queue_drop(&q));
            number++;
        }
        size_t memory = 0, timed = 0;
        assert_true(held_queue_front(&q, &front));
        for (uint64_t i = 0; i < front.count; i++, number++) {
            memory += number;
            timed += number % 2;
        }
        assert_int_equal(front.memory, memory);
        assert_int_equal(front.timed, timed);
        assert_int_equal(front.clears, 0);
        assert_int_equal(front.last->number, number - 1);
        drop_front(&q);
        assert_int_equal(q.count, OPS - (number - 1));
        assert_true(!q.count || q.first->number == number);
    }
    assert_true(fronts > 5 && fronts < OPS / 50);
    assert_null(held_queue_newest(&q, 1));
    held_queue_release(&q);
}

static void a_front_that_was_disturbed_or_has_a_gap_is_none(void **state)
{
    (void)state;
    const struct origin *one = (const struct origin *)state, *other = (const struct origin *)&state;
    struct held_queue q = {0};
    struct held_front front;
    struct held *held = NULL;
    for (uint64_t i = 1; i <= 3; i++)
        held = add(&q, one, i);
    assert_true(held_queue_front(&q, &front));
    held_queue_ran_again(&q, held, NULL);
    assert_false(held_queue_front(&q, &front));
    held_queue_release(&q);
    add(&q, one, 1);
    add(&q, one, 3);
    assert_false(held_queue_front(&q, &front));
    held_queue_release(&q);
    add(&q, one, 1);
    add(&q, other, 2);
    assert_false(held_queue_front(&q, &front));
    held_queue_release(&q);
}

static void an_op_weighs_what_is_kept_with_it(void **state)
{
    (void)state;
    struct keyspace *ks = keyspace_create(NULL);
    struct op op = {.kind = OP_INT_ADD, .key = slice_of("key"), .int_add = {1}};
    struct outcome out;
    struct inverse *undo;
    struct held_queue q = {0};
    struct held *held = held_queue_add(&q, slice_of("an op"), 1, NULL, slice_of("detail"));
    assert_int_equal(held->memory, (sizeof(*held) + 11) / 16);
    assert_false(held->owns);
    apply(ks, &op, &out, &undo);
    held_queue_ran_again(&q, held, undo);
    assert_int_equal(held->memory, (sizeof(*held) + 11 + inverse_memory(undo)) / 16);
    assert_true(held->owns);
    held_queue_count(&q);
    held_queue_release(&q);
    keyspace_destroy(ks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_that_leave_by_the_chunk_are_as_those_that_leave_one_by_one),
        cmocka_unit_test(a_front_is_what_is_pending_of_the_first_chunk),
        cmocka_unit_test(a_front_that_was_disturbed_or_has_a_gap_is_none),
        cmocka_unit_test(an_op_weighs_what_is_kept_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
