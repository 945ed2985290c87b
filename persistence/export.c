/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See export.h. The state is merged from the objects of one head while it is written, so what has
 * been written is of no use with another head: it is taken back.
 */
#include "persistence/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "persistence/document.h"
#include "persistence/file.h"
#include "persistence/overtaken.h"
#include "persistence/place_file.h"
#include "persistence/verify.h"

/* --- where it goes --- */

struct output {
    int fd;
    off_t begin; /* of a file that can be cut; -1: what has left has left */
    off_t written;
    struct text held; /* while nothing has left */
    bool left, failed;
};

static void output_init(struct output *out, int fd)
{
    struct stat about;
    int flags = fcntl(fd, F_GETFL);
    *out = (struct output){.fd = fd, .begin = -1};
    if (flags < 0 || fstat(fd, &about) < 0 || !S_ISREG(about.st_mode))
        return;
    off_t at = flags & O_APPEND ? about.st_size : lseek(fd, 0, SEEK_CUR);
    if (at == about.st_size)
        out->begin = at;
}

static bool output_write(struct output *out, struct slice bytes, struct text *error)
{
    int code = file_write_all(out->fd, bytes);
    out->left |= out->begin < 0 && bytes.len;
    out->written += (off_t)bytes.len;
    out->failed |= code != 0;
    if (code)
        text_append_format(error, "writing the document: %s", strerror(code));
    return code == 0;
}

static bool output_flush(struct output *out, struct text *error)
{
    bool fine = output_write(out, text_slice(&out->held), error);
    text_clear(&out->held);
    return fine;
}

static bool output_put(void *ctx, struct slice piece, struct text *error)
{
    struct output *out = ctx;
    if (out->begin < 0 && !out->left && out->held.len + piece.len <= EXPORT_HELD) {
        text_append_slice(&out->held, piece);
        return true;
    }
    return output_flush(out, error) && output_write(out, piece, error);
}

/* True: it is as before the first byte. Leaves alone what somebody else has written behind it. */
static bool output_take_back(struct output *out)
{
    struct stat about;
    text_clear(&out->held);
    if (out->begin < 0)
        return !out->left;
    if (fstat(out->fd, &about) < 0 || about.st_size != out->begin + out->written ||
        ftruncate(out->fd, out->begin) < 0 || lseek(out->fd, out->begin, SEEK_SET) < 0)
        return false;
    out->written = 0;
    return true;
}

/* --- what the journal has --- */

/* Where a journal beside the store would be; *ret_own is -1: there is no such place. */
static int open_own(const char *where, int *ret_own)
{
    struct text path = {0};
    text_append_format(&path, "%s/.cairn", where);
    *ret_own = open(text_terminated(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = *ret_own < 0 && errno != ENOENT ? errno : 0;
    text_release(&path);
    return code;
}

/* A directory may be both a store and the place of a server's own whose store is another one. */
static bool drop_foreign(int own, const char *where, struct recovery *recovery, struct text *error)
{
    struct text place = {0};
    bool ok = place_file_read(own, &place, error);
    if (place.len && !slice_equal(text_slice(&place), slice_of(PLACE_OWN)) && recovery->count) {
        fprintf(stderr, "cairn-server: %s: the journal there is for %s: it is left out\n", where,
                text_terminated(&place));
        recovery_release(recovery);
    }
    text_release(&place);
    return ok;
}

/* The journal beside the store, unless a server holds it. Changes nothing there. */
static bool read_journal(const char *where, struct recovery *recovery, struct text *error)
{
    struct journal_scan scan;
    struct text reason = {0};
    int lock = -1, own, code = open_own(where, &own);
    bool ok = true;
    if (!code && own < 0)
        return true;
    if (!code)
        code = file_lock_to_read(own, "lock", &lock);
    if (code == EWOULDBLOCK) {
        fprintf(stderr, "cairn-server: %s is in use: only what is committed is given\n", where);
    } else if (code) {
        text_append_format(error, "%s/.cairn: %s", where, strerror(code));
        ok = false;
    } else {
        ok = journal_read(own, false, recovery_collect, recovery, &scan, &reason);
        if (ok && scan.cut[0])
            fprintf(stderr, "cairn-server: %s\n", scan.cut);
        if (ok)
            journal_scan_release(&scan);
        ok = ok && drop_foreign(own, where, recovery, &reason);
        if (!ok)
            text_append_format(error, "%s: %s", where, text_terminated(&reason));
        text_release(&reason);
    }
    if (lock >= 0)
        close(lock);
    if (own >= 0)
        close(own);
    return ok;
}

static struct recovered *find_recovered(struct recovery *recovery, struct slice name)
{
    for (size_t i = 0; i < recovery->count; i++)
        if (slice_equal(slice_of(recovery->items[i].namespace), name))
            return &recovery->items[i];
    return NULL;
}

/* Turns the batches that are not committed into a tail, as a sync would. */
static bool append_recovered(struct recovered *item, struct head *head, struct text *error)
{
    for (struct sync_batch *batch = item->batches; batch; batch = batch->next) {
        struct commit commit = {.position = head->position + 1,
                                .time = batch->time,
                                .first = batch->first,
                                .count = batch->count};
        memcpy(commit.replica, batch->replica, sizeof(commit.replica));
        uint64_t count = 0;
        text_clear(&batch->json); /* of an attempt before */
        if (!commit_ops_encode(text_slice(&batch->ops), batch->time, &batch->json, &count)) {
            text_append_string(error, "ops in the journal cannot be read");
            return false;
        }
        commit_seal_inline(&commit, text_slice(&batch->json));
        head_append(head, &commit);
    }
    return true;
}

/* --- the document --- */

/* With the head of now. `objects` has what was asked for last. */
static enum persistence_status attempt(struct loader_objects *objects, struct recovered *item,
                                       struct output *out, struct text *error)
{
    struct slice name = slice_of(objects->namespace);
    struct loader_options options = {.store = objects->store,
                                     .namespace = name,
                                     .expect = item && item->position > 0,
                                     .workers = 2};
    struct fold_store store = loader_fold_store(objects);
    struct loaded loaded;
    enum loader_result result =
        item ? loader_run(&options, &loaded, error) : loader_head(&options, &loaded, error);
    if (result != LOADER_OK)
        return result == LOADER_CORRUPT ? PERSISTENCE_CORRUPT : PERSISTENCE_UNWRITABLE;
    enum persistence_status status = PERSISTENCE_CORRUPT;
    if (!loaded.etag[0] && !item)
        verify_append_absent(objects->store, objects->namespace, error);
    else if ((!item || (recovery_apply(item, &loaded, error) &&
                        append_recovered(item, &loaded.head, error))) &&
             document_export(&loaded.head, &store, output_put, out, error) &&
             output_flush(out, error))
        status = PERSISTENCE_OK;
    loaded_release(&loaded);
    return status;
}

static const char cannot_begin_again[] =
    "another server has folded it away while it was read, and a part of the document has left "
    "already; write it to a file, where it can begin again, or try again";

enum persistence_status export_namespace(struct store *store, struct recovered *item,
                                         struct slice name, int fd, struct text *error)
{
    struct loader_objects objects;
    struct output out;
    struct text reason = {0};
    enum persistence_status status;
    bool again, taken_back;
    int attempts = 0;
    output_init(&out, fd);
    do {
        text_clear(&reason);
        loader_objects_init(&objects, store, name);
        status = attempt(&objects, item, &out, &reason);
        again = status != PERSISTENCE_OK && !out.failed && loader_superseded(&objects);
        taken_back = status == PERSISTENCE_OK || output_take_back(&out);
    } while (again && taken_back && ++attempts < OVERTAKEN_ATTEMPTS);
    if (again)
        text_append_format(error, "%s: %s", objects.namespace,
                           taken_back ? OVERTAKEN_AGAIN : cannot_begin_again);
    else
        text_append_slice(error, text_slice(&reason));
    text_release(&out.held);
    text_release(&reason);
    return again ? PERSISTENCE_UNWRITABLE : status;
}

enum persistence_status persistence_export(const char *where, struct slice name, int fd,
                                           struct text *error)
{
    struct recovery recovery = {0};
    struct store *store = NULL;
    if (!namespace_name_valid(name)) {
        text_append_format(error, "'%.*s' is no name of a namespace", (int)name.len, name.data);
        return PERSISTENCE_CORRUPT;
    }
    enum persistence_status status = PERSISTENCE_CORRUPT;
    if (store_open_to_read(where, &store, error) != STORE_OK)
        status = PERSISTENCE_UNWRITABLE;
    else if (read_journal(where, &recovery, error))
        status = export_namespace(store, find_recovered(&recovery, name), name, fd, error);
    recovery_release(&recovery);
    store_close(store);
    return status;
}
