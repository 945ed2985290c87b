/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collections against a naive model: an array of short strings, searched from end to end. What the
 * ops did is compared after every step, with sizes on both sides of every inner form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/apply.h"
#include "ops/value.h"
#include "tests/support/random.h"

#define ITEMS_MAX 4096
#define ITEM_SIZE 96
#define NOW       1000

struct model {
    size_t count;
    char items[ITEMS_MAX][ITEM_SIZE];  /* items, members or fields */
    char values[ITEMS_MAX][ITEM_SIZE]; /* of fields */
};

static struct model model;
static struct keyspace *ks;
static struct random rnd;

static int set_up(void **state)
{
    (void)state;
    ks = keyspace_create(NULL);
    rnd = random_init();
    model.count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyspace_destroy(ks);
    return 0;
}

static struct outcome run(struct op op)
{
    struct outcome out;
    op.key = slice_of("k");
    op.time = NOW;
    apply(ks, &op, &out, NULL);
    assert_int_equal(out.status, OUTCOME_OK);
    return out;
}

/* A few short texts that come again, numbers, and some long texts. */
static void random_item(char out[ITEM_SIZE], uint64_t variety)
{
    uint64_t n = random_below(&rnd, variety);
    if (n % 3 == 0)
        snprintf(out, ITEM_SIZE, "%llu", (unsigned long long)(n * n));
    else
        snprintf(out, ITEM_SIZE, "%c%0*llu", (int)('a' + n % 7), n % 11 == 0 ? 80 : 1,
                 (unsigned long long)n);
}

static void model_insert(size_t at, const char *item)
{
    assert_true(model.count < ITEMS_MAX);
    memmove(model.items[at + 1], model.items[at], (model.count++ - at) * ITEM_SIZE);
    strcpy(model.items[at], item);
}

static void model_remove(size_t at)
{
    model.count--;
    memmove(model.items[at], model.items[at + 1], (model.count - at) * ITEM_SIZE);
    memmove(model.values[at], model.values[at + 1], (model.count - at) * ITEM_SIZE);
}

static bool model_find(const char *item, size_t *at)
{
    for (*at = 0; *at < model.count; ++*at)
        if (strcmp(model.items[*at], item) == 0)
            return true;
    return false;
}

static const struct entry *found(void)
{
    const struct entry *entry = keyspace_find(ks, slice_of("k"), 0, NOW);
    assert_int_equal(entry != NULL, model.count > 0);
    if (entry)
        assert_int_equal(value_len(entry), model.count);
    return entry;
}

static void compare_list(void)
{
    struct value_iter it;
    struct slice a, b;
    const struct entry *entry = found();
    if (!entry)
        return;
    list_iter_init(&it, entry, 0, model.count, false);
    for (size_t i = 0; i < model.count; i++) {
        assert_true(value_iter_next(&it, &a, &b));
        assert_true(slice_equal(a, slice_of(model.items[i])));
    }
    assert_false(value_iter_next(&it, &a, &b));
}

static void list_push_both(bool right)
{
    char item[ITEM_SIZE];
    struct op op = {.kind = right ? OP_LIST_APPEND : OP_LIST_PREPEND};
    struct slice slice;
    random_item(item, 60);
    slice = slice_of(item);
    if (right)
        op.list_append.items = (struct slice_list){&slice, 1};
    else
        op.list_prepend.items = (struct slice_list){&slice, 1};
    model_insert(right ? model.count : 0, item);
    assert_int_equal(run(op).number, model.count);
}

static void list_remove_both(void)
{
    char item[ITEM_SIZE];
    int64_t count = (int64_t)random_below(&rnd, 9) - 4, removed = 0;
    random_item(item, 60);
    struct op op = {.kind = OP_LIST_REMOVE, .list_remove = {count, slice_of(item)}};
    int64_t limit = count ? llabs(count) : ITEMS_MAX;
    size_t i = count < 0 ? model.count : 0;
    while (removed < limit && (count < 0 ? i > 0 : i < model.count)) {
        size_t at = count < 0 ? --i : i;
        if (strcmp(model.items[at], item) == 0) {
            model_remove(at);
            removed++;
        } else if (count >= 0) {
            i++;
        }
    }
    assert_int_equal(run(op).number, removed);
}

static void list_change_both(void)
{
    char item[ITEM_SIZE];
    size_t at = random_below(&rnd, model.count);
    bool right = random_below(&rnd, 2);
    random_item(item, 60);
    if (random_below(&rnd, 2)) {
        run((struct op){.kind = OP_LIST_SET, .list_set = {(int64_t)at, slice_of(item)}});
        strcpy(model.items[at], item);
        return;
    }
    struct op op = {.kind = OP_LIST_INSERT};
    char pivot[ITEM_SIZE];
    strcpy(pivot, model.items[at]);
    op.list_insert = (struct op_list_insert){right ? OP_SIDE_RIGHT : OP_SIDE_LEFT, slice_of(pivot),
                                             slice_of(item)};
    assert_true(model_find(pivot, &at));
    model_insert(at + right, item);
    assert_int_equal(run(op).number, model.count);
}

static void list_shorten_both(void)
{
    bool right = random_below(&rnd, 2);
    size_t count = 1 + random_below(&rnd, random_below(&rnd, 8) ? 3 : 40);
    if (count > model.count)
        count = model.count;
    if (random_below(&rnd, 2)) {
        enum op_side side = right ? OP_SIDE_RIGHT : OP_SIDE_LEFT;
        run((struct op){.kind = OP_LIST_POP, .list_pop = {side, (int64_t)count}});
    } else {
        int64_t start = right ? 0 : (int64_t)count, stop = right ? -1 - (int64_t)count : -1;
        run((struct op){.kind = OP_LIST_TRIM, .list_trim = {start, stop}});
    }
    for (size_t i = 0; i < count; i++)
        model_remove(right ? model.count - 1 : 0);
}

static void test_lists_are_what_the_model_is(void **state)
{
    (void)state;
    for (int step = 0; step < 20000; step++) {
        uint64_t pick = random_below(&rnd, 100);
        if (model.count == 0 || (pick < 70 && model.count < 1000))
            list_push_both(pick % 2);
        else if (pick < 80)
            list_change_both();
        else if (pick < 90)
            list_remove_both();
        else
            list_shorten_both();
        if (step % 8 == 0)
            compare_list();
    }
    compare_list();
}

static void test_sets_are_what_the_model_is(void **state)
{
    (void)state;
    for (int step = 0; step < 20000; step++) {
        char item[ITEM_SIZE];
        size_t at;
        random_item(item, 1 + (uint64_t)step / 10);
        struct slice slice = slice_of(item);
        bool there = model_find(item, &at);
        if (random_below(&rnd, 5) < 3) {
            struct op op = {.kind = OP_SET_ADD, .set_add = {{&slice, 1}}};
            assert_int_equal(run(op).number, !there);
            if (!there)
                model_insert(model.count, item);
        } else {
            struct op op = {.kind = OP_SET_REMOVE, .set_remove = {{&slice, 1}}};
            assert_int_equal(run(op).number, there);
            if (there)
                model_remove(at);
        }
        const struct entry *entry = found();
        for (size_t i = 0; entry && step % 16 == 0 && i < model.count; i++)
            assert_true(set_contains(entry, slice_of(model.items[i])));
    }
}

static void test_hashes_are_what_the_model_is(void **state)
{
    (void)state;
    for (int step = 0; step < 20000; step++) {
        char field[ITEM_SIZE], value[ITEM_SIZE];
        struct slice pair[2], got;
        size_t at;
        random_item(field, 1 + (uint64_t)step / 10);
        random_item(value, 500);
        pair[0] = slice_of(field);
        pair[1] = slice_of(value);
        bool there = model_find(field, &at);
        if (random_below(&rnd, 5) < 3) {
            struct op op = {.kind = OP_MAP_SET, .map_set = {.pairs = {pair, 2}}};
            assert_int_equal(run(op).number, !there);
            if (!there)
                model_insert(model.count, field);
            strcpy(model.values[at], value);
        } else {
            struct op op = {.kind = OP_MAP_DELETE, .map_delete = {{pair, 1}}};
            assert_int_equal(run(op).number, there);
            if (there)
                model_remove(at);
        }
        const struct entry *entry = found();
        for (size_t i = 0; entry && step % 16 == 0 && i < model.count; i++) {
            assert_true(hash_get(entry, slice_of(model.items[i]), &got));
            assert_true(slice_equal(got, slice_of(model.values[i])));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lists_are_what_the_model_is),
        TEST(test_sets_are_what_the_model_is),
        TEST(test_hashes_are_what_the_model_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
