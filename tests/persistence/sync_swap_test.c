/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sync core makes of swaps that do not land, and of those that land late. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "persistence/sync_core.h"
#include "tests/persistence/sync_core_support.h"

/* --- a store that is read, and takes no new head --- */

/* A core with a commit to send, and the head that the store keeps. */
struct refusal {
    struct sync_core *core;
    struct head head;
    int64_t now;
};

static void refusal_begin(struct refusal *r, bool shared)
{
    struct head known;
    *r = (struct refusal){.core = make_core(shared), .now = TODAY};
    folded_head(&r->head, 10);
    folded_head(&known, 10);
    sync_core_adopt(r->core, &known, "e");
    sync_core_push(r->core, one_op("me/9", 1));
}

static void refusal_end(struct refusal *r)
{
    sync_core_destroy(r->core);
    head_release(&r->head);
}

/* What it wants when it has slept. */
static enum sync_want awake(struct refusal *r, struct sync_request *ret_wanted)
{
    enum sync_want want = sync_core_next(r->core, r->now, ret_wanted);
    if (want == SYNC_SLEEP) {
        r->now = ret_wanted->until;
        want = sync_core_next(r->core, r->now, ret_wanted);
    }
    return want;
}

static void give_the_same_head(struct refusal *r)
{
    struct text body = {0};
    head_encode(&r->head, &body);
    sync_core_answer(r->core, r->now, STORE_OK, "e", text_slice(&body), "");
    text_release(&body);
}

/* One swap that is answered so, and the head that is read for it. */
static void swap_in_vain(struct refusal *r, enum store_result result)
{
    struct sync_request wanted;
    assert_int_equal(awake(r, &wanted), SYNC_PUT);
    assert_string_equal(wanted.etag, "e");
    sync_core_answer(r->core, r->now, result, "", (struct slice){0}, "what the store says");
    assert_int_equal(awake(r, &wanted), SYNC_GET);
    give_the_same_head(r);
}

static void a_store_that_takes_no_swap_is_told_until_it_takes_one(void **state)
{
    static const struct {
        enum store_result result;
        const char *sentence;
    } answers[] = {
        {STORE_UNKNOWN, "what the store says"},
        {STORE_PRECONDITION, "the store takes no new head, though the old one is what it was"},
    };
    struct sync_request wanted;
    (void)state;
    for (int i = 0; i < 4; i++) {
        enum store_result result = answers[i / 2].result;
        struct refusal r;
        refusal_begin(&r, i % 2);
        for (int j = 0; j < 3; j++) /* that happens */
            swap_in_vain(&r, result);
        assert_int_equal(sync_core_result(r.core), STORE_OK);
        assert_int_equal(sync_core_failures(r.core), 0);
        for (uint64_t j = 1; j < 5; j++) {
            swap_in_vain(&r, result);
            assert_int_equal(sync_core_result(r.core), result);
            assert_string_equal(sync_core_error(r.core), answers[i / 2].sentence);
            assert_int_equal(sync_core_failures(r.core), j);
            assert_int_equal(sync_core_next(r.core, r.now, &wanted), SYNC_SLEEP);
        }
        assert_int_equal(awake(&r, &wanted), SYNC_PUT);
        sync_core_answer(r.core, r.now, STORE_OK, "f", (struct slice){0}, "");
        assert_int_equal(sync_core_result(r.core), STORE_OK);
        assert_int_equal(sync_core_position(r.core), 11);
        refusal_end(&r);
    }
}

static void a_swap_that_lands_late_ends_what_was_told(void **state)
{
    struct sync_request wanted;
    struct head landed;
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct refusal r;
        refusal_begin(&r, shared);
        for (int i = 0; i < 4; i++)
            swap_in_vain(&r, STORE_UNKNOWN);
        assert_int_equal(sync_core_result(r.core), STORE_UNKNOWN);
        awake(&r, &wanted);
        take_candidate(r.core, r.now, &landed);
        sync_core_answer(r.core, r.now, STORE_UNKNOWN, "", (struct slice){0}, "lost");
        assert_int_equal(awake(&r, &wanted), SYNC_GET);
        answer_with(r.core, &landed, "f");
        assert_int_equal(sync_core_result(r.core), STORE_OK);
        assert_int_equal(sync_core_next(r.core, r.now, &wanted), SYNC_REST);
        refusal_end(&r);
    }
}

/* That the head can be read, or a segment uploaded, says nothing of swaps. */
static void a_look_does_not_end_what_is_told_of_swaps(void **state)
{
    struct sync_request wanted;
    struct refusal r;
    (void)state;
    refusal_begin(&r, true);
    for (int i = 0; i < 4; i++)
        swap_in_vain(&r, STORE_UNKNOWN);
    sync_core_poll(r.core);
    assert_int_equal(awake(&r, &wanted), SYNC_GET);
    sync_core_answer(r.core, r.now, STORE_NOT_MODIFIED, "", (struct slice){0}, "");
    assert_int_equal(sync_core_result(r.core), STORE_UNKNOWN);
    swap_in_vain(&r, STORE_UNKNOWN);
    assert_int_equal(sync_core_failures(r.core), 2);
    refusal_end(&r);
}

/* Others commit. What it reads then. */
static void give_a_moved_head(struct refusal *r)
{
    struct text body = {0};
    char etag[24];
    commit_one(&r->head, "other/1");
    snprintf(etag, sizeof(etag), "moved-%d", (int)r->head.position);
    head_encode(&r->head, &body);
    sync_core_answer(r->core, r->now, STORE_OK, etag, text_slice(&body), "");
    text_release(&body);
}

/* One swap that is answered so, while others commit. */
static void swap_overtaken(struct refusal *r, enum store_result result)
{
    struct sync_request wanted;
    assert_int_equal(awake(r, &wanted), SYNC_PUT);
    sync_core_answer(r->core, r->now, result, "", (struct slice){0}, "what the store says");
    assert_int_equal(awake(r, &wanted), SYNC_GET);
    give_a_moved_head(r);
}

/* Who loses to others, however often, is refused by nobody; some stores call that a conflict. */
static void races_lost_to_others_are_no_failure(void **state)
{
    struct refusal r;
    (void)state;
    refusal_begin(&r, true);
    for (int i = 0; i < 40; i++)
        swap_overtaken(&r, i % 8 ? STORE_UNKNOWN : STORE_PRECONDITION);
    for (int i = 0; i < 40; i++)
        swap_overtaken(&r, STORE_PRECONDITION);
    assert_int_equal(sync_core_result(r.core), STORE_OK);
    assert_int_equal(sync_core_failures(r.core), 0);
    assert_int_equal(sync_core_losses(r.core), 80);
    refusal_end(&r);
}

static void who_alone_gets_nothing_through_tells_so_until_something_does(void **state)
{
    struct sync_request wanted;
    struct refusal r;
    (void)state;
    refusal_begin(&r, true);
    for (int i = 0; i < 20; i++)
        swap_overtaken(&r, STORE_UNKNOWN);
    assert_int_equal(sync_core_result(r.core), STORE_UNKNOWN);
    assert_string_equal(sync_core_error(r.core), "what the store says");
    assert_true(sync_core_failures(r.core) > 0);
    sync_core_poll(r.core);
    assert_int_equal(awake(&r, &wanted), SYNC_GET);
    give_a_moved_head(&r); /* that others get through does not end it */
    assert_int_equal(sync_core_result(r.core), STORE_UNKNOWN);
    assert_int_equal(awake(&r, &wanted), SYNC_PUT);
    sync_core_answer(r.core, r.now, STORE_OK, "f", (struct slice){0}, "");
    assert_int_equal(sync_core_result(r.core), STORE_OK);
    refusal_end(&r);
}

/* After a fold of others has passed us, the state is loaded that has our swap, or has it not. */
static void a_load_anew_tells_of_the_swap_like_a_look(void **state)
{
    struct sync_request wanted;
    (void)state;
    for (int landed = 0; landed < 2; landed++) {
        struct refusal r;
        struct head folded;
        refusal_begin(&r, true);
        for (int i = 0; i < 20; i++)
            swap_overtaken(&r, STORE_UNKNOWN);
        assert_int_equal(awake(&r, &wanted), SYNC_PUT);
        sync_core_answer(r.core, r.now, STORE_UNKNOWN, "", (struct slice){0}, "lost");
        assert_int_equal(awake(&r, &wanted), SYNC_GET);
        folded_head(&folded, 100);
        head_set_replica(&folded, slice_of("me/9"), landed ? 1 : 0);
        struct text body = {0};
        head_encode(&folded, &body);
        sync_core_answer(r.core, r.now, STORE_OK, "g", text_slice(&body), "");
        text_release(&body);
        assert_int_equal(awake(&r, &wanted), SYNC_RELOAD);
        assert_true(sync_core_may_reload(r.core, &folded));
        sync_core_reload(r.core, &folded, "g");
        assert_int_equal(sync_core_result(r.core), landed ? STORE_OK : STORE_UNKNOWN);
        refusal_end(&r);
    }
}

/* --- a commit of an earlier life of this server that lands after its new start --- */

static void commit_ops_of(struct head *head, const char *replica, uint64_t first, uint64_t count)
{
    static const char op[] = "{\"op\":\"IntAdd\",\"key\":\"k\",\"delta\":1}";
    struct text ops = {0};
    struct commit commit = {
        .position = head->position + 1, .time = 5, .first = first, .count = count};
    snprintf(commit.replica, sizeof(commit.replica), "%s", replica);
    for (uint64_t i = 0; i < count; i++)
        text_append_format(&ops, "%s\n%s", i ? "," : "[", op);
    text_append_string(&ops, "\n]");
    commit_seal_inline(&commit, text_slice(&ops));
    head_append(head, &commit);
    text_release(&ops);
}

/*
 * A core that serves alone, with ops 6 and 7 of me/8 from the journal, and one of its own. What it
 * wants when its commit has found those ops of `replica` before it.
 */
static enum sync_want after_a_late_commit(const char *replica, uint64_t first, uint64_t count,
                                          struct refusal *ret_refusal)
{
    struct refusal *r = ret_refusal;
    struct sync_request wanted;
    struct head known, late;
    *r = (struct refusal){.core = make_core(false), .now = TODAY};
    folded_head(&known, 10);
    folded_head(&late, 10);
    sync_core_adopt(r->core, &known, "e");
    sync_core_push(r->core, one_op("me/8", 6));
    sync_core_push(r->core, one_op("me/8", 7));
    sync_core_push(r->core, one_op("me/9", 1));
    assert_int_equal(awake(r, &wanted), SYNC_PUT);
    sync_core_answer(r->core, r->now, STORE_PRECONDITION, "", (struct slice){0}, "no");
    assert_int_equal(awake(r, &wanted), SYNC_GET);
    commit_ops_of(&late, replica, first, count);
    answer_with(r->core, &late, "f");
    return awake(r, &wanted);
}

static void a_late_commit_whose_ops_are_not_in_memory_wants_a_new_start(void **state)
{
    static const struct {
        const char *replica;
        uint64_t first, count;
        bool in_memory;
    } commits[] = {
        {"me/8", 6, 1, true},
        {"me/8", 6, 2, true},
        {"me/8", 6, 3, false},
        {"me/7", 1, 1, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(commits) / sizeof(commits[0]); i++) {
        struct refusal r;
        enum sync_want want =
            after_a_late_commit(commits[i].replica, commits[i].first, commits[i].count, &r);
        if (want != (commits[i].in_memory ? SYNC_PUT : SYNC_STUCK))
            fail_msg("commit %zu: %s", i, sync_core_error(r.core));
        assert_int_equal(sync_core_position(r.core), commits[i].in_memory ? 11 : 10);
        if (!commits[i].in_memory)
            assert_non_null(strstr(sync_core_error(r.core), "start it again"));
        refusal_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_takes_no_swap_is_told_until_it_takes_one),
        cmocka_unit_test(a_swap_that_lands_late_ends_what_was_told),
        cmocka_unit_test(a_look_does_not_end_what_is_told_of_swaps),
        cmocka_unit_test(races_lost_to_others_are_no_failure),
        cmocka_unit_test(who_alone_gets_nothing_through_tells_so_until_something_does),
        cmocka_unit_test(a_load_anew_tells_of_the_swap_like_a_look),
        cmocka_unit_test(a_late_commit_whose_ops_are_not_in_memory_wants_a_new_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
