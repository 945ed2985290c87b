/* SPDX-License-Identifier: BSD-3-Clause */
/* A head that somebody removed is missed, whether the journal knows of it or not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "persistence/file.h"
#include "tests/persistence/persistence_support.h"

/* What all of these do to files is done in the directory of the test. */
static void path_in(const char *place, const char *name, char out[400])
{
    snprintf(out, 400, "%s/%s", place, name);
}

static void rename_in(const char *place, const char *from, const char *to)
{
    char a[400], b[400];
    path_in(place, from, a);
    path_in(place, to, b);
    assert_int_equal(rename(a, b), 0);
}

static void remove_in(const char *place, const char *name)
{
    char path[400];
    path_in(place, name, path);
    assert_int_equal(unlink(path), 0);
}

/* Lines of .cairn/namespaces for that namespace. */
static int noted(const char *place, const char *name)
{
    char path[400], words[160];
    struct text bytes = {0};
    int count = 0;
    path_in(place, ".cairn", path);
    int own = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(own >= 0);
    assert_int_equal(file_read(own, "namespaces", &bytes), 0);
    snprintf(words, sizeof(words), "\n%s ", name);
    for (const char *at = text_terminated(&bytes); (at = strstr(at, words)); at++)
        count++;
    text_release(&bytes);
    close(own);
    return count;
}

/* As the refusal tells an operator to. */
static void remove_line(const char *place, const char *name)
{
    char command[1000];
    snprintf(command, sizeof(command), "sed -i '/^%s /d' '%s/.cairn/namespaces'", name, place);
    assert_int_equal(system(command), 0);
}

static void refused(const struct persistence_options *options, const char *words)
{
    struct persistence *p = NULL;
    struct text error = {0};
    assert_int_equal(persistence_open(options, &p, &error), PERSISTENCE_CORRUPT);
    if (!strstr(text_terminated(&error), words))
        fail_msg("'%s' is not in '%s'", words, text_terminated(&error));
    text_release(&error);
}

/* With a directory of its own, beside the store. */
static struct persistence_options options_with(const char *store, const char *dir)
{
    struct persistence_options options = bench_options(store);
    options.dir = dir;
    return options;
}

static void a_head_that_is_removed_after_a_clean_stop_is_missed(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    set_key(&bench, "two", "k", "w");
    bench_close(&bench);
    assert_int_equal(count_files(*state, ".cairn", "journal-"), 0);
    rename_in(*state, "one.json", "away");
    refused(&bench.options, "one.json is missing");
    refused(&bench.options, ".cairn/namespaces");
    rename_in(*state, "away", "one.json");
    bench_start(&bench);
    assert_key(&bench, "one", "k", "v");
    assert_key(&bench, "two", "k", "w");
    bench_close(&bench);
}

static void what_was_removed_on_purpose_is_not_missed_without_its_line(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    set_key(&bench, "two", "k", "w");
    bench_close(&bench);
    remove_in(*state, "one.json");
    refused(&bench.options, "one.json is missing");
    remove_line(*state, "one");
    bench_start(&bench);
    assert_no_key(&bench, "one", "k");
    assert_key(&bench, "two", "k", "w");
    set_key(&bench, "one", "k", "new");
    bench_close(&bench);
    assert_int_equal(noted(*state, "one"), 1);
    remove_in(*state, "one.json");
    refused(&bench.options, "one.json is missing");
}

static void a_namespace_has_one_line_and_only_once_it_has_a_head(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    assert_no_key(&bench, "two", "k");
    for (int i = 0; i < 3; i++) {
        bench_reopen(&bench);
        set_key(&bench, "one", "k", "w");
        assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
        assert_no_key(&bench, "two", "k");
    }
    bench_close(&bench);
    assert_int_equal(noted(*state, "one"), 1);
    assert_int_equal(noted(*state, "two"), 0);
}

/* Where others may begin it at any time, it is looked at again and again. */
static void what_is_looked_at_and_not_there_is_not_noted(void **state)
{
    char own[300], command[800];
    snprintf(own, sizeof(own), "%s-own", (char *)*state);
    struct bench bench = {.options = options_with(*state, own)};
    bench.options.shared = true;
    bench_start(&bench);
    assert_no_key(&bench, "two", "k");
    assert_int_equal(sync_now(&bench, "two", NULL), PERSISTENCE_OK);
    bench_close(&bench);
    snprintf(command, sizeof(command), "mv '%s/.cairn/namespaces' '%s/.cairn/'", own,
             (char *)*state);
    assert_int_equal(system(command), 0);
    assert_int_equal(noted(*state, "two"), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", own);
    assert_int_equal(system(command), 0);
}

static void a_head_that_goes_before_its_load_fails_the_namespace(void **state)
{
    struct bench bench = bench_open(*state);
    struct namespace *ns;
    char why[500];
    set_key(&bench, "one", "k", "v");
    bench_reopen(&bench);
    rename_in(*state, "one.json", "away");
    assert_int_equal(try_load(&bench, "one", &ns), NAMESPACE_FAILED);
    namespace_lock(ns);
    namespace_error(ns, why, sizeof(why));
    namespace_unlock(ns);
    assert_non_null(strstr(why, "one.json is missing"));
    rename_in(*state, "away", "one.json");
    assert_key(&bench, "one", "k", "v");
    bench_close(&bench);
}

static void reload_fails(struct bench *bench, const char *words)
{
    struct text error = {0};
    struct namespace *ns = load(bench, "one");
    assert_int_equal(persistence_reload(bench->p, ns, &error), PERSISTENCE_CORRUPT);
    if (!strstr(text_terminated(&error), words))
        fail_msg("%s", text_terminated(&error));
    text_release(&error);
    assert_key(bench, "one", "k", "w");
}

static void a_head_that_goes_or_goes_back_under_a_server_is_told_by_a_reload(void **state)
{
    struct bench bench = bench_open(*state);
    struct text error = {0}, old = {0};
    char path[400];
    path_in(*state, "one.json", path);
    set_key(&bench, "one", "k", "v");
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    assert_int_equal(file_read(AT_FDCWD, path, &old), 0);
    set_key(&bench, "one", "k", "w");
    assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    rename_in(*state, "one.json", "away");
    reload_fails(&bench, "one.json is missing");
    assert_int_equal(file_create(AT_FDCWD, path, text_slice(&old)), 0);
    reload_fails(&bench, "one.json is at position 1, though this server has seen 2");
    rename_in(*state, "away", "one.json");
    assert_int_equal(persistence_reload(bench.p, load(&bench, "one"), &error), PERSISTENCE_OK);
    assert_key(&bench, "one", "k", "w");
    rename_in(*state, "one.json", "away");
    set_key(&bench, "one", "k", "x");
    assert_int_not_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
    char why[300];
    persistence_trouble(bench.p, why, sizeof(why));
    assert_non_null(strstr(why, "put it back, and restart this server"));
    assert_int_not_equal(persistence_close(bench.p), PERSISTENCE_OK);
    refused(&bench.options, "one.json is missing");
    rename_in(*state, "away", "one.json");
    bench_start(&bench);
    assert_key(&bench, "one", "k", "x");
    bench_close(&bench);
    text_release(&old);
}

static void a_server_of_before_notes_what_it_loads(void **state)
{
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    bench_close(&bench);
    remove_in(*state, ".cairn/namespaces");
    bench_start(&bench);
    assert_key(&bench, "one", "k", "v");
    bench_close(&bench);
    assert_int_equal(noted(*state, "one"), 1);
    remove_in(*state, "one.json");
    refused(&bench.options, "one.json is missing");
}

static void what_only_looks_like_a_head_may_go(void **state)
{
    char path[400];
    struct namespace *ns;
    struct bench bench = bench_open(*state);
    path_in(*state, "package.json", path);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(fd, "{}", 2), 2);
    close(fd);
    bench_reopen(&bench);
    assert_int_equal(try_load(&bench, "package", &ns), NAMESPACE_FAILED);
    bench_close(&bench);
    assert_int_equal(noted(*state, "package"), 0);
    remove_in(*state, "package.json");
    bench_start(&bench);
    bench_close(&bench);
}

/* The same --dir for one store after another. */
static void another_store_is_missing_nothing(void **state)
{
    char own[300], other[300], command[700];
    snprintf(own, sizeof(own), "%s-own", (char *)*state);
    snprintf(other, sizeof(other), "%s-other", (char *)*state);
    struct bench first = {.options = options_with(*state, own)};
    struct bench second = {.options = options_with(other, own)};
    bench_start(&first);
    set_key(&first, "one", "k", "v");
    bench_close(&first);
    bench_start(&second);
    assert_no_key(&second, "one", "k");
    set_key(&second, "two", "k", "w");
    bench_close(&second);
    bench_start(&first);
    assert_key(&first, "one", "k", "v");
    bench_close(&first);
    /* Say that what it lies on is not mounted. */
    remove_in(*state, "one.json");
    refused(&first.options, "one.json is missing");
    bench_start(&second);
    assert_key(&second, "two", "k", "w");
    bench_close(&second);
    snprintf(command, sizeof(command), "rm -rf '%s' '%s'", own, other);
    assert_int_equal(system(command), 0);
}

static void a_store_that_moves_with_its_server_s_directory_is_the_same(void **state)
{
    char moved[300];
    struct bench bench = bench_open(*state);
    set_key(&bench, "one", "k", "v");
    bench_close(&bench);
    snprintf(moved, sizeof(moved), "%s-moved", (char *)*state);
    assert_int_equal(rename(*state, moved), 0);
    bench.options.store = moved;
    remove_in(moved, "one.json");
    refused(&bench.options, "one.json is missing");
    assert_int_equal(rename(moved, *state), 0);
}

static void heads_that_others_made_are_noted_where_they_were_seen(void **state)
{
    char own[3][300], command[1000];
    struct bench benches[3];
    for (int i = 0; i < 3; i++) {
        snprintf(own[i], sizeof(own[i]), "%s-own-%d", (char *)*state, i);
        benches[i] = (struct bench){.options = options_with(*state, own[i])};
        benches[i].options.shared = true;
        bench_start(&benches[i]);
    }
    set_key(&benches[0], "one", "k", "v");
    assert_int_equal(sync_now(&benches[0], "one", NULL), PERSISTENCE_OK);
    assert_key(&benches[1], "one", "k", "v");
    for (int i = 0; i < 3; i++)
        bench_close(&benches[i]);
    remove_in(*state, "one.json");
    refused(&benches[0].options, "one.json is missing");
    refused(&benches[1].options, "one.json is missing");
    bench_start(&benches[2]);
    bench_close(&benches[2]);
    snprintf(command, sizeof(command), "rm -rf '%s' '%s' '%s'", own[0], own[1], own[2]);
    assert_int_equal(system(command), 0);
}

/* Killed right behind the first commit: perhaps before that was noted. */
static void commit_and_die(const char *store)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct bench bench = {.options = bench_options(store)};
        bench.options.journal_fsync = JOURNAL_FSYNC_ALWAYS;
        bench_start(&bench);
        set_key(&bench, "one", "k", "v");
        assert_int_equal(sync_now(&bench, "one", NULL), PERSISTENCE_OK);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_crash_between_head_and_note_loses_nothing(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    commit_and_die(*state);
    assert_int_equal(count_files(*state, ".", "one.json"), 1);
    if (noted(*state, "one")) { /* on a slow machine */
        remove_in(*state, "one.json");
        refused(&bench.options, "one.json is missing");
        return;
    }
    remove_in(*state, "one.json");
    bench_start(&bench);
    assert_key(&bench, "one", "k", "v");
    bench_close(&bench);
    assert_int_equal(noted(*state, "one"), 1);
}

static void a_crash_between_head_and_note_is_made_up_for(void **state)
{
    struct bench bench = {.options = bench_options(*state)};
    commit_and_die(*state);
    bench_start(&bench);
    bench_close(&bench);
    assert_int_equal(noted(*state, "one"), 1);
    remove_in(*state, "one.json");
    refused(&bench.options, "one.json is missing");
}

static void a_damaged_file_is_refused(void **state)
{
    struct bench bench = bench_open(*state);
    char path[400];
    set_key(&bench, "one", "k", "v");
    bench_close(&bench);
    path_in(*state, ".cairn/namespaces", path);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "~", 1, 30), 1);
    close(fd);
    refused(&bench.options, ".cairn/namespaces: line 2");
    refused(&bench.options, *state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_head_that_is_removed_after_a_clean_stop_is_missed),
        T(what_was_removed_on_purpose_is_not_missed_without_its_line),
        T(a_namespace_has_one_line_and_only_once_it_has_a_head),
        T(what_is_looked_at_and_not_there_is_not_noted),
        T(a_head_that_goes_before_its_load_fails_the_namespace),
        T(a_head_that_goes_or_goes_back_under_a_server_is_told_by_a_reload),
        T(a_server_of_before_notes_what_it_loads),
        T(what_only_looks_like_a_head_may_go),
        T(another_store_is_missing_nothing),
        T(a_store_that_moves_with_its_server_s_directory_is_the_same),
        T(heads_that_others_made_are_noted_where_they_were_seen),
        T(a_crash_between_head_and_note_loses_nothing),
        T(a_crash_between_head_and_note_is_made_up_for),
        T(a_damaged_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
