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
#include "persistence/run.h"
#include "persistence/store_faulty.h"
#include "tests/persistence/persistence_support.h"
#include "tests/persistence/sync_core_support.h"
#include "tests/support/random.h"

#define MIB  (UINT64_C(1) << 20)
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
    uint64_t crashes, commits, folds, runs;
};

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

/* At any time, not only when it pays. */
static void world_move(struct world *world)
{
    struct loader_objects objects;
    struct head head;
    struct head_run run;
    struct text error = {0};
    if (!sync_core_head(world->core, &head, &error))
        return;
    loader_objects_init(&objects, world->store, slice_of(NAME));
    objects.now_ms = now_of;
    objects.ctx = world;
    struct fold_store store = loader_run_store(&objects);
    int64_t began = world->now;
    if (head.tail_count && run_make(&head, 200, &store, &run, &error)) {
        if (random_below(&world->random, 20) == 0)
            world->now += 2 * SYNC_OBJECT_AGE_MS;
        sync_core_offer_run(world->core, &run, began);
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
    world->runs += loaded.head.run_count;
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
        if (random_below(&world->random, 10) == 0)
            world_move(world);
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

/* --- entries that expire --- */

static void add_entry(struct head *head, const char *name, uint64_t position, int64_t time)
{
    head_set_replica(head, slice_of(name), 5);
    head_replica(head, slice_of(name))->position = position;
    head_replica(head, slice_of(name))->time = time;
}

static void entries_of_replicas_that_never_came_back_expire(void **state)
{
    static const struct {
        const char *name;
        uint64_t position;
        int64_t age; /* -1: its time is not known */
        bool kept;
    } entries[] = {
        {"gone/1", 7, 30 * DAY, false},  {"gone/2", 3, 300 * DAY, false},
        {"here/1", 8, 29 * DAY, true},   {"before/1", 0, -1, true},
        {"me/1", 1, 400 * DAY, true},    {"me/2", 2, 400 * DAY, true},
        {"me/9", 2, 400 * DAY, true},    {"meagre/1", 2, 31 * DAY, false},
        {"ahead/1", 9, -31 * DAY, true},
    };
    size_t count = sizeof(entries) / sizeof(entries[0]), kept = 0;
    struct head head, next;
    (void)state;
    folded_head(&head, 10);
    for (size_t i = 0; i < count; i++)
        add_entry(&head, entries[i].name, entries[i].position,
                  entries[i].age == -1 ? 0 : TODAY - entries[i].age);
    struct sync_core *core = make_core(false);
    sync_core_adopt(core, &head, "e");
    sync_core_push(core, one_op("me/2", 6)); /* of an incarnation before, from the journal */
    take_candidate(core, TODAY, &next);
    for (size_t i = 0; i < count; i++) {
        kept += entries[i].kept;
        if (entries[i].kept != (head_replica(&next, slice_of(entries[i].name)) != NULL))
            fail_msg("%s must be %s", entries[i].name, entries[i].kept ? "kept" : "gone");
    }
    assert_int_equal(next.replica_count, kept);
    assert_int_equal(next.expired, 7);
    assert_true(head_replica(&next, slice_of("before/1"))->time == TODAY);
    /* The time is that of the commit, not of its ops. */
    assert_true(head_replica(&next, slice_of("me/2"))->time == TODAY);
    assert_int_equal(head_replica(&next, slice_of("me/2"))->position, 11);
    head_release(&next);
    sync_core_destroy(core);
}

static void an_entry_stays_while_the_tail_has_a_commit_of_it(void **state)
{
    struct head head, next;
    (void)state;
    folded_head(&head, 10);
    add_entry(&head, "gone/1", 9, 0);
    add_entry(&head, "gone/2", 9, 0);
    commit_one(&head, "gone/1");
    commit_one(&head, "gone/2");
    head_replica(&head, slice_of("gone/1"))->time = TODAY - 31 * DAY;
    head_replica(&head, slice_of("gone/2"))->time = TODAY - 31 * DAY;
    head_replica(&head, slice_of("gone/2"))->position = 0; /* as before positions were kept */
    struct sync_core *core = make_core(false);
    sync_core_adopt(core, &head, "e");
    sync_core_push(core, one_op("me/9", 1));
    take_candidate(core, TODAY, &next);
    assert_non_null(head_replica(&next, slice_of("gone/1")));
    assert_non_null(head_replica(&next, slice_of("gone/2")));
    assert_int_equal(next.expired, 0);
    head_release(&next);
    sync_core_destroy(core);
}

/*
 * A server that was cut off, amid a commit or not, for so long that its entry may have expired.
 * Returns what it wants to do once it has seen the head again.
 */
static enum sync_want come_back(bool sent, uint64_t expired, bool entry,
                                struct sync_core **ret_core)
{
    struct sync_request wanted;
    struct head head;
    struct text body = {0};
    folded_head(&head, 10);
    struct sync_core *core = make_core(true);
    sync_core_adopt(core, &head, "e");
    if (!sent)
        sync_core_poll(core);
    else
        sync_core_push(core, one_op("me/9", 6));
    assert_int_equal(sync_core_next(core, TODAY, &wanted), sent ? SYNC_PUT : SYNC_GET);
    if (sent) {
        sync_core_answer(core, TODAY, STORE_TRANSIENT, "", (struct slice){0}, "out of reach");
        assert_int_equal(sync_core_next(core, TODAY + 40 * DAY, &wanted), SYNC_PUT);
        sync_core_answer(core, TODAY + 40 * DAY, STORE_PRECONDITION, "", (struct slice){0}, "no");
        assert_int_equal(sync_core_next(core, TODAY + 41 * DAY, &wanted), SYNC_GET);
    } else {
        sync_core_push(core, one_op("me/9", 6));
    }
    folded_head(&head, 20);
    head.expired = expired;
    if (entry)
        add_entry(&head, "me/9", 0, TODAY);
    head_encode(&head, &body);
    sync_core_answer(core, TODAY + 41 * DAY, STORE_OK, "f", text_slice(&body), "");
    text_release(&body);
    assert_int_equal(sync_core_next(core, TODAY + 41 * DAY, &wanted), SYNC_RELOAD);
    if (sync_core_may_reload(core, &head))
        sync_core_reload(core, &head, "f");
    else
        head_release(&head);
    *ret_core = core;
    return sync_core_next(core, TODAY + 41 * DAY, &wanted);
}

static void a_server_cut_off_for_too_long_does_not_guess(void **state)
{
    struct sync_core *core;
    (void)state;
    assert_int_equal(come_back(true, 11, false, &core), SYNC_STUCK);
    assert_non_null(strstr(sync_core_error(core), "--journal-orphans replay or drop"));
    sync_core_destroy(core);
    /* What has expired was known here already. */
    assert_int_equal(come_back(true, 10, false, &core), SYNC_PUT);
    sync_core_destroy(core);
    /* Its entry is there, and says that the op is not committed. */
    assert_int_equal(come_back(true, 11, true, &core), SYNC_PUT);
    sync_core_destroy(core);
    /* What was never sent is not committed. */
    assert_int_equal(come_back(false, 11, false, &core), SYNC_PUT);
    sync_core_destroy(core);
}

/* --- how often the head is read --- */

/* It has a commit to send that has just lost the race for the head. */
static struct sync_core *core_that_lost(void)
{
    struct sync_request wanted;
    struct head head;
    struct sync_core *core = make_core(true);
    folded_head(&head, 10);
    sync_core_adopt(core, &head, "e");
    sync_core_push(core, one_op("me/9", 1));
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_PUT);
    sync_core_answer(core, TODAY, STORE_PRECONDITION, "", (struct slice){0}, "no");
    return core;
}

static void a_head_read_after_a_lost_race_is_a_look_too(void **state)
{
    struct sync_core *core = core_that_lost();
    struct sync_request wanted;
    struct head head;
    (void)state;
    sync_core_poll(core); /* the interval ends while it gives way */
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_GET);
    assert_true(sync_core_polling(core));
    folded_head(&head, 10);
    commit_one(&head, "other/1");
    answer_with(core, &head, "f");
    assert_false(sync_core_polling(core));
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_PUT);
    assert_string_equal(wanted.etag, "f");
    sync_core_destroy(core);
}

static void who_asks_while_the_head_is_read_gets_a_later_look(void **state)
{
    struct sync_core *core = core_that_lost();
    struct sync_request wanted;
    struct head head;
    (void)state;
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_GET);
    sync_core_poll(core);
    folded_head(&head, 10);
    answer_with(core, &head, "e");
    assert_true(sync_core_polling(core));
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_GET);
    assert_string_equal(wanted.etag, "e");
    sync_core_answer(core, TODAY, STORE_NOT_MODIFIED, "", (struct slice){0}, "");
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_PUT);
    sync_core_destroy(core);
}

static void a_look_that_failed_serves_all_who_asked_before_it_is_tried_again(void **state)
{
    struct sync_core *core = make_core(true);
    struct sync_request wanted;
    struct head head;
    (void)state;
    folded_head(&head, 10);
    sync_core_adopt(core, &head, "e");
    sync_core_poll(core);
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_GET);
    sync_core_poll(core);
    sync_core_answer(core, TODAY, STORE_TRANSIENT, "", (struct slice){0}, "out of reach");
    assert_true(sync_core_polling(core));
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_SLEEP);
    assert_int_equal(sync_core_next(core, wanted.until, &wanted), SYNC_GET);
    sync_core_answer(core, TODAY, STORE_NOT_MODIFIED, "", (struct slice){0}, "");
    assert_false(sync_core_polling(core));
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_REST);
    sync_core_destroy(core);
}

/* --- a copy of this server's directory, served beside it --- */

/* This core has committed; then `replica` has, behind that. Returns what it wants after a look. */
static enum sync_want after_a_commit_of(const char *replica, bool dead_dropped,
                                        struct sync_core **ret_core)
{
    struct sync_request wanted;
    struct head head;
    struct sync_core *core = *ret_core = make_core(true);
    folded_head(&head, 10);
    add_entry(&head, "me/8", 0, TODAY);
    sync_core_adopt(core, &head, "e");
    if (dead_dropped)
        sync_core_drop_dead(core);
    sync_core_push(core, one_op("me/9", 1));
    take_candidate(core, TODAY, &head);
    sync_core_answer(core, TODAY, STORE_OK, "f", (struct slice){0}, "");
    sync_core_poll(core);
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_GET);
    commit_one(&head, replica);
    answer_with(core, &head, "g");
    return sync_core_next(core, TODAY, &wanted);
}

static void a_server_of_the_same_name_is_noticed(void **state)
{
    struct sync_core *core;
    (void)state;
    assert_int_equal(after_a_commit_of("me/7", true, &core), SYNC_STUCK);
    assert_non_null(strstr(sync_core_error(core), "is a copy of the other's"));
    sync_core_destroy(core);
    assert_int_equal(after_a_commit_of("you/7", true, &core), SYNC_REST);
    sync_core_destroy(core);
    /* As long as entries of earlier lives stay, one of them may have had this on the wire. */
    assert_int_equal(after_a_commit_of("me/8", false, &core), SYNC_REST);
    sync_core_destroy(core);
}

/* --- folds that do not keep up --- */

/* Of a namespace whose base has one chunk of so many bytes, and its tail as many in a run. */
static bool is_due(uint64_t base, uint64_t tail, bool *ret_overdue)
{
    struct head head;
    struct chunk_ref *chunk = mem_calloc(1, sizeof(*chunk));
    struct head_run *run = mem_calloc(1, sizeof(*run));
    folded_head(&head, 10);
    chunk->bytes = base;
    head.base.chunks = chunk;
    head.base.chunk_count = 1;
    *run = (struct head_run){.from = 10, .position = 20, .segment_bytes = tail};
    head.runs = run;
    head.run_count = 1;
    head.position = 20;
    struct sync_core *core = make_core(false);
    sync_core_adopt(core, &head, "e");
    bool due = sync_core_fold_due(core);
    *ret_overdue = sync_core_fold_overdue(core);
    sync_core_destroy(core);
    return due;
}

static void a_fold_is_due_when_the_tail_is_as_large_as_its_base(void **state)
{
    bool overdue;
    (void)state;
    assert_false(is_due(200 * MIB, 199 * MIB, &overdue));
    assert_true(is_due(200 * MIB, 201 * MIB, &overdue));
    assert_false(overdue);
}

static bool is_overdue(uint64_t base, uint64_t tail)
{
    bool overdue, due = is_due(base, tail, &overdue);
    assert_true(due || !overdue);
    return overdue;
}

static void a_fold_is_overdue_when_the_tail_has_outgrown_its_base(void **state)
{
    (void)state;
    assert_false(is_overdue(200 * MIB, 399 * MIB));
    assert_true(is_overdue(200 * MIB, 401 * MIB));
    assert_false(is_overdue(MIB, 127 * MIB));
    assert_true(is_overdue(MIB, 129 * MIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_reach_the_store),
        cmocka_unit_test(nothing_is_lost_or_doubled_under_faults),
        cmocka_unit_test(nothing_is_lost_or_doubled_over_crashes),
        cmocka_unit_test(entries_of_dead_incarnations_are_dropped),
        cmocka_unit_test(another_writer_is_noticed),
        cmocka_unit_test(entries_of_replicas_that_never_came_back_expire),
        cmocka_unit_test(an_entry_stays_while_the_tail_has_a_commit_of_it),
        cmocka_unit_test(a_server_cut_off_for_too_long_does_not_guess),
        cmocka_unit_test(a_fold_is_due_when_the_tail_is_as_large_as_its_base),
        cmocka_unit_test(a_fold_is_overdue_when_the_tail_has_outgrown_its_base),
        cmocka_unit_test(a_head_read_after_a_lost_race_is_a_look_too),
        cmocka_unit_test(who_asks_while_the_head_is_read_gets_a_later_look),
        cmocka_unit_test(a_look_that_failed_serves_all_who_asked_before_it_is_tried_again),
        cmocka_unit_test(a_server_of_the_same_name_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
