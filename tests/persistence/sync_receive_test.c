/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sync core makes of heads, and of what they name, when the store goes back or loses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "persistence/sync_core.h"
#include "tests/persistence/sync_core_support.h"

/* --- a store that goes back --- */

static void answer_head(struct sync_core *core, const struct head *head)
{
    struct text body = {0};
    head_encode(head, &body);
    sync_core_answer(core, TODAY, STORE_OK, "f", text_slice(&body), "");
    text_release(&body);
}

/* A core at 10 that has seen a head at 32 with a base at 30, and is to load it. */
static struct sync_core *about_to_reload(void)
{
    struct sync_request wanted;
    struct sync_core *core = make_core(true);
    struct head head;
    folded_head(&head, 10);
    sync_core_adopt(core, &head, "e");
    sync_core_poll(core);
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_GET);
    folded_head(&head, 30);
    commit_one(&head, "other/1");
    commit_one(&head, "other/1");
    answer_head(core, &head);
    head_release(&head);
    assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_RELOAD);
    return core;
}

static void what_is_loaded_continues_what_was_seen(void **state)
{
    static const struct {
        uint64_t base;
        int commits;
        const char *replica; /* of the commits */
        bool may;
    } loads[] = {
        {30, 2, "other/1", true},  /* what was seen */
        {30, 3, "other/1", true},  /* and more */
        {40, 0, "", true},         /* folded since: nothing to compare with */
        {5, 1, "other/1", false},  /* older than what is in memory */
        {10, 0, "", false},        /* just that */
        {20, 4, "other/1", false}, /* newer than that, older than what was seen */
        {30, 1, "other/1", false}, {29, 4, "other/1", false}, /* a base does not go back */
        {30, 2, "third/1", false},                            /* other commits in the same places */
        {30, 3, "third/1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        struct sync_core *core = about_to_reload();
        struct sync_request wanted;
        struct head head;
        folded_head(&head, loads[i].base);
        for (int j = 0; j < loads[i].commits; j++)
            commit_one(&head, loads[i].replica);
        uint64_t position = head.position;
        if (sync_core_may_reload(core, &head) != loads[i].may)
            fail_msg("load %zu", i);
        if (loads[i].may) {
            sync_core_reload(core, &head, "g");
            assert_int_equal(sync_core_position(core), position);
        } else {
            head_release(&head);
            assert_int_equal(sync_core_next(core, TODAY, &wanted), SYNC_STUCK);
            assert_int_equal(sync_core_position(core), 10);
            assert_non_null(strstr(sync_core_error(core), "does not continue"));
        }
        sync_core_destroy(core);
    }
}

/* --- objects that are not there, or not whole --- */

#define SEGMENT(digit) "segment-00000000-0000-7000-8000-00000000000" digit ".json"

static void commit_in_segment(struct head *head, const char *name, struct text *ret_body)
{
    struct commit commit = {.position = head->position + 1, .time = 5, .first = 6, .count = 1};
    snprintf(commit.replica, sizeof(commit.replica), "other/1");
    snprintf(commit.segment, sizeof(commit.segment), "%s", name);
    segment_begin(ret_body, slice_of(NAME));
    segment_open(ret_body, &commit);
    text_append_slice(ret_body, slice_of("[\n{\"op\":\"NamespaceClear\"}\n]"));
    segment_close(ret_body);
    segment_end(ret_body);
    commit.bytes = ret_body->len;
    sha256_digest_hex(text_slice(ret_body), commit.sha256);
    commit_seal_segment(&commit);
    head_append(head, &commit);
}

/* A core at 10 that looks at a head with two segments behind that. */
struct fetch {
    struct sync_core *core;
    struct head head;
    struct text first, second;
    int64_t now;
};

static void expect_get(struct fetch *f, const char *key)
{
    struct sync_request wanted;
    assert_int_equal(sync_core_next(f->core, f->now, &wanted), SYNC_GET);
    assert_string_equal(wanted.key, key);
}

static void give(struct fetch *f, enum store_result result, const struct text *body)
{
    sync_core_answer(f->core, f->now, result, "f", body ? text_slice(body) : (struct slice){0},
                     result == STORE_OK ? "" : "what the store says");
}

static void give_head(struct fetch *f, const struct head *head)
{
    struct text body = {0};
    expect_get(f, NAME ".json");
    head_encode(head, &body);
    give(f, STORE_OK, &body);
    text_release(&body);
}

static void fetch_begin(struct fetch *f)
{
    struct head known;
    *f = (struct fetch){.core = make_core(true), .now = TODAY};
    folded_head(&known, 10);
    sync_core_adopt(f->core, &known, "e");
    folded_head(&f->head, 10);
    commit_in_segment(&f->head, SEGMENT("1"), &f->first);
    commit_in_segment(&f->head, SEGMENT("2"), &f->second);
    sync_core_poll(f->core);
    give_head(f, &f->head);
}

static void fetch_end(struct fetch *f)
{
    sync_core_destroy(f->core);
    head_release(&f->head);
    text_release(&f->first);
    text_release(&f->second);
}

static void nobody_misses_what_a_fold_made_superfluous(void **state)
{
    struct fetch f;
    struct head folded;
    struct sync_request wanted;
    (void)state;
    fetch_begin(&f);
    expect_get(&f, NAME "/" SEGMENT("1"));
    give(&f, STORE_OK, &f.first);
    expect_get(&f, NAME "/" SEGMENT("2"));
    give(&f, STORE_NOT_FOUND, NULL);
    assert_int_equal(sync_core_result(f.core), STORE_OK);
    folded_head(&folded, 40);
    give_head(&f, &folded);
    assert_int_equal(sync_core_next(f.core, f.now, &wanted), SYNC_RELOAD);
    assert_true(sync_core_may_reload(f.core, &folded));
    sync_core_reload(f.core, &folded, "g");
    assert_int_equal(sync_core_failures(f.core), 0);
    assert_null(sync_core_take_arrival(f.core)); /* not a part of it */
    fetch_end(&f);
}

/* One more look at the head, and at what it names; how long it waits afterwards. */
static int64_t fetch_in_vain(struct fetch *f, enum store_result result, const struct text *body)
{
    struct sync_request wanted;
    uint64_t failures = sync_core_failures(f->core);
    give_head(f, &f->head);
    expect_get(f, NAME "/" SEGMENT("1"));
    give(f, STORE_OK, &f->first);
    /* Nothing is well again because a part of it is there. */
    assert_int_equal(sync_core_result(f->core), failures ? result : STORE_OK);
    expect_get(f, NAME "/" SEGMENT("2"));
    give(f, result == STORE_NOT_FOUND ? result : STORE_OK, body);
    assert_int_equal(sync_core_result(f->core), result);
    assert_int_equal(sync_core_failures(f->core), failures + 1);
    assert_non_null(
        strstr(sync_core_error(f->core), NAME "/" SEGMENT("2") ", which " NAME ".json"));
    assert_int_equal(sync_core_next(f->core, f->now, &wanted), SYNC_SLEEP);
    int64_t pause = wanted.until - f->now;
    f->now = wanted.until;
    return pause;
}

static void what_the_newest_head_names_and_is_not_there_is_damage(void **state)
{
    struct text flipped = {0};
    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct fetch f;
        enum store_result result = damaged ? STORE_INVALID : STORE_NOT_FOUND;
        fetch_begin(&f);
        text_clear(&flipped);
        text_append_slice(&flipped, text_slice(&f.second));
        flipped.data[flipped.len / 2] ^= 1;
        expect_get(&f, NAME "/" SEGMENT("1"));
        give(&f, STORE_OK, &f.first);
        expect_get(&f, NAME "/" SEGMENT("2"));
        give(&f, damaged ? STORE_OK : STORE_NOT_FOUND, damaged ? &flipped : NULL);
        assert_int_equal(sync_core_failures(f.core), 0); /* the head is read first */
        int64_t pause = fetch_in_vain(&f, result, damaged ? &flipped : NULL);
        assert_true(fetch_in_vain(&f, result, damaged ? &flipped : NULL) > pause);
        assert_int_equal(sync_core_position(f.core), 10);
        assert_null(sync_core_take_arrival(f.core));
        /* Somebody has put it back. */
        give_head(&f, &f.head);
        give(&f, STORE_OK, &f.first);
        give(&f, STORE_OK, &f.second);
        assert_int_equal(sync_core_result(f.core), STORE_OK);
        assert_int_equal(sync_core_position(f.core), 12);
        for (uint64_t position = 11; position <= 12; position++) {
            struct sync_arrival *arrival = sync_core_take_arrival(f.core);
            assert_int_equal(arrival->position, position);
            sync_arrival_destroy(arrival);
        }
        fetch_end(&f);
    }
    text_release(&flipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_loaded_continues_what_was_seen),
        cmocka_unit_test(nobody_misses_what_a_fold_made_superfluous),
        cmocka_unit_test(what_the_newest_head_names_and_is_not_there_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
