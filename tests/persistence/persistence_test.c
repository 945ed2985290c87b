/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole of persistence as the server uses it, on a directory of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "ops/value.h"
#include "persistence/persistence.h"
#include "tests/persistence/persistence_support.h"

static void a_write_is_there_after_a_new_start(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    set_key(&bench, "one", "n", "12345");
    set_key(&bench, "two", "k", "w");
    bench_reopen(&bench);
    assert_key(&bench, "one", "k", "v");
    assert_key(&bench, "one", "n", "12345");
    assert_key(&bench, "two", "k", "w");
    assert_no_key(&bench, "two", "n");
    bench_close(&bench);
}

static void a_clean_close_leaves_no_journal(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    bench_close(&bench);
    assert_int_equal(count_files(*state, ".cairn", "journal-"), 0);
    assert_int_equal(count_files(*state, ".", "one.json"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_is_there_after_a_new_start, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(a_clean_close_leaves_no_journal, directory_setup,
                                        directory_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
