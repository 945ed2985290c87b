/* SPDX-License-Identifier: BSD-3-Clause */
/* The journal: what is written comes back, and what was harmed is cut or refused, never wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <signal.h>

#include "persistence/file.h"
#include "persistence/journal.h"
#include "tests/persistence/journal_support.h"
#include "tests/support/random.h"

static void records_come_back_in_order(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    put(journal, "a", 1, "one");
    struct journal_section both[2] = {
        {.namespace = slice_of("a"), .first = 2, .count = 1, .ops = slice_of("two")},
        {.namespace = slice_of("b"), .position = 9, .first = 1, .count = 3, .ops = slice_of("bbb")},
    };
    uint64_t ticket = journal_append(journal, both, 2);
    assert_int_equal(journal_joint_ticket(journal), ticket);
    assert_true(journal_harden(journal, ticket, true));
    assert_true(journal_destroy(journal, false));
    assert_true(read_back(place, &seen, &scan, &error));
    assert_string_equal(text_terminated(&seen.lines), "tester/1 a 0 1+1 one\n"
                                                      "tester/1 a 0 2+1 two\n"
                                                      "tester/1 b 9 1+3 bbb\n");
    assert_int_equal(scan.count, 1);
    assert_int_equal(scan.cut[0], 0);
    journal_scan_release(&scan);
    text_release(&seen.lines);
    close(place);
}

static void records_larger_than_a_block_come_back(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    struct random random = random_init();
    struct text expected = {0};
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    for (uint64_t i = 1; i <= 40; i++) {
        size_t len = (size_t)random_below(&random, 500000);
        char *ops = mem_alloc(len);
        random_bytes(&random, ops, len);
        struct journal_section section = {
            .namespace = slice_of("n"), .first = i, .count = 1, .ops = slice_make(ops, len)};
        uint64_t ticket = journal_append(journal, &section, 1);
        if (i % 3 == 0)
            assert_true(journal_harden(journal, ticket, i % 2 == 0));
        text_append_format(&expected, "tester/1 n 0 %" PRIu64 "+1 ", i);
        text_append(&expected, ops, len);
        text_append_char(&expected, '\n');
        mem_free(ops);
    }
    assert_true(journal_destroy(journal, false));
    assert_true(read_back(place, &seen, &scan, &error));
    assert_true(slice_equal(text_slice(&seen.lines), text_slice(&expected)));
    journal_scan_release(&scan);
    text_release(&seen.lines);
    text_release(&expected);
    close(place);
}

static void each_start_continues_in_a_new_file(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    for (int start = 1; start <= 3; start++) {
        char name[32];
        snprintf(name, sizeof(name), "tester/%d", start);
        struct journal *journal = begin(place, name, JOURNAL_FSYNC_NO);
        put(journal, "a", 1, name);
        assert_true(journal_destroy(journal, false));
    }
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(scan.count, 3);
    assert_int_equal(seen.sections, 3);
    journal_scan_release(&scan);
    assert_int_equal(unlinkat(place, "journal-2.log", 0), 0);
    assert_false(read_back(place, &seen, &scan, &error));
    assert_non_null(strstr(text_terminated(&error), "journal-2.log is missing"));
    text_release(&seen.lines);
    text_release(&error);
    close(place);
}

/* --- harm --- */

/* The sum is right: so it was written, but no commit could carry the number of the op. */
static void a_number_that_cannot_be_committed_is_refused(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    put(journal, "n", UINT64_C(1) << 52, "x");
    assert_true(journal_destroy(journal, false));
    assert_true(read_back(place, &seen, &scan, &error));
    journal_scan_release(&scan);
    journal = begin(place, "tester/2", JOURNAL_FSYNC_NO);
    put(journal, "n", (UINT64_C(1) << 52) + 1, "x");
    assert_true(journal_destroy(journal, false));
    assert_false(read_back(place, &seen, &scan, &error));
    assert_non_null(strstr(text_terminated(&error), "journal-2.log: byte 128: "));
    assert_non_null(strstr(text_terminated(&error), "no valid content"));
    text_release(&seen.lines);
    text_release(&error);
    close(place);
}

/* Without the zeros that are written ahead; the last byte of a record is none here. */
static void drop_zeros(struct text *bytes)
{
    while (bytes->data[bytes->len - 1] == 0)
        bytes->len--;
}

/* A journal whose records were fsynced one by one, and its bytes. */
static void make_journal(int place, enum journal_fsync policy, struct text *ret_bytes,
                         struct text *ret_lines)
{
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    struct journal *journal = begin(place, INCARNATION, policy);
    static const char *const ops[] = {"first", "second, a little longer", "3", "fourth", "fifth"};
    for (uint64_t i = 0; i < 5; i++)
        assert_true(journal_harden(journal, put(journal, "space", i + 1, ops[i]), false));
    assert_true(journal_destroy(journal, false));
    assert_int_equal(file_read(place, "journal-1.log", ret_bytes), 0);
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(scan.cut[0], 0);
    drop_zeros(ret_bytes);
    text_append_slice(ret_lines, text_slice(&seen.lines));
    journal_scan_release(&scan);
    text_release(&seen.lines);
}

static bool is_prefix(const struct text *part, const struct text *whole)
{
    return part->len <= whole->len &&
           (part->len == 0 || memcmp(part->data, whole->data, part->len) == 0);
}

static void a_cut_at_any_byte_leaves_a_prefix(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0}, lines = {0};
    make_journal(place, JOURNAL_FSYNC_ALWAYS, &bytes, &lines);
    for (size_t len = 0; len < bytes.len; len++) {
        replace_file(place, "journal-1.log", slice_make(bytes.data, len));
        assert_true(read_back(place, &seen, &scan, &error));
        assert_true(is_prefix(&seen.lines, &lines));
        assert_true(seen.sections < 5);
        journal_scan_release(&scan);
    }
    text_release(&seen.lines);
    text_release(&bytes);
    text_release(&lines);
    close(place);
}

static void a_torn_end_is_cut_on_disk_and_told(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0}, lines = {0}, after = {0};
    make_journal(place, JOURNAL_FSYNC_ALWAYS, &bytes, &lines);
    replace_file(place, "journal-1.log", slice_make(bytes.data, bytes.len - 3));
    assert_true(journal_read(place, true, note, &seen, &scan, &error));
    assert_non_null(strstr(scan.cut, "journal-1.log"));
    assert_non_null(strstr(scan.cut, "from byte"));
    journal_scan_release(&scan);
    assert_int_equal(file_read(place, "journal-1.log", &after), 0);
    assert_true(after.len < bytes.len - 3);
    /* Behind it, the next incarnation's file: now the first must be whole. */
    journal_destroy(begin(place, "tester/2", JOURNAL_FSYNC_NO), false);
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(scan.cut[0], 0);
    assert_int_equal(seen.sections, 4);
    journal_scan_release(&scan);
    replace_file(place, "journal-1.log", slice_make(after.data, after.len - 3));
    assert_false(read_back(place, &seen, &scan, &error));
    assert_non_null(strstr(text_terminated(&error), "journal-1.log: byte "));
    text_release(&seen.lines);
    text_release(&bytes);
    text_release(&lines);
    text_release(&after);
    text_release(&error);
    close(place);
}

/* A journal kept as a value: its records are whole, and look as if they followed on damage. */
static void a_torn_record_with_whole_records_inside_is_refused(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0}, lines = {0}, after = {0};
    make_journal(place, JOURNAL_FSYNC_ALWAYS, &bytes, &lines);
    assert_int_equal(unlinkat(place, "journal-1.log", 0), 0);
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    struct journal_section section = {
        .namespace = slice_of("space"), .first = 1, .count = 1, .ops = text_slice(&bytes)};
    journal_append(journal, &section, 1);
    assert_true(journal_destroy(journal, false));
    assert_int_equal(file_read(place, "journal-1.log", &after), 0);
    drop_zeros(&after);
    replace_file(place, "journal-1.log", slice_make(after.data, after.len - 3));
    assert_false(read_back(place, &seen, &scan, &error));
    assert_non_null(strstr(text_terminated(&error), "journal-1.log: byte 128: "));
    text_release(&seen.lines);
    text_release(&bytes);
    text_release(&lines);
    text_release(&after);
    text_release(&error);
    close(place);
}

static void zeros_behind_the_records_are_no_damage(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0}, lines = {0};
    make_journal(place, JOURNAL_FSYNC_ALWAYS, &bytes, &lines);
    for (size_t zeros = 0; zeros < 3000; zeros += 1 + zeros / 2) {
        struct text longer = {0};
        text_append_slice(&longer, text_slice(&bytes));
        memset(text_reserve(&longer, zeros), 0, zeros);
        longer.len += zeros;
        replace_file(place, "journal-1.log", text_slice(&longer));
        assert_true(read_back(place, &seen, &scan, &error));
        assert_int_equal(scan.cut[0], 0);
        assert_int_equal(seen.sections, 5);
        journal_scan_release(&scan);
        text_release(&longer);
    }
    text_release(&seen.lines);
    text_release(&bytes);
    text_release(&lines);
    close(place);
}

/* Every single flipped bit: refused, or in what no fsync had covered a prefix. */
static void check_flips(void **state, enum journal_fsync policy)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0}, lines = {0};
    size_t refused = 0;
    make_journal(place, policy, &bytes, &lines);
    for (size_t at = 0; at < bytes.len; at++) {
        for (int bit = 0; bit < 8; bit += 3) {
            bytes.data[at] = (char)(bytes.data[at] ^ (1 << bit));
            replace_file(place, "journal-1.log", text_slice(&bytes));
            bytes.data[at] = (char)(bytes.data[at] ^ (1 << bit));
            if (read_back(place, &seen, &scan, &error)) {
                /* Only the last record may be taken for torn. */
                assert_int_equal(seen.sections, 4);
                assert_true(is_prefix(&seen.lines, &lines));
                assert_true(scan.cut[0]);
                journal_scan_release(&scan);
            } else {
                assert_non_null(strstr(text_terminated(&error), "journal-1.log: byte "));
                refused++;
            }
        }
    }
    assert_true(refused > bytes.len);
    text_release(&seen.lines);
    text_release(&bytes);
    text_release(&lines);
    text_release(&error);
    close(place);
}

static void a_flipped_bit_is_found(void **state)
{
    check_flips(state, JOURNAL_FSYNC_ALWAYS);
}

static void a_flipped_bit_is_found_in_what_was_never_fsynced(void **state)
{
    check_flips(state, JOURNAL_FSYNC_NO);
}

/* A power cut may keep later pages of a write and lose earlier ones, which read as zeros. */
static void lost_pages_of_the_last_write_are_a_torn_end(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0};
    char ops[1500];
    memset(ops, 'x', sizeof(ops) - 1);
    ops[sizeof(ops) - 1] = '\0';
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    for (uint64_t i = 1; i <= 20; i++)
        put(journal, "space", i, ops);
    assert_true(journal_destroy(journal, false));
    assert_int_equal(file_read(place, "journal-1.log", &bytes), 0);
    memset(bytes.data + 8192, 0, 4096);
    replace_file(place, "journal-1.log", text_slice(&bytes));
    assert_true(read_back(place, &seen, &scan, &error));
    assert_true(scan.cut[0]);
    assert_true(seen.sections > 0 && seen.sections < 8);
    journal_scan_release(&scan);
    text_release(&seen.lines);
    text_release(&bytes);
    close(place);
}

/* … but not of what an fsync had covered before a later record was made. */
static void lost_pages_before_an_fsync_are_damage(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0}, bytes = {0};
    char ops[1500];
    memset(ops, 'x', sizeof(ops) - 1);
    ops[sizeof(ops) - 1] = '\0';
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    for (uint64_t i = 1; i <= 19; i++)
        put(journal, "space", i, ops);
    assert_true(journal_harden(journal, journal_end(journal), true));
    put(journal, "space", 20, ops);
    assert_true(journal_destroy(journal, false));
    assert_int_equal(file_read(place, "journal-1.log", &bytes), 0);
    memset(bytes.data + 8192, 0, 4096);
    replace_file(place, "journal-1.log", text_slice(&bytes));
    assert_false(read_back(place, &seen, &scan, &error));
    assert_non_null(strstr(text_terminated(&error), "damaged"));
    text_release(&seen.lines);
    text_release(&bytes);
    text_release(&error);
    close(place);
}

/* --- rotation, release --- */

static void files_rotate_and_go_once_all_is_committed(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    char *ops = mem_alloc(300001);
    memset(ops, 'r', 300000);
    ops[300000] = '\0';
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_EVERYSEC);
    uint64_t number = 1;
    for (int i = 0; i < 100 && count_files(*state, ".", "journal-") < 3; i++) {
        for (int j = 0; j < 4; j++)
            put(journal, "n", number++, ops);
        assert_true(journal_harden(journal, journal_end(journal), false));
        usleep(100000);
    }
    assert_true(count_files(*state, ".", "journal-") >= 3);
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(seen.sections, number - 1);
    journal_scan_release(&scan);
    journal_release(journal, journal_end(journal));
    for (int i = 0; i < 100 && count_files(*state, ".", "journal-") > 1; i++)
        usleep(100000);
    assert_int_equal(count_files(*state, ".", "journal-"), 1);
    assert_true(journal_destroy(journal, true));
    assert_int_equal(count_files(*state, ".", "journal-"), 0);
    mem_free(ops);
    text_release(&seen.lines);
    close(place);
}

/* --- trouble --- */

static _Atomic int troubles, recoveries;

static void note_trouble(void *ctx, const char *sentence)
{
    (void)ctx;
    if (sentence)
        troubles++;
    else
        recoveries++;
}

static void a_full_disk_loses_nothing(void **state)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan = {0};
    struct text error = {0};
    struct rlimit old, small;
    char ops[1000];
    memset(ops, 'f', sizeof(ops) - 1);
    ops[sizeof(ops) - 1] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    troubles = recoveries = 0;
    struct journal_options options = {.directory = place,
                                      .incarnation = INCARNATION,
                                      .fsync = JOURNAL_FSYNC_ALWAYS,
                                      .rotate_bytes = 1 << 20,
                                      .trouble = note_trouble};
    struct journal *journal = journal_create(&options, &scan, &error);
    assert_non_null(journal);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 5000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = true;
    uint64_t number = 1;
    for (; ok && number < 100; number++)
        ok = journal_harden(journal, put(journal, "n", number, ops), false);
    assert_false(ok);
    assert_true(troubles > 0);
    assert_false(journal_harden(journal, journal_end(journal), false));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    for (int i = 0; i < 100 && !recoveries; i++)
        usleep(50000);
    assert_true(recoveries > 0);
    assert_true(journal_harden(journal, journal_end(journal), false));
    assert_true(journal_destroy(journal, false));
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(seen.sections, number - 1);
    assert_int_equal(scan.cut[0], 0);
    journal_scan_release(&scan);
    text_release(&seen.lines);
    close(place);
}

/* --- threads --- */

#define WRITERS 6
#define RECORDS 400

struct writer {
    struct journal *journal;
    int number;
};

static void *writer_thread(void *arg)
{
    struct writer *writer = arg;
    char name[16], ops[64];
    snprintf(name, sizeof(name), "w%d", writer->number);
    for (uint64_t i = 1; i <= RECORDS; i++) {
        snprintf(ops, sizeof(ops), "op %" PRIu64, i);
        uint64_t ticket = put(writer->journal, name, i, ops);
        assert_true(journal_harden(writer->journal, ticket, i % 50 == 0));
    }
    return NULL;
}

static void run_writers(void **state, enum journal_fsync policy)
{
    int place = open_place(state);
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    struct journal *journal = begin(place, INCARNATION, policy);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){journal, i};
        assert_int_equal(pthread_create(&threads[i], NULL, writer_thread, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_true(journal_destroy(journal, false));
    assert_true(read_back(place, &seen, &scan, &error));
    assert_int_equal(seen.sections, WRITERS * RECORDS);
    journal_scan_release(&scan);
    text_release(&seen.lines);
    close(place);
}

static void writers_share_the_journal_by_the_second(void **state)
{
    run_writers(state, JOURNAL_FSYNC_EVERYSEC);
}

static void writers_share_the_fsync(void **state)
{
    run_writers(state, JOURNAL_FSYNC_ALWAYS);
}

static void note_later(void *ctx, bool ok)
{
    gate_open(ctx, ok ? PERSISTENCE_OK : PERSISTENCE_UNWRITABLE, 0);
}

static void hardening_later_is_answered(void **state)
{
    int place = open_place(state);
    int64_t bytes, fsyncs;
    struct gate gate = GATE_INIT;
    struct journal *journal = begin(place, INCARNATION, JOURNAL_FSYNC_NO);
    put(journal, "n", 1, "x");
    journal_harden_later(journal, note_later, &gate);
    gate_pass(&gate);
    assert_int_equal(gate.status, PERSISTENCE_OK);
    journal_count(journal, &bytes, &fsyncs);
    assert_true(bytes > 0);
    assert_int_equal(fsyncs, 1);
    assert_true(journal_destroy(journal, true));
    close(place);
}

#define T(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(records_come_back_in_order),
        T(records_larger_than_a_block_come_back),
        T(each_start_continues_in_a_new_file),
        T(a_number_that_cannot_be_committed_is_refused),
        T(a_cut_at_any_byte_leaves_a_prefix),
        T(a_torn_end_is_cut_on_disk_and_told),
        T(a_torn_record_with_whole_records_inside_is_refused),
        T(zeros_behind_the_records_are_no_damage),
        T(a_flipped_bit_is_found),
        T(a_flipped_bit_is_found_in_what_was_never_fsynced),
        T(lost_pages_of_the_last_write_are_a_torn_end),
        T(lost_pages_before_an_fsync_are_damage),
        T(files_rotate_and_go_once_all_is_committed),
        T(a_full_disk_loses_nothing),
        T(writers_share_the_journal_by_the_second),
        T(writers_share_the_fsync),
        T(hardening_later_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
