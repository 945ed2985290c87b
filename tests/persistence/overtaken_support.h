/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A namespace in a store that another server folds while it is being read: the fold lands when an
 * object of a kind is first asked for.
 */
#ifndef CAIRN_TESTS_OVERTAKEN_SUPPORT_H
#define CAIRN_TESTS_OVERTAKEN_SUPPORT_H

#include <pthread.h>

#include "persistence/head_objects.h"
#include "persistence/run.h"
#include "persistence/store-internal.h"
#include "tests/persistence/codec_support.h"
#include "tests/persistence/store_support.h"

#define NOW INT64_C(1795212345678)

struct turn {
    const char *at;                /* what the key begins with; NULL: it is over */
    const struct head *heads[2];   /* that of after the fold, and that of before */
    const struct objects *endless; /* by turns, each time a head has been read; NULL: once */
    bool armed;
    unsigned skip; /* so many that are asked for first */
    unsigned landed;
    const struct head *begun; /* put when the objects are listed; NULL: none */
    bool goes_away;           /* once it has landed, the head cannot be read */
    pthread_mutex_t mutex;
};

struct turning {
    struct store store;
    struct store *inner;
    struct turn *turn;
};

static inline void take_away_all(struct store *store)
{
    struct store_request list = {.verb = STORE_LIST, .key = "test/"};
    assert_int_equal(store_wait(store, &list), STORE_OK);
    for (size_t i = 0; i < list.item_count; i++)
        take_away(store, list.items[i].key);
    store_request_release(&list);
}

static inline void put_head(struct store *store, const struct head *head)
{
    struct text body = {0};
    head_encode(head, &body);
    put(store, "test.json", text_slice(&body));
    text_release(&body);
}

/* Another server's fold, and the removal of all that its head does not name. */
static inline void land(struct store *store, const struct head *head)
{
    struct store_request list = {.verb = STORE_LIST, .key = "test/"};
    struct head_objects named;
    put_head(store, head);
    head_objects_init(&named, head);
    assert_int_equal(store_wait(store, &list), STORE_OK);
    for (size_t i = 0; i < list.item_count; i++)
        if (!head_objects_have(&named, list.items[i].key + strlen("test/")))
            take_away(store, list.items[i].key);
    head_objects_release(&named);
    store_request_release(&list);
}

static inline void put_objects(struct store *store, const struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        char key[STORE_KEY_MAX];
        snprintf(key, sizeof(key), "test/%s", objects->list[i].name);
        put(store, key, text_slice(&objects->list[i].body));
    }
}

static inline void turning_submit(struct store *store, struct store_request *request)
{
    struct turning *turning = (struct turning *)store;
    struct turn *turn = turning->turn;
    pthread_mutex_lock(&turn->mutex);
    if (strcmp(request->key, "test.json") == 0)
        turn->armed = true;
    if (turn->at && turn->armed && request->verb == STORE_GET &&
        strncmp(request->key, turn->at, strlen(turn->at)) == 0 && !(turn->skip && turn->skip--)) {
        if (turn->endless)
            put_objects(turning->inner, turn->endless);
        land(turning->inner, turn->heads[turn->landed++ % 2]);
        turn->armed = false;
        turn->at = turn->endless ? turn->at : NULL;
    }
    if (turn->begun && request->verb == STORE_LIST) {
        put_head(turning->inner, turn->begun);
        turn->begun = NULL;
    }
    bool away = turn->goes_away && turn->landed && strcmp(request->key, "test.json") == 0;
    pthread_mutex_unlock(&turn->mutex);
    if (away)
        store_answer(request, STORE_TRANSIENT, "test.json: out of reach");
    else
        turning->inner->kind->submit(turning->inner, request);
}

static inline struct store *turning_open(struct store *inner, struct turn *turn);

static inline struct store *turning_clone(struct store *store)
{
    struct turning *turning = (struct turning *)store;
    return turning_open(store_clone(turning->inner), turning->turn);
}

static inline void turning_close(struct store *store)
{
    store_close(((struct turning *)store)->inner);
    store_fini(store);
    mem_free(store);
}

static inline struct store *turning_open(struct store *inner, struct turn *turn)
{
    static const struct store_kind kind = {
        .submit = turning_submit, .clone = turning_clone, .close = turning_close};
    struct turning *turning = mem_calloc(1, sizeof(*turning));
    store_init(&turning->store, &kind, NULL);
    turning->inner = inner;
    turning->turn = turn;
    return &turning->store;
}

/* --- a namespace, before and after a fold --- */

struct scene {
    struct random random;
    struct objects objects;
    struct head before, after;
    struct keyspace *ks;
    int64_t clock;
    struct store *plain, *store;
    struct turn turn;
};

static inline void commit_some(struct scene *s, struct op_source *source, int count)
{
    for (int i = 0; i < count; i++)
        head_commit_random(&s->after, &s->objects, source, s->ks, &s->clock);
}

static inline void fold_all(struct scene *s)
{
    struct fold_store store = objects_store(&s->objects);
    struct fold_options tiny = {.chunk_size = 200, .inline_limit = 100};
    struct head_base base;
    struct text error = {0};
    assert_true(fold_run(&s->after, s->after.position, &store, &tiny, &base, &error));
    assert_true(head_rebase(&s->after, &base));
}

/* The newer commits lie in a run. */
static inline void move_all(struct scene *s)
{
    struct fold_store store = objects_run_store(&s->objects);
    struct head_run run;
    struct text error = {0};
    assert_true(run_make(&s->after, 100, &store, &run, &error));
    assert_true(head_place_run(&s->after, &run));
}

static inline void scene_note_before(struct scene *s)
{
    struct text body = {0}, error = {0};
    head_encode(&s->after, &body);
    assert_true(head_decode(text_slice(&body), slice_of("test"), &s->before, &error));
    text_release(&body);
}

/* All objects are there, and the head of before. */
static inline void scene_open(struct scene *s, const char *turn_at)
{
    s->plain = store_memory_create();
    put_objects(s->plain, &s->objects);
    put_head(s->plain, &s->before);
    pthread_mutex_init(&s->turn.mutex, NULL);
    s->turn.at = turn_at;
    s->turn.heads[0] = &s->after;
    s->turn.heads[1] = &s->before;
    s->store = turning_open(store_clone(s->plain), &s->turn);
}

static inline void scene_begin(struct scene *s, const char *turn_at)
{
    *s = (struct scene){.random = random_from(4), .ks = keyspace_create(NULL)};
    /* With this seed nothing clears the namespace: all objects are needed. */
    struct op_source source = {.random = &s->random, .keys = 60, .bytes_max = 60, .time = NOW};
    head_init(&s->after, slice_of("test"));
    commit_some(s, &source, 40);
    fold_all(s);
    commit_some(s, &source, 40);
    move_all(s);
    commit_some(s, &source, 5);
    scene_note_before(s);
    commit_some(s, &source, 10);
    fold_all(s);
    commit_some(s, &source, 10);
    move_all(s);
    scene_open(s, turn_at);
}

static inline void scene_end(struct scene *s)
{
    store_close(s->store);
    store_close(s->plain);
    pthread_mutex_destroy(&s->turn.mutex);
    keyspace_destroy(s->ks);
    head_release(&s->before);
    head_release(&s->after);
    objects_release(&s->objects);
}

#endif
