/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all stores have in common: validity of keys, counting, waiting, the shape of a listing.
 * Knows no kind of store but how to make one.
 */
#include "persistence/store-internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"

const char *store_result_name(enum store_result result)
{
    static const char *const names[] = {
#define X(name, text) [STORE_##name] = (text),
        STORE_RESULT_LIST(X)
#undef X
    };
    return names[result];
}

static bool component_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool store_key_valid(const char *key)
{
    bool begins = true;
    if (strlen(key) >= STORE_KEY_MAX)
        return false;
    for (const char *c = key; *c; c++) {
        if (*c == '/' ? begins : !component_char(*c) || (begins && *c == '.'))
            return false;
        begins = *c == '/';
    }
    return !begins;
}

static bool prefix_valid(const char *prefix)
{
    char key[STORE_KEY_MAX + 1];
    size_t len = strlen(prefix);
    if (len == 0)
        return true;
    if (len >= STORE_KEY_MAX || prefix[len - 1] != '/')
        return false;
    memcpy(key, prefix, len - 1);
    key[len - 1] = '\0';
    return store_key_valid(key);
}

void store_init(struct store *store, const struct store_kind *kind, const struct store *like)
{
    store->kind = kind;
    store->totals = like ? like->totals : mem_calloc(1, sizeof(*store->totals));
    atomic_fetch_add(&store->totals->handles, 1);
}

void store_fini(struct store *store)
{
    if (atomic_fetch_sub(&store->totals->handles, 1) == 1)
        mem_free(store->totals);
    store->totals = NULL;
}

bool store_place_known(const char *where, struct text *error)
{
    bool bucket = strncmp(where, "s3:", 3) == 0;
    if (bucket ? strncmp(where, "s3://", 5) == 0 : where[0] && !strstr(where, "://"))
        return true;
    text_append_format(error, "'%s' is no store: memory, a directory, or s3://bucket/prefix",
                       where);
    return false;
}

enum store_result store_open(const char *where, struct store **ret_store, struct text *error)
{
    if (strcmp(where, "memory") == 0) {
        *ret_store = store_memory_create();
        return STORE_OK;
    }
    if (!store_place_known(where, error))
        return STORE_INVALID;
    if (strncmp(where, "s3://", 5) == 0)
        return store_s3_open(where, ret_store, error);
    return store_directory_create(where, ret_store, error);
}

enum store_result store_open_to_read(const char *where, struct store **ret_store,
                                     struct text *error)
{
    if (!store_place_known(where, error))
        return STORE_INVALID;
    if (strcmp(where, "memory") == 0 || strncmp(where, "s3://", 5) == 0)
        return store_open(where, ret_store, error);
    return store_directory_open(where, ret_store, error);
}

struct store *store_clone(struct store *store)
{
    return store->kind->clone(store);
}

void store_close(struct store *store)
{
    if (store)
        store->kind->close(store);
}

void store_count(struct store *store, struct store_counts *ret_counts)
{
    const struct store_totals *totals = store->totals;
    *ret_counts = (struct store_counts){
        .gets = atomic_load(&totals->gets),
        .puts = atomic_load(&totals->puts),
        .lists = atomic_load(&totals->lists),
        .removes = atomic_load(&totals->removes),
        .bytes_in = atomic_load(&totals->bytes_in),
        .bytes_out = atomic_load(&totals->bytes_out),
    };
}

void store_request_release(struct store_request *request)
{
    for (size_t i = 0; i < request->item_count; i++)
        mem_free(request->items[i].key);
    mem_free(request->items);
    request->items = NULL;
    request->item_count = 0;
    request->truncated = false;
    text_release(&request->answer);
    request->answer_etag[0] = '\0';
    request->error[0] = '\0';
}

void store_answer(struct store_request *request, enum store_result result, const char *format, ...)
{
    request->result = result;
    if (!request->want_etags) /* so that who forgot to ask finds out on every kind of store */
        request->answer_etag[0] = '\0';
    atomic_fetch_add(&request->store->totals->bytes_in, (int64_t)request->answer.len);
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(request->error, sizeof(request->error), format, args);
        va_end(args);
    }
    request->done(request);
}

static void count_request(struct store *store, const struct store_request *request)
{
    struct store_totals *totals = store->totals;
    switch (request->verb) {
    case STORE_GET: atomic_fetch_add(&totals->gets, 1); break;
    case STORE_PUT:
        atomic_fetch_add(&totals->puts, 1);
        atomic_fetch_add(&totals->bytes_out, (int64_t)request->body.len);
        break;
    case STORE_LIST: atomic_fetch_add(&totals->lists, 1); break;
    case STORE_REMOVE: atomic_fetch_add(&totals->removes, 1); break;
    }
}

void store_submit(struct store *store, struct store_request *request)
{
    bool valid =
        request->verb == STORE_LIST ? prefix_valid(request->key) : store_key_valid(request->key);
    store_request_release(request);
    request->store = store;
    count_request(store, request);
    if (!valid) {
        store_answer(request, STORE_INVALID, "'%.100s' is no valid key", request->key);
        return;
    }
    store->kind->submit(store, request);
}

static void mark_finished(struct store_request *request)
{
    *(bool *)request->ctx = true;
}

enum store_result store_wait(struct store *store, struct store_request *request)
{
    bool finished = false;
    request->done = mark_finished;
    request->ctx = &finished;
    store_submit(store, request);
    if (!finished)
        store->kind->run(store, &finished);
    assert(finished);
    request->ctx = NULL;
    return request->result;
}

enum store_result store_list_top(struct store *store,
                                 void (*visit)(void *ctx, const struct store_item *item), void *ctx,
                                 struct text *error)
{
    struct store_request request = {.verb = STORE_LIST, .delimiter = true};
    enum store_result result;
    bool more;
    do {
        result = store_wait(store, &request);
        if (result != STORE_OK)
            text_append_string(error, request.error);
        for (size_t i = 0; i < request.item_count; i++) {
            visit(ctx, &request.items[i]);
            snprintf(request.after, sizeof(request.after), "%s", request.items[i].key);
        }
        more = result == STORE_OK && request.truncated;
        store_request_release(&request);
    } while (more);
    return result;
}

void store_run(struct store *store, const bool *finished)
{
    if (!*finished && store->kind->run)
        store->kind->run(store, finished);
    assert(*finished);
}

void store_attach(struct store *store, struct event_base *base)
{
    if (store->kind->attach)
        store->kind->attach(store, base);
}

bool store_other_quoting(struct store *store)
{
    return store->kind->other_quoting && store->kind->other_quoting(store);
}

struct store *store_beneath(struct store *store)
{
    return store->kind->beneath ? store->kind->beneath(store) : NULL;
}

struct store_item *store_add_item(struct store_request *request, const char *key, bool is_prefix)
{
    size_t n = request->item_count++;
    if ((n & (n - 1)) == 0)
        request->items = mem_realloc(request->items, (n ? 2 * n : 1) * sizeof(*request->items));
    struct store_item *item = &request->items[n];
    size_t len = strlen(key);
    *item = (struct store_item){.key = mem_alloc(len + 1), .is_prefix = is_prefix};
    memcpy(item->key, key, len + 1);
    return item;
}

static int compare_items(const void *a, const void *b)
{
    const struct store_item *left = a, *right = b;
    return strcmp(left->key, right->key);
}

void store_finish_list(struct store_request *request)
{
    size_t kept = 0;
    if (request->item_count)
        qsort(request->items, request->item_count, sizeof(*request->items), compare_items);
    for (size_t i = 0; i < request->item_count; i++) {
        struct store_item *item = &request->items[i];
        bool repeated = kept && strcmp(request->items[kept - 1].key, item->key) == 0;
        bool full = request->limit && kept == request->limit;
        if (repeated || full || strcmp(item->key, request->after) <= 0) {
            request->truncated |= full && !repeated;
            mem_free(item->key);
        } else {
            request->items[kept++] = *item;
        }
    }
    request->item_count = kept;
}
