/* SPDX-License-Identifier: BSD-3-Clause */
/* What the JSON writer writes, to the byte; jansson must read all of it. */
#include "persistence/json_writer.h"

#include "tests/support/bytes.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>

static void assert_text(const struct text *text, const char *expected)
{
    if (!slice_equal(text_slice(text), slice_of(expected)))
        fail_msg("got %.*s, expected %s", (int)text->len, text->data, expected);
}

static void check_bytes(struct slice bytes, const char *expected)
{
    struct text out = {0};
    struct json_writer writer;
    json_writer_init(&writer, &out);
    json_write_bytes(&writer, bytes);
    assert_text(&out, expected);
    text_release(&out);
}

static void check_scalar(const char *bytes, const char *expected)
{
    struct text out = {0};
    struct json_writer writer;
    json_writer_init(&writer, &out);
    json_write_scalar(&writer, slice_of(bytes));
    assert_text(&out, expected);
    text_release(&out);
}

static void documents_are_compact_and_commas_are_right(void **state)
{
    (void)state;
    struct text out = {0};
    struct json_writer writer;
    text_append_string(&out, "before ");
    json_writer_init(&writer, &out);
    json_begin_object(&writer);
    json_write_field(&writer, "a");
    json_begin_array(&writer);
    json_begin_object(&writer);
    json_end_object(&writer);
    json_begin_array(&writer);
    json_end_array(&writer);
    json_write_int64(&writer, -5);
    json_write_null(&writer);
    json_write_bool(&writer, true);
    json_write_bool(&writer, false);
    json_end_array(&writer);
    json_write_field(&writer, "b");
    json_write_raw(&writer, slice_of("{\"x\":1}"));
    json_write_name(&writer, slice_make("\xff", 1));
    json_write_string(&writer, "");
    json_end_object(&writer);
    assert_text(&out,
                "before {\"a\":[{},[],-5,null,true,false],\"b\":{\"x\":1},\"base64:/w==\":\"\"}");
    text_release(&out);
}

static void escapes_are_the_shortest_and_only_where_needed(void **state)
{
    (void)state;
    check_bytes(slice_of("\"\\\b\f\n\r\t/\x7f'"), "\"\\\"\\\\\\b\\f\\n\\r\\t/\x7f'\"");
    check_bytes(slice_make("\0\x01\x0b\x1f ", 5), "\"\\u0000\\u0001\\u000b\\u001f \"");
    check_bytes(slice_of("h\xc3\xa9\n\xf0\x9f\x98\x80\""), "\"h\xc3\xa9\\n\xf0\x9f\x98\x80\\\"\"");
    check_bytes((struct slice){NULL, 0}, "\"\"");
}

static void what_is_not_utf8_goes_as_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80", /* continuation alone */
        "\xbf",
        "\xc3", /* cut short */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3(", /* not continued */
        "\xe2(\xa1",
        "\xf0\x9f(\x80",
        "\xc0\xaf", /* overlong */
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "base64:", /* valid, but reads as the tag */
        "base64:abc",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        for (size_t before = 0; before < 18; before++) {
            char bytes[64], expected[128] = "\"base64:";
            size_t bad_len = strlen(bad[i]), len;
            if (bad[i][0] == 'b' && before)
                break;
            memset(bytes, before % 2 ? 'a' : '"', before);
            memcpy(bytes + before, bad[i], bad_len);
            len = before + bad_len;
            EVP_EncodeBlock((unsigned char *)expected + 8, (unsigned char *)bytes, (int)len);
            strcat(expected, "\"");
            check_bytes(slice_make(bytes, len), expected);
            memset(bytes + len, 'z', 10);
            EVP_EncodeBlock((unsigned char *)expected + 8, (unsigned char *)bytes, (int)len + 10);
            strcat(expected, "\"");
            check_bytes(slice_make(bytes, len + 10), expected);
        }
    }
    check_bytes(slice_of("base64"), "\"base64\"");
    check_bytes(slice_of("Base64:"), "\"Base64:\"");
    check_bytes(slice_of(" base64:"), "\" base64:\"");
}

static void scalars_are_numbers_only_when_nothing_is_lost(void **state)
{
    (void)state;
    check_scalar("0", "0");
    check_scalar("-17", "-17");
    check_scalar("9007199254740992", "9007199254740992");
    check_scalar("-9007199254740992", "-9007199254740992");
    check_scalar("9007199254740993", "\"9007199254740993\"");
    check_scalar("-9007199254740993", "\"-9007199254740993\"");
    check_scalar("-9223372036854775808", "\"-9223372036854775808\"");
    check_scalar("-0", "\"-0\"");
    check_scalar("007", "\"007\"");
    check_scalar("+1", "\"+1\"");
    check_scalar("1.0", "\"1.0\"");
    check_scalar(" 1", "\" 1\"");
    check_scalar("", "\"\"");
    check_scalar("inf", "\"inf\"");
}

static void large_integers_are_strings(void **state)
{
    (void)state;
    struct text out = {0};
    struct json_writer writer;
    json_writer_init(&writer, &out);
    json_begin_array(&writer);
    json_write_int64(&writer, JSON_INTEGER_MAX);
    json_write_int64(&writer, JSON_INTEGER_MAX + 1);
    json_write_int64(&writer, -JSON_INTEGER_MAX - 1);
    json_write_int64(&writer, INT64_MIN);
    json_end_array(&writer);
    assert_text(&out, "[9007199254740992,\"9007199254740993\",\"-9007199254740993\","
                      "\"-9223372036854775808\"]");
    text_release(&out);
}

/* What jansson makes of our string must be the bytes, or the tag and what OpenSSL decodes to them.
 */
static void check_with_jansson(struct slice bytes)
{
    struct text out = {0};
    struct json_writer writer;
    json_error_t error;
    json_writer_init(&writer, &out);
    json_write_bytes(&writer, bytes);
    json_t *value = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("jansson: %s: %.*s", error.text, (int)out.len, out.data);
    const char *string = json_string_value(value);
    size_t len = json_string_length(value);
    if (len >= 7 && memcmp(string, "base64:", 7) == 0) {
        unsigned char decoded[2 * BYTES_MAX];
        int got = EVP_DecodeBlock(decoded, (const unsigned char *)string + 7, (int)len - 7);
        assert_true(got >= (int)bytes.len && got < (int)bytes.len + 3);
        assert_memory_equal(decoded, bytes.data, bytes.len);
    } else {
        assert_true(slice_equal(slice_make(string, len), bytes));
    }
    json_decref(value);
    text_release(&out);
}

static void jansson_reads_all_we_write(void **state)
{
    (void)state;
    struct random r = random_init();
    char bytes[BYTES_MAX];
    for (int round = 0; round < 50000; round++)
        check_with_jansson(bytes_random(&r, bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_compact_and_commas_are_right),
        cmocka_unit_test(escapes_are_the_shortest_and_only_where_needed),
        cmocka_unit_test(what_is_not_utf8_goes_as_base64),
        cmocka_unit_test(scalars_are_numbers_only_when_nothing_is_lost),
        cmocka_unit_test(large_integers_are_strings),
        cmocka_unit_test(jansson_reads_all_we_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
