/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Swaps under a lock object, on a store that ignores conditions, behind a network in virtual time.
 * Every body that is put says which version it shall replace: the watch compares when it lands.
 */
#include "persistence/store_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "ops/mem.h"
#include "tests/support/plain_store.h"

#define TTL      30000
#define RACERS   32
#define ROUNDS   100
#define KEY      "a.json"
#define LOCK     "a.lock"
#define BODY_MAX 256

static const struct plain_network quick = {.usual = 5};
/* Some ways take longer than the settle time. */
static const struct plain_network uneven = {.usual = 200, .slow = 3000, .slow_permille = 10};
/* Answers are lost, writes land up to half a TTL late. */
static const struct plain_network bad = {.usual = 200,
                                         .slow = 3000,
                                         .slow_permille = 20,
                                         .lost_permille = 30,
                                         .late = TTL / 2,
                                         .patience = 4000};

/* One who swaps: a node, its handle, its request. */
struct racer {
    struct plain_node *node;
    struct store *store;
    struct store_request request;
    char body[BODY_MAX];
    bool busy, answered, dead;
    unsigned number;
};

struct scene {
    struct plain_world *world;
    struct random random;
    uint64_t puts, overwritten; /* of objects; those that replaced another version than they said */
    unsigned bodies;
    int64_t object_within, removal_within; /* what the last put and the last removal were given */
};

static void read_shelf(struct scene *scene, const char *key, char body[BODY_MAX],
                       char etag[STORE_ETAG_MAX])
{
    struct store_request get = {.verb = STORE_GET, .want_etags = true};
    snprintf(get.key, sizeof(get.key), "%s", key);
    store_wait(plain_world_shelf(scene->world), &get);
    snprintf(body, BODY_MAX, "%.*s", (int)get.answer.len, get.answer.data ? get.answer.data : "");
    memcpy(etag, get.answer_etag, STORE_ETAG_MAX);
    store_request_release(&get);
}

static bool is_there(struct scene *scene, const char *key)
{
    char body[BODY_MAX], etag[STORE_ETAG_MAX];
    read_shelf(scene, key, body, etag);
    return etag[0] != '\0';
}

static void put_on_shelf(struct scene *scene, const char *key, const char *body)
{
    struct store_request put = {.verb = STORE_PUT, .body = slice_of(body)};
    snprintf(put.key, sizeof(put.key), "%s", key);
    assert_int_equal(store_wait(plain_world_shelf(scene->world), &put), STORE_OK);
    store_request_release(&put);
}

/* "on <etag>: …": the etag is what it wants to replace. */
static void watch(void *ctx, const struct plain_node *from, const struct store_request *request)
{
    struct scene *scene = ctx;
    char body[BODY_MAX], etag[STORE_ETAG_MAX], wanted[STORE_ETAG_MAX] = "";
    (void)from;
    if (request->verb == STORE_REMOVE)
        scene->removal_within = request->within_ms;
    if (request->verb != STORE_PUT || strstr(request->key, ".lock"))
        return;
    scene->object_within = request->within_ms;
    snprintf(body, sizeof(body), "%.*s", (int)request->body.len, request->body.data);
    sscanf(body, "on %127[^:]", wanted);
    read_shelf(scene, request->key, body, etag);
    scene->puts++;
    scene->overwritten += strcmp(wanted, etag[0] ? etag : "nothing") != 0;
}

static void scene_init(struct scene *scene, const struct plain_network *network)
{
    *scene = (struct scene){.random = random_init()};
    scene->world = plain_world_create(random_next(&scene->random));
    plain_world_set(scene->world, network);
    plain_world_watch(scene->world, watch, scene);
}

static void racer_init(struct scene *scene, struct racer *racer, unsigned number)
{
    *racer = (struct racer){.node = plain_node_create(scene->world), .number = number};
    struct store_lock_options options = {.ttl_ms = TTL,
                                         .holder = "test \"1\"",
                                         .clock = plain_node_clock(racer->node),
                                         .seed = random_next(&scene->random) | 1};
    racer->store = store_lock_create(plain_node_store(racer->node), &options);
}

static void racer_release(struct racer *racer)
{
    store_close(racer->store);
    store_request_release(&racer->request);
}

static void on_answered(struct store_request *request)
{
    struct racer *racer = request->ctx;
    racer->busy = false;
    racer->answered = true;
}

/* Starts a swap of what is `etag` ("": nothing). */
static void start(struct scene *scene, struct racer *racer, const char *key, const char *etag)
{
    struct store_request *request = &racer->request;
    snprintf(racer->body, sizeof(racer->body), "on %s: %u by %u", etag[0] ? etag : "nothing",
             scene->bodies++, racer->number);
    store_request_release(request);
    *request = (struct store_request){.verb = STORE_PUT,
                                      .condition = etag[0] ? STORE_IF_MATCH : STORE_IF_ABSENT,
                                      .body = slice_of(racer->body),
                                      .want_etags = true,
                                      .done = on_answered,
                                      .ctx = racer};
    snprintf(request->key, sizeof(request->key), "%s", key);
    snprintf(request->etag, sizeof(request->etag), "%s", etag);
    racer->busy = true;
    racer->answered = false;
    store_submit(racer->store, request);
}

static enum store_result finish(struct scene *scene, struct racer *racer)
{
    plain_world_run(scene->world, &racer->answered);
    return racer->request.result;
}

static void start_on_newest(struct scene *scene, struct racer *racer)
{
    char body[BODY_MAX], etag[STORE_ETAG_MAX];
    read_shelf(scene, KEY, body, etag);
    start(scene, racer, KEY, etag);
}

static struct store_lock_counts counts_of(struct racer *racer)
{
    struct store_lock_counts counts;
    assert_true(store_lock_count(racer->store, &counts));
    return counts;
}

/* --- one alone --- */

static void a_swap_leaves_no_lock(void **state)
{
    struct scene scene;
    struct racer racer;
    char body[BODY_MAX], etag[STORE_ETAG_MAX];
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    start(&scene, &racer, KEY, "");
    assert_int_equal(finish(&scene, &racer), STORE_OK);
    read_shelf(&scene, KEY, body, etag);
    assert_string_equal(body, racer.body);
    assert_string_equal(etag, racer.request.answer_etag);
    start(&scene, &racer, KEY, etag);
    assert_int_equal(finish(&scene, &racer), STORE_OK);
    start(&scene, &racer, KEY, etag);
    assert_int_equal(finish(&scene, &racer), STORE_PRECONDITION);
    assert_true(racer.request.error[0]);
    start(&scene, &racer, KEY, "");
    assert_int_equal(finish(&scene, &racer), STORE_PRECONDITION);
    start(&scene, &racer, "b.json", etag);
    assert_int_equal(finish(&scene, &racer), STORE_PRECONDITION);
    assert_false(is_there(&scene, LOCK));
    assert_false(is_there(&scene, "b.lock"));
    assert_int_equal(scene.puts, 2);
    assert_int_equal(scene.overwritten, 0);
    assert_int_equal(counts_of(&racer).taken, 5);
    assert_int_equal(counts_of(&racer).unreleased, 0);
    racer_release(&racer);
    plain_world_destroy(scene.world);
}

static void what_has_no_condition_needs_no_lock(void **state)
{
    struct scene scene;
    struct racer racer;
    struct store_request put = {
        .verb = STORE_PUT, .key = "a/chunk-1", .body = slice_of("on nothing: x")};
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    assert_int_equal(store_wait(racer.store, &put), STORE_OK);
    assert_int_equal(plain_node_sent(racer.node), 1);
    assert_int_equal(counts_of(&racer).taken, 0);
    store_request_release(&put);
    racer_release(&racer);
    plain_world_destroy(scene.world);
}

/* --- races --- */

/* Of those who get no decision each tries again, as a sync does. Returns the winners. */
static int run_round(struct scene *scene, struct racer racers[RACERS], const char *key,
                     const char *etag)
{
    int winners = 0, winner = -1, left = RACERS;
    char body[BODY_MAX], now[STORE_ETAG_MAX];
    for (int i = 0; i < RACERS; i++)
        start(scene, &racers[i], key, etag);
    while (left) {
        assert_true(plain_world_step(scene->world));
        for (int i = 0; i < RACERS; i++) {
            if (!racers[i].answered)
                continue;
            enum store_result result = racers[i].request.result;
            racers[i].answered = false;
            if (result == STORE_TRANSIENT) {
                start(scene, &racers[i], key, etag);
                continue;
            }
            assert_true(result == STORE_OK || result == STORE_PRECONDITION);
            left--;
            if (result == STORE_OK) {
                winners++;
                winner = i;
            }
        }
    }
    if (winners == 1) {
        read_shelf(scene, key, body, now);
        assert_string_equal(body, racers[winner].body);
        assert_string_equal(now, racers[winner].request.answer_etag);
    }
    return winners;
}

static void run_race(const struct plain_network *network, bool match)
{
    struct scene scene;
    struct racer racers[RACERS];
    char key[32] = KEY, body[BODY_MAX], etag[STORE_ETAG_MAX] = "";
    scene_init(&scene, network);
    for (unsigned i = 0; i < RACERS; i++)
        racer_init(&scene, &racers[i], i);
    for (int round = 0; round < ROUNDS; round++) {
        if (!match)
            snprintf(key, sizeof(key), "absent-%d.json", round);
        else
            read_shelf(&scene, key, body, etag);
        assert_int_equal(run_round(&scene, racers, key, etag), 1);
    }
    assert_int_equal(scene.puts, ROUNDS);
    assert_int_equal(scene.overwritten, 0);
    for (int i = 0; i < RACERS; i++)
        racer_release(&racers[i]);
    plain_world_destroy(scene.world);
}

static void one_of_many_match_puts_wins(void **state)
{
    (void)state;
    run_race(&quick, true);
}

static void one_of_many_absent_only_puts_wins(void **state)
{
    (void)state;
    run_race(&quick, false);
}

static void one_wins_when_some_are_slow(void **state)
{
    (void)state;
    run_race(&uneven, true);
    run_race(&uneven, false);
}

/* --- whatever happens, no version is overwritten but the one that was meant --- */

struct suffered {
    int64_t deaths, stops, late, unreleased, takeovers;
};

static void end_racer(struct racer *racer, struct suffered *sum)
{
    struct store_lock_counts counts = counts_of(racer);
    sum->late += counts.late;
    sum->unreleased += counts.unreleased;
    sum->takeovers += counts.takeovers;
    plain_node_kill(racer->node);
    racer_release(racer);
}

static void swap_on_or_suffer(struct scene *scene, struct racer *racer, struct suffered *sum)
{
    uint64_t dice = random_below(&scene->random, 4000);
    if (dice == 0 && racer->busy) {
        end_racer(racer, sum);
        racer_init(scene, racer, racer->number);
        sum->deaths++;
    } else if (dice == 1) {
        plain_node_stop(racer->node, (int64_t)random_below(&scene->random, 2 * TTL));
        sum->stops++;
    }
    if (!racer->busy)
        start_on_newest(scene, racer);
}

static void nothing_is_lost_to_late_requests_stops_and_deaths(void **state)
{
    struct scene scene;
    struct racer racers[6];
    struct suffered sum = {0};
    (void)state;
    scene_init(&scene, &bad);
    for (unsigned i = 0; i < 6; i++)
        racer_init(&scene, &racers[i], i);
    for (int i = 0; i < 1000000; i++) {
        swap_on_or_suffer(&scene, &racers[random_below(&scene.random, 6)], &sum);
        assert_true(plain_world_step(scene.world));
        if (scene.overwritten)
            fail_msg("a version was overwritten after %d steps", i);
    }
    for (unsigned i = 0; i < 6; i++)
        end_racer(&racers[i], &sum);
    print_message(
        "%llu swaps, %lld deaths, %lld stops, %lld late, %lld unreleased, %lld taken over\n",
        (unsigned long long)scene.puts, (long long)sum.deaths, (long long)sum.stops,
        (long long)sum.late, (long long)sum.unreleased, (long long)sum.takeovers);
    assert_true(scene.puts > 500 && sum.deaths > 10 && sum.stops > 10 && sum.late > 10 &&
                sum.unreleased > 10 && sum.takeovers > 10);
    plain_world_destroy(scene.world);
}

/* --- stale locks --- */

/* How long one waits for a lock that nobody holds any more, in virtual time. */
static int64_t time_to_take_over(const char *lock)
{
    struct scene scene;
    struct racer racer;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    put_on_shelf(&scene, LOCK, lock);
    start(&scene, &racer, KEY, "");
    assert_int_equal(finish(&scene, &racer), STORE_OK);
    assert_int_equal(counts_of(&racer).takeovers, 1);
    assert_false(is_there(&scene, LOCK));
    int64_t took = plain_world_now(scene.world);
    racer_release(&racer);
    plain_world_destroy(scene.world);
    return took;
}

static void a_stale_lock_is_taken_over_after_the_ttl(void **state)
{
    (void)state;
    assert_in_range(time_to_take_over("{\"holder\":\"x\",\"ttl\":30000}"), TTL, TTL + TTL / 5);
    assert_in_range(time_to_take_over("any bytes"), TTL, TTL + TTL / 5);
    assert_in_range(time_to_take_over(""), TTL, TTL + TTL / 5);
}

static void the_longer_ttl_of_another_is_waited_for(void **state)
{
    (void)state;
    assert_in_range(time_to_take_over("{\"ttl\":60000}"), 2 * TTL, 2 * TTL + TTL / 5);
    assert_in_range(time_to_take_over("{\"ttl\":1000}"), TTL, TTL + TTL / 5);
    assert_in_range(time_to_take_over("{\"ttl\":99999999999}"), 3600000, 3600000 + TTL);
}

static void a_lock_that_changes_is_not_stale(void **state)
{
    struct scene scene;
    struct racer racer;
    char lock[64];
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    put_on_shelf(&scene, LOCK, "0");
    start(&scene, &racer, KEY, "");
    for (int i = 1; !racer.answered; i++) {
        assert_true(i < 10);
        plain_world_pass(scene.world, TTL - 2000);
        snprintf(lock, sizeof(lock), "%d", i);
        put_on_shelf(&scene, LOCK, lock);
    }
    assert_int_equal(racer.request.result, STORE_TRANSIENT);
    assert_non_null(strstr(racer.request.error, LOCK));
    assert_int_equal(scene.puts, 0);
    racer_release(&racer);
    plain_world_destroy(scene.world);
}

/* Who waits for a lock and sees the object move need not wait on. */
static void a_lost_race_is_noticed_while_waiting(void **state)
{
    struct scene scene;
    struct racer racer;
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    put_on_shelf(&scene, LOCK, "another's");
    start(&scene, &racer, KEY, "");
    plain_world_pass(scene.world, 5000);
    assert_false(racer.answered);
    put_on_shelf(&scene, KEY, "on nothing: theirs");
    assert_int_equal(finish(&scene, &racer), STORE_PRECONDITION);
    assert_true(plain_world_now(scene.world) < TTL / 2);
    assert_true(is_there(&scene, LOCK));
    racer_release(&racer);
    plain_world_destroy(scene.world);
}

/* --- holders that die or are late --- */

/* Runs until the node has sent so many requests; false: it answered before. */
static bool run_until_sent(struct scene *scene, struct racer *racer, unsigned sent)
{
    while (!racer->answered && plain_node_sent(racer->node) < sent)
        assert_true(plain_world_step(scene->world));
    return !racer->answered;
}

static void another_goes_on_wherever_a_holder_dies(void **state)
{
    unsigned steps = 0;
    bool died = true;
    (void)state;
    for (; died; steps++) {
        struct scene scene;
        struct racer first, second;
        scene_init(&scene, &quick);
        racer_init(&scene, &first, 0);
        racer_init(&scene, &second, 1);
        put_on_shelf(&scene, KEY, "on nothing: start");
        start_on_newest(&scene, &first);
        died = run_until_sent(&scene, &first, steps);
        plain_node_kill(first.node);
        plain_world_pass(scene.world, TTL / 2); /* what it sent has landed */
        start_on_newest(&scene, &second);
        assert_int_equal(finish(&scene, &second), STORE_OK);
        assert_int_equal(scene.overwritten, 0);
        assert_false(is_there(&scene, LOCK));
        racer_release(&first);
        racer_release(&second);
        plain_world_destroy(scene.world);
    }
    assert_int_equal(steps, 8); /* look, take, read, confirm, swap, free; and the end */
}

/* The holder stands still from its n-th request on; another takes over; then it goes on. */
static void a_holder_that_comes_back_late_puts_nothing(void **state)
{
    (void)state;
    for (unsigned sent = 2; sent <= 4; sent++) {
        struct scene scene;
        struct racer first, second;
        char body[BODY_MAX], etag[STORE_ETAG_MAX];
        scene_init(&scene, &quick);
        racer_init(&scene, &first, 0);
        racer_init(&scene, &second, 1);
        put_on_shelf(&scene, KEY, "on nothing: start");
        start_on_newest(&scene, &first);
        assert_true(run_until_sent(&scene, &first, sent));
        plain_node_stop(first.node, 2 * TTL);
        start_on_newest(&scene, &second);
        assert_int_equal(finish(&scene, &second), STORE_OK);
        assert_int_equal(scene.puts, 1);
        assert_int_equal(finish(&scene, &first), STORE_PRECONDITION);
        read_shelf(&scene, KEY, body, etag);
        assert_string_equal(body, second.body);
        assert_int_equal(scene.puts, 1);
        racer_release(&first);
        racer_release(&second);
        plain_world_destroy(scene.world);
    }
}

/* The same with nobody else: half a TTL is the limit, whoever has the lock. */
static void a_late_holder_puts_only_under_a_new_lock(void **state)
{
    struct scene scene;
    struct racer racer;
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    start(&scene, &racer, KEY, "");
    assert_true(run_until_sent(&scene, &racer, 4));
    plain_node_stop(racer.node, TTL / 2 + 1);
    assert_int_equal(finish(&scene, &racer), STORE_OK);
    assert_true(plain_world_now(scene.world) >= TTL);
    assert_int_equal(counts_of(&racer).late, 1);
    assert_int_equal(counts_of(&racer).takeovers, 1);
    racer_release(&racer);
    plain_world_destroy(scene.world);
}

/* The store may keep a request back for a while: for keys, or since it was asked to. */
static void nothing_may_be_sent_after_half_the_ttl(void **state)
{
    struct scene scene;
    struct racer racer;
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &racer, 0);
    start(&scene, &racer, KEY, "");
    assert_true(run_until_sent(&scene, &racer, 4));
    plain_node_stop(racer.node, TTL / 3);
    assert_int_equal(finish(&scene, &racer), STORE_OK);
    assert_int_equal(counts_of(&racer).late, 0);
    assert_in_range(scene.object_within, 1, TTL / 2 - TTL / 3);
    assert_in_range(scene.removal_within, 1, TTL / 2 - TTL / 3);
    racer_release(&racer);
    plain_world_destroy(scene.world);
}

static void an_open_outcome_keeps_the_lock(void **state)
{
    struct scene scene;
    struct racer first, second;
    static const struct plain_network lossy = {
        .lost_permille = 1000, .late = TTL / 2, .patience = 4000};
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &first, 0);
    racer_init(&scene, &second, 1);
    start(&scene, &first, KEY, "");
    assert_true(run_until_sent(&scene, &first, 4));
    plain_world_set(scene.world, &lossy); /* for the put of the object */
    assert_true(run_until_sent(&scene, &first, 5));
    plain_world_set(scene.world, &quick);
    start(&scene, &second, KEY, "");
    assert_int_equal(finish(&scene, &first), STORE_UNKNOWN);
    assert_true(is_there(&scene, LOCK));
    assert_int_equal(counts_of(&first).unreleased, 1);
    assert_int_equal(finish(&scene, &second), STORE_PRECONDITION); /* it landed meanwhile */
    assert_int_equal(scene.puts, 1);
    start_on_newest(&scene, &first);
    assert_int_equal(finish(&scene, &first), STORE_OK);
    assert_true(plain_world_now(scene.world) >= TTL);
    assert_int_equal(scene.overwritten, 0);
    racer_release(&first);
    racer_release(&second);
    plain_world_destroy(scene.world);
}

/* Its removal would free the lock of whoever has it by then. */
static void a_holder_that_is_told_late_frees_nothing(void **state)
{
    struct scene scene;
    struct racer first, second;
    char lock[BODY_MAX], etag[STORE_ETAG_MAX], now[STORE_ETAG_MAX];
    (void)state;
    scene_init(&scene, &quick);
    racer_init(&scene, &first, 0);
    racer_init(&scene, &second, 1);
    start(&scene, &first, KEY, "");
    assert_true(run_until_sent(&scene, &first, 5)); /* the put of the object */
    plain_node_stop(first.node, 2 * TTL);
    plain_world_pass(scene.world, 100);
    read_shelf(&scene, LOCK, lock, etag);
    start_on_newest(&scene, &second);
    do {
        assert_true(plain_world_step(scene.world));
        read_shelf(&scene, LOCK, lock, now);
    } while (strcmp(now, etag) == 0); /* taken over */
    plain_node_stop(second.node, TTL);
    assert_int_equal(finish(&scene, &first), STORE_OK);
    plain_world_pass(scene.world, 100);
    read_shelf(&scene, LOCK, lock, etag);
    assert_string_equal(etag, now);
    assert_int_equal(counts_of(&first).unreleased, 1);
    plain_node_kill(second.node);
    racer_release(&first);
    racer_release(&second);
    plain_world_destroy(scene.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_swap_leaves_no_lock),
        cmocka_unit_test(what_has_no_condition_needs_no_lock),
        cmocka_unit_test(one_of_many_match_puts_wins),
        cmocka_unit_test(one_of_many_absent_only_puts_wins),
        cmocka_unit_test(one_wins_when_some_are_slow),
        cmocka_unit_test(nothing_is_lost_to_late_requests_stops_and_deaths),
        cmocka_unit_test(a_stale_lock_is_taken_over_after_the_ttl),
        cmocka_unit_test(the_longer_ttl_of_another_is_waited_for),
        cmocka_unit_test(a_lock_that_changes_is_not_stale),
        cmocka_unit_test(a_lost_race_is_noticed_while_waiting),
        cmocka_unit_test(another_goes_on_wherever_a_holder_dies),
        cmocka_unit_test(a_holder_that_comes_back_late_puts_nothing),
        cmocka_unit_test(a_late_holder_puts_only_under_a_new_lock),
        cmocka_unit_test(nothing_may_be_sent_after_half_the_ttl),
        cmocka_unit_test(an_open_outcome_keeps_the_lock),
        cmocka_unit_test(a_holder_that_is_told_late_frees_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
