/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the journal share: a journal in a directory of their own, and its reader. */
#ifndef CAIRN_TESTS_JOURNAL_SUPPORT_H
#define CAIRN_TESTS_JOURNAL_SUPPORT_H

#include <fcntl.h>

#include "persistence/file.h"
#include "persistence/identity.h"
#include "persistence/journal.h"
#include "tests/persistence/persistence_support.h"

#define INCARNATION "tester/1"

/* What a reader saw, one line a section. */
struct seen {
    struct text lines;
    uint64_t sections;
};

static inline bool note(void *ctx, const struct journal_file_header *header,
                        const struct journal_section *section, struct text *error)
{
    struct seen *seen = ctx;
    (void)error;
    text_append_format(&seen->lines, "%s %.*s %" PRIu64 " %" PRIu64 "+%" PRIu64 " ",
                       header->incarnation, (int)section->namespace.len, section->namespace.data,
                       section->position, section->first, section->count);
    text_append_slice(&seen->lines, section->ops);
    text_append_char(&seen->lines, '\n');
    seen->sections++;
    return true;
}

static inline int open_place(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static inline struct journal *begin_known(int place, struct identity *identity,
                                          const char *incarnation, enum journal_fsync policy)
{
    struct text error = {0};
    struct journal_scan scan = {0};
    struct seen seen = {{0}, 0};
    assert_true(journal_read(place, true, note, &seen, &scan, &error));
    struct journal_options options = {.directory = place,
                                      .incarnation = incarnation,
                                      .identity = identity,
                                      .fsync = policy,
                                      .rotate_bytes = 1 << 20,
                                      .rotate_ms = identity ? 1 : 0};
    struct journal *journal = journal_create(&options, &scan, &error);
    assert_non_null(journal);
    journal_scan_release(&scan);
    text_release(&seen.lines);
    return journal;
}

static inline struct journal *begin(int place, const char *incarnation, enum journal_fsync policy)
{
    return begin_known(place, NULL, incarnation, policy);
}

static inline uint64_t put(struct journal *journal, const char *name, uint64_t first,
                           const char *ops)
{
    struct journal_section section = {.namespace = slice_of(name),
                                      .position = first / 3,
                                      .first = first,
                                      .count = 1,
                                      .ops = slice_of(ops)};
    return journal_append(journal, &section, 1);
}

static inline bool read_back(int place, struct seen *seen, struct journal_scan *scan,
                             struct text *error)
{
    text_clear(&seen->lines);
    text_clear(error);
    seen->sections = 0;
    return journal_read(place, false, note, seen, scan, error);
}

/* Returns the number of the next file. */
static inline uint64_t assert_sections(int place, uint64_t sections)
{
    struct seen seen = {{0}, 0};
    struct journal_scan scan;
    struct text error = {0};
    if (!read_back(place, &seen, &scan, &error))
        fail_msg("%s", text_terminated(&error));
    uint64_t next = scan.next;
    journal_scan_release(&scan);
    text_release(&seen.lines);
    assert_int_equal(seen.sections, sections);
    return next;
}

static inline void replace_file(int place, const char *name, struct slice bytes)
{
    unlinkat(place, name, 0);
    int fd = openat(place, name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, bytes), 0);
    close(fd);
}

#endif
