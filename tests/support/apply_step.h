/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small steps on the key "k" of one keyspace, for the tests of apply. Every op is also applied with
 * an inverse and undone first, so that each step is a test of its inverse too.
 */
#ifndef CAIRN_TESTS_APPLY_STEP_H
#define CAIRN_TESTS_APPLY_STEP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ops/apply.h"

/* Fields that a step does not name are zero, and are meant to be. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define NOW 1000000

extern struct keyspace *step_keyspace;
extern char step_text[128]; /* of the last FloatAdd, FloatMapAdd */

int step_set_up(void **state);
int step_tear_down(void **state);

/* Applies `op`; destroys a KeyPut's value that was refused. */
struct outcome step_run(struct op op);
void step_expect(struct outcome out, enum outcome_status status, int64_t number, int line);
/* The value of "k" as text: `abc`, `[a b]`, `{a b}`, `{f=v g=w}` (sorted), or `-`. */
const char *step_dump(void);
/* Of "k"; -1 when it is absent. */
int64_t step_deadline(void);
/* KeyExpireAt: its number, or the status negated. */
int64_t step_expire_at(int64_t at, enum op_condition condition);

#define S(text) slice_make("" text, sizeof(text) - 1)
#define LIST(...)                                                                                  \
    {                                                                                              \
        (struct slice[]){__VA_ARGS__},                                                             \
            sizeof((struct slice[]){__VA_ARGS__}) / sizeof(struct slice)                           \
    }
#define RUN(KIND, member, ...)                                                                     \
    step_run((struct op){.kind = OP_##KIND, .key = S("k"), .time = NOW, .member = {__VA_ARGS__}})
#define RUN_PLAIN(KIND) step_run((struct op){.kind = OP_##KIND, .key = S("k"), .time = NOW})
#define SET(text)       RUN(SCALAR_SET, scalar_set, .value = S(text))
#define PUSH(...)       RUN(LIST_APPEND, list_append, .items = LIST(__VA_ARGS__))
#define ADD(...)        RUN(SET_ADD, set_add, .members = LIST(__VA_ARGS__))
#define HSET(...)       RUN(MAP_SET, map_set, .pairs = LIST(__VA_ARGS__))

#define HOLDS(text)          assert_string_equal(step_dump(), text)
#define OK(run, number)      step_expect(run, OUTCOME_OK, number, __LINE__)
#define REFUSED(run, STATUS) step_expect(run, OUTCOME_##STATUS, 0, __LINE__)
#define UNCHANGED(run, number)                                                                     \
    do {                                                                                           \
        struct outcome unchanged_ = run;                                                           \
        step_expect(unchanged_, OUTCOME_OK, number, __LINE__);                                     \
        assert_false(unchanged_.changed);                                                          \
    } while (0)

#endif
