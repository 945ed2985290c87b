/* SPDX-License-Identifier: BSD-3-Clause */
/* Replies byte for byte, in both protocols. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <cmocka.h>

#include "resp/writer.h"
#include "tests/support/random.h"

static struct resp_buffer out;

static struct resp_writer writer(int protocol)
{
    out.len = out.sent = 0;
    return (struct resp_writer){&out, protocol};
}

static void written(const char *expected)
{
    resp_buffer_append(&out, "", 1);
    assert_string_equal(out.data + out.sent, expected);
    out.len = out.sent = 0;
}

#define BOTH(call, resp2, resp3)                                                                   \
    do {                                                                                           \
        struct resp_writer w = writer(2);                                                          \
        call;                                                                                      \
        written(resp2);                                                                            \
        w.protocol = 3;                                                                            \
        call;                                                                                      \
        written(resp3);                                                                            \
    } while (0)

static void plain_replies(void **state)
{
    (void)state;
    BOTH(resp_write_ok(&w), "+OK\r\n", "+OK\r\n");
    BOTH(resp_write_simple(&w, "QUEUED"), "+QUEUED\r\n", "+QUEUED\r\n");
    BOTH(resp_write_integer(&w, -42), ":-42\r\n", ":-42\r\n");
    BOTH(resp_write_bulk(&w, "ab", 2), "$2\r\nab\r\n", "$2\r\nab\r\n");
    BOTH(resp_write_bulk(&w, NULL, 0), "$0\r\n\r\n", "$0\r\n\r\n");
    BOTH(resp_write_bulk_text(&w, "hello world"), "$11\r\nhello world\r\n",
         "$11\r\nhello world\r\n");
    BOTH(resp_write_bulk_integer(&w, 1234567), "$7\r\n1234567\r\n", "$7\r\n1234567\r\n");
}

static void errors_hold_no_line_ends(void **state)
{
    (void)state;
    BOTH(resp_write_error(&w, "ERR a\r\nb\n"), "-ERR a  b \r\n", "-ERR a  b \r\n");
    BOTH(resp_write_error_format(&w, "ERR unknown command '%s', %d", "x\ny", 3),
         "-ERR unknown command 'x y', 3\r\n", "-ERR unknown command 'x y', 3\r\n");
}

static void absence_differs_by_protocol(void **state)
{
    (void)state;
    BOTH(resp_write_nil(&w), "$-1\r\n", "_\r\n");
    BOTH(resp_write_nil_array(&w), "*-1\r\n", "_\r\n");
}

static void aggregates_differ_by_protocol(void **state)
{
    (void)state;
    BOTH(resp_write_array(&w, 0), "*0\r\n", "*0\r\n");
    BOTH(resp_write_array(&w, 1000), "*1000\r\n", "*1000\r\n");
    BOTH(resp_write_map(&w, 6), "*12\r\n", "%6\r\n");
    BOTH(resp_write_set(&w, 3), "*3\r\n", "~3\r\n");
    BOTH(resp_write_push(&w, 3), "*3\r\n", ">3\r\n");
    struct resp_writer w = writer(2);
    assert_false(resp_write_attribute(&w, 1));
    written("");
    w.protocol = 3;
    assert_true(resp_write_attribute(&w, 1));
    written("|1\r\n");
}

static void scalars_differ_by_protocol(void **state)
{
    (void)state;
    BOTH(resp_write_double(&w, 1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    BOTH(resp_write_double(&w, 3), "$1\r\n3\r\n", ",3\r\n");
    BOTH(resp_write_double(&w, 0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n");
    BOTH(resp_write_double(&w, -DBL_MAX), "$24\r\n-1.7976931348623157e+308\r\n",
         ",-1.7976931348623157e+308\r\n");
    BOTH(resp_write_double(&w, INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
    BOTH(resp_write_double(&w, -INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    BOTH(resp_write_double(&w, NAN), "$3\r\nnan\r\n", ",nan\r\n");
    BOTH(resp_write_bool(&w, true), ":1\r\n", "#t\r\n");
    BOTH(resp_write_bool(&w, false), ":0\r\n", "#f\r\n");
    BOTH(resp_write_big_number(&w, "-123456789012345678901234567890", 31),
         "$31\r\n-123456789012345678901234567890\r\n", "(-123456789012345678901234567890\r\n");
    BOTH(resp_write_verbatim(&w, "txt", "ab\r\n", 4), "$4\r\nab\r\n\r\n", "=8\r\ntxt:ab\r\n\r\n");
}

static void deferred_aggregates_nest(void **state)
{
    (void)state;
    BOTH(
        {
            resp_write_ok(&w);
            size_t outer = resp_defer_begin(&w);
            resp_write_integer(&w, 1);
            size_t inner = resp_defer_begin(&w);
            resp_write_integer(&w, 2);
            resp_write_integer(&w, 3);
            resp_defer_map(&w, inner, 1);
            size_t empty = resp_defer_begin(&w);
            resp_defer_set(&w, empty, 0);
            resp_defer_push(&w, outer, 3);
        },
        "+OK\r\n*3\r\n:1\r\n*2\r\n:2\r\n:3\r\n*0\r\n",
        "+OK\r\n>3\r\n:1\r\n%1\r\n:2\r\n:3\r\n~0\r\n");
}

static void deferring_survives_a_buffer_that_moves(void **state)
{
    (void)state;
    struct resp_writer w = writer(3);
    for (int i = 0; i < 200; i++)
        resp_write_ok(&w);
    resp_buffer_consume(&out, 199 * 5);
    size_t begun = resp_defer_begin(&w);
    for (int i = 0; i < 5000; i++)
        resp_write_integer(&w, 7);
    resp_defer_array(&w, begun, 5000);
    assert_memory_equal(out.data + out.sent, "+OK\r\n*5000\r\n:7\r\n", 16);
    assert_int_equal(resp_buffer_pending(&out), 5 + 7 + 5000 * 4);
}

static void integers_are_formatted_as_printf_does(void **state)
{
    (void)state;
    struct random random = random_init();
    long long edges[] = {0, 9, 10, 99, 100, 101, 999, 1000, -1, -9, -10, LLONG_MAX, LLONG_MIN};
    for (int i = 0; i < 100000; i++) {
        long long value =
            i < 13 ? edges[i] : (long long)random_next(&random) >> random_below(&random, 64);
        char expected[32], got[RESP_INTEGER_MAX + 1];
        snprintf(expected, sizeof(expected), "%lld", value);
        got[resp_format_integer(got, value)] = '\0';
        assert_string_equal(got, expected);
    }
}

static void a_buffer_gives_bytes_back_in_order(void **state)
{
    (void)state;
    struct random random = random_init();
    struct resp_buffer buffer = {0};
    unsigned char next_in = 0, next_out = 0;
    for (int i = 0; i < 20000; i++) {
        size_t len = random_below(&random, 3000);
        if (random_below(&random, 2)) {
            char *at = resp_buffer_reserve(&buffer, len);
            for (size_t j = 0; j < len; j++)
                at[j] = (char)next_in++;
            buffer.len += len;
        } else {
            if (len > resp_buffer_pending(&buffer))
                len = resp_buffer_pending(&buffer);
            for (size_t j = 0; j < len; j++)
                assert_int_equal((unsigned char)buffer.data[buffer.sent + j], next_out++);
            resp_buffer_consume(&buffer, len);
        }
        if (random_below(&random, 100) == 0)
            resp_buffer_shrink(&buffer);
        assert_true(buffer.len <= buffer.cap);
    }
    resp_buffer_consume(&buffer, resp_buffer_pending(&buffer));
    resp_buffer_shrink(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.cap, 0);
}

static int release(void **state)
{
    (void)state;
    resp_buffer_release(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_replies),
        cmocka_unit_test(errors_hold_no_line_ends),
        cmocka_unit_test(absence_differs_by_protocol),
        cmocka_unit_test(aggregates_differ_by_protocol),
        cmocka_unit_test(scalars_differ_by_protocol),
        cmocka_unit_test(deferred_aggregates_nest),
        cmocka_unit_test(deferring_survives_a_buffer_that_moves),
        cmocka_unit_test(integers_are_formatted_as_printf_does),
        cmocka_unit_test(a_buffer_gives_bytes_back_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
