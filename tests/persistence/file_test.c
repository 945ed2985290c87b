/* SPDX-License-Identifier: BSD-3-Clause */
/* Files are what was written, whatever their length and wherever the bytes lie in memory; large
 * ones leave no copy with the kernel. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "persistence/file.h"
#include "tests/persistence/persistence_support.h"

#define PAGE  ((size_t)4096)
#define LARGE ((size_t)1 << 20)

static int open_place(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

/* Begins so many bytes behind the beginning of a page; mem_free gets it less `shift`. */
static char *pattern(size_t len, size_t shift)
{
    char *bytes = mem_alloc_aligned(PAGE, (len + shift) / PAGE * PAGE + PAGE);
    for (size_t i = 0; i < len; i++)
        bytes[shift + i] = (char)(i * 7 + i / 4096);
    return bytes + shift;
}

/* On pages, so that reading has the choice that large buffers of the server give it. */
static struct text aligned_text(size_t cap)
{
    return (struct text){.data = mem_alloc_aligned(PAGE, cap), .cap = cap};
}

static void assert_file_is(int directory, struct slice bytes, struct text *out,
                           int read(int directory, const char *name, struct text *out))
{
    assert_int_equal(read(directory, "file", out), 0);
    assert_int_equal(out->len, bytes.len);
    assert_memory_equal(out->data, bytes.data, bytes.len);
    text_release(out);
}

static void round_trip(int directory, size_t len, size_t shift)
{
    char *bytes = pattern(len, shift);
    struct slice all = slice_make(bytes, len);
    struct text any = {0}, behind = {0};
    struct text aligned = aligned_text((len / PAGE + 3) * PAGE), tight = aligned_text(LARGE);
    assert_int_equal(file_create(directory, "file", all), 0);
    assert_file_is(directory, all, &any, file_read);
    assert_file_is(directory, all, &any, file_read_once);
    assert_file_is(directory, all, &aligned, file_read);
    assert_file_is(directory, all, &tight, file_read_once);
    text_append_string(&behind, "before");
    assert_int_equal(file_read(directory, "file", &behind), 0);
    assert_int_equal(behind.len, len + 6);
    assert_memory_equal(behind.data + 6, bytes, len);
    text_release(&behind);
    assert_int_equal(unlinkat(directory, "file", 0), 0);
    mem_free(bytes - shift);
}

static void what_is_read_is_what_was_written(void **state)
{
    static const size_t lengths[] = {0,
                                     1,
                                     PAGE,
                                     LARGE - 1,
                                     LARGE,
                                     LARGE + 1,
                                     LARGE + PAGE,
                                     256 * 1024 - 1,
                                     256 * 1024,
                                     256 * 1024 + 511,
                                     3 * LARGE + 12345};
    int directory = open_place(state);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        round_trip(directory, lengths[i], 0);
        round_trip(directory, lengths[i], 1);
        round_trip(directory, lengths[i], 512);
    }
    close(directory);
}

/* Pages of the file that the kernel has a copy of. */
static size_t pages_kept(int directory)
{
    unsigned char kept[LARGE / PAGE];
    size_t count = 0;
    int fd = openat(directory, "file", O_RDONLY);
    assert_true(fd >= 0);
    void *pages = mmap(NULL, LARGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mincore(pages, LARGE, kept), 0);
    for (size_t i = 0; i < LARGE / PAGE; i++)
        count += kept[i] & 1;
    munmap(pages, LARGE);
    close(fd);
    return count;
}

/* Some file systems know of no such thing, or keep a copy all the same. */
static bool can_go_without(int directory, const char *bytes)
{
    int fd = openat(directory, "file", O_WRONLY | O_CREAT | O_DIRECT, 0644);
    bool can = fd >= 0 && write(fd, bytes, LARGE) == (ssize_t)LARGE && pages_kept(directory) == 0;
    if (fd >= 0)
        close(fd);
    unlinkat(directory, "file", 0);
    return can;
}

static void the_kernel_keeps_no_copy_of_a_large_file(void **state)
{
    int directory = open_place(state);
    char *bytes = pattern(LARGE, 0);
    struct text aligned = aligned_text(2 * LARGE);
    bool can = can_go_without(directory, bytes);
    assert_int_equal(file_create(directory, "file", slice_make(bytes, LARGE)), 0);
    if (!can)
        print_message("%s: this file system always keeps a copy\n", (char *)*state);
    assert_true(!can || pages_kept(directory) == 0);
    assert_file_is(directory, slice_make(bytes, LARGE), &aligned, file_read);
    assert_true(!can || pages_kept(directory) == 0);
    mem_free(bytes);
    close(directory);
}

static void a_full_disk_is_told_and_leaves_nothing(void **state)
{
    int directory = open_place(state);
    char *bytes = pattern(LARGE, 0);
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    for (size_t room = 0; room < LARGE; room += LARGE / 4 + 100) {
        small.rlim_cur = room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int error = file_create(directory, "file", slice_make(bytes, LARGE));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(error, EFBIG);
        assert_int_equal(faccessat(directory, "file", F_OK, 0), -1);
    }
    mem_free(bytes);
    close(directory);
}

#define T(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_read_is_what_was_written),
        T(the_kernel_keeps_no_copy_of_a_large_file),
        T(a_full_disk_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
