/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See loader.h. Decoding chunks is what takes time, so helper threads do it, each with a store
 * handle of its own; the calling thread puts the entries into the keyspace, which has no lock.
 */
#include "persistence/loader.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/head_objects.h"
#include "persistence/overtaken.h"
#include "persistence/uuid.h"

#define LOAD_PROGRESS_MS 1000

void loaded_release(struct loaded *loaded)
{
    head_release(&loaded->head);
    if (loaded->keyspace)
        keyspace_destroy(loaded->keyspace);
    loaded->keyspace = NULL;
}

/* --- objects --- */

static bool store_gone(enum store_result result)
{
    return result != STORE_OK && result != STORE_NOT_FOUND && result != STORE_INVALID;
}

static bool told_to_stop(struct loader_objects *objects, struct text *error)
{
    if (!objects->stop || !atomic_load(objects->stop))
        return false;
    objects->unreachable = true;
    text_append_string(error, "the server is going down");
    return true;
}

static void note_progress(struct loader_objects *objects, size_t read, size_t written)
{
    objects->bytes_read += read;
    objects->bytes_written += written;
    if (!objects->progress)
        return;
    int64_t now = objects->now_ms(objects->ctx);
    if (now - objects->told < LOADER_PROGRESS_MS)
        return;
    objects->told = now;
    objects->progress(objects->ctx, objects);
}

static bool object_read(void *ctx, const char *object, struct text *body, struct text *error)
{
    struct loader_objects *objects = ctx;
    /* What a fold or a run takes in, no head names afterwards. */
    struct store_request request = {.verb = STORE_GET, .once = objects->now_ms != NULL};
    if (told_to_stop(objects, error))
        return false;
    snprintf(objects->object, sizeof(objects->object), "%s", object);
    snprintf(request.key, sizeof(request.key), "%s/%s", objects->namespace, object);
    enum store_result result = store_wait(objects->store, &request);
    note_progress(objects, request.answer.len, 0);
    if (result == STORE_OK)
        text_swap(body, &request.answer);
    else
        text_append_string(error, request.error);
    objects->unreachable |= store_gone(result);
    store_request_release(&request);
    return result == STORE_OK;
}

static bool write_object(struct loader_objects *objects, const char *kind, const char *suffix,
                         struct slice body, char object[COMMIT_OBJECT_SIZE], struct text *error)
{
    struct store_request request = {.verb = STORE_PUT, .body = body};
    char uuid[UUID_TEXT_SIZE];
    if (told_to_stop(objects, error))
        return false;
    uuid7_make(objects->now_ms(objects->ctx), uuid);
    int len = snprintf(object, COMMIT_OBJECT_SIZE, "%s-%s.%s", kind, uuid, suffix);
    assert(len > 0 && len < COMMIT_OBJECT_SIZE);
    (void)len;
    snprintf(request.key, sizeof(request.key), "%s/%s", objects->namespace, object);
    enum store_result result = store_wait(objects->store, &request);
    if (result != STORE_OK)
        text_append_string(error, request.error);
    objects->unreachable |= result != STORE_OK;
    note_progress(objects, 0, body.len);
    store_request_release(&request);
    return result == STORE_OK;
}

static bool object_write(void *ctx, struct slice body, char object[COMMIT_OBJECT_SIZE],
                         struct text *error)
{
    return write_object(ctx, "chunk", "jsonl", body, object, error);
}

static bool object_write_run(void *ctx, struct slice body, char object[COMMIT_OBJECT_SIZE],
                             struct text *error)
{
    return write_object(ctx, "run", "json", body, object, error);
}

void loader_objects_init(struct loader_objects *objects, struct store *store,
                         struct slice namespace)
{
    assert(namespace.len <= NAMESPACE_NAME_MAX);
    *objects = (struct loader_objects){.store = store};
    memcpy(objects->namespace, namespace.data, namespace.len);
}

struct fold_store loader_fold_store(struct loader_objects *objects)
{
    return (struct fold_store){
        .ctx = objects, .read = object_read, .write = objects->now_ms ? object_write : NULL};
}

struct fold_store loader_run_store(struct loader_objects *objects)
{
    return (struct fold_store){.ctx = objects, .read = object_read, .write = object_write_run};
}

/* --- the head --- */

/* *ret_there false: the store has none, and `ret_loaded` is left alone. */
static enum loader_result get_head(const struct loader_options *options, struct loaded *ret_loaded,
                                   bool *ret_there, struct text *error)
{
    struct store_request request = {.verb = STORE_GET, .want_etags = true};
    struct text reason = {0};
    enum loader_result result = LOADER_OK;
    snprintf(request.key, sizeof(request.key), "%.*s.json", (int)options->namespace.len,
             options->namespace.data);
    enum store_result answer = store_wait(options->store, &request);
    *ret_there = answer != STORE_NOT_FOUND;
    if (answer != STORE_OK && answer != STORE_NOT_FOUND) {
        text_append_string(error, request.error);
        result = LOADER_UNREACHABLE;
    } else if (answer == STORE_OK && head_decode(text_slice(&request.answer), options->namespace,
                                                 &ret_loaded->head, &reason)) {
        memcpy(ret_loaded->etag, request.answer_etag, sizeof(ret_loaded->etag));
    } else if (answer == STORE_OK) {
        text_append_format(error, "%s: ", request.key);
        text_append_slice(error, text_slice(&reason));
        result = LOADER_CORRUPT;
    }
    text_release(&reason);
    store_request_release(&request);
    return result;
}

/*
 * No head: is there anything else of this namespace? Then its head was lost, or was put between the
 * two looks: it comes before all other objects, so a third look tells.
 */
static enum loader_result check_absent(const struct loader_options *options,
                                       struct loaded *ret_loaded, bool *ret_there,
                                       struct text *error)
{
    struct store_request request = {.verb = STORE_LIST, .limit = 1};
    struct slice name = options->namespace;
    snprintf(request.key, sizeof(request.key), "%.*s/", (int)name.len, name.data);
    enum loader_result result = LOADER_OK;
    if (store_wait(options->store, &request) != STORE_OK) {
        text_append_string(error, request.error);
        result = LOADER_UNREACHABLE;
    } else if (request.item_count || options->expect) {
        result = get_head(options, ret_loaded, ret_there, error);
        if (result == LOADER_OK && !*ret_there) {
            text_append_format(error, "%.*s.json is missing, though %s", (int)name.len, name.data,
                               request.item_count ? request.items[0].key
                                                  : "the journal has ops that follow on it");
            result = LOADER_CORRUPT;
        }
    }
    store_request_release(&request);
    return result;
}

enum loader_result loader_head(const struct loader_options *options, struct loaded *ret_loaded,
                               struct text *error)
{
    bool there;
    *ret_loaded = (struct loaded){0};
    enum loader_result result = get_head(options, ret_loaded, &there, error);
    if (result == LOADER_OK && !there)
        result = check_absent(options, ret_loaded, &there, error);
    if (result == LOADER_OK && !there)
        head_init(&ret_loaded->head, options->namespace);
    return result;
}

bool loader_superseded(struct loader_objects *objects)
{
    struct loader_options options = {.store = objects->store,
                                     .namespace = slice_of(objects->namespace)};
    struct head_objects named;
    struct loaded loaded;
    struct text error = {0};
    bool is_named = true;
    if (objects->unreachable || !objects->object[0])
        return false;
    enum loader_result result = loader_head(&options, &loaded, &error);
    objects->unreachable = result == LOADER_UNREACHABLE;
    if (result == LOADER_OK) {
        head_objects_init(&named, &loaded.head);
        is_named = !loaded.etag[0] || head_objects_have(&named, objects->object);
        head_objects_release(&named);
        loaded_release(&loaded);
    }
    text_release(&error);
    return !is_named;
}

/* --- chunks, in parallel --- */

struct haul {
    struct haul *next;
    struct entry **entries;
    size_t count, cap;
};

struct crew {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    const struct loader_options *options;
    const struct head_base *base;
    size_t next;      /* chunk to be taken */
    unsigned running; /* helpers */
    unsigned waiting; /* hauls not yet put in */
    unsigned most;    /* of those: bounds memory */
    struct haul *hauls;
    bool failed;
    struct loader_objects blamed; /* of the helper that failed */
    struct text error;
};

static void haul_add(void *ctx, struct entry *entry)
{
    struct haul *haul = ctx;
    if (haul->count == haul->cap) {
        haul->cap = haul->cap ? 2 * haul->cap : 1024;
        haul->entries = mem_realloc_passing(haul->entries, haul->cap * sizeof(*haul->entries));
    }
    haul->entries[haul->count++] = entry;
}

static void haul_destroy(struct haul *haul, bool entries_too)
{
    for (size_t i = 0; entries_too && i < haul->count; i++)
        entry_destroy(haul->entries[i]);
    mem_free(haul->entries);
    mem_free(haul);
}

static struct haul *fetch_chunk(struct loader_objects *objects, const struct chunk_ref *ref,
                                struct text *error)
{
    struct haul *haul = mem_calloc(1, sizeof(*haul));
    struct text body = {0}, reason = {0};
    bool ok = object_read(objects, ref->object, &body, &reason) &&
              chunk_load(ref, text_slice(&body), haul_add, haul, &reason);
    text_release(&body);
    if (!ok) {
        text_append_format(error, "%s/%s: ", objects->namespace, ref->object);
        text_append_slice(error, text_slice(&reason));
        haul_destroy(haul, true);
        haul = NULL;
    }
    text_release(&reason);
    return haul;
}

static void *helper_thread(void *arg)
{
    struct crew *crew = arg;
    struct store *store = store_clone(crew->options->store);
    struct loader_objects objects;
    pthread_setname_np(pthread_self(), "loader");
    loader_objects_init(&objects, store, crew->options->namespace);
    objects.stop = crew->options->stop;
    pthread_mutex_lock(&crew->mutex);
    while (!crew->failed && crew->next < crew->base->chunk_count) {
        if (crew->waiting >= crew->most) {
            pthread_cond_wait(&crew->moved, &crew->mutex);
            continue;
        }
        const struct chunk_ref *ref = &crew->base->chunks[crew->next++];
        struct text error = {0};
        crew->waiting++;
        pthread_mutex_unlock(&crew->mutex);
        struct haul *haul = fetch_chunk(&objects, ref, &error);
        pthread_mutex_lock(&crew->mutex);
        if (haul) {
            haul->next = crew->hauls;
            crew->hauls = haul;
        } else if (!crew->failed) {
            crew->failed = true;
            crew->blamed = objects;
            text_append_slice(&crew->error, text_slice(&error));
        }
        text_release(&error);
        pthread_cond_broadcast(&crew->moved);
    }
    crew->running--;
    pthread_cond_broadcast(&crew->moved);
    pthread_mutex_unlock(&crew->mutex);
    store_close(store);
    return NULL;
}

static void tell_progress(const struct loader_options *options, int64_t *told, uint64_t keys,
                          uint64_t all)
{
    int64_t now = options->progress ? options->now_ms(options->ctx) : 0;
    if (now - *told < LOAD_PROGRESS_MS)
        return;
    *told = now;
    options->progress(options->ctx, options->namespace, keys, all);
}

/* Puts hauls into the keyspace until the helpers are through. The mutex is held. */
static void take_hauls(struct crew *crew, struct keyspace *ks, uint64_t all)
{
    const struct loader_options *options = crew->options;
    uint64_t keys = 0;
    int64_t told = options->progress ? options->now_ms(options->ctx) : 0;
    for (;;) {
        struct haul *haul = crew->hauls;
        if (!haul) {
            if (!crew->running)
                return;
            pthread_cond_wait(&crew->moved, &crew->mutex);
            continue;
        }
        crew->hauls = haul->next;
        pthread_mutex_unlock(&crew->mutex);
        for (size_t i = 0; i < haul->count; i++)
            keyspace_insert(ks, haul->entries[i]);
        keys += haul->count;
        haul_destroy(haul, false);
        tell_progress(options, &told, keys, all);
        pthread_mutex_lock(&crew->mutex);
        crew->waiting--;
        pthread_cond_broadcast(&crew->moved);
    }
}

/* When it fails, `objects` gets what a helper failed at. */
static bool load_chunks(const struct loader_options *options, const struct head_base *base,
                        struct keyspace *ks, struct loader_objects *objects, struct text *error)
{
    struct crew crew = {.options = options, .base = base};
    size_t helpers = options->workers > 1 ? (size_t)options->workers : 1;
    if (helpers > base->chunk_count)
        helpers = base->chunk_count;
    pthread_t *threads = mem_alloc(helpers * sizeof(*threads));
    uint64_t all = 0;
    for (size_t i = 0; i < base->chunk_count; i++)
        all += base->chunks[i].count;
    crew.most = (unsigned)helpers * 2;
    crew.running = (unsigned)helpers;
    pthread_mutex_init(&crew.mutex, NULL);
    pthread_cond_init(&crew.moved, NULL);
    for (size_t i = 0; i < helpers; i++) {
        int failed = pthread_create(&threads[i], NULL, helper_thread, &crew);
        assert(!failed);
        (void)failed;
    }
    pthread_mutex_lock(&crew.mutex);
    take_hauls(&crew, ks, all);
    pthread_mutex_unlock(&crew.mutex);
    for (size_t i = 0; i < helpers; i++)
        pthread_join(threads[i], NULL);
    mem_free(threads);
    pthread_cond_destroy(&crew.moved);
    pthread_mutex_destroy(&crew.mutex);
    if (crew.failed) {
        text_append_slice(error, text_slice(&crew.error));
        objects->unreachable = crew.blamed.unreachable;
        memcpy(objects->object, crew.blamed.object, sizeof(objects->object));
    }
    text_release(&crew.error);
    return !crew.failed;
}

static void insert_entry(void *ctx, struct entry *entry)
{
    keyspace_insert(ctx, entry);
}

static bool load_state(const struct loader_options *options, struct loaded *loaded,
                       struct loader_objects *objects, struct text *error)
{
    const struct head_base *base = &loaded->head.base;
    struct fold_store store = loader_fold_store(objects);
    loaded->keyspace = keyspace_create(&options->hooks);
    bool ok = base->chunk_count ? load_chunks(options, base, loaded->keyspace, objects, error)
                                : chunk_load_state(text_slice(&base->state), insert_entry,
                                                   loaded->keyspace, error);
    return ok && fold_load_tail(&loaded->head, &store, loaded->keyspace, &loaded->clock, error);
}

enum loader_result loader_run(const struct loader_options *options, struct loaded *ret_loaded,
                              struct text *error)
{
    struct loader_objects objects;
    struct text reason = {0};
    enum loader_result result;
    int attempts = 0;
    bool again;
    do {
        text_clear(&reason);
        loader_objects_init(&objects, options->store, options->namespace);
        objects.stop = options->stop;
        again = false;
        result = loader_head(options, ret_loaded, error);
        if (result != LOADER_OK || load_state(options, ret_loaded, &objects, &reason))
            break;
        loaded_release(ret_loaded);
        again = loader_superseded(&objects);
        result = objects.unreachable ? LOADER_UNREACHABLE : LOADER_CORRUPT;
    } while (again && ++attempts < OVERTAKEN_ATTEMPTS);
    if (again) {
        result = LOADER_UNREACHABLE;
        text_append_format(error, "%s: %s", objects.namespace, OVERTAKEN_AGAIN);
    } else if (reason.len) {
        text_append_format(error, "%s.json: ", objects.namespace);
        text_append_slice(error, text_slice(&reason));
    }
    text_release(&reason);
    return result;
}
