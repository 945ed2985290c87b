/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A namespace whose head is missing is no empty one: every head that was read or written is noted
 * in namespaces_file.h, once, and what is noted must be there. Nothing of ours ever removes a head.
 * A name in a listing is not enough: any file that others keep beside ours may look so, and go.
 *
 * A note may come up to a second after the first commit, since that costs the sync nothing; what a
 * crash in between would leave unnoted the journal still has from its first op on, as files of it
 * go only after the notes.
 */
#include "persistence/namespace-internal.h"

#include "ops/mem.h"

static void on_noted(void *ctx, struct slice name)
{
    persistence_namespace(ctx, name)->agent.noted = true;
}

bool persistence_open_heads(struct persistence *p, struct text *error)
{
    bool ok = namespaces_file_open(&p->noted, p->own, text_slice(&p->place), on_noted, p, error);
    if (ok && p->noted.cut)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "%s/" NAMESPACES_FILE
                        ": the last line, which a crash had cut short, is dropped",
                        p->dir);
    return ok;
}

void namespace_note_head(struct namespace *ns)
{
    if (ns->agent.noted)
        return;
    ns->agent.noted = true;
    namespaces_file_add(&ns->owner->noted, namespace_name(ns));
}

bool namespace_lost_head(const struct namespace *ns, const struct loaded *loaded,
                         struct text *error)
{
    const struct persistence *p = ns->owner;
    if (!ns->agent.noted || loaded->etag[0])
        return false;
    text_append_format(error, "%s.json is missing in %s, though it was there, says %s/%s. ",
                       ns->name, p->where, p->dir, NAMESPACES_FILE);
    text_append_format(error,
                       "Put it back; or, if it was removed on purpose, remove the line of %s from "
                       "that file while this server is down",
                       ns->name);
    return true;
}

/* A listing may lag behind on some buckets: the head itself is asked for. */
static enum loader_result check_head(struct namespace *ns, struct store *store, struct text *error)
{
    struct loader_options options = {.store = store, .namespace = namespace_name(ns)};
    struct loaded loaded;
    enum loader_result result = loader_head(&options, &loaded, error);
    if (result != LOADER_OK)
        return result;
    if (namespace_lost_head(ns, &loaded, error))
        result = LOADER_CORRUPT;
    loaded_release(&loaded);
    return result;
}

enum loader_result persistence_check_heads(struct persistence *p, struct store *store,
                                           struct text *error)
{
    enum loader_result result = LOADER_OK;
    size_t count;
    struct namespace **list = persistence_all(p, &count);
    for (size_t i = 0; i < count && result == LOADER_OK; i++)
        if (list[i]->agent.noted && !list[i]->agent.listed)
            result = check_head(list[i], store, error);
    mem_free(list);
    return result;
}

void persistence_flush_heads(struct persistence *p)
{
    int code = namespaces_file_flush(&p->noted);
    if (code && !p->noting_failed)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "%s/" NAMESPACES_FILE ": %s; it is tried again. Until then a new namespace "
                        "that loses its head would not be missed",
                        p->dir, strerror(code));
    p->noting_failed = code != 0;
}
