/* SPDX-License-Identifier: BSD-3-Clause */
/* Long work beside other long work, on a directory of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "persistence/monotonic.h"
#include "tests/persistence/held_fold_support.h"

#define KEYS        500
#define PATIENCE_MS 20000
#define FOLD_TRIES  300 /* some folds for sure */

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

/* Has the kernel any page of it in memory? */
static bool is_cached(const char *path)
{
    unsigned char pages[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_in_range(size, 1, (off_t)sizeof(pages) * sysconf(_SC_PAGESIZE));
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mincore(map, (size_t)size, pages), 0);
    bool any = false;
    for (off_t at = 0; at < size; at += sysconf(_SC_PAGESIZE))
        any |= pages[at / sysconf(_SC_PAGESIZE)] & 1;
    munmap(map, (size_t)size);
    close(fd);
    return any;
}

static int uncached_segments(const char *store)
{
    char path[600];
    struct dirent *entry;
    int count = 0;
    snprintf(path, sizeof(path), "%s/big", store);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        snprintf(path, sizeof(path), "%s/big/%s", store, entry->d_name);
        count += strncmp(entry->d_name, "segment-", 8) == 0 && !is_cached(path);
    }
    if (folder)
        closedir(folder);
    return count;
}

/* The history that is kept for a day must not take the memory that others' files would have. */
static void what_a_fold_has_read_is_not_cached(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    struct statfs system;
    assert_int_equal(statfs(*state, &system), 0);
    bool in_memory = system.f_type == TMPFS_MAGIC; /* where files are nowhere else */
    bench.options.inline_limit = 4000;
    bench.options.sync_interval_ms = 20;
    bench_start(&bench);
    for (int i = 0; i < FOLD_TRIES && uncached_segments(*state) == 0 && !in_memory; i++) {
        write_keys(&bench);
        usleep(10000);
    }
    assert_true(uncached_segments(*state) > 0 || in_memory);
    bench_close(&bench);
}

static _Atomic bool busy;

/* Instead of libc's: while `busy`, this process seems to use a thousand processors. */
int getrusage(__rusage_who_t who, struct rusage *usage)
{
    long result = syscall(SYS_getrusage, who, usage);
    if (atomic_load(&busy))
        usage->ru_utime.tv_sec += monotonic_ms();
    return (int)result;
}

static int64_t fold_count(struct bench *bench)
{
    struct persistence_stats stats;
    persistence_stats(bench->p, &stats);
    return stats.folds;
}

static void a_fold_waits_while_processors_are_scarce(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    atomic_store(&busy, true);
    bench.options.inline_limit = 4000;
    bench.options.sync_interval_ms = 20;
    bench_start(&bench);
    usleep(1500000); /* so that there is something to tell it from */
    for (int i = 0; i < 20; i++) {
        write_keys(&bench);
        usleep(50000);
    }
    assert_int_equal(fold_count(&bench), 0);
    atomic_store(&busy, false);
    for (int ms = 0; ms < PATIENCE_MS && fold_count(&bench) == 0; ms += 10)
        usleep(10000);
    assert_true(fold_count(&bench) > 0);
    bench_reopen(&bench);
    assert_int_equal(key_count(&bench, "big"), KEYS);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_load_waits_for_no_fold, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(what_a_fold_has_read_is_not_cached, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(a_fold_waits_while_processors_are_scarce, directory_setup,
                                        directory_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
