/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs: moved out of the head and opened again, refused where they do not fit. */
#include "persistence/run.h"

#include "persistence/sync_core.h"
#include "tests/persistence/codec_support.h"

#define NOW  1795212345678
#define UNIT 4000

static void check(bool fine, const struct text *error)
{
    if (!fine)
        fail_msg("%.*s", (int)error->len, error->data);
    assert_int_equal(error->len, 0);
}

struct tail {
    struct random random;
    struct op_source source;
    struct objects objects;
    struct head head;
    struct keyspace *ks;
    int64_t clock;
};

static void begin(struct tail *tail)
{
    *tail = (struct tail){.random = random_from(11), .ks = keyspace_create(NULL)};
    tail->source =
        (struct op_source){.random = &tail->random, .keys = 50, .bytes_max = 30, .time = NOW};
    head_init(&tail->head, slice_of("git"));
}

static void add(struct tail *tail, int commits)
{
    for (int i = 0; i < commits; i++)
        head_commit_random(&tail->head, &tail->objects, &tail->source, tail->ks, &tail->clock);
}

/* One commit whose ops are inside its entry, as most are. */
static void add_inline(struct tail *tail)
{
    struct text pending = {0};
    struct outcome outcome;
    for (int i = 0; i < 5; i++) {
        struct op_box *box = op_random(&tail->source);
        op_binary_encode(&pending, &box->op);
        if (box->op.time < tail->clock)
            box->op.time = tail->clock;
        tail->clock = box->op.time;
        apply(tail->ks, &box->op, &outcome, NULL);
        op_box_destroy(box);
    }
    head_commit(&tail->head, &tail->objects, "a/1", NOW, text_slice(&pending), false);
    text_release(&pending);
}

static void move(struct tail *tail)
{
    struct fold_store store = objects_run_store(&tail->objects);
    struct head_run run;
    struct text error = {0};
    check(run_make(&tail->head, UNIT, &store, &run, &error), &error);
    assert_true(head_place_run(&tail->head, &run));
}

static void end(struct tail *tail)
{
    keyspace_destroy(tail->ks);
    head_release(&tail->head);
    objects_release(&tail->objects);
}

static void assert_loads(struct tail *tail)
{
    struct fold_store store = objects_store(&tail->objects);
    struct keyspace *loaded = keyspace_create(NULL), *want = state_copy(tail->ks);
    struct text error = {0};
    int64_t clock;
    check(fold_load(&tail->head, &store, loaded, &clock, &error), &error);
    assert_int_equal(clock, tail->clock);
    keyspace_drop_expired(loaded, clock);
    keyspace_drop_expired(want, clock);
    assert_true(state_equal(loaded, want));
    keyspace_destroy(loaded);
    keyspace_destroy(want);
}

static void the_head_stays_small_however_long_the_tail_is(void **state)
{
    (void)state;
    struct tail tail;
    size_t longest = 0, ops = 0, written = 0;
    begin(&tail);
    for (int i = 0; i < 3000; i++) {
        struct text body = {0};
        add_inline(&tail);
        ops += tail.head.tail[tail.head.tail_count - 1].text.len;
        if (head_tail_bytes(&tail.head) > UNIT)
            move(&tail);
        head_encode(&tail.head, &body);
        longest = body.len > longest ? body.len : longest;
        text_release(&body);
    }
    for (size_t i = 0; i < tail.objects.count; i++)
        if (strncmp(tail.objects.list[i].name, "run-", 4) == 0)
            written += tail.objects.list[i].body.len;
    assert_true(ops > 100 * UNIT);
    assert_true(tail.head.run_count > 1 && tail.head.run_count < 24);
    assert_true(longest < 8 * UNIT);
    assert_true(written < 4 * ops);
    assert_loads(&tail);
    end(&tail);
}

static void opening_runs_brings_the_commits_back(void **state)
{
    (void)state;
    struct tail tail;
    struct text before = {0}, after = {0}, error = {0};
    const struct head_run *run;
    begin(&tail);
    for (int i = 0; i < 4; i++) {
        add(&tail, 3);
        move(&tail);
    }
    add(&tail, 2);
    head_encode(&tail.head, &before);
    assert_int_equal(tail.head.tail_count, 2);
    while ((run = run_next(&tail.head)))
        check(run_open(&tail.head, text_slice(&objects_find(&tail.objects, run->object)->body),
                       &error),
              &error);
    assert_int_equal(tail.head.tail_count, 14);
    for (size_t i = 0; i < 14; i++)
        assert_int_equal(tail.head.tail[i].position, i + 1);
    head_encode(&tail.head, &after);
    assert_true(slice_equal(text_slice(&before), text_slice(&after)));
    assert_loads(&tail);
    run_close(&tail.head);
    assert_int_equal(tail.head.tail_count, 2);
    text_release(&before);
    text_release(&after);
    end(&tail);
}

static void a_flipped_bit_of_a_run_is_found(void **state)
{
    (void)state;
    struct tail tail;
    struct text error = {0};
    begin(&tail);
    add(&tail, 3);
    move(&tail);
    struct text *body = &objects_find(&tail.objects, tail.head.runs[0].object)->body;
    for (size_t i = 0; i < body->len; i++) {
        body->data[i] ^= (char)(1 << i % 7);
        assert_false(run_open(&tail.head, text_slice(body), &error));
        assert_true(error.len > 0);
        text_clear(&error);
        body->data[i] ^= (char)(1 << i % 7);
    }
    text_release(&error);
    end(&tail);
}

static void a_run_that_no_longer_fits_is_not_taken(void **state)
{
    (void)state;
    struct tail tail;
    struct fold_options options = {.chunk_size = 400, .inline_limit = 100};
    struct text error = {0}, before = {0}, after = {0};
    struct head_run run, foreign;
    struct head_base base;
    begin(&tail);
    struct fold_store store = objects_store(&tail.objects);
    struct fold_store runs = objects_run_store(&tail.objects);
    add(&tail, 4);
    check(run_make(&tail.head, UNIT, &runs, &run, &error), &error);
    check(run_make(&tail.head, UNIT, &runs, &foreign, &error), &error);
    foreign.hash[0] = foreign.hash[0] == '0' ? '1' : '0';
    head_encode(&tail.head, &before);
    assert_false(head_place_run(&tail.head, &foreign));
    head_encode(&tail.head, &after);
    assert_true(slice_equal(text_slice(&before), text_slice(&after)));
    check(fold_run(&tail.head, 2, &store, &options, &base, &error), &error);
    assert_true(head_rebase(&tail.head, &base));
    assert_false(head_place_run(&tail.head, &run));
    assert_loads(&tail);
    head_run_release(&run);
    head_run_release(&foreign);
    text_release(&before);
    text_release(&after);
    end(&tail);
}

static void a_base_inside_a_run_is_not_taken(void **state)
{
    (void)state;
    struct tail tail;
    struct fold_options options = {.chunk_size = 400, .inline_limit = 100};
    struct text error = {0};
    struct head_base base;
    begin(&tail);
    struct fold_store store = objects_store(&tail.objects);
    add(&tail, 4);
    check(fold_run(&tail.head, 2, &store, &options, &base, &error), &error);
    move(&tail);
    assert_int_equal(head_boundary(&tail.head, 2), 0);
    assert_int_equal(head_boundary(&tail.head, 4), 4);
    assert_false(head_rebase(&tail.head, &base));
    head_base_release(&base);
    check(fold_run(&tail.head, 4, &store, &options, &base, &error), &error);
    assert_true(head_rebase(&tail.head, &base));
    assert_int_equal(tail.head.run_count, 0);
    assert_loads(&tail);
    end(&tail);
}

/* Others have folded into the midst of the run that waits here for its place. */
static void a_fold_begins_where_the_head_has_an_end(void **state)
{
    (void)state;
    struct tail tail;
    struct fold_options options = {.chunk_size = 400, .inline_limit = 100};
    struct sync_settings settings = {.replica = "a", .incarnation = "a/1", .tail_keep = 1};
    struct text error = {0};
    struct head_run run;
    struct head_base base;
    begin(&tail);
    struct fold_store store = objects_store(&tail.objects);
    struct fold_store runs = objects_run_store(&tail.objects);
    add(&tail, 4);
    check(run_make(&tail.head, UNIT, &runs, &run, &error), &error);
    check(fold_run(&tail.head, 2, &store, &options, &base, &error), &error);
    assert_true(head_rebase(&tail.head, &base));
    struct sync_core *core = sync_core_create(slice_of("git"), &settings);
    sync_core_adopt(core, &tail.head, "etag");
    sync_core_offer_run(core, &run, NOW);
    assert_int_equal(sync_core_fold_position(core), 2);
    sync_core_destroy(core);
    tail.head = (struct head){0};
    end(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_stays_small_however_long_the_tail_is),
        cmocka_unit_test(opening_runs_brings_the_commits_back),
        cmocka_unit_test(a_flipped_bit_of_a_run_is_found),
        cmocka_unit_test(a_run_that_no_longer_fits_is_not_taken),
        cmocka_unit_test(a_base_inside_a_run_is_not_taken),
        cmocka_unit_test(a_fold_begins_where_the_head_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
