/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of several reasons is told when commits are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/persistence/persistence_support.h"

static bool tells(struct bench *bench, const char *words)
{
    char why[600];
    persistence_trouble(bench->p, why, sizeof(why));
    return strstr(why, words) != NULL;
}

static bool tells_within(struct bench *bench, const char *words, int ms)
{
    for (int i = 0; i < ms && !tells(bench, words); i++)
        usleep(1000);
    return tells(bench, words);
}

static void remove_head(const char *store, const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s.json", store, name);
    assert_int_equal(unlink(path), 0);
}

/* The namespace, with an op that the store does not take, since that takes nothing. */
static void fail_to_write(struct bench *bench, const char *store, const char *name)
{
    add_number(bench, name, "n", 1);
    block_store(store);
    add_number(bench, name, "n", 1);
    assert_int_equal(sync_now(bench, name, NULL), PERSISTENCE_UNWRITABLE);
    assert_true(tells(bench, "Not a directory"));
}

static void of_a_namespace_the_present_reason_is_told(void **state)
{
    struct bench bench = bench_open(*state);
    add_number(&bench, "one", "n", 1);
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    fail_to_write(&bench, *state, "one");
    remove_head(*state, "one");
    unblock_store(*state);
    assert_true(tells_within(&bench, "one.json: it is gone from the store", 10000));
    assert_false(persistence_writable(bench.p));
    persistence_close(bench.p); /* it will never be committed */
}

static void of_several_namespaces_a_reason_that_is_left_is_told(void **state)
{
    struct bench bench = bench_open(*state);
    static const char *const names[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        add_number(&bench, names[i], "n", 1);
        assert_int_equal(sync_now(&bench, names[i], NULL), PERSISTENCE_OK);
    }
    add_number(&bench, "two", "n", 1);
    remove_head(*state, "two");
    assert_int_equal(sync_now(&bench, "two", NULL), PERSISTENCE_UNWRITABLE);
    assert_true(tells(&bench, "two.json: it is gone"));
    fail_to_write(&bench, *state, "three");
    unblock_store(*state);
    assert_true(tells_within(&bench, "two.json: it is gone", 10000));
    assert_false(persistence_writable(bench.p));
    persistence_close(bench.p); /* it will never be committed */
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(of_a_namespace_the_present_reason_is_told),
        T(of_several_namespaces_a_reason_that_is_left_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
