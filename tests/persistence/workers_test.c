/* SPDX-License-Identifier: BSD-3-Clause */
/* What workers promise to those who give them something to do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/workers.h"

#define JOBS 100

struct record {
    atomic_int count;
    int order[JOBS];
    atomic_int nice;
};

struct job {
    struct record *record;
    int number;
};

static void note(void *ctx, struct store *store)
{
    struct job *job = ctx;
    assert_null(store);
    if (job->number == 0)
        usleep(20000); /* so that others wait */
    job->record->order[atomic_fetch_add(&job->record->count, 1)] = job->number;
    job->record->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void run_jobs(int threads, int nice, struct record *record)
{
    struct job jobs[JOBS];
    *record = (struct record){0};
    struct workers *workers = workers_create(threads, nice, NULL);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){record, i};
        workers_submit(workers, note, &jobs[i]);
    }
    workers_destroy(workers);
    assert_int_equal(record->count, JOBS);
}

static void one_does_all_in_their_order_before_it_goes(void **state)
{
    struct record record;
    (void)state;
    run_jobs(1, 0, &record);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(record.order[i], i);
}

static void several_do_each_once(void **state)
{
    struct record record;
    bool seen[JOBS] = {false};
    (void)state;
    run_jobs(4, 0, &record);
    for (int i = 0; i < JOBS; i++) {
        assert_false(seen[record.order[i]]);
        seen[record.order[i]] = true;
    }
}

static void they_yield_as_they_are_told(void **state)
{
    struct record record;
    int mine = getpriority(PRIO_PROCESS, 0);
    (void)state;
    if (mine < 5) {
        run_jobs(1, 5, &record);
        assert_int_equal(record.nice, 5);
    }
    run_jobs(2, 19, &record);
    assert_int_equal(record.nice, 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_does_all_in_their_order_before_it_goes),
        cmocka_unit_test(several_do_each_once),
        cmocka_unit_test(they_yield_as_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
