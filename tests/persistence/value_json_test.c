/* SPDX-License-Identifier: BSD-3-Clause */
/* Values as JSON: there and back, with the same bytes whatever made them. */
#include "persistence/value_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/op_random.h"

static void write_value(struct text *out, const struct entry *entry)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    value_json_write(&writer, entry, entry_expires(entry));
}

static struct entry *read_value(struct slice json, struct slice key, struct text *error)
{
    struct text unescaped = {0};
    struct json_reader reader;
    json_reader_init(&reader, json, &unescaped);
    struct entry *entry = value_json_read(&reader, key);
    if (entry && !json_expect_end(&reader)) {
        entry_destroy(entry);
        entry = NULL;
    }
    if (!entry)
        text_append_string(error, json_reader_error(&reader));
    text_release(&unescaped);
    return entry;
}

static void assert_comes_back(const struct entry *entry)
{
    struct text out = {0}, again = {0}, error = {0};
    write_value(&out, entry);
    struct entry *copy = read_value(text_slice(&out), entry_key(entry), &error);
    if (!copy)
        fail_msg("%s in %.*s", text_terminated(&error), (int)out.len, out.data);
    assert_true(value_equal(entry, copy));
    assert_true(slice_equal(entry_key(entry), entry_key(copy)));
    assert_int_equal(entry_expires(entry), entry_expires(copy));
    write_value(&again, copy);
    assert_true(slice_equal(text_slice(&out), text_slice(&again)));
    entry_destroy(copy);
    text_release(&out);
    text_release(&again);
}

static void every_value_comes_back_as_it_was(void **state)
{
    (void)state;
    struct random r = random_init();
    struct op_source source = {.random = &r, .bytes_max = 300, .time = 1000000};
    for (unsigned i = 0; i < 10000; i++) {
        struct entry *entry = op_random_value(&source, slice_make("k\xff\0", 3));
        assert_comes_back(entry);
        entry_destroy(entry);
    }
}

static struct entry *collection(enum value_type type, unsigned count, unsigned first, unsigned step)
{
    struct entry *entry = entry_build(slice_of("k"), 0, type);
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        unsigned number = (first + i * step) % count;
        size_t len = (size_t)sprintf(text, type == VALUE_HASH ? "f%u" : "%u", number);
        struct slice item = slice_make(text, len);
        if (type == VALUE_HASH)
            entry_build_field(&entry, item, item);
        else
            entry_build_member(&entry, item);
    }
    return entry;
}

static void equal_values_give_equal_bytes_whatever_their_history(void **state)
{
    (void)state;
    static const unsigned counts[] = {2, 7, 63, 65, 511, 513, 5003};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        for (enum value_type type = VALUE_SET; type <= VALUE_HASH; type++) {
            struct text out_a = {0}, out_b = {0};
            struct entry *a = collection(type, counts[i], 0, 1);
            struct entry *b = collection(type, counts[i], 1, counts[i] - 1);
            assert_true(value_equal(a, b));
            write_value(&out_a, a);
            write_value(&out_b, b);
            assert_true(slice_equal(text_slice(&out_a), text_slice(&out_b)));
            assert_comes_back(a);
            entry_destroy(a);
            entry_destroy(b);
            text_release(&out_a);
            text_release(&out_b);
        }
    }
}

static void assert_form(const char *json, enum value_type type, int64_t expires,
                        const char *canonical)
{
    struct text out = {0}, error = {0};
    struct entry *entry = read_value(slice_of(json), slice_of("k"), &error);
    if (!entry)
        fail_msg("%s in %s", text_terminated(&error), json);
    assert_int_equal(entry_type(entry), type);
    assert_int_equal(entry_expires(entry), expires);
    write_value(&out, entry);
    assert_string_equal(text_terminated(&out), canonical);
    entry_destroy(entry);
    text_release(&out);
}

static void forms_are_as_documented(void **state)
{
    (void)state;
    assert_form("42", VALUE_STRING, 0, "42");
    assert_form(" \"42\" ", VALUE_STRING, 0, "42");
    assert_form("\"042\"", VALUE_STRING, 0, "\"042\"");
    assert_form("9007199254740992", VALUE_STRING, 0, "9007199254740992");
    assert_form("9007199254740993", VALUE_STRING, 0, "\"9007199254740993\"");
    assert_form("\"base64:AP8=\"", VALUE_STRING, 0, "\"base64:AP8=\"");
    assert_form("{\"expires\":5,\"string\":\"\"}", VALUE_STRING, 5,
                "{\"string\":\"\",\"expires\":5}");
    assert_form("{\"string\":7}", VALUE_STRING, 0, "7");
    assert_form("{\"hash\":{\"b\":\"x\",\"a\":1,\"\":2}}", VALUE_HASH, 0,
                "{\"hash\":{\"\":2,\"a\":1,\"b\":\"x\"}}");
    assert_form("{\"set\":[10,9,\"a\"],\"expires\":7}", VALUE_SET, 7,
                "{\"set\":[10,9,\"a\"],\"expires\":7}");
    assert_form("{\"set\":[9,10,-1]}", VALUE_SET, 0, "{\"set\":[-1,10,9]}");
    assert_form("{\"list\":[\"b\",1,\"b\"]}", VALUE_LIST, 0, "{\"list\":[\"b\",1,\"b\"]}");
}

static void what_is_no_value_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "null",
        "true",
        "1.5",
        "18446744073709551616",
        "[]",
        "{}",
        "{\"expires\":5}",
        "{\"hash\":{}}",
        "{\"set\":[]}",
        "{\"list\":[]}",
        "{\"hash\":[1]}",
        "{\"set\":{\"a\":1}}",
        "{\"list\":7}",
        "{\"set\":[1,1]}",
        "{\"set\":[1,\"1\"]}",
        "{\"hash\":{\"a\":1,\"a\":2}}",
        "{\"hash\":{\"a\":1,\"\\u0061\":2}}",
        "{\"hash\":{\"a\":{}}}",
        "{\"list\":[null]}",
        "{\"string\":1,\"list\":[1]}",
        "{\"string\":1,\"string\":1}",
        "{\"list\":[1],\"expires\":0}",
        "{\"list\":[1],\"expires\":-1}",
        "{\"list\":[1],\"expires\":5,\"expires\":5}",
        "{\"list\":[1],\"expires\":1.5}",
        "{\"list\":[1],\"more\":1}",
        "{\"zset\":[1]}",
        "{\"list\":[1",
        "\"base64:A\"",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct text error = {0};
        if (read_value(slice_of(wrong[i]), slice_of("k"), &error))
            fail_msg("accepted %s", wrong[i]);
        assert_non_null(strstr(text_terminated(&error), "at byte"));
        text_release(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back_as_it_was),
        cmocka_unit_test(equal_values_give_equal_bytes_whatever_their_history),
        cmocka_unit_test(forms_are_as_documented),
        cmocka_unit_test(what_is_no_value_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
