/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets against an array of what is in them, through every change of form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/mem.h"
#include "ops/value-internal.h"
#include "ops/value_integer.h"
#include "tests/support/random.h"

enum { MEMBERS = 1200, LONG_FROM = MEMBERS - 10 };

/* The first `integers` members are int64 texts, the others any bytes, the last few long. */
static struct model {
    char text[100];
    size_t len;
    bool present;
} model[MEMBERS];
static unsigned integers;
static bool outgrown;
static struct random rng;

static struct slice member_of(unsigned id)
{
    return slice_make(model[id].text, model[id].len);
}

static size_t count_present(void)
{
    size_t count = 0;
    for (unsigned id = 0; id < MEMBERS; id++)
        count += model[id].present;
    return count;
}

static int64_t integer_of(unsigned id)
{
    static const int64_t edges[] = {
        INT16_MIN, INT16_MAX, INT16_MIN - 1,          INT16_MAX + 1,          INT32_MIN, INT32_MAX,
        INT64_MIN, INT64_MAX, (int64_t)INT32_MIN - 1, (int64_t)INT32_MAX + 1, 0,         -1};
    if (id < 12)
        return edges[11 - id];
    return (int64_t)(random_next(&rng) >> (id % 3 == 0 ? 50 : id % 3 == 1 ? 36 : 2)) - 1000;
}

static int set_up(void **state)
{
    (void)state;
    rng = random_init();
    outgrown = false;
    integers = MEMBERS / 2;
    memset(model, 0, sizeof(model));
    for (unsigned id = 0; id < MEMBERS; id++) {
        char scratch[24];
        struct slice text = integer_format(integer_of(id), scratch);
        for (unsigned other = 0; id < integers && other < id; other++)
            if (slice_equal(text, member_of(other))) {
                text = integer_format(integer_of(id < 12 ? id : id + 3), scratch);
                other = (unsigned)-1;
            }
        memcpy(model[id].text, text.data, text.len);
        model[id].len = text.len;
        if (id < integers)
            continue;
        random_bytes(&rng, model[id].text, sizeof(model[id].text));
        memcpy(model[id].text, "x", 1);
        memcpy(model[id].text + 1, &id, sizeof(id));
        model[id].len = id >= LONG_FROM ? 100 : id == integers ? 0 : 5 + random_below(&rng, 40);
    }
    return 0;
}

static void toggle(struct entry **e, unsigned id, bool to)
{
    if (to) {
        bool added = set_add(e, member_of(id));
        assert_int_equal(added, !model[id].present);
        model[id].present = true;
        if (added && (id >= integers || count_present() > 512))
            outgrown = true;
    } else {
        assert_int_equal(set_remove(e, member_of(id)), model[id].present);
        model[id].present = false;
    }
}

static unsigned seen[MEMBERS];

static void mark(void *ctx, struct slice member, struct slice none)
{
    (void)ctx;
    assert_int_equal(none.len, 0);
    for (unsigned id = 0; id < MEMBERS; id++)
        if (slice_equal(member, member_of(id))) {
            assert_true(model[id].present);
            seen[id]++;
            return;
        }
    fail_msg("a member that was never added");
}

static void check(const struct entry *e)
{
    struct slice member, none;
    for (unsigned id = 0; id < MEMBERS; id++)
        assert_int_equal(set_contains(e, member_of(id)), model[id].present);
    assert_int_equal(value_len(e), count_present());
    memset(seen, 0, sizeof(seen));
    struct value_iter it;
    value_iter_init(&it, e);
    while (value_iter_next(&it, &member, &none))
        mark(NULL, member, none);
    uint64_t cursor = 0;
    do
        cursor = value_scan(e, cursor, mark, NULL);
    while (cursor);
    for (unsigned id = 0; id < MEMBERS; id++)
        assert_int_equal(seen[id], 2 * model[id].present);
    assert_string_equal(entry_encoding(e), outgrown ? "hashtable" : "intset");
    assert_int_equal(entry_expires(e), 1234);
}

static void run(unsigned first, unsigned count)
{
    struct entry *e = entry_build(slice_of("s"), 1234, VALUE_SET);
    check(e);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t share = random_below(&rng, 101);
        for (unsigned i = 0; i < 100; i++)
            toggle(&e, first + (unsigned)random_below(&rng, count),
                   random_below(&rng, 100) < share);
        check(e);
    }
    assert_true(entry_memory(e, 5) > 0);
    entry_destroy(e);
}

static void a_set_of_integers_matches_its_model(void **state)
{
    (void)state;
    run(0, 300);
    assert_false(outgrown);
}

static void a_set_of_many_integers_matches_its_model(void **state)
{
    (void)state;
    run(0, integers);
}

static void a_small_set_of_bytes_matches_its_model(void **state)
{
    (void)state;
    run(integers, 100);
}

static void a_set_of_all_kinds_matches_its_model(void **state)
{
    (void)state;
    run(0, MEMBERS);
}

static void a_small_set_with_long_members_matches_its_model(void **state)
{
    (void)state;
    run(LONG_FROM - 30, 40);
}

static void one_other_member_ends_an_intset_for_good(void **state)
{
    (void)state;
    static const unsigned sizes[] = {5, 127, 128, 129, 512};
    for (unsigned i = 0; i < 5; i++) {
        set_up(state);
        struct entry *e = entry_build(slice_of("s"), 1234, VALUE_SET);
        for (unsigned id = 0; id < sizes[i]; id++)
            toggle(&e, id, true);
        check(e);
        toggle(&e, integers + 1, true);
        assert_true(outgrown);
        check(e);
        toggle(&e, integers + 1, false);
        check(e);
        entry_destroy(e);
    }
}

static void the_limit_itself_is_still_an_intset(void **state)
{
    (void)state;
    struct entry *e = entry_build(slice_of("s"), 1234, VALUE_SET);
    for (unsigned id = 0; id < 512; id++)
        toggle(&e, id, true);
    assert_false(outgrown);
    check(e);
    toggle(&e, 512, true);
    assert_true(outgrown);
    check(e);
    entry_destroy(e);
}

static void a_set_past_our_own_bounds_is_still_an_intset(void **state)
{
    (void)state;
    value_limits.set_max_intset_entries = 100000;
    struct entry *e = entry_build(slice_of("s"), 0, VALUE_SET);
    char scratch[24];
    for (int64_t n = 0; n < 20000; n++)
        assert_true(set_add(&e, integer_format(n * 7, scratch)));
    assert_string_equal(entry_encoding(e), "intset");
    assert_int_equal(value_len(e), 20000);
    assert_true(set_contains(e, slice_of("139993")));
    assert_false(set_contains(e, slice_of("139994")));
    value_limits.set_max_intset_entries = 512;
    assert_true(set_add(&e, slice_of("1")));
    assert_string_equal(entry_encoding(e), "hashtable");
    entry_destroy(e);
}

static uint64_t next_random(void *ctx)
{
    return random_next(ctx);
}

static void random_members_are_fair(void **state)
{
    static const unsigned firsts[] = {0, MEMBERS / 2, 300}, counts[] = {50, 50, 600};
    for (unsigned i = 0; i < 3; i++) {
        set_up(state);
        struct entry *e = entry_build(slice_of("s"), 0, VALUE_SET);
        char scratch[24];
        struct slice member, none;
        for (unsigned id = firsts[i]; id < firsts[i] + counts[i]; id++)
            toggle(&e, id, true);
        memset(seen, 0, sizeof(seen));
        for (unsigned pick = 0; pick < counts[i] * 400; pick++) {
            value_random(e, next_random, &rng, scratch, &member, &none);
            mark(NULL, member, none);
        }
        for (unsigned id = firsts[i]; id < firsts[i] + counts[i]; id++)
            assert_in_range(seen[id], 250, 560);
        entry_destroy(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_set_of_integers_matches_its_model, set_up),
        cmocka_unit_test_setup(a_set_of_many_integers_matches_its_model, set_up),
        cmocka_unit_test_setup(a_small_set_of_bytes_matches_its_model, set_up),
        cmocka_unit_test_setup(a_set_of_all_kinds_matches_its_model, set_up),
        cmocka_unit_test_setup(a_small_set_with_long_members_matches_its_model, set_up),
        cmocka_unit_test_setup(one_other_member_ends_an_intset_for_good, set_up),
        cmocka_unit_test_setup(the_limit_itself_is_still_an_intset, set_up),
        cmocka_unit_test_setup(a_set_past_our_own_bounds_is_still_an_intset, set_up),
        cmocka_unit_test_setup(random_members_are_fair, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
