/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON reader against jansson, on random documents, whole and damaged. */
#include "persistence/json_reader.h"

#include "persistence/json_writer.h"
#include "tests/support/bytes.h"
#include "tests/support/json_oracle.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- the same seeded walk writes a document, then says what must be read from it ---- */

static void write_any(struct random *r, struct json_writer *writer, int depth)
{
    char bytes[BYTES_MAX];
    uint64_t count;
    switch (random_below(r, depth < 6 ? 7 : 5)) {
    case 0: json_write_bytes(writer, bytes_random(r, bytes)); break;
    case 1: json_write_scalar(writer, bytes_random(r, bytes)); break;
    case 2: json_write_int64(writer, int64_random(r)); break;
    case 3: json_write_bool(writer, random_below(r, 2)); break;
    case 4: json_write_null(writer); break;
    case 5:
        json_begin_object(writer);
        for (count = random_below(r, 6); count; count--) {
            json_write_name(writer, bytes_random(r, bytes));
            write_any(r, writer, depth + 1);
        }
        json_end_object(writer);
        break;
    case 6:
        json_begin_array(writer);
        for (count = random_below(r, 6); count; count--)
            write_any(r, writer, depth + 1);
        json_end_array(writer);
        break;
    }
}

/* The value read before the last stays what it was: slices live as long as the scratch. */
struct kept {
    struct slice read;
    char expected[BYTES_MAX];
    size_t len;
};

static void keep(struct kept *kept, struct slice read, struct slice expected)
{
    assert_true(slice_equal(read, expected));
    assert_true(slice_equal(kept->read, slice_make(kept->expected, kept->len)));
    kept->read = read;
    kept->len = expected.len;
    memcpy(kept->expected, expected.data, expected.len);
}

static void read_any(struct random *r, struct json_reader *reader, struct kept *kept, int depth)
{
    char bytes[BYTES_MAX];
    struct slice found;
    int64_t number;
    bool truth;
    uint64_t count;
    switch (random_below(r, depth < 6 ? 7 : 5)) {
    case 0:
        assert_true(json_read_bytes(reader, &found));
        keep(kept, found, bytes_random(r, bytes));
        break;
    case 1:
        assert_true(json_read_scalar(reader, &found));
        keep(kept, found, bytes_random(r, bytes));
        break;
    case 2:
        assert_true(json_expect_int64(reader, &number));
        assert_true(number == int64_random(r));
        break;
    case 3:
        assert_true(json_expect_bool(reader, &truth));
        assert_int_equal(truth, random_below(r, 2));
        break;
    case 4: assert_true(json_expect_null(reader)); break;
    case 5:
        assert_true(json_expect_object(reader));
        for (count = random_below(r, 6); count; count--) {
            assert_true(json_next_name(reader, &found));
            keep(kept, found, bytes_random(r, bytes));
            read_any(r, reader, kept, depth + 1);
        }
        assert_false(json_next_name(reader, &found));
        break;
    case 6:
        assert_true(json_expect_array(reader));
        for (count = random_below(r, 6); count; count--) {
            assert_true(json_next_element(reader));
            read_any(r, reader, kept, depth + 1);
        }
        assert_false(json_next_element(reader));
        break;
    }
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct random seeds = random_init();
    for (int round = 0; round < 20000; round++) {
        struct random writing = random_from(random_next(&seeds)), reading = writing;
        struct text out = {0}, scratch = {0};
        struct json_writer writer;
        struct json_reader reader;
        struct kept kept = {0};
        json_writer_init(&writer, &out);
        write_any(&writing, &writer, 0);
        json_reader_init(&reader, text_slice(&out), &scratch);
        read_any(&reading, &reader, &kept, 0);
        assert_true(json_expect_end(&reader));
        assert_string_equal(json_reader_error(&reader), "");
        assert_true(json_oracle_agrees(text_slice(&out)));
        text_release(&out);
        text_release(&scratch);
    }
}

/* ---- damage ---- */

static void mutate(struct random *r, struct text *text)
{
    static const char likely[] = "\"\\{}[]:,0123456789-+.eEutrfnalsx \n\t/bdD";
    for (uint64_t times = 1 + random_below(r, 3); times && text->len; times--) {
        size_t at = random_below(r, text->len), len;
        switch (random_below(r, 5)) {
        case 0: text->data[at] ^= (char)(1 << random_below(r, 8)); break;
        case 1: text->data[at] = likely[random_below(r, sizeof(likely) - 1)]; break;
        case 2: text->len = at; break;
        case 3:
            memmove(text->data + at, text->data + at + 1, text->len - at - 1);
            text->len--;
            break;
        case 4: /* a piece once more, over what follows or at the end */
            len = 1 + random_below(r, text->len - at);
            text_reserve(text, len);
            memcpy(text->data + text->len, text->data + at, len);
            text->len += len;
            break;
        }
    }
}

static void damaged_documents_are_judged_as_jansson_does(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int round = 0; round < 60000; round++) {
        struct text out = {0};
        struct json_writer writer;
        json_writer_init(&writer, &out);
        write_any(&r, &writer, (int)random_below(&r, 5));
        mutate(&r, &out);
        assert_true(json_oracle_agrees(text_slice(&out)));
        text_release(&out);
    }
}

static void no_prefix_of_a_document_is_one(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\":[1,-2,true,false,null,\"x\\u00e9\\ud83d\\ude00\xc3\xa9\"],\"b\":{\"c\":\"\"}}";
    struct text scratch = {0};
    for (size_t len = 0; len < sizeof(whole); len++) {
        /* Its own block, so that a sanitizer sees a read behind it. */
        char *copy = malloc(len + 1);
        struct json_reader reader;
        memcpy(copy, whole, len);
        json_reader_init(&reader, slice_make(copy, len), &scratch);
        assert_int_equal(oracle_accepts(&reader), len == sizeof(whole) - 1);
        text_clear(&scratch);
        free(copy);
    }
    text_release(&scratch);
}

static void check_error(const char *input, const char *expected)
{
    struct text scratch = {0};
    struct json_reader reader;
    json_reader_init(&reader, slice_of(input), &scratch);
    if (oracle_accepts(&reader))
        fail_msg("accepted: %s", input);
    assert_string_equal(json_reader_error(&reader), expected);
    assert_true(json_reader_failed(&reader));
    struct json_event event;
    assert_false(json_read_event(&reader, &event));
    assert_false(json_skip_value(&reader, NULL));
    assert_string_equal(json_reader_error(&reader), expected);
    text_release(&scratch);
}

static void errors_say_what_and_where(void **state)
{
    (void)state;
    check_error("", "expected a value at byte 0");
    check_error("  ", "expected a value at byte 2");
    check_error("{\"a\":1 x", "expected ',' or '}' at byte 7");
    check_error("[1 2]", "expected ',' or ']' at byte 3");
    check_error("[1,]", "expected a value at byte 3");
    check_error("{\"a\":1,}", "expected a name at byte 7");
    check_error("{1:2}", "expected a name or '}' at byte 1");
    check_error("{\"a\" 1}", "expected ':' at byte 5");
    check_error("{\"a\":}", "expected a value at byte 5");
    check_error("[\"abc", "string without end at byte 1");
    check_error("\"a\nb\"", "control character in a string at byte 2");
    check_error("\"a\xff\"", "invalid UTF-8 at byte 2");
    check_error("\"ab\\x\"", "invalid escape in a string at byte 3");
    check_error("\"\\u12g4\"", "invalid escape in a string at byte 1");
    check_error("\"\\ud800\"", "invalid escape in a string at byte 1");
    check_error("\"\\ud800\\u0041\"", "invalid escape in a string at byte 1");
    check_error("\"\\ud800\\ue000\"", "invalid escape in a string at byte 1");
    check_error("\"\\ud800\\udbff\"", "invalid escape in a string at byte 1");
    check_error("\"\\udc00\"", "invalid escape in a string at byte 1");
    check_error("-", "expected a digit at byte 1");
    check_error("-x", "expected a digit at byte 1");
    check_error("1.", "expected a digit at byte 2");
    check_error("1.5e+", "expected a digit at byte 5");
    check_error("01", "expected nothing more at byte 1");
    check_error("+1", "expected a value at byte 0");
    check_error(".5", "expected a value at byte 0");
    check_error("tru", "expected a value at byte 0");
    check_error("NaN", "expected a value at byte 0");
    check_error("{}{}", "expected nothing more at byte 2");
    check_error("[}", "expected a value at byte 1");
    check_error("{]", "expected a name or '}' at byte 1");
    check_error("\xef\xbb\xbf{}", "expected a value at byte 0");
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    char input[2 * JSON_DEPTH_MAX + 3] = "";
    struct text scratch = {0};
    struct json_reader reader;
    memset(input, '[', JSON_DEPTH_MAX);
    memset(input + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    json_reader_init(&reader, slice_of(input), &scratch);
    assert_true(oracle_accepts(&reader));
    memset(input, '[', JSON_DEPTH_MAX + 1);
    memset(input + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    check_error(input, "nested more than 64 levels deep at byte 64");
    text_release(&scratch);
}

/* ---- numbers, values of the wrong kind, tags ---- */

static void numbers_are_integers_only_when_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        bool is_integer;
        int64_t integer;
    } rows[] = {{"0", true, 0},
                {"-1", true, -1},
                {"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"9223372036854775808", false, 0},
                {"123456789012345678901234567890", false, 0},
                {"-0", false, 0},
                {"1.0", false, 0},
                {"1e2", false, 0}};
    struct text scratch = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct json_reader reader;
        struct json_event event;
        int64_t number = 77;
        json_reader_init(&reader, slice_of(rows[i].input), &scratch);
        assert_true(json_read_event(&reader, &event));
        assert_int_equal(event.kind, JSON_KIND_NUMBER);
        assert_true(slice_equal(event.text, slice_of(rows[i].input)));
        assert_int_equal(event.is_integer, rows[i].is_integer);
        json_reader_init(&reader, slice_of(rows[i].input), &scratch);
        assert_int_equal(json_expect_int64(&reader, &number), rows[i].is_integer);
        assert_true(number == (rows[i].is_integer ? rows[i].integer : 77));
        assert_string_equal(json_reader_error(&reader),
                            rows[i].is_integer ? "" : "number not an integer of 64 bits at byte 0");
    }
    text_release(&scratch);
}

/* Not the end of the text is behind them: most are taken by a shorter way. */
static void numbers_end_where_something_else_begins(void **state)
{
    (void)state;
    static const struct {
        const char *input, *text; /* NULL: no integer */
    } rows[] = {{"0,", "0"},
                {"7]", "7"},
                {"-42 ,", "-42"},
                {"123456789012345678,", "123456789012345678"},
                {"-9223372036854775808,", "-9223372036854775808"},
                {"9223372036854775808,", NULL},
                {"-0,", NULL},
                {"1.0,", NULL},
                {"1E2,", NULL},
                {"01,", "0"},
                {"-,", NULL}};
    struct text scratch = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct json_reader reader;
        struct slice text = {0};
        int64_t number = 77, expected = 77;
        bool integer = rows[i].text && text_parse_int64(slice_of(rows[i].text), &expected);
        json_reader_init(&reader, slice_of(rows[i].input), &scratch);
        assert_int_equal(json_expect_int64(&reader, &number), integer);
        assert_true(number == expected);
        json_reader_init(&reader, slice_of(rows[i].input), &scratch);
        assert_int_equal(json_read_scalar(&reader, &text), integer);
        assert_true(!integer || slice_equal(text, slice_of(rows[i].text)));
    }
    text_release(&scratch);
}

enum wanted { OBJECT, ARRAY, STRING, BYTES, SCALAR, INT64, BOOL, NOTHING };

static bool take(struct json_reader *reader, enum wanted wanted)
{
    struct slice slice;
    int64_t number;
    bool truth;
    switch (wanted) {
    case OBJECT: return json_expect_object(reader);
    case ARRAY: return json_expect_array(reader);
    case STRING: return json_expect_string(reader, &slice);
    case BYTES: return json_read_bytes(reader, &slice);
    case SCALAR: return json_read_scalar(reader, &slice);
    case INT64: return json_expect_int64(reader, &number);
    case BOOL: return json_expect_bool(reader, &truth);
    case NOTHING: return json_expect_null(reader);
    }
    return false;
}

static void values_of_another_kind_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum wanted wanted;
        const char *input;
        const char *error;
    } rows[] = {{OBJECT, "[]", "expected an object at byte 0"},
                {ARRAY, " {}", "expected an array at byte 1"},
                {STRING, "1", "expected a string at byte 0"},
                {BYTES, "null", "expected a string at byte 0"},
                {BYTES, "\"base64:Zg=\"", "invalid base64 at byte 0"},
                {SCALAR, "1.5", "number not an integer of 64 bits at byte 0"},
                {SCALAR, "true", "expected a string or an integer at byte 0"},
                {INT64, "\"1x\"", "expected an integer at byte 0"},
                {INT64, "[]", "expected an integer at byte 0"},
                {BOOL, "1", "expected true or false at byte 0"},
                {NOTHING, "0", "expected null at byte 0"},
                {OBJECT, "", "expected a value at byte 0"}};
    struct text scratch = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct json_reader reader;
        json_reader_init(&reader, slice_of(rows[i].input), &scratch);
        assert_false(take(&reader, rows[i].wanted));
        assert_string_equal(json_reader_error(&reader), rows[i].error);
    }
    text_release(&scratch);
}

static void strings_without_escapes_are_borrowed(void **state)
{
    (void)state;
    static const char input[] = "[\"plain h\xc3\xa9\",\"\"]";
    struct text scratch = {0};
    struct json_reader reader;
    struct slice found;
    json_reader_init(&reader, slice_of(input), &scratch);
    assert_true(json_expect_array(&reader) && json_next_element(&reader));
    assert_true(json_read_bytes(&reader, &found));
    assert_ptr_equal(found.data, input + 2);
    assert_int_equal(found.len, 9);
    assert_null(scratch.data);
}

static void a_tag_counts_after_its_escapes_are_gone(void **state)
{
    (void)state;
    struct text scratch = {0};
    struct json_reader reader;
    struct slice found;
    json_reader_init(&reader, slice_of("[\"\\u0062ase64:Zm9v\\u0059g==\",\"base64:/w==\"]"),
                     &scratch);
    assert_true(json_expect_array(&reader) && json_next_element(&reader));
    assert_true(json_read_bytes(&reader, &found));
    assert_true(slice_equal(found, slice_of("foob")));
    struct slice second = {0};
    assert_true(json_next_element(&reader) && json_read_bytes(&reader, &second));
    assert_true(slice_equal(second, slice_of("\xff")));
    assert_true(slice_equal(found, slice_of("foob")));
    text_release(&scratch);
}

static void every_code_point_may_be_escaped(void **state)
{
    (void)state;
    struct text input = {0}, scratch = {0};
    text_append_char(&input, '[');
    for (uint32_t point = 0; point < 0x110000; point += point < 0x10000 ? 1 : 61) {
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        text_append_string(&input, point ? ",\"" : "\"");
        if (point < 0x10000)
            text_append_format(&input, point % 2 ? "\\u%04x" : "\\u%04X", point);
        else
            text_append_format(&input, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
                               0xdc00 + (point & 0x3ff));
        text_append_char(&input, '"');
    }
    text_append_string(&input, ",\"\\udbff\\udfff\"]");
    assert_true(json_oracle_agrees(text_slice(&input)));
    struct json_reader reader;
    json_reader_init(&reader, text_slice(&input), &scratch);
    assert_true(oracle_accepts(&reader));
    text_release(&input);
    text_release(&scratch);
}

/* ---- moving about ---- */

static void skipped_values_are_given_raw(void **state)
{
    (void)state;
    struct text scratch = {0};
    struct json_reader reader;
    struct slice name, raw;
    int64_t number = 0;
    json_reader_init(&reader, slice_of("{\"a\": {\"x\" :[\"\\n\", 1]} ,\"b\":\"y\\\"\",\"c\":7}"),
                     &scratch);
    assert_true(json_expect_object(&reader) && json_next_name(&reader, &name));
    assert_true(json_skip_value(&reader, &raw));
    assert_true(slice_equal(raw, slice_of("{\"x\" :[\"\\n\", 1]}")));
    assert_int_equal(json_reader_offset(&reader), 6);
    assert_true(json_next_name(&reader, &name) && json_skip_value(&reader, &raw));
    assert_true(slice_equal(raw, slice_of("\"y\\\"\"")));
    assert_true(json_next_name(&reader, &name) && slice_equal(name, slice_of("c")));
    assert_true(json_expect_int64(&reader, &number) && number == 7);
    assert_false(json_next_name(&reader, &name));
    assert_true(json_expect_end(&reader));
    assert_null(scratch.data);
}

static void a_name_is_taken_only_where_it_stands_just_so(void **state)
{
    (void)state;
    struct text scratch = {0};
    struct json_reader reader;
    struct slice name;
    int64_t number;
    json_reader_init(&reader, slice_of("{\"a\":1,\"b\":2, \"c\":3,\"dd\":4}"), &scratch);
    assert_true(json_expect_object(&reader));
    assert_false(json_take_name(&reader, JSON_NEXT("a"))); /* the first has no comma */
    assert_false(json_take_first_name(&reader, JSON_NEXT("b")));
    assert_true(json_take_first_name(&reader, JSON_NEXT("a")));
    assert_true(json_expect_int64(&reader, &number));
    assert_false(json_take_first_name(&reader, JSON_NEXT("b")));
    assert_false(json_take_name(&reader, JSON_NEXT("c")));
    assert_true(json_take_name(&reader, JSON_NEXT("b")));
    assert_true(json_expect_int64(&reader, &number));
    assert_int_equal(number, 2);
    assert_false(json_take_name(&reader, JSON_NEXT("c"))); /* a space before it */
    assert_true(json_next_name(&reader, &name) && json_expect_int64(&reader, &number));
    assert_false(json_take_name(&reader, JSON_NEXT("d")));
    assert_true(json_next_name(&reader, &name) && json_expect_int64(&reader, &number));
    assert_false(json_take_name(&reader, JSON_NEXT("e")));
    assert_false(json_next_name(&reader, &name));
    assert_true(json_expect_end(&reader));

    json_reader_init(&reader, slice_of("{\"a\":1,\"b\":x"), &scratch);
    assert_true(json_expect_object(&reader) && json_next_name(&reader, &name));
    assert_true(json_expect_int64(&reader, &number));
    assert_true(json_take_name(&reader, JSON_NEXT("b")));
    assert_false(json_expect_int64(&reader, &number));
    assert_false(json_take_name(&reader, JSON_NEXT("b")));
    text_release(&scratch);
}

/* With all that may stand there: as by one call after the other, errors and their places too. */
static void an_object_and_its_first_name_are_taken_together(void **state)
{
    (void)state;
    static const char *const inputs[] = {"{\"a\":1}",
                                         " {\"a\":1}",
                                         "{ \"a\":1}",
                                         "{\"a\" :1}",
                                         "{\"a\\n\":1}",
                                         "{\"\":1}",
                                         "{\"base64:YQ==\":1}",
                                         "{\"base64:Y\":1}",
                                         "{\"a name of more than 16 bytes\":1}",
                                         "{\"\xc3\xa9\":1}",
                                         "{\"\xc3\":1}",
                                         "{}",
                                         "{",
                                         "{\"a",
                                         "{\"a\"",
                                         "{\"a\":",
                                         "[]",
                                         "\"{\"",
                                         "",
                                         "{\"a\n\":1}",
                                         "{\"a\",1}"};
    struct text scratch[2] = {{0}, {0}};
    for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
        struct json_reader one, two;
        struct slice name[2] = {{0}, {0}};
        json_reader_init(&one, slice_of(inputs[i]), &scratch[0]);
        json_reader_init(&two, slice_of(inputs[i]), &scratch[1]);
        bool taken = json_expect_object(&one) && json_next_name(&one, &name[0]);
        assert_int_equal(json_expect_member(&two, &name[1]), taken);
        assert_true(slice_equal(name[0], name[1]));
        assert_string_equal(json_reader_error(&one), json_reader_error(&two));
        assert_int_equal(json_reader_offset(&one), json_reader_offset(&two));
        assert_int_equal(one.depth, two.depth);
        assert_int_equal(one.state, two.state);
        assert_true(one.cursor == two.cursor && one.objects == two.objects);
    }
    text_release(&scratch[0]);
    text_release(&scratch[1]);
}

static void a_beginning_is_taken_only_where_it_stands_just_so(void **state)
{
    (void)state;
    static const struct slice beginning = {"{\"a\":1,\"b\":", 11};
    static const char *const others[] = {"{\"a\":1,\"c\":2}", "{\"a\":1", "  {\"a\":1,\"b\":2}",
                                         "[{\"a\":1,\"b\":2}]", ""};
    struct text scratch = {0};
    struct json_reader reader;
    struct slice name;
    int64_t number;
    json_reader_init(&reader, slice_of("[\n{\"a\":1,\"b\":2,\"c\":3}]"), &scratch);
    assert_true(json_expect_array(&reader) && json_next_element(&reader));
    assert_true(json_take_beginning(&reader, beginning.data, beginning.len));
    assert_true(json_expect_int64(&reader, &number));
    assert_int_equal(number, 2);
    assert_true(json_take_name(&reader, JSON_NEXT("c")) && json_expect_int64(&reader, &number));
    assert_false(json_next_name(&reader, &name) || json_next_element(&reader));
    assert_true(json_expect_end(&reader));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        json_reader_init(&reader, slice_of(others[i]), &scratch);
        assert_false(json_take_beginning(&reader, beginning.data, beginning.len));
        assert_ptr_equal(reader.cursor, others[i]);
        assert_false(json_reader_failed(&reader));
    }
    text_release(&scratch);
}

static void a_mark_is_a_place_to_come_back_to(void **state)
{
    (void)state;
    static const char input[] = "[\"\\tfirst\",{\"\\u0061\":1,\"op\":\"\\u0058\"},\"\\n\"]";
    struct text scratch = {0};
    struct json_reader reader;
    struct json_mark mark;
    struct slice first, name, op;
    int64_t number;
    json_reader_init(&reader, slice_of(input), &scratch);
    assert_true(json_expect_array(&reader) && json_next_element(&reader));
    assert_true(json_expect_string(&reader, &first));
    const char *memory = scratch.data;
    assert_true(json_next_element(&reader));
    json_reader_mark(&reader, &mark);
    for (int round = 0; round < 50; round++) {
        json_reader_rewind(&reader, &mark);
        assert_true(json_expect_object(&reader));
        assert_true(json_next_name(&reader, &name) && slice_equal(name, slice_of("a")));
        assert_true(json_expect_int64(&reader, &number));
        assert_true(json_next_name(&reader, &name) && json_read_bytes(&reader, &op));
        assert_true(slice_equal(op, slice_of("X")));
        assert_false(json_next_name(&reader, &name));
    }
    assert_true(json_next_element(&reader) && json_skip_value(&reader, NULL));
    assert_false(json_next_element(&reader));
    assert_true(json_expect_end(&reader));
    assert_ptr_equal(scratch.data, memory);
    assert_true(slice_equal(first, slice_of("\tfirst")));
    text_release(&scratch);
}

static void a_decoder_may_refuse_what_it_read(void **state)
{
    (void)state;
    struct text scratch = {0};
    struct json_reader reader;
    struct slice name;
    char long_text[500];
    json_reader_init(&reader, slice_of("{\"op\":\"IntSub\"}"), &scratch);
    assert_true(json_expect_object(&reader) && json_next_name(&reader, &name));
    assert_true(json_read_bytes(&reader, &name));
    assert_false(json_reader_fail(&reader, "unknown op %.*s", (int)name.len, name.data));
    assert_string_equal(json_reader_error(&reader), "unknown op IntSub at byte 6");
    assert_false(json_reader_fail(&reader, "another"));
    assert_false(json_next_name(&reader, &name));
    assert_string_equal(json_reader_error(&reader), "unknown op IntSub at byte 6");

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    json_reader_init(&reader, slice_of("{}"), &scratch);
    json_reader_fail(&reader, "%s", long_text);
    assert_non_null(strstr(json_reader_error(&reader), "xx at byte 0"));
    text_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(damaged_documents_are_judged_as_jansson_does),
        cmocka_unit_test(no_prefix_of_a_document_is_one),
        cmocka_unit_test(errors_say_what_and_where),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(numbers_are_integers_only_when_canonical),
        cmocka_unit_test(numbers_end_where_something_else_begins),
        cmocka_unit_test(values_of_another_kind_are_refused),
        cmocka_unit_test(strings_without_escapes_are_borrowed),
        cmocka_unit_test(a_tag_counts_after_its_escapes_are_gone),
        cmocka_unit_test(every_code_point_may_be_escaped),
        cmocka_unit_test(skipped_values_are_given_raw),
        cmocka_unit_test(a_name_is_taken_only_where_it_stands_just_so),
        cmocka_unit_test(an_object_and_its_first_name_are_taken_together),
        cmocka_unit_test(a_beginning_is_taken_only_where_it_stands_just_so),
        cmocka_unit_test(a_mark_is_a_place_to_come_back_to),
        cmocka_unit_test(a_decoder_may_refuse_what_it_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
