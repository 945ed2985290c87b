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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
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

/* --- crashes: a child process is killed --- */

/* Runs `work` in a child that kills itself afterwards, without closing anything. */
static void in_a_crash(const char *store, void (*work)(struct bench *bench, int number), int number)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct bench bench = {.options = bench_options(store)};
        bench.options.journal_fsync = JOURNAL_FSYNC_ALWAYS;
        bench_start(&bench);
        work(&bench, number);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void add_a_few(struct bench *bench, int number)
{
    for (int i = 0; i < 10; i++)
        add_number(bench, "one", "counter", 1);
    char key[32];
    snprintf(key, sizeof(key), "run-%d", number);
    set_key(bench, "one", key, "there");
    /* Every third time part of it has been committed. */
    if (number % 3 == 0)
        assert_int_equal(sync_now(bench, "one", NULL), PERSISTENCE_OK);
    add_number(bench, "one", "counter", 1);
    add_number(bench, "two", "counter", 5);
}

static void writes_survive_crash_after_crash(void **state)
{
    for (int i = 0; i < 12; i++)
        in_a_crash(*state, add_a_few, i);
    struct bench bench = bench_open(*state);
    assert_int_equal(number_at(&bench, "one", "counter"), 12 * 11);
    assert_int_equal(number_at(&bench, "two", "counter"), 12 * 5);
    assert_key(&bench, "one", "run-11", "there");
    bench_reopen(&bench);
    assert_int_equal(number_at(&bench, "one", "counter"), 12 * 11);
    bench_close(&bench);
    assert_int_equal(count_files(*state, ".cairn", "journal-"), 0);
}

static void add_unsynced(struct bench *bench, int number)
{
    (void)number;
    add_number(bench, "one", "counter", 100);
}

static void ops_of_two_incarnations_are_put_on_top(void **state)
{
    in_a_crash(*state, add_unsynced, 0);
    /* What the second start recovers it cannot commit. */
    block_store(*state);
    pid_t child = fork();
    if (child == 0) {
        struct bench bench = {.options = bench_options(*state)};
        struct text error = {0};
        bench.options.journal_fsync = JOURNAL_FSYNC_ALWAYS;
        if (persistence_open(&bench.options, &bench.p, &error) != PERSISTENCE_OK)
            _exit(1);
        struct namespace *ns = persistence_namespace(bench.p, slice_of("one"));
        struct op op = {.kind = OP_INT_ADD, .key = slice_of("counter"), .int_add = {.delta = 10}};
        _exit(write_op(&bench, ns, &op, true) == PERSISTENCE_OK ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unblock_store(*state);
    assert_int_equal(count_files(*state, ".cairn", "journal-"), 2);
    struct bench bench = bench_open(*state);
    assert_int_equal(number_at(&bench, "one", "counter"), 110);
    bench_close(&bench);
    bench.p = NULL;
    bench_start(&bench);
    assert_int_equal(number_at(&bench, "one", "counter"), 110);
    bench_close(&bench);
}

static void a_transaction_over_namespaces_is_whole(void **state)
{
    struct bench bench = bench_open(*state);
    struct namespace *list[2] = {load(&bench, "one"), load(&bench, "two")};
    struct op op = {
        .kind = OP_INT_ADD, .key = slice_of("n"), .time = wall_ms(NULL), .int_add = {.delta = 7}};
    for (int i = 0; i < 2; i++)
        namespace_lock(list[i]);
    for (int i = 0; i < 2; i++)
        run_op(list[i], &op);
    uint64_t ticket = namespace_seal_together(list, 2);
    for (int i = 0; i < 2; i++)
        namespace_unlock(list[i]);
    assert_true(ticket > 0);
    assert_int_equal(persistence_harden(bench.p, ticket, true), PERSISTENCE_OK);
    bench_reopen(&bench);
    assert_int_equal(number_at(&bench, "one", "n"), 7);
    assert_int_equal(number_at(&bench, "two", "n"), 7);
    bench_close(&bench);
}

/* --- refusals --- */

static void refused(void **state, enum persistence_status expected, const char *words)
{
    struct persistence_options options = bench_options(*state);
    struct persistence *p = NULL;
    struct text error = {0};
    assert_int_equal(persistence_open(&options, &p, &error), expected);
    assert_null(p);
    if (!strstr(text_terminated(&error), words))
        fail_msg("'%s' is not in '%s'", words, text_terminated(&error));
    text_release(&error);
}

static void a_second_server_is_refused(void **state)
{
    struct bench bench = bench_open(*state);
    char pid[32];
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    refused(state, PERSISTENCE_LOCKED, pid);
    bench_close(&bench);
    bench_start(&bench);
    bench_close(&bench);
}

static void two_servers_with_dirs_of_their_own_do_not_share_a_store(void **state)
{
    char dir[300];
    struct bench bench = {.options = bench_options(*state)};
    snprintf(dir, sizeof(dir), "%s-own", (char *)*state);
    bench.options.dir = dir;
    bench_start(&bench);
    set_key(&bench, "one", "k", "v");
    refused(state, PERSISTENCE_LOCKED, "in use by another server");
    bench_reopen(&bench);
    assert_key(&bench, "one", "k", "v");
    bench_close(&bench);
    char command[400];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

static void a_server_that_does_not_share_is_refused_beside_those_that_do(void **state)
{
    char dir[300], command[400];
    struct bench sharing = {.options = bench_options(*state)};
    snprintf(dir, sizeof(dir), "%s-own", (char *)*state);
    sharing.options.dir = dir;
    sharing.options.shared = true;
    bench_start(&sharing);
    refused(state, PERSISTENCE_LOCKED, "in use by servers that share it");
    bench_close(&sharing);

    struct bench alone = bench_open(*state);
    struct text error = {0};
    struct persistence *persistence = NULL;
    assert_int_equal(persistence_open(&sharing.options, &persistence, &error), PERSISTENCE_LOCKED);
    assert_non_null(strstr(text_terminated(&error), "does not share it"));
    text_release(&error);
    bench_close(&alone);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* Somebody has the lock, and may have left `content`, or others share it. What a start says. */
static void say_of_holder(const char *store, int how, const char *content, bool shared,
                          struct text *error)
{
    char path[400], dir[300];
    struct persistence_options options = bench_options(store);
    struct persistence *persistence = NULL;
    snprintf(dir, sizeof(dir), "%s-own", store);
    options.dir = dir;
    options.shared = shared;
    snprintf(path, sizeof(path), "%s/.cairn", store);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof(path), "%s/.cairn/lock", store);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(flock(fd, how), 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    text_clear(error);
    assert_int_equal(persistence_open(&options, &persistence, error), PERSISTENCE_LOCKED);
    close(fd);
}

static void a_lock_whose_pid_cannot_be_read_claims_nothing(void **state)
{
    static const char *const unreadable[] = {"", "x\n", "12", "0\n"};
    struct text error = {0};
    char command[400];
    for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
        say_of_holder(*state, LOCK_EX, unreadable[i], false, &error);
        assert_non_null(strstr(text_terminated(&error), "in use by another server"));
        assert_null(strstr(text_terminated(&error), "process"));
        assert_null(strstr(text_terminated(&error), "not share"));
        assert_null(strstr(text_terminated(&error), "that share"));
        say_of_holder(*state, LOCK_EX, unreadable[i], true, &error);
        assert_non_null(strstr(text_terminated(&error), "another server, which does not share it"));
    }
    say_of_holder(*state, LOCK_EX, "4711\n", false, &error);
    assert_non_null(strstr(text_terminated(&error), "another server (process 4711)"));
    /* Whatever an earlier one has left there. */
    say_of_holder(*state, LOCK_SH, "4711\n", false, &error);
    assert_non_null(strstr(text_terminated(&error), "in use by servers that share it"));
    text_release(&error);
    snprintf(command, sizeof(command), "rm -rf '%s-own'", (char *)*state);
    assert_int_equal(system(command), 0);
}

static void spoil(const char *store, const char *name, long at, char with)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", store, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(pwrite(fd, &with, 1, at < 0 ? info.st_size + at : at), 1);
    close(fd);
}

static void a_damaged_head_fails_the_namespace_alone(void **state)
{
    struct bench bench = bench_open(*state);
    struct namespace *ns;
    char why[300];
    set_key(&bench, "one", "k", "v");
    set_key(&bench, "two", "k", "v");
    bench_close(&bench);
    spoil(*state, "one.json", -20, '~');
    bench_start(&bench);
    assert_int_equal(try_load(&bench, "one", &ns), NAMESPACE_FAILED);
    namespace_lock(ns);
    namespace_error(ns, why, sizeof(why));
    namespace_unlock(ns);
    assert_non_null(strstr(why, "one.json"));
    assert_key(&bench, "two", "k", "v");
    bench_close(&bench);
}

static void a_lost_head_is_no_empty_namespace(void **state)
{
    in_a_crash(*state, add_a_few, 0); /* commits, then writes more */
    char path[300];
    snprintf(path, sizeof(path), "%s/one.json", (char *)*state);
    assert_int_equal(unlink(path), 0);
    refused(state, PERSISTENCE_CORRUPT, "one.json is missing");
}

static void a_damaged_identity_is_refused(void **state)
{
    struct bench bench = bench_open(*state);
    bench_close(&bench);
    spoil(*state, ".cairn/identity", 20, '~');
    refused(state, PERSISTENCE_CORRUPT, "identity");
}

/* --- trouble --- */

static bool writable_within(struct persistence *p, bool wanted, int ms)
{
    for (int i = 0; i < ms / 10 && persistence_writable(p) != wanted; i++)
        usleep(10000);
    return persistence_writable(p) == wanted;
}

static void a_store_that_refuses_stops_writes_until_it_takes_them(void **state)
{
    struct bench bench = bench_open(*state);
    char why[300];
    struct persistence_stats stats;
    add_number(&bench, "one", "n", 1);
    block_store(*state);
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_UNWRITABLE);
    assert_true(writable_within(bench.p, false, 2000));
    persistence_trouble(bench.p, why, sizeof(why));
    assert_true(why[0]);
    persistence_stats(bench.p, &stats);
    assert_false(stats.last_sync_ok);
    assert_true(stats.pending_ops > 0);
    unblock_store(*state);
    assert_true(writable_within(bench.p, true, 5000));
    persistence_trouble(bench.p, why, sizeof(why));
    assert_string_equal(why, "");
    add_number(&bench, "one", "n", 1);
    bench_reopen(&bench);
    assert_int_equal(number_at(&bench, "one", "n"), 2);
    bench_close(&bench);
}

/* A tmpfs of 512 KiB, in a mount namespace of the child's own. Needs root. */
static void fill_the_disk(const char *store)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", store, "tmpfs", 0, "size=512k") < 0)
        _exit(77);
    struct bench bench = {.options = bench_options(store)};
    bench.options.journal_fsync = JOURNAL_FSYNC_ALWAYS;
    bench.options.sync_interval_ms = 50;
    bench_start(&bench);
    struct namespace *ns = load(&bench, "one");
    char ballast[300], path[300];
    snprintf(path, sizeof(path), "%s/ballast", store);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    memset(ballast, 'b', sizeof(ballast));
    int64_t kept = 0;
    bool full = false;
    for (int i = 0; i < 20000 && !full; i++) {
        struct op op = {.kind = OP_INT_ADD, .key = slice_of("n"), .int_add = {.delta = 1}};
        full = write_op(&bench, ns, &op, true) != PERSISTENCE_OK || !persistence_writable(bench.p);
        kept++;
        while (i > 100 && write(fd, ballast, sizeof(ballast)) > 0)
            ;
    }
    if (!full || !writable_within(bench.p, false, 3000))
        _exit(2);
    close(fd);
    unlink(path);
    if (!writable_within(bench.p, true, 5000))
        _exit(3);
    bench_reopen(&bench);
    if (number_at(&bench, "one", "n") != kept)
        _exit(4);
    /* Read-only from one moment to the next. */
    if (mount("none", store, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) == 0) {
        struct op op = {.kind = OP_INT_ADD, .key = slice_of("n"), .int_add = {.delta = 1}};
        ns = load(&bench, "one");
        write_op(&bench, ns, &op, false);
        if (!writable_within(bench.p, false, 3000))
            _exit(5);
        if (mount("none", store, "tmpfs", MS_REMOUNT, "size=512k") < 0 ||
            !writable_within(bench.p, true, 5000))
            _exit(6);
        kept++;
    }
    bench_reopen(&bench);
    if (number_at(&bench, "one", "n") != kept)
        _exit(7);
    bench_close(&bench);
    _exit(0);
}

static void a_full_or_read_only_disk_stops_writes_and_loses_nothing(void **state)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        fill_the_disk(*state);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void too_much_pending_starts_a_sync(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.pending_limit = 1000;
    bench_start(&bench);
    load(&bench, "one");
    /* Past the limit a sync starts by itself; no interval is set here. */
    for (int i = 0; i < 100; i++)
        add_number(&bench, "one", "n", 1);
    for (int i = 0; i < 200 && count_files(*state, ".", "one.json") == 0; i++)
        usleep(10000);
    assert_int_equal(count_files(*state, ".", "one.json"), 1);
    assert_int_equal(sync_now(&bench, NULL, NULL), PERSISTENCE_OK);
    assert_true(writable_within(bench.p, true, 2000));
    bench_close(&bench);
}

static void the_interval_commits_again_and_again(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.sync_interval_ms = 10;
    bench_start(&bench);
    struct namespace *ns = load(&bench, "one");
    for (uint64_t position = 1; position <= 3; position++) {
        add_number(&bench, "one", "n", 1);
        for (int i = 0; i < 500 && namespace_position(ns) < position; i++)
            usleep(10000);
        assert_int_equal(namespace_position(ns), position);
    }
    bench_close(&bench);
}

/* --- large namespaces --- */

struct writer {
    struct bench *bench;
    int number, keys, rounds;
};

static void *writer_thread(void *arg)
{
    struct writer *writer = arg;
    struct namespace *ns = load(writer->bench, "big");
    for (int round = 0; round < writer->rounds; round++)
        for (int i = 0; i < writer->keys; i++) {
            char key[64];
            snprintf(key, sizeof(key), "key:%d:%06d", writer->number, i);
            struct op op = {.kind = OP_INT_ADD, .key = slice_of(key), .int_add = {.delta = 1}};
            assert_int_equal(write_op(writer->bench, ns, &op, i % 997 == 0), PERSISTENCE_OK);
        }
    return NULL;
}

static void run_writers(struct bench *bench, int keys, int rounds)
{
    pthread_t threads[4];
    struct writer writers[4];
    for (int i = 0; i < 4; i++) {
        writers[i] = (struct writer){bench, i, keys, rounds};
        assert_int_equal(pthread_create(&threads[i], NULL, writer_thread, &writers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* Writes more than a base may have for a tail, and waits until it is folded once more. */
static void write_and_fold(struct bench *bench, int keys, int rounds)
{
    struct persistence_stats stats;
    persistence_stats(bench->p, &stats);
    int64_t before = stats.folds;
    run_writers(bench, keys, rounds);
    assert_int_equal(sync_now(bench, "big", NULL), PERSISTENCE_OK);
    for (int i = 0; i < 3000 && stats.folds == before; i++) {
        usleep(10000);
        persistence_stats(bench->p, &stats);
    }
    assert_true(stats.folds > before);
}

static void a_large_namespace_folds_while_writes_go_on(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.inline_limit = 4000;
    bench.options.chunk_size = 20000;
    bench.options.sync_interval_ms = 20;
    bench.options.history_ms = 500;
    bench_start(&bench);
    load(&bench, "big");
    write_and_fold(&bench, 1500, 3);
    write_and_fold(&bench, 1500, 3);
    /* That fold may have begun when little was there: then another is due. */
    for (int i = 0; i < 3000 && count_files(*state, "big", "chunk-") <= 3; i++)
        usleep(10000);
    assert_true(count_files(*state, "big", "chunk-") > 3);
    for (int start = 0; start < 2; start++) {
        assert_int_equal(key_count(&bench, "big"), 4 * 1500);
        assert_int_equal(number_at(&bench, "big", "key:0:000000"), 6);
        assert_int_equal(number_at(&bench, "big", "key:3:001499"), 6);
        bench_reopen(&bench);
    }
    bench_close(&bench);
}

static void objects_that_no_head_names_go_after_the_history(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.inline_limit = 2000;
    bench.options.chunk_size = 5000;
    bench.options.history_ms = 100;
    bench.options.sync_interval_ms = 20;
    bench_start(&bench);
    load(&bench, "big");
    run_writers(&bench, 300, 4);
    assert_int_equal(sync_now(&bench, "big", NULL), PERSISTENCE_OK);
    /* What is left in the end: the chunks of the base and at most a short tail's segments. */
    struct persistence_stats stats;
    for (int i = 0; i < 100; i++) {
        usleep(100000);
        persistence_stats(bench.p, &stats);
        if (stats.folds > 0 && stats.store_removes > 0)
            break;
    }
    assert_true(stats.folds > 0);
    assert_true(stats.store_removes > 0);
    bench_reopen(&bench);
    assert_int_equal(key_count(&bench, "big"), 4 * 300);
    bench_close(&bench);
}

enum { HELD_US = 300000 }; /* longer than the syncer could hold it by accident */

static void time_under_the_lock_aside_is_counted_and_that_of_commands_is_not(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.sync_interval_ms = 0;
    bench_start(&bench);
    struct namespace *ns = load(&bench, "one");
    struct persistence_stats before, after;
    persistence_reset_peaks(bench.p);
    persistence_stats(bench.p, &before);
    namespace_lock(ns);
    usleep(HELD_US);
    namespace_unlock(ns);
    persistence_stats(bench.p, &after);
    assert_true(after.aside_ns - before.aside_ns < HELD_US * 1000);
    namespace_lock_aside(ns);
    usleep(HELD_US);
    namespace_unlock(ns);
    persistence_stats(bench.p, &after);
    assert_true(after.aside_ns - before.aside_ns >= HELD_US * 1000);
    assert_true(after.aside_max_ns >= HELD_US * 1000);
    persistence_reset_peaks(bench.p);
    persistence_stats(bench.p, &after);
    assert_true(after.aside_max_ns < HELD_US * 1000);
    bench_close(&bench);
}

static void an_idle_namespace_leaves_memory_and_comes_back(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.idle_unload_ms = 100;
    bench.options.sync_interval_ms = 20;
    bench_start(&bench);
    set_key(&bench, "one", "k", "v");
    struct namespace *ns = load(&bench, "one");
    for (int i = 0; i < 500 && namespace_state(ns) != NAMESPACE_UNLOADED; i++)
        usleep(10000);
    assert_int_equal(namespace_state(ns), NAMESPACE_UNLOADED);
    assert_key(&bench, "one", "k", "v");
    set_key(&bench, "one", "k", "w");
    bench_reopen(&bench);
    assert_key(&bench, "one", "k", "w");
    bench_close(&bench);
}

/* --- waits, reload, list --- */

static void waits_are_answered_at_their_level(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    struct namespace *ns = load(&bench, "one");
    for (int level = DURABILITY_APPLIED; level <= DURABILITY_DURABLE; level++) {
        struct gate gate = GATE_INIT;
        persistence_wait(bench.p, ns, namespace_mark(ns), (enum durability)level, gate_waited,
                         &gate);
        gate_pass(&gate);
        assert_int_equal(gate.status, PERSISTENCE_OK);
    }
    assert_int_equal(namespace_position(ns), 1);
    uint64_t position;
    assert_int_equal(sync_now(&bench, "one", &position), PERSISTENCE_OK);
    assert_int_equal(position, 1);
    bench_close(&bench);
}

static void reload_gives_the_same(void **state)
{
    struct bench bench = bench_open(*state);
    struct text error = {0};
    set_key(&bench, "one", "k", "v");
    add_number(&bench, "one", "n", 42);
    struct namespace *ns = load(&bench, "one");
    assert_int_equal(persistence_reload(bench.p, ns, &error), PERSISTENCE_OK);
    assert_key(&bench, "one", "k", "v");
    assert_key(&bench, "one", "n", "42");
    bench_close(&bench);
}

static void a_memory_store_needs_no_directory(void **state)
{
    struct bench bench = bench_open("memory");
    struct text error = {0};
    (void)state;
    set_key(&bench, "one", "k", "v");
    struct namespace *ns = load(&bench, "one");
    assert_int_equal(namespace_mark(ns), 0);
    assert_int_equal(persistence_reload(bench.p, ns, &error), PERSISTENCE_OK);
    assert_key(&bench, "one", "k", "v");
    assert_int_equal(sync_now(&bench, NULL, NULL), PERSISTENCE_OK);
    bench_close(&bench);
}

static void append_name(void *ctx, struct slice name, enum namespace_state state, uint64_t position,
                        size_t keys)
{
    text_append_format(ctx, "%.*s:%d:%d:%d ", (int)name.len, name.data, (int)state, (int)position,
                       (int)keys);
}

static void namespaces_are_listed_from_store_and_memory(void **state)
{
    struct bench bench = bench_open(*state);
    struct text names = {0}, error = {0};
    set_key(&bench, "b", "k", "v");
    set_key(&bench, "a", "k", "v");
    bench_reopen(&bench);
    set_key(&bench, "c", "k", "v");
    set_key(&bench, "b", "l", "v");
    assert_int_equal(persistence_list(bench.p, append_name, &names, &error), PERSISTENCE_OK);
    assert_string_equal(text_terminated(&names), "a:0:1:0 b:2:1:2 c:2:0:1 ");
    text_release(&names);
    bench_close(&bench);
}

/* --- export, import --- */

static void export_to(const char *store, const char *name, struct text *out)
{
    struct text error = {0};
    int fd = memfd_create("export", 0);
    enum persistence_status status = persistence_export(store, slice_of(name), fd, &error);
    if (status != PERSISTENCE_OK)
        fail_msg("%s", text_terminated(&error));
    off_t size = lseek(fd, 0, SEEK_END);
    text_reserve(out, (size_t)size + 1);
    assert_int_equal(pread(fd, out->data, (size_t)size, 0), size);
    out->len = (size_t)size;
    close(fd);
}

static void import_from(const char *store, const char *name, const struct text *document,
                        enum persistence_status expected)
{
    struct text error = {0};
    int fd = memfd_create("import", 0);
    assert_int_equal(write(fd, document->data, document->len), document->len);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(persistence_import(store, slice_of(name), fd, &error), expected);
    text_release(&error);
    close(fd);
}

static struct slice state_of(const struct text *document)
{
    const char *state = memmem(document->data, document->len, "\"state\"", 7);
    assert_non_null(state);
    return slice_make(state, document->len - (size_t)(state - document->data));
}

static void an_export_comes_back_by_import(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    struct text first = {0}, second = {0};
    bench_start(&bench);
    load(&bench, "big");
    run_writers(&bench, 2000, 1);
    set_key(&bench, "big", "text", "caf\xc3\xa9 \x01\xff");
    bench_close(&bench);
    export_to(*state, "big", &first);
    import_from(*state, "copy", &first, PERSISTENCE_OK);
    import_from(*state, "copy", &first, PERSISTENCE_UNWRITABLE);
    export_to(*state, "copy", &second);
    assert_true(slice_equal(state_of(&first), state_of(&second)));
    bench_start(&bench);
    assert_int_equal(key_count(&bench, "copy"), 4 * 2000 + 1);
    assert_key(&bench, "copy", "text", "caf\xc3\xa9 \x01\xff");
    bench_close(&bench);
    text_release(&first);
    text_release(&second);
}

static void an_export_beside_no_server_has_the_journals_ops(void **state)
{
    struct text document = {0};
    in_a_crash(*state, add_a_few, 1);
    export_to(*state, "one", &document);
    assert_non_null(memmem(document.data, document.len, "\"counter\":11", 12));
    assert_int_equal(count_files(*state, ".cairn", "journal-"), 1);
    text_release(&document);
    struct bench bench = bench_open(*state);
    assert_int_equal(number_at(&bench, "one", "counter"), 11);
    bench_close(&bench);
}

/* --- threads --- */

static void many_threads_write_and_nothing_is_lost(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.sync_interval_ms = 5;
    bench_start(&bench);
    load(&bench, "big");
    run_writers(&bench, 200, 10);
    bench_reopen(&bench);
    assert_int_equal(key_count(&bench, "big"), 4 * 200);
    for (int i = 0; i < 4; i++) {
        char key[64];
        snprintf(key, sizeof(key), "key:%d:%06d", i, 199);
        assert_int_equal(number_at(&bench, "big", key), 10);
    }
    bench_close(&bench);
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_write_is_there_after_a_new_start),
        T(a_clean_close_leaves_no_journal),
        T(writes_survive_crash_after_crash),
        T(ops_of_two_incarnations_are_put_on_top),
        T(a_transaction_over_namespaces_is_whole),
        T(a_second_server_is_refused),
        T(two_servers_with_dirs_of_their_own_do_not_share_a_store),
        T(a_server_that_does_not_share_is_refused_beside_those_that_do),
        T(a_lock_whose_pid_cannot_be_read_claims_nothing),
        T(a_damaged_head_fails_the_namespace_alone),
        T(a_lost_head_is_no_empty_namespace),
        T(a_damaged_identity_is_refused),
        T(a_store_that_refuses_stops_writes_until_it_takes_them),
        T(a_full_or_read_only_disk_stops_writes_and_loses_nothing),
        T(too_much_pending_starts_a_sync),
        T(the_interval_commits_again_and_again),
        T(a_large_namespace_folds_while_writes_go_on),
        T(objects_that_no_head_names_go_after_the_history),
        T(time_under_the_lock_aside_is_counted_and_that_of_commands_is_not),
        T(an_idle_namespace_leaves_memory_and_comes_back),
        T(waits_are_answered_at_their_level),
        T(reload_gives_the_same),
        T(a_memory_store_needs_no_directory),
        T(namespaces_are_listed_from_store_and_memory),
        T(an_export_comes_back_by_import),
        T(an_export_beside_no_server_has_the_journals_ops),
        T(many_threads_write_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
