/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of packed blocks against an array; its scan while it grows and shrinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/mem.h"
#include "ops/pack_table.h"
#include "tests/support/random.h"

enum { KEYS = 12000, VALUE_MAX = 300 };

/* One key in fifty is too long to be packed. */
static struct model {
    char key[100];
    size_t key_len;
    bool present;
    size_t value_at, value_len; /* in `pool` */
} model[KEYS];
static char pool[4096];
static struct random rng;

static int set_up(void **state)
{
    (void)state;
    rng = random_init();
    random_bytes(&rng, pool, sizeof(pool));
    memset(model, 0, sizeof(model));
    for (unsigned id = 0; id < KEYS; id++) {
        random_bytes(&rng, model[id].key, sizeof(model[id].key));
        memcpy(model[id].key, &id, sizeof(id));
        model[id].key_len = random_below(&rng, 50) ? 4 + random_below(&rng, 30) : 60 + id % 40;
    }
    return 0;
}

static struct slice key_of(unsigned id)
{
    return slice_make(model[id].key, model[id].key_len);
}

static struct slice value_of(unsigned id)
{
    return slice_make(pool + model[id].value_at, model[id].value_len);
}

static void set_key(struct pack_table *t, unsigned id)
{
    struct model *m = &model[id];
    size_t most = !t->pairs ? 0 : random_below(&rng, 20) ? 40 : VALUE_MAX;
    m->value_len = random_below(&rng, 4) ? random_below(&rng, most + 1) : m->value_len;
    m->value_at = random_below(&rng, sizeof(pool) - VALUE_MAX);
    assert_int_equal(pack_table_set(t, key_of(id), value_of(id)), !m->present);
    m->present = true;
}

static void drop_key(struct pack_table *t, unsigned id)
{
    assert_int_equal(pack_table_remove(t, key_of(id)), model[id].present);
    model[id].present = false;
}

static unsigned seen[KEYS];

static void mark(void *ctx, struct slice key, struct slice value)
{
    (void)ctx;
    unsigned id;
    assert_true(key.len >= sizeof(id));
    memcpy(&id, key.data, sizeof(id));
    assert_true(id < KEYS && model[id].present);
    assert_true(slice_equal(key, key_of(id)) && slice_equal(value, value_of(id)));
    seen[id]++;
}

static void check(const struct pack_table *t)
{
    size_t count = 0;
    struct slice key, value;
    memset(seen, 0, sizeof(seen));
    struct pack_table_iter it = {0};
    while (pack_table_next(t, &it, &key, &value))
        mark(NULL, key, value);
    for (unsigned id = 0; id < KEYS; id++) {
        assert_int_equal(seen[id], model[id].present);
        assert_int_equal(pack_table_get(t, key_of(id), &value), model[id].present);
        if (model[id].present)
            assert_true(slice_equal(value, value_of(id)));
        count += model[id].present;
    }
    assert_int_equal(t->count, count);
}

static void run(bool pairs)
{
    struct pack_table *t = pack_table_create(pairs);
    check(t);
    for (unsigned phase = 0; phase < 12; phase++) {
        uint64_t share = random_below(&rng, 101), among = 1 + random_below(&rng, KEYS);
        for (unsigned i = 0; i < 2 * KEYS; i++) {
            unsigned id = (unsigned)random_below(&rng, among);
            if (random_below(&rng, 100) < share)
                set_key(t, id);
            else
                drop_key(t, id);
        }
        check(t);
    }
    struct pack_table *copy = pack_table_copy(t);
    pack_table_destroy(t);
    check(copy);
    pack_table_destroy(copy);
}

static void random_pairs_match_a_model(void **state)
{
    (void)state;
    run(true);
}

static void random_keys_match_a_model(void **state)
{
    (void)state;
    run(false);
}

static void scan_sees_every_key_that_stays(void **state)
{
    (void)state;
    struct pack_table *t = pack_table_create(true);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t keep = 1 + random_below(&rng, 50), cursor = 0,
                 pace = 2ull << random_below(&rng, 12);
        bool grow = round % 2 == 0;
        for (unsigned id = 0; id < KEYS; id += 2)
            if (random_below(&rng, keep) == 0)
                set_key(t, id);
            else
                drop_key(t, id);
        memset(seen, 0, sizeof(seen));
        do {
            cursor = pack_table_scan(t, cursor, mark, NULL);
            for (uint64_t i = random_below(&rng, pace); i > 0; i--) {
                unsigned id = (unsigned)random_below(&rng, KEYS) | 1;
                if ((random_below(&rng, 8) == 0) != grow)
                    set_key(t, id);
                else
                    drop_key(t, id);
            }
        } while (cursor);
        for (unsigned id = 0; id < KEYS; id += 2)
            assert_true(!model[id].present || seen[id]);
    }
    pack_table_destroy(t);
}

static void short_items_cost_little_and_go_back(void **state)
{
    (void)state;
    struct pack_table *t = pack_table_create(false);
    char text[24];
    for (unsigned i = 0; i < 20000; i++)
        pack_table_set(t, slice_make(text, (size_t)snprintf(text, 24, "key:%016u", i)),
                       slice_make(NULL, 0));
    size_t bytes = pack_table_memory(t, 0), sampled = pack_table_memory(t, 100);
    assert_in_range(bytes / 20000, 20, 30);
    assert_in_range(sampled, bytes * 8 / 10, bytes * 12 / 10);
    for (unsigned i = 0; i < 20000; i++)
        assert_true(
            pack_table_remove(t, slice_make(text, (size_t)snprintf(text, 24, "key:%016u", i))));
    assert_true(pack_table_memory(t, 0) < 400);
    pack_table_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(random_pairs_match_a_model, set_up),
        cmocka_unit_test_setup(random_keys_match_a_model, set_up),
        cmocka_unit_test_setup(scan_sees_every_key_that_stays, set_up),
        cmocka_unit_test_setup(short_items_cost_little_and_go_back, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
