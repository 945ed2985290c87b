/* SPDX-License-Identifier: BSD-3-Clause */
/* Folds against applying all ops in order; and what they must not read, write or believe. */
#include "persistence/fold.h"

#include "persistence/run.h"

#include "tests/persistence/codec_support.h"

#define NOW 1795212345678

static const struct fold_options tiny = {.chunk_size = 200, .inline_limit = 100};

static void check(bool fine, const struct text *error)
{
    if (!fine)
        fail_msg("%.*s", (int)error->len, error->data);
    assert_int_equal(error->len, 0);
}

static void fold_to(struct head *head, uint64_t position, struct objects *objects,
                    const struct fold_options *options)
{
    struct fold_store store = objects_store(objects);
    struct head_base base;
    struct text error = {0};
    check(fold_run(head, position, &store, options, &base, &error), &error);
    assert_true(head_rebase(head, &base));
    assert_int_equal(head->base.position, position);
}

static void move_to_run(struct head *head, struct objects *objects, size_t unit)
{
    struct fold_store store = objects_run_store(objects);
    struct head_run run;
    struct text error = {0};
    check(run_make(head, unit, &store, &run, &error), &error);
    assert_true(head_place_run(head, &run));
    assert_int_equal(head->tail_count, 0);
}

static void assert_state(const struct head *head, struct objects *objects, struct keyspace *ks,
                         int64_t clock)
{
    struct fold_store store = objects_store(objects);
    struct keyspace *loaded = keyspace_create(NULL), *expected = state_copy(ks);
    struct text error = {0};
    int64_t newest = -1;
    check(fold_load(head, &store, loaded, &newest, &error), &error);
    assert_int_equal(newest, clock);
    keyspace_drop_expired(loaded, clock);
    keyspace_drop_expired(expected, clock);
    assert_true(state_equal(loaded, expected));
    keyspace_destroy(loaded);
    keyspace_destroy(expected);
}

/* Chunks are in order, in bounds, and what the head says of them is so. */
static void assert_chunks(const struct head *head, struct objects *objects,
                          const struct fold_options *options)
{
    const struct head_base *base = &head->base;
    for (size_t i = 0; i < base->chunk_count; i++) {
        struct object *object = objects_find(objects, base->chunks[i].object);
        struct chunk_reader reader;
        struct slice key, member;
        struct text error = {0};
        assert_non_null(object);
        check(chunk_check(&base->chunks[i], text_slice(&object->body), &error), &error);
        chunk_reader_init(&reader, text_slice(&object->body));
        while (chunk_reader_next(&reader, &key, &member)) {
            assert_true(reader.count > 1 || slice_equal(key, text_slice(&base->chunks[i].first)));
            assert_true(i + 1 == base->chunk_count ||
                        slice_compare(key, text_slice(&base->chunks[i + 1].first)) < 0);
        }
        check(!chunk_reader_failed(&reader, &error), &error);
        assert_int_equal(reader.count, base->chunks[i].count);
        assert_true(base->chunks[i].bytes <= 2 * options->chunk_size || reader.count == 1);
        chunk_reader_release(&reader);
    }
    if (!base->chunk_count)
        assert_true(base->state.len <= options->inline_limit);
}

static void assert_encodes(const struct head *head)
{
    struct text out = {0}, error = {0};
    struct head read;
    head_encode(head, &out);
    check(head_decode(text_slice(&out), slice_of(head->namespace), &read, &error), &error);
    head_release(&read);
    text_release(&out);
}

static void random_run(struct random *r, unsigned keys, size_t bytes_max)
{
    struct op_source source = {.random = r, .keys = keys, .bytes_max = bytes_max, .time = NOW};
    struct keyspace *ks = keyspace_create(NULL);
    struct objects objects = {0};
    struct head head;
    int64_t clock = 0;
    head_init(&head, slice_of("test"));
    for (unsigned round = 0; round < 30; round++) {
        struct fold_options options = {.chunk_size = 1 + random_below(r, 600),
                                       .inline_limit = random_below(r, 1500)};
        unsigned commits = (unsigned)random_below(r, 5);
        for (unsigned i = 0; i < commits; i++)
            head_commit_random(&head, &objects, &source, ks, &clock);
        if (random_below(r, 2) && head.tail_count) {
            move_to_run(&head, &objects, 1 + random_below(r, 500));
            assert_state(&head, &objects, ks, clock);
        }
        uint64_t position =
            head.base.position + random_below(r, head.position - head.base.position + 1);
        fold_to(&head, head_boundary(&head, position), &objects, &options);
        assert_state(&head, &objects, ks, clock);
        assert_encodes(&head);
    }
    keyspace_destroy(ks);
    head_release(&head);
    objects_release(&objects);
}

static void folding_gives_what_applying_all_ops_gives(void **state)
{
    (void)state;
    struct random r = random_init();
    for (unsigned i = 0; i < 40; i++)
        random_run(&r, 1 + (unsigned)random_below(&r, 120), 1 + random_below(&r, 100));
}

static void chunks_keep_order_and_bounds_as_the_state_grows_and_shrinks(void **state)
{
    (void)state;
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 200, .bytes_max = 60, .time = NOW};
    struct objects objects = {0};
    struct head head;
    int64_t clock = 0;
    size_t most = 0;
    head_init(&head, slice_of("test"));
    for (unsigned i = 0; i < 200; i++) {
        head_commit_random(&head, &objects, &source, NULL, &clock);
        fold_to(&head, head.position, &objects, &tiny);
        assert_chunks(&head, &objects, &tiny);
        most = head.base.chunk_count > most ? head.base.chunk_count : most;
    }
    assert_true(most > 5);
    head_release(&head);
    objects_release(&objects);
}

static void commit_text(struct head *head, struct objects *objects, const struct op *ops,
                        size_t count)
{
    struct text pending = {0};
    for (size_t i = 0; i < count; i++)
        op_binary_encode(&pending, &ops[i]);
    head_commit(head, objects, "a/1", NOW, text_slice(&pending), false);
    text_release(&pending);
}

/* Keys k000 … with values of 20 bytes, folded: about 33 bytes a line. */
static void fill(struct head *head, struct objects *objects, unsigned count,
                 const struct fold_options *options)
{
    struct op *ops = mem_calloc(count, sizeof(*ops));
    char(*keys)[8] = mem_calloc(count, sizeof(*keys));
    for (unsigned i = 0; i < count; i++) {
        sprintf(keys[i], "k%03u", i);
        ops[i] = (struct op){.kind = OP_SCALAR_SET, .key = slice_of(keys[i]), .time = NOW};
        ops[i].scalar_set.value = slice_of("01234567890123456789");
    }
    head_init(head, slice_of("test"));
    commit_text(head, objects, ops, count);
    fold_to(head, 1, objects, options);
    mem_free(ops);
    mem_free(keys);
}

static void chunks_that_no_op_touches_are_neither_read_nor_written(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head, before;
    struct text out = {0}, error = {0};
    fill(&head, &objects, 100, &tiny);
    size_t chunks = head.base.chunk_count;
    assert_true(chunks >= 10);
    head_encode(&head, &out);
    check(head_decode(text_slice(&out), slice_of("test"), &before, &error), &error);

    struct op op = {.kind = OP_INT_ADD, .key = slice_of("k050"), .time = NOW};
    struct op more = {.kind = OP_KEY_DELETE, .key = slice_of("k099"), .time = NOW};
    struct op ops[] = {op, more};
    commit_text(&head, &objects, ops, 2);
    objects.reads = objects.writes = 0;
    fold_to(&head, 2, &objects, &tiny);
    assert_int_equal(objects.reads, 2);
    assert_int_equal(objects.writes, 2);
    assert_int_equal(head.base.chunk_count, chunks);
    unsigned changed = 0;
    for (size_t i = 0; i < chunks; i++)
        changed += strcmp(head.base.chunks[i].object, before.base.chunks[i].object) != 0;
    assert_int_equal(changed, 2);

    objects.reads = objects.writes = 0;
    fold_to(&head, 2, &objects, &tiny);
    assert_int_equal(objects.reads + objects.writes, 0);
    head_release(&head);
    head_release(&before);
    objects_release(&objects);
    text_release(&out);
}

static void neighbours_that_shrank_become_one_and_a_small_state_goes_inline(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    struct op ops[60];
    char keys[60][8];
    fill(&head, &objects, 64, &tiny);
    size_t before = head.base.chunk_count;
    for (unsigned i = 0; i < 60; i++) {
        sprintf(keys[i], "k%03u", i);
        ops[i] = (struct op){.kind = OP_KEY_DELETE, .key = slice_of(keys[i]), .time = NOW};
    }
    commit_text(&head, &objects, ops, 58);
    fold_to(&head, 2, &objects, &tiny);
    assert_true(head.base.chunk_count < before / 3);
    assert_chunks(&head, &objects, &tiny);
    struct fold_options roomy = {.chunk_size = 200, .inline_limit = 600};
    fold_to(&head, 2, &objects, &roomy);
    assert_int_equal(head.base.chunk_count, 0);
    assert_true(slice_equal(slice_make(head.base.state.data, 8), slice_of("{\n\"k058\"")));
    head_release(&head);
    objects_release(&objects);
}

static void clearing_reads_nothing_of_the_base(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    fill(&head, &objects, 100, &tiny);
    struct op ops[] = {{.kind = OP_INT_ADD, .key = slice_of("k001"), .time = NOW},
                       {.kind = OP_NAMESPACE_CLEAR, .time = NOW},
                       {.kind = OP_INT_ADD, .key = slice_of("new"), .time = NOW}};
    commit_text(&head, &objects, ops, 3);
    objects.reads = objects.writes = 0;
    fold_to(&head, 2, &objects, &tiny);
    assert_int_equal(objects.reads + objects.writes, 0);
    assert_string_equal(text_terminated(&head.base.state), "{\n\"new\":0\n}");
    head_release(&head);
    objects_release(&objects);
}

static void touched_keys_past_their_deadline_are_dropped(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    head_init(&head, slice_of("test"));
    struct op ops[] = {{.kind = OP_SCALAR_SET, .key = slice_of("a"), .time = NOW},
                       {.kind = OP_SCALAR_SET, .key = slice_of("b"), .time = NOW},
                       {.kind = OP_INT_ADD, .key = slice_of("c"), .time = NOW}};
    ops[0].scalar_set.expires = ops[1].scalar_set.expires = NOW + 100;
    commit_text(&head, &objects, ops, 3);
    fold_to(&head, 1, &objects, &tiny);
    struct op later[] = {{.kind = OP_STRING_APPEND, .key = slice_of("a"), .time = NOW + 50},
                         {.kind = OP_INT_ADD, .key = slice_of("c"), .time = NOW + 100}};
    commit_text(&head, &objects, later, 2);
    fold_to(&head, 2, &objects, &tiny);
    assert_int_equal(head.base.time, NOW + 100);
    assert_string_equal(text_terminated(&head.base.state),
                        "{\n\"b\":{\"string\":\"\",\"expires\":1795212345778},\n\"c\":0\n}");
    head_release(&head);
    objects_release(&objects);
}

static void a_clock_that_goes_back_brings_no_key_back_to_life(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    head_init(&head, slice_of("test"));
    struct op ops[] = {{.kind = OP_SCALAR_SET, .key = slice_of("k"), .time = NOW},
                       {.kind = OP_INT_ADD, .key = slice_of("other"), .time = NOW + 200}};
    ops[0].scalar_set.value = slice_of("7");
    ops[0].scalar_set.expires = NOW + 100;
    commit_text(&head, &objects, ops, 2);
    fold_to(&head, 1, &objects, &tiny);
    struct op behind = {.kind = OP_INT_ADD, .key = slice_of("k"), .time = NOW + 50};
    behind.int_add.delta = 1;
    commit_text(&head, &objects, &behind, 1);
    fold_to(&head, 2, &objects, &tiny);
    assert_string_equal(text_terminated(&head.base.state), "{\n\"k\":1,\n\"other\":0\n}");
    head_release(&head);
    objects_release(&objects);
}

static void set_op(struct op *op, const char *key, const char *value, int64_t expires)
{
    *op = (struct op){.kind = OP_SCALAR_SET, .key = slice_of(key), .time = NOW};
    op->scalar_set.value = slice_of(value);
    op->scalar_set.expires = expires;
}

/* Of a key that is set whatever it was, nothing before counts; of one that is not, everything. */
static void the_last_op_that_looks_at_nothing_is_the_first_that_counts(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    struct op ops[16];
    head_init(&head, slice_of("test"));
    set_op(&ops[0], "added", "5", 0);
    set_op(&ops[1], "conditional", "old", 0);
    set_op(&ops[2], "deleted", "old", 0);
    set_op(&ops[3], "kept", "old", NOW + 1000);
    set_op(&ops[4], "plain", "old", NOW + 1000);
    commit_text(&head, &objects, ops, 5);
    fold_to(&head, 1, &objects, &tiny);
    for (unsigned i = 0; i < 2; i++) {
        ops[i] = (struct op){.kind = OP_INT_ADD, .key = slice_of("added"), .time = NOW};
        ops[i].int_add.delta = 2;
    }
    set_op(&ops[2], "conditional", "new", 0);
    ops[2].scalar_set.condition = OP_CONDITION_NX;
    set_op(&ops[3], "deleted", "again", 0);
    ops[4] = (struct op){.kind = OP_KEY_DELETE, .key = slice_of("deleted"), .time = NOW};
    set_op(&ops[5], "kept", "new", OP_EXPIRES_KEEP);
    set_op(&ops[6], "passed", "x", NOW - 1);
    set_op(&ops[7], "plain", "012", 0);
    set_op(&ops[8], "then", "1", 0);
    ops[9] = (struct op){.kind = OP_INT_ADD, .key = slice_of("then"), .time = NOW};
    ops[9].int_add.delta = 1;
    set_op(&ops[10], "till", "\"quoted\"", NOW + 5);
    set_op(&ops[11], "\n", "12", 0);
    commit_text(&head, &objects, ops, 12);
    struct fold_options roomy = {.chunk_size = 200, .inline_limit = 1000};
    fold_to(&head, 2, &objects, &roomy);
    assert_string_equal(text_terminated(&head.base.state),
                        "{\n\"\\n\":12,\n\"added\":9,\n\"conditional\":\"old\",\n"
                        "\"kept\":{\"string\":\"new\",\"expires\":1795212346678},\n"
                        "\"plain\":\"012\",\n\"then\":2,\n"
                        "\"till\":{\"string\":\"\\\"quoted\\\"\",\"expires\":1795212345683}\n}");
    head_release(&head);
    objects_release(&objects);
}

/* More than a block of gathered ops, single ops larger than one among them. */
static void large_ops_are_folded_in_their_order(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    struct text error = {0}, big = {0};
    int64_t clock;
    memset(text_reserve(&big, 3000000), 'x', 3000000);
    big.len = 3000000;
    head_init(&head, slice_of("test"));
    for (unsigned i = 0; i < 6; i++) {
        struct op op = {.kind = OP_STRING_APPEND, .key = slice_of("k"), .time = NOW};
        op.string_append.value = slice_make(big.data, i % 2 ? 700000 : big.len);
        commit_text(&head, &objects, &op, 1);
        op.string_append.value = slice_make("abcdef" + i, 1);
        commit_text(&head, &objects, &op, 1);
    }
    fold_to(&head, 12, &objects, &tiny);
    struct fold_store store = objects_store(&objects);
    struct keyspace *ks = keyspace_create(NULL);
    check(fold_load(&head, &store, ks, &clock, &error), &error);
    char scratch[24];
    struct slice bytes = string_bytes(keyspace_find(ks, slice_of("k"), 0, NOW), scratch);
    assert_int_equal(bytes.len, 3 * 3000000 + 3 * 700000 + 6);
    assert_int_equal(bytes.data[3000000], 'a');
    assert_int_equal(bytes.data[3700001], 'b');
    assert_int_equal(bytes.data[bytes.len - 1], 'f');
    keyspace_destroy(ks);
    head_release(&head);
    objects_release(&objects);
    text_release(&big);
}

static void the_same_folds_give_the_same_bytes(void **state)
{
    (void)state;
    struct text out[2] = {{0}, {0}};
    for (unsigned i = 0; i < 2; i++) {
        struct random r = random_from(11);
        struct op_source source = {.random = &r, .keys = 40, .bytes_max = 80, .time = NOW};
        struct objects objects = {0};
        struct head head;
        int64_t clock = 0;
        head_init(&head, slice_of("test"));
        for (unsigned round = 0; round < 40; round++) {
            head_commit_random(&head, &objects, &source, NULL, &clock);
            if (round % 5 == 0)
                fold_to(&head, head.position, &objects, &tiny);
        }
        head_encode(&head, &out[i]);
        for (size_t j = 0; j < objects.count; j++)
            text_append_slice(&out[i], text_slice(&objects.list[j].body));
        head_release(&head);
        objects_release(&objects);
    }
    assert_true(slice_equal(text_slice(&out[0]), text_slice(&out[1])));
    text_release(&out[0]);
    text_release(&out[1]);
}

/* Readers take any layout of a state; of what stays as it was, too, a line is made. */
static void a_state_laid_out_over_several_lines_is_folded(void **state)
{
    (void)state;
    static const char layout[] = "{\"a\":\n1\n,\"b\"\n:\"x\",\n\"c\":{\"list\":\n[\n1,\n\n2]}\n,"
                                 "\"d\" : 4,\"e\":\n\n\n5\n}\n";
    static const char folded[] =
        "{\n\"a\":1,\n\"b\":\"x\",\n\"c\":{\"list\":[1,2]},\n\"d\" : 4,\n\"e\":5,\n\"new\":0\n}";
    static const struct fold_options options[] = {{.chunk_size = 200, .inline_limit = 100},
                                                  {.chunk_size = 8, .inline_limit = 0}};
    for (unsigned i = 0; i < 2; i++) {
        struct op op = {.kind = OP_INT_ADD, .key = slice_of("new"), .time = NOW};
        struct keyspace *ks = keyspace_create(NULL);
        struct objects objects = {0};
        struct head head;
        int64_t clock = 0;
        struct fold_store store = objects_store(&objects);
        struct text error = {0};
        head_init(&head, slice_of("test"));
        text_clear(&head.base.state);
        text_append_string(&head.base.state, layout);
        commit_text(&head, &objects, &op, 1);
        check(fold_load(&head, &store, ks, &clock, &error), &error);
        assert_int_equal(keyspace_size(ks), 6);
        fold_to(&head, 1, &objects, &options[i]);
        assert_chunks(&head, &objects, &options[i]);
        assert_state(&head, &objects, ks, clock);
        if (i == 0)
            assert_string_equal(text_terminated(&head.base.state), folded);
        else
            assert_true(head.base.chunk_count > 1);
        keyspace_destroy(ks);
        head_release(&head);
        objects_release(&objects);
    }
}

static void damage_and_a_broken_store_are_told_and_change_nothing(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct fold_store store = objects_store(&objects);
    struct head head;
    struct head_base base;
    struct text error = {0};
    int64_t clock;
    fill(&head, &objects, 100, &tiny);
    struct op op = {.kind = OP_INT_ADD, .key = slice_of("k050"), .time = NOW};
    commit_text(&head, &objects, &op, 1);
    objects.broken = true;
    assert_false(fold_run(&head, 2, &store, &tiny, &base, &error));
    assert_non_null(strstr(text_terminated(&error), "not found"));
    objects.broken = false;
    for (size_t i = 0; i < objects.count; i++)
        objects.list[i].body.data[5] ^= 1;
    text_clear(&error);
    assert_false(fold_run(&head, 2, &store, &tiny, &base, &error));
    assert_non_null(strstr(text_terminated(&error), "is damaged"));
    struct keyspace *ks = keyspace_create(NULL);
    assert_false(fold_load(&head, &store, ks, &clock, &error));
    keyspace_destroy(ks);
    head_release(&head);
    objects_release(&objects);
    text_release(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_gives_what_applying_all_ops_gives),
        cmocka_unit_test(chunks_keep_order_and_bounds_as_the_state_grows_and_shrinks),
        cmocka_unit_test(chunks_that_no_op_touches_are_neither_read_nor_written),
        cmocka_unit_test(neighbours_that_shrank_become_one_and_a_small_state_goes_inline),
        cmocka_unit_test(clearing_reads_nothing_of_the_base),
        cmocka_unit_test(touched_keys_past_their_deadline_are_dropped),
        cmocka_unit_test(a_clock_that_goes_back_brings_no_key_back_to_life),
        cmocka_unit_test(the_last_op_that_looks_at_nothing_is_the_first_that_counts),
        cmocka_unit_test(large_ops_are_folded_in_their_order),
        cmocka_unit_test(the_same_folds_give_the_same_bytes),
        cmocka_unit_test(a_state_laid_out_over_several_lines_is_folded),
        cmocka_unit_test(damage_and_a_broken_store_are_told_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
