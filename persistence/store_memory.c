/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store in memory, for tests and for exports that go nowhere: a sorted array of objects under
 * one mutex, shared by all handles. Answers before submit returns.
 */
#include "persistence/store-internal.h"

#include <pthread.h>
#include <stdio.h>

#include "ops/mem.h"

struct object {
    char *key;
    struct text body;
    uint64_t version; /* its etag: never the same twice in one store */
};

struct shelf {
    pthread_mutex_t mutex;
    unsigned handles;
    struct object *objects; /* rising by key */
    size_t count, cap;
    uint64_t versions;
};

struct store_memory {
    struct store store;
    struct shelf *shelf;
};

/* The index of `key`, or of the first key behind it. */
static size_t shelf_find(const struct shelf *shelf, const char *key, bool *found)
{
    size_t low = 0, high = shelf->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(shelf->objects[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void etag_format(uint64_t version, char out[STORE_ETAG_MAX])
{
    snprintf(out, STORE_ETAG_MAX, "m%llu", (unsigned long long)version);
}

static enum store_result shelf_get(struct shelf *shelf, struct store_request *request)
{
    bool found;
    size_t at = shelf_find(shelf, request->key, &found);
    if (!found)
        return STORE_NOT_FOUND;
    etag_format(shelf->objects[at].version, request->answer_etag);
    if (strcmp(request->answer_etag, request->etag) == 0)
        return STORE_NOT_MODIFIED;
    text_append_slice(&request->answer, text_slice(&shelf->objects[at].body));
    return STORE_OK;
}

static struct object *shelf_insert(struct shelf *shelf, size_t at, const char *key)
{
    size_t len = strlen(key);
    if (shelf->count == shelf->cap) {
        shelf->cap = shelf->cap ? 2 * shelf->cap : 16;
        shelf->objects = mem_realloc(shelf->objects, shelf->cap * sizeof(*shelf->objects));
    }
    struct object *object = &shelf->objects[at];
    memmove(object + 1, object, (shelf->count - at) * sizeof(*object));
    shelf->count++;
    *object = (struct object){.key = mem_alloc(len + 1)};
    memcpy(object->key, key, len + 1);
    return object;
}

static enum store_result shelf_put(struct shelf *shelf, struct store_request *request)
{
    bool found;
    char etag[STORE_ETAG_MAX];
    size_t at = shelf_find(shelf, request->key, &found);
    if (request->condition == STORE_IF_ABSENT && found)
        return STORE_PRECONDITION;
    if (request->condition == STORE_IF_MATCH) {
        if (!found)
            return STORE_PRECONDITION;
        etag_format(shelf->objects[at].version, etag);
        if (strcmp(etag, request->etag) != 0)
            return STORE_PRECONDITION;
    }
    struct object *object = found ? &shelf->objects[at] : shelf_insert(shelf, at, request->key);
    text_clear(&object->body);
    text_append_slice(&object->body, request->body);
    object->version = ++shelf->versions;
    etag_format(object->version, request->answer_etag);
    return STORE_OK;
}

static enum store_result shelf_list(struct shelf *shelf, struct store_request *request)
{
    size_t prefix = strlen(request->key);
    for (size_t i = 0; i < shelf->count; i++) {
        const struct object *object = &shelf->objects[i];
        if (strncmp(object->key, request->key, prefix) != 0)
            continue;
        const char *slash = request->delimiter ? strchr(object->key + prefix, '/') : NULL;
        if (slash) {
            char common[STORE_KEY_MAX];
            size_t len = (size_t)(slash + 1 - object->key);
            memcpy(common, object->key, len);
            common[len] = '\0';
            store_add_item(request, common, true);
        } else {
            struct store_item *item = store_add_item(request, object->key, false);
            item->size = (int64_t)object->body.len;
            etag_format(object->version, item->etag);
        }
    }
    store_finish_list(request);
    return STORE_OK;
}

static enum store_result shelf_remove(struct shelf *shelf, struct store_request *request)
{
    bool found;
    size_t at = shelf_find(shelf, request->key, &found);
    if (!found)
        return STORE_NOT_FOUND;
    struct object *object = &shelf->objects[at];
    mem_free(object->key);
    text_release(&object->body);
    shelf->count--;
    memmove(object, object + 1, (shelf->count - at) * sizeof(*object));
    return STORE_OK;
}

static void memory_submit(struct store *store, struct store_request *request)
{
    struct shelf *shelf = ((struct store_memory *)store)->shelf;
    enum store_result result = STORE_INVALID;
    pthread_mutex_lock(&shelf->mutex);
    switch (request->verb) {
    case STORE_GET: result = shelf_get(shelf, request); break;
    case STORE_PUT: result = shelf_put(shelf, request); break;
    case STORE_LIST: result = shelf_list(shelf, request); break;
    case STORE_REMOVE: result = shelf_remove(shelf, request); break;
    }
    pthread_mutex_unlock(&shelf->mutex);
    if (result == STORE_OK)
        store_answer(request, result, NULL);
    else
        store_answer(request, result, "%s: %s", request->key, store_result_name(result));
}

static struct store *memory_handle(struct shelf *shelf, const struct store *like);

static struct store *memory_clone(struct store *store)
{
    return memory_handle(((struct store_memory *)store)->shelf, store);
}

static void memory_close(struct store *store)
{
    struct shelf *shelf = ((struct store_memory *)store)->shelf;
    pthread_mutex_lock(&shelf->mutex);
    bool last = --shelf->handles == 0;
    pthread_mutex_unlock(&shelf->mutex);
    if (last) {
        for (size_t i = 0; i < shelf->count; i++) {
            mem_free(shelf->objects[i].key);
            text_release(&shelf->objects[i].body);
        }
        mem_free(shelf->objects);
        pthread_mutex_destroy(&shelf->mutex);
        mem_free(shelf);
    }
    store_fini(store);
    mem_free(store);
}

static struct store *memory_handle(struct shelf *shelf, const struct store *like)
{
    static const struct store_kind kind = {
        .submit = memory_submit, .clone = memory_clone, .close = memory_close};
    struct store_memory *memory = mem_calloc(1, sizeof(*memory));
    store_init(&memory->store, &kind, like);
    memory->shelf = shelf;
    pthread_mutex_lock(&shelf->mutex);
    shelf->handles++;
    pthread_mutex_unlock(&shelf->mutex);
    return &memory->store;
}

struct store *store_memory_create(void)
{
    struct shelf *shelf = mem_calloc(1, sizeof(*shelf));
    pthread_mutex_init(&shelf->mutex, NULL);
    return memory_handle(shelf, NULL);
}
