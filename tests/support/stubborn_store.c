/* SPDX-License-Identifier: BSD-3-Clause */
/* See stubborn_store.h. Needs an inner store that answers before its submit returns. */
#include "tests/support/stubborn_store.h"

#include <stdatomic.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/store-internal.h"

#define SETTLE 8 /* requests after which a late PUT has landed; store_faulty.c: LATE_MAX */

struct stubborn_store {
    struct store store;
    struct store *inner;
    bool is_clone; /* faults are counted once */
};

static _Atomic uint64_t befallen[STORE_FAULT_COUNT];

uint64_t stubborn_store_faults(enum store_fault fault)
{
    return atomic_load(&befallen[fault]);
}

/* Nothing happened, and it may be asked for again. */
static bool was_refused(enum store_result result)
{
    return result == STORE_TRANSIENT || result == STORE_NO_SPACE;
}

/* Until there is an answer; of a removal, whose repetition changes nothing, a sure one. */
static void ask(struct store *inner, struct store_request *request)
{
    bool open = false;
    while (was_refused(store_wait(inner, request)) || request->result == STORE_UNKNOWN)
        open |= request->result == STORE_UNKNOWN;
    if (open && request->result == STORE_NOT_FOUND)
        request->result = STORE_OK;
}

static struct store_request read_again(struct store *inner, const struct store_request *put)
{
    struct store_request get = {.verb = STORE_GET, .want_etags = true};
    memcpy(get.key, put->key, sizeof(get.key));
    ask(inner, &get);
    return get;
}

static bool condition_holds(const struct store_request *put, const struct store_request *present)
{
    switch (put->condition) {
    case STORE_ALWAYS: break;
    case STORE_IF_ABSENT: return present->result == STORE_NOT_FOUND;
    case STORE_IF_MATCH:
        return present->result == STORE_OK && strcmp(present->answer_etag, put->etag) == 0;
    }
    return true;
}

/* Once all that is late has landed: what is there now is ours. */
static bool has_landed(struct store *inner, struct store_request *put)
{
    struct store_request present;
    for (int i = 0; i < SETTLE; i++) {
        present = (struct store_request){.verb = STORE_GET, .key = "nothing"};
        store_wait(inner, &present);
        store_request_release(&present);
    }
    present = read_again(inner, put);
    bool ours = present.result == STORE_OK && slice_equal(text_slice(&present.answer), put->body);
    if (ours) {
        store_request_release(put);
        put->result = STORE_OK;
        if (put->want_etags)
            memcpy(put->answer_etag, present.answer_etag, sizeof(put->answer_etag));
    }
    store_request_release(&present);
    return ours;
}

static void insist(struct store *inner, struct store_request *put)
{
    struct store_request before = read_again(inner, put);
    bool held = condition_holds(put, &before);
    store_request_release(&before);
    for (;;) {
        enum store_result result = store_wait(inner, put);
        if (result == STORE_UNKNOWN && has_landed(inner, put) && held)
            return;
        if (result != STORE_UNKNOWN && !was_refused(result))
            return;
    }
}

static void stubborn_submit(struct store *handle, struct store_request *request)
{
    struct store *inner = ((struct stubborn_store *)handle)->inner;
    void (*done)(struct store_request *) = request->done;
    void *ctx = request->ctx;
    if (request->verb == STORE_PUT)
        insist(inner, request);
    else
        ask(inner, request);
    request->done = done;
    request->ctx = ctx;
    request->done(request);
}

static struct stubborn_store *stubborn_handle(struct store *inner, const struct store *like);

static struct store *stubborn_clone(struct store *handle)
{
    struct stubborn_store *store = (struct stubborn_store *)handle;
    struct stubborn_store *clone = stubborn_handle(store_clone(store->inner), handle);
    clone->is_clone = true;
    return &clone->store;
}

static void stubborn_close(struct store *handle)
{
    struct stubborn_store *store = (struct stubborn_store *)handle;
    uint64_t counts[STORE_FAULT_COUNT];
    store_faulty_count(store->inner, counts);
    for (int i = 0; i < STORE_FAULT_COUNT && !store->is_clone; i++)
        atomic_fetch_add(&befallen[i], counts[i]);
    store_close(store->inner);
    store_fini(handle);
    mem_free(store);
}

static struct stubborn_store *stubborn_handle(struct store *inner, const struct store *like)
{
    static const struct store_kind kind = {
        .submit = stubborn_submit, .clone = stubborn_clone, .close = stubborn_close};
    struct stubborn_store *store = mem_calloc(1, sizeof(*store));
    store_init(&store->store, &kind, like);
    store->inner = inner;
    return store;
}

struct store *stubborn_store_create(struct store *faulty)
{
    return &stubborn_handle(faulty, NULL)->store;
}
