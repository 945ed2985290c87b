/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tail as long as a base of some gigabytes lets it grow, half of it in a run, of many replicas:
 * whoever looks each object up among all commits does not come to the end of it.
 */
#include "persistence/run.h"
#include "persistence/verify.h"
#include "tests/persistence/codec_support.h"
#include "tests/persistence/store_support.h"

#define NOW  1795212345678
#define NAME "git"

enum { COMMITS = 90000, REPLICAS = 1000, LOST = COMMITS - 7 };

static void make_run(struct head *head, struct objects *objects)
{
    struct fold_store store = objects_run_store(objects);
    struct head_run run;
    struct text error = {0};
    assert_true(run_make(head, 1000, &store, &run, &error));
    assert_true(head_place_run(head, &run));
}

static void make_commits(struct head *head, struct objects *objects)
{
    struct op op = {.kind = OP_INT_ADD, .key = slice_of("n"), .time = NOW, .int_add = {.delta = 1}};
    struct text pending = {0};
    char replica[COMMIT_REPLICA_SIZE];
    op_binary_encode(&pending, &op);
    for (unsigned i = 1; i <= COMMITS; i++) {
        snprintf(replica, sizeof(replica), "r%u/1", i % REPLICAS);
        head_commit(head, objects, replica, NOW, text_slice(&pending), true);
        if (i == COMMITS / 2)
            make_run(head, objects);
    }
    text_release(&pending);
}

static int compare_names(const void *a, const void *b)
{
    const struct object *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* In their order, since a store in memory makes room for each among the others. */
static void put_all(struct store *store, const struct head *head, struct objects *objects)
{
    struct text body = {0};
    char key[STORE_KEY_MAX];
    qsort(objects->list, objects->count, sizeof(*objects->list), compare_names);
    for (size_t i = 0; i < objects->count; i++) {
        snprintf(key, sizeof(key), NAME "/%s", objects->list[i].name);
        put(store, key, text_slice(&objects->list[i].body));
    }
    head_encode(head, &body);
    put(store, NAME ".json", text_slice(&body));
    text_release(&body);
}

static void check(struct store *store, struct verify_report *report)
{
    struct verify_options options = {.store = store};
    verify_namespace(&options, slice_of(NAME), report);
    assert_int_equal(report->commits, COMMITS);
    assert_int_equal(report->orphans, 0);
}

static void a_long_tail_is_checked_to_its_last_commit(void **state)
{
    (void)state;
    struct store *store;
    struct objects objects = {0};
    struct head head;
    struct verify_report report;
    struct text error = {0};
    char key[STORE_KEY_MAX], wanted[STORE_KEY_MAX];
    assert_int_equal(store_open("memory", &store, &error), STORE_OK);
    head_init(&head, slice_of(NAME));
    make_commits(&head, &objects);
    put_all(store, &head, &objects);
    check(store, &report);
    assert_int_equal(report.verdict, VERIFY_SOUND);
    assert_int_equal(report.segments, COMMITS);
    assert_int_equal(report.ops, COMMITS);
    assert_int_equal(report.keys, 1);
    verify_report_release(&report);

    const char *lost = head.tail[LOST - 1 - COMMITS / 2].segment;
    snprintf(key, sizeof(key), NAME "/%s", lost);
    take_away(store, key);
    check(store, &report);
    assert_int_equal(report.faults, 1);
    assert_int_equal(report.segments, COMMITS - 1);
    snprintf(wanted, sizeof(wanted), NAME "/%.60s, position %d: is missing\n", lost, LOST);
    assert_string_equal(text_terminated(&report.lines), wanted);
    verify_report_release(&report);
    head_release(&head);
    objects_release(&objects);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_tail_is_checked_to_its_last_commit),
    };
    return cmocka_run_group_tests_name("verify_long_tail", tests, NULL, NULL);
}
