/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads of a store that others fold meanwhile, and of one that is damaged. */
#include "persistence/loader.h"

#include "persistence/overtaken.h"
#include "tests/persistence/overtaken_support.h"

static enum loader_result run(struct scene *s, struct loaded *loaded, struct text *error)
{
    struct loader_options options = {
        .store = s->store, .namespace = slice_of("test"), .workers = 2};
    return loader_run(&options, loaded, error);
}

static void a_load_that_a_fold_overtakes_begins_again(void **state)
{
    static const char *const kinds[] = {"test/chunk-", "test/segment-", "test/run-"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct scene s;
        struct loaded loaded;
        struct text error = {0};
        scene_begin(&s, kinds[i]);
        if (run(&s, &loaded, &error) != LOADER_OK)
            fail_msg("%s", text_terminated(&error));
        assert_null(s.turn.at);
        assert_int_equal(error.len, 0);
        assert_int_equal(loaded.head.position, s.after.position);
        keyspace_drop_expired(loaded.keyspace, s.clock);
        keyspace_drop_expired(s.ks, s.clock);
        assert_true(state_equal(loaded.keyspace, s.ks));
        loaded_release(&loaded);
        scene_end(&s);
    }
}

static void assert_fails(struct scene *s, enum loader_result expected, const char *words)
{
    struct loaded loaded;
    struct text error = {0};
    assert_int_equal(run(s, &loaded, &error), expected);
    if (!strstr(text_terminated(&error), words))
        fail_msg("%s is not in: %s", words, text_terminated(&error));
    assert_null(loaded.keyspace);
    text_release(&error);
}

/* Nothing is wrong with the store. */
static void who_is_overtaken_each_time_is_told_to_try_again(void **state)
{
    static const char *const kinds[] = {"test/chunk-", "test/segment-", "test/run-"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct scene s;
        scene_begin(&s, kinds[i]);
        s.turn.endless = &s.objects;
        assert_fails(&s, LOADER_UNREACHABLE, "test: " OVERTAKEN_AGAIN);
        assert_in_range(s.turn.landed, 2, OVERTAKEN_ATTEMPTS);
        scene_end(&s);
    }
}

static void what_the_head_cannot_be_asked_about_is_not_called_damage(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "test/chunk-");
    s.turn.goes_away = true;
    assert_fails(&s, LOADER_UNREACHABLE, "test/chunk-");
    scene_end(&s);
}

static void a_namespace_that_begins_meanwhile_has_not_lost_its_head(void **state)
{
    struct scene s;
    struct loaded loaded;
    struct text error = {0};
    (void)state;
    scene_begin(&s, NULL);
    take_away(s.plain, "test.json");
    assert_fails(&s, LOADER_CORRUPT, "test.json is missing, though test/");
    s.turn.begun = &s.after;
    if (run(&s, &loaded, &error) != LOADER_OK)
        fail_msg("%s", text_terminated(&error));
    assert_int_equal(error.len, 0);
    assert_int_equal(loaded.head.position, s.after.position);
    assert_true(loaded.etag[0]);
    loaded_release(&loaded);
    scene_end(&s);
}

static void what_the_newest_head_names_and_is_not_there_is_damage(void **state)
{
    struct scene s;
    char key[STORE_KEY_MAX];
    (void)state;
    scene_begin(&s, NULL);
    const char *chunk = s.before.base.chunks[s.before.base.chunk_count / 2].object;
    snprintf(key, sizeof(key), "test/%s", chunk);
    put(s.plain, key, slice_of("flipped"));
    assert_fails(&s, LOADER_CORRUPT, key);
    take_away(s.plain, key);
    assert_fails(&s, LOADER_CORRUPT, key);
    scene_end(&s);
}

/* One that the fold has made superfluous. */
static const char *folded_chunk(const struct scene *s)
{
    const char *chunk = NULL;
    struct head_objects named;
    head_objects_init(&named, &s->after);
    for (size_t i = 0; i < s->before.base.chunk_count && !chunk; i++)
        if (!head_objects_have(&named, s->before.base.chunks[i].object))
            chunk = s->before.base.chunks[i].object;
    head_objects_release(&named);
    assert_non_null(chunk);
    return chunk;
}

/* As folds ask when an object was not there. */
static void only_what_the_head_names_no_more_is_superseded(void **state)
{
    struct scene s;
    struct loader_objects objects;
    struct text body = {0}, error = {0};
    (void)state;
    scene_begin(&s, NULL);
    const char *chunk = folded_chunk(&s);
    loader_objects_init(&objects, s.store, slice_of("test"));
    struct fold_store store = loader_fold_store(&objects);
    assert_false(loader_superseded(&objects));
    assert_true(store.read(store.ctx, chunk, &body, &error));
    assert_false(loader_superseded(&objects));
    land(s.plain, &s.after);
    assert_false(store.read(store.ctx, chunk, &body, &error));
    assert_true(loader_superseded(&objects));
    /* No head at all is no newer head. */
    take_away(s.plain, "test.json");
    assert_false(loader_superseded(&objects));
    take_away_all(s.plain);
    assert_false(loader_superseded(&objects));
    text_release(&body);
    text_release(&error);
    scene_end(&s);
}

/* --- progress --- */

struct watch {
    int64_t now, last;
    unsigned told;
    uint64_t bytes;
};

static int64_t now_of(void *ctx)
{
    struct watch *watch = ctx;
    return watch->now += 1700;
}

static void note(void *ctx, const struct loader_objects *objects)
{
    struct watch *watch = ctx;
    assert_true(watch->now - watch->last >= LOADER_PROGRESS_MS);
    assert_true(watch->now - watch->last < 2 * LOADER_PROGRESS_MS);
    assert_true(objects->bytes_read + objects->bytes_written > watch->bytes);
    watch->bytes = objects->bytes_read + objects->bytes_written;
    watch->last = watch->now;
    watch->told++;
}

static void long_work_tells_how_far_it_is(void **state)
{
    struct scene s;
    struct loader_objects objects;
    struct head_base base;
    struct text error = {0};
    struct watch watch = {.now = NOW, .last = NOW};
    struct fold_options tiny = {.chunk_size = 200, .inline_limit = 100};
    (void)state;
    scene_begin(&s, NULL);
    loader_objects_init(&objects, s.plain, slice_of("test"));
    objects.now_ms = now_of;
    objects.progress = note;
    objects.told = NOW;
    objects.ctx = &watch;
    struct fold_store store = loader_fold_store(&objects);
    assert_true(fold_run(&s.before, s.before.position, &store, &tiny, &base, &error));
    assert_true(watch.told >= 3);
    assert_true(objects.bytes_read > 0 && objects.bytes_written > 0);
    head_base_release(&base);
    scene_end(&s);
}

/* Of a load, whose clock moves 0.4 s each time it is looked at: at each chunk. */
struct load_watch {
    int64_t now, last;
    unsigned told;
    uint64_t keys, all;
};

static int64_t load_now(void *ctx)
{
    struct load_watch *watch = ctx;
    return watch->now += 400;
}

static void note_load(void *ctx, struct slice namespace, uint64_t keys, uint64_t all)
{
    struct load_watch *watch = ctx;
    assert_true(slice_equal(namespace, slice_of("test")));
    assert_in_range(watch->now - watch->last, 1000, 1399);
    assert_true(keys > watch->keys && keys <= all);
    assert_int_equal(all, watch->all);
    watch->keys = keys;
    watch->last = watch->now;
    watch->told++;
}

static void a_long_load_tells_how_many_keys_it_has(void **state)
{
    struct scene s;
    struct loaded loaded;
    struct text error = {0};
    struct load_watch watch = {.now = NOW, .last = NOW + 400};
    (void)state;
    scene_begin(&s, NULL);
    for (size_t i = 0; i < s.before.base.chunk_count; i++)
        watch.all += s.before.base.chunks[i].count;
    struct loader_options options = {.store = s.store,
                                     .namespace = slice_of("test"),
                                     .workers = 2,
                                     .progress = note_load,
                                     .now_ms = load_now,
                                     .ctx = &watch};
    assert_int_equal(loader_run(&options, &loaded, &error), LOADER_OK);
    assert_int_equal(watch.told, s.before.base.chunk_count / 3);
    assert_true(watch.told >= 2);
    loaded_release(&loaded);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_that_a_fold_overtakes_begins_again),
        cmocka_unit_test(who_is_overtaken_each_time_is_told_to_try_again),
        cmocka_unit_test(what_the_head_cannot_be_asked_about_is_not_called_damage),
        cmocka_unit_test(a_namespace_that_begins_meanwhile_has_not_lost_its_head),
        cmocka_unit_test(what_the_newest_head_names_and_is_not_there_is_damage),
        cmocka_unit_test(only_what_the_head_names_no_more_is_superseded),
        cmocka_unit_test(long_work_tells_how_far_it_is),
        cmocka_unit_test(a_long_load_tells_how_many_keys_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
