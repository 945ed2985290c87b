/* SPDX-License-Identifier: BSD-3-Clause */
/* Which store a journal is for: kept as a whole; damage never passes for no note. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "persistence/crc32c.h"
#include "persistence/file.h"
#include "persistence/place_file.h"
#include "tests/persistence/persistence_support.h"

static int open_place(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void note(int directory, const char *place)
{
    assert_int_equal(place_file_write(directory, slice_of(place)), 0);
}

static void assert_noted(int directory, const char *expected)
{
    struct text place = {0}, error = {0};
    if (!place_file_read(directory, &place, &error))
        fail_msg("%s", text_terminated(&error));
    assert_string_equal(text_terminated(&place), expected);
    text_release(&place);
    text_release(&error);
}

static void overwrite(int directory, struct slice bytes)
{
    unlinkat(directory, "store", 0);
    assert_int_equal(file_create(directory, "store", bytes), 0);
}

static void assert_damaged(int directory, struct slice bytes)
{
    struct text place = {0}, error = {0};
    overwrite(directory, bytes);
    if (place_file_read(directory, &place, &error))
        fail_msg("'%.*s' is taken", (int)bytes.len, bytes.data);
    assert_int_equal(place.len, 0);
    assert_non_null(strstr(text_terminated(&error), ".cairn/store: line 1 is damaged"));
    text_release(&place);
    text_release(&error);
}

static void its_bytes_are_these(void **state)
{
    int directory = open_place(state);
    struct text bytes = {0};
    note(directory, "/srv/my store");
    assert_int_equal(file_read(directory, "store", &bytes), 0);
    assert_string_equal(text_terminated(&bytes), "cairn-store 1 /srv/my%20store aa898423\n");
    text_release(&bytes);
    close(directory);
}

static void the_last_note_holds(void **state)
{
    int directory = open_place(state);
    assert_noted(directory, "");
    note(directory, "http://localhost:9000/bucket/pre/");
    assert_noted(directory, "http://localhost:9000/bucket/pre/");
    note(directory, "x");
    assert_noted(directory, "x");
    note(directory, "/a b\n%\xff");
    assert_noted(directory, "/a%20b%0a%25%ff");
    note(directory, PLACE_OWN);
    assert_noted(directory, PLACE_OWN);
    assert_int_equal(count_files(*state, ".", "store"), 1);
    close(directory);
}

static void a_flipped_bit_is_damage(void **state)
{
    int directory = open_place(state);
    struct text bytes = {0};
    note(directory, "/srv/store");
    assert_int_equal(file_read(directory, "store", &bytes), 0);
    for (size_t i = 0; i < bytes.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
            assert_damaged(directory, text_slice(&bytes));
            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
        }
    text_release(&bytes);
    close(directory);
}

/* An empty file, too: it is no missing one. */
static void a_file_that_is_cut_or_goes_on_is_damage(void **state)
{
    int directory = open_place(state);
    struct text bytes = {0};
    note(directory, "/srv/store");
    assert_int_equal(file_read(directory, "store", &bytes), 0);
    for (size_t len = 0; len < bytes.len; len++)
        assert_damaged(directory, slice_make(bytes.data, len));
    text_append_char(&bytes, '\n');
    assert_damaged(directory, text_slice(&bytes));
    text_release(&bytes);
    close(directory);
}

/* Its sum is right, its words are not. */
static void a_line_that_says_nothing_is_damage(void **state)
{
    static const char *const lines[] = {"", "cairn-store 1 ", "cairn-store 1  ",
                                        "cairn-store 2 /srv/store ", "cairn-namespaces 1 "};
    int directory = open_place(state);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct text bytes = {0};
        text_append_format(&bytes, "%s%08" PRIx32 "\n", lines[i],
                           crc32c(0, lines[i], strlen(lines[i])));
        assert_damaged(directory, text_slice(&bytes));
        text_release(&bytes);
    }
    close(directory);
}

static void what_a_crash_left_is_in_nobodys_way(void **state)
{
    int directory = open_place(state);
    note(directory, "/srv/store");
    assert_int_equal(file_create(directory, "store.new", slice_of("cairn-st")), 0);
    assert_noted(directory, "/srv/store");
    note(directory, "/srv/other");
    assert_noted(directory, "/srv/other");
    assert_int_equal(count_files(*state, ".", "store"), 1);
    close(directory);
}

static void a_full_disk_leaves_the_note_before(void **state)
{
    int directory = open_place(state);
    struct rlimit before, small;
    note(directory, "/srv/store");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(place_file_write(directory, slice_of("/srv/other")), EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_noted(directory, "/srv/store");
    close(directory);
}

#define T(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(its_bytes_are_these),
        T(the_last_note_holds),
        T(a_flipped_bit_is_damage),
        T(a_file_that_is_cut_or_goes_on_is_damage),
        T(a_line_that_says_nothing_is_damage),
        T(what_a_crash_left_is_in_nobodys_way),
        T(a_full_disk_leaves_the_note_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
