/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See store_lock.h. A `swap` carries one conditional PUT through its steps; each step sends one
 * request to the inner store or pauses. After a call that sends, pauses or finishes, the swap must
 * not be touched: its answer may have come meanwhile.
 */
#include "persistence/store_lock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/store-internal.h"
#include "persistence/uuid.h"

#define SETTLE_PART    30 /* of the TTL: one second of thirty */
#define GIVE_UP_PARTS  3  /* TTLs that one conditional PUT waits for its turn */
#define OTHERS_TTL_MAX (INT64_C(3600) * 1000)
#define HOLDER_MAX     160

static const char head_suffix[] = ".json";

/* Shared by a handle and its clones. */
struct lock_terms {
    _Atomic int handles;
    int64_t ttl_ms, settle_ms;
    char holder[HOLDER_MAX];
    const struct store_lock_clock *clock;
    _Atomic int64_t taken, waits, takeovers, late, unreleased;
};

struct lock_store {
    struct store store;
    struct store *inner;
    struct lock_terms *terms;
    struct event_base *base; /* NULL until the first request, or with a clock of a test's own */
    bool own_base, ready;
    struct lock_swap *swaps;
    uint64_t random;
};

enum lock_step {
    STEP_LOOK,    /* is the lock free? */
    STEP_GLANCE,  /* it is not: has the object changed? */
    STEP_TAKE,    /* put our token */
    STEP_READ,    /* the object, once settled */
    STEP_CONFIRM, /* is it still our token? */
    STEP_SWAP,    /* put the object */
    STEP_FREE     /* remove the lock */
};

struct lock_swap {
    struct lock_swap *next, **link;
    struct lock_store *store;
    struct store_request *request, inner;
    enum lock_step step;
    struct event *timer;
    int64_t wake_at;
    char lock_key[STORE_KEY_MAX];
    int64_t began;
    int64_t asked_at; /* when the last look was sent */
    int64_t put_at;   /* when our token was */
    struct text token;
    struct text seen; /* another's token, unchanged since `seen_since` */
    bool has_seen, taking_over;
    int64_t seen_since, stale_ms;
    enum store_result outcome;
    char etag[STORE_ETAG_MAX];
    char error[STORE_ERROR_MAX];
};

int64_t store_lock_settle_ms(int64_t ttl_ms)
{
    return ttl_ms / SETTLE_PART > 0 ? ttl_ms / SETTLE_PART : 1;
}

/* --- time --- */

/* Runs on while the machine sleeps: a holder that slept must notice. */
static int64_t system_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_of(const struct lock_swap *swap)
{
    const struct store_lock_clock *clock = swap->store->terms->clock;
    return clock ? clock->now_ms(clock->ctx) : system_now_ms();
}

static void begin_step(struct lock_swap *swap);

static void sleep_on(struct lock_swap *swap);

static void on_wake(void *arg)
{
    struct lock_swap *swap = arg;
    if (now_of(swap) < swap->wake_at) /* a loop's idea of now may lie behind */
        sleep_on(swap);
    else
        begin_step(swap);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    on_wake(arg);
}

static void sleep_on(struct lock_swap *swap)
{
    struct lock_store *store = swap->store;
    const struct store_lock_clock *clock = store->terms->clock;
    int64_t now = now_of(swap), ms = swap->wake_at > now ? swap->wake_at - now : 0;
    if (clock) {
        clock->wake_after(clock->ctx, ms, on_wake, swap);
        return;
    }
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (!swap->timer)
        swap->timer = evtimer_new(store->base, on_timer, swap);
    assert(swap->timer);
    evtimer_add(swap->timer, &after);
}

static void pause_before(struct lock_swap *swap, enum lock_step step, int64_t ms)
{
    swap->step = step;
    swap->wake_at = now_of(swap) + ms;
    sleep_on(swap);
}

/* Between half a settle time and a whole one, so that those who wait do not look together. */
static void look_again(struct lock_swap *swap)
{
    struct lock_store *store = swap->store;
    uint64_t span = (uint64_t)store->terms->settle_ms / 2 + 1;
    store->random ^= store->random >> 12;
    store->random ^= store->random << 25;
    store->random ^= store->random >> 27;
    uint64_t part = (store->random * UINT64_C(0x2545F4914F6CDD1D) >> 32) % span;
    pause_before(swap, STEP_LOOK, store->terms->settle_ms / 2 + (int64_t)part);
}

/* --- the end --- */

static void swap_destroy(struct lock_swap *swap)
{
    if (swap->timer)
        event_free(swap->timer);
    store_request_release(&swap->inner);
    text_release(&swap->token);
    text_release(&swap->seen);
    *swap->link = swap->next;
    if (swap->next)
        swap->next->link = swap->link;
    mem_free(swap);
}

static void finish(struct lock_swap *swap)
{
    struct store_request *request = swap->request;
    enum store_result result = swap->outcome;
    char error[STORE_ERROR_MAX];
    memcpy(error, swap->error, sizeof(error));
    memcpy(request->answer_etag, swap->etag, sizeof(request->answer_etag));
    swap_destroy(swap);
    if (result == STORE_OK)
        store_answer(request, result, NULL);
    else
        store_answer(request, result, "%s", error);
}

/* Keeps how it ends; STORE_OK until something else is known. */
static void note_outcome(struct lock_swap *swap, enum store_result result)
{
    swap->outcome = result;
    if (result == STORE_PRECONDITION)
        snprintf(swap->error, sizeof(swap->error), "%.160s: %s", swap->request->key,
                 store_result_name(result));
    else if (result != STORE_OK)
        memcpy(swap->error, swap->inner.error, sizeof(swap->error));
}

/* A request around the PUT failed: nothing was written. */
static void fail(struct lock_swap *swap)
{
    enum store_result result = swap->inner.result;
    bool open = result == STORE_UNKNOWN || result == STORE_PRECONDITION ||
                result == STORE_NOT_FOUND || result == STORE_NOT_MODIFIED;
    note_outcome(swap, open ? STORE_TRANSIENT : result);
    finish(swap);
}

static void leave_lock(struct lock_swap *swap)
{
    atomic_fetch_add(&swap->store->terms->unreleased, 1);
    finish(swap);
}

/* --- requests --- */

static void on_answer(struct store_request *inner);

static struct store_request *prepare(struct lock_swap *swap, enum lock_step step,
                                     enum store_verb verb, const char *key)
{
    struct store_request *inner = &swap->inner;
    store_request_release(inner);
    *inner = (struct store_request){.verb = verb, .want_etags = true};
    inner->done = on_answer;
    inner->ctx = swap;
    snprintf(inner->key, sizeof(inner->key), "%s", key);
    swap->step = step;
    return inner;
}

static void send_to_inner(struct lock_swap *swap)
{
    store_submit(swap->store->inner, &swap->inner);
}

static void look(struct lock_swap *swap)
{
    prepare(swap, STEP_LOOK, STORE_GET, swap->lock_key);
    swap->asked_at = now_of(swap);
    send_to_inner(swap);
}

/* The object, for STEP_GLANCE and STEP_READ. */
static void read_object(struct lock_swap *swap, enum lock_step step)
{
    struct store_request *inner = prepare(swap, step, STORE_GET, swap->request->key);
    if (swap->request->condition == STORE_IF_MATCH)
        memcpy(inner->etag, swap->request->etag, sizeof(inner->etag));
    send_to_inner(swap);
}

/* A token is used once: one that was given up, or whose put may land late, is nobody's. */
static void take(struct lock_swap *swap)
{
    char uuid[UUID_TEXT_SIZE];
    const struct lock_terms *terms = swap->store->terms;
    struct store_request *inner = prepare(swap, STEP_TAKE, STORE_PUT, swap->lock_key);
    uuid7_make((int64_t)time(NULL) * 1000, uuid);
    swap->has_seen = false;
    text_clear(&swap->token);
    text_append_format(&swap->token, "{\"holder\":\"%s\",\"token\":\"%s\",\"ttl\":%lld}\n",
                       terms->holder, uuid, (long long)terms->ttl_ms);
    inner->body = text_slice(&swap->token);
    inner->within_ms = terms->ttl_ms / 2;
    swap->put_at = now_of(swap);
    send_to_inner(swap);
}

static void confirm(struct lock_swap *swap)
{
    prepare(swap, STEP_CONFIRM, STORE_GET, swap->lock_key);
    send_to_inner(swap);
}

/* Until half the TTL from when our token was sent: a request may be kept back before it is sent. */
static int64_t time_left(const struct lock_swap *swap)
{
    return swap->put_at + swap->store->terms->ttl_ms / 2 - now_of(swap);
}

/* For a request; 0 would be no limit. */
static int64_t limit_of(const struct lock_swap *swap)
{
    int64_t left = time_left(swap);
    return left ? left : -1;
}

static void put_object(struct lock_swap *swap)
{
    struct store *to = swap->store->inner;
    struct store_request *inner = prepare(swap, STEP_SWAP, STORE_PUT, swap->request->key);
    inner->body = swap->request->body;
    inner->within_ms = limit_of(swap);
    inner->store = to;
    to->kind->submit(to, inner); /* counted when it came to us */
}

static void free_lock(struct lock_swap *swap)
{
    struct store_request *inner = prepare(swap, STEP_FREE, STORE_REMOVE, swap->lock_key);
    inner->within_ms = limit_of(swap);
    send_to_inner(swap);
}

static void begin_step(struct lock_swap *swap)
{
    switch (swap->step) {
    case STEP_LOOK: look(swap); return;
    case STEP_GLANCE:
    case STEP_READ: read_object(swap, swap->step); return;
    case STEP_TAKE: take(swap); return;
    case STEP_CONFIRM: confirm(swap); return;
    case STEP_SWAP: put_object(swap); return;
    case STEP_FREE: free_lock(swap); return;
    }
}

/* --- answers --- */

/* The TTL that a lock's holder wrote there; 0: none can be read. */
static int64_t ttl_in(struct text *lock)
{
    const char *at = strstr(text_terminated(lock), "\"ttl\":");
    int64_t ttl = at ? strtoll(at + 6, NULL, 10) : 0;
    return ttl > OTHERS_TTL_MAX ? OTHERS_TTL_MAX : ttl;
}

static void note_holder(struct lock_swap *swap)
{
    struct text *answer = &swap->inner.answer;
    int64_t ttl = ttl_in(answer), own = swap->store->terms->ttl_ms;
    text_clear(&swap->seen);
    text_append_slice(&swap->seen, text_slice(answer));
    swap->has_seen = true;
    swap->seen_since = now_of(swap);
    swap->stale_ms = ttl > own ? ttl : own;
}

static void looked(struct lock_swap *swap)
{
    const struct store_request *inner = &swap->inner;
    if (inner->result == STORE_NOT_FOUND) {
        swap->taking_over = false;
        take(swap);
        return;
    }
    if (inner->result != STORE_OK) {
        fail(swap);
        return;
    }
    bool same = swap->has_seen && slice_equal(text_slice(&swap->seen), text_slice(&inner->answer));
    if (same && swap->asked_at - swap->seen_since >= swap->stale_ms) {
        swap->taking_over = true;
        take(swap);
        return;
    }
    atomic_fetch_add(&swap->store->terms->waits, 1);
    if (!same)
        note_holder(swap);
    if (now_of(swap) - swap->began >= GIVE_UP_PARTS * swap->stale_ms) {
        snprintf(swap->inner.error, sizeof(swap->inner.error),
                 "%.120s: others hold it, one after the other", swap->lock_key);
        swap->inner.result = STORE_TRANSIENT;
        fail(swap);
    } else {
        read_object(swap, STEP_GLANCE);
    }
}

/* Whether the condition holds of the object as it was just read; or what went wrong. */
static enum store_result judge_object(const struct lock_swap *swap)
{
    const struct store_request *inner = &swap->inner;
    bool absent = swap->request->condition == STORE_IF_ABSENT;
    if (inner->result == STORE_NOT_FOUND)
        return absent ? STORE_OK : STORE_PRECONDITION;
    if (inner->result == STORE_NOT_MODIFIED)
        return STORE_OK;
    if (inner->result != STORE_OK)
        return inner->result;
    if (absent || strcmp(inner->answer_etag, swap->request->etag) != 0)
        return STORE_PRECONDITION;
    return STORE_OK;
}

static void glanced(struct lock_swap *swap)
{
    enum store_result result = judge_object(swap);
    if (result == STORE_OK) {
        look_again(swap);
        return;
    }
    note_outcome(swap, result);
    finish(swap);
}

static void took(struct lock_swap *swap)
{
    struct lock_terms *terms = swap->store->terms;
    enum store_result result = swap->inner.result;
    bool late = now_of(swap) - swap->asked_at >= terms->settle_ms;
    if (result != STORE_OK && result != STORE_UNKNOWN) {
        fail(swap);
    } else if (result == STORE_UNKNOWN || late) {
        atomic_fetch_add(&terms->late, 1);
        look_again(swap);
    } else {
        /* Both times are cut to whole ms: one more than what others may take. */
        pause_before(swap, STEP_READ, terms->settle_ms + 1);
    }
}

static void was_read(struct lock_swap *swap)
{
    note_outcome(swap, judge_object(swap));
    confirm(swap);
}

static void confirmed(struct lock_swap *swap)
{
    struct lock_terms *terms = swap->store->terms;
    const struct store_request *inner = &swap->inner;
    bool ours = inner->result == STORE_OK &&
                slice_equal(text_slice(&inner->answer), text_slice(&swap->token));
    if (!ours && swap->outcome == STORE_PRECONDITION) {
        finish(swap);
    } else if (!ours && inner->result != STORE_OK && inner->result != STORE_NOT_FOUND) {
        fail(swap);
    } else if (!ours) {
        look_again(swap);
    } else if (time_left(swap) <= 0) {
        atomic_fetch_add(&terms->late, 1);
        look_again(swap);
    } else {
        atomic_fetch_add(&terms->taken, 1);
        atomic_fetch_add(&terms->takeovers, swap->taking_over);
        if (swap->outcome == STORE_OK)
            put_object(swap);
        else
            free_lock(swap);
    }
}

/* With an open outcome the lock stays: nobody else may put before ours can no longer land. */
static void swapped(struct lock_swap *swap)
{
    note_outcome(swap, swap->inner.result);
    memcpy(swap->etag, swap->inner.answer_etag, sizeof(swap->etag));
    if (swap->outcome == STORE_UNKNOWN || time_left(swap) <= 0)
        leave_lock(swap);
    else
        free_lock(swap);
}

static void freed(struct lock_swap *swap)
{
    if (swap->inner.result == STORE_OK || swap->inner.result == STORE_NOT_FOUND)
        finish(swap);
    else
        leave_lock(swap);
}

static void on_answer(struct store_request *inner)
{
    struct lock_swap *swap = inner->ctx;
    switch (swap->step) {
    case STEP_LOOK: looked(swap); return;
    case STEP_GLANCE: glanced(swap); return;
    case STEP_TAKE: took(swap); return;
    case STEP_READ: was_read(swap); return;
    case STEP_CONFIRM: confirmed(swap); return;
    case STEP_SWAP: swapped(swap); return;
    case STEP_FREE: freed(swap); return;
    }
}

/* --- the store --- */

/* Answers of the inner store and our pauses come from one loop. */
static void make_ready(struct lock_store *store)
{
    if (store->ready)
        return;
    store->ready = true;
    if (!store->base && !store->terms->clock) {
        store->base = event_base_new();
        assert(store->base);
        store->own_base = true;
    }
    if (store->base)
        store_attach(store->inner, store->base);
}

/* x.json is guarded by x.lock, anything else by itself with .lock. */
static bool lock_key_of(const char *key, char out[STORE_KEY_MAX])
{
    size_t len = strlen(key), suffix = sizeof(head_suffix) - 1;
    if (len > suffix && strcmp(key + len - suffix, head_suffix) == 0)
        len -= suffix;
    int length = snprintf(out, STORE_KEY_MAX, "%.*s.lock", (int)len, key);
    return length > 0 && length < STORE_KEY_MAX;
}

static void start_swap(struct lock_store *store, struct store_request *request)
{
    struct lock_swap *swap = mem_calloc(1, sizeof(*swap));
    swap->store = store;
    swap->request = request;
    swap->next = store->swaps;
    swap->link = &store->swaps;
    if (swap->next)
        swap->next->link = &swap->next;
    store->swaps = swap;
    swap->began = now_of(swap);
    if (!lock_key_of(request->key, swap->lock_key)) {
        snprintf(swap->inner.error, sizeof(swap->inner.error), "the key is too long to be locked");
        swap->inner.result = STORE_INVALID;
        fail(swap);
        return;
    }
    look(swap);
}

static void lock_submit(struct store *handle, struct store_request *request)
{
    struct lock_store *store = (struct lock_store *)handle;
    make_ready(store);
    if (request->verb == STORE_PUT && request->condition != STORE_ALWAYS)
        start_swap(store, request);
    else
        store->inner->kind->submit(store->inner, request); /* counted when it came to us */
}

static void lock_run(struct store *handle, const bool *finished)
{
    struct lock_store *store = (struct lock_store *)handle;
    const struct store_lock_clock *clock = store->terms->clock;
    if (clock)
        clock->run(clock->ctx, finished);
    while (!clock && !*finished)
        event_base_loop(store->base, EVLOOP_ONCE);
}

static void lock_attach(struct store *handle, struct event_base *base)
{
    struct lock_store *store = (struct lock_store *)handle;
    assert(!store->ready && !store->terms->clock);
    store->base = base;
}

static bool lock_other_quoting(struct store *handle)
{
    return store_other_quoting(((struct lock_store *)handle)->inner);
}

static struct store *lock_beneath(struct store *handle)
{
    return ((struct lock_store *)handle)->inner;
}

static void lock_close(struct store *handle)
{
    struct lock_store *store = (struct lock_store *)handle;
    store_close(store->inner); /* first: what it was asked is in the swaps */
    while (store->swaps)
        swap_destroy(store->swaps);
    if (store->own_base)
        event_base_free(store->base);
    if (atomic_fetch_sub(&store->terms->handles, 1) == 1)
        mem_free(store->terms);
    store_fini(handle);
    mem_free(store);
}

static struct store *lock_clone(struct store *handle);

static const struct store_kind lock_kind = {.submit = lock_submit,
                                            .run = lock_run,
                                            .clone = lock_clone,
                                            .close = lock_close,
                                            .attach = lock_attach,
                                            .other_quoting = lock_other_quoting,
                                            .beneath = lock_beneath};

/* Takes `inner`, whose totals it shares: locks count as requests too. */
static struct store *lock_handle(struct store *inner, struct lock_terms *terms, uint64_t seed)
{
    struct lock_store *store = mem_calloc(1, sizeof(*store));
    store_init(&store->store, &lock_kind, inner);
    store->inner = inner;
    store->terms = terms;
    atomic_fetch_add(&terms->handles, 1);
    store->random = seed;
    if (!seed && getrandom(&store->random, sizeof(store->random), 0) != sizeof(store->random))
        store->random = (uint64_t)system_now_ms();
    store->random |= 1;
    return &store->store;
}

static struct store *lock_clone(struct store *handle)
{
    struct lock_store *store = (struct lock_store *)handle;
    return lock_handle(store_clone(store->inner), store->terms, 0);
}

struct store *store_lock_create(struct store *inner, const struct store_lock_options *options)
{
    struct lock_terms *terms = mem_calloc(1, sizeof(*terms));
    assert(options->ttl_ms > 0);
    terms->ttl_ms = options->ttl_ms;
    terms->settle_ms = store_lock_settle_ms(options->ttl_ms);
    terms->clock = options->clock;
    snprintf(terms->holder, sizeof(terms->holder), "%s", options->holder);
    for (char *c = terms->holder; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '_';
    return lock_handle(inner, terms, options->seed);
}

bool store_lock_count(struct store *handle, struct store_lock_counts *ret_counts)
{
    if (handle->kind != &lock_kind)
        return false;
    const struct lock_terms *terms = ((struct lock_store *)handle)->terms;
    *ret_counts = (struct store_lock_counts){
        .taken = atomic_load(&terms->taken),
        .waits = atomic_load(&terms->waits),
        .takeovers = atomic_load(&terms->takeovers),
        .late = atomic_load(&terms->late),
        .unreleased = atomic_load(&terms->unreleased),
    };
    return true;
}
