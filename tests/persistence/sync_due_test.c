/* SPDX-License-Identifier: BSD-3-Clause */
/* When a tail is folded, and up to where. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ops/mem.h"
#include "persistence/sync_core-internal.h"
#include "tests/persistence/sync_core_support.h"

#define MIB  (UINT64_C(1) << 20)
#define BASE 10 /* its position */

static struct sync_core *core_with(struct head *head, size_t tail_keep)
{
    struct sync_settings settings = {.inline_limit = 30000,
                                     .tail_max = 20,
                                     .replica = "me",
                                     .incarnation = "me/9",
                                     .tail_keep = tail_keep,
                                     .make_uuid = count_uuid};
    struct sync_core *core = sync_core_create(slice_of(NAME), &settings);
    sync_core_adopt(core, head, "e");
    return core;
}

/* So many commits, whose ops are in segments of so many bytes each; 0: inside. */
static void add_commits(struct head *head, size_t count, uint64_t bytes)
{
    for (; count > 0; count--) {
        commit_one(head, "other/1");
        struct commit *last = &head->tail[head->tail_count - 1];
        last->bytes = bytes;
        if (bytes)
            snprintf(last->segment, sizeof(last->segment), "segment-x.json");
    }
}

static uint64_t fold_position(size_t tail_keep, size_t count, uint64_t bytes)
{
    struct head head;
    folded_head(&head, BASE);
    add_commits(&head, count, bytes);
    struct sync_core *core = core_with(&head, tail_keep);
    uint64_t position = sync_core_fold_position(core);
    sync_core_destroy(core);
    return position;
}

static void a_fold_leaves_the_newest_commits(void **state)
{
    (void)state;
    assert_int_equal(fold_position(0, 30, 0), BASE + 30);
    assert_int_equal(fold_position(20, 30, 0), BASE + 10);
    assert_int_equal(fold_position(64, 30, 0), BASE);
}

static void a_fold_leaves_few_large_commits(void **state)
{
    (void)state;
    assert_int_equal(fold_position(64, 30, MIB), BASE + 26);
    assert_int_equal(fold_position(2, 30, MIB), BASE + 28);
    assert_int_equal(fold_position(64, 3, MIB), BASE);
    assert_in_range(fold_position(64, 30, 2000), BASE + 30 - 26250 / 2000, BASE + 25);
}

static struct head_run run_of(uint64_t from, uint64_t position, uint64_t bytes)
{
    return (struct head_run){.from = from, .position = position, .bytes = bytes};
}

static uint64_t fold_position_with_runs(uint64_t bytes)
{
    struct head head;
    folded_head(&head, BASE);
    add_commits(&head, 30, 0);
    head.runs = mem_alloc(2 * sizeof(*head.runs));
    head.runs[0] = run_of(BASE, BASE + 15, bytes);
    head.runs[1] = run_of(BASE + 15, BASE + 25, bytes);
    head.run_count = 2;
    head_drop_tail(&head, BASE + 25);
    struct sync_core *core = core_with(&head, 8);
    uint64_t position = sync_core_fold_position(core);
    sync_core_destroy(core);
    return position;
}

static void a_run_stays_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(fold_position_with_runs(100), BASE + 15);
    assert_int_equal(fold_position_with_runs(MIB), BASE + 25);
}

static bool overdue(size_t tail_keep, size_t count, uint64_t bytes)
{
    struct head head;
    folded_head(&head, BASE);
    add_commits(&head, count, bytes);
    struct sync_core *core = core_with(&head, tail_keep);
    bool is = sync_core_fold_overdue(core);
    sync_core_destroy(core);
    return is;
}

/* What stays in the tail anyway is not late. */
static void only_what_can_be_folded_is_overdue(void **state)
{
    (void)state;
    assert_true(overdue(0, 4, 40 * MIB));
    assert_false(overdue(64, 4, 40 * MIB));
    assert_false(overdue(64, 7, 40 * MIB));
    assert_true(overdue(64, 8, 40 * MIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fold_leaves_the_newest_commits),
        cmocka_unit_test(a_fold_leaves_few_large_commits),
        cmocka_unit_test(a_run_stays_whole_or_not_at_all),
        cmocka_unit_test(only_what_can_be_folded_is_overdue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
