/* SPDX-License-Identifier: BSD-3-Clause */
/* When processors are scarce, and how long work that can wait does wait for them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "persistence/processor_use.h"

#define SECOND 1000000

static void three_quarters_of_all_are_much(void **state)
{
    (void)state;
    assert_true(processor_use_is_much(SECOND / 4 * 3, SECOND, 1));
    assert_false(processor_use_is_much(SECOND / 4 * 3 - 1000, SECOND, 1));
    assert_false(processor_use_is_much(SECOND, SECOND, 2));
    assert_true(processor_use_is_much(SECOND / 2 * 3, SECOND, 2));
    assert_false(processor_use_is_much(4 * SECOND, SECOND, 64));
}

/* What was used before the last look tells nothing of the time since. */
static void only_the_time_since_the_last_look_counts(void **state)
{
    struct processor_use use = {0};
    (void)state;
    assert_false(processor_use_scarce(&use));
    use.used_us -= 1000000LL * SECOND; /* as if very much had been used since */
    use.at_us -= SECOND;
    assert_true(processor_use_scarce(&use));
    assert_true(processor_use_scarce(&use)); /* too soon to tell otherwise */
    use.at_us -= 1000000LL * SECOND;         /* as if it had rested for long */
    assert_false(processor_use_scarce(&use));
}

static void work_waits_while_they_are_scarce_and_not_for_ever(void **state)
{
    int64_t since = 0, began = 5000;
    (void)state;
    assert_false(processor_use_puts_off(false, began, &since));
    assert_true(processor_use_puts_off(true, began, &since));
    assert_true(processor_use_puts_off(true, began + PROCESSOR_USE_PATIENCE_MS - 1, &since));
    assert_false(processor_use_puts_off(true, began + PROCESSOR_USE_PATIENCE_MS, &since));
    began *= 10; /* the next piece of work waits as long again */
    assert_true(processor_use_puts_off(true, began, &since));
    assert_false(processor_use_puts_off(false, began + 1, &since));
    assert_true(processor_use_puts_off(true, began + PROCESSOR_USE_PATIENCE_MS, &since));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_quarters_of_all_are_much),
        cmocka_unit_test(only_the_time_since_the_last_look_counts),
        cmocka_unit_test(work_waits_while_they_are_scarce_and_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
