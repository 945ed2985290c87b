/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is asked of persistence seldom: listing, figures, DEBUG RELOAD, import. May block on the
 * store.
 */
#include "persistence/namespace-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/document.h"
#include "persistence/uuid.h"

#define RELOAD_ATTEMPTS 20
#define IMPORT_CHUNK    ((size_t)4 * 1024 * 1024)
#define IMPORT_INLINE   ((size_t)64 * 1024)

/* --- DEBUG RELOAD --- */

struct entry_list {
    struct entry **items;
    size_t count, cap;
};

static void list_entry(void *ctx, struct entry *entry)
{
    struct entry_list *list = ctx;
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 1024;
        list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = entry;
}

static int compare_entries(const void *a, const void *b)
{
    return slice_compare(entry_key(*(struct entry *const *)a),
                         entry_key(*(struct entry *const *)b));
}

/* The whole state as an inline one. */
static void encode_state(struct keyspace *ks, struct text *out)
{
    struct entry_list list = {0};
    uint64_t cursor = 0;
    do
        cursor = keyspace_scan(ks, cursor, list_entry, &list);
    while (cursor);
    if (list.count)
        qsort(list.items, list.count, sizeof(*list.items), compare_entries);
    text_append_char(out, '{');
    for (size_t i = 0; i < list.count; i++) {
        if (i && list.items[i] == list.items[i - 1])
            continue;
        if (i)
            text_append_char(out, ',');
        chunk_member_encode(out, entry_key(list.items[i]), list.items[i]);
    }
    text_append_char(out, '}');
    mem_free(list.items);
}

static void insert_entry(void *ctx, struct entry *entry)
{
    keyspace_insert(ctx, entry);
}

static enum persistence_status reload_memory(struct namespace *ns, struct text *error)
{
    struct keyspace_hooks hooks = namespace_hooks(ns);
    struct text state = {0};
    enum persistence_status status = PERSISTENCE_OK;
    namespace_lock_aside(ns);
    if (ns->keyspace) {
        struct keyspace *old = ns->keyspace, *fresh = keyspace_create(&hooks);
        encode_state(old, &state);
        if (chunk_load_state(text_slice(&state), insert_entry, fresh, error)) {
            ns->keyspace = fresh;
            keyspace_destroy(old);
        } else {
            keyspace_destroy(fresh);
            status = PERSISTENCE_CORRUPT;
        }
    }
    namespace_unlock(ns);
    text_release(&state);
    return status;
}

/* Swaps the keyspace in if nothing was written since the store was read. In this order: what is no
 * longer pending is in the position. */
static bool swap_in(struct namespace *ns, struct loaded *loaded)
{
    namespace_lock_aside(ns);
    bool same = ns->keyspace && atomic_load(&ns->pending_ops) == 0 &&
                loaded->head.position == namespace_position(ns);
    if (same) {
        struct keyspace *old = ns->keyspace;
        if (ns->rebase)
            rebase_restart(ns->rebase, loaded->keyspace, loaded->clock, &loaded->head);
        ns->keyspace = loaded->keyspace;
        loaded->keyspace = old;
    }
    namespace_unlock(ns);
    return same;
}

/* The store has lost what this server had `seen` in it: what is in memory stays. */
static bool is_behind(struct namespace *ns, const struct loaded *loaded, uint64_t seen,
                      struct text *error)
{
    if (namespace_lost_head(ns, loaded, error))
        return true;
    if (loaded->head.position >= seen)
        return false;
    text_append_format(error,
                       "%s.json is at position %llu, though this server has seen %llu: put the "
                       "newer one back",
                       ns->name, (unsigned long long)loaded->head.position,
                       (unsigned long long)seen);
    return true;
}

enum persistence_status persistence_reload(struct persistence *p, struct namespace *ns,
                                           struct text *error)
{
    if (p->memory)
        return reload_memory(ns, error);
    struct store *store = store_clone(p->store);
    struct loader_options options = namespace_loader(ns, store);
    enum persistence_status status = PERSISTENCE_OK;
    bool done = false;
    for (int i = 0; i < RELOAD_ATTEMPTS && !done && status == PERSISTENCE_OK; i++) {
        struct loaded loaded;
        status = persistence_sync_blocking(p, ns);
        if (status != PERSISTENCE_OK) {
            char why[NAMESPACE_ERROR_MAX];
            persistence_trouble(p, why, sizeof(why));
            text_append_string(error, why);
            break;
        }
        uint64_t seen = namespace_position(ns);
        enum loader_result result = loader_run(&options, &loaded, error);
        if (result != LOADER_OK) {
            status = result == LOADER_CORRUPT ? PERSISTENCE_CORRUPT : PERSISTENCE_UNWRITABLE;
            break;
        }
        if (is_behind(ns, &loaded, seen, error))
            status = PERSISTENCE_CORRUPT;
        else
            done = swap_in(ns, &loaded);
        loaded_release(&loaded);
    }
    store_close(store);
    if (status == PERSISTENCE_OK && !done) {
        text_append_string(error, "others write to the namespace all the time");
        status = PERSISTENCE_UNWRITABLE;
    }
    return status;
}

/* --- listing --- */

struct listed {
    char name[NAMESPACE_NAME_MAX + 1];
    struct namespace *ns; /* NULL: only in the store */
};

struct listing {
    struct listed *items;
    size_t count;
};

static void add_listed(struct listing *listing, const char *name, size_t len, struct namespace *ns)
{
    if ((listing->count & (listing->count - 1)) == 0)
        listing->items = mem_realloc(listing->items, (listing->count ? 2 * listing->count : 1) *
                                                         sizeof(*listing->items));
    struct listed *item = &listing->items[listing->count++];
    *item = (struct listed){.ns = ns};
    memcpy(item->name, name, len);
}

/* By name; of two with the same, the one in memory first. */
static int compare_listed(const void *a, const void *b)
{
    const struct listed *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : (left->ns == NULL) - (right->ns == NULL);
}

static void add_head(void *ctx, const struct store_item *item)
{
    static const char suffix[] = ".json";
    size_t len = strlen(item->key), tail = sizeof(suffix) - 1;
    if (!item->is_prefix && len > tail && strcmp(item->key + len - tail, suffix) == 0 &&
        namespace_name_valid(slice_make(item->key, len - tail)))
        add_listed(ctx, item->key, len - tail, NULL);
}

enum store_result persistence_learn_names(struct persistence *p, struct store *store,
                                          struct text *error)
{
    struct listing listing = {0};
    enum store_result result = store_list_top(store, add_head, &listing, error);
    for (size_t i = 0; i < listing.count && result == STORE_OK; i++)
        persistence_namespace(p, slice_of(listing.items[i].name))->agent.listed = true;
    mem_free(listing.items);
    return result;
}

static uint64_t stored_position(struct store *store, const char *name)
{
    struct loader_options options = {.store = store, .namespace = slice_of(name)};
    struct loaded loaded;
    struct text ignored = {0};
    uint64_t position = 0;
    if (loader_head(&options, &loaded, &ignored) == LOADER_OK) {
        position = loaded.head.position;
        loaded_release(&loaded);
    }
    text_release(&ignored);
    return position;
}

static bool same_name(const struct listing *listing, size_t a, size_t b)
{
    return b < listing->count && strcmp(listing->items[a].name, listing->items[b].name) == 0;
}

/* A name that was only asked for: the store has nothing of it, nor has the memory. */
static bool is_empty_name(const struct listing *listing, size_t i)
{
    const struct listed *item = &listing->items[i];
    return item->ns && namespace_state(item->ns) == NAMESPACE_UNLOADED &&
           !same_name(listing, i, i + 1);
}

enum persistence_status persistence_list(struct persistence *p,
                                         void (*visit)(void *ctx, struct slice name,
                                                       enum namespace_state state,
                                                       uint64_t position, size_t keys),
                                         void *ctx, struct text *error)
{
    struct listing listing = {0};
    enum store_result result = STORE_OK;
    size_t count;
    if (persistence_out_of_reach(p)) {
        char why[NAMESPACE_ERROR_MAX];
        persistence_trouble(p, why, sizeof(why));
        text_append_string(error, why);
        return PERSISTENCE_UNWRITABLE;
    }
    struct store *store = p->memory ? NULL : store_clone(p->store);
    struct namespace **all = persistence_all(p, &count);
    for (size_t i = 0; i < count; i++)
        add_listed(&listing, all[i]->name, all[i]->name_len, all[i]);
    if (store)
        result = store_list_top(store, add_head, &listing, error);
    if (listing.count)
        qsort(listing.items, listing.count, sizeof(*listing.items), compare_listed);
    for (size_t i = 0; i < listing.count && result == STORE_OK; i++) {
        struct listed *item = &listing.items[i];
        enum namespace_state state = item->ns ? namespace_state(item->ns) : NAMESPACE_UNLOADED;
        size_t keys = 0;
        uint64_t position = item->ns ? namespace_position(item->ns) : 0;
        if ((i && same_name(&listing, i - 1, i)) || is_empty_name(&listing, i))
            continue;
        if (item->ns) {
            namespace_lock_aside(item->ns);
            keys = item->ns->keyspace ? keyspace_size(item->ns->keyspace) : 0;
            namespace_unlock(item->ns);
        }
        if (store && state != NAMESPACE_READY)
            position = stored_position(store, item->name);
        visit(ctx, slice_of(item->name), state, position, keys);
    }
    mem_free(all);
    mem_free(listing.items);
    store_close(store);
    return result == STORE_OK ? PERSISTENCE_OK : PERSISTENCE_UNWRITABLE;
}

/* --- figures --- */

static void sum_pending(struct persistence *p, struct persistence_stats *out)
{
    size_t count;
    int64_t oldest = 0;
    struct namespace **list = persistence_all(p, &count);
    for (size_t i = 0; i < count; i++) {
        int64_t since = atomic_load(&list[i]->pending_since);
        out->pending_ops += atomic_load(&list[i]->pending_ops);
        out->pending_bytes +=
            atomic_load(&list[i]->pending_bytes) + atomic_load(&list[i]->held_bytes);
        if (since && (!oldest || since < oldest))
            oldest = since;
    }
    mem_free(list);
    int64_t now = persistence_now(p);
    out->oldest_pending_ms = oldest && oldest < now ? now - oldest : 0;
    out->sync_running = atomic_load(&p->asking) > 0;
}

void persistence_stats(struct persistence *p, struct persistence_stats *out)
{
    struct store_counts counts = {0};
    *out = (struct persistence_stats){
        .journal = p->journal != NULL,
        .loading = persistence_loading(p),
        .last_sync_ok = atomic_load(&p->last_sync_ok),
        .last_sync_ms = atomic_load(&p->last_sync_ms),
        .syncs = atomic_load(&p->syncs),
        .syncs_failed = atomic_load(&p->syncs_failed),
        .folds = atomic_load(&p->folds),
        .aside_ns = atomic_load(&p->aside_ns),
        .aside_max_ns = atomic_load(&p->aside_max_ns),
    };
    sum_pending(p, out);
    if (p->journal)
        journal_count(p->journal, &out->journal_bytes, &out->journal_fsyncs);
    if (p->store)
        store_count(p->store, &counts);
    out->store_puts = counts.puts;
    out->store_gets = counts.gets;
    out->store_lists = counts.lists;
    out->store_removes = counts.removes;
    out->store_bytes_out = counts.bytes_out;
    out->store_bytes_in = counts.bytes_in;
    out->locks = p->store && store_lock_count(p->store, &out->lock);
    out->remote = p->store && store_s3_stats(p->store, &out->s3);
    snprintf(out->replica, sizeof(out->replica), "%s", p->incarnation);
}

void persistence_reset_peaks(struct persistence *p)
{
    atomic_store(&p->aside_max_ns, 0);
}

/* --- import --- */

static int64_t clock_now(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool read_fd(int fd, struct text *out, struct text *error)
{
    for (;;) {
        ssize_t got = read(fd, text_reserve(out, 65536), 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            text_append_format(error, "reading the document: %s", strerror(errno));
        if (got <= 0)
            return got == 0;
        out->len += (size_t)got;
    }
}

/* Swaps a head in that holds `base` (NULL: nothing): for the etag "" none may be there. */
static enum persistence_status put_head(struct store *store, struct slice name,
                                        struct head_base *base, char etag[STORE_ETAG_MAX],
                                        struct text *error)
{
    struct head head;
    struct text body = {0};
    struct store_request request = {.verb = STORE_PUT,
                                    .condition = etag[0] ? STORE_IF_MATCH : STORE_IF_ABSENT,
                                    .want_etags = true};
    head_init(&head, name);
    if (base) {
        head_base_release(&head.base);
        head.base = *base;
    }
    head_encode(&head, &body);
    request.body = text_slice(&body);
    snprintf(request.key, sizeof(request.key), "%.*s.json", (int)name.len, name.data);
    memcpy(request.etag, etag, sizeof(request.etag));
    enum store_result result = store_wait(store, &request);
    memcpy(etag, request.answer_etag, sizeof(request.answer_etag));
    if (result == STORE_PRECONDITION)
        text_append_format(error, "namespace %.*s is there already", (int)name.len, name.data);
    else if (result != STORE_OK)
        text_append_string(error, request.error);
    store_request_release(&request);
    text_release(&body);
    head_release(&head);
    return result == STORE_OK ? PERSISTENCE_OK : PERSISTENCE_UNWRITABLE;
}

static bool head_is_empty(const struct head *head)
{
    struct head none;
    head_init(&none, slice_of(head->namespace));
    bool empty = head->position == 0 && head->tail_count == 0 && head->base.chunk_count == 0 &&
                 slice_equal(text_slice(&head->base.state), text_slice(&none.base.state));
    head_release(&none);
    return empty;
}

/* An empty head first, as in every namespace with objects: an import that breaks off leaves an
 * empty namespace, which takes the next one. */
static enum persistence_status import_to(struct store *store, struct slice name,
                                         struct slice document, struct text *error)
{
    struct loader_objects objects;
    struct loader_options present = {.store = store, .namespace = name};
    struct fold_options options = {.chunk_size = IMPORT_CHUNK, .inline_limit = IMPORT_INLINE};
    struct loaded loaded;
    struct head_base base;
    enum persistence_status status = PERSISTENCE_OK;
    enum loader_result result = loader_head(&present, &loaded, error);
    if (result != LOADER_OK)
        return result == LOADER_CORRUPT ? PERSISTENCE_CORRUPT : PERSISTENCE_UNWRITABLE;
    if (!head_is_empty(&loaded.head)) {
        text_append_format(error, "namespace %.*s is there already", (int)name.len, name.data);
        status = PERSISTENCE_UNWRITABLE;
    } else if (!loaded.etag[0]) {
        status = put_head(store, name, NULL, loaded.etag, error);
    }
    loader_objects_init(&objects, store, name);
    objects.now_ms = clock_now;
    struct fold_store fold_store = loader_fold_store(&objects);
    if (status == PERSISTENCE_OK && !document_import(document, &fold_store, &options, &base, error))
        status = PERSISTENCE_CORRUPT;
    else if (status == PERSISTENCE_OK)
        status = put_head(store, name, &base, loaded.etag, error);
    loaded_release(&loaded);
    return status;
}

enum persistence_status persistence_import(const char *where, struct slice name, int fd,
                                           struct text *error)
{
    struct text document = {0};
    struct store *store = NULL;
    enum persistence_status status = PERSISTENCE_CORRUPT;
    if (!namespace_name_valid(name))
        text_append_format(error, "'%.*s' is no name of a namespace", (int)name.len, name.data);
    else if (store_open(where, &store, error) != STORE_OK)
        status = PERSISTENCE_UNWRITABLE;
    else if (read_fd(fd, &document, error))
        status = import_to(store, name, text_slice(&document), error);
    text_release(&document);
    store_close(store);
    return status;
}
