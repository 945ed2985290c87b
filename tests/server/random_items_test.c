/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Picks are even: each item's count over many rounds lies within six standard deviations, which
 * chance alone leaves once in hundreds of millions.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/random.h"
#include "server/random_items.h"

#define MOST 600

struct tally {
    size_t counts[MOST], seen, round_seen[MOST], round;
    bool different;
};

static bool count_item(void *ctx, struct slice a, struct slice b)
{
    struct tally *tally = ctx;
    size_t index = 0;
    (void)b;
    for (size_t i = 1; i < a.len; i++) /* behind the letter */
        index = index * 10 + (size_t)(a.data[i] - '0');
    assert_true(index < MOST);
    if (tally->different)
        assert_int_not_equal(tally->round_seen[index], tally->round);
    tally->round_seen[index] = tally->round;
    tally->counts[index]++;
    tally->seen++;
    return true;
}

static struct entry *build(enum value_type type, size_t items)
{
    struct entry *entry = entry_build(slice_of("k"), 0, type);
    for (size_t i = 0; i < items; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "m%zu", i);
        if (type == VALUE_SET)
            entry_build_member(&entry, slice_make(name, (size_t)len));
        else
            entry_build_field(&entry, slice_make(name, (size_t)len), slice_of("v"));
    }
    return entry;
}

static void expect_even(const struct tally *tally, size_t items, double chance, double rounds)
{
    double deviation = sqrt(rounds * chance * (1 - chance));
    for (size_t i = 0; i < items; i++) {
        double off = fabs((double)tally->counts[i] - rounds * chance);
        if (off > 6 * deviation + 1)
            fail_msg("item %zu: %zu times in %.0f", i, tally->counts[i], rounds * chance);
    }
}

static void expect_even_subsets(enum value_type type, size_t items, size_t wanted, size_t rounds)
{
    struct entry *entry = build(type, items);
    struct tally tally = {.different = true};
    for (tally.round = 1; tally.round <= rounds; tally.round++)
        random_items_subset(entry, wanted, count_item, &tally);
    assert_int_equal(tally.seen, wanted * rounds);
    expect_even(&tally, items, (double)wanted / (double)items, (double)rounds);
    entry_destroy(entry);
}

static void subsets_are_even(void **state)
{
    (void)state;
    expect_even_subsets(VALUE_SET, 10, 2, 20000);
    expect_even_subsets(VALUE_SET, 10, 8, 20000);
    expect_even_subsets(VALUE_HASH, 10, 3, 20000);
    expect_even_subsets(VALUE_SET, 600, 5, 20000);
    expect_even_subsets(VALUE_SET, 600, 300, 2000);
    expect_even_subsets(VALUE_HASH, 600, 20, 5000);
}

static void more_than_there_are_gives_all_once(void **state)
{
    (void)state;
    expect_even_subsets(VALUE_SET, 600, 600, 3);
    struct entry *entry = build(VALUE_HASH, 7);
    struct tally tally = {.different = true, .round = 1};
    random_items_subset(entry, 1000, count_item, &tally);
    assert_int_equal(tally.seen, 7);
    entry_destroy(entry);
}

static void draws_repeat_and_are_even(void **state)
{
    (void)state;
    const size_t sizes[] = {10, 600};
    for (int type = VALUE_SET; type <= VALUE_HASH; type++)
        for (size_t i = 0; i < 2; i++) {
            struct entry *entry = build((enum value_type)type, sizes[i]);
            struct tally tally = {0};
            random_items_draw(entry, 100000, count_item, &tally);
            assert_int_equal(tally.seen, 100000);
            expect_even(&tally, sizes[i], 1.0 / (double)sizes[i], 100000);
            entry_destroy(entry);
        }
}

static bool take_three(void *ctx, struct slice a, struct slice b)
{
    (void)a, (void)b;
    return ++*(size_t *)ctx < 3;
}

static void no_more_are_drawn_than_are_wanted(void **state)
{
    (void)state;
    static const enum value_type types[] = {VALUE_SET, VALUE_HASH};
    for (size_t i = 0; i < 2; i++) {
        for (size_t items = 100; items <= 1000; items *= 10) {
            struct entry *entry = build(types[i], items);
            size_t taken[4] = {0};
            random_items_draw(entry, 5, take_three, &taken[0]);
            random_items_draw(entry, SIZE_MAX, take_three, &taken[1]);
            random_items_subset(entry, 10, take_three, &taken[2]);
            random_items_subset(entry, items, take_three, &taken[3]);
            for (size_t kind = 0; kind < 4; kind++)
                assert_int_equal(taken[kind], 3);
            entry_destroy(entry);
        }
    }
}

static void picks_stay_below_their_limit(void **state)
{
    (void)state;
    size_t counts[7] = {0};
    for (int i = 0; i < 70000; i++)
        counts[random_pick(7)]++;
    for (size_t i = 0; i < 7; i++)
        assert_in_range(counts[i], 9400, 10600);
    assert_int_equal(random_pick(1), 0);
    assert_true(random_pick(UINT64_MAX) < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subsets_are_even),
        cmocka_unit_test(more_than_there_are_gives_all_once),
        cmocka_unit_test(draws_repeat_and_are_even),
        cmocka_unit_test(no_more_are_drawn_than_are_wanted),
        cmocka_unit_test(picks_stay_below_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
