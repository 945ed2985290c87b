/* SPDX-License-Identifier: BSD-3-Clause */
/* Long work beside other long work, on a directory of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/persistence/held_fold_support.h"

#define KEYS        500
#define PATIENCE_MS 20000

/* Some 20 kB: more than a head holds, of which a base is one chunk. */
static void write_keys(void *ctx)
{
    struct bench *bench = ctx;
    char key[32];
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key:%d", i);
        set_key(bench, "big", key, "value");
    }
    assert_int_equal(sync_now(bench, "big", NULL), PERSISTENCE_OK);
}

static bool loads_in_time(struct bench *bench, const char *name, struct gate *gate)
{
    struct namespace *ns = persistence_namespace(bench->p, slice_of(name));
    persistence_load(bench->p, ns, gate_loaded, gate);
    for (int ms = 0; ms < PATIENCE_MS && namespace_state(ns) != NAMESPACE_READY; ms += 10)
        usleep(10000);
    return namespace_state(ns) == NAMESPACE_READY;
}

static void a_load_waits_for_no_fold(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    struct gate gate = GATE_INIT;
    struct held_fold held;
    bench.options.inline_limit = 4000;
    bench.options.sync_interval_ms = 20;
    bench.options.workers = 1;
    bench_start(&bench);
    set_key(&bench, "small", "k", "v");
    bench_reopen(&bench);
    held_fold_begin(&held, *state, "big", write_keys, &bench);
    bool loaded = loads_in_time(&bench, "small", &gate);
    held_fold_let_go(&held);
    gate_pass(&gate);
    assert_true(loaded);
    bench_reopen(&bench);
    assert_key(&bench, "big", "key:499", "value");
    assert_int_equal(key_count(&bench, "big"), KEYS);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_load_waits_for_no_fold, directory_setup,
                                        directory_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
