/* SPDX-License-Identifier: BSD-3-Clause */
/* The identity: one name for a directory, and what it remembers of the journal over any crash. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>

#include "persistence/crc32c.h"
#include "persistence/file.h"
#include "persistence/identity.h"
#include "tests/persistence/persistence_support.h"

static int open_place(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void open_identity(int place, struct identity *identity)
{
    struct text error = {0};
    identity_init(identity);
    if (!identity_open(place, identity, &error))
        fail_msg("%s", text_terminated(&error));
}

static void overwrite(int place, struct slice bytes)
{
    unlinkat(place, "identity", 0);
    assert_int_equal(file_create(place, "identity", bytes), 0);
}

static void assert_journal(int place, uint64_t oldest, uint64_t newest)
{
    struct identity_journal journal;
    struct text error = {0};
    if (!identity_read_journal(place, &journal, &error))
        fail_msg("%s", text_terminated(&error));
    assert_int_equal(journal.oldest, oldest);
    assert_int_equal(journal.newest, newest);
}

static void the_name_lasts_and_the_nonce_does_not(void **state)
{
    int place = open_place(state);
    struct identity first, second;
    char one[COMMIT_REPLICA_SIZE], two[COMMIT_REPLICA_SIZE];
    open_identity(place, &first);
    identity_close(&first);
    open_identity(place, &second);
    assert_string_equal(first.replica, second.replica);
    assert_int_equal(second.journal.generation, 0);
    identity_incarnation(second.replica, one);
    identity_incarnation(second.replica, two);
    assert_string_not_equal(one, two);
    identity_close(&second);
    close(place);
}

/* Before there is an identity, or while one of version 1 is replaced. */
static void a_crash_amid_its_making_is_in_nobodys_way(void **state)
{
    int place = open_place(state);
    struct identity identity;
    assert_int_equal(file_create(place, "identity.new", slice_of("cairn-id")), 0);
    open_identity(place, &identity);
    identity_close(&identity);
    assert_int_equal(count_files(*state, ".", "identity"), 1);
    close(place);
}

static void what_is_noted_never_goes_back(void **state)
{
    int place = open_place(state);
    struct identity identity;
    open_identity(place, &identity);
    assert_int_equal(identity_note_journal(&identity, 1, 1), 0);
    assert_journal(place, 1, 1);
    assert_int_equal(identity_note_journal(&identity, 1, 2), 0);
    assert_int_equal(identity_note_journal(&identity, 2, 0), 0);
    assert_int_equal(identity_note_journal(&identity, 1, 1), 0);
    assert_journal(place, 2, 2);
    identity_close(&identity);
    open_identity(place, &identity);
    assert_int_equal(identity.journal.generation, 3);
    assert_int_equal(identity_note_journal(&identity, 0, 3), 0);
    assert_journal(place, 2, 3);
    identity_close(&identity);
    close(place);
}

/* A power cut amid any note leaves what was before it, or what is after it. */
static void a_torn_note_leaves_the_one_before(void **state)
{
    int place = open_place(state);
    struct identity identity;
    struct text before = {0}, after = {0}, torn = {0};
    open_identity(place, &identity);
    for (uint64_t newest = 1; newest < 5; newest++) {
        text_clear(&before);
        text_clear(&after);
        assert_int_equal(file_read(place, "identity", &before), 0);
        assert_int_equal(identity_note_journal(&identity, 1, newest), 0);
        assert_int_equal(file_read(place, "identity", &after), 0);
        assert_int_equal(before.len, after.len);
        size_t from = 0, to = after.len;
        while (before.data[from] == after.data[from])
            from++;
        while (before.data[to - 1] == after.data[to - 1])
            to--;
        for (size_t cut = from; cut < to; cut++) {
            text_clear(&torn);
            text_append(&torn, after.data, cut);
            text_append(&torn, before.data + cut, before.len - cut);
            overwrite(place, text_slice(&torn));
            assert_journal(place, newest > 1 ? 1 : 0, newest - 1);
            /* Whatever else the disk made of that page. */
            memset(torn.data + cut, 0, to - cut);
            overwrite(place, text_slice(&torn));
            assert_journal(place, newest > 1 ? 1 : 0, newest - 1);
        }
        overwrite(place, text_slice(&after));
        identity_close(&identity);
        open_identity(place, &identity);
    }
    identity_close(&identity);
    text_release(&before);
    text_release(&after);
    text_release(&torn);
    close(place);
}

static void one_of_before_the_journal_was_noted_is_taken_over(void **state)
{
    static const char line[] = "cairn-identity 1 host-0a1b2c3d ";
    int place = open_place(state);
    struct identity identity;
    struct text file = {0};
    text_append_string(&file, line);
    text_append_format(&file, "%08" PRIx32 "\n", crc32c(0, line, sizeof(line) - 1));
    overwrite(place, text_slice(&file));
    assert_journal(place, 0, 0);
    open_identity(place, &identity);
    assert_string_equal(identity.replica, "host-0a1b2c3d");
    assert_int_equal(identity_note_journal(&identity, 4, 5), 0);
    assert_journal(place, 4, 5);
    identity_close(&identity);
    text_release(&file);
    close(place);
}

static void damage_is_found(void **state)
{
    int place = open_place(state);
    struct identity identity;
    struct identity_journal journal;
    struct text file = {0}, error = {0};
    open_identity(place, &identity);
    assert_int_equal(identity_note_journal(&identity, 1, 1), 0);
    identity_close(&identity);
    assert_int_equal(file_read(place, "identity", &file), 0);
    overwrite(place, slice_make(file.data, file.len - 1));
    assert_false(identity_read_journal(place, &journal, &error));
    file.data[20] ^= 1;
    overwrite(place, text_slice(&file));
    assert_false(identity_read_journal(place, &journal, &error));
    file.data[20] ^= 1;
    file.data[4096 + 9] ^= 1;
    file.data[8192 + 9] ^= 1;
    overwrite(place, text_slice(&file));
    assert_false(identity_read_journal(place, &journal, &error));
    assert_non_null(strstr(text_terminated(&error), ".cairn/identity"));
    text_release(&file);
    text_release(&error);
    close(place);
}

#define T(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_name_lasts_and_the_nonce_does_not),
        T(a_crash_amid_its_making_is_in_nobodys_way),
        T(what_is_noted_never_goes_back),
        T(a_torn_note_leaves_the_one_before),
        T(one_of_before_the_journal_was_noted_is_taken_over),
        T(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
