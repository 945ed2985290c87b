/* SPDX-License-Identifier: BSD-3-Clause */
/* The hash table against an array of what is in it; its scan while it grows and shrinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/key_hash.h"
#include "ops/mem.h"
#include "ops/table.h"
#include "tests/support/random.h"

struct item {
    uint32_t len;
    uint32_t id;
    char key[16];
};

enum { IDS = 20000, KEY_OFFSET = offsetof(struct item, key) };

static struct item items[IDS];
static bool present[IDS];
static struct random rng;

static struct slice key_of(const struct item *item)
{
    return slice_make(item->key, item->len);
}

static uint64_t hash_of(const struct item *item)
{
    return key_hash(key_of(item));
}

static int set_up(void **state)
{
    (void)state;
    rng = random_init();
    for (uint32_t id = 0; id < IDS; id++) {
        items[id].id = id;
        items[id].len = (uint32_t)snprintf(items[id].key, sizeof(items[id].key), "k%u", id);
        present[id] = false;
    }
    return 0;
}

static void add(struct table *t, struct item *item)
{
    void **slot = table_insert(t, hash_of(item), item);
    assert_ptr_equal(*slot, item);
    present[item->id] = true;
}

static void drop(struct table *t, struct item *item)
{
    uint64_t hash = hash_of(item);
    void **slot = table_find(t, key_of(item), hash);
    assert_non_null(slot);
    assert_ptr_equal(table_find_address(t, item, hash), slot);
    assert_ptr_equal(table_remove(t, hash, slot), item);
    present[item->id] = false;
}

static void toggle(struct table *t, uint32_t id, bool to)
{
    if (present[id] == to)
        return;
    if (to)
        add(t, &items[id]);
    else
        drop(t, &items[id]);
}

static void check(const struct table *t)
{
    size_t count = 0, walked = 0;
    for (uint32_t id = 0; id < IDS; id++) {
        void **slot = table_find(t, key_of(&items[id]), hash_of(&items[id]));
        assert_int_equal(slot != NULL, present[id]);
        if (slot)
            assert_ptr_equal(*slot, &items[id]);
        count += present[id];
    }
    assert_int_equal(t->count, count);
    struct table_iter it = {0};
    for (struct item *item; (item = table_next(t, &it)); walked++)
        assert_true(present[item->id]);
    assert_int_equal(walked, count);
}

static void random_changes_match_a_model(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, KEY_OFFSET);
    check(&t);
    for (unsigned phase = 0; phase < 12; phase++) {
        uint32_t among = 1 + (uint32_t)random_below(&rng, IDS);
        uint64_t share = random_below(&rng, 101);
        for (unsigned i = 0; i < 2 * IDS; i++)
            toggle(&t, (uint32_t)random_below(&rng, among), random_below(&rng, 100) < share);
        check(&t);
    }
    table_release(&t, NULL);
    assert_int_equal(table_memory(&t), 0);
}

static void memory_goes_back_after_removals(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, KEY_OFFSET);
    for (uint32_t id = 0; id < IDS; id++)
        toggle(&t, id, true);
    size_t full = table_memory(&t);
    assert_in_range(full / IDS, 8, 20);
    for (uint32_t id = 100; id < IDS; id++)
        toggle(&t, id, false);
    assert_true(table_memory(&t) < 100 * 100);
    for (uint32_t id = 0; id < 100; id++)
        toggle(&t, id, false);
    assert_true(table_memory(&t) < 300);
    assert_int_equal(t.children, 0);
    table_release(&t, NULL);
}

static unsigned seen[IDS];

static void mark(void *ctx, void *item)
{
    (void)ctx;
    seen[((struct item *)item)->id]++;
}

/* Even ids stay, odd ones come and go between the steps at a pace that resizes the table. */
static void scan_with_changes(struct table *t, bool grow)
{
    memset(seen, 0, sizeof(seen));
    uint64_t cursor = 0, pace = 2ull << random_below(&rng, 12);
    do {
        cursor = table_scan(t, cursor, mark, NULL);
        unsigned changes = (unsigned)random_below(&rng, pace);
        for (unsigned i = 0; i < changes; i++)
            toggle(t, (uint32_t)random_below(&rng, IDS) | 1,
                   random_below(&rng, 8) == 0 ? !grow : grow);
    } while (cursor);
    for (uint32_t id = 0; id < IDS; id += 2)
        if (present[id])
            assert_true(seen[id] > 0);
}

static void scan_sees_every_key_that_stays(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, KEY_OFFSET);
    assert_int_equal(table_scan(&t, 0, mark, NULL), 0);
    for (unsigned round = 0; round < 60; round++) {
        uint64_t keep = 1 + random_below(&rng, 50);
        for (uint32_t id = 0; id < IDS; id += 2)
            toggle(&t, id, random_below(&rng, keep) == 0);
        scan_with_changes(&t, true);
        scan_with_changes(&t, false);
    }
    table_release(&t, NULL);
}

static void scan_of_a_table_at_rest_sees_each_key_once(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, KEY_OFFSET);
    for (uint32_t id = 0; id < 7001; id++)
        toggle(&t, id, true);
    memset(seen, 0, sizeof(seen));
    uint64_t cursor = 0;
    do
        cursor = table_scan(&t, cursor, mark, NULL);
    while (cursor);
    for (uint32_t id = 0; id < IDS; id++)
        assert_int_equal(seen[id], present[id]);
    table_release(&t, NULL);
}

static uint64_t next_random(void *ctx)
{
    return random_next(ctx);
}

static void random_picks_are_fair(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 90, 300};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct table t;
        table_init(&t, KEY_OFFSET);
        assert_null(table_random(&t, next_random, &rng));
        for (uint32_t id = 0; id < sizes[i]; id++)
            toggle(&t, id, true);
        memset(seen, 0, sizeof(seen));
        for (uint32_t pick = 0; pick < 1000 * sizes[i]; pick++)
            mark(NULL, table_random(&t, next_random, &rng));
        for (uint32_t id = 0; id < sizes[i]; id++)
            assert_in_range(seen[id], 700, 1300);
        table_release(&t, NULL);
        memset(present, 0, sizeof(present));
    }
}

static unsigned released;

static void count_release(void *item)
{
    (void)item;
    released++;
}

static void release_gives_up_each_item_once(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, KEY_OFFSET);
    for (uint32_t id = 0; id < IDS; id++)
        toggle(&t, id, true);
    released = 0;
    table_release(&t, count_release);
    assert_int_equal(released, IDS);
    assert_int_equal(t.count, 0);
    memset(present, 0, sizeof(present));
    add(&t, &items[0]);
    check(&t);
    table_release(&t, NULL);
}

static void hashes_depend_on_seed_and_on_every_byte(void **state)
{
    (void)state;
    char bytes[200];
    random_bytes(&rng, bytes, sizeof(bytes));
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        uint64_t hash = key_hash(slice_make(bytes, len));
        assert_true(hash != 0);
        for (size_t i = 0; i < len; i++) {
            bytes[i] ^= 1;
            uint64_t other = key_hash(slice_make(bytes, len));
            assert_true(hash != other);
            bytes[i] ^= 1;
        }
        if (len)
            assert_true(hash != key_hash(slice_make(bytes, len - 1)));
    }
    uint64_t before = key_hash(slice_of("cairn"));
    unsigned char seed[16] = {1};
    key_hash_seed(seed);
    assert_true(before != key_hash(slice_of("cairn")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(random_changes_match_a_model, set_up),
        cmocka_unit_test_setup(memory_goes_back_after_removals, set_up),
        cmocka_unit_test_setup(scan_sees_every_key_that_stays, set_up),
        cmocka_unit_test_setup(scan_of_a_table_at_rest_sees_each_key_once, set_up),
        cmocka_unit_test_setup(random_picks_are_fair, set_up),
        cmocka_unit_test_setup(release_gives_up_each_item_once, set_up),
        cmocka_unit_test_setup(hashes_depend_on_seed_and_on_every_byte, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
