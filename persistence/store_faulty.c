/* SPDX-License-Identifier: BSD-3-Clause */
/* See store_faulty.h. Needs an inner store that answers before its submit returns. */
#include "persistence/store_faulty.h"

#include <pthread.h>

#include "ops/mem.h"
#include "persistence/store-internal.h"

#define LATE_MAX 6 /* requests until a late one is tried */

struct late {
    struct late *next;
    unsigned after;
    struct text body;
    struct store_request request;
};

struct mischief {
    pthread_mutex_t mutex;
    unsigned handles;
    uint64_t random;
    struct store_faults faults;
    uint64_t counts[STORE_FAULT_COUNT];
    struct late *late;
};

struct store_faulty {
    struct store store;
    struct store *inner;
    struct mischief *mischief;
};

/* splitmix64 */
static uint64_t next_random(struct mischief *mischief)
{
    uint64_t z = mischief->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool strikes(struct mischief *mischief, enum store_fault fault)
{
    if (next_random(mischief) % 1000 >= mischief->faults.permille[fault])
        return false;
    mischief->counts[fault]++;
    return true;
}

static void keep_late(struct mischief *mischief, const struct store_request *request)
{
    struct late *late = mem_calloc(1, sizeof(*late));
    late->after = 1 + (unsigned)(next_random(mischief) % LATE_MAX);
    late->request = (struct store_request){.verb = STORE_PUT, .condition = request->condition};
    memcpy(late->request.key, request->key, sizeof(late->request.key));
    memcpy(late->request.etag, request->etag, sizeof(late->request.etag));
    text_append_slice(&late->body, request->body);
    late->request.body = text_slice(&late->body);
    late->next = mischief->late;
    mischief->late = late;
}

static void late_free(struct late *late)
{
    store_request_release(&late->request);
    text_release(&late->body);
    mem_free(late);
}

/* Tries the late ones whose time has come. */
static void land_late(struct store_faulty *store)
{
    struct late **at = &store->mischief->late;
    while (*at) {
        struct late *late = *at;
        if (--late->after) {
            at = &late->next;
            continue;
        }
        *at = late->next;
        store_wait(store->inner, &late->request);
        late_free(late);
    }
}

/* What befalls the request; STORE_FAULT_COUNT: nothing. */
static enum store_fault choose(struct mischief *mischief, enum store_verb verb)
{
    bool writes = verb == STORE_PUT || verb == STORE_REMOVE;
    if (strikes(mischief, STORE_FAULT_TRANSIENT))
        return STORE_FAULT_TRANSIENT;
    if (writes && strikes(mischief, STORE_FAULT_ANSWER_LOST))
        return STORE_FAULT_ANSWER_LOST;
    if (writes && strikes(mischief, STORE_FAULT_REQUEST_LOST))
        return STORE_FAULT_REQUEST_LOST;
    if (verb == STORE_PUT && strikes(mischief, STORE_FAULT_LATE))
        return STORE_FAULT_LATE;
    if (verb == STORE_PUT && strikes(mischief, STORE_FAULT_NO_SPACE))
        return STORE_FAULT_NO_SPACE;
    return STORE_FAULT_COUNT;
}

/* Lets the inner store do it, and gives its answer on through the same request. */
static void pass_on(struct store_faulty *store, struct store_request *request)
{
    void (*done)(struct store_request *) = request->done;
    void *ctx = request->ctx;
    store_wait(store->inner, request);
    request->done = done;
    request->ctx = ctx;
}

static void faulty_submit(struct store *handle, struct store_request *request)
{
    struct store_faulty *store = (struct store_faulty *)handle;
    struct mischief *mischief = store->mischief;
    pthread_mutex_lock(&mischief->mutex);
    land_late(store);
    enum store_fault fault = choose(mischief, request->verb);
    if (fault == STORE_FAULT_LATE)
        keep_late(mischief, request);
    if (fault == STORE_FAULT_ANSWER_LOST || fault == STORE_FAULT_COUNT)
        pass_on(store, request);
    pthread_mutex_unlock(&mischief->mutex);
    switch (fault) {
    case STORE_FAULT_ANSWER_LOST:
        store_request_release(request);
        store_answer(request, STORE_UNKNOWN, "injected: the answer was lost");
        break;
    case STORE_FAULT_REQUEST_LOST:
        store_answer(request, STORE_UNKNOWN, "injected: the request was lost");
        break;
    case STORE_FAULT_LATE:
        store_answer(request, STORE_UNKNOWN, "injected: the request is late");
        break;
    case STORE_FAULT_TRANSIENT:
        store_answer(request, STORE_TRANSIENT, "injected: out of reach");
        break;
    case STORE_FAULT_NO_SPACE:
        store_answer(request, STORE_NO_SPACE, "injected: no space left");
        break;
    case STORE_FAULT_COUNT: request->done(request); break;
    }
}

static struct store *faulty_handle(struct store *inner, struct mischief *mischief,
                                   const struct store *like);

static struct store *faulty_clone(struct store *handle)
{
    struct store_faulty *store = (struct store_faulty *)handle;
    return faulty_handle(store_clone(store->inner), store->mischief, handle);
}

static void faulty_close(struct store *handle)
{
    struct store_faulty *store = (struct store_faulty *)handle;
    struct mischief *mischief = store->mischief;
    pthread_mutex_lock(&mischief->mutex);
    bool last = --mischief->handles == 0;
    pthread_mutex_unlock(&mischief->mutex);
    while (last && mischief->late) {
        struct late *late = mischief->late;
        mischief->late = late->next;
        late_free(late);
    }
    if (last) {
        pthread_mutex_destroy(&mischief->mutex);
        mem_free(mischief);
    }
    store_close(store->inner);
    store_fini(handle);
    mem_free(store);
}

static struct store *faulty_handle(struct store *inner, struct mischief *mischief,
                                   const struct store *like)
{
    static const struct store_kind kind = {
        .submit = faulty_submit, .clone = faulty_clone, .close = faulty_close};
    struct store_faulty *store = mem_calloc(1, sizeof(*store));
    store_init(&store->store, &kind, like);
    store->inner = inner;
    store->mischief = mischief;
    pthread_mutex_lock(&mischief->mutex);
    mischief->handles++;
    pthread_mutex_unlock(&mischief->mutex);
    return &store->store;
}

struct store *store_faulty_create(struct store *inner, uint64_t seed,
                                  const struct store_faults *faults)
{
    struct mischief *mischief = mem_calloc(1, sizeof(*mischief));
    pthread_mutex_init(&mischief->mutex, NULL);
    mischief->random = seed;
    mischief->faults = *faults;
    return faulty_handle(inner, mischief, NULL);
}

void store_faulty_set(struct store *handle, const struct store_faults *faults)
{
    struct mischief *mischief = ((struct store_faulty *)handle)->mischief;
    pthread_mutex_lock(&mischief->mutex);
    mischief->faults = *faults;
    pthread_mutex_unlock(&mischief->mutex);
}

void store_faulty_count(struct store *handle, uint64_t ret_counts[STORE_FAULT_COUNT])
{
    struct mischief *mischief = ((struct store_faulty *)handle)->mischief;
    pthread_mutex_lock(&mischief->mutex);
    memcpy(ret_counts, mischief->counts, sizeof(mischief->counts));
    pthread_mutex_unlock(&mischief->mutex);
}
