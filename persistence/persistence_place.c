/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which store this is, and whether it is the one that the journal was written for: ops of another
 * one would be committed where nobody looks for them. A journal without ops goes with any store.
 */
#include "persistence/namespace-internal.h"

#include <stdlib.h>

#include "persistence/place_file.h"
#include "persistence/recovery.h"
#include "persistence/store_s3.h"

/* Without links in it; its last part need not be there yet. */
static void append_path(const char *where, struct text *out)
{
    struct text parent = {0};
    size_t len = strlen(where), base;
    char *path = realpath(where, NULL);
    if (path) {
        text_append_string(out, path);
        free(path);
        return;
    }
    while (len > 1 && where[len - 1] == '/')
        len--;
    base = len;
    while (base && where[base - 1] != '/')
        base--;
    text_append(&parent, where, base);
    path = realpath(base ? text_terminated(&parent) : ".", NULL);
    if (path)
        text_append_format(out, "%s%s", path, path[1] ? "/" : "");
    text_append(out, where + (path ? base : 0), len - (path ? base : 0));
    free(path);
    text_release(&parent);
}

void persistence_find_place(struct persistence *p)
{
    if (p->store && store_s3_url(p->store, &p->place))
        return;
    if (p->own_store)
        text_append_string(&p->place, PLACE_OWN);
    else
        append_path(p->where, &p->place);
}

static const char *name_place(struct text *word)
{
    return slice_equal(text_slice(word), slice_of(PLACE_OWN)) ? "the store in itself"
                                                              : text_terminated(word);
}

static enum persistence_status refuse(const struct persistence *p, struct text *noted,
                                      struct text *present, uint64_t ops, struct text *error)
{
    text_append_format(error,
                       "%s: its journal has %llu op%s for %s, which perhaps has not got them yet, "
                       "and this start is with %s. ",
                       p->dir, (unsigned long long)ops, ops == 1 ? "" : "s", name_place(noted),
                       name_place(present));
    text_append_format(error,
                       "Start once with the former and end that server with SHUTDOWN, which "
                       "commits them; or choose another --dir; or, if both are the same store, "
                       "which was moved or got another name, remove %s/" PLACE_FILE,
                       p->dir);
    return PERSISTENCE_CORRUPT;
}

enum persistence_status persistence_check_place(struct persistence *p, uint64_t ops,
                                                struct text *error)
{
    enum persistence_status status = PERSISTENCE_OK;
    struct text noted = {0}, present = {0}, reason = {0};
    text_append_word(&present, text_slice(&p->place));
    if (!place_file_read(p->own, &noted, &reason)) {
        text_append_format(error, "%s: %s", p->dir, text_terminated(&reason));
        status = PERSISTENCE_CORRUPT;
    } else if (slice_equal(text_slice(&noted), text_slice(&present))) {
        p->place_noted = true;
    } else if (noted.len && ops) {
        status = refuse(p, &noted, &present, ops, error);
    }
    text_release(&noted);
    text_release(&present);
    text_release(&reason);
    return status;
}

static void refuse_left(const struct persistence *p, uint64_t ops, struct text *error)
{
    text_append_format(error,
                       "%s: the journal in it, in .cairn, has %llu op%s that it perhaps has not "
                       "got yet, and this start has another --dir, %s. ",
                       p->where, (unsigned long long)ops, ops == 1 ? "" : "s", p->dir);
    text_append_format(error,
                       "Start once with --shared no and --dir %s, and end that server with "
                       "SHUTDOWN, which commits them",
                       p->where);
}

enum persistence_status persistence_check_left(struct persistence *p, int store_own,
                                               struct text *error)
{
    enum persistence_status status = PERSISTENCE_CORRUPT;
    struct journal_scan scan = {0};
    struct recovery recovery = {0};
    struct text noted = {0}, reason = {0};
    bool readable = journal_read(store_own, false, recovery_collect, &recovery, &scan, &reason) &&
                    place_file_read(store_own, &noted, &reason);
    uint64_t ops = recovery_ops(&recovery);
    bool own = !noted.len || slice_equal(text_slice(&noted), slice_of(PLACE_OWN));
    if (!readable)
        text_append_format(error, "%s: %s", p->where, text_terminated(&reason));
    else if (own && ops)
        refuse_left(p, ops, error);
    else
        status = PERSISTENCE_OK;
    journal_scan_release(&scan);
    recovery_release(&recovery);
    text_release(&noted);
    text_release(&reason);
    return status;
}

bool persistence_note_place(struct persistence *p, struct text *error)
{
    int code = p->place_noted ? 0 : place_file_write(p->own, text_slice(&p->place));
    if (code)
        text_append_format(error, "%s/" PLACE_FILE ": %s", p->dir, strerror(code));
    else
        p->place_noted = true;
    return code == 0;
}
