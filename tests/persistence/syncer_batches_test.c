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
#include "tests/persistence/held_fold_support.h"
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
static int64_t failing_ms(void *ctx)
{
    uint64_t from = atomic_load(&fail_from);
    if (from && head_position() >= from && atomic_compare_exchange_strong(&fail_from, &from, 0))
        move_tmp("tmp", "away");
    return wall_ms(ctx);
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
    bench.options.now_ms = failing_ms;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_journal_keeps_what_is_queued_behind_a_commit,
                                        directory_setup, directory_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
