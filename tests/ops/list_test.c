/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists against an array of items, with every change at random and nodes of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/mem.h"
#include "ops/value-internal.h"
#include "tests/support/random.h"

enum { ITEMS_MAX = 6000, POOL = 70000 };

/* An item is a stretch of the pool: offset and length tell all. */
struct item {
    uint32_t offset, len;
};

struct list {
    struct item items[ITEMS_MAX];
    size_t count;
};

static char pool[POOL];
static struct list model;
static struct random rng;
static size_t longest; /* of most items */

static int set_up(void **state)
{
    (void)state;
    rng = random_init();
    random_bytes(&rng, pool, sizeof(pool));
    model.count = 0;
    longest = 40;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    value_limits.list_max_listpack_size = -2;
    return 0;
}

static struct slice bytes_of(struct item item)
{
    return slice_make(pool + item.offset, item.len);
}

static struct item some_item(void)
{
    size_t most = random_below(&rng, 500) == 0 ? 30000 : longest;
    struct item item = {0, (uint32_t)random_below(&rng, most + 1)};
    item.offset = (uint32_t)random_below(&rng, POOL - item.len);
    return item;
}

static void model_insert(size_t index, struct item item)
{
    memmove(model.items + index + 1, model.items + index,
            (model.count - index) * sizeof(struct item));
    model.items[index] = item;
    model.count++;
}

static void model_remove(size_t index, size_t count)
{
    model.count -= count;
    memmove(model.items + index, model.items + index + count,
            (model.count - index) * sizeof(struct item));
}

static void check_iter(const struct entry *e, size_t start, size_t count, bool backwards)
{
    struct value_iter it;
    struct slice a, b;
    list_iter_init(&it, e, start, count, backwards);
    for (size_t i = 0; i < count; i++) {
        assert_true(value_iter_next(&it, &a, &b));
        assert_true(slice_equal(a, bytes_of(model.items[backwards ? start - i : start + i])));
    }
    assert_false(value_iter_next(&it, &a, &b));
}

static void check(const struct entry *e)
{
    assert_int_equal(value_len(e), model.count);
    check_iter(e, 0, model.count, false);
    if (model.count == 0)
        return;
    check_iter(e, model.count - 1, model.count, true);
    size_t start = random_below(&rng, model.count);
    check_iter(e, start, random_below(&rng, model.count - start + 1), false);
    check_iter(e, start, random_below(&rng, start + 2), true);
    struct slice item;
    for (unsigned i = 0; i < 20; i++) {
        size_t index = random_below(&rng, model.count);
        assert_true(list_get(e, index, &item));
        assert_true(slice_equal(item, bytes_of(model.items[index])));
    }
    assert_false(list_get(e, model.count, &item));
}

static void check_find(const struct entry *e)
{
    if (model.count == 0)
        return;
    struct slice item = bytes_of(model.items[random_below(&rng, model.count)]);
    size_t from = random_below(&rng, model.count), index, wanted = from;
    while (wanted < model.count && !slice_equal(bytes_of(model.items[wanted]), item))
        wanted++;
    assert_int_equal(list_find(e, from, false, item, &index), wanted < model.count);
    if (wanted < model.count)
        assert_int_equal(index, wanted);
    wanted = from + 1;
    while (wanted > 0 && !slice_equal(bytes_of(model.items[wanted - 1]), item))
        wanted--;
    assert_int_equal(list_find(e, from, true, item, &index), wanted > 0);
    if (wanted > 0)
        assert_int_equal(index, wanted - 1);
}

static struct list aside;

/* Cuts a part off, checks both, and puts it back on one of the sides. */
static void cut_and_join(struct entry **e)
{
    enum op_side side = random_below(&rng, 2) ? OP_SIDE_LEFT : OP_SIDE_RIGHT;
    size_t count = random_below(&rng, model.count + 1);
    if (random_below(&rng, 2))
        count = random_below(&rng, count < 10 ? count + 1 : 10);
    size_t first = side == OP_SIDE_LEFT ? 0 : model.count - count;
    struct entry *part = list_cut(e, side, count);
    memcpy(aside.items, model.items + first, count * sizeof(struct item));
    aside.count = count;
    model_remove(first, count);
    check(*e);
    struct list whole = model;
    model = aside;
    check(part);
    model = whole;
    side = random_below(&rng, 2) ? OP_SIDE_LEFT : OP_SIDE_RIGHT;
    list_join(e, side, part);
    for (size_t i = 0; i < count; i++)
        model_insert(side == OP_SIDE_LEFT ? i : model.count, aside.items[i]);
    check(*e);
}

static void add_item(struct entry **e)
{
    struct item item = some_item();
    size_t index = random_below(&rng, model.count + 1);
    switch (random_below(&rng, 5)) {
    case 0:
        list_insert(e, index, bytes_of(item));
        model_insert(index, item);
        break;
    case 1:
    case 2:
        list_push(e, OP_SIDE_LEFT, bytes_of(item));
        model_insert(0, item);
        break;
    default: list_push(e, OP_SIDE_RIGHT, bytes_of(item)); model_insert(model.count, item);
    }
}

static void drop_item(struct entry **e)
{
    size_t index = random_below(&rng, model.count);
    uint64_t kind = random_below(&rng, 4);
    if (kind == 0)
        index = 0;
    else if (kind == 1)
        index = model.count - 1;
    list_remove_at(e, index);
    model_remove(index, 1);
}

static void change(struct entry **e, uint64_t share)
{
    if (model.count == 0 || (model.count < ITEMS_MAX && random_below(&rng, 100) < share)) {
        add_item(e);
    } else if (random_below(&rng, 4) == 0) {
        size_t index = random_below(&rng, model.count);
        model.items[index] = some_item();
        list_replace(e, index, bytes_of(model.items[index]));
    } else {
        drop_item(e);
    }
}

static void run(int64_t node_size, unsigned steps)
{
    value_limits.list_max_listpack_size = node_size;
    model.count = 0;
    struct entry *e = entry_build(slice_of("l"), 0, VALUE_LIST);
    check(e);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t share = random_below(&rng, 101);
        for (unsigned i = 0; i < steps; i++)
            change(&e, share);
        check(e);
        check_find(e);
        cut_and_join(&e);
    }
    assert_string_equal(entry_encoding(e), "quicklist");
    assert_true(entry_memory(e, 0) > 0);
    entry_destroy(e);
}

static void random_changes_match_a_model(void **state)
{
    (void)state;
    run(-2, 300);
    longest = 3;
    run(-2, 1000);
    longest = 200;
    run(-2, 20);
}

static void nodes_of_any_size_match_a_model(void **state)
{
    (void)state;
    static const int64_t sizes[] = {-1, -5, 0, 1, 2, 3, 16, 128, 1000000, -100};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        run(sizes[i], 100);
}

static void a_queue_keeps_its_order_and_little_memory(void **state)
{
    (void)state;
    struct entry *e = entry_build(slice_of("l"), 0, VALUE_LIST);
    enum op_side in = OP_SIDE_RIGHT;
    for (unsigned turn = 0; turn < 2; turn++, in = OP_SIDE_LEFT) {
        for (unsigned i = 0; i < 50000; i++) {
            char text[16];
            size_t len = (size_t)snprintf(text, sizeof(text), "%u", i);
            list_push(&e, in, slice_make(text, len));
            if (i < 1000)
                continue;
            struct slice item;
            size_t last = in == OP_SIDE_RIGHT ? 0 : value_len(e) - 1;
            assert_true(list_get(e, last, &item));
            len = (size_t)snprintf(text, sizeof(text), "%u", i - 1000);
            assert_true(slice_equal(item, slice_make(text, len)));
            list_remove_at(&e, last);
        }
        assert_true(entry_memory(e, 0) < 40000);
        entry_destroy(list_cut(&e, OP_SIDE_LEFT, value_len(e)));
        assert_true(entry_memory(e, 0) < 256);
    }
    entry_destroy(e);
}

static void a_long_list_costs_little_more_than_its_bytes(void **state)
{
    (void)state;
    struct entry *e = entry_build(slice_of("l"), 0, VALUE_LIST);
    for (unsigned i = 0; i < 100000; i++)
        list_push(&e, i % 3 ? OP_SIDE_RIGHT : OP_SIDE_LEFT, slice_of("0123456789"));
    assert_in_range(entry_memory(e, 0), 1200000, 1300000);
    entry_destroy(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_changes_match_a_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nodes_of_any_size_match_a_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_keeps_its_order_and_little_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_list_costs_little_more_than_its_bytes, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
