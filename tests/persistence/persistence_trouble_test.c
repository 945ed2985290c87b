/* SPDX-License-Identifier: BSD-3-Clause */
/* When writes are refused since the store has not taken enough, and when no longer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "persistence/namespace-internal.h"
#include "tests/persistence/persistence_support.h"

enum { THREADS = 3, ROUNDS = 100000, TIMES = 5, LIMIT = 1000 };

static struct namespace *ns;

static void set_up(void **state, struct bench *bench)
{
    *bench = (struct bench){.options = bench_options(*state)};
    bench->options.pending_limit = LIMIT;
    bench_start(bench);
    ns = load(bench, "one");
}

static void a_namespace_over_four_times_the_limit_is_named(void **state)
{
    struct bench bench;
    char why[300];
    set_up(state, &bench);
    persistence_pending_changed(ns, 0, 4 * LIMIT + 3);
    assert_true(persistence_writable(bench.p));
    persistence_pending_changed(ns, 0, 1);
    assert_false(persistence_writable(bench.p));
    persistence_trouble(bench.p, why, sizeof(why));
    assert_string_equal(why, "namespace one has 4004 bytes of ops that are not committed, over the "
                             "limit of pending-limit");
    persistence_pending_changed(ns, 0, -1);
    assert_true(persistence_writable(bench.p));
    persistence_pending_changed(ns, 0, -4 * LIMIT - 3);
    bench_close(&bench);
}

static void writes_wait_for_the_last_of_several(void **state)
{
    struct bench bench;
    set_up(state, &bench);
    struct namespace *two = load(&bench, "two");
    persistence_pending_changed(ns, 0, 5 * LIMIT);
    persistence_pending_changed(two, 0, 5 * LIMIT);
    persistence_pending_changed(ns, 0, -5 * LIMIT);
    assert_false(persistence_writable(bench.p));
    persistence_pending_changed(two, 0, -5 * LIMIT);
    assert_true(persistence_writable(bench.p));
    bench_close(&bench);
}

/* Two at a time stay below the limit, three pass it. */
static void *cross(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        persistence_pending_changed(ns, 0, 2 * LIMIT);
        persistence_pending_changed(ns, 0, -2 * LIMIT);
    }
    return NULL;
}

static void who_crosses_the_limit_at_the_same_time_leaves_no_trouble(void **state)
{
    struct bench bench;
    set_up(state, &bench);
    for (int time = 0; time < TIMES; time++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, cross, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_true(persistence_writable(bench.p));
    }
    persistence_pending_changed(ns, 0, 5 * LIMIT);
    assert_false(persistence_writable(bench.p));
    persistence_pending_changed(ns, 0, -5 * LIMIT);
    assert_true(persistence_writable(bench.p));
    bench_close(&bench);
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_namespace_over_four_times_the_limit_is_named),
        T(writes_wait_for_the_last_of_several),
        T(who_crosses_the_limit_at_the_same_time_leaves_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
