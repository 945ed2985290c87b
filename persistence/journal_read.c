/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading journals back. The hard question is whether bytes that are no record are a torn end
 * (never promised to anyone: cut it and say so) or damage (promised and lost: refuse):
 *
 *  - No valid record follows: torn. A crash in the middle of the last write looks just so.
 *  - A valid record follows whose header says that everything up to the bad place had been fsynced
 *    when it was made: damage.
 *  - A valid record follows that does not say so: a power cut may have kept later pages of the last
 *    write and lost earlier ones. Pages that were lost read as zeros, so with a whole sector of
 *    zeros in between it is torn, and otherwise damage.
 *
 * Of a torn record that has whole records in a value (a journal kept as one) nobody can tell that
 * they do not follow: its length has no sum of its own. It is refused, which loses nothing.
 */
#include "persistence/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/crc32c.h"
#include "persistence/file.h"
#include "persistence/journal-internal.h"

#define SECTOR 512

struct cursor {
    const unsigned char *at, *end;
    bool bad;
};

static uint64_t take_varint(struct cursor *cursor)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        unsigned char byte = *cursor->at++;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
    cursor->bad = true;
    return 0;
}

static struct slice take_slice(struct cursor *cursor)
{
    uint64_t len = take_varint(cursor);
    if (cursor->bad || len > (uint64_t)(cursor->end - cursor->at)) {
        cursor->bad = true;
        return (struct slice){0};
    }
    struct slice bytes = slice_make(cursor->at, (size_t)len);
    cursor->at += len;
    return bytes;
}

/* False, and then the cursor is bad: no valid section. */
static bool take_section(struct cursor *cursor, struct journal_section *section)
{
    section->namespace = take_slice(cursor);
    section->position = take_varint(cursor);
    section->first = take_varint(cursor);
    section->count = take_varint(cursor);
    section->ops = take_slice(cursor);
    if (!namespace_name_valid(section->namespace) || section->first == 0 ||
        section->first > COMMIT_TAKEN_MAX || section->count == 0 ||
        section->count > section->ops.len)
        cursor->bad = true;
    return !cursor->bad;
}

/* The payload has passed its checksum: what is wrong in it was written wrong. */
static bool visit_payload(struct slice payload, const struct journal_file_header *header,
                          journal_visit *visit, void *ctx, struct text *error)
{
    struct cursor cursor = {(const unsigned char *)payload.data,
                            (const unsigned char *)payload.data + payload.len, false};
    struct journal_section section;
    for (uint64_t left = take_varint(&cursor); left && !cursor.bad; left--) {
        if (!take_section(&cursor, &section))
            break;
        if (!visit(ctx, header, &section, error))
            return false;
    }
    if (!cursor.bad && cursor.at == cursor.end)
        return true;
    text_append_string(error, "the record has a valid checksum but no valid content");
    return false;
}

/* The whole length of the record at `at`, or 0 when there is no valid one. */
static uint64_t record_valid(struct slice file, uint64_t at, uint64_t *ret_unsynced)
{
    uint64_t left = file.len - at;
    if (left < JOURNAL_RECORD_SIZE)
        return 0;
    const unsigned char *head = (const unsigned char *)file.data + at;
    uint64_t payload = journal_load64(head + 8);
    if (journal_load32(head) != JOURNAL_RECORD_MAGIC || payload > left - JOURNAL_RECORD_SIZE)
        return 0;
    uint32_t crc = crc32c(0, head + JOURNAL_RECORD_SIZE, (size_t)payload);
    if (crc32c(crc, head + 8, JOURNAL_RECORD_SIZE - 8) != journal_load32(head + 4))
        return 0;
    *ret_unsynced = journal_load64(head + 16);
    return JOURNAL_RECORD_SIZE + payload;
}

static bool is_zero(const char *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

static bool has_zero_sector(struct slice file, uint64_t from, uint64_t to)
{
    for (uint64_t at = (from + SECTOR - 1) / SECTOR * SECTOR; at + SECTOR <= to; at += SECTOR)
        if (is_zero(file.data + at, SECTOR))
            return true;
    return false;
}

/* Is what is wrong at `bad` a torn end? The rule at the top of this file. */
static bool is_torn(struct slice file, uint64_t bad)
{
    static const char magic[4] = {'C', 'R', 'E', 'C'};
    uint64_t at = bad, unsynced, len;
    bool followed = false;
    uint64_t next = file.len;
    while (at + 1 < file.len) {
        const char *found = memmem(file.data + at + 1, file.len - at - 1, magic, sizeof(magic));
        if (!found)
            break;
        at = (uint64_t)(found - file.data);
        len = record_valid(file, at, &unsynced);
        if (!len)
            continue;
        if (!followed)
            next = at;
        followed = true;
        if (unsynced < at - bad)
            return false;
        at += len - 1;
    }
    return !followed || has_zero_sector(file, bad, next);
}

void journal_header_encode(const struct journal_file_header *header, char out[JOURNAL_HEADER_SIZE])
{
    unsigned char *bytes = (unsigned char *)out;
    memset(out, 0, JOURNAL_HEADER_SIZE);
    memcpy(out, JOURNAL_MAGIC, 8);
    journal_store32(bytes + 8, JOURNAL_VERSION);
    journal_store64(bytes + 16, header->sequence);
    journal_store64(bytes + 24, header->start);
    memcpy(out + 32, header->incarnation, strlen(header->incarnation));
    uint32_t crc = crc32c(0, out + 16, JOURNAL_HEADER_SIZE - 16);
    journal_store32(bytes + 12, crc32c(crc, out, 12));
}

static enum journal_verdict parse_header(struct slice file, struct journal_file_header *header,
                                         struct text *error)
{
    const unsigned char *bytes = (const unsigned char *)file.data;
    if (file.len < JOURNAL_HEADER_SIZE || is_zero(file.data, JOURNAL_HEADER_SIZE))
        return JOURNAL_TORN;
    uint32_t crc = crc32c(0, file.data + 16, JOURNAL_HEADER_SIZE - 16);
    if (memcmp(file.data, JOURNAL_MAGIC, 8) != 0 ||
        crc32c(crc, file.data, 12) != journal_load32(bytes + 12)) {
        text_append_string(error, "byte 0: this is no journal, or its header is damaged");
        return JOURNAL_DAMAGED;
    }
    if (journal_load32(bytes + 8) != JOURNAL_VERSION) {
        text_append_format(error, "byte 8: version %" PRIu32 " of the format is not known here",
                           journal_load32(bytes + 8));
        return JOURNAL_DAMAGED;
    }
    header->sequence = journal_load64(bytes + 16);
    header->start = journal_load64(bytes + 24);
    memcpy(header->incarnation, file.data + 32, sizeof(header->incarnation));
    if (header->incarnation[sizeof(header->incarnation) - 1] == 0 &&
        commit_replica_valid(slice_of(header->incarnation)))
        return JOURNAL_WHOLE;
    text_append_string(error, "byte 32: this is no name of an incarnation");
    return JOURNAL_DAMAGED;
}

enum journal_verdict journal_parse(struct slice file, uint64_t stop, journal_visit *visit,
                                   void *ctx, struct journal_file_header *ret_header,
                                   uint64_t *ret_good, struct text *error)
{
    *ret_good = 0;
    enum journal_verdict verdict = parse_header(file, ret_header, error);
    if (verdict != JOURNAL_WHOLE)
        return verdict;
    uint64_t at = JOURNAL_HEADER_SIZE, unsynced;
    while (at < file.len && ret_header->start + (at - JOURNAL_HEADER_SIZE) < stop) {
        uint64_t len = record_valid(file, at, &unsynced);
        if (!len && is_zero(file.data + at, file.len - at))
            break; /* written ahead, for records that did not come */
        if (!len) {
            *ret_good = at;
            if (is_torn(file, at))
                return JOURNAL_TORN;
            text_append_format(error,
                               "byte %" PRIu64 ": the record here is damaged, and records "
                               "after it are not",
                               at);
            return JOURNAL_DAMAGED;
        }
        struct slice payload =
            slice_make(file.data + at + JOURNAL_RECORD_SIZE, (size_t)(len - JOURNAL_RECORD_SIZE));
        struct text reason = {0};
        if (!visit_payload(payload, ret_header, visit, ctx, &reason)) {
            text_append_format(error, "byte %" PRIu64 ": ", at);
            text_append_slice(error, text_slice(&reason));
            text_release(&reason);
            return JOURNAL_DAMAGED;
        }
        text_release(&reason);
        at += len;
    }
    *ret_good = at;
    return JOURNAL_WHOLE;
}

void journal_file_name(uint64_t sequence, char out[JOURNAL_NAME_SIZE])
{
    snprintf(out, JOURNAL_NAME_SIZE, "journal-%" PRIu64 ".log", sequence);
}

static int compare_sequences(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void add_sequence(struct journal_scan *scan, uint64_t sequence)
{
    if ((scan->count & (scan->count - 1)) == 0)
        scan->sequences =
            mem_realloc(scan->sequences, (scan->count ? 2 * scan->count : 1) * sizeof(uint64_t));
    scan->sequences[scan->count++] = sequence;
}

static bool list_files(int directory, struct journal_scan *scan, struct text *error)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *found;
    if (!dir) {
        text_append_format(error, "journal directory: %s", strerror(errno));
        return false;
    }
    errno = 0;
    while ((found = readdir(dir))) {
        char name[JOURNAL_NAME_SIZE];
        uint64_t sequence;
        if (sscanf(found->d_name, "journal-%" SCNu64 ".log", &sequence) != 1)
            continue;
        journal_file_name(sequence, name);
        if (strcmp(name, found->d_name) == 0)
            add_sequence(scan, sequence);
    }
    int code = errno;
    closedir(dir);
    if (code) {
        text_append_format(error, "journal directory: %s", strerror(code));
        return false;
    }
    if (scan->count)
        qsort(scan->sequences, scan->count, sizeof(uint64_t), compare_sequences);
    return true;
}

/* What a crash has kept from being removed goes: its ops are committed. */
static void drop_unneeded(int directory, bool repair, const struct identity_journal *expected,
                          struct journal_scan *scan)
{
    char name[JOURNAL_NAME_SIZE];
    size_t gone = 0;
    while (gone < scan->count && scan->sequences[gone] < expected->oldest) {
        journal_file_name(scan->sequences[gone++], name);
        if (repair)
            unlinkat(directory, name, 0);
    }
    scan->count -= gone;
    if (gone)
        memmove(scan->sequences, scan->sequences + gone, scan->count * sizeof(uint64_t));
}

#define DO_WITHOUT "to do without its ops, remove .cairn/identity and what is left of the journal"

static bool tell_missing(uint64_t missing, struct text *error)
{
    text_append_format(error,
                       "journal-%" PRIu64 ".log is missing, though it may hold ops that are not "
                       "in the store. Put it back, or, " DO_WITHOUT,
                       missing);
    return false;
}

/* A file beyond the newest that was noted is one that a crash left without records. */
static bool check_missing(const struct identity_journal *expected, struct journal_scan *scan,
                          struct text *error)
{
    bool known = expected->generation > 0;
    uint64_t due = known ? expected->oldest : scan->count ? scan->sequences[0] : 1;
    for (size_t i = 0; i < scan->count; i++, due++)
        if (scan->sequences[i] != due)
            return tell_missing(due, error);
    if (known && due <= expected->newest)
        return tell_missing(due, error);
    scan->next = due;
    return true;
}

static int cut_file(int directory, const char *name, uint64_t good)
{
    if (good == 0)
        return unlinkat(directory, name, 0) < 0 ? errno : file_sync_directory(directory, ".");
    int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = ftruncate(fd, (off_t)good) < 0 || fsync(fd) < 0 ? errno : 0;
    close(fd);
    return error;
}

/* Where the records end that file `index` alone has: where the next file of its incarnation
 * begins. That file may be torn at its head, or not there: then nothing bounds this one. */
static uint64_t find_stop(int directory, const struct journal_scan *scan, size_t index,
                          const char *incarnation)
{
    char name[JOURNAL_NAME_SIZE], bytes[JOURNAL_HEADER_SIZE];
    struct journal_file_header next;
    struct text ignored = {0};
    uint64_t stop = UINT64_MAX;
    if (index + 1 >= scan->count)
        return stop;
    journal_file_name(scan->sequences[index + 1], name);
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return stop;
    if (pread(fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes) &&
        parse_header(slice_make(bytes, sizeof(bytes)), &next, &ignored) == JOURNAL_WHOLE &&
        strcmp(next.incarnation, incarnation) == 0)
        stop = next.start;
    close(fd);
    text_release(&ignored);
    return stop;
}

bool journal_remove(int directory, struct identity *identity, const struct journal_scan *scan,
                    struct text *error)
{
    char name[JOURNAL_NAME_SIZE] = "identity";
    int code = identity_note_journal(identity, scan->next, scan->next - 1);
    for (size_t i = 0; i < scan->count && !code; i++) {
        journal_file_name(scan->sequences[i], name);
        code = unlinkat(directory, name, 0) < 0 ? errno : 0;
    }
    if (!code)
        code = file_sync_directory(directory, ".");
    if (code)
        text_append_format(error, ".cairn/%s: %s", name, strerror(code));
    return code == 0;
}

struct file_walk {
    int directory;
    bool repair;
    journal_visit *visit;
    void *ctx;
    struct journal_scan *scan;
};

static bool cut_last(struct file_walk *walk, const char *name, uint64_t good, size_t len,
                     struct text *error)
{
    int code = walk->repair ? cut_file(walk->directory, name, good) : 0;
    if (code) {
        text_append_format(error, "%s: cannot cut its torn end: %s", name, strerror(code));
        return false;
    }
    snprintf(walk->scan->cut, sizeof(walk->scan->cut),
             "%s: the last %" PRIu64 " bytes, from byte %" PRIu64
             " on, were never completed and are left out",
             name, (uint64_t)len - good, good);
    if (good == 0) {
        walk->scan->count--;
        walk->scan->next--;
    }
    return true;
}

static bool read_one(struct file_walk *walk, size_t index, struct text *file, struct text *error)
{
    char name[JOURNAL_NAME_SIZE];
    struct journal_file_header header = {0};
    struct text reason = {0};
    uint64_t good, stop = UINT64_MAX;
    /* A file behind this one whose head was never completed leaves this one the last. */
    bool last = index + 1 == walk->scan->count, ok = true;
    journal_file_name(walk->scan->sequences[index], name);
    int code = file_read(walk->directory, name, file);
    if (code) {
        text_append_format(error, "%s: %s", name, strerror(code));
        return false;
    }
    if (parse_header(text_slice(file), &header, &reason) == JOURNAL_WHOLE)
        stop = find_stop(walk->directory, walk->scan, index, header.incarnation);
    text_clear(&reason);
    enum journal_verdict verdict =
        journal_parse(text_slice(file), stop, walk->visit, walk->ctx, &header, &good, &reason);
    bool named = verdict != JOURNAL_WHOLE || header.sequence == walk->scan->sequences[index];
    bool reached = stop == UINT64_MAX || header.start + (good - JOURNAL_HEADER_SIZE) >= stop;
    if (verdict == JOURNAL_DAMAGED) {
        text_append_format(error, "%s: ", name);
        text_append_slice(error, text_slice(&reason));
        text_append_string(error, ". Put a good copy back, or, " DO_WITHOUT);
        ok = false;
    } else if (!named) {
        text_append_format(error, "%s: byte 16: its header says that it is number %" PRIu64, name,
                           header.sequence);
        ok = false;
    } else if (verdict == JOURNAL_TORN && last) {
        ok = cut_last(walk, name, good, file->len, error);
    } else if (verdict == JOURNAL_TORN || !reached) {
        text_append_format(error,
                           "%s: byte %" PRIu64 ": it ends here, but a later file follows. "
                           "Put a whole copy back, or, " DO_WITHOUT,
                           name, good);
        ok = false;
    }
    text_release(&reason);
    return ok;
}

/* A crash right after a new file was made may leave it without its header. */
static bool drop_headless(struct file_walk *walk, uint64_t noted, struct text *error)
{
    char name[JOURNAL_NAME_SIZE];
    struct text file = {0};
    struct journal_file_header header;
    if (walk->scan->count == 0)
        return true;
    bool complete = walk->scan->sequences[walk->scan->count - 1] <= noted;
    journal_file_name(walk->scan->sequences[walk->scan->count - 1], name);
    int code = file_read(walk->directory, name, &file);
    bool ok = code == 0;
    if (code) {
        text_append_format(error, "%s: %s", name, strerror(code));
    } else {
        struct text ignored = {0};
        bool torn = parse_header(text_slice(&file), &header, &ignored) == JOURNAL_TORN;
        if (torn && complete) {
            text_append_format(error, "%s: byte 0: its header was there, and is not any more",
                               name);
            ok = false;
        } else if (torn) {
            ok = cut_last(walk, name, 0, file.len, error);
        }
        text_release(&ignored);
    }
    text_release(&file);
    return ok;
}

void journal_scan_release(struct journal_scan *scan)
{
    mem_free(scan->sequences);
    *scan = (struct journal_scan){0};
}

bool journal_read(int directory, bool repair, journal_visit *visit, void *ctx,
                  struct journal_scan *ret_scan, struct text *error)
{
    struct file_walk walk = {directory, repair, visit, ctx, ret_scan};
    struct identity_journal expected;
    struct text file = {0};
    *ret_scan = (struct journal_scan){0};
    bool ok = identity_read_journal(directory, &expected, error) &&
              list_files(directory, ret_scan, error);
    if (ok)
        drop_unneeded(directory, repair, &expected, ret_scan);
    ok = ok && check_missing(&expected, ret_scan, error) &&
         drop_headless(&walk, expected.newest, error);
    for (size_t i = 0; ok && i < ret_scan->count; i++) {
        text_clear(&file);
        ok = read_one(&walk, i, &file, error);
    }
    text_release(&file);
    if (!ok)
        journal_scan_release(ret_scan);
    return ok;
}
