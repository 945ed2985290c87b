/* SPDX-License-Identifier: BSD-3-Clause */
/* Which objects may go, and when. That it is safe among many servers, the simulation shows. */
#include "persistence/tidy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ops/mem.h"
#include "persistence/uuid.h"

#define HOUR (INT64_C(3600) * 1000)
#define MADE (INT64_C(1000000) * HOUR)

static const struct tidy_rules rules = {24 * HOUR, 2 * HOUR, HOUR};

struct scene {
    struct head head;
    struct strays strays;
};

static void scene_init(struct scene *scene)
{
    *scene = (struct scene){0};
    head_init(&scene->head, slice_of("a"));
}

static void scene_release(struct scene *scene)
{
    head_release(&scene->head);
    mem_free(scene->strays.items);
}

static void name(const char *kind, int64_t made, char out[COMMIT_OBJECT_SIZE])
{
    char uuid[UUID_TEXT_SIZE];
    uuid7_make(made, uuid);
    snprintf(out, COMMIT_OBJECT_SIZE, "%s-%s.json", kind, uuid);
}

/* A look at a listing of `object` alone; NULL: of nothing. */
static bool goes(struct scene *scene, const char *object, int64_t now)
{
    struct tidy tidy;
    tidy_begin(&tidy, &rules, &scene->head, &scene->strays, now);
    bool may = object && tidy_may_go(&tidy, object);
    tidy_end(&tidy, true);
    return may;
}

static void what_a_head_of_ours_named_goes_after_the_history(void **state)
{
    struct scene scene;
    char object[COMMIT_OBJECT_SIZE];
    (void)state;
    scene_init(&scene);
    name("segment", MADE, object);
    strays_add(&scene.strays, object, 0, true);
    assert_false(goes(&scene, object, MADE + HOUR));
    assert_false(goes(&scene, object, MADE + 3 * HOUR - 1));
    assert_true(goes(&scene, object, MADE + 3 * HOUR));
    scene_release(&scene);
}

/* Few commits, each large: days after an op was written a fold takes it in, and its segment out. */
static void what_ours_named_stays_for_the_history_however_old_it_is(void **state)
{
    struct scene scene;
    char object[COMMIT_OBJECT_SIZE];
    (void)state;
    scene_init(&scene);
    scene.head.base.time = MADE;
    name("segment", MADE, object);
    strays_add(&scene.strays, object, 0, true);
    assert_false(goes(&scene, object, MADE + 100 * HOUR));
    assert_false(goes(&scene, object, MADE + 102 * HOUR - 1));
    assert_true(goes(&scene, object, MADE + 102 * HOUR));
    scene_release(&scene);
}

static void what_none_of_ours_named_is_not_old_when_a_fold_is_new(void **state)
{
    struct scene scene;
    char object[COMMIT_OBJECT_SIZE], uuid[UUID_TEXT_SIZE];
    (void)state;
    scene_init(&scene);
    scene.head.base.time = MADE;
    scene.head.base.chunks = mem_calloc(1, sizeof(*scene.head.base.chunks));
    scene.head.base.chunk_count = 1;
    uuid7_make(MADE + 100 * HOUR, uuid);
    snprintf(scene.head.base.chunks[0].object, COMMIT_OBJECT_SIZE, "chunk-%s.jsonl", uuid);
    name("segment", MADE, object);
    assert_false(goes(&scene, object, MADE + 100 * HOUR));
    assert_false(goes(&scene, object, MADE + 102 * HOUR - 1));
    assert_true(goes(&scene, object, MADE + 102 * HOUR));
    scene_release(&scene);
}

/* A server that was started since then has never seen it named. */
static void what_was_folded_long_ago_goes_at_the_second_look(void **state)
{
    struct scene scene;
    char object[COMMIT_OBJECT_SIZE];
    (void)state;
    scene_init(&scene);
    scene.head.base.time = MADE;
    name("segment", MADE, object);
    assert_false(goes(&scene, object, MADE + 100 * HOUR));
    assert_true(goes(&scene, object, MADE + 101 * HOUR));
    scene_release(&scene);
}

static void what_none_of_ours_named_goes_after_a_day(void **state)
{
    struct scene scene;
    char object[COMMIT_OBJECT_SIZE];
    (void)state;
    scene_init(&scene);
    name("segment", MADE, object);
    assert_false(goes(&scene, object, MADE + HOUR));
    assert_false(goes(&scene, object, MADE + 24 * HOUR - 1));
    assert_true(goes(&scene, object, MADE + 24 * HOUR));
    assert_false(goes(&scene, "segment-of-somebody-else.json", MADE + 1000 * HOUR));
    scene_release(&scene);
}

/* To a server whose clock is ahead by a day and more all uploads of others look old. */
static void an_upload_of_another_stays_whatever_its_age_until_it_was_seen_twice(void **state)
{
    static const struct tidy_rules at_once = {24 * HOUR, 0, HOUR};
    static const struct tidy_rules *const all[] = {&rules, &at_once};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        struct tidy tidy;
        char object[COMMIT_OBJECT_SIZE];
        scene_init(&scene);
        scene.head.base.time = MADE;
        name("chunk", MADE, object);
        memcpy(strrchr(object, '.'), ".jsonl", sizeof(".jsonl"));
        for (int look = 0; look < 2; look++) {
            tidy_begin(&tidy, all[i], &scene.head, &scene.strays, MADE + (30 + look) * HOUR);
            assert_int_equal(tidy_may_go(&tidy, object), look);
            tidy_end(&tidy, true);
        }
        scene_release(&scene);
    }
}

/* It was seen before it was known to be ours, and folds that were lost have told it twice. */
static void the_same_object_is_one_stray(void **state)
{
    struct scene scene;
    char object[COMMIT_OBJECT_SIZE], other[COMMIT_OBJECT_SIZE];
    (void)state;
    scene_init(&scene);
    name("segment", MADE, object);
    name("run", MADE, other);
    assert_false(goes(&scene, object, MADE + HOUR));
    strays_add(&scene.strays, other, 0, true);
    strays_add(&scene.strays, object, 0, true);
    strays_add(&scene.strays, object, 0, true);
    assert_true(goes(&scene, object, MADE + 3 * HOUR));
    assert_int_equal(scene.strays.count, 1);
    assert_false(goes(&scene, NULL, MADE + 4 * HOUR));
    assert_int_equal(scene.strays.count, 0);
    scene_release(&scene);
}

static void many_are_found_again(void **state)
{
    struct scene scene;
    struct tidy tidy;
    char objects[1000][COMMIT_OBJECT_SIZE];
    (void)state;
    scene_init(&scene);
    for (int i = 0; i < 1000; i++)
        name(i % 3 ? "segment" : "run", MADE + i % 7 * HOUR, objects[i]);
    for (int look = 0; look < 2; look++) {
        int64_t now = MADE + (look ? 33 : 31) * HOUR;
        tidy_begin(&tidy, &rules, &scene.head, &scene.strays, now);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(tidy_may_go(&tidy, objects[i]), look);
        tidy_end(&tidy, true);
        assert_int_equal(scene.strays.count, 1000);
    }
    scene_release(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_head_of_ours_named_goes_after_the_history),
        cmocka_unit_test(what_ours_named_stays_for_the_history_however_old_it_is),
        cmocka_unit_test(what_none_of_ours_named_is_not_old_when_a_fold_is_new),
        cmocka_unit_test(what_was_folded_long_ago_goes_at_the_second_look),
        cmocka_unit_test(what_none_of_ours_named_goes_after_a_day),
        cmocka_unit_test(an_upload_of_another_stays_whatever_its_age_until_it_was_seen_twice),
        cmocka_unit_test(the_same_object_is_one_stray),
        cmocka_unit_test(many_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
