/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was cut off at once and is too much for one commit: what becomes of the rest when a part is
 * committed. On a directory of the test's own, whose store can be made to fail between two commits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "persistence/head.h"
#include "tests/persistence/persistence_support.h"

enum { VALUE_SIZE = 3 << 20, VALUES = 4 }; /* each a batch of its own */

static char value[VALUE_SIZE + 1];

static struct text *key_at(int i)
{
    static struct text key;
    text_clear(&key);
    text_append_format(&key, "big:%d", i);
    return &key;
}

static void write_key(struct bench *bench, struct slice key, struct slice bytes)
{
    struct namespace *ns = load(bench, "one");
    struct op op = {.kind = OP_SCALAR_SET,
                    .time = bench->options.now_ms(NULL),
                    .key = key,
                    .scalar_set = {.value = bytes}};
    struct outcome outcome;
    namespace_lock(ns);
    namespace_apply(ns, &op, &outcome);
    uint64_t ticket = namespace_seal(ns);
    namespace_unlock(ns);
    assert_int_equal(persistence_harden(bench->p, ticket, true), PERSISTENCE_OK);
}

static void write_values(struct bench *bench)
{
    memset(value, 'x', VALUE_SIZE);
    for (int i = 0; i < VALUES; i++)
        write_key(bench, text_slice(key_at(i)), slice_make(value, VALUE_SIZE));
}

static void assert_values(struct bench *bench)
{
    struct namespace *ns = load(bench, "one");
    char scratch[24];
    namespace_lock(ns);
    for (int i = 0; i < VALUES; i++) {
        struct entry *entry =
            keyspace_find(namespace_keyspace(ns), text_slice(key_at(i)), 0, wall_ms(NULL));
        assert_non_null(entry);
        assert_int_equal(string_bytes(entry, scratch).len, VALUE_SIZE);
    }
    namespace_unlock(ns);
}

/* --- the store's way of writing, taken away and given back --- */

static const char *store_path;

static void move_tmp(const char *from, const char *to)
{
    char old_path[300], new_path[300];
    snprintf(old_path, sizeof(old_path), "%s/.cairn/%s", store_path, from);
    snprintf(new_path, sizeof(new_path), "%s/.cairn/%s", store_path, to);
    assert_int_equal(rename(old_path, new_path), 0);
}

static _Atomic uint64_t fail_from; /* position of the head from which on nothing is written */
static _Atomic int fail_segments;  /* segments from which on nothing is written */
static _Atomic uint64_t leap_from; /* position of the head at which the clock is put forward */
static _Atomic int64_t forward_ms; /* by so much */
static _Atomic int64_t frozen_ms;  /* the time, when it stands still */
static _Atomic bool hold_folds, fold_held;

static uint64_t head_position(void)
{
    char path[300], *text = NULL, *mark;
    size_t size = 0;
    uint64_t position = 0;
    snprintf(path, sizeof(path), "%s/one.json", store_path);
    FILE *file = fopen(path, "r");
    if (file && getdelim(&text, &size, ',', file) > 0 && getdelim(&text, &size, ',', file) > 0 &&
        getdelim(&text, &size, ',', file) > 0 && (mark = strchr(text, ':')))
        position = strtoull(mark + 1, NULL, 10);
    if (file)
        fclose(file);
    free(text);
    return position;
}

/* The syncer asks for the time before each of its steps. */
static void perhaps_fail(void)
{
    uint64_t from = atomic_load(&fail_from);
    int segments = atomic_load(&fail_segments);
    if (from && head_position() >= from && atomic_compare_exchange_strong(&fail_from, &from, 0))
        move_tmp("tmp", "away");
    if (segments && count_files(store_path, "one", "segment-") >= segments &&
        atomic_compare_exchange_strong(&fail_segments, &segments, 0))
        move_tmp("tmp", "away");
}

static void perhaps_leap(void)
{
    uint64_t from = atomic_load(&leap_from);
    if (from && head_position() >= from && atomic_compare_exchange_strong(&leap_from, &from, 0))
        atomic_store(&forward_ms, 2 * 3600 * 1000);
}

/* A fold asks for the time before it writes. */
static void perhaps_hold(void)
{
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof(name));
    while (atomic_load(&hold_folds) && strcmp(name, "worker") == 0) {
        atomic_store(&fold_held, true);
        usleep(1000);
    }
}

static int64_t our_ms(void *ctx)
{
    perhaps_fail();
    perhaps_leap();
    perhaps_hold();
    int64_t frozen = atomic_load(&frozen_ms);
    return (frozen ? frozen : wall_ms(ctx)) + atomic_load(&forward_ms);
}

static void copy_directory(const char *from, const char *to)
{
    char command[700];
    snprintf(command, sizeof(command), "cp -a '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static void remove_directory(const char *dir)
{
    char command[400];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* The copy is what a kill -9 at that moment leaves. */
static void the_journal_keeps_what_is_queued_behind_a_commit(void **state)
{
    char dir[300], left[300];
    struct bench bench = {.options = bench_options(*state)};
    struct gate gate = GATE_INIT;
    store_path = *state;
    snprintf(dir, sizeof(dir), "%s-own", store_path);
    snprintf(left, sizeof(left), "%s-left", store_path);
    bench.options.dir = dir;
    bench.options.shared = true;
    bench.options.now_ms = our_ms;
    bench_start(&bench);
    write_key(&bench, slice_of("k"), slice_of("v"));
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    atomic_store(&fail_from, head_position() + 1);
    write_values(&bench);
    persistence_sync(bench.p, load(&bench, "one"), gate_synced, &gate);
    gate_pass(&gate);
    assert_int_equal(gate.status, PERSISTENCE_UNWRITABLE);
    assert_int_equal(atomic_load(&fail_from), 0);
    sleep(4); /* time for a file to go that may not */
    copy_directory(dir, left);
    persistence_close(bench.p); /* it cannot commit the rest */
    move_tmp("away", "tmp");
    bench.options.dir = left;
    bench_start(&bench);
    assert_values(&bench);
    bench_close(&bench);
    remove_directory(dir);
    remove_directory(left);
}

/* --- a base that waited too long --- */

/* Too much for a head: with each sync comes a segment, and a fold is due soon. */
static void write_many(struct bench *bench)
{
    for (int i = 0; i < 300; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key:%d", i);
        write_key(bench, slice_of(key), slice_of("value"));
    }
    assert_int_equal(sync_now(bench, "one", NULL), PERSISTENCE_OK);
}

/* Held before it writes. */
static void begin_fold(struct bench *bench)
{
    atomic_store(&hold_folds, true);
    for (int i = 0; i < 100 && !atomic_load(&fold_held); i++) {
        write_many(bench);
        usleep(10 * 1000);
    }
    assert_true(atomic_load(&fold_held));
}

static void end_fold(const char *store)
{
    int chunks = count_files(store, "one", "chunk-");
    atomic_store(&hold_folds, false);
    for (int i = 0; i < 5000 && count_files(store, "one", "chunk-") <= chunks; i++)
        usleep(1000);
    usleep(100 * 1000); /* until the syncer has it */
}

/* The base comes while the first part's swap fails, and is too old when that has landed. */
static void what_is_left_of_a_cut_survives_a_base_that_is_too_old(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    struct gate first = GATE_INIT, last = GATE_INIT;
    store_path = *state;
    bench.options.inline_limit = 4000;
    bench.options.now_ms = our_ms;
    bench_start(&bench);
    begin_fold(&bench);
    write_values(&bench);
    atomic_store(&frozen_ms, wall_ms(NULL)); /* no retry before it goes on */
    atomic_store(&fail_segments, count_files(store_path, "one", "segment-") + 1);
    persistence_sync(bench.p, load(&bench, "one"), gate_synced, &first);
    gate_pass(&first);
    assert_int_equal(first.status, PERSISTENCE_UNWRITABLE);
    move_tmp("away", "tmp");
    end_fold(store_path);
    write_key(&bench, slice_of("last"), slice_of("v"));
    persistence_sync(bench.p, load(&bench, "one"), gate_synced, &last);
    atomic_store(&leap_from, head_position() + 1);
    atomic_store(&frozen_ms, 0);
    gate_pass(&last);
    assert_int_equal(atomic_load(&leap_from), 0);
    bench_reopen(&bench);
    assert_values(&bench);
    assert_key(&bench, "one", "last", "v");
    bench_close(&bench);
    atomic_store(&forward_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_journal_keeps_what_is_queued_behind_a_commit,
                                        directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(what_is_left_of_a_cut_survives_a_base_that_is_too_old,
                                        directory_setup, directory_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
