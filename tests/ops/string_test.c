/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings against a plain buffer over random changes; encodings as Redis names them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/mem.h"
#include "ops/value-internal.h"
#include "ops/value_integer.h"
#include "tests/support/random.h"

enum { MODEL_MAX = 300000 };

static char model[MODEL_MAX], bytes[MODEL_MAX];
static size_t model_len;
static struct random rng;

static struct slice text_of(const struct entry *entry)
{
    static char scratch[24];
    return string_bytes(entry, scratch);
}

static void check(const struct entry *entry)
{
    assert_true(slice_equal(text_of(entry), slice_make(model, model_len)));
    assert_int_equal(value_len(entry), model_len);
    assert_int_equal(entry_type(entry), VALUE_STRING);
    assert_true(slice_equal(entry_key(entry), slice_of("the key")));
    assert_int_equal(entry_expires(entry), 77);
}

static void model_write(size_t offset, struct slice text)
{
    if (text.len == 0)
        return;
    if (offset > model_len)
        memset(model + model_len, 0, offset - model_len);
    memcpy(model + offset, text.data, text.len);
    if (offset + text.len > model_len)
        model_len = offset + text.len;
}

static struct slice some_text(size_t most)
{
    size_t len = random_below(&rng, 1 + random_below(&rng, most));
    random_bytes(&rng, bytes, len);
    if (random_below(&rng, 3) == 0)
        len = (size_t)snprintf(bytes, sizeof(bytes), "%lld",
                               (long long)(random_next(&rng) >> random_below(&rng, 64)));
    return slice_make(bytes, len);
}

static void change(struct entry **e)
{
    static const int64_t numbers[] = {0, -1, 42, INT64_MAX, INT64_MIN};
    struct slice text = some_text(3000);
    switch (random_below(&rng, 6)) {
    case 0:
        string_set(e, text);
        model_len = 0;
        model_write(0, text);
        break;
    case 1: {
        int64_t number = numbers[random_below(&rng, 5)];
        string_set_integer(e, number);
        model_len = (size_t)snprintf(model, sizeof(model), "%lld", (long long)number);
        break;
    }
    case 2: {
        size_t offset = random_below(&rng, 2 * model_len + 10);
        if (offset + text.len >= MODEL_MAX)
            return;
        string_set_range(e, offset, text);
        model_write(offset, text);
        break;
    }
    case 3:
        model_len = random_below(&rng, model_len + 1);
        string_truncate(e, model_len);
        break;
    default:
        if (model_len + text.len >= MODEL_MAX)
            return;
        string_append(e, text);
        model_write(model_len, text);
    }
}

static void random_changes_match_a_model(void **state)
{
    (void)state;
    rng = random_init();
    struct entry *e = entry_build(slice_of("the key"), 77, VALUE_STRING);
    model_len = 0;
    check(e);
    for (unsigned i = 0; i < 20000; i++) {
        change(&e);
        check(e);
    }
    entry_destroy(e);
}

static void expect_encoding(const char *text, const char *encoding)
{
    struct entry *e = entry_build_string(slice_of("k"), 0, slice_of(text));
    assert_string_equal(entry_encoding(e), encoding);
    string_set(&e, slice_of("something else than before, and longer"));
    string_set(&e, slice_of(text));
    assert_string_equal(entry_encoding(e), encoding);
    entry_destroy(e);
}

static void encodings_are_those_of_redis(void **state)
{
    (void)state;
    expect_encoding("", "embstr");
    expect_encoding("12", "int");
    expect_encoding("-9223372036854775808", "int");
    expect_encoding("9223372036854775808", "embstr");
    expect_encoding("-0", "embstr");
    expect_encoding("01", "embstr");
    expect_encoding("1234567890123456789012345678901234567890abcd", "embstr");
    expect_encoding("1234567890123456789012345678901234567890abcde", "raw");
}

static void a_string_changed_in_place_stays_raw_until_set(void **state)
{
    (void)state;
    struct entry *e = entry_build_integer(slice_of("k"), 0, 1);
    string_append(&e, slice_of("2"));
    assert_string_equal(entry_encoding(e), "raw");
    int64_t number;
    assert_true(string_integer(e, &number));
    assert_int_equal(number, 12);
    struct entry *moved = entry_rekey(e, slice_of("another"), 5);
    assert_string_equal(entry_encoding(moved), "raw");
    string_set(&moved, slice_of("12"));
    assert_string_equal(entry_encoding(moved), "int");
    string_set_range(&moved, 1, slice_of("3"));
    assert_string_equal(entry_encoding(moved), "raw");
    assert_true(slice_equal(text_of(moved), slice_of("13")));
    entry_destroy(moved);
}

static void setting_a_string_replaces_any_value(void **state)
{
    (void)state;
    static const enum value_type types[] = {VALUE_LIST, VALUE_SET, VALUE_HASH};
    for (size_t i = 0; i < 6; i++) {
        struct entry *e = entry_build(slice_of("k"), 9, types[i % 3]);
        for (unsigned n = 0; n < (i < 3 ? 3 : 3000); n++) {
            char text[16];
            struct slice item = slice_make(text, (size_t)snprintf(text, sizeof(text), "i%u", n));
            if (types[i % 3] == VALUE_LIST)
                entry_build_item(&e, item);
            else if (types[i % 3] == VALUE_SET)
                entry_build_member(&e, item);
            else
                entry_build_field(&e, item, item);
        }
        string_set(&e, slice_of("text"));
        assert_true(slice_equal(text_of(e), slice_of("text")));
        assert_string_equal(entry_encoding(e), "embstr");
        assert_int_equal(entry_expires(e), 9);
        entry_destroy(e);
    }
}

static void only_canonical_integers_are_numbers(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "-",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "1.0",
                                         "00",
                                         "-01",
                                         "1e3",
                                         "0x1",
                                         "9223372036854775808",
                                         "-9223372036854775809",
                                         "99999999999999999999"};
    int64_t number = 5;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(integer_parse(slice_of(others[i]), &number));
    assert_int_equal(number, 5);
    rng = random_init();
    for (unsigned i = 0; i < 10000; i++) {
        int64_t wanted = (int64_t)random_next(&rng) >> random_below(&rng, 64);
        char scratch[24];
        assert_true(integer_parse(integer_format(wanted, scratch), &number));
        assert_int_equal(number, wanted);
    }
}

static void setting_the_same_size_again_stays_in_place(void **state)
{
    (void)state;
    struct entry *e = entry_build_string(slice_of("k"), 0, slice_of("sixteen bytes ok")), *was = e;
    string_set(&e, slice_of("another 16 bytes"));
    string_set(&e, slice_of("shorter"));
    assert_ptr_equal(e, was);
    entry_destroy(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_match_a_model),
        cmocka_unit_test(encodings_are_those_of_redis),
        cmocka_unit_test(a_string_changed_in_place_stays_raw_until_set),
        cmocka_unit_test(setting_a_string_replaces_any_value),
        cmocka_unit_test(only_canonical_integers_are_numbers),
        cmocka_unit_test(setting_the_same_size_again_stays_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
