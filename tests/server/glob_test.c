/* SPDX-License-Identifier: BSD-3-Clause */
/* Patterns against texts by table, and against a matcher that tries everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/glob.h"
#include "tests/support/random.h"

struct row {
    const char *pattern, *text;
    bool matches;
};

static const struct row rows[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "a", true},
    {"*", "", false},
    {"a*", "a", true},
    {"a**b", "ab", true},
    {"*b*d*", "abcde", true},
    {"*bd", "abcd", false},
    {"h?llo", "hello", true},
    {"h?llo", "hllo", false},
    {"h[ae]llo", "hallo", true},
    {"h[ae]llo", "hillo", false},
    {"h[^e]llo", "hallo", true},
    {"h[^e]llo", "hello", false},
    {"[a-c]", "b", true},
    {"[c-a]", "b", true},
    {"[a-c]", "d", false},
    {"[a-]", "-", false},
    {"[a\\]]", "]", true},
    {"[abc", "c", true},
    {"[", "a", false},
    {"[^", "a", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a\\", "a\\", true},
};

static void patterns_mean_what_redis_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        if (glob_match(slice_of(row->pattern), slice_of(row->text), false) != row->matches)
            fail_msg("pattern \"%s\", text \"%s\"", row->pattern, row->text);
    }
}

static void case_is_ignored_on_request(void **state)
{
    (void)state;
    assert_true(glob_match(slice_of("HeL[L-M]o"), slice_of("hElmO"), true));
    assert_false(glob_match(slice_of("hello"), slice_of("hellO"), false));
}

static void bytes_are_bytes(void **state)
{
    (void)state;
    assert_true(glob_match(slice_make("a\0*\xff", 4), slice_make("a\0b\0\xff", 5), false));
    assert_true(glob_match(slice_make("[\x80-\xff]", 5), slice_make("\x90", 1), false));
}

static void many_stars_take_no_time(void **state)
{
    (void)state;
    char pattern[201], text[2001];
    for (size_t i = 0; i < 200; i += 2)
        memcpy(pattern + i, "a*", 2);
    pattern[200] = 'b';
    memset(text, 'a', sizeof(text));
    assert_false(glob_match(slice_make(pattern, 201), slice_make(text, sizeof(text)), false));
    text[2000] = 'b';
    assert_true(glob_match(slice_make(pattern, 201), slice_make(text, sizeof(text)), false));
}

/* Stars and question marks only, by trying every way. */
static bool slow_match(const char *p, size_t plen, const char *t, size_t tlen)
{
    if (!plen)
        return !tlen;
    if (*p == '*')
        return slow_match(p + 1, plen - 1, t, tlen) ||
               (tlen && slow_match(p, plen, t + 1, tlen - 1));
    return tlen && (*p == '?' || *p == *t) && slow_match(p + 1, plen - 1, t + 1, tlen - 1);
}

static void agrees_with_trying_everything(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int i = 0; i < 200000; i++) {
        char pattern[8], text[8];
        size_t plen = random_below(&r, 9), tlen = 1 + random_below(&r, 8);
        for (size_t j = 0; j < plen; j++)
            pattern[j] = "ab*?"[random_below(&r, 4)];
        for (size_t j = 0; j < tlen; j++)
            text[j] = "ab"[random_below(&r, 2)];
        bool matches = glob_match(slice_make(pattern, plen), slice_make(text, tlen), false);
        if (matches != slow_match(pattern, plen, text, tlen))
            fail_msg("pattern \"%.*s\", text \"%.*s\"", (int)plen, pattern, (int)tlen, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_what_redis_says),
        cmocka_unit_test(case_is_ignored_on_request),
        cmocka_unit_test(bytes_are_bytes),
        cmocka_unit_test(many_stars_take_no_time),
        cmocka_unit_test(agrees_with_trying_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
