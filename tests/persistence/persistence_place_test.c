/* SPDX-License-Identifier: BSD-3-Clause */
/* What a journal has goes into the store that it was written for, and into no other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "persistence/file.h"
#include "tests/persistence/persistence_support.h"

/* A place for the server's own, and two stores, none of them there yet. */
struct site {
    char own[300], one[300], two[300];
};

static void path_in(const char *directory, const char *name, char out[300])
{
    snprintf(out, 300, "%s/%s", directory, name);
}

static struct site make_site(void **state)
{
    struct site site;
    path_in(*state, "own", site.own);
    path_in(*state, "one", site.one);
    path_in(*state, "two", site.two);
    return site;
}

static struct persistence_options options_with(const char *store, const char *dir)
{
    struct persistence_options options = bench_options(store);
    options.dir = dir;
    return options;
}

/* A server that ends by a kill, with an op of a new namespace in its journal alone. */
static void write_and_die(const char *store, const char *dir)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct bench bench = {.options = options_with(store, dir)};
        bench_start(&bench);
        set_key(&bench, "fresh", "k", "v");
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void refused(const char *store, const char *dir, const char *const *words)
{
    struct persistence_options options = options_with(store, dir);
    struct persistence *p = NULL;
    struct text error = {0};
    assert_int_equal(persistence_open(&options, &p, &error), PERSISTENCE_CORRUPT);
    for (; *words; words++)
        if (!strstr(text_terminated(&error), *words))
            fail_msg("'%s' is not in '%s'", *words, text_terminated(&error));
    text_release(&error);
}
#define REFUSED(store, dir, ...) refused(store, dir, (const char *const[]){__VA_ARGS__, NULL})

/* It opens, the op is there, and it ends with everything committed. */
static void all_is_there(const char *store, const char *dir)
{
    struct bench bench = {.options = options_with(store, dir)};
    bench_start(&bench);
    assert_key(&bench, "fresh", "k", "v");
    bench_close(&bench);
}

static void opens_empty(const char *store, const char *dir)
{
    struct bench bench = {.options = options_with(store, dir)};
    bench_start(&bench);
    assert_no_key(&bench, "fresh", "k");
    bench_close(&bench);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(from, to), 0);
}

static void remove_note(const char *dir)
{
    char path[320];
    snprintf(path, sizeof(path), "%s/.cairn/store", dir);
    assert_int_equal(unlink(path), 0);
}

static void assert_note(const char *dir, const char *words)
{
    char path[320];
    struct text bytes = {0};
    snprintf(path, sizeof(path), "%s/.cairn", dir);
    int own = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(own >= 0);
    assert_int_equal(file_read(own, "store", &bytes), 0);
    if (!strstr(text_terminated(&bytes), words))
        fail_msg("'%s' is not in '%s'", words, text_terminated(&bytes));
    text_release(&bytes);
    close(own);
}

static void another_store_is_refused_and_not_touched(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, site.own);
    for (int made = 0; made < 2; made++) {
        REFUSED(site.two, site.own, site.own, "1 op ", site.one, site.two, "SHUTDOWN", "--dir",
                ".cairn/store");
        assert_int_equal(access(site.two, F_OK), made - 1);
        if (made)
            assert_int_equal(rmdir(site.two), 0); /* it is empty */
        else
            assert_int_equal(mkdir(site.two, 0755), 0);
    }
    all_is_there(site.one, site.own);
}

static void what_is_committed_needs_no_store_any_more(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, site.own);
    all_is_there(site.one, site.own);
    opens_empty(site.two, site.own);
    assert_note(site.own, site.two);
    write_and_die(site.two, site.own);
    REFUSED(site.one, site.own, site.two);
    all_is_there(site.two, site.own);
    all_is_there(site.one, site.own);
}

static void without_a_journal_an_earlier_one_still_has_its_store(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, site.own);
    struct persistence_options options = options_with(site.two, site.own);
    struct persistence *p = NULL;
    struct text error = {0};
    options.journal = false;
    assert_int_equal(persistence_open(&options, &p, &error), PERSISTENCE_CORRUPT);
    assert_non_null(strstr(text_terminated(&error), site.one));
    text_release(&error);
    all_is_there(site.one, site.own);
}

static void a_store_that_was_moved_is_taken_without_the_note(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, site.own);
    move(site.one, site.two);
    REFUSED(site.two, site.own, "moved");
    remove_note(site.own);
    all_is_there(site.two, site.own);
    assert_note(site.own, site.two);
}

static void what_a_store_has_in_a_journal_of_its_own_is_not_passed_over(void **state)
{
    struct site site = make_site(state);
    struct persistence_options shared = options_with(site.one, site.own);
    struct persistence *p = NULL;
    struct text error = {0};
    write_and_die(site.one, NULL);
    REFUSED(site.one, site.own, "1 op ", site.one, "--dir", "SHUTDOWN");
    shared.shared = true;
    assert_int_equal(persistence_open(&shared, &p, &error), PERSISTENCE_CORRUPT);
    assert_non_null(strstr(text_terminated(&error), "SHUTDOWN"));
    text_release(&error);
    all_is_there(site.one, NULL);
    all_is_there(site.one, site.own);
}

static void what_a_store_keeps_for_another_one_is_not_its_own(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.two, site.one);
    opens_empty(site.one, site.own);
    all_is_there(site.two, site.one);
}

static void a_store_with_the_journal_in_it_may_move(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, NULL);
    assert_note(site.one, " . ");
    move(site.one, site.two);
    all_is_there(site.two, NULL);
    write_and_die(site.two, site.two);
    move(site.two, site.one);
    all_is_there(site.one, NULL);
}

static void a_store_of_its_own_is_not_another_one(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, NULL);
    REFUSED(site.two, site.one, "the store in itself", site.two);
    all_is_there(site.one, NULL);
    write_and_die(site.one, site.own);
    REFUSED(site.own, NULL, site.one, "the store in itself");
    all_is_there(site.one, site.own);
}

static void a_directory_of_before_takes_its_note(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, site.own);
    remove_note(site.own);
    all_is_there(site.one, site.own);
    assert_note(site.own, site.one);
}

/* There is nothing to tell apart in a store's name but where it is. */
static void a_store_has_many_names(void **state)
{
    struct site site = make_site(state);
    char longer[400], link[300];
    path_in(*state, "link", link);
    assert_int_equal(symlink(*state, link), 0);
    snprintf(longer, sizeof(longer), "%s/one//", link);
    write_and_die(longer, site.own); /* which makes it */
    assert_note(site.own, site.one);
    assert_int_equal(chdir(*state), 0);
    all_is_there("one", site.own);
    write_and_die("./own/../two/", site.own);
    assert_note(site.own, site.two);
    all_is_there(site.two, "own");
    assert_int_equal(chdir("/"), 0);
}

static void a_damaged_note_is_refused(void **state)
{
    struct site site = make_site(state);
    char path[320];
    write_and_die(site.one, site.own);
    snprintf(path, sizeof(path), "%s/.cairn/store", site.own);
    assert_int_equal(truncate(path, 0), 0);
    REFUSED(site.one, site.own, site.own, ".cairn/store: line 1 is damaged");
    assert_int_equal(access(site.two, F_OK), -1);
    remove_note(site.own);
    all_is_there(site.one, site.own);
}

static void a_note_that_cannot_be_written_refuses_the_start(void **state)
{
    struct site site = make_site(state);
    char path[320];
    opens_empty(site.one, site.own);
    snprintf(path, sizeof(path), "%s/.cairn/store.new", site.own);
    assert_int_equal(mkdir(path, 0755), 0);
    struct persistence_options options = options_with(site.two, site.own);
    struct persistence *p = NULL;
    struct text error = {0};
    assert_int_equal(persistence_open(&options, &p, &error), PERSISTENCE_UNWRITABLE);
    assert_non_null(strstr(text_terminated(&error), ".cairn/store: File exists"));
    text_release(&error);
    assert_note(site.own, site.one);
    opens_empty(site.one, site.own);
}

static void a_memory_store_leaves_the_note_alone(void **state)
{
    struct site site = make_site(state);
    write_and_die(site.one, site.own);
    struct bench bench = {.options = options_with("memory", site.own)};
    bench.options.journal = false;
    bench_start(&bench);
    set_key(&bench, "fresh", "k", "another");
    bench_close(&bench);
    assert_note(site.own, site.one);
    all_is_there(site.one, site.own);
}

static void name_endpoint(void)
{
    struct s3_options s3 = {.endpoint = "http://127.0.0.1:1", .region = "x"};
    setenv("AWS_ACCESS_KEY_ID", "id", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    store_s3_configure(&s3);
}

/* Nobody listens there: had anything been sent, the start would have gone on without the bucket. */
static void a_bucket_is_refused_before_it_is_asked(void **state)
{
    struct site site = make_site(state);
    name_endpoint();
    write_and_die(site.one, site.own);
    REFUSED("s3://bucket/pre", site.own, site.one, "http://127.0.0.1:1/bucket/pre/");
    all_is_there(site.one, site.own);
}

static void a_bucket_that_has_not_answered_is_not_noted(void **state)
{
    struct site site = make_site(state);
    name_endpoint();
    opens_empty(site.one, site.own);
    struct bench bench = {.options = options_with("s3://mistyped", site.own)};
    bench_start(&bench);
    assert_true(persistence_loading(bench.p));
    bench_close(&bench);
    assert_note(site.own, site.one);
}

/* A document of the store that lies in the directory `store`. */
static void assert_export(const char *store, enum persistence_status expected, const char *words)
{
    char path[320];
    struct text error = {0}, bytes = {0};
    snprintf(path, sizeof(path), "%s-document", store);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    assert_int_equal(persistence_export(store, slice_of("fresh"), fd, &error), expected);
    assert_int_equal(file_read(AT_FDCWD, path, &bytes), 0);
    text_append_slice(&bytes, text_slice(&error));
    if (!strstr(text_terminated(&bytes), words))
        fail_msg("'%s' is not in '%s'", words, text_terminated(&bytes));
    text_release(&bytes);
    text_release(&error);
    close(fd);
}

static void an_export_takes_only_what_is_for_its_store(void **state)
{
    struct site site = make_site(state);
    char path[320];
    write_and_die(site.one, NULL);
    assert_export(site.one, PERSISTENCE_OK, "\"k\":\"v\"");
    write_and_die(site.two, site.own); /* which might be a store as well */
    assert_export(site.own, PERSISTENCE_CORRUPT, "fresh");
    remove_note(site.own);
    assert_export(site.own, PERSISTENCE_OK, "\"k\":\"v\"");
    snprintf(path, sizeof(path), "%s/.cairn/store", site.one);
    assert_int_equal(truncate(path, 5), 0);
    assert_export(site.one, PERSISTENCE_CORRUPT, ".cairn/store: line 1 is damaged");
}

static void servers_that_share_note_their_store_too(void **state)
{
    struct site site = make_site(state);
    struct bench bench = {.options = options_with(site.one, site.own)};
    bench.options.shared = true;
    bench_start(&bench);
    set_key(&bench, "fresh", "k", "v");
    bench_close(&bench);
    assert_note(site.own, site.one);
    assert_int_equal(count_files(site.one, ".cairn", "store"), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(another_store_is_refused_and_not_touched),
        T(what_is_committed_needs_no_store_any_more),
        T(without_a_journal_an_earlier_one_still_has_its_store),
        T(a_store_that_was_moved_is_taken_without_the_note),
        T(what_a_store_has_in_a_journal_of_its_own_is_not_passed_over),
        T(what_a_store_keeps_for_another_one_is_not_its_own),
        T(a_store_with_the_journal_in_it_may_move),
        T(a_store_of_its_own_is_not_another_one),
        T(a_directory_of_before_takes_its_note),
        T(a_store_has_many_names),
        T(a_damaged_note_is_refused),
        T(a_note_that_cannot_be_written_refuses_the_start),
        T(a_memory_store_leaves_the_note_alone),
        T(a_bucket_is_refused_before_it_is_asked),
        T(a_bucket_that_has_not_answered_is_not_noted),
        T(an_export_takes_only_what_is_for_its_store),
        T(servers_that_share_note_their_store_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
