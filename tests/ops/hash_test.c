/* SPDX-License-Identifier: BSD-3-Clause */
/* Hashes against arrays of fields and values, through every change of form. */
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

enum { FIELDS = 600, VALUE_MAX = 200 };

static struct model {
    char field[80];
    size_t field_len;
    bool present;
    char value[VALUE_MAX];
    size_t value_len;
} model[FIELDS];
static bool outgrown;
static struct random rng;

static struct slice field_of(unsigned id)
{
    return slice_make(model[id].field, model[id].field_len);
}

static struct slice value_of(unsigned id)
{
    return slice_make(model[id].value, model[id].value_len);
}

static size_t count_present(void)
{
    size_t count = 0;
    for (unsigned id = 0; id < FIELDS; id++)
        count += model[id].present;
    return count;
}

/* Field 0 is empty; the last few are longer than a listpack takes; the others hold any bytes. */
static int set_up(void **state)
{
    (void)state;
    rng = random_init();
    outgrown = false;
    memset(model, 0, sizeof(model));
    for (unsigned id = 1; id < FIELDS; id++) {
        random_bytes(&rng, model[id].field, 20);
        memcpy(model[id].field, &id, sizeof(id));
        model[id].field_len = 4 + random_below(&rng, 16);
        if (id >= FIELDS - 5)
            model[id].field_len = 65 + random_below(&rng, 15);
    }
    return 0;
}

static void set_field(struct entry **e, unsigned id, size_t len)
{
    bool added = !model[id].present;
    model[id].value_len = len;
    random_bytes(&rng, model[id].value, len);
    model[id].present = true;
    assert_int_equal(hash_set(e, field_of(id), value_of(id)), added);
    if (len > 64 || model[id].field_len > 64 || count_present() > 128)
        outgrown = true;
}

static void delete_field(struct entry **e, unsigned id)
{
    assert_int_equal(hash_delete(e, field_of(id)), model[id].present);
    model[id].present = false;
}

static unsigned id_of(struct slice field)
{
    unsigned id = 0;
    if (field.len)
        memcpy(&id, field.data, sizeof(id));
    assert_true(id < FIELDS && slice_equal(field, field_of(id)));
    return id;
}

static unsigned seen[FIELDS];

static void mark(void *ctx, struct slice field, struct slice value)
{
    (void)ctx;
    unsigned id = id_of(field);
    assert_true(model[id].present && slice_equal(value, value_of(id)));
    seen[id]++;
}

static void check(const struct entry *e)
{
    struct slice field, value;
    for (unsigned id = 0; id < FIELDS; id++) {
        assert_int_equal(hash_get(e, field_of(id), &value), model[id].present);
        if (model[id].present)
            assert_true(slice_equal(value, value_of(id)));
    }
    assert_int_equal(value_len(e), count_present());
    memset(seen, 0, sizeof(seen));
    struct value_iter it;
    value_iter_init(&it, e);
    while (value_iter_next(&it, &field, &value))
        mark(NULL, field, value);
    uint64_t cursor = 0;
    do
        cursor = value_scan(e, cursor, mark, NULL);
    while (cursor);
    for (unsigned id = 0; id < FIELDS; id++)
        assert_int_equal(seen[id], 2 * model[id].present);
    assert_string_equal(entry_encoding(e), outgrown ? "hashtable" : "listpack");
    assert_true(slice_equal(entry_key(e), slice_of("h")));
}

/* `fields` and `len` bound what may be touched: they decide which forms are met. */
static void run(unsigned first, unsigned fields, size_t len)
{
    struct entry *e = entry_build(slice_of("h"), 0, VALUE_HASH);
    check(e);
    for (unsigned round = 0; round < 60; round++) {
        uint64_t share = random_below(&rng, 101);
        for (unsigned i = 0; i < 60; i++) {
            unsigned id = first + (unsigned)random_below(&rng, fields);
            if (random_below(&rng, 100) < share)
                set_field(&e, id, random_below(&rng, len + 1));
            else
                delete_field(&e, id);
        }
        check(e);
    }
    assert_true(entry_memory(e, 0) > 0);
    entry_destroy(e);
}

static void a_small_hash_matches_its_model(void **state)
{
    (void)state;
    run(0, 100, 64);
}

static void a_hash_that_outgrows_by_count_matches_its_model(void **state)
{
    (void)state;
    run(0, FIELDS - 5, 64);
}

static void a_hash_that_outgrows_by_length_matches_its_model(void **state)
{
    (void)state;
    run(0, 50, 70);
    set_up(state);
    run(FIELDS - 50, 50, 10);
}

static void a_hash_past_our_own_bounds_is_still_a_listpack(void **state)
{
    (void)state;
    value_limits.hash_max_listpack_entries = 100000;
    value_limits.hash_max_listpack_value = 100000;
    struct entry *e = entry_build(slice_of("h"), 0, VALUE_HASH);
    for (unsigned id = 0; id < FIELDS; id++)
        set_field(&e, id, 64);
    outgrown = false;
    check(e);
    value_limits.hash_max_listpack_entries = 128;
    value_limits.hash_max_listpack_value = 64;
    set_field(&e, 1, 3);
    outgrown = true;
    check(e);
    entry_destroy(e);
}

static void meet_the_limit(size_t len)
{
    struct entry *e = entry_build(slice_of("h"), 0, VALUE_HASH);
    for (unsigned id = 0; id < 128; id++)
        set_field(&e, id, len);
    set_field(&e, 5, 1);
    assert_false(outgrown);
    check(e);
    set_field(&e, 128, 1);
    assert_true(outgrown);
    check(e);
    for (unsigned id = 1; id < 129; id++)
        delete_field(&e, id);
    check(e);
    entry_destroy(e);
}

/* With long values our own bound on packed bytes comes first, with short ones the count. */
static void the_limit_itself_is_still_a_listpack(void **state)
{
    meet_the_limit(64);
    set_up(state);
    meet_the_limit(5);
}

static uint64_t next_random(void *ctx)
{
    return random_next(ctx);
}

static void random_fields_are_fair(void **state)
{
    (void)state;
    for (unsigned size = 20; size <= 200; size += 180) {
        struct entry *e = entry_build(slice_of("h"), 0, VALUE_HASH);
        char scratch[24];
        struct slice field, value;
        for (unsigned id = 0; id < size; id++)
            set_field(&e, id, 5);
        memset(seen, 0, sizeof(seen));
        for (unsigned i = 0; i < size * 1000; i++) {
            value_random(e, next_random, &rng, scratch, &field, &value);
            mark(NULL, field, value);
        }
        for (unsigned id = 0; id < size; id++) {
            assert_in_range(seen[id], 700, 1300);
            model[id].present = false;
        }
        entry_destroy(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_small_hash_matches_its_model, set_up),
        cmocka_unit_test_setup(a_hash_that_outgrows_by_count_matches_its_model, set_up),
        cmocka_unit_test_setup(a_hash_that_outgrows_by_length_matches_its_model, set_up),
        cmocka_unit_test_setup(a_hash_past_our_own_bounds_is_still_a_listpack, set_up),
        cmocka_unit_test_setup(the_limit_itself_is_still_a_listpack, set_up),
        cmocka_unit_test_setup(random_fields_are_fair, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
