/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long random sequences of ops of all kinds: undone in reverse order they give back every state on
 * the way; applied twice they give equal states, whatever the inner forms; refused ops change
 * nothing. Bytes, keys and values are arbitrary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "ops/value.h"
#include "tests/support/op_random.h"

#define NOW INT64_C(1700000000000)

/* Limits at which everything is small, or large, at once. */
static void set_limits(bool tiny)
{
    value_limits.hash_max_listpack_entries = tiny ? 1 : 100000;
    value_limits.hash_max_listpack_value = tiny ? 2 : 100000;
    value_limits.set_max_intset_entries = tiny ? 1 : 100000;
    value_limits.list_max_listpack_size = tiny ? 2 : -5;
}

static int usual_limits(void **state)
{
    (void)state;
    value_limits.hash_max_listpack_entries = 128;
    value_limits.hash_max_listpack_value = 64;
    value_limits.set_max_intset_entries = 512;
    value_limits.list_max_listpack_size = -2;
    return 0;
}

static void free_garbage(struct keyspace *ks)
{
    garbage_free(keyspace_take_garbage(ks));
}

/* What was done, to be undone. */
struct done {
    struct op_box *box;
    struct inverse *undo;
};

static struct done step(struct keyspace *ks, const struct op_source *source)
{
    struct op_box *box = op_random(source);
    struct outcome out;
    struct inverse *undo;
    apply(ks, &box->op, &out, &undo);
    assert_int_equal(undo != NULL, out.changed);
    assert_true(out.status == OUTCOME_OK || !out.changed);
    assert_false(out.created && out.removed);
    struct entry *entry = keyspace_find(ks, box->op.key, 0, INT64_MIN);
    assert_true(!entry || entry_type(entry) == VALUE_STRING || value_len(entry) > 0);
    return (struct done){box, undo};
}

static void take_back(struct keyspace *ks, struct done done)
{
    inverse_undo(ks, done.undo, done.box->op.key, done.box->op.hash);
    op_box_destroy(done.box);
}

/* A long run; at every `stride` steps the state is kept to compare with on the way back. */
static void go_and_come_back(const struct op_source *source, size_t steps, size_t stride)
{
    struct keyspace *ks = keyspace_create(NULL);
    struct done *steps_done = mem_alloc(steps * sizeof(*steps_done));
    struct keyspace **states = mem_calloc(steps / stride + 1, sizeof(*states));
    for (size_t i = 0; i < steps; i++) {
        if (i % stride == 0)
            states[i / stride] = state_copy(ks);
        steps_done[i] = step(ks, source);
    }
    for (size_t i = steps; i-- > 0;) {
        take_back(ks, steps_done[i]);
        if (i % stride)
            continue;
        if (!state_equal(ks, states[i / stride]))
            fail_msg("undone down to step %zu, the state is another", i);
        keyspace_destroy(states[i / stride]);
        free_garbage(ks);
    }
    assert_int_equal(keyspace_size(ks), 0);
    mem_free(states);
    mem_free(steps_done);
    keyspace_destroy(ks);
}

static void test_each_op_is_undone_to_the_state_before(void **state)
{
    struct random r = random_init();
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct op_source source = {.random = &r, .keys = 8, .bytes_max = 200, .time = NOW};
        go_and_come_back(&source, 1000, 1);
    }
}

static void test_long_sequences_are_undone_in_reverse(void **state)
{
    struct random r = random_init();
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct op_source source = {.random = &r, .keys = 4, .bytes_max = 3000, .time = NOW};
        go_and_come_back(&source, 8000, 500);
        source.keys = 0;
        go_and_come_back(&source, 2000, 500);
    }
}

static void test_tiny_limits_are_undone_as_well(void **state)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 4, .bytes_max = 40, .time = NOW};
    (void)state;
    set_limits(true);
    go_and_come_back(&source, 6000, 3);
}

/*
 * Time goes on from op to op, so that deadlines pass. An inverse restores what had expired, too.
 */
static void test_time_may_pass_between_ops(void **state)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 4, .bytes_max = 40, .time = NOW};
    struct keyspace *ks = keyspace_create(NULL);
    struct done done[3000];
    struct keyspace *states[3000];
    (void)state;
    for (size_t i = 0; i < 3000; i++) {
        states[i] = state_copy(ks);
        source.time += (int64_t)random_below(&r, 100);
        done[i] = step(ks, &source);
    }
    for (size_t i = 3000; i-- > 0;) {
        take_back(ks, done[i]);
        assert_true(state_equal(ks, states[i]));
        keyspace_destroy(states[i]);
    }
    keyspace_destroy(ks);
}

static void test_what_expired_in_between_needs_no_undoing(void **state)
{
    struct slice key = slice_of("k");
    struct op ops[] = {
        {.kind = OP_INT_SET, .key = key, .time = NOW, .int_set = {.value = 1, .expires = NOW + 5}},
        {.kind = OP_INT_ADD, .key = key, .time = NOW, .int_add = {1}},
        {.kind = OP_KEY_PERSIST, .key = key, .time = NOW},
        {.kind = OP_KEY_EXPIRE_AT, .key = key, .time = NOW, .key_expire_at = {.deadline = NOW + 5}},
    };
    struct inverse *undos[4];
    struct outcome out;
    struct keyspace *ks = keyspace_create(NULL);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        apply(ks, &ops[i], &out, &undos[i]);
        assert_true(out.changed);
    }
    assert_null(keyspace_find(ks, key, 0, NOW + 5));
    for (size_t i = 4; i-- > 0;)
        inverse_undo(ks, undos[i], key, 0);
    assert_int_equal(keyspace_size(ks), 0);
    inverse_undo(ks, NULL, key, 0);
    assert_int_equal(inverse_memory(NULL), 0);
    keyspace_destroy(ks);
}

/* Rooms of all sizes, so that some inverses fit and some do not. */
static void test_an_inverse_may_lie_in_memory_of_the_caller(void **state)
{
    enum { STEPS = 2000 };
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 8, .bytes_max = 100, .time = NOW};
    struct keyspace *ks = keyspace_create(NULL), *states[STEPS];
    struct inverse *undos[STEPS];
    struct op_box *boxes[STEPS];
    void *rooms[STEPS];
    size_t inside = 0;
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        struct op_box *box = boxes[i] = op_random(&source);
        struct outcome out;
        size_t size = random_below(&r, 400);
        rooms[i] = mem_alloc(size);
        states[i] = state_copy(ks);
        apply_with_room(ks, &box->op, &out, &undos[i], &(struct inverse_room){rooms[i], size});
        assert_true(inverse_inside(undos[i]) <= size);
        assert_true(!inverse_inside(undos[i]) || undos[i] == rooms[i]);
        assert_true(inverse_inside(undos[i]) || inverse_owns(undos[i]) == (undos[i] != NULL));
        inside += inverse_inside(undos[i]) != 0;
    }
    assert_true(inside > STEPS / 10);
    for (size_t i = STEPS; i-- > 0;) {
        inverse_undo(ks, undos[i], boxes[i]->op.key, boxes[i]->op.hash);
        assert_true(state_equal(ks, states[i]));
        keyspace_destroy(states[i]);
        op_box_destroy(boxes[i]);
        mem_free(rooms[i]);
    }
    keyspace_destroy(ks);
}

/* There may be millions: those of small changes take a line of the cache, an op's own bytes in it.
 */
static void test_the_inverse_of_a_small_change_is_small(void **state)
{
    struct slice value = slice_of("value of 16 byte");
    struct slice pair[] = {slice_of("field"), value}, more[] = {slice_of("member"), value};
    struct op ops[] = {
        {.kind = OP_INT_ADD, .key = slice_of("int"), .int_add = {1}},
        {.kind = OP_SCALAR_SET, .key = slice_of("string"), .scalar_set = {.value = value}},
        {.kind = OP_MAP_SET, .key = slice_of("hash"), .map_set = {.pairs = {pair, 2}}},
        {.kind = OP_MAP_DELETE, .key = slice_of("hash"), .map_delete = {.fields = {pair, 1}}},
        {.kind = OP_SET_ADD, .key = slice_of("set"), .set_add = {.members = {more, 1}}},
        {.kind = OP_SET_ADD, .key = slice_of("set"), .set_add = {.members = {more + 1, 1}}},
    };
    struct keyspace *ks = keyspace_create(NULL);
    struct outcome out;
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof(ops) / sizeof(*ops)); i++) {
        uint64_t room[8];
        struct op *op = &ops[i / 2];
        struct inverse *undo;
        apply_with_room(ks, op, &out, &undo, &(struct inverse_room){room, sizeof(room)});
        assert_true(!undo || inverse_inside(undo));
        inverse_destroy(undo);
    }
    keyspace_destroy(ks);
}

static void test_a_string_gets_its_inner_form_and_deadline_back(void **state)
{
    struct slice key = slice_of("k"), value = slice_of("12");
    struct op set = {.kind = OP_SCALAR_SET,
                     .key = key,
                     .time = NOW,
                     .scalar_set = {.value = value, .expires = NOW + 5}};
    struct op append = {.kind = OP_STRING_APPEND, .key = key, .time = NOW};
    struct op over = {
        .kind = OP_SCALAR_SET, .key = key, .time = NOW, .scalar_set = {.value = slice_of("long")}};
    static const char *const forms[] = {"int", "raw"};
    struct outcome out;
    struct inverse *undo;
    (void)state;
    append.string_append.value = slice_of("3");
    for (size_t appended = 0; appended < 2; appended++) {
        struct keyspace *ks = keyspace_create(NULL);
        apply(ks, &set, &out, NULL);
        if (appended)
            apply(ks, &append, &out, NULL);
        apply(ks, &over, &out, &undo);
        assert_int_equal(keyspace_expires(ks), 0);
        inverse_undo(ks, undo, key, 0);
        const struct entry *entry = keyspace_find(ks, key, 0, NOW);
        assert_string_equal(entry_encoding(entry), forms[appended]);
        assert_int_equal(entry_expires(entry), NOW + 5);
        assert_int_equal(keyspace_expires(ks), 1);
        keyspace_destroy(ks);
    }
}

static void test_inverses_not_used_are_freed(void **state)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 8, .bytes_max = 500, .time = NOW};
    struct keyspace *ks = keyspace_create(NULL);
    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        struct done done = step(ks, &source);
        assert_true(!done.undo || inverse_memory(done.undo) > 0);
        inverse_destroy(done.undo);
        op_box_destroy(done.box);
    }
    keyspace_destroy(ks);
}

static void expect_same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->changed, b->changed);
    assert_int_equal(a->created, b->created);
    assert_int_equal(a->removed, b->removed);
    assert_true(slice_equal(a->text, b->text));
}

/* One copy with tiny limits and inverses, one with huge limits and none. */
static void test_equal_states_stay_equal_whatever_their_forms(void **state)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 8, .bytes_max = 300, .time = NOW};
    struct keyspace *tiny = keyspace_create(NULL), *huge = keyspace_create(NULL);
    (void)state;
    for (size_t i = 0; i < 30000; i++) {
        struct op_box *a = op_random(&source), *b = op_box_copy(&a->op);
        struct outcome out_a, out_b;
        struct inverse *undo;
        set_limits(true);
        apply(tiny, &a->op, &out_a, &undo);
        set_limits(false);
        apply(huge, &b->op, &out_b, NULL);
        expect_same(&out_a, &out_b);
        if (i % 16 == 0 && !state_equal(tiny, huge))
            fail_msg("after step %zu the states differ", i);
        inverse_destroy(undo);
        op_box_destroy(a);
        op_box_destroy(b);
    }
    assert_true(state_equal(tiny, huge));
    keyspace_destroy(tiny);
    keyspace_destroy(huge);
}

static void test_refused_ops_change_nothing(void **state)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .keys = 8, .bytes_max = 100, .time = NOW};
    struct keyspace *ks = keyspace_create(NULL);
    size_t refused = 0;
    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        struct keyspace *before = state_copy(ks);
        struct op_box *box = op_random(&source), *copy = op_box_copy(&box->op);
        struct outcome out;
        apply(ks, &box->op, &out, NULL);
        if (!out.changed) {
            assert_true(state_equal(ks, before));
            assert_true(out.status == OUTCOME_OK || op_equal(&box->op, &copy->op));
            refused++;
        }
        op_box_destroy(copy);
        op_box_destroy(box);
        keyspace_destroy(before);
    }
    assert_true(refused > 500);
    keyspace_destroy(ks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_op_is_undone_to_the_state_before, usual_limits),
        cmocka_unit_test_teardown(test_long_sequences_are_undone_in_reverse, usual_limits),
        cmocka_unit_test_teardown(test_tiny_limits_are_undone_as_well, usual_limits),
        cmocka_unit_test_teardown(test_time_may_pass_between_ops, usual_limits),
        cmocka_unit_test_teardown(test_what_expired_in_between_needs_no_undoing, usual_limits),
        cmocka_unit_test_teardown(test_an_inverse_may_lie_in_memory_of_the_caller, usual_limits),
        cmocka_unit_test_teardown(test_the_inverse_of_a_small_change_is_small, usual_limits),
        cmocka_unit_test_teardown(test_a_string_gets_its_inner_form_and_deadline_back,
                                  usual_limits),
        cmocka_unit_test_teardown(test_inverses_not_used_are_freed, usual_limits),
        cmocka_unit_test_teardown(test_equal_states_stay_equal_whatever_their_forms, usual_limits),
        cmocka_unit_test_teardown(test_refused_ops_change_nothing, usual_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
