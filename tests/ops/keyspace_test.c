/* SPDX-License-Identifier: BSD-3-Clause */
/* Keyspaces: keys with and without deadlines against an array of what must be there. */
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

enum { KEYS = 3000 };

static struct model {
    char key[16];
    size_t len;
    bool present;
    int64_t expires;
    unsigned text; /* value: its decimal digits, repeated */
} model[KEYS];
static struct random rng;
static int64_t now;
static unsigned expired_count;
static char text_bytes[64 * 1024];

static struct slice key_of(unsigned id)
{
    return slice_make(model[id].key, model[id].len);
}

static unsigned id_of(struct slice key)
{
    unsigned id = 0;
    for (size_t i = 1; i < key.len; i++)
        id = id * 10 + (unsigned)(key.data[i] - '0');
    assert_true(id < KEYS && slice_equal(key, key_of(id)));
    return id;
}

static struct slice text_of(unsigned text)
{
    size_t len = text % 300;
    memset(text_bytes, 'a' + (int)(text % 26), len);
    return slice_make(text_bytes, len);
}

static void on_expired(void *ctx, struct slice key)
{
    assert_ptr_equal(ctx, &rng);
    unsigned id = id_of(key);
    assert_true(model[id].present && model[id].expires && model[id].expires <= now);
    model[id].present = false;
    expired_count++;
}

static struct keyspace *ks;

static int set_up(void **state)
{
    (void)state;
    rng = random_init();
    now = 1000;
    expired_count = 0;
    memset(model, 0, sizeof(model));
    for (unsigned id = 0; id < KEYS; id++)
        model[id].len = (size_t)snprintf(model[id].key, sizeof(model[id].key), "k%u", id);
    ks = keyspace_create(&(struct keyspace_hooks){.ctx = &rng, .expired = on_expired});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyspace_destroy(ks);
    return 0;
}

static bool is_live(unsigned id)
{
    return model[id].present && (model[id].expires == 0 || model[id].expires > now);
}

static uint64_t some_hash(unsigned id)
{
    return random_below(&rng, 2) ? key_hash(key_of(id)) : 0;
}

static int64_t some_deadline(void)
{
    return random_below(&rng, 3) ? now + 1 + (int64_t)random_below(&rng, 5000) : 0;
}

static void put(unsigned id)
{
    struct model *m = &model[id];
    uint64_t hash = some_hash(id);
    struct entry **slot = keyspace_slot(ks, key_of(id), hash, now);
    m->expires = some_deadline();
    m->text = (unsigned)random_below(&rng, 100000);
    struct entry *entry = entry_build_string(key_of(id), m->expires, text_of(m->text));
    if (slot) {
        assert_true(m->present);
        keyspace_discard(ks, keyspace_replace(ks, hash, slot, entry));
    } else {
        assert_ptr_equal(*keyspace_add(ks, hash, entry), entry);
    }
    m->present = true;
}

static void change(unsigned id)
{
    struct model *m = &model[id];
    uint64_t hash = some_hash(id);
    struct entry **slot = keyspace_slot(ks, key_of(id), hash, now);
    assert_int_equal(slot != NULL, is_live(id));
    if (!slot)
        return;
    struct entry *before = *slot;
    switch (random_below(&rng, 3)) {
    case 0:
        m->text = (unsigned)random_below(&rng, 100000);
        string_set(slot, text_of(m->text));
        keyspace_moved(ks, hash, before, slot);
        break;
    case 1:
        m->expires = some_deadline();
        keyspace_set_expires(ks, hash, slot, m->expires);
        break;
    default:
        if (random_below(&rng, 2))
            assert_ptr_equal(keyspace_take(ks, key_of(id), hash, now), before);
        else
            assert_ptr_equal(keyspace_remove(ks, hash, slot), before);
        entry_destroy(before);
        m->present = false;
        assert_null(keyspace_take(ks, key_of(id), hash, now));
    }
}

static void check(void)
{
    size_t live = 0, deadlines = 0;
    char scratch[24];
    for (unsigned id = 0; id < KEYS; id++) {
        struct entry *entry = keyspace_find(ks, key_of(id), some_hash(id), now);
        assert_int_equal(entry != NULL, is_live(id));
        if (!entry)
            continue;
        live++;
        deadlines += model[id].expires != 0;
        assert_int_equal(entry_expires(entry), model[id].expires);
        assert_true(slice_equal(string_bytes(entry, scratch), text_of(model[id].text)));
    }
    assert_int_equal(keyspace_size(ks), live);
    assert_int_equal(keyspace_expires(ks), deadlines);
}

static void random_changes_match_a_model(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        uint64_t share = random_below(&rng, 101);
        for (unsigned i = 0; i < KEYS; i++) {
            unsigned id = (unsigned)random_below(&rng, KEYS);
            keyspace_prefetch_bucket(ks, key_hash(key_of(id)));
            if (keyspace_prefetch_entry(ks, key_hash(key_of(id))))
                keyspace_prefetch_crowded(ks, key_hash(key_of(id)));
            if (random_below(&rng, 100) < share)
                put(id);
            else
                change(id);
            now += random_below(&rng, 10) == 0;
        }
        if (random_below(&rng, 2)) {
            size_t looked, before = expired_count;
            size_t dropped = keyspace_expire(ks, now, random_below(&rng, KEYS), &looked);
            assert_int_equal(dropped, expired_count - before);
            assert_true(looked >= dropped);
        }
        check();
    }
}

static void a_key_is_gone_at_its_deadline(void **state)
{
    (void)state;
    keyspace_insert(ks, entry_build_integer(key_of(1), 1001, 5));
    model[1].present = true;
    model[1].expires = 1001;
    assert_non_null(keyspace_find(ks, key_of(1), 0, 1000));
    now = 1001;
    assert_null(keyspace_find(ks, key_of(1), 0, 1001));
    assert_int_equal(expired_count, 1);
    assert_int_equal(keyspace_size(ks), 0);
    assert_int_equal(keyspace_expires(ks), 0);
}

static void expire_goes_round_in_bounded_steps(void **state)
{
    (void)state;
    for (unsigned id = 0; id < KEYS; id++) {
        model[id].present = true;
        model[id].expires = id % 3 == 0 ? 0 : id % 3 == 1 ? 2000 : 9000;
        keyspace_insert(ks, entry_build_integer(key_of(id), model[id].expires, id));
    }
    size_t looked, dropped = 0, most = 0;
    assert_int_equal(keyspace_expire(ks, now, 100, &looked), 0);
    assert_in_range(looked, 100, 150);
    now = 2000;
    for (unsigned step = 0; step < KEYS / 50; step++) {
        dropped += keyspace_expire(ks, now, 100, &looked);
        most = looked > most ? looked : most;
    }
    assert_int_equal(dropped, KEYS / 3);
    assert_in_range(most, 1, 150);
    assert_int_equal(keyspace_expires(ks), KEYS / 3);
    assert_int_equal(keyspace_average_ttl(ks, now), 7000);
    assert_int_equal(keyspace_average_ttl(ks, 9000), 0);
}

static uint64_t next_random(void *ctx)
{
    return random_next(ctx);
}

static void random_never_picks_a_passed_key(void **state)
{
    (void)state;
    assert_null(keyspace_random(ks, next_random, &rng, now));
    for (unsigned id = 0; id < KEYS; id++) {
        model[id].present = true;
        model[id].expires = id == 7 ? 0 : 2000;
        keyspace_insert(ks, entry_build_integer(key_of(id), model[id].expires, id));
    }
    now = 2000;
    for (unsigned i = 0; i < 100; i++)
        assert_true(slice_equal(entry_key(keyspace_random(ks, next_random, &rng, now)), key_of(7)));
    assert_true(expired_count > 0);
}

static void random_expiring_picks_among_those_with_a_deadline(void **state)
{
    (void)state;
    for (unsigned id = 0; id < KEYS - 1; id++) {
        model[id].present = true;
        model[id].expires = id == 7 ? 2000 : 0;
        keyspace_insert(ks, entry_build_integer(key_of(id), model[id].expires, id));
    }
    model[KEYS - 1].present = true;
    model[KEYS - 1].expires = 3000;
    keyspace_insert(ks, entry_build_integer(key_of(KEYS - 1), 3000, 1));
    bool seen[2] = {false, false};
    for (unsigned i = 0; i < 100; i++)
        seen[id_of(entry_key(keyspace_random_expiring(ks, next_random, &rng, now))) == 7] = true;
    assert_true(seen[0] && seen[1]);
    now = 2000;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(id_of(entry_key(keyspace_random_expiring(ks, next_random, &rng, now))),
                         KEYS - 1);
    now = 3000;
    assert_null(keyspace_random_expiring(ks, next_random, &rng, now));
    assert_int_equal(keyspace_size(ks), KEYS - 2);
}

static unsigned visited[KEYS];

static void mark(void *ctx, struct entry *entry)
{
    (void)ctx;
    visited[id_of(entry_key(entry))]++;
}

static void scan_visits_all_keys_that_stay(void **state)
{
    (void)state;
    memset(visited, 0, sizeof(visited));
    for (unsigned id = 0; id < KEYS; id += 2)
        put(id);
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(ks, cursor, mark, NULL);
        for (unsigned i = 0; i < 10; i++)
            put((unsigned)random_below(&rng, KEYS) | 1);
    } while (cursor);
    for (unsigned id = 0; id < KEYS; id += 2)
        assert_true(visited[id]);
}

static struct entry *big_set(struct slice key, unsigned members)
{
    struct entry *entry = entry_build(key, 0, VALUE_SET);
    for (unsigned i = 0; i < members; i++) {
        char text[32];
        size_t len = (size_t)snprintf(text, sizeof(text), "member-%u", i);
        entry_build_member(&entry, slice_make(text, len));
    }
    return entry;
}

static void only_big_values_become_garbage(void **state)
{
    (void)state;
    keyspace_discard(ks, entry_build_integer(key_of(0), 0, 1));
    keyspace_discard(ks, big_set(key_of(1), 50));
    assert_null(keyspace_take_garbage(ks));
    assert_int_equal(garbage_count(NULL), 0);
    keyspace_discard(ks, big_set(key_of(1), 1000));
    memset(text_bytes, 'x', sizeof(text_bytes));
    struct entry *text = entry_build(key_of(2), 0, VALUE_STRING);
    string_append(&text, slice_make(text_bytes, sizeof(text_bytes)));
    string_append(&text, slice_of("!"));
    keyspace_discard(ks, text);
    struct garbage *chain = keyspace_take_garbage(ks);
    assert_int_equal(garbage_count(chain), 2);
    assert_null(keyspace_take_garbage(ks));
    garbage_free(chain);
    keyspace_discard(ks, big_set(key_of(1), 1000));
}

static void detach_and_swap_move_all_keys(void **state)
{
    (void)state;
    for (unsigned id = 0; id < KEYS; id++)
        put(id);
    size_t expires = keyspace_expires(ks);
    struct keyspace *contents = keyspace_detach(ks);
    assert_int_equal(keyspace_size(ks), 0);
    assert_int_equal(keyspace_expires(ks), 0);
    assert_null(keyspace_find(ks, key_of(1), 0, now));
    assert_int_equal(keyspace_size(contents), KEYS);
    assert_int_equal(keyspace_expires(contents), expires);
    keyspace_insert(ks, entry_build_integer(key_of(5), 0, 5));
    keyspace_swap(ks, contents);
    check();
    assert_int_equal(keyspace_size(contents), 1);
    keyspace_destroy(contents);
    keyspace_destroy(NULL);
}

/* Past the floor, what has expired is not there for those who ask, and yet kept. */
static void what_expired_above_the_floor_is_absent_but_kept(void **state)
{
    (void)state;
    struct slice early = slice_of("early"), late = slice_of("late");
    struct keyspace *own = keyspace_create(NULL);
    size_t looked;
    keyspace_insert(own, entry_build_integer(early, 100, 1));
    keyspace_insert(own, entry_build_integer(late, 200, 2));
    keyspace_set_floor(own, 150);
    assert_null(keyspace_find(own, late, 0, 300));
    assert_non_null(keyspace_find(own, late, 0, 199));
    assert_int_equal(keyspace_expire(own, 300, 100, &looked), 1);
    assert_null(keyspace_find(own, early, 0, 50));
    assert_non_null(keyspace_find(own, late, 0, 199));
    keyspace_set_floor(own, 200);
    assert_null(keyspace_find(own, late, 0, 300));
    assert_int_equal(keyspace_size(own), 0);
    keyspace_destroy(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_changes_match_a_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_gone_at_its_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expire_goes_round_in_bounded_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_never_picks_a_passed_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_expiring_picks_among_those_with_a_deadline, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(scan_visits_all_keys_that_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_big_values_become_garbage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(detach_and_swap_move_all_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_expired_above_the_floor_is_absent_but_kept, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
