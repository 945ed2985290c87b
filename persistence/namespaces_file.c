/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See namespaces_file.h. Lines are only ever added, behind the last sound one, so a crash can cut
 * the last line short and do no other harm: that one is dropped, since the journal still has all
 * ops of that namespace, and its next load adds it again. Any other line that is not sound is
 * damage, and may hide the one name that matters: an error.
 */
#include "persistence/namespaces_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "persistence/crc32c.h"
#include "persistence/file.h"
#include "persistence/namespace.h"

#define FILE_NAME  "namespaces"
#define FIRST_LINE "cairn-namespaces 1 "
#define SUM_DIGITS ((size_t)8)

/* --- lines --- */

static void format_sum(struct slice line, char out[SUM_DIGITS + 1])
{
    snprintf(out, SUM_DIGITS + 1, "%08" PRIx32, crc32c(0, line.data, line.len));
}

static void append_line(struct text *out, struct slice line)
{
    char sum[SUM_DIGITS + 1];
    format_sum(line, sum);
    text_append_slice(out, line);
    text_append_format(out, "%s\n", sum);
}

/* *ret_line: `line` without its checksum. */
static bool check_sum(struct slice line, struct slice *ret_line)
{
    char sum[SUM_DIGITS + 1];
    if (line.len <= SUM_DIGITS)
        return false;
    *ret_line = slice_make(line.data, line.len - SUM_DIGITS);
    format_sum(*ret_line, sum);
    return memcmp(line.data + ret_line->len, sum, SUM_DIGITS) == 0;
}

/* The two words of "name store ". */
static bool split_line(struct slice line, struct slice *ret_name, struct slice *ret_store)
{
    const char *end = line.data + line.len - 1;
    const char *space = memchr(line.data, ' ', line.len);
    if (!space || memchr(space + 1, ' ', (size_t)(end - space)) != end || end == space + 1)
        return false;
    *ret_name = slice_make(line.data, (size_t)(space - line.data));
    *ret_store = slice_make(space + 1, (size_t)(end - space - 1));
    return namespace_name_valid(*ret_name);
}

/* --- reading --- */

struct reading {
    struct namespaces_file *file;
    struct slice left;
    size_t number; /* of the line */
    void (*visit)(void *ctx, struct slice name);
    void *ctx;
};

static bool take_line(struct reading *reading, struct slice bytes)
{
    struct slice line, name, store;
    if (!check_sum(bytes, &line))
        return false;
    if (reading->number == 1)
        return slice_equal(line, slice_of(FIRST_LINE));
    if (!split_line(line, &name, &store))
        return false;
    if (slice_equal(store, text_slice(&reading->file->store)))
        reading->visit(reading->ctx, name);
    return true;
}

static void tell_damage(size_t number, struct text *error)
{
    bool first = number == 1;
    text_append_format(error,
                       "%s: line %zu is damaged: it must have %s and a checksum. Put a good copy "
                       "back, or remove the %s: then a namespace is noted again when it is used, "
                       "but one whose head is missing begins anew",
                       NAMESPACES_FILE, number,
                       first ? "this file's version, 1," : "a namespace, its store",
                       first ? "file" : "line");
}

static bool take_lines(struct reading *reading, struct text *error)
{
    struct namespaces_file *file = reading->file;
    while (reading->left.len) {
        const char *begin = reading->left.data;
        const char *feed = memchr(begin, '\n', reading->left.len);
        size_t len = feed ? (size_t)(feed - begin) : reading->left.len;
        reading->number++;
        if (!take_line(reading, slice_make(begin, len))) {
            file->cut = !feed;
            if (feed)
                tell_damage(reading->number, error);
            return !feed;
        }
        if (!feed) /* an editor's work, or a crash's */
            text_append_char(&file->owed, '\n');
        len += feed != NULL;
        reading->left = slice_make(begin + len, reading->left.len - len);
        file->end += (off_t)len;
    }
    return true;
}

/* --- the file --- */

void namespaces_file_init(struct namespaces_file *file)
{
    *file = (struct namespaces_file){.fd = -1};
}

static int open_fd(struct namespaces_file *file, int directory)
{
    file->fd = openat(directory, FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file->fd < 0 || (file->cut && ftruncate(file->fd, file->end) < 0))
        return errno;
    if (file->end)
        return 0;
    append_line(&file->owed, slice_of(FIRST_LINE));
    return file_sync_directory(directory, ".");
}

bool namespaces_file_open(struct namespaces_file *file, int directory, struct slice store,
                          void (*visit)(void *ctx, struct slice name), void *ctx,
                          struct text *error)
{
    struct text bytes = {0};
    int code = file_read(directory, FILE_NAME, &bytes);
    struct reading reading = {.file = file, .left = text_slice(&bytes), .visit = visit, .ctx = ctx};
    text_append_word(&file->store, store);
    if (code == ENOENT)
        code = 0;
    bool sound = code || take_lines(&reading, error);
    if (!code && sound)
        code = open_fd(file, directory);
    if (code)
        text_append_format(error, NAMESPACES_FILE ": %s", strerror(code));
    text_release(&bytes);
    return sound && !code;
}

void namespaces_file_add(struct namespaces_file *file, struct slice name)
{
    struct text line = {0};
    text_append_format(&line, "%.*s ", (int)name.len, name.data);
    text_append_slice(&line, text_slice(&file->store));
    text_append_char(&line, ' ');
    append_line(&file->owed, text_slice(&line));
    text_release(&line);
}

int namespaces_file_flush(struct namespaces_file *file)
{
    if (!file->owed.len)
        return 0;
    int code = lseek(file->fd, file->end, SEEK_SET) < 0 ? errno : 0;
    if (!code)
        code = file_write_all(file->fd, text_slice(&file->owed));
    if (!code && fsync(file->fd) < 0)
        code = errno;
    if (code)
        return code;
    file->end += (off_t)file->owed.len;
    text_clear(&file->owed);
    return 0;
}

void namespaces_file_close(struct namespaces_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    text_release(&file->store);
    text_release(&file->owed);
    namespaces_file_init(file);
}
