/* SPDX-License-Identifier: BSD-3-Clause */
/* The request reader: commands, protocol errors, limits, memory, at any split of the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/resp/transcript.h"
#include "tests/support/random.h"

static const struct resp_limits defaults = RESP_LIMITS_DEFAULT;

static void check_pieces(const struct resp_limits *limits, const char *data, size_t len,
                         size_t piece, const char *expected)
{
    struct transcript t;
    transcript_init(&t, limits);
    for (size_t at = 0; at < len; at += piece)
        transcript_turn(&t, data + at, len - at < piece ? len - at : piece);
    assert_string_equal(transcript_text(&t), expected);
    transcript_release(&t);
}

static void check_split_at(const char *data, size_t len, size_t split, const char *expected)
{
    struct transcript t;
    transcript_init(&t, &defaults);
    transcript_turn(&t, data, split);
    transcript_turn(&t, data + split, len - split);
    assert_string_equal(transcript_text(&t), expected);
    transcript_release(&t);
}

/* Whole, byte by byte, and cut in two everywhere. */
static void check_bytes(const char *data, size_t len, const char *expected)
{
    check_pieces(&defaults, data, len, len, expected);
    check_pieces(&defaults, data, len, 1, expected);
    check_pieces(&defaults, data, len, 3, expected);
    for (size_t split = 1; split < len; split++)
        check_split_at(data, len, split, expected);
}

static void check(const char *data, const char *expected)
{
    check_bytes(data, strlen(data), expected);
}

#define CHECK_LITERAL(data, expected) check_bytes(data, sizeof(data) - 1, expected)

static void arrays_of_bulk_strings_are_commands(void **state)
{
    (void)state;
    check("*1\r\n$4\r\nPING\r\n", "<PING>\n");
    check("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
          "<SET><a><>\n<GET><a>\n");
    CHECK_LITERAL("*2\r\n$4\r\nECHO\r\n$6\r\n\r\n\0*$:\r\n", "<ECHO><%0d%0a%00*$:>\n");
    check("*2\r\n$10\r\n0123456789\r\n$16\r\n0123456789abcdef\r\n",
          "<0123456789><0123456789abcdef>\n");
}

static void empty_commands_are_skipped(void **state)
{
    (void)state;
    check("*0\r\n*-1\r\n*-10\r\n\r\n\n  \r\n*1\r\n$1\r\nx\r\n*0\r\n", "<x>\n");
}

static void inline_commands_split_as_redis_does(void **state)
{
    (void)state;
    check("PING\r\n", "<PING>\n");
    check("  set  k\tv \n", "<set><k><v>\n");
    check("a \"b c\" 'd e' \"\" ''\r\n", "<a><b%20c><d%20e><><>\n");
    check("a \"\\n\\r\\t\\b\\a\\\\\\\"\\q\\x41\\xfF\\x4g\"\n",
          "<a><%0a%0d%09%08%07\\\"qA%ffx4g>\n");
    check("a 'it\\'s' '\\n' b\"c d\"\n", "<a><it's><\\n><bc%20d>\n");
    check("a\\n 'x\\\\y'\n", "<a\\n><x\\\\y>\n");
}

static void arrays_and_inline_commands_mix(void **state)
{
    (void)state;
    check("PING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\nECHO \"a b\"\n*1\r\n$4\r\nQUIT\r\nx\r\n",
          "<PING>\n<GET><k>\n<ECHO><a%20b>\n<QUIT>\n<x>\n");
}

#define ERROR "!ERR Protocol error: "

static void bad_headers_give_the_errors_of_redis(void **state)
{
    (void)state;
    check("*x\r\n", ERROR "invalid multibulk length\n");
    check("*\r\n", ERROR "invalid multibulk length\n");
    check("*+1\r\n", ERROR "invalid multibulk length\n");
    check("*01\r\n", ERROR "invalid multibulk length\n");
    check("*-0\r\n", ERROR "invalid multibulk length\n");
    check("*-\r\n", ERROR "invalid multibulk length\n");
    check("*-1x\r\n", ERROR "invalid multibulk length\n");
    check("* 1\r\n", ERROR "invalid multibulk length\n");
    check("*3000000000\r\n", ERROR "invalid multibulk length\n");
    check("*1048577\r\n", ERROR "invalid multibulk length\n");
    check("*99999999999999999999999999\r\n", ERROR "invalid multibulk length\n");
    check("*1\rx$1\r\na\r\n", ERROR "invalid multibulk length\n");
    check("*1\r\n$x\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$-1\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$-10\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$00\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$1x\r\na\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$536870913\r\n", ERROR "invalid bulk length\n");
    check("*1\r\n$2000000000000\r\n", ERROR "invalid bulk length\n");
    check("*2\r\n$1\r\na\r\n$99999999999999999999\r\n", ERROR "invalid bulk length\n");
}

static void only_bulk_strings_are_elements(void **state)
{
    (void)state;
    check("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", ERROR "expected '$', got 'f'\n");
    check("*1\r\n*1\r\n$1\r\na\r\n", ERROR "expected '$', got '*'\n");
    check("*1\r\n:1\r\n", ERROR "expected '$', got ':'\n");
    check("*1\r\n+OK\r\n", ERROR "expected '$', got '+'\n");
    check("*2\r\n$1\r\na\r\n_\r\n", ERROR "expected '$', got '_'\n");
    check("*1\r\n\r\n", ERROR "expected '$', got ' '\n");
}

static void commands_before_an_error_are_delivered_and_none_after(void **state)
{
    (void)state;
    check("*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n*1\r\n$4\r\nPING\r\n",
          "<PING>\n" ERROR "invalid bulk length\n");
    check("PING\r\na \"b\r\nPING\r\n", "<PING>\n" ERROR "unbalanced quotes in request\n");
}

static void unbalanced_quotes_are_an_error(void **state)
{
    (void)state;
    check("a \"b\n", ERROR "unbalanced quotes in request\n");
    check("a 'b\n", ERROR "unbalanced quotes in request\n");
    check("a \"b\"c\n", ERROR "unbalanced quotes in request\n");
    check("a 'b'c\n", ERROR "unbalanced quotes in request\n");
    check("a \"b\\\"\n", ERROR "unbalanced quotes in request\n");
    check("a \"b\\\n", ERROR "unbalanced quotes in request\n");
}

/* `head`, then `fill` 80 KiB long without a line end. */
static void check_endless(const char *head, char fill, size_t piece, const char *expected)
{
    size_t len = 80 * 1024;
    char *data = malloc(len);
    memset(data, fill, len);
    memcpy(data, head, strlen(head));
    check_pieces(&defaults, data, len, piece, expected);
    free(data);
}

static void endless_lines_are_errors(void **state)
{
    (void)state;
    size_t pieces[] = {77, 1000, 16384, 80 * 1024};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        check_endless("a", 'a', pieces[i], ERROR "too big inline request\n");
        check_endless("a", '\0', pieces[i], ERROR "too big inline request\n");
        check_endless("*", 'x', pieces[i], ERROR "too big mbulk count string\n");
        check_endless("*", '1', pieces[i], ERROR "too big mbulk count string\n");
        check_endless("*1\r\n$", '1', pieces[i], ERROR "too big bulk count string\n");
        check_endless("*1\r\n$1\r\na\r\n*", '\0', pieces[i],
                      "<a>\n" ERROR "too big mbulk count string\n");
    }
}

static void a_line_of_the_greatest_size_is_taken(void **state)
{
    (void)state;
    struct resp_limits limits = defaults;
    limits.max_inline = 8;
    size_t pieces[] = {1, 3, 100};
    for (size_t i = 0; i < 3; i++) {
        check_pieces(&limits, "12345678\n", 9, pieces[i], "<12345678>\n");
        check_pieces(&limits, "123456789\n", 10, pieces[i], ERROR "too big inline request\n");
    }
}

static void check_unauthenticated(const char *data, const char *expected)
{
    for (size_t piece = 1; piece <= 64; piece *= 2) {
        struct transcript t;
        transcript_init(&t, &defaults);
        resp_reader_set_authenticated(t.reader, false);
        for (size_t at = 0; at < strlen(data); at += piece)
            transcript_turn(&t, data + at, strlen(data) - at < piece ? strlen(data) - at : piece);
        assert_string_equal(transcript_text(&t), expected);
        transcript_release(&t);
    }
}

static void limits_are_narrow_before_authentication(void **state)
{
    (void)state;
    check_unauthenticated("*11\r\n", ERROR "unauthenticated multibulk length\n");
    check_unauthenticated("*1048577\r\n", ERROR "invalid multibulk length\n");
    check_unauthenticated("*1\r\n$16385\r\n", ERROR "unauthenticated bulk length\n");
    check_unauthenticated("*2\r\n$1\r\na\r\n$16385\r\n", ERROR "unauthenticated bulk length\n");
    check_unauthenticated("*1\r\n$1\r\na\r\n*1\r\n$16384\r\n", "<a>\n");
}

static void limits_widen_with_authentication(void **state)
{
    (void)state;
    struct transcript t;
    transcript_init(&t, &defaults);
    resp_reader_set_authenticated(t.reader, false);
    assert_int_equal(transcript_turn(&t, "AUTH x\r\n", 8), RESP_NEXT_MORE);
    resp_reader_set_authenticated(t.reader, true);
    assert_int_equal(transcript_turn(&t, "*11\r\n$16385\r\n", 13), RESP_NEXT_MORE);
    assert_string_equal(transcript_text(&t), "<AUTH><x>\n");
    transcript_release(&t);
}

static void limits_may_change_at_run_time(void **state)
{
    (void)state;
    struct resp_limits limits = defaults;
    struct transcript t;
    transcript_init(&t, &limits);
    assert_int_equal(transcript_turn(&t, "*1\r\n$1000\r\n", 11), RESP_NEXT_MORE);
    limits.max_bulk_len = 999;
    assert_int_equal(transcript_turn(&t, "a", 1), RESP_NEXT_ERROR);
    transcript_release(&t);
}

static void what_is_announced_and_not_sent_costs_no_memory(void **state)
{
    (void)state;
    const char *announcements[] = {"*1000000\r\n$1\r\na\r\n", "*2\r\n$1\r\na\r\n$536870912\r\nbc",
                                   "*1\r\n$536870912\r\n"};
    for (size_t i = 0; i < 3; i++) {
        struct transcript t;
        transcript_init(&t, &defaults);
        transcript_turn(&t, announcements[i], strlen(announcements[i]));
        assert_true(resp_reader_memory(t.reader) < 80 * 1024);
        transcript_release(&t);
    }
}

/* Feeds "*n" and n arguments of `len` bytes in pieces of 16 KiB; the most memory held on the way.
 */
static void check_large_command(size_t n, size_t len)
{
    struct resp_buffer wire = {0};
    struct resp_writer w = {&wire, 2};
    char *value = malloc(len + 1);
    memset(value, 'v', len);
    resp_write_array(&w, n);
    for (size_t i = 0; i < n; i++)
        resp_write_bulk(&w, value, len);
    resp_write_raw(&w, "PING\r\n", 6);

    struct resp_reader *reader = resp_reader_create(&defaults);
    struct resp_arena arena;
    struct resp_command command = {0};
    resp_arena_init(&arena, 65536);
    size_t commands = 0;
    for (size_t at = 0; at < wire.len; at += 16384) {
        size_t piece = wire.len - at < 16384 ? wire.len - at : 16384;
        assert_true(resp_reader_feed(reader, wire.data + at, piece));
        while (resp_reader_next(reader, &arena, &command) == RESP_NEXT_COMMAND) {
            if (commands++ == 0) {
                assert_int_equal(command.argc, n);
                assert_in_range(command.bytes, wire.len / 4 * 3, wire.len / 4 * 5);
                for (size_t i = 0; i < n; i++) {
                    assert_int_equal(command.argv[i].len, len);
                    assert_memory_equal(command.argv[i].data, value, len);
                }
            }
        }
        /* Slices, NULs and doubling: a constant times what came, whatever that is. */
        assert_true(resp_reader_memory(reader) < 100 * 1024 + 12 * (at + piece));
        assert_true(resp_reader_buffered(reader) <= (at + piece) / 4 * 5 + 64);
        resp_arena_reset(&arena);
    }
    assert_int_equal(commands, 2);
    assert_int_equal(resp_reader_buffered(reader), 0);
    resp_reader_idle(reader);
    assert_true(resp_reader_memory(reader) < 1024);
    assert_true(arena.bytes < 70000);
    free(value);
    resp_buffer_release(&wire);
    resp_arena_release(&arena);
    resp_reader_destroy(reader);
}

static void commands_of_many_or_big_arguments_arrive_whole(void **state)
{
    (void)state;
    check_large_command(100000, 1);
    check_large_command(1000, 300);
    check_large_command(100, 20000);
    check_large_command(100, 32767);
    check_large_command(100, 32768);
    check_large_command(50, 65534);
    check_large_command(50, 65535);
    check_large_command(3, 5000000);
}

static void input_may_wait_unparsed(void **state)
{
    (void)state;
    struct resp_reader *reader = resp_reader_create(&defaults);
    struct resp_arena arena;
    struct resp_command command;
    resp_arena_init(&arena, 4096);
    const char *ping = "*1\r\n$4\r\nPING\r\n";
    for (int i = 0; i < 10000; i++)
        assert_true(resp_reader_feed(reader, ping, strlen(ping)));
    assert_int_equal(resp_reader_buffered(reader), 10000 * strlen(ping));
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(resp_reader_next(reader, &arena, &command), RESP_NEXT_COMMAND);
        assert_memory_equal(command.argv[0].data, "PING", 5);
        resp_arena_reset(&arena);
        if (i % 1000 == 0)
            resp_reader_idle(reader);
    }
    assert_int_equal(resp_reader_next(reader, &arena, &command), RESP_NEXT_MORE);
    resp_reader_destroy(reader);
    resp_arena_release(&arena);
}

static void long_inline_sessions_take_no_memory(void **state)
{
    (void)state;
    struct transcript t;
    transcript_init(&t, &defaults);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(transcript_turn(&t, "NG x\r\nPI", 8), RESP_NEXT_MORE);
        resp_buffer_consume(&t.text, resp_buffer_pending(&t.text));
    }
    assert_true(resp_reader_memory(t.reader) < 32 * 1024);
    transcript_release(&t);
}

static void the_query_buffer_has_a_limit(void **state)
{
    (void)state;
    struct resp_limits limits = defaults;
    limits.query_buffer = 1000;
    struct resp_reader *reader = resp_reader_create(&limits);
    struct resp_arena arena;
    struct resp_command command;
    char data[600] = "*2\r\n$1\r\na\r\n$5000\r\n";
    memset(data + strlen(data), 'x', sizeof(data) - strlen(data));
    resp_arena_init(&arena, 4096);
    assert_true(resp_reader_feed(reader, data, sizeof(data)));
    assert_int_equal(resp_reader_next(reader, &arena, &command), RESP_NEXT_MORE);
    assert_false(resp_reader_feed(reader, data, sizeof(data)));
    resp_reader_destroy(reader);
    resp_arena_release(&arena);
}

static void idle_readers_hold_next_to_nothing_and_wake_up(void **state)
{
    (void)state;
    struct transcript t;
    transcript_init(&t, &defaults);
    const char *turns[] = {"*1\r\n$4\r\nPING\r\n", "*2\r\n$4\r\nPI", "NG\r\n$1\r\n", "a\r\nEC",
                           "HO\r\n"};
    for (size_t i = 0; i < 5; i++) {
        transcript_turn(&t, turns[i], strlen(turns[i]));
        resp_reader_idle(t.reader);
        if (i == 0 || i == 4)
            assert_true(resp_reader_memory(t.reader) < 1024);
    }
    assert_string_equal(transcript_text(&t), "<PING>\n<PING><a>\n<ECHO>\n");
    transcript_release(&t);
}

static size_t random_length(struct random *random)
{
    switch (random_below(random, 40)) {
    case 0: return random_below(random, 100000);
    case 1: return 32760 + random_below(random, 20);
    case 2: return random_below(random, 5000);
    }
    return random_below(random, 40);
}

static void add_random_command(struct random *random, struct resp_writer *w,
                               struct resp_buffer *out)
{
    size_t argc = 1 + random_below(random, random_below(random, 10) ? 5 : 200);
    if (random_below(random, 4) == 0) {
        resp_write_raw(w, "GET \"a\\x00b\" k\r\n", 16);
        resp_buffer_append(out, "<GET><a%00b><k>\n", 16);
        return;
    }
    resp_write_array(w, argc);
    for (size_t i = 0; i < argc; i++) {
        size_t len = random_length(random);
        char *bytes = malloc(len + 1);
        random_bytes(random, bytes, len);
        resp_write_bulk(w, bytes, len);
        transcript_argument(out, bytes, len);
        free(bytes);
    }
    resp_buffer_append(out, "\n", 1);
}

static void random_pipelines_at_random_splits(void **state)
{
    (void)state;
    struct random random = random_init();
    for (int round = 0; round < 60; round++) {
        struct resp_buffer wire = {0}, expected = {0};
        struct resp_writer w = {&wire, 2};
        for (int i = 0; i < 20; i++)
            add_random_command(&random, &w, &expected);
        resp_buffer_append(&expected, "", 1);
        struct transcript t;
        transcript_init(&t, &defaults);
        size_t limit = 1u << (1 + random_below(&random, 18));
        for (size_t at = 0, len; at < wire.len; at += len) {
            len = 1 + random_below(&random, limit);
            len = len < wire.len - at ? len : wire.len - at;
            assert_int_equal(transcript_turn(&t, wire.data + at, len), RESP_NEXT_MORE);
        }
        assert_true(strcmp(transcript_text(&t), expected.data) == 0);
        assert_int_equal(resp_reader_buffered(t.reader), 0);
        transcript_release(&t);
        resp_buffer_release(&wire);
        resp_buffer_release(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_bulk_strings_are_commands),
        cmocka_unit_test(empty_commands_are_skipped),
        cmocka_unit_test(inline_commands_split_as_redis_does),
        cmocka_unit_test(arrays_and_inline_commands_mix),
        cmocka_unit_test(bad_headers_give_the_errors_of_redis),
        cmocka_unit_test(only_bulk_strings_are_elements),
        cmocka_unit_test(commands_before_an_error_are_delivered_and_none_after),
        cmocka_unit_test(unbalanced_quotes_are_an_error),
        cmocka_unit_test(endless_lines_are_errors),
        cmocka_unit_test(a_line_of_the_greatest_size_is_taken),
        cmocka_unit_test(limits_are_narrow_before_authentication),
        cmocka_unit_test(limits_widen_with_authentication),
        cmocka_unit_test(limits_may_change_at_run_time),
        cmocka_unit_test(what_is_announced_and_not_sent_costs_no_memory),
        cmocka_unit_test(commands_of_many_or_big_arguments_arrive_whole),
        cmocka_unit_test(input_may_wait_unparsed),
        cmocka_unit_test(long_inline_sessions_take_no_memory),
        cmocka_unit_test(the_query_buffer_has_a_limit),
        cmocka_unit_test(idle_readers_hold_next_to_nothing_and_wake_up),
        cmocka_unit_test(random_pipelines_at_random_splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
