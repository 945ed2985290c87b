/* SPDX-License-Identifier: BSD-3-Clause */
/* Long work beside other long work, on a directory of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "tests/persistence/persistence_support.h"

#define KEYS        500
#define PATIENCE_MS 20000

/* Some 60 kB, of which as much again is enough for a fold. */
static void write_keys(struct bench *bench, const char *value)
{
    char key[32];
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key:%d", i);
        set_key(bench, "big", key, value);
    }
    assert_int_equal(sync_now(bench, "big", NULL), PERSISTENCE_OK);
}

static bool chunk_path(const char *store, char *out, size_t size)
{
    char folder[200];
    snprintf(folder, sizeof(folder), "%s/big", store);
    DIR *all = opendir(folder);
    bool found = false;
    for (struct dirent *entry; all && !found && (entry = readdir(all));) {
        found = strncmp(entry->d_name, "chunk-", 6) == 0;
        if (found)
            snprintf(out, size, "%s/%.200s", folder, entry->d_name);
    }
    if (all)
        closedir(all);
    return found;
}

/* A pipe in the object's place: who reads it waits, once it is opened here for writing. */
static int wait_for_reader(const char *path)
{
    int fd = -1;
    for (int ms = 0; ms < PATIENCE_MS && fd < 0; ms += 10) {
        fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        usleep(10000);
    }
    return fd;
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
    char chunk[500], aside[520];
    bool found = false;
    bench.options.inline_limit = 4000;
    bench.options.sync_interval_ms = 20;
    bench.options.workers = 1;
    bench_start(&bench);
    set_key(&bench, "small", "k", "v");
    write_keys(&bench, "before");
    for (int ms = 0; ms < PATIENCE_MS && !found; ms += 10) {
        usleep(10000);
        found = chunk_path(*state, chunk, sizeof(chunk));
    }
    assert_true(found);
    bench_reopen(&bench);
    load(&bench, "big");
    assert_true(chunk_path(*state, chunk, sizeof(chunk)));
    snprintf(aside, sizeof(aside), "%s.aside", chunk);
    assert_int_equal(rename(chunk, aside), 0);
    assert_int_equal(mkfifo(chunk, 0600), 0);
    write_keys(&bench, "afterwards");
    int held = wait_for_reader(chunk);
    bool loaded = loads_in_time(&bench, "small", &gate);
    assert_int_equal(rename(aside, chunk), 0);
    close(held); /* the fold reads an object of no length, and is tried again later */
    gate_pass(&gate);
    assert_true(held >= 0);
    assert_true(loaded);
    bench_reopen(&bench);
    assert_key(&bench, "big", "key:0", "afterwards");
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
