/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of directives: every row by what all rows must satisfy, the forms of values, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "ops/mem.h"
#include "server/config-internal.h"
#include "server/config_apply.h"

static int set_up(void **state)
{
    (void)state;
    config_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    config_release();
    return 0;
}

static char *value_of(const char *name)
{
    static struct text text;
    text_clear(&text);
    directive_get(config_find(slice_of(name)), &text);
    return (char *)text_terminated(&text);
}

static bool parse(const char *lines, struct text *error)
{
    text_clear(error);
    return config_parse(slice_of(lines), "test.conf", 0, error);
}

static void assert_error(const char *lines, const char *part)
{
    struct text error = {0};
    assert_false(parse(lines, &error));
    if (!strstr(text_terminated(&error), part))
        fail_msg("error '%s' does not hold '%s'", text_terminated(&error), part);
    text_release(&error);
}

static bool set_one(const char *name, const char *value, struct text *error)
{
    struct config_pair pair = {slice_of(name), slice_of(value)};
    text_clear(error);
    return config_set(&pair, 1, error);
}

static void every_default_is_valid_and_reads_back(void **state)
{
    (void)state;
    for (const struct directive *row = config_directives; row->name; row++) {
        struct text first = {0}, error = {0}, again = {0};
        directive_get(row, &first);
        if (!directive_set(row, text_slice(&first), false, &error))
            fail_msg("%s: %s", row->name, text_terminated(&error));
        directive_get(row, &again);
        assert_true(slice_equal(text_slice(&first), text_slice(&again)));
        text_release(&first);
        text_release(&again);
        text_release(&error);
    }
}

static void names_and_aliases_are_unique_and_every_row_is_explained(void **state)
{
    (void)state;
    for (const struct directive *row = config_directives; row->name; row++) {
        assert_ptr_equal(config_find(slice_of(row->name)), row);
        if (row->alias)
            assert_ptr_equal(config_find(slice_of(row->alias)), row);
        assert_true(strlen(row->help) > 4);
        assert_non_null(row->group);
    }
}

static void the_example_file_is_the_defaults(void **state)
{
    (void)state;
    struct text example = {0}, error = {0}, again = {0};
    config_example(&example);
    if (!parse(text_terminated(&example), &error))
        fail_msg("%s", text_terminated(&error));
    config_example(&again);
    assert_true(slice_equal(text_slice(&example), text_slice(&again)));
    text_release(&example);
    text_release(&again);
    text_release(&error);
}

static void read_whole(const char *path, char *out, size_t cap)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s (tests run from the top of the repository)", path);
    size_t len = fread(out, 1, cap - 1, file);
    out[len] = 0;
    fclose(file);
}

static void the_example_in_the_repository_is_this_one(void **state)
{
    (void)state;
    static const char *const paths[] = {"cairn.conf", "tests/fuzz/corpus/config/example"};
    static char kept[64 * 1024];
    struct text example = {0};
    config_example(&example);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        read_whole(paths[i], kept, sizeof(kept));
        assert_string_equal(text_terminated(&example), kept); /* else: --print-config >cairn.conf */
    }
    text_release(&example);
}

static void memory_takes_units_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } rows[] = {{"0", 0},          {"1", 1},         {"1b", 1},       {"2k", 2000},
                {"2kb", 2048},     {"3MB", 3145728}, {"3m", 3000000}, {"1Gb", 1073741824},
                {"1g", 1000000000}};
    int64_t bytes;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(config_parse_memory(slice_of(rows[i].text), &bytes));
        assert_int_equal(bytes, rows[i].bytes);
    }
    static const char *const bad[] = {"",    "kb", "-1", "1x", "1.5mb", "9223372036854775807kb",
                                      "1 mb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(config_parse_memory(slice_of(bad[i]), &bytes));
}

static void times_take_fractions_and_units(void **state)
{
    (void)state;
    struct text error = {0};
    static const char *const rows[][2] = {{"15", "15"},  {"0.5", "500ms"}, {"1500ms", "1500ms"},
                                          {"2m", "120"}, {"1h", "3600"},   {"0", "0"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(set_one("sync-interval", rows[i][0], &error));
        assert_string_equal(value_of("sync-interval"), rows[i][1]);
    }
    assert_false(set_one("sync-interval", "-1", &error));
    assert_false(set_one("sync-interval", "2 days", &error));
    text_release(&error);
}

static void errors_name_file_line_and_remedy(void **state)
{
    (void)state;
    assert_error("port 1\nfoo 2\n", "test.conf:2: unknown directive 'foo'");
    assert_error("\n# x\nprot 1\n", "did you mean 'port'");
    assert_error("port abc", "test.conf:1: port: argument couldn't be parsed into an integer");
    assert_error("port 70000", "must be between 0 and 65535");
    assert_error("lock-ttl 500ms", "must be between 1 and 3600 inclusive");
    assert_error("s3-timeout 0", "must be between 1ms and 3600 inclusive");
    assert_error("unixsocketperm 1000", "must be between 0 and 777 inclusive");
    assert_error("daemonize maybe", "must be 'yes' or 'no'");
    assert_error("loglevel loud", "must be one of the following: debug, verbose");
    assert_error("logfile \"x", "unbalanced quotes");
    assert_error("port", "has no value");
    assert_error("include /nonexistent/file", "cannot open");
}

static void later_lines_win_and_quotes_hold_spaces(void **state)
{
    (void)state;
    struct text error = {0};
    assert_true(parse("port 1\n  PORT 2 \r\nlogfile \"a b\\x41\"\nbind 1.2.3.4   ::1\n", &error));
    assert_string_equal(value_of("port"), "2");
    assert_string_equal(value_of("logfile"), "a bA");
    assert_string_equal(value_of("bind"), "1.2.3.4 ::1");
    text_release(&error);
}

static void a_file_that_includes_itself_is_an_error(void **state)
{
    (void)state;
    char path[] = "/tmp/cairn-config-XXXXXX", line[64];
    int fd = mkstemp(path);
    int len = snprintf(line, sizeof(line), "include %s\n", path);
    assert_int_equal(write(fd, line, (size_t)len), len);
    close(fd);
    assert_error(line, "does one include itself?");
    unlink(path);
}

static void the_command_line_takes_values_up_to_the_next_option(void **state)
{
    (void)state;
    struct text error = {0};
    char *good[] = {"x", "--port", "12", "--save", "", "--bind", "127.0.0.1", "::1"};
    assert_true(config_load(8, good, &error));
    assert_string_equal(value_of("port"), "12");
    assert_string_equal(value_of("save"), "");
    assert_string_equal(value_of("bind"), "127.0.0.1 ::1");
    char *missing[] = {"x", "--port", "--save", ""};
    assert_false(config_load(4, missing, &error));
    assert_non_null(strstr(text_terminated(&error), "--port needs a value"));
    text_clear(&error);
    char *unknown[] = {"x", "--maxmemry", "1"};
    assert_false(config_load(3, unknown, &error));
    assert_non_null(strstr(text_terminated(&error), "did you mean 'maxmemory'"));
    text_release(&error);
}

static void a_bucket_is_shared_and_synced_more_seldom_by_default(void **state)
{
    (void)state;
    struct text error = {0};
    char *bucket[] = {"x", "--store", "s3://b/p", "--port", "12"};
    assert_true(config_load(5, bucket, &error));
    assert_string_equal(value_of("sync-interval"), "15");
    assert_string_equal(value_of("shared"), "yes");
    char *given[] = {"x", "--sync-interval", "1", "--shared", "no", "--store", "s3://b/p"};
    assert_true(config_load(7, given, &error));
    assert_string_equal(value_of("sync-interval"), "1");
    assert_string_equal(value_of("shared"), "no");
    char *directory[] = {"x", "--store", "/srv/s3"};
    assert_true(config_load(3, directory, &error));
    assert_string_equal(value_of("sync-interval"), "1");
    assert_string_equal(value_of("shared"), "no");
    text_release(&error);
}

static void config_set_is_all_or_nothing(void **state)
{
    (void)state;
    struct text error = {0};
    struct config_pair pairs[] = {{slice_of("timeout"), slice_of("7")},
                                  {slice_of("maxmemory"), slice_of("bla")}};
    assert_false(config_set(pairs, 2, &error));
    assert_string_equal(text_terminated(&error),
                        "CONFIG SET failed (possibly related to argument 'maxmemory') - argument "
                        "must be a memory value");
    assert_string_equal(value_of("timeout"), "0");
    assert_false(set_one("port", "1", &error));
    assert_non_null(strstr(text_terminated(&error), "can't set immutable config"));
    struct config_pair twice[] = {{slice_of("hash-max-ziplist-value"), slice_of("1")},
                                  {slice_of("hash-max-listpack-value"), slice_of("2")}};
    text_clear(&error);
    assert_false(config_set(twice, 2, &error));
    assert_non_null(strstr(text_terminated(&error), "duplicate parameter"));
    text_release(&error);
}

static void aliases_set_the_same_value(void **state)
{
    (void)state;
    struct text error = {0};
    assert_true(set_one("hash-max-ziplist-entries", "9", &error));
    assert_string_equal(value_of("hash-max-listpack-entries"), "9");
    assert_true(set_one("appendfsync", "always", &error));
    assert_string_equal(value_of("journal-fsync"), "always");
    text_release(&error);
}

static void notification_classes_print_in_redis_order(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},           {"KA", "AK"}, {"gKE", "gKE"},       {"$lshzxeKE", "$lshzxeKE"},
        {"AKEmn", "AnKEm"}, {"Kn", "nK"}, {"g$lshzxetdE", "AE"}};
    struct text error = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(set_one("notify-keyspace-events", rows[i][0], &error));
        assert_string_equal(value_of("notify-keyspace-events"), rows[i][1]);
    }
    assert_false(set_one("notify-keyspace-events", "q", &error));
    text_release(&error);
}

static void output_limits_are_set_by_class(void **state)
{
    (void)state;
    struct text error = {0};
    assert_true(set_one("client-output-buffer-limit", "pubsub 1mb 2kb 5 replica 1 2 3", &error));
    assert_string_equal(value_of("client-output-buffer-limit"),
                        "normal 0 0 0 slave 1 2 3 pubsub 1048576 2048 5");
    assert_false(set_one("client-output-buffer-limit", "wild 0 0 0", &error));
    text_clear(&error);
    assert_false(set_one("client-output-buffer-limit", "normal 0 0", &error));
    assert_non_null(strstr(text_terminated(&error), "Wrong number of arguments in buffer limit"));
    text_release(&error);
}

static void further_save_lines_add_and_an_empty_one_clears(void **state)
{
    (void)state;
    struct text error = {0};
    assert_true(parse("save 900 1\nsave 300   10 60 10000\n", &error));
    assert_string_equal(value_of("save"), "900 1 300 10 60 10000");
    assert_true(parse("save \"\"\nsave \"7 0\"\n", &error));
    assert_string_equal(value_of("save"), "7 0");
    char *line[] = {"x", "--save", "5", "6", "--save", "8", "9"};
    assert_true(config_load(7, line, &error));
    assert_string_equal(value_of("save"), "7 0 5 6 8 9");
    assert_true(set_one("save", "1 2 3 4", &error));
    assert_string_equal(value_of("save"), "1 2 3 4");
    char *none[] = {"x", "--save", "--port", "12"};
    assert_true(config_load(4, none, &error));
    assert_string_equal(value_of("save"), "");
    assert_error("save 1", "Invalid save parameters");
    assert_error("save 0 1", "Invalid save parameters");
    assert_error("save 1 -1", "Invalid save parameters");
    assert_error("save soon 1", "Invalid save parameters (given: 'soon 1'");
    assert_false(set_one("save", "100", &error));
    assert_string_equal(text_terminated(&error),
                        "CONFIG SET failed (possibly related to argument 'save') - Invalid save "
                        "parameters");
    text_release(&error);
}

static void rewrite_keeps_comments_and_adds_what_changed(void **state)
{
    (void)state;
    char path[] = "/tmp/cairn-config-XXXXXX", after[1024];
    static const char lines[] = "# mine\nport 7000\n\ntimeout 1\ntimeout 3\n";
    struct text error = {0};
    int fd = mkstemp(path);
    assert_int_equal(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
    close(fd);
    char *argv[] = {"x", path};
    assert_true(config_load(2, argv, &error));
    assert_true(set_one("maxmemory", "1mb", &error));
    assert_true(set_one("requirepass", "a b\"c", &error));
    for (int i = 0; i < 2; i++) {
        assert_true(config_rewrite(&error));
        read_whole(path, after, sizeof(after));
        assert_string_equal(after, "# mine\nport 7000\n\ntimeout 3\n# Generated by CONFIG REWRITE\n"
                                   "requirepass \"a b\\\"c\"\nmaxmemory 1048576\n");
        assert_true(config_load(2, argv, &error));
    }
    unlink(path);
    text_release(&error);
}

static void rewrite_gives_each_pair_of_save_a_line(void **state)
{
    (void)state;
    char path[] = "/tmp/cairn-config-XXXXXX", after[1024];
    static const char lines[] = "save 900 1\n# mine\nsave 300 10\n";
    struct text error = {0};
    int fd = mkstemp(path);
    assert_int_equal(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
    close(fd);
    char *argv[] = {"x", path};
    assert_true(config_load(2, argv, &error));
    for (int i = 0; i < 2; i++) {
        assert_true(config_rewrite(&error));
        read_whole(path, after, sizeof(after));
        assert_string_equal(after, "save 900 1\nsave 300 10\n# mine\n");
    }
    assert_true(set_one("save", "", &error));
    assert_true(config_rewrite(&error));
    read_whole(path, after, sizeof(after));
    assert_string_equal(after, "save \"\"\n# mine\n");
    unlink(path);
    text_release(&error);
}

static void rewrite_knows_the_default_of_the_store(void **state)
{
    (void)state;
    char path[] = "/tmp/cairn-config-XXXXXX", after[1024];
    static const char line[] = "store s3://b/p\n";
    struct text error = {0};
    int fd = mkstemp(path);
    assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
    close(fd);
    char *argv[] = {"x", path};
    assert_true(config_load(2, argv, &error));
    assert_true(config_rewrite(&error));
    read_whole(path, after, sizeof(after));
    assert_string_equal(after, line);
    assert_true(set_one("sync-interval", "1", &error)); /* a directory's */
    assert_true(config_rewrite(&error));
    assert_true(config_load(2, argv, &error));
    assert_string_equal(value_of("sync-interval"), "1");
    unlink(path);
    text_release(&error);
}

static void count_visit(void *ctx, struct slice name, struct slice value)
{
    (void)name, (void)value;
    ++*(int *)ctx;
}

static void note_name(void *ctx, struct slice name, struct slice value)
{
    (void)value;
    text_append_slice(ctx, name);
    text_append_char(ctx, ' ');
}

static void config_get_gives_a_name_as_it_was_asked_for(void **state)
{
    (void)state;
    struct text names = {0};
    struct slice patterns[] = {slice_of("TimeOut"), slice_of("TCP-k*"), slice_of("timeout")};
    config_get(patterns, 3, note_name, &names);
    assert_string_equal(text_terminated(&names), "TimeOut tcp-keepalive ");
    text_release(&names);
}

static void config_get_gives_each_match_once(void **state)
{
    (void)state;
    int count = 0;
    struct slice patterns[] = {slice_of("max*"), slice_of("maxmemory"),
                               slice_of("*-max-ziplist-*")};
    config_get(patterns, 3, count_visit, &count);
    assert_int_equal(count, 4 + 5);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_default_is_valid_and_reads_back),
        CASE(names_and_aliases_are_unique_and_every_row_is_explained),
        CASE(the_example_file_is_the_defaults),
        CASE(the_example_in_the_repository_is_this_one),
        CASE(memory_takes_units_in_any_case),
        CASE(times_take_fractions_and_units),
        CASE(errors_name_file_line_and_remedy),
        CASE(later_lines_win_and_quotes_hold_spaces),
        CASE(a_file_that_includes_itself_is_an_error),
        CASE(the_command_line_takes_values_up_to_the_next_option),
        CASE(a_bucket_is_shared_and_synced_more_seldom_by_default),
        CASE(config_set_is_all_or_nothing),
        CASE(aliases_set_the_same_value),
        CASE(notification_classes_print_in_redis_order),
        CASE(output_limits_are_set_by_class),
        CASE(further_save_lines_add_and_an_empty_one_clears),
        CASE(rewrite_gives_each_pair_of_save_a_line),
        CASE(rewrite_keeps_comments_and_adds_what_changed),
        CASE(rewrite_knows_the_default_of_the_store),
        CASE(config_get_gives_a_name_as_it_was_asked_for),
        CASE(config_get_gives_each_match_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
