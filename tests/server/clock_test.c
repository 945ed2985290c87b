/* SPDX-License-Identifier: BSD-3-Clause */
/* The clock that all ops carry, by readings of a test's making and by those of the machine. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/clock.h"
#include "tests/support/random.h"

#define SECOND ((int64_t)1000000)
#define HOUR   (3600 * SECOND)
#define BEGIN  (500000 * HOUR) /* of the wall clock */
#define BOOTED (7 * HOUR)      /* the monotonic clock then */

/* The time `passed` after the beginning, with the wall clock `off`. */
static int64_t at(struct clock_state *clock, int64_t passed, int64_t off)
{
    return clock_step(clock, BEGIN + passed + off, BOOTED + passed) - BEGIN;
}

static void it_is_the_wall_clock(void **state)
{
    (void)state;
    struct clock_state clock = {0};
    struct random random = random_init();
    int64_t passed = 0, off = 0;
    for (int i = 0; i < 100000; i++) {
        passed += (int64_t)(random_next(&random) % 1000);
        if (random_next(&random) % 100 == 0)
            off += (int64_t)(random_next(&random) % (uint64_t)HOUR); /* set forward */
        assert_int_equal(at(&clock, passed, off), passed + off);
    }
}

static void set_back_it_goes_on_at_half_speed_until_the_wall_clock_has_caught_up(void **state)
{
    (void)state;
    struct clock_state clock = {0};
    at(&clock, 0, 0);
    for (int64_t passed = SECOND; passed < 2 * HOUR; passed += 7 * SECOND)
        assert_int_equal(at(&clock, passed, -HOUR), passed / 2);
    for (int64_t passed = 2 * HOUR; passed < 5 * HOUR; passed += 7 * SECOND)
        assert_int_equal(at(&clock, passed, -HOUR), passed - HOUR);
    /* And once more, further. */
    assert_int_equal(at(&clock, 5 * HOUR, -HOUR), 4 * HOUR);
    assert_int_equal(at(&clock, 6 * HOUR, -1000 * HOUR), 4 * HOUR + HOUR / 2);
    assert_int_equal(at(&clock, 7 * HOUR, -2000 * HOUR), 5 * HOUR);
    assert_int_equal(at(&clock, 8 * HOUR, 0), 8 * HOUR);
}

/* A thread that comes late with its readings gets no earlier time than others have. */
static void a_late_reading_is_not_behind(void **state)
{
    (void)state;
    struct clock_state clock = {0};
    int64_t latest = at(&clock, 10 * SECOND, 0);
    assert_true(at(&clock, 9 * SECOND, 0) == latest);
    latest = at(&clock, 20 * SECOND, -HOUR);
    assert_int_equal(latest, 15 * SECOND);
    assert_true(at(&clock, 19 * SECOND, -HOUR) == latest);
    assert_true(at(&clock, 22 * SECOND, -HOUR) == 16 * SECOND);
}

static void it_never_goes_back_nor_stands_still(void **state)
{
    (void)state;
    struct clock_state clock = {0};
    struct random random = random_init();
    int64_t passed = 0, off = 0, last = at(&clock, 0, 0);
    for (int i = 0; i < 100000; i++) {
        int64_t step = 2 + (int64_t)(random_next(&random) % (uint64_t)SECOND);
        if (random_next(&random) % 1000 == 0)
            off = (int64_t)(random_next(&random) % (uint64_t)HOUR) - HOUR / 2;
        passed += step;
        int64_t now = at(&clock, passed, off);
        assert_true(now >= last + (step - 1) / 2 && now >= passed + off);
        last = now;
    }
}

static void *read_clock(void *arg)
{
    int64_t last = 0;
    for (int i = 0; i < 200000; i++) {
        int64_t now = clock_ms();
        if (now < last)
            *(int *)arg = 1;
        last = now;
    }
    return NULL;
}

static void no_thread_sees_it_go_back(void **state)
{
    (void)state;
    pthread_t threads[4];
    int went_back[4] = {0};
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, read_clock, &went_back[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(went_back[i], 0);
    }
    assert_true(llabs(clock_wall_us() / 1000 - clock_ms()) < 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_wall_clock),
        cmocka_unit_test(set_back_it_goes_on_at_half_speed_until_the_wall_clock_has_caught_up),
        cmocka_unit_test(a_late_reading_is_not_behind),
        cmocka_unit_test(it_never_goes_back_nor_stands_still),
        cmocka_unit_test(no_thread_sees_it_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
