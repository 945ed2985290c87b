/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of the journal as a whole: which must be there, and what a crash leaves of a change. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/persistence/journal_support.h"

static void know(int place, struct identity *identity)
{
    struct text error = {0};
    identity_init(identity);
    if (!identity_open(place, identity, &error))
        fail_msg("%s", text_terminated(&error));
}

/* Three starts that end in crashes: three files with a record each. */
static void make_three(int place, struct identity *identity)
{
    for (int start = 1; start <= 3; start++) {
        char name[32];
        snprintf(name, sizeof(name), "tester/%d", start);
        struct journal *journal = begin_known(place, identity, name, JOURNAL_FSYNC_NO);
        put(journal, "a", 1, name);
        assert_true(journal_destroy(journal, false));
    }
}

static void assert_read(int place, uint64_t sections, uint64_t next)
{
    assert_int_equal(assert_sections(place, sections), next);
}

static void assert_missing(int place, const char *name)
{
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, words = {0};
    assert_false(read_back(place, &seen, &scan, &error));
    text_append_format(&words, "%s is missing", name);
    if (!strstr(text_terminated(&error), text_terminated(&words)))
        fail_msg("%s", text_terminated(&error));
    text_release(&seen.lines);
    text_release(&words);
    text_release(&error);
}

static void a_missing_file_is_noticed_whichever_it_is(void **state)
{
    int place = open_place(state);
    struct identity identity;
    know(place, &identity);
    make_three(place, &identity);
    assert_read(place, 3, 4);
    for (int missing = 1; missing <= 3; missing++) {
        char name[32];
        snprintf(name, sizeof(name), "journal-%d.log", missing);
        assert_int_equal(renameat(place, name, place, "away"), 0);
        assert_missing(place, name);
        assert_int_equal(renameat(place, "away", place, name), 0);
    }
    assert_read(place, 3, 4);
    assert_int_equal(unlinkat(place, "journal-2.log", 0), 0);
    assert_int_equal(unlinkat(place, "journal-1.log", 0), 0);
    assert_missing(place, "journal-1.log");
    assert_int_equal(unlinkat(place, "journal-3.log", 0), 0);
    assert_missing(place, "journal-1.log");
    identity_close(&identity);
    close(place);
}

static void a_journal_that_was_emptied_leaves_nothing_missing(void **state)
{
    int place = open_place(state);
    struct identity identity;
    know(place, &identity);
    make_three(place, &identity);
    struct journal *journal = begin_known(place, &identity, INCARNATION, JOURNAL_FSYNC_NO);
    assert_true(journal_release_old(journal));
    assert_int_equal(count_files(*state, ".", "journal-"), 1);
    assert_read(place, 0, 5);
    assert_true(journal_destroy(journal, true));
    assert_int_equal(count_files(*state, ".", "journal-"), 0);
    assert_read(place, 0, 5);
    identity_close(&identity);
    /* Numbers go on, so that a file that comes back from somewhere is not taken for another. */
    know(place, &identity);
    journal = begin_known(place, &identity, INCARNATION, JOURNAL_FSYNC_NO);
    assert_int_equal(count_files(*state, ".", "journal-5.log"), 1);
    assert_true(journal_destroy(journal, false));
    identity_close(&identity);
    close(place);
}

/* What a crash leaves between any two steps: file made, header in it, noted; noted, removed. */
static void no_crash_between_files_is_taken_for_a_missing_one(void **state)
{
    int place = open_place(state);
    struct identity identity;
    char bytes[JOURNAL_HEADER_SIZE];
    struct journal_file_header header = {.sequence = 4, .incarnation = "tester/4"};
    know(place, &identity);
    make_three(place, &identity);
    replace_file(place, "journal-4.log", slice_make("", 0));
    assert_read(place, 3, 4);
    journal_header_encode(&header, bytes);
    replace_file(place, "journal-4.log", slice_make(bytes, sizeof(bytes)));
    assert_read(place, 3, 5);
    /* Noted before it has a record, it is needed from then on, its header too. */
    assert_int_equal(identity_note_journal(&identity, 1, 4), 0);
    assert_read(place, 3, 5);
    replace_file(place, "journal-4.log", slice_make("", 0));
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    assert_false(read_back(place, &seen, &scan, &error));
    assert_non_null(strstr(text_terminated(&error), "journal-4.log: byte 0"));
    text_release(&seen.lines);
    text_release(&error);
    replace_file(place, "journal-4.log", slice_make(bytes, sizeof(bytes)));
    /* Files that may go, and are still there, are not read any more. */
    assert_int_equal(identity_note_journal(&identity, 2, 0), 0);
    assert_read(place, 2, 5);
    assert_int_equal(unlinkat(place, "journal-1.log", 0), 0);
    assert_read(place, 2, 5);
    assert_int_equal(identity_note_journal(&identity, 4, 0), 0);
    assert_read(place, 0, 5);
    struct journal *journal = begin_known(place, &identity, INCARNATION, JOURNAL_FSYNC_NO);
    assert_int_equal(count_files(*state, ".", "journal-"), 2);
    assert_true(journal_destroy(journal, false));
    assert_read(place, 0, 6);
    identity_close(&identity);
    close(place);
}

static void an_old_file_goes_however_small(void **state)
{
    int place = open_place(state);
    struct identity identity;
    know(place, &identity);
    struct journal *journal = begin_known(place, &identity, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    put(journal, "a", 1, "one");
    for (int i = 0; i < 100 && count_files(*state, ".", "journal-2.log") == 0; i++)
        usleep(100000);
    assert_int_equal(count_files(*state, ".", "journal-1.log"), 1);
    assert_read(place, 1, 3);
    journal_release(journal, journal_end(journal));
    for (int i = 0; i < 100 && count_files(*state, ".", "journal-1.log"); i++)
        usleep(100000);
    assert_int_equal(count_files(*state, ".", "journal-"), 1);
    assert_read(place, 0, 3);
    assert_true(journal_destroy(journal, false));
    identity_close(&identity);
    close(place);
}

/* Somebody has removed a file by hand: those behind it go all the same. */
static void a_file_that_is_gone_keeps_no_other(void **state)
{
    int place = open_place(state);
    struct identity identity;
    know(place, &identity);
    struct journal *journal = begin_known(place, &identity, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    for (int file = 2; file <= 3; file++) {
        char name[32];
        snprintf(name, sizeof(name), "journal-%d.log", file);
        put(journal, "a", (uint64_t)file, "one");
        for (int i = 0; i < 100 && count_files(*state, ".", name) == 0; i++)
            usleep(100000);
    }
    assert_int_equal(unlinkat(place, "journal-1.log", 0), 0);
    journal_release(journal, journal_end(journal));
    for (int i = 0; i < 100 && count_files(*state, ".", "journal-2.log"); i++)
        usleep(100000);
    assert_int_equal(count_files(*state, ".", "journal-2.log"), 0);
    assert_read(place, 0, 4);
    assert_int_equal(unlinkat(place, "journal-3.log", 0), 0);
    assert_true(journal_destroy(journal, true));
    identity_close(&identity);
    close(place);
}

static int swap_file(struct identity *identity, int fd)
{
    pthread_mutex_lock(&identity->mutex);
    int was = identity->fd;
    identity->fd = fd;
    pthread_mutex_unlock(&identity->mutex);
    return was;
}

/* A reader takes the old file's records up to where the new one says that it begins. */
static void nothing_goes_to_the_old_file_once_a_new_one_may_count(void **state)
{
    int place = open_place(state);
    struct identity identity;
    know(place, &identity);
    struct journal *journal = begin_known(place, &identity, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    int unwritable = openat(place, "identity", O_RDONLY | O_CLOEXEC);
    int writable = swap_file(&identity, unwritable);
    put(journal, "a", 1, "one");
    for (int i = 0; i < 100 && count_files(*state, ".", "journal-2.log") == 0; i++)
        usleep(100000);
    usleep(100000); /* for the note that fails */
    uint64_t ticket = put(journal, "a", 2, "two");
    if (journal_harden(journal, ticket, true))
        assert_sections(place, 2);
    swap_file(&identity, writable);
    assert_true(journal_harden(journal, ticket, true));
    assert_true(journal_destroy(journal, false));
    assert_in_range(assert_sections(place, 2), 3, 4); /* one more file, if it was begun by then */
    identity_close(&identity);
    close(unwritable);
    close(place);
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_missing_file_is_noticed_whichever_it_is),
        T(a_journal_that_was_emptied_leaves_nothing_missing),
        T(no_crash_between_files_is_taken_for_a_missing_one),
        T(an_old_file_goes_however_small),
        T(a_file_that_is_gone_keeps_no_other),
        T(nothing_goes_to_the_old_file_once_a_new_one_may_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
