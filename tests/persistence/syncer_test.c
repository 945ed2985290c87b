/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the syncer looks at a shared store, and what it makes of one it cannot load from. On a
 * directory of the test's own, with a wall clock that the test can put forward.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "tests/persistence/persistence_support.h"

#define INTERVAL_MS 10

static _Atomic int64_t forward_ms;

static int64_t shifted_ms(void *ctx)
{
    return wall_ms(ctx) + atomic_load(&forward_ms);
}

static _Atomic bool somebody_waits;

static bool is_awaited(void *attachment)
{
    (void)attachment;
    return atomic_load(&somebody_waits);
}

static struct bench open_shared(const char *store, const char *own, char dir[300])
{
    struct bench bench = {.options = bench_options(store)};
    snprintf(dir, 300, "%s-%s", store, own);
    bench.options.dir = dir;
    bench.options.shared = true;
    bench.options.sync_interval_ms = INTERVAL_MS;
    bench.options.now_ms = shifted_ms;
    bench.options.awaited = is_awaited;
    bench_start(&bench);
    return bench;
}

static void remove_directory(const char *dir)
{
    char command[400];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

static int64_t gets(struct bench *bench)
{
    struct persistence_stats stats;
    persistence_stats(bench->p, &stats);
    return stats.store_gets;
}

/* As bench's, which are for a store of one's own. */
static void set_shared(struct bench *bench, const char *name, const char *value)
{
    struct namespace *ns = load(bench, name);
    struct op op = {
        .kind = OP_SCALAR_SET, .key = slice_of("k"), .scalar_set = {.value = slice_of(value)}};
    struct outcome outcome;
    namespace_lock(ns);
    op.time = shifted_ms(NULL);
    namespace_apply(ns, &op, &outcome);
    namespace_seal(ns);
    namespace_unlock(ns);
    assert_int_equal(sync_now(bench, name, NULL), PERSISTENCE_OK);
}

static bool has_within(struct bench *bench, const char *value, int ms)
{
    char present[64] = "";
    for (int i = 0; i < ms && strcmp(present, value) != 0; i++) {
        get_key(bench, "one", "k", present, sizeof(present));
        usleep(1000);
    }
    return strcmp(present, value) == 0;
}

/* Six minutes in which nobody does anything, and time for housekeeping to catch up. */
static void let_time_pass(void)
{
    usleep(20 * INTERVAL_MS * 1000);
    atomic_fetch_add(&forward_ms, 6 * 60 * 1000);
    usleep(2000 * 1000);
}

/* Looks of a second in which nobody uses the namespace. */
static int64_t looks(struct bench *bench)
{
    int64_t before = gets(bench);
    usleep(1000 * 1000);
    return gets(bench) - before;
}

static void what_nobody_uses_is_looked_at_seldom_and_then_not_at_all(void **state)
{
    char dir[300];
    struct bench bench = open_shared(*state, "own", dir);
    set_shared(&bench, "one", "v");
    usleep(40 * INTERVAL_MS * 1000);
    int64_t some = looks(&bench); /* every sixteenth of a hundred intervals */
    assert_in_range(some, 1, 20);
    let_time_pass();
    assert_int_equal(looks(&bench), 0);
    bench_close(&bench);
    remove_directory(dir);
}

static void what_somebody_waits_for_is_looked_at_always(void **state)
{
    char dir[300];
    struct bench bench = open_shared(*state, "own", dir);
    set_shared(&bench, "one", "v");
    atomic_store(&somebody_waits, true);
    let_time_pass();
    assert_in_range(looks(&bench), 15, 110);
    atomic_store(&somebody_waits, false);
    bench_close(&bench);
    remove_directory(dir);
}

static void the_first_use_after_long_asks_for_a_look(void **state)
{
    char dir[300], other_dir[300];
    struct bench bench = open_shared(*state, "own", dir);
    struct bench other = open_shared(*state, "other", other_dir);
    set_shared(&bench, "one", "v");
    let_time_pass();
    assert_int_equal(looks(&bench), 0);
    set_shared(&other, "one", "w");
    usleep(20 * INTERVAL_MS * 1000);
    uint64_t position = namespace_position(load(&bench, "one"));
    assert_int_equal(position, 1);
    /* No interval any more: the look can only be the one that the use asks for. */
    persistence_set_sync_interval(bench.p, 0);
    assert_true(has_within(&bench, "w", 2000));
    bench_close(&bench);
    bench_close(&other);
    remove_directory(dir);
    remove_directory(other_dir);
}

/* What deletions keep for their undoing is memory too. */
static void inverses_count_as_pending(void **state)
{
    char dir[300], big[20001];
    struct bench bench = open_shared(*state, "own", dir);
    struct persistence_stats stats;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    set_shared(&bench, "one", big);
    persistence_stats(bench.p, &stats);
    assert_int_equal(stats.pending_bytes, 0);
    persistence_set_sync_interval(bench.p, 0);
    struct namespace *ns = load(&bench, "one");
    struct op op = {.kind = OP_KEY_DELETE, .key = slice_of("k"), .time = shifted_ms(NULL)};
    struct outcome outcome;
    namespace_lock(ns);
    namespace_apply(ns, &op, &outcome);
    namespace_seal(ns);
    namespace_unlock(ns);
    persistence_stats(bench.p, &stats);
    assert_int_equal(stats.pending_ops, 1);
    assert_in_range(stats.pending_bytes, 20000, 30000);
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    persistence_stats(bench.p, &stats);
    assert_int_equal(stats.pending_bytes, 0);
    bench_close(&bench);
    remove_directory(dir);
}

/* The oldest op that is not durable may be in any of three places. */
static void the_oldest_op_is_known_until_it_is_committed(void **state)
{
    char dir[300];
    struct bench bench = open_shared(*state, "own", dir);
    struct persistence_stats stats;
    set_shared(&bench, "one", "v");
    persistence_set_sync_interval(bench.p, 0);
    struct namespace *ns = load(&bench, "one");
    struct op op = {.kind = OP_KEY_DELETE, .key = slice_of("k"), .time = shifted_ms(NULL)};
    struct outcome outcome;
    namespace_lock(ns);
    namespace_apply(ns, &op, &outcome);
    namespace_seal(ns);
    namespace_unlock(ns);
    atomic_fetch_add(&forward_ms, 60 * 1000);
    persistence_stats(bench.p, &stats);
    assert_in_range(stats.oldest_pending_ms, 60 * 1000, 90 * 1000);
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    persistence_stats(bench.p, &stats);
    assert_int_equal(stats.oldest_pending_ms, 0);
    bench_close(&bench);
    remove_directory(dir);
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_nobody_uses_is_looked_at_seldom_and_then_not_at_all),
        T(what_somebody_waits_for_is_looked_at_always),
        T(the_first_use_after_long_asks_for_a_look),
        T(inverses_count_as_pending),
        T(the_oldest_op_is_known_until_it_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
