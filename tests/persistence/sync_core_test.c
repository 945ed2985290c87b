/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sync core against a store that lies, forgets and delays: nothing is lost, nothing comes
 * twice. Time is a number here, and the store is in memory, so a seed repeats a run.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "persistence/loader.h"
#include "persistence/recovery.h"
#include "persistence/store_faulty.h"
#include "tests/persistence/persistence_support.h"
#include "tests/support/random.h"

#define NAME "space"
#define KEYS 7

/* One server, as far as its one namespace goes: what a journal would keep is in `kept`. */
struct world {
    struct store *inner, *store;
    struct random random;
    int64_t now;
    int incarnation;
    char replica[COMMIT_REPLICA_SIZE];
    struct sync_core *core;
    struct recovered kept; /* batches that were not released from the journal */
    uint64_t number;       /* last op of this incarnation */
    int64_t sums[KEYS];
    size_t inline_limit;
    uint64_t crashes, commits, folds;
};

static void count_uuid(int64_t now_ms, char out[UUID_TEXT_SIZE])
{
    uuid7_make(now_ms, out);
}

static struct sync_settings settings_of(struct world *world)
{
    return (struct sync_settings){.inline_limit = world->inline_limit,
                                  .tail_max = 20,
                                  .backoff_max_ms = 1000,
                                  .replica = "tester",
                                  .incarnation = world->replica,
                                  .make_uuid = count_uuid};
}

static struct sync_batch *batch_copy(const struct sync_batch *batch)
{
    struct sync_batch *copy = mem_calloc(1, sizeof(*copy));
    memcpy(copy->replica, batch->replica, sizeof(copy->replica));
    copy->first = batch->first;
    copy->count = batch->count;
    copy->time = batch->time;
    text_append_slice(&copy->ops, text_slice(&batch->ops));
    return copy;
}

/* Reads the store as a server does at its start. The journal may cut its batches otherwise. */
static void world_start(struct world *world)
{
    struct loader_options options = {
        .store = world->inner, .namespace = slice_of(NAME), .workers = 1};
    struct loaded loaded;
    struct text error = {0};
    snprintf(world->replica, sizeof(world->replica), "tester/%d", ++world->incarnation);
    assert_int_equal(loader_run(&options, &loaded, &error), LOADER_OK);
    if (!recovery_apply(&world->kept, &loaded, &error))
        fail_msg("%s", text_terminated(&error));
    struct sync_settings settings = settings_of(world);
    world->core = sync_core_create(slice_of(NAME), &settings);
    for (struct sync_batch *batch = world->kept.batches; batch; batch = batch->next)
        sync_core_push(world->core, batch_copy(batch));
    if (!world->kept.batches)
        sync_core_drop_dead(world->core);
    keyspace_destroy(loaded.keyspace);
    loaded.keyspace = NULL;
    sync_core_adopt(world->core, &loaded.head, loaded.etag);
    world->number = 0;
}

static void world_crash(struct world *world)
{
    sync_core_destroy(world->core);
    world->crashes++;
    world_start(world);
}

/* A journal read back does not know where commits were cut. */
static void world_keep(struct world *world, const struct sync_batch *batch)
{
    struct sync_batch **end = &world->kept.batches;
    while (*end && (*end)->next)
        end = &(*end)->next;
    struct sync_batch *last = *end;
    if (last && strcmp(last->replica, batch->replica) == 0 &&
        random_below(&world->random, 2) == 0) {
        text_append_slice(&last->ops, text_slice(&batch->ops));
        last->count += batch->count;
    } else if (last) {
        last->next = batch_copy(batch);
    } else {
        *end = batch_copy(batch);
    }
}

/* Some clients have written something. */
static void world_write(struct world *world)
{
    struct sync_batch *batch = mem_calloc(1, sizeof(*batch));
    memcpy(batch->replica, world->replica, sizeof(batch->replica));
    batch->first = world->number + 1;
    batch->time = world->now;
    batch->count = 1 + random_below(&world->random, random_below(&world->random, 8) ? 4 : 400);
    for (uint64_t i = 0; i < batch->count; i++) {
        char key[16];
        uint64_t which = random_below(&world->random, KEYS);
        int64_t delta = (int64_t)random_below(&world->random, 1000) - 300;
        snprintf(key, sizeof(key), "k%d", (int)which);
        struct op op = {.kind = OP_INT_ADD,
                        .key = slice_of(key),
                        .time = world->now,
                        .int_add = {.delta = delta}};
        op_binary_encode(&batch->ops, &op);
        world->sums[which] += delta;
    }
    world->number += batch->count;
    world_keep(world, batch);
    sync_core_push(world->core, batch);
}

/* The journal forgets what is committed: some time later, and in order. */
static void world_release(struct world *world)
{
    struct sync_batch *done;
    while ((done = sync_core_take_done(world->core))) {
        world->commits++;
        sync_batch_destroy(done);
    }
    if (sync_core_at_rest(world->core) && random_below(&world->random, 4) == 0) {
        while (world->kept.batches) {
            struct sync_batch *next = world->kept.batches->next;
            sync_batch_destroy(world->kept.batches);
            world->kept.batches = next;
        }
        sync_core_drop_dead(world->core);
    }
}

static int64_t now_of(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static void world_fold(struct world *world)
{
    struct loader_objects objects;
    struct head head;
    struct head_base base;
    struct text error = {0};
    struct fold_options options = {.chunk_size = 200, .inline_limit = 40};
    if (!sync_core_head(world->core, &head, &error))
        return;
    loader_objects_init(&objects, world->store, slice_of(NAME));
    objects.now_ms = now_of;
    objects.ctx = world;
    struct fold_store store = loader_fold_store(&objects);
    int64_t began = world->now;
    if (fold_run(&head, head.position, &store, &options, &base, &error)) {
        /* Some folds take so long that their chunks must not be named any more. */
        if (random_below(&world->random, 20) == 0)
            world->now += 2 * SYNC_OBJECT_AGE_MS;
        sync_core_offer_base(world->core, &base, began);
    }
    text_release(&error);
    head_release(&head);
}

/* One request of the core, if it has any. False when it rests. */
static bool world_step(struct world *world)
{
    struct sync_request wanted;
    enum sync_want want = sync_core_next(world->core, world->now, &wanted);
    if (want == SYNC_STUCK)
        fail_msg("stuck: %s", sync_core_error(world->core));
    if (want == SYNC_SLEEP)
        world->now = wanted.until;
    if (want != SYNC_GET && want != SYNC_PUT)
        return want == SYNC_SLEEP;
    struct store_request request = {.verb = want == SYNC_GET ? STORE_GET : STORE_PUT,
                                    .condition = wanted.condition,
                                    .body = wanted.body,
                                    .want_etags = true};
    memcpy(request.key, wanted.key, sizeof(request.key));
    memcpy(request.etag, wanted.etag, sizeof(request.etag));
    store_wait(world->store, &request);
    sync_core_answer(world->core, world->now, request.result, request.answer_etag,
                     text_slice(&request.answer), request.error);
    store_request_release(&request);
    world_release(world);
    return true;
}

static void world_check(struct world *world)
{
    struct loader_options options = {
        .store = world->inner, .namespace = slice_of(NAME), .workers = 2};
    struct loaded loaded;
    struct text error = {0};
    assert_int_equal(loader_run(&options, &loaded, &error), LOADER_OK);
    for (int i = 0; i < KEYS; i++) {
        char key[16], scratch[24];
        int64_t number = 0;
        snprintf(key, sizeof(key), "k%d", i);
        struct entry *entry = keyspace_find(loaded.keyspace, slice_of(key), 0, world->now);
        if (entry)
            assert_true(text_parse_int64(string_bytes(entry, scratch), &number));
        assert_int_equal(number, world->sums[i]);
    }
    world->folds += loaded.head.base.position > 0;
    loaded_release(&loaded);
}

static void world_run(struct world *world, int steps, bool crashes)
{
    for (int i = 0; i < steps; i++) {
        world->now += (int64_t)random_below(&world->random, 100);
        if (random_below(&world->random, 300) == 0)
            world->now += 2 * SYNC_OBJECT_AGE_MS;
        if (random_below(&world->random, 3) == 0)
            world_write(world);
        if (crashes && random_below(&world->random, 25) == 0)
            world_crash(world);
        if (sync_core_fold_due(world->core))
            world_fold(world);
        world_step(world);
    }
    store_faulty_set(world->store, &(struct store_faults){{0}});
    while (world_step(world))
        ;
}

static void world_close(struct world *world)
{
    sync_core_destroy(world->core);
    while (world->kept.batches) {
        struct sync_batch *next = world->kept.batches->next;
        sync_batch_destroy(world->kept.batches);
        world->kept.batches = next;
    }
    store_close(world->inner);
    store_close(world->store);
}

static void world_end(struct world *world)
{
    world_check(world);
    world_close(world);
}

static void world_begin(struct world *world, uint64_t seed, const struct store_faults *faults)
{
    struct text error = {0};
    *world = (struct world){.random = random_from(seed), .now = 1795000000000};
    assert_int_equal(store_open("memory", &world->inner, &error), STORE_OK);
    world->store = store_faulty_create(store_clone(world->inner), seed, faults);
    world->inline_limit = 300 + random_below(&world->random, 3000);
    snprintf(world->kept.namespace, sizeof(world->kept.namespace), NAME);
    world_start(world);
}

static void commits_reach_the_store(void **state)
{
    struct store_faults none = {{0}};
    (void)state;
    struct world world;
    world_begin(&world, 1, &none);
    world_run(&world, 500, false);
    assert_true(world.commits > 100);
    world_end(&world);
    assert_true(world.folds > 0);
}

static void nothing_is_lost_or_doubled_under_faults(void **state)
{
    struct store_faults faults = {.permille = {80, 80, 80, 80, 80}};
    struct random random = random_init();
    uint64_t counts[STORE_FAULT_COUNT], all[STORE_FAULT_COUNT] = {0};
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct world world;
        world_begin(&world, random_next(&random), &faults);
        world_run(&world, 300, false);
        store_faulty_count(world.store, counts);
        for (int i = 0; i < STORE_FAULT_COUNT; i++)
            all[i] += counts[i];
        world_end(&world);
    }
    for (int i = 0; i < STORE_FAULT_COUNT; i++)
        assert_true(all[i] > 0);
}

static void nothing_is_lost_or_doubled_over_crashes(void **state)
{
    struct store_faults faults = {.permille = {60, 60, 60, 60, 60}};
    struct random random = random_init();
    uint64_t crashes = 0;
    (void)state;
    for (int round = 0; round < 150; round++) {
        struct world world;
        world_begin(&world, random_next(&random), &faults);
        world_run(&world, 300, true);
        crashes += world.crashes;
        world_end(&world);
    }
    assert_true(crashes > 100);
}

static void entries_of_dead_incarnations_are_dropped(void **state)
{
    struct store_faults none = {{0}};
    struct head head;
    struct text error = {0};
    (void)state;
    struct world world;
    world_begin(&world, 5, &none);
    for (int i = 0; i < 6; i++) {
        world_run(&world, 50, false);
        world_crash(&world);
    }
    world_run(&world, 200, false);
    assert_true(sync_core_head(world.core, &head, &error));
    assert_int_equal(head.replica_count, 1);
    assert_string_equal(head.replicas[0].name, world.replica);
    head_release(&head);
    world_end(&world);
}

static void another_writer_is_noticed(void **state)
{
    struct store_faults none = {{0}};
    struct sync_request wanted;
    (void)state;
    struct world world;
    world_begin(&world, 7, &none);
    world_run(&world, 50, false);
    /* Somebody else puts the head back to an empty one. */
    struct head empty;
    struct text body = {0};
    head_init(&empty, slice_of(NAME));
    head_encode(&empty, &body);
    struct store_request put = {.verb = STORE_PUT, .key = NAME ".json", .body = text_slice(&body)};
    assert_int_equal(store_wait(world.inner, &put), STORE_OK);
    store_request_release(&put);
    world_write(&world);
    enum sync_want want;
    while ((want = sync_core_next(world.core, world.now, &wanted)) == SYNC_PUT || want == SYNC_GET)
        world_step(&world);
    assert_int_equal(want, SYNC_STUCK);
    assert_non_null(strstr(sync_core_error(world.core), "another writer"));
    head_release(&empty);
    text_release(&body);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_reach_the_store),
        cmocka_unit_test(nothing_is_lost_or_doubled_under_faults),
        cmocka_unit_test(nothing_is_lost_or_doubled_over_crashes),
        cmocka_unit_test(entries_of_dead_incarnations_are_dropped),
        cmocka_unit_test(another_writer_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
