/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing the journal. One mutex guards the stream in memory; the files are touched without it, by
 * one leader at a time (`busy`). A thread of its own fsyncs by the second, rotates, and retries
 * what could not be written.
 *
 * Places in the stream: synced <= written <= end. Blocks from `kept` on are in memory.
 */
#include "persistence/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/crc32c.h"
#include "persistence/file.h"
#include "persistence/journal-internal.h"
#include "persistence/journal_stream.h"
#include "persistence/monotonic.h"

#define RETRY_MS    200
#define RESERVE     ((size_t)256 * 1024)
#define PATIENCE_MS 2000 /* so long may an fsync hold up writes by the second, as in Redis */
/* By the second, or once so much is not on disk: it is all kept in memory until then. */
#define SYNC_BYTES ((uint64_t)16 << 20)
/* Ops that were committed longer ago than this and what the oldest pending op takes leave the
 * journal: before other servers forget how far this one was committed (replica-expiry). */
#define ROTATE_MS (INT64_C(24) * 3600 * 1000)

struct journal_file {
    uint64_t sequence, start;
};

struct waiter {
    struct waiter *next;
    void (*done)(void *ctx, bool ok);
    void *ctx;
};

struct journal {
    pthread_mutex_t mutex;
    pthread_cond_t idle;  /* busy or syncing has ended */
    pthread_cond_t timer; /* for the thread */
    pthread_t thread;
    int directory;
    char incarnation[COMMIT_REPLICA_SIZE];
    enum journal_fsync policy;
    struct identity *identity;
    uint64_t rotate_bytes;
    int64_t rotate_ms;
    void (*trouble)(void *ctx, const char *sentence);
    void *ctx;

    struct journal_stream stream;
    uint64_t synced, joint, released;
    bool hurried;      /* the thread has been told that is_much */
    uint64_t doubtful; /* before this records may be lost, which memory had no more */

    int fd;              /* the leader's to change, with the mutex */
    uint64_t file_start; /* the leader's: the first record of the file that is written to */
    int64_t file_began;
    uint64_t next;  /* the leader's: number of the next file … */
    uint64_t noted; /* … and of the one that the identity may know already */
    off_t reserved; /* the leader's: up to here the file has zeros ahead of its records */
    bool scarce;    /* the leader's: there was no room for them in this file */
    struct journal_file *files; /* of this incarnation; the last is written to */
    size_t file_count;
    uint64_t *old; /* files of earlier incarnations, rising */
    size_t old_count;

    bool busy;    /* a leader writes */
    bool syncing; /* the thread fsyncs; writes may go on */
    bool suspect; /* the file can no longer be trusted behind `kept` */
    bool failed;  /* the last attempt failed; told to `trouble` */
    bool stopping;
    uint64_t failures;
    int64_t held_off; /* until then turns by the second leave their records in memory; 0: never */
    struct waiter *waiters;
    int64_t fsyncs;
};

/* --- the stream in memory; the mutex is held --- */

static void stream_forget(struct journal *journal)
{
    bool fsyncs = journal->policy != JOURNAL_FSYNC_NO;
    journal_stream_forget(&journal->stream, fsyncs ? journal->synced : journal->stream.written);
}

static size_t put_varint(unsigned char *out, uint64_t number)
{
    size_t len = 0;
    for (; number >= 0x80; number >>= 7)
        out[len++] = (unsigned char)(number | 0x80);
    out[len++] = (unsigned char)number;
    return len;
}

/* Everything of a section before its ops. */
static size_t put_section_head(unsigned char *out, const struct journal_section *section)
{
    size_t len = put_varint(out, section->namespace.len);
    memcpy(out + len, section->namespace.data, section->namespace.len);
    len += section->namespace.len;
    len += put_varint(out + len, section->position);
    len += put_varint(out + len, section->first);
    len += put_varint(out + len, section->count);
    return len + put_varint(out + len, section->ops.len);
}

#define SECTION_HEAD_MAX (NAMESPACE_NAME_MAX + 5 * 10)

/* So much is not on disk that it is not to wait for its second. The mutex is held. */
static bool is_much(const struct journal *journal)
{
    return journal->policy == JOURNAL_FSYNC_EVERYSEC && !journal->failed &&
           journal->stream.end - journal->synced >= SYNC_BYTES;
}

uint64_t journal_append(struct journal *journal, const struct journal_section *sections,
                        size_t count)
{
    unsigned char header[JOURNAL_RECORD_SIZE], counted[10];
    struct text many = {0};
    unsigned char one[SECTION_HEAD_MAX], *heads = one;
    size_t lens[1], *head_lens = lens, used = 0;
    if (count > 1) {
        heads = (unsigned char *)text_reserve(&many, count * (SECTION_HEAD_MAX + sizeof(size_t)) +
                                                         sizeof(size_t));
        head_lens = mem_alloc(count * sizeof(*head_lens));
    }
    /* The checksum of the payload is reckoned before the mutex is taken. */
    size_t counted_len = put_varint(counted, count);
    uint32_t crc = crc32c(0, counted, counted_len);
    uint64_t payload = counted_len;
    for (size_t i = 0; i < count; i++) {
        head_lens[i] = put_section_head(heads + used, &sections[i]);
        crc = crc32c(crc, heads + used, head_lens[i]);
        crc = crc32c(crc, sections[i].ops.data, sections[i].ops.len);
        payload += head_lens[i] + sections[i].ops.len;
        used += head_lens[i];
    }
    journal_store32(header, JOURNAL_RECORD_MAGIC);
    journal_store64(header + 8, payload);

    pthread_mutex_lock(&journal->mutex);
    journal_store64(header + 16, journal->stream.end - journal->synced);
    journal_store32(header + 4, crc32c(crc, header + 8, sizeof(header) - 8));
    journal_stream_put(&journal->stream, header, sizeof(header));
    journal_stream_put(&journal->stream, counted, counted_len);
    used = 0;
    for (size_t i = 0; i < count; i++) {
        journal_stream_put(&journal->stream, heads + used, head_lens[i]);
        journal_stream_put(&journal->stream, sections[i].ops.data, sections[i].ops.len);
        used += head_lens[i];
    }
    uint64_t ticket = journal->stream.end;
    if (count > 1)
        journal->joint = ticket;
    if (!journal->hurried && is_much(journal)) {
        journal->hurried = true;
        pthread_cond_signal(&journal->timer);
    }
    pthread_mutex_unlock(&journal->mutex);
    if (count > 1)
        mem_free(head_lens);
    text_release(&many);
    return ticket;
}

/* --- files; by the leader, without the mutex --- */

static int write_header(struct journal *journal, int fd, uint64_t sequence, uint64_t start)
{
    char bytes[JOURNAL_HEADER_SIZE];
    struct journal_file_header header = {.sequence = sequence, .start = start};
    memcpy(header.incarnation, journal->incarnation, sizeof(header.incarnation));
    journal_header_encode(&header, bytes);
    int error = file_write_all(fd, slice_make(bytes, sizeof(bytes)));
    if (!error && fsync(fd) < 0)
        error = errno;
    return error ? error : file_sync_directory(journal->directory, ".");
}

/* One that somebody else has removed already is no failure. */
static int remove_file(struct journal *journal, uint64_t sequence)
{
    char name[JOURNAL_NAME_SIZE];
    journal_file_name(sequence, name);
    return unlinkat(journal->directory, name, 0) < 0 && errno != ENOENT ? errno : 0;
}

static int note_files(struct journal *journal, uint64_t oldest, uint64_t newest)
{
    return journal->identity ? identity_note_journal(journal->identity, oldest, newest) : 0;
}

/* The oldest file that is needed when `sequence` is the newest. */
static uint64_t oldest_needed(struct journal *journal, uint64_t sequence)
{
    pthread_mutex_lock(&journal->mutex);
    uint64_t oldest = journal->old_count    ? journal->old[0]
                      : journal->file_count ? journal->files[0].sequence
                                            : sequence;
    pthread_mutex_unlock(&journal->mutex);
    return oldest;
}

/* Makes the next file, for records from `start` on. It is on disk before it is said to be there,
 * and said to be there before anything is written to it. Where it may be there after a failure,
 * nothing more goes to the file before it: a reader looks for records from `start` on in it alone.
 */
static int open_next(struct journal *journal, uint64_t start)
{
    char name[JOURNAL_NAME_SIZE];
    uint64_t sequence = journal->next;
    journal_file_name(sequence, name);
    int fd = openat(journal->directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    int error = write_header(journal, fd, sequence, start);
    /* Once it may be noted it stays, whatever fails, and is taken up at the next try. */
    bool stays = !error || journal->noted == sequence || unlinkat(journal->directory, name, 0) < 0;
    if (!error) {
        journal->noted = sequence;
        error = note_files(journal, oldest_needed(journal, sequence), sequence);
    }
    if (error) {
        pthread_mutex_lock(&journal->mutex);
        journal->suspect |= stays;
        pthread_mutex_unlock(&journal->mutex);
        close(fd);
        return error;
    }
    if (journal->fd >= 0)
        close(journal->fd);
    pthread_mutex_lock(&journal->mutex);
    journal->fd = fd;
    journal->next = sequence + 1;
    journal->file_start = start;
    journal->file_began = monotonic_ms();
    journal->reserved = 0;
    journal->scarce = false;
    journal->files =
        mem_realloc(journal->files, (journal->file_count + 1) * sizeof(*journal->files));
    journal->files[journal->file_count++] = (struct journal_file){sequence, start};
    pthread_mutex_unlock(&journal->mutex);
    return 0;
}

/* Where `place` is in the file that is written to. */
static off_t file_offset(const struct journal *journal, uint64_t place)
{
    return (off_t)(JOURNAL_HEADER_SIZE + (place - journal->file_start));
}

/*
 * Writes zeros ahead of a turn's records, in parts for which the page cache takes large folios: the
 * small writes of turns find pages that are there, which takes half the time, and an fsync of each
 * batch finds a file whose length and blocks stay as they are, which takes half of its own. Where
 * the disk is full, what there is stays to the records and to the store.
 */
static void reserve_ahead(struct journal *journal, off_t from, off_t to)
{
    static const char zeros[RESERVE];
    if (to <= journal->reserved || journal->scarce)
        return;
    off_t at = from > journal->reserved ? from : journal->reserved, began = at;
    while (at < to && !journal->scarce) {
        ssize_t wrote = pwrite(journal->fd, zeros, sizeof(zeros), at);
        journal->scarce = wrote < (ssize_t)sizeof(zeros);
        at += wrote > 0 ? wrote : 0;
    }
    if (!journal->scarce || ftruncate(journal->fd, began) < 0)
        journal->reserved = at;
}

/* Takes back what was written in part, so that a record is not there twice. */
static bool take_back(struct journal *journal, off_t offset)
{
    journal->reserved = 0;
    return ftruncate(journal->fd, offset) == 0 && lseek(journal->fd, offset, SEEK_SET) == offset;
}

/* Writes all that is appended. */
static int write_stream(struct journal *journal)
{
    struct iovec parts[JOURNAL_STREAM_PARTS_MAX];
    uint64_t end;
    for (;;) {
        pthread_mutex_lock(&journal->mutex);
        int count = journal_stream_gather(&journal->stream, parts, &end);
        uint64_t from = journal->stream.written;
        bool more = end < journal->stream.end;
        pthread_mutex_unlock(&journal->mutex);
        if (count == 0)
            return 0;
        if (!more)
            reserve_ahead(journal, file_offset(journal, from), file_offset(journal, end));
        int error = file_writev_all(journal->fd, parts, count);
        bool spoilt = error && !take_back(journal, file_offset(journal, from));
        pthread_mutex_lock(&journal->mutex);
        if (error)
            journal->suspect |= spoilt;
        else
            journal_stream_wrote(&journal->stream, end);
        pthread_mutex_unlock(&journal->mutex);
        if (error)
            return error;
    }
}

/* After a failed fsync: a new file, and everything again that no fsync has covered, as far as it is
 * in memory: what is written leaves that without an fsync where the policy is `no`. */
static int start_over(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    uint64_t kept = journal->stream.kept;
    pthread_mutex_unlock(&journal->mutex);
    int error = open_next(journal, kept);
    if (error)
        return error;
    pthread_mutex_lock(&journal->mutex);
    journal_stream_rewind(&journal->stream);
    journal->suspect = false;
    if (kept > journal->synced)
        journal->doubtful = kept;
    pthread_mutex_unlock(&journal->mutex);
    return 0;
}

/* One at a time: an error of the disk is told to one of those that are under way, and the others
 * would say that all is well. For the same reason none follows on a failed one in this file. */
static int sync_file(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    uint64_t covered = journal->stream.written;
    int fd = journal->fd;
    bool needed = covered > journal->synced, suspect = journal->suspect;
    pthread_mutex_unlock(&journal->mutex);
    if (!needed || suspect)
        return needed ? EIO : 0;
    int error = fdatasync(fd) < 0 ? errno : 0;
    pthread_mutex_lock(&journal->mutex);
    journal->fsyncs++;
    if (error)
        journal->suspect = true;
    else if (covered > journal->synced)
        journal->synced = covered;
    stream_forget(journal);
    pthread_mutex_unlock(&journal->mutex);
    return error;
}

/* --- leading --- */

/* Takes the lead; the mutex is held before and after. */
static void lead_begin(struct journal *journal)
{
    while (journal->busy)
        pthread_cond_wait(&journal->idle, &journal->mutex);
    journal->busy = true;
}

static void lead_end(struct journal *journal)
{
    journal->busy = false;
    pthread_cond_broadcast(&journal->idle);
}

static void wait_for_syncing(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    while (journal->syncing)
        pthread_cond_wait(&journal->idle, &journal->mutex);
    pthread_mutex_unlock(&journal->mutex);
}

static void tell_trouble(struct journal *journal, const char *doing, int error)
{
    char sentence[200];
    bool changed;
    pthread_mutex_lock(&journal->mutex);
    changed = error ? true : journal->failed;
    journal->failed = error != 0;
    if (error)
        journal->failures++;
    pthread_mutex_unlock(&journal->mutex);
    if (!changed || !journal->trouble)
        return;
    snprintf(sentence, sizeof(sentence), "the journal cannot be %s: %s", doing, strerror(error));
    journal->trouble(journal->ctx, error ? sentence : NULL);
}

/* Called by the leader without the mutex: writes, fsyncs if asked to. */
static int flush(struct journal *journal, bool sync)
{
    const char *doing = "written";
    int error = 0;
    pthread_mutex_lock(&journal->mutex);
    bool suspect = journal->suspect;
    pthread_mutex_unlock(&journal->mutex);
    if (suspect) {
        wait_for_syncing(journal); /* it may hold the file that is given up here */
        error = start_over(journal);
    }
    if (!error)
        error = write_stream(journal);
    if (!error && sync) {
        doing = "brought to disk";
        wait_for_syncing(journal);
        error = sync_file(journal);
    }
    if (!error && !sync) {
        pthread_mutex_lock(&journal->mutex);
        stream_forget(journal);
        pthread_mutex_unlock(&journal->mutex);
    }
    tell_trouble(journal, doing, error);
    return error;
}

/*
 * Begins what may wait for the disk. Until take_up, or for PATIENCE_MS, turns by the second neither
 * wait nor write: a write beside an fsync may wait for it. The mutex is held.
 */
static void hold_off(struct journal *journal)
{
    if (journal->policy == JOURNAL_FSYNC_EVERYSEC)
        journal->held_off = monotonic_ms() + PATIENCE_MS;
}

static bool is_held_off(const struct journal *journal)
{
    return journal->held_off && monotonic_ms() < journal->held_off;
}

/* Ends it. Called by the leader without the mutex. What turns have left in memory may be much: it
 * is written here, where no client waits. */
static void take_up(struct journal *journal, int error)
{
    pthread_mutex_lock(&journal->mutex);
    bool held_off = journal->held_off != 0;
    pthread_mutex_unlock(&journal->mutex);
    if (!held_off)
        return;
    if (!error)
        error = flush(journal, false);
    pthread_mutex_lock(&journal->mutex);
    journal->held_off = 0;
    pthread_mutex_unlock(&journal->mutex);
    if (!error)
        flush(journal, false); /* what came meanwhile: nobody else may come */
}

bool journal_harden(struct journal *journal, uint64_t ticket, bool fsync)
{
    bool ok = true;
    pthread_mutex_lock(&journal->mutex);
    bool sync = fsync || journal->policy == JOURNAL_FSYNC_ALWAYS;
    uint64_t failures = journal->failures;
    while ((sync ? journal->synced : journal->stream.written) < ticket) {
        if (!sync && is_held_off(journal))
            break; /* whoever holds it off writes it afterwards */
        if (journal->failures != failures) {
            ok = false;
            break;
        }
        if (journal->busy) {
            pthread_cond_wait(&journal->idle, &journal->mutex);
            continue;
        }
        journal->busy = true;
        if (sync)
            hold_off(journal);
        pthread_mutex_unlock(&journal->mutex);
        int error = flush(journal, sync);
        if (sync)
            take_up(journal, error);
        pthread_mutex_lock(&journal->mutex);
        lead_end(journal);
    }
    if (sync && journal->released < journal->doubtful)
        ok = false;
    pthread_mutex_unlock(&journal->mutex);
    return ok;
}

/* --- the thread --- */

/* An fsync without the lead, so that others can write meanwhile who will fsync themselves. */
static void sync_aside(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    lead_begin(journal);
    hold_off(journal);
    bool suspect = journal->suspect;
    pthread_mutex_unlock(&journal->mutex);
    int error = flush(journal, suspect);
    pthread_mutex_lock(&journal->mutex);
    journal->syncing = true;
    lead_end(journal);
    pthread_mutex_unlock(&journal->mutex);
    if (!error) {
        error = sync_file(journal);
        tell_trouble(journal, "brought to disk", error);
    }
    pthread_mutex_lock(&journal->mutex);
    journal->syncing = false;
    pthread_cond_broadcast(&journal->idle);
    lead_begin(journal);
    pthread_mutex_unlock(&journal->mutex);
    take_up(journal, error);
    pthread_mutex_lock(&journal->mutex);
    lead_end(journal);
    pthread_mutex_unlock(&journal->mutex);
}

static bool rotation_due(const struct journal *journal)
{
    uint64_t in_file = journal->stream.end - journal->files[journal->file_count - 1].start;
    bool idle = journal->released == journal->stream.end && in_file > journal->rotate_bytes / 16;
    bool aged = in_file && monotonic_ms() - journal->file_began >= journal->rotate_ms;
    return in_file > journal->rotate_bytes || idle || aged;
}

/* A file is whole and on disk before the next one is made. */
static void rotate(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    lead_begin(journal);
    hold_off(journal);
    pthread_mutex_unlock(&journal->mutex);
    int error = flush(journal, true);
    if (!error) {
        error = open_next(journal, journal->stream.written);
        tell_trouble(journal, "continued in a new file", error);
    }
    take_up(journal, error);
    pthread_mutex_lock(&journal->mutex);
    lead_end(journal);
    pthread_mutex_unlock(&journal->mutex);
}

/*
 * Removes files that end before `released`, the oldest first, so that no gap can remain, each after
 * it is noted that it may be gone; none in trouble, when the next file may have nothing on disk
 * yet.
 */
static void remove_released(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    while (journal->file_count > 1 && journal->files[1].start <= journal->released &&
           journal->old_count == 0 && !journal->failed && !journal->suspect) {
        uint64_t sequence = journal->files[0].sequence;
        pthread_mutex_unlock(&journal->mutex);
        int failed = note_files(journal, sequence + 1, 0);
        if (!failed)
            failed = remove_file(journal, sequence);
        pthread_mutex_lock(&journal->mutex);
        if (failed)
            break;
        journal->file_count--;
        memmove(journal->files, journal->files + 1, journal->file_count * sizeof(*journal->files));
    }
    pthread_mutex_unlock(&journal->mutex);
}

static void answer_waiters(struct journal *journal, struct waiter *waiters)
{
    bool ok = waiters ? journal_harden(journal, journal_end(journal), true) : true;
    while (waiters) {
        struct waiter *next = waiters->next;
        waiters->done(waiters->ctx, ok);
        mem_free(waiters);
        waiters = next;
    }
}

static void sleep_until(struct journal *journal, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    while (!journal->stopping && !journal->waiters && !is_much(journal) &&
           pthread_cond_timedwait(&journal->timer, &journal->mutex, &until) == 0)
        ;
}

static void *journal_thread(void *arg)
{
    struct journal *journal = arg;
    int64_t next = monotonic_ms() + 1000;
    pthread_setname_np(pthread_self(), "journal");
    pthread_mutex_lock(&journal->mutex);
    while (!journal->stopping || journal->waiters) {
        sleep_until(journal, next);
        struct waiter *waiters = journal->waiters;
        journal->waiters = NULL;
        bool due = (monotonic_ms() >= next || is_much(journal)) && !journal->stopping;
        bool retry = journal->failed;
        bool unsynced =
            journal->policy != JOURNAL_FSYNC_NO && journal->synced < journal->stream.end;
        bool unwritten = journal->stream.written < journal->stream.end;
        bool turn = rotation_due(journal);
        pthread_mutex_unlock(&journal->mutex);
        answer_waiters(journal, waiters);
        if (due) {
            if (unsynced || retry)
                sync_aside(journal);
            else if (unwritten)
                journal_harden(journal, journal_end(journal), false);
            if (turn)
                rotate(journal);
            remove_released(journal);
        }
        pthread_mutex_lock(&journal->mutex);
        journal->hurried = false;
        if (due)
            next = monotonic_ms() + (journal->failed ? RETRY_MS : 1000);
        else if (journal->failed && next > monotonic_ms() + RETRY_MS)
            next = monotonic_ms() + RETRY_MS;
    }
    pthread_mutex_unlock(&journal->mutex);
    return NULL;
}

void journal_harden_later(struct journal *journal, void (*done)(void *ctx, bool ok), void *ctx)
{
    struct waiter *waiter = mem_alloc(sizeof(*waiter));
    pthread_mutex_lock(&journal->mutex);
    *waiter = (struct waiter){journal->waiters, done, ctx};
    journal->waiters = waiter;
    pthread_cond_signal(&journal->timer);
    pthread_mutex_unlock(&journal->mutex);
}

/* --- life --- */

struct journal *journal_create(const struct journal_options *options,
                               const struct journal_scan *scan, struct text *error)
{
    struct journal *journal = mem_calloc(1, sizeof(*journal));
    pthread_condattr_t monotonic;
    journal->directory = options->directory;
    journal->policy = options->fsync;
    journal->identity = options->identity;
    journal->rotate_bytes = options->rotate_bytes;
    journal->rotate_ms = options->rotate_ms ? options->rotate_ms : ROTATE_MS;
    journal->next = scan->next ? scan->next : 1;
    journal->trouble = options->trouble;
    journal->ctx = options->ctx;
    journal->fd = -1;
    snprintf(journal->incarnation, sizeof(journal->incarnation), "%s", options->incarnation);
    journal->old = mem_alloc(scan->count * sizeof(uint64_t));
    journal->old_count = scan->count;
    if (scan->count)
        memcpy(journal->old, scan->sequences, scan->count * sizeof(uint64_t));
    pthread_mutex_init(&journal->mutex, NULL);
    pthread_cond_init(&journal->idle, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->timer, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = open_next(journal, 0);
    if (code == 0)
        code = pthread_create(&journal->thread, NULL, journal_thread, journal);
    if (code == 0)
        return journal;
    text_append_format(error, "the journal cannot be begun: %s", strerror(code));
    journal->stopping = true;
    journal_destroy(journal, false);
    return NULL;
}

static bool remove_all(struct journal *journal)
{
    bool ok = journal_release_old(journal) && note_files(journal, journal->next, 0) == 0;
    for (size_t i = 0; ok && i < journal->file_count; i++)
        ok = remove_file(journal, journal->files[i].sequence) == 0;
    return ok && file_sync_directory(journal->directory, ".") == 0;
}

static void stop_thread(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->stopping = true;
    pthread_cond_signal(&journal->timer);
    pthread_mutex_unlock(&journal->mutex);
    pthread_join(journal->thread, NULL);
}

bool journal_destroy(struct journal *journal, bool empty)
{
    bool ok = true;
    if (!journal)
        return true;
    if (!journal->stopping) {
        stop_thread(journal);
        ok = empty ? remove_all(journal) : journal_harden(journal, journal->stream.end, true);
    }
    if (journal->fd >= 0)
        close(journal->fd);
    journal_stream_release(&journal->stream);
    mem_free(journal->files);
    mem_free(journal->old);
    pthread_cond_destroy(&journal->idle);
    pthread_cond_destroy(&journal->timer);
    pthread_mutex_destroy(&journal->mutex);
    mem_free(journal);
    return ok;
}

void journal_set_fsync(struct journal *journal, enum journal_fsync policy)
{
    pthread_mutex_lock(&journal->mutex);
    journal->policy = policy;
    pthread_mutex_unlock(&journal->mutex);
}

uint64_t journal_end(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    uint64_t end = journal->stream.end;
    pthread_mutex_unlock(&journal->mutex);
    return end;
}

uint64_t journal_joint_ticket(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    uint64_t joint = journal->joint;
    pthread_mutex_unlock(&journal->mutex);
    return joint;
}

void journal_release(struct journal *journal, uint64_t ticket)
{
    pthread_mutex_lock(&journal->mutex);
    if (ticket > journal->released)
        journal->released = ticket;
    pthread_mutex_unlock(&journal->mutex);
}

bool journal_release_old(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    bool any = journal->old_count > 0;
    uint64_t first = journal->files[0].sequence;
    pthread_mutex_unlock(&journal->mutex);
    if (any && note_files(journal, first, 0))
        return false;
    pthread_mutex_lock(&journal->mutex);
    size_t gone = 0;
    while (gone < journal->old_count && remove_file(journal, journal->old[gone]) == 0)
        gone++;
    journal->old_count -= gone;
    memmove(journal->old, journal->old + gone, journal->old_count * sizeof(uint64_t));
    bool ok = journal->old_count == 0;
    pthread_mutex_unlock(&journal->mutex);
    return ok && (gone == 0 || file_sync_directory(journal->directory, ".") == 0);
}

void journal_count(struct journal *journal, int64_t *ret_bytes, int64_t *ret_fsyncs)
{
    pthread_mutex_lock(&journal->mutex);
    *ret_bytes = (int64_t)(journal->stream.end - journal->files[0].start);
    *ret_fsyncs = journal->fsyncs;
    pthread_mutex_unlock(&journal->mutex);
}
