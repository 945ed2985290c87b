/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the syncer looks at a shared store, and what it makes of one it cannot load from. On a
 * directory of the test's own, with a wall clock that the test can put forward.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "persistence/file.h"
#include "persistence/head.h"
#include "tests/persistence/held_fold_support.h"
#include "tests/persistence/persistence_support.h"

#define INTERVAL_MS 10

static _Atomic int64_t forward_ms;
static _Atomic int64_t leap_ms; /* put forward by so much at each look */

static int64_t shifted_ms(void *ctx)
{
    return wall_ms(ctx) + atomic_fetch_add(&forward_ms, atomic_load(&leap_ms));
}

static _Atomic bool somebody_waits;

static bool is_awaited(void *attachment)
{
    (void)attachment;
    return atomic_load(&somebody_waits);
}

static struct persistence_options shared_options(const char *store, const char *own, char dir[300])
{
    struct persistence_options options = bench_options(store);
    snprintf(dir, 300, "%s-%s", store, own);
    options.dir = dir;
    options.shared = true;
    options.sync_interval_ms = INTERVAL_MS;
    options.now_ms = shifted_ms;
    options.awaited = is_awaited;
    return options;
}

static struct bench open_shared(const char *store, const char *own, char dir[300])
{
    struct bench bench = {.options = shared_options(store, own, dir)};
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
static uint64_t write_shared(struct bench *bench, const char *name, const char *key,
                             const char *value)
{
    struct namespace *ns = load(bench, name);
    struct op op = {
        .kind = OP_SCALAR_SET, .key = slice_of(key), .scalar_set = {.value = slice_of(value)}};
    struct outcome outcome;
    namespace_lock(ns);
    op.time = shifted_ms(NULL);
    namespace_apply(ns, &op, &outcome);
    uint64_t ticket = namespace_seal(ns);
    namespace_unlock(ns);
    return ticket;
}

static void set_shared(struct bench *bench, const char *name, const char *value)
{
    write_shared(bench, name, "k", value);
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

/* --- a store that goes back --- */

static void read_head(const char *store, struct text *ret_body)
{
    int directory = open(store, O_RDONLY | O_DIRECTORY);
    assert_int_equal(file_read(directory, "one.json", ret_body), 0);
    close(directory);
}

static void put_head(const char *store, const struct text *body)
{
    bool landed;
    int directory = open(store, O_RDONLY | O_DIRECTORY);
    assert_int_equal(
        file_replace(directory, "put-back", "one.json", ".", text_slice(body), &landed), 0);
    close(directory);
}

static uint64_t base_in(const char *store)
{
    struct text body = {0}, error = {0};
    struct head head;
    read_head(store, &body);
    assert_true(head_decode(text_slice(&body), slice_of("one"), &head, &error));
    uint64_t position = head.base.position;
    head_release(&head);
    text_release(&body);
    return position;
}

/* So many commits that all but the newest are folded. */
static void pass_by_a_fold(struct bench *bench, const char *store, uint64_t position)
{
    for (int i = 0; i < 2000 && base_in(store) <= position; i++)
        set_shared(bench, "one", "third");
    assert_true(base_in(store) > position);
}

/* The only worker waits for a file that has no end yet. */
static void occupy_worker(struct bench *bench, const char *store, struct gate *gate)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/slow.json", store);
    assert_int_equal(mkfifo(path, 0600), 0);
    persistence_load(bench->p, persistence_namespace(bench->p, slice_of("slow")), gate_loaded,
                     gate);
}

static void let_worker_go(const char *store, struct gate *gate)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/slow.json", store);
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    gate_pass(gate);
}

static void an_older_copy_that_comes_between_a_look_and_the_load_is_not_served(void **state)
{
    char ahead_dir[300], dir[300], why[300];
    struct bench ahead = {.options = shared_options(*state, "ahead", ahead_dir)};
    struct bench bench = {.options = shared_options(*state, "own", dir)};
    struct gate slow = GATE_INIT, synced = GATE_INIT;
    struct text old = {0};
    ahead.options.sync_interval_ms = bench.options.sync_interval_ms = 0;
    ahead.options.inline_limit = 1000;
    bench.options.workers = 1;
    bench_start(&ahead);
    bench_start(&bench);
    set_shared(&ahead, "one", "first");
    load(&bench, "one");
    read_head(*state, &old);
    set_shared(&ahead, "one", "second");
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    assert_key(&bench, "one", "k", "second");
    pass_by_a_fold(&ahead, *state, 2);
    int64_t before = gets(&bench);
    occupy_worker(&bench, *state, &slow);
    persistence_sync(bench.p, load(&bench, "one"), gate_synced, &synced);
    while (gets(&bench) < before + 2)
        usleep(1000);
    usleep(50 * 1000); /* until it has queued the load */
    put_head(*state, &old);
    let_worker_go(*state, &slow);
    gate_pass(&synced);
    assert_key(&bench, "one", "k", "second");
    assert_int_equal(synced.status, PERSISTENCE_UNWRITABLE);
    assert_false(persistence_writable(bench.p));
    persistence_trouble(bench.p, why, sizeof(why));
    assert_non_null(strstr(why, "one.json: it does not continue"));
    persistence_close(bench.p); /* it will never be committed */
    bench_close(&ahead);
    text_release(&old);
    remove_directory(dir);
    remove_directory(ahead_dir);
}

/* Recorded without being kept for its undoing: so its commit is taken for another's, and fails. */
static void what_cannot_be_taken_in_is_not_loaded_again(void **state)
{
    char dir[300];
    struct bench bench = open_shared(*state, "own", dir);
    struct namespace *ns;
    char why[200];
    persistence_set_sync_interval(bench.p, 0);
    set_key(&bench, "one", "k", "v");
    sync_now(&bench, "one", NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_load(&bench, "one", &ns), NAMESPACE_FAILED);
        namespace_lock(ns);
        namespace_error(ns, why, sizeof(why));
        namespace_unlock(ns);
        assert_string_equal(why, "one.json: the ops of commit 1 cannot be taken in");
    }
    bench_close(&bench);
    remove_directory(dir);
}

/* --- objects that go while they are read --- */

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct text log_lines;

static void keep_log(void *ctx, enum persistence_log_level level, const char *line)
{
    print_log(ctx, level, line);
    pthread_mutex_lock(&log_mutex);
    text_append_format(&log_lines, "%s\n", line);
    pthread_mutex_unlock(&log_mutex);
}

static bool has_logged(const char *words)
{
    pthread_mutex_lock(&log_mutex);
    bool has = strstr(text_terminated(&log_lines), words) != NULL;
    pthread_mutex_unlock(&log_mutex);
    return has;
}

static bool logs_within(const char *words, int ms)
{
    for (int i = 0; i < ms && !has_logged(words); i++)
        usleep(1000);
    return has_logged(words);
}

static char big[3001];

static void fill_big(void)
{
    memset(big, 'x', sizeof(big) - 1);
}

static void write_to_another(void *ctx)
{
    struct bench *bench = ctx;
    write_shared(bench, "another", "k", big);
    assert_int_equal(sync_now(bench, "another", NULL), PERSISTENCE_OK);
}

/* A server that folds another namespace, with the one thread it has for that, and has a fold of
 * this one to do when that is over. */
static void open_before_a_fold(struct bench *bench, const char *store, char dir[300],
                               struct held_fold *another)
{
    fill_big();
    *bench = (struct bench){.options = shared_options(store, "own", dir)};
    bench->options.sync_interval_ms = 0;
    bench->options.inline_limit = 1000; /* so that each commit is a segment */
    bench->options.workers = 1;
    bench->options.log = keep_log;
    text_clear(&log_lines);
    bench_start(bench);
    load(bench, "one");
    held_fold_begin(another, store, "another", write_to_another, bench);
    for (int i = 0; i < 70; i++)
        set_shared(bench, "one", big);
}

/* All but what the head names; or else one that it names. */
static void remove_segments(const char *store, bool named)
{
    char path[800];
    struct text head = {0};
    snprintf(path, sizeof(path), "%s/one", store);
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool done = false;
    read_head(store, &head);
    while (!done && (entry = readdir(directory)))
        if (strncmp(entry->d_name, "segment-", 8) == 0 &&
            (strstr(text_terminated(&head), entry->d_name) != NULL) == named) {
            snprintf(path, sizeof(path), "%s/one/%s", store, entry->d_name);
            assert_int_equal(unlink(path), 0);
            done = named;
        }
    closedir(directory);
    text_release(&head);
}

static void a_fold_that_another_overtakes_says_nothing(void **state)
{
    char dir[300], other_dir[300];
    struct bench bench, other = {.options = shared_options(*state, "other", other_dir)};
    struct held_fold another;
    uint64_t position, other_position;
    other.options.sync_interval_ms = 0;
    other.options.inline_limit = 1000;
    open_before_a_fold(&bench, *state, dir, &another);
    bench_start(&other);
    pass_by_a_fold(&other, *state, 10);
    remove_segments(*state, false);
    held_fold_let_go(&another);
    assert_int_equal(sync_now(&other, "one", &other_position), PERSISTENCE_OK);
    /* It looks at the head without being asked. */
    struct namespace *ns = load(&bench, "one");
    for (int i = 0; i < 5000 && namespace_position(ns) < other_position; i++)
        usleep(1000);
    assert_int_equal(sync_now(&bench, "one", &position), PERSISTENCE_OK);
    assert_int_equal(position, other_position);
    assert_key(&bench, "one", "k", "third");
    assert_false(has_logged("namespace one cannot be folded"));
    bench_close(&bench);
    bench_close(&other);
    remove_directory(dir);
    remove_directory(other_dir);
}

static void a_fold_that_misses_what_the_head_names_says_so(void **state)
{
    char dir[300];
    struct bench bench;
    struct held_fold another;
    open_before_a_fold(&bench, *state, dir, &another);
    for (int i = 0; i < 70; i++)
        remove_segments(*state, true);
    held_fold_let_go(&another);
    assert_true(logs_within("namespace one cannot be folded: one/segment-", 5000));
    bench_close(&bench);
    remove_directory(dir);
}

/* All objects of the namespace, out of the way and back. */
static void move_objects(const char *store, bool away)
{
    char from[400], to[400];
    snprintf(from, sizeof(from), "%s/%s", store, away ? "one" : "aside");
    snprintf(to, sizeof(to), "%s/%s", store, away ? "aside" : "one");
    assert_int_equal(rename(from, to), 0);
}

static void what_others_wrote_and_is_lost_is_named_until_it_is_back(void **state)
{
    char dir[300], other_dir[300], why[600];
    struct bench other = {.options = shared_options(*state, "other", other_dir)};
    struct bench bench = {.options = shared_options(*state, "own", dir)};
    fill_big();
    other.options.sync_interval_ms = bench.options.sync_interval_ms = 0;
    other.options.inline_limit = 1000;
    bench_start(&other);
    bench_start(&bench);
    set_shared(&other, "one", "before");
    assert_key(&bench, "one", "k", "before");
    set_shared(&other, "one", big);
    move_objects(*state, true);
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_UNWRITABLE);
    persistence_trouble(bench.p, why, sizeof(why));
    assert_non_null(strstr(why, "one/segment-"));
    assert_non_null(strstr(why, ", which one.json names, is missing"));
    assert_key(&bench, "one", "k", "before");
    assert_false(persistence_writable(bench.p));
    move_objects(*state, false);
    for (int i = 0; i < 10000 && !persistence_writable(bench.p); i++)
        usleep(1000);
    assert_true(persistence_writable(bench.p));
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    char present[4000];
    assert_true(get_key(&bench, "one", "k", present, sizeof(present)));
    assert_string_equal(present, big);
    bench_close(&bench);
    bench_close(&other);
    remove_directory(dir);
    remove_directory(other_dir);
}

static void a_fold_that_takes_long_tells_so(void **state)
{
    char dir[300];
    struct bench bench;
    struct held_fold another;
    open_before_a_fold(&bench, *state, dir, &another);
    assert_false(has_logged("folding namespace one"));
    atomic_fetch_add(&forward_ms, 7 * 1000);
    held_fold_let_go(&another);
    assert_true(logs_within("folding namespace one since ", 5000));
    assert_true(logs_within("namespace one is folded after ", 5000));
    bench_close(&bench);
    remove_directory(dir);
}

/* A server that ends with an op in its journal alone. */
static void crash_with_a_journal(struct bench *bench)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bench_start(bench);
        uint64_t ticket = write_shared(bench, "one", "k", "fourth");
        if (persistence_harden(bench->p, ticket, true) != PERSISTENCE_OK)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* While each look at the clock takes two seconds. */
static void start_slowly(struct bench *bench)
{
    text_clear(&log_lines);
    atomic_store(&leap_ms, 2000);
    bench_start(bench);
}

static void assert_load_told(struct bench *bench)
{
    assert_true(logs_within("loading namespace one: 2 of 2 keys", 5000));
    atomic_store(&leap_ms, 0);
    bench_close(bench);
}

/* Whoever loads it: a command, a start with a journal, a server that a fold has passed. */
static void a_load_that_takes_long_tells_so(void **state)
{
    char dir[300], other_dir[300];
    struct bench ahead = {.options = shared_options(*state, "ahead", other_dir)};
    struct bench bench = {.options = shared_options(*state, "own", dir)};
    fill_big();
    ahead.options.sync_interval_ms = bench.options.sync_interval_ms = 0;
    ahead.options.inline_limit = 1000;
    bench.options.log = keep_log;
    bench_start(&ahead);
    bench_start(&bench);
    load(&bench, "one");
    write_shared(&ahead, "one", "big", big);
    set_shared(&ahead, "one", "first");
    pass_by_a_fold(&ahead, *state, 2);
    bench_close(&ahead);
    assert_false(has_logged("loading namespace"));
    atomic_store(&leap_ms, 2000);
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    assert_load_told(&bench);
    start_slowly(&bench);
    load(&bench, "one");
    assert_load_told(&bench);
    crash_with_a_journal(&bench);
    start_slowly(&bench);
    assert_load_told(&bench);
    remove_directory(dir);
    remove_directory(other_dir);
}

static void wait_until_unloaded(struct bench *bench)
{
    struct namespace *ns = persistence_namespace(bench->p, slice_of("one"));
    for (int i = 0; i < 1000 && namespace_state(ns) != NAMESPACE_UNLOADED; i++)
        usleep(10000);
    assert_int_equal(namespace_state(ns), NAMESPACE_UNLOADED);
}

static void an_older_copy_is_not_loaded_by_who_had_the_newer_one(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    struct text old = {0}, new = {0};
    struct namespace *ns;
    char why[300];
    bench.options.idle_unload_ms = 100;
    bench_start(&bench);
    set_key(&bench, "one", "k", "first");
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    read_head(*state, &old);
    set_key(&bench, "one", "k", "second");
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    read_head(*state, &new);
    wait_until_unloaded(&bench);
    put_head(*state, &old);
    assert_int_equal(try_load(&bench, "one", &ns), NAMESPACE_FAILED);
    namespace_lock(ns);
    namespace_error(ns, why, sizeof(why));
    namespace_unlock(ns);
    assert_non_null(strstr(why, "one.json does not continue"));
    put_head(*state, &new);
    assert_key(&bench, "one", "k", "second");
    bench_close(&bench);
    text_release(&old);
    text_release(&new);
}

/* --- positions --- */

struct observer {
    struct bench *bench;
    _Atomic bool stop;
    _Atomic bool wrong; /* the state was ahead of the position, with nothing pending */
};

/* Each commit says in the key how many there are with it. */
static void *observe(void *arg)
{
    struct observer *observer = arg;
    struct namespace *ns = load(observer->bench, "one");
    struct persistence_stats stats;
    char scratch[24], number[32];
    while (!atomic_load(&observer->stop)) {
        namespace_lock(ns);
        struct entry *entry = keyspace_find(namespace_keyspace(ns), slice_of("n"), 0, 0);
        struct slice bytes = entry ? string_bytes(entry, scratch) : slice_of("0");
        snprintf(number, sizeof(number), "%.*s", (int)bytes.len, bytes.data);
        persistence_stats(observer->bench->p, &stats);
        if (stats.pending_ops == 0 && strtoull(number, NULL, 10) > namespace_position(ns))
            atomic_store(&observer->wrong, true);
        namespace_unlock(ns);
    }
    return NULL;
}

static void observe_commits(struct bench *writer, struct bench *observed)
{
    struct observer observer = {.bench = observed};
    pthread_t thread;
    char number[32];
    load(observed, "one");
    assert_int_equal(pthread_create(&thread, NULL, observe, &observer), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(number, sizeof(number), "%" PRIu64, namespace_position(load(writer, "one")) + 1);
        if (writer->options.shared)
            write_shared(writer, "one", "n", number);
        else
            set_key(writer, "one", "n", number);
        assert_int_equal(sync_now(writer, "one", NULL), PERSISTENCE_OK);
        assert_int_equal(sync_now(observed, "one", NULL), PERSISTENCE_OK);
    }
    atomic_store(&observer.stop, true);
    pthread_join(thread, NULL);
    assert_false(observer.wrong);
}

static void the_position_is_that_of_the_state_beside_it(void **state)
{
    char dirs[2][300];
    struct bench alone = {.options = bench_options(*state)};
    bench_start(&alone);
    observe_commits(&alone, &alone);
    bench_close(&alone);
    struct bench writer = open_shared(*state, "writer", dirs[0]);
    struct bench other = open_shared(*state, "other", dirs[1]);
    observe_commits(&writer, &other);
    bench_close(&writer);
    bench_close(&other);
    remove_directory(dirs[0]);
    remove_directory(dirs[1]);
}

static size_t entries_in(const char *store)
{
    struct text body = {0}, error = {0};
    struct head head;
    read_head(store, &body);
    assert_true(head_decode(text_slice(&body), slice_of("one"), &head, &error));
    size_t count = head.replica_count;
    head_release(&head);
    text_release(&body);
    return count;
}

/* A journal's ops may be those of any earlier start; without a journal there are none. */
static void without_a_journal_earlier_starts_leave_no_entries(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    bench.options.journal = false;
    for (int start = 0; start < 3; start++) {
        bench_start(&bench);
        for (int i = 0; i < 1000 && (i == 0 || entries_in(*state) > 1); i++) {
            add_number(&bench, "one", "n", 1);
            assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
            usleep(10000);
        }
        assert_int_equal(entries_in(*state), 1);
        bench_close(&bench);
    }
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
        T(what_cannot_be_taken_in_is_not_loaded_again),
        T(an_older_copy_that_comes_between_a_look_and_the_load_is_not_served),
        T(an_older_copy_is_not_loaded_by_who_had_the_newer_one),
        T(a_fold_that_another_overtakes_says_nothing),
        T(a_fold_that_misses_what_the_head_names_says_so),
        T(a_fold_that_takes_long_tells_so),
        T(a_load_that_takes_long_tells_so),
        T(the_position_is_that_of_the_state_beside_it),
        T(without_a_journal_earlier_starts_leave_no_entries),
        T(what_others_wrote_and_is_lost_is_named_until_it_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
