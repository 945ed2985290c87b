/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See identity.h. The file is three pages, each a line with its checksum: the name, and twice the
 * files of the journal. Pages, since a disk may spoil the whole page that it was writing.
 */
#include "persistence/identity.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "persistence/crc32c.h"
#include "persistence/file.h"

#define FILE_NAME     "identity"
#define TEMPORARY     FILE_NAME ".new"
#define HOST_MAX      40
#define PAGE_SIZE     ((size_t)4096)
#define SLOTS         2
#define LINE_MAX_SIZE (2 * COMMIT_REPLICA_SIZE)

static uint64_t random_number(void)
{
    uint64_t number = 0;
    ssize_t got = getrandom(&number, sizeof(number), 0);
    assert(got == (ssize_t)sizeof(number));
    return number;
}

static void make_name(char out[COMMIT_REPLICA_SIZE])
{
    char host[256] = "";
    size_t len = 0;
    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    for (const char *c = host; *c && len < HOST_MAX; c++) {
        bool plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '.';
        out[len++] = plain ? *c : '-';
    }
    if (len == 0)
        out[len++] = 'r';
    /* Containers often share their host's name. */
    snprintf(out + len, COMMIT_REPLICA_SIZE - len, "-%08" PRIx32, (uint32_t)random_number());
}

/* A line with its checksum, filled up with spaces to a page. */
static void append_page(struct text *file, const char *line, size_t len)
{
    size_t begin = file->len;
    text_append(file, line, len);
    text_append_format(file, "%08" PRIx32, crc32c(0, line, len));
    while (file->len - begin < PAGE_SIZE - 1)
        text_append_char(file, ' ');
    text_append_char(file, '\n');
}

static void append_slot(struct text *file, const struct identity_journal *journal)
{
    char line[LINE_MAX_SIZE];
    int len = snprintf(line, sizeof(line), "journal %" PRIu64 " %" PRIu64 " %" PRIu64 " ",
                       journal->generation, journal->oldest, journal->newest);
    append_page(file, line, (size_t)len);
}

/* The line at the beginning of `page` without its checksum, if that is right. */
static bool take_line(struct slice page, char line[LINE_MAX_SIZE])
{
    size_t end = 0, len;
    uint32_t crc;
    while (end < page.len && page.data[end] != '\n')
        end++;
    while (end && page.data[end - 1] == ' ')
        end--;
    if (end <= 8 || end >= LINE_MAX_SIZE)
        return false;
    len = end - 8;
    memcpy(line, page.data, end);
    line[end] = '\0';
    if (sscanf(line + len, "%8" SCNx32, &crc) != 1 || crc32c(0, line, len) != crc)
        return false;
    line[len] = '\0';
    return true;
}

static bool take_slot(struct slice page, struct identity_journal *journal)
{
    char line[LINE_MAX_SIZE];
    return take_line(page, line) &&
           sscanf(line, "journal %" SCNu64 " %" SCNu64 " %" SCNu64 " ", &journal->generation,
                  &journal->oldest, &journal->newest) == 3;
}

static struct slice page_of(struct slice file, int number)
{
    return slice_make(file.data + (size_t)number * PAGE_SIZE, PAGE_SIZE);
}

/* A slot whose writing a crash has cut short leaves the other one valid, which was the newest. */
static bool parse_slots(struct slice file, struct identity_journal *journal, int *ret_slot)
{
    struct identity_journal found;
    bool any = false;
    for (int slot = 0; slot < SLOTS; slot++) {
        if (!take_slot(page_of(file, 1 + slot), &found))
            continue;
        if (any && found.generation < journal->generation)
            continue;
        *journal = found;
        *ret_slot = slot;
        any = true;
    }
    return any;
}

static bool parse(struct slice file, struct identity *identity, int *ret_version)
{
    char line[LINE_MAX_SIZE], name[COMMIT_REPLICA_SIZE];
    if (!take_line(file, line) || sscanf(line, "cairn-identity %d %79s ", ret_version, name) != 2 ||
        !commit_replica_valid(slice_of(name)))
        return false;
    memcpy(identity->replica, name, sizeof(name));
    identity->journal = (struct identity_journal){0};
    identity->slot = 0;
    if (*ret_version == 1)
        return true;
    return *ret_version == 2 && file.len == (1 + SLOTS) * PAGE_SIZE &&
           parse_slots(file, &identity->journal, &identity->slot);
}

static int write_new(int directory, const char *replica)
{
    struct text file = {0};
    struct identity_journal none = {0, 0, 0};
    char line[LINE_MAX_SIZE];
    bool landed;
    int len = snprintf(line, sizeof(line), "cairn-identity 2 %s ", replica);
    append_page(&file, line, (size_t)len);
    for (int slot = 0; slot < SLOTS; slot++)
        append_slot(&file, &none);
    unlinkat(directory, TEMPORARY, 0); /* a crash may have left one */
    int code = file_replace(directory, TEMPORARY, FILE_NAME, ".", text_slice(&file), &landed);
    text_release(&file);
    return code;
}

static void tell_damage(struct text *error)
{
    text_append_string(error,
                       ".cairn/identity: byte 0: damaged: it must hold this server's name, "
                       "which files of its journal there are, and their checksums. Put a good "
                       "copy back, or remove it: then the server takes a new name, and "
                       "would not notice if a file of its journal were missing");
}

void identity_init(struct identity *identity)
{
    *identity = (struct identity){.fd = -1};
    pthread_mutex_init(&identity->mutex, NULL);
}

bool identity_open(int directory, struct identity *identity, struct text *error)
{
    struct text file = {0};
    int version = 0;
    int code = file_read(directory, FILE_NAME, &file);
    bool sound = code != 0 || parse(text_slice(&file), identity, &version);
    text_release(&file);
    if (!sound) {
        tell_damage(error);
        return false;
    }
    if (code == ENOENT) {
        make_name(identity->replica);
        code = 0;
    }
    if (!code && version != 2)
        code = write_new(directory, identity->replica);
    if (!code && (identity->fd = openat(directory, FILE_NAME, O_WRONLY | O_CLOEXEC)) < 0)
        code = errno;
    if (code)
        text_append_format(error, ".cairn/identity: %s", strerror(code));
    return code == 0;
}

void identity_close(struct identity *identity)
{
    if (identity->fd >= 0)
        close(identity->fd);
    identity->fd = -1;
    pthread_mutex_destroy(&identity->mutex);
}

bool identity_read_journal(int directory, struct identity_journal *ret_journal, struct text *error)
{
    struct text file = {0};
    struct identity identity = {.fd = -1};
    int version, code = file_read(directory, FILE_NAME, &file);
    bool sound = code == ENOENT || (code == 0 && parse(text_slice(&file), &identity, &version));
    *ret_journal = identity.journal;
    if (!sound && code)
        text_append_format(error, ".cairn/identity: %s", strerror(code));
    else if (!sound)
        tell_damage(error);
    text_release(&file);
    return sound;
}

/* The older slot; after a failure the same one again, since the other is the last that holds. */
static int write_slot(struct identity *identity, const struct identity_journal *journal)
{
    struct text page = {0};
    int slot = (identity->slot + 1) % SLOTS, error = 0;
    append_slot(&page, journal);
    ssize_t wrote = pwrite(identity->fd, page.data, page.len, (off_t)(1 + slot) * PAGE_SIZE);
    if (wrote != (ssize_t)page.len)
        error = wrote < 0 ? errno : EIO;
    else if (fdatasync(identity->fd) < 0)
        error = errno;
    text_release(&page);
    if (error)
        return error;
    identity->journal = *journal;
    identity->slot = slot;
    return 0;
}

int identity_note_journal(struct identity *identity, uint64_t oldest, uint64_t newest)
{
    int error = 0;
    pthread_mutex_lock(&identity->mutex);
    struct identity_journal next = identity->journal;
    if (oldest > next.oldest)
        next.oldest = oldest;
    if (newest > next.newest)
        next.newest = newest;
    next.generation++;
    if (next.oldest != identity->journal.oldest || next.newest != identity->journal.newest)
        error = write_slot(identity, &next);
    pthread_mutex_unlock(&identity->mutex);
    return error;
}

void identity_incarnation(const char *replica, char out[COMMIT_REPLICA_SIZE])
{
    int len = snprintf(out, COMMIT_REPLICA_SIZE, "%.79s/%010" PRIx64, replica,
                       random_number() & UINT64_C(0xffffffffff));
    assert(len > 0 && len < COMMIT_REPLICA_SIZE);
}
