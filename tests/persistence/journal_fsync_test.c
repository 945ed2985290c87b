/* SPDX-License-Identifier: BSD-3-Clause */
/* The journal's fsyncs: what one that fails leaves, and who waits for one that takes long. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "persistence/file.h"
#include "persistence/journal.h"
#include "tests/persistence/journal_support.h"

/* Stands before the C library's: an fsync that fails as the disk's would. The kernel tells one of
 * those that are under way on a file of it, and no other. */
static _Atomic int fsyncs_to_fail, fsyncs_to_hold, fsyncs_inside, fsyncs_beside;

/* Until another comes beside this one, or does not come. */
static void hold_fsync(void)
{
    for (int i = 0; i < 100 && !fsyncs_beside; i++)
        usleep(5000);
}

/* Where fsyncs of one kind wait until it is opened; whoever waits in vain is told. */
struct door {
    _Atomic bool shut, given_up;
    _Atomic int waiting;
};
static struct door data_door, file_door;

static void pass(struct door *door)
{
    door->waiting++;
    for (int i = 0; i < 5000 && door->shut; i++)
        usleep(1000);
    door->given_up |= door->shut;
    door->waiting--;
}

static void wait_for_someone_at(struct door *door)
{
    for (int i = 0; i < 10000 && !door->waiting; i++)
        usleep(1000);
    assert_true(door->waiting);
}

int fsync(int fd)
{
    pass(&file_door);
    return (int)syscall(SYS_fsync, fd);
}

/* Stands before the C library's: what one thread writes. */
static _Atomic pthread_t watched;
static _Atomic int64_t watched_writes, watched_most;

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t n = syscall(SYS_writev, fd, parts, count);
    if (pthread_equal(pthread_self(), watched)) {
        watched_writes++;
        if (n > watched_most)
            watched_most = n;
    }
    return n;
}

static void watch_me(void)
{
    watched = pthread_self();
    watched_writes = watched_most = 0;
}

int fdatasync(int fd)
{
    pass(&data_door);
    bool fails = fsyncs_to_fail > 0, holds = fsyncs_to_hold > 0;
    fsyncs_to_fail -= fails;
    fsyncs_to_hold -= holds;
    fsyncs_beside += fsyncs_inside++ > 0;
    if (holds)
        hold_fsync();
    fsyncs_inside--;
    if (!fails)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

static void after_a_failed_fsync_a_new_file_has_it_all(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0};
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_ALWAYS);
    assert_true(journal_harden(journal, put(journal, "n", 1, "one"), false));
    fsyncs_to_fail = 1;
    assert_false(journal_harden(journal, put(journal, "n", 2, "two"), false));
    assert_true(journal_harden(journal, put(journal, "n", 3, "three"), false));
    assert_true(journal_destroy(journal, false));
    assert_int_equal(count_files(*state, ".", "journal-"), 2);
    assert_true(read_back(place, &seen, &scan, &error));
    assert_string_equal(text_terminated(&seen.lines), "tester/1 n 0 1+1 one\n"
                                                      "tester/1 n 0 2+1 two\n"
                                                      "tester/1 n 1 3+1 three\n");
    journal_scan_release(&scan);
    /* What the first file has behind its last good fsync is of no account. */
    assert_int_equal(file_read(place, "journal-1.log", &bytes), 0);
    while (bytes.data[bytes.len - 1] == 0)
        bytes.len--;
    memset(bytes.data + bytes.len - 10, 0, 10);
    replace_file(place, "journal-1.log", text_slice(&bytes));
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(seen.sections, 3);
    journal_scan_release(&scan);
    text_release(&seen.lines);
    text_release(&bytes);
    close(place);
}

static void after_a_failed_fsync_a_new_file_has_all_blocks(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, expected = {0};
    char *ops = mem_alloc(100000);
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    for (uint64_t i = 1; i <= 20; i++) {
        memset(ops, 'a' + (int)i, 100000);
        struct journal_section section = {
            .namespace = slice_of("n"), .first = i, .count = 1, .ops = slice_make(ops, 100000)};
        if (i == 2) {
            /* The first is in memory no more, and is not needed any more. */
            journal_set_fsync(journal, JOURNAL_FSYNC_EVERYSEC);
            journal_release(journal, journal_end(journal));
        }
        fsyncs_to_fail = i == 15;
        assert_int_equal(journal_harden(journal, journal_append(journal, &section, 1), i == 15),
                         i != 15);
        text_append_format(&expected, "tester/1 n 0 %" PRIu64 "+1 ", i);
        text_append(&expected, ops, 100000);
        text_append_char(&expected, '\n');
    }
    assert_true(journal_destroy(journal, false));
    assert_int_equal(count_files(*state, ".", "journal-2.log"), 1);
    assert_true(read_back(place, &seen, &scan, &error));
    assert_true(slice_equal(text_slice(&seen.lines), text_slice(&expected)));
    journal_scan_release(&scan);
    text_release(&seen.lines);
    text_release(&expected);
    mem_free(ops);
    close(place);
}

static void a_failed_fsync_by_the_second_is_repaired(void **state)
{
    int place = open_place(state);
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    fsyncs_to_fail = 1;
    assert_true(journal_harden(journal, put(journal, "n", 1, "one"), false));
    for (int i = 0; i < 60 && count_files(*state, ".", "journal-2.log") == 0; i++)
        usleep(50000);
    assert_int_equal(count_files(*state, ".", "journal-2.log"), 1);
    assert_true(journal_destroy(journal, false));
    assert_sections(place, 1);
    close(place);
}

/* The second is an hour away. */
static _Atomic bool clock_ahead;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock_ahead && clock == CLOCK_MONOTONIC)
        now->tv_sec += 3600;
    return result;
}

static int64_t fsyncs_of(struct journal *journal)
{
    int64_t bytes, fsyncs;
    journal_count(journal, &bytes, &fsyncs);
    return fsyncs;
}

static void much_that_is_not_on_disk_does_not_wait_for_its_second(void **state)
{
    int place = open_place(state);
    char *value = mem_alloc(1 << 20);
    memset(value, 'v', 1 << 20);
    value[(1 << 20) - 1] = '\0';
    clock_ahead = true;
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    for (uint64_t i = 1; i <= 15; i++)
        assert_true(journal_harden(journal, put(journal, "n", i, value), false));
    usleep(50000);
    assert_int_equal(fsyncs_of(journal), 0);
    for (uint64_t i = 16; i <= 17; i++)
        assert_true(journal_harden(journal, put(journal, "n", i, value), false));
    for (int i = 0; i < 3000 && fsyncs_of(journal) == 0; i++)
        usleep(20000);
    assert_true(fsyncs_of(journal) > 0);
    clock_ahead = false;
    assert_true(journal_destroy(journal, false));
    mem_free(value);
    close(place);
}

/* While the disk is busy turns leave their records in memory. Then these are much, and not for the
 * next turn to write, whose clients wait. */
static void what_piles_up_behind_an_fsync_is_written_by_no_turn(void **state)
{
    int place = open_place(state);
    char value[100000];
    uint64_t number = 0;
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    data_door.shut = true;
    assert_true(journal_harden(journal, put(journal, "n", ++number, "one"), false));
    wait_for_someone_at(&data_door);
    watch_me();
    for (int i = 0; i < 40; i++)
        assert_true(journal_harden(journal, put(journal, "n", ++number, value), false));
    assert_int_equal(watched_writes, 0);
    data_door.shut = false;
    for (int i = 0; i < 5000 && !watched_writes; i++) {
        assert_true(journal_harden(journal, put(journal, "n", ++number, "more"), false));
        usleep(1000);
    }
    assert_true(watched_writes > 0);
    assert_true(watched_most < (int64_t)sizeof(value));
    assert_false(data_door.given_up);
    assert_true(journal_destroy(journal, false));
    assert_sections(place, number);
    close(place);
}

static void a_new_file_keeps_no_turn_waiting(void **state)
{
    int place = open_place(state);
    char *value = mem_alloc(2 << 20);
    memset(value, 'v', 2 << 20);
    value[(2 << 20) - 1] = '\0';
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    file_door.shut = true;
    assert_true(journal_harden(journal, put(journal, "n", 1, value), false));
    wait_for_someone_at(&file_door);
    assert_true(journal_harden(journal, put(journal, "n", 2, "two"), false));
    assert_false(file_door.given_up);
    file_door.shut = false;
    for (int i = 0; i < 5000 && count_files(*state, ".", "journal-2.log") == 0; i++)
        usleep(1000);
    assert_true(journal_destroy(journal, false));
    assert_int_equal(count_files(*state, ".", "journal-2.log"), 1);
    assert_sections(place, 2);
    mem_free(value);
    close(place);
}

static void *harden_to_disk(void *arg)
{
    struct journal *journal = arg;
    assert_true(journal_harden(journal, journal_end(journal), true));
    return NULL;
}

static void an_fsync_that_somebody_asked_for_keeps_no_turn_waiting(void **state)
{
    int place = open_place(state);
    pthread_t thread;
    clock_ahead = true;
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    put(journal, "n", 1, "one");
    data_door.shut = true;
    assert_int_equal(pthread_create(&thread, NULL, harden_to_disk, journal), 0);
    wait_for_someone_at(&data_door);
    assert_true(journal_harden(journal, put(journal, "n", 2, "two"), false));
    assert_false(data_door.given_up);
    data_door.shut = false;
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* It was written by whom it would have waited for. */
    assert_sections(place, 2);
    clock_ahead = false;
    assert_true(journal_destroy(journal, false));
    close(place);
}

#define ROUNDS 400

/* Whenever it comes: no turn may follow that would write it. */
static void what_is_left_in_memory_is_written_when_the_fsync_is_over(void **state)
{
    int place = open_place(state);
    struct text bytes = {0};
    uint64_t number = 0;
    char ops[32];
    clock_ahead = true;
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        int64_t fsyncs = fsyncs_of(journal);
        put(journal, "n", ++number, "first");
        assert_int_equal(pthread_create(&thread, NULL, harden_to_disk, journal), 0);
        while (fsyncs_of(journal) == fsyncs)
            continue;
        for (int n = 0; n <= i % 8; n++) {
            snprintf(ops, sizeof(ops), "record %" PRIu64 ".", ++number);
            assert_true(journal_harden(journal, put(journal, "n", number, ops), false));
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        text_clear(&bytes);
        assert_int_equal(file_read(place, "journal-1.log", &bytes), 0);
        assert_non_null(memmem(bytes.data, bytes.len, ops, strlen(ops)));
    }
    clock_ahead = false;
    assert_true(journal_destroy(journal, false));
    text_release(&bytes);
    close(place);
}

/* What fails is told once: an fsync beside it, of the same records, would say that all is well. */
static void an_fsync_beside_one_that_fails_promises_nothing(void **state)
{
    int place = open_place(state);
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    fsyncs_beside = 0;
    fsyncs_to_fail = fsyncs_to_hold = 1;
    assert_true(journal_harden(journal, put(journal, "n", 1, "one"), false));
    for (int i = 0; i < 2000 && !fsyncs_inside; i++)
        usleep(5000); /* until the journal's thread is at it */
    uint64_t ticket = put(journal, "n", 2, "two");
    if (journal_harden(journal, ticket, true))
        assert_int_equal(count_files(*state, ".", "journal-2.log"), 1);
    assert_int_equal(fsyncs_beside, 0);
    assert_true(journal_harden(journal, ticket, true));
    assert_true(journal_destroy(journal, false));
    /* All of it is in the new file, so the journal's thread may have removed the old one. */
    assert_true(unlinkat(place, "journal-1.log", 0) == 0 || errno == ENOENT);
    assert_sections(place, 2);
    close(place);
}

/* Without fsyncs records leave memory once they are written: no new file can have them. */
static void what_a_failed_fsync_may_have_lost_is_promised_to_nobody(void **state)
{
    int place = open_place(state);
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    assert_true(journal_harden(journal, put(journal, "n", 1, "one"), false));
    fsyncs_to_fail = 1;
    uint64_t lost = put(journal, "n", 2, "two");
    assert_false(journal_harden(journal, lost, true));
    uint64_t ticket = put(journal, "n", 3, "three");
    assert_true(journal_harden(journal, ticket, false));
    assert_false(journal_harden(journal, ticket, true));
    journal_release(journal, lost); /* the store has them */
    assert_true(journal_harden(journal, ticket, true));
    assert_true(journal_destroy(journal, false));
    assert_int_equal(count_files(*state, ".", "journal-"), 2);
    assert_sections(place, 3);
    close(place);
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(after_a_failed_fsync_a_new_file_has_it_all),
        T(after_a_failed_fsync_a_new_file_has_all_blocks),
        T(a_failed_fsync_by_the_second_is_repaired),
        T(what_a_failed_fsync_may_have_lost_is_promised_to_nobody),
        T(much_that_is_not_on_disk_does_not_wait_for_its_second),
        T(an_fsync_beside_one_that_fails_promises_nothing),
        T(what_piles_up_behind_an_fsync_is_written_by_no_turn),
        T(a_new_file_keeps_no_turn_waiting),
        T(an_fsync_that_somebody_asked_for_keeps_no_turn_waiting),
        T(what_is_left_in_memory_is_written_when_the_fsync_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
