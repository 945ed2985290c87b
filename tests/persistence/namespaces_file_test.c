/* SPDX-License-Identifier: BSD-3-Clause */
/* Which namespaces were seen with a head: kept over any crash; damage never makes it shorter. */
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
#include "persistence/namespaces_file.h"
#include "tests/persistence/persistence_support.h"

#define PLACE "http://localhost:9000/bucket/pre/"

static int open_place(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void append_name(void *ctx, struct slice name)
{
    text_append_slice(ctx, name);
    text_append_char(ctx, ' ');
}

/* Opens it; `names` gets those of the store, each with a space behind it. */
static bool try_open(int place, const char *store, struct namespaces_file *file, struct text *names,
                     struct text *error)
{
    namespaces_file_init(file);
    text_clear(names);
    return namespaces_file_open(file, place, slice_of(store), append_name, names, error);
}

static void assert_names(int place, const char *store, const char *expected)
{
    struct namespaces_file file;
    struct text names = {0}, error = {0};
    if (!try_open(place, store, &file, &names, &error))
        fail_msg("%s", text_terminated(&error));
    assert_string_equal(text_terminated(&names), expected);
    namespaces_file_close(&file);
    text_release(&names);
}

static void add_names(int place, const char *store, const char *const *names, size_t count)
{
    struct namespaces_file file;
    struct text ignored = {0}, error = {0};
    if (!try_open(place, store, &file, &ignored, &error))
        fail_msg("%s", text_terminated(&error));
    for (size_t i = 0; i < count; i++)
        namespaces_file_add(&file, slice_of(names[i]));
    assert_int_equal(namespaces_file_flush(&file), 0);
    namespaces_file_close(&file);
    text_release(&ignored);
}

#define ADD(place, store, ...)                                                                     \
    do {                                                                                           \
        static const char *const names_[] = {__VA_ARGS__};                                         \
        add_names(place, store, names_, sizeof(names_) / sizeof(names_[0]));                       \
    } while (0)

static void read_bytes(int place, struct text *bytes)
{
    text_clear(bytes);
    assert_int_equal(file_read(place, "namespaces", bytes), 0);
}

/* Not brought to disk: it is done a thousand times. */
static void overwrite(int place, struct slice bytes)
{
    int fd = openat(place, "namespaces", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, bytes), 0);
    close(fd);
}

static void what_is_flushed_is_there_and_what_is_not_is_not(void **state)
{
    int place = open_place(state);
    struct namespaces_file file;
    struct text names = {0}, error = {0};
    assert_names(place, PLACE, "");
    ADD(place, PLACE, "git", "0");
    assert_names(place, PLACE, "git 0 ");
    assert_true(try_open(place, PLACE, &file, &names, &error));
    namespaces_file_add(&file, slice_of("lost"));
    namespaces_file_close(&file);
    ADD(place, PLACE, "apt.deb_x-1");
    assert_names(place, PLACE, "git 0 apt.deb_x-1 ");
    text_release(&names);
    close(place);
}

/* docs/format.md shows these bytes. */
static void its_bytes_are_these(void **state)
{
    int place = open_place(state);
    struct text bytes = {0};
    ADD(place, PLACE, "git");
    ADD(place, "/srv/my store", "git");
    read_bytes(place, &bytes);
    assert_string_equal(text_terminated(&bytes), "cairn-namespaces 1 72dff46a\n"
                                                 "git http://localhost:9000/bucket/pre/ dca9215c\n"
                                                 "git /srv/my%20store 0e4f1f3b\n");
    text_release(&bytes);
    close(place);
}

static void each_store_has_names_of_its_own(void **state)
{
    static const char odd[] = "/srv/100% of\n\xc3\xa4 store";
    int place = open_place(state);
    ADD(place, PLACE, "git");
    ADD(place, odd, "apt");
    ADD(place, ".", "0");
    assert_names(place, PLACE, "git ");
    assert_names(place, odd, "apt ");
    assert_names(place, ".", "0 ");
    assert_names(place, "/srv", "");
    close(place);
}

/* Lines of `whole` that are all there in its first `len` bytes. */
static size_t lines_in(const struct text *whole, size_t len, bool feed_too)
{
    size_t lines = 0;
    for (size_t i = 0; i < whole->len; i++)
        lines += whole->data[i] == '\n' && (feed_too ? i < len : i <= len);
    return lines;
}

/* A crash amid a write leaves the beginning of it, with zeros where the rest was to be, or none. */
static void a_cut_at_any_byte_drops_the_last_line_alone(void **state)
{
    static const char *const found[] = {"", "", "git ", "git apt "};
    int place = open_place(state);
    struct text whole = {0}, left = {0};
    char more[32];
    ADD(place, PLACE, "git", "apt");
    read_bytes(place, &whole);
    for (size_t len = 0; len < whole.len; len++) {
        for (int zeros = 0; zeros < 2; zeros++) {
            const char *expected = found[lines_in(&whole, len, zeros)];
            text_clear(&left);
            text_append(&left, whole.data, len);
            for (size_t i = len; zeros && i < whole.len; i++)
                text_append_char(&left, '\0');
            overwrite(place, text_slice(&left));
            assert_names(place, PLACE, expected);
            ADD(place, PLACE, "new");
            snprintf(more, sizeof(more), "%snew ", expected);
            assert_names(place, PLACE, more);
        }
    }
    text_release(&whole);
    text_release(&left);
    close(place);
}

/* But of the last line feed: without it the line is one that a crash has cut short. */
static void a_flipped_bit_is_an_error_that_names_the_line(void **state)
{
    int place = open_place(state);
    struct namespaces_file file;
    struct text bytes = {0}, names = {0}, error = {0};
    ADD(place, PLACE, "git", "apt");
    read_bytes(place, &bytes);
    int line = 1;
    for (size_t i = 0; i + 1 < bytes.len; i++) {
        char said[32];
        snprintf(said, sizeof(said), "namespaces: line %d is", line);
        line += bytes.data[i] == '\n';
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
            overwrite(place, text_slice(&bytes));
            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
            text_clear(&error);
            assert_false(try_open(place, PLACE, &file, &names, &error));
            namespaces_file_close(&file);
            if (!strstr(text_terminated(&error), said))
                fail_msg("byte %zu: '%s' is not in '%s'", i, said, text_terminated(&error));
        }
    }
    text_release(&bytes);
    text_release(&names);
    text_release(&error);
    close(place);
}

/* Its sum is right, its words are not. */
static void append_sealed(struct text *out, const char *line)
{
    text_append_format(out, "%s%08" PRIx32 "\n", line, crc32c(0, line, strlen(line)));
}

static void lines_that_say_nothing_are_damage(void **state)
{
    static const char *const lines[] = {" ",
                                        "git",
                                        "git ",
                                        "git  ",
                                        ".git . ",
                                        "g/t . ",
                                        " . ",
                                        "cairn-namespaces 1 x",
                                        "git two words "};
    int place = open_place(state);
    struct namespaces_file file;
    struct text bytes = {0}, names = {0}, error = {0};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        text_clear(&bytes);
        append_sealed(&bytes, "cairn-namespaces 1 ");
        append_sealed(&bytes, lines[i]);
        overwrite(place, text_slice(&bytes));
        if (try_open(place, PLACE, &file, &names, &error))
            fail_msg("'%s' is taken", lines[i]);
        namespaces_file_close(&file);
    }
    text_clear(&bytes);
    append_sealed(&bytes, "cairn-namespaces 2 ");
    overwrite(place, text_slice(&bytes));
    text_clear(&error);
    assert_false(try_open(place, PLACE, &file, &names, &error));
    assert_non_null(strstr(text_terminated(&error), "line 1 is"));
    namespaces_file_close(&file);
    text_release(&bytes);
    text_release(&names);
    text_release(&error);
    close(place);
}

static void a_line_may_be_taken_away_by_hand(void **state)
{
    int place = open_place(state);
    struct text bytes = {0}, less = {0};
    ADD(place, PLACE, "git", "apt", "0");
    read_bytes(place, &bytes);
    const char *from = strstr(text_terminated(&bytes), "apt "), *to = strstr(from, "0 ");
    text_append(&less, bytes.data, (size_t)(from - bytes.data));
    /* Some editors write no line feed at the end. */
    text_append(&less, to, bytes.len - (size_t)(to - bytes.data) - 1);
    overwrite(place, text_slice(&less));
    assert_names(place, PLACE, "git 0 ");
    ADD(place, PLACE, "new");
    assert_names(place, PLACE, "git 0 new ");
    text_release(&bytes);
    text_release(&less);
    close(place);
}

static void a_full_disk_is_made_up_for(void **state)
{
    int place = open_place(state);
    struct namespaces_file file;
    struct rlimit before, small;
    struct text names = {0}, error = {0};
    ADD(place, PLACE, "git");
    assert_true(try_open(place, PLACE, &file, &names, &error));
    namespaces_file_add(&file, slice_of("apt"));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)file.end + 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(namespaces_file_flush(&file), EFBIG);
    assert_int_equal(namespaces_file_flush(&file), EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_names(place, PLACE, "git ");
    assert_int_equal(namespaces_file_flush(&file), 0);
    namespaces_file_close(&file);
    assert_names(place, PLACE, "git apt ");
    text_release(&names);
    close(place);
}

#define T(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_flushed_is_there_and_what_is_not_is_not),
        T(its_bytes_are_these),
        T(each_store_has_names_of_its_own),
        T(a_cut_at_any_byte_drops_the_last_line_alone),
        T(a_flipped_bit_is_an_error_that_names_the_line),
        T(lines_that_say_nothing_are_damage),
        T(a_line_may_be_taken_away_by_hand),
        T(a_full_disk_is_made_up_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
