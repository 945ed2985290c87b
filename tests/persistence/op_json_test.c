/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops as JSON: every op comes back as it was, in any order of fields; the rest is refused. */
#include "persistence/op_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/op_random.h"

#define ROUNDS 300 /* of every kind */

static void write_op(struct text *out, const struct op *op, int64_t time)
{
    op_json_write(out, op, &time);
    assert_int_equal(time, op->time);
}

static void every_op_comes_back_as_it_was(void **state)
{
    (void)state;
    struct random r = random_init();
    struct op_source source = {.random = &r, .bytes_max = 300, .time = 1795212345678};
    struct op_scratch scratch = {0};
    for (unsigned i = 0; i < ROUNDS * OP_COUNT; i++) {
        struct text out = {0}, again = {0}, unescaped = {0};
        struct json_reader reader;
        struct op decoded;
        struct op_box *box = op_random_kind(&source, (enum op_kind)(i % OP_COUNT));
        int64_t before = source.time, time = before;
        if (random_below(&r, 2))
            box->op.time = (int64_t)random_next(&r) >> random_below(&r, 64);
        write_op(&out, &box->op, before);
        json_reader_init(&reader, text_slice(&out), &unescaped);
        if (!op_json_read(&reader, &scratch, &time, &decoded) || !json_expect_end(&reader))
            fail_msg("%s in %.*s", json_reader_error(&reader), (int)out.len, out.data);
        assert_true(op_equal(&box->op, &decoded));
        assert_int_equal(time, box->op.time);
        write_op(&again, &decoded, before);
        assert_true(slice_equal(text_slice(&out), text_slice(&again)));
        op_release(&decoded);
        op_box_destroy(box);
        text_release(&out);
        text_release(&again);
        text_release(&unescaped);
    }
    op_scratch_release(&scratch);
}

static void assert_written(const struct op *op, const char *expected)
{
    struct text out = {0};
    write_op(&out, op, 1000);
    assert_string_equal(text_terminated(&out), expected);
    text_release(&out);
}

/* Numbers are put without a look for what is special; their room has to be made all the same. */
static void a_list_of_numbers_may_be_long(void **state)
{
    (void)state;
    struct slice items[500];
    struct text out = {0}, expected = {0};
    struct op op = {.kind = OP_LIST_APPEND, .key = slice_of("k"), .time = 1000};
    text_append_string(&expected, "{\"op\":\"ListAppend\",\"key\":\"k\",\"items\":[");
    for (size_t i = 0; i < 500; i++) {
        items[i] = slice_of(i % 2 ? "9007199254740992" : "-9007199254740992");
        text_append_format(&expected, "%s%s", i ? "," : "", items[i].data);
    }
    text_append_string(&expected, "]}");
    op.list_append.items = (struct slice_list){items, 500};
    write_op(&out, &op, 1000);
    assert_true(slice_equal(text_slice(&out), text_slice(&expected)));
    text_release(&out);
    text_release(&expected);
}

static void the_text_is_as_documented(void **state)
{
    (void)state;
    struct slice items[] = {slice_of("a"), slice_of("7"), slice_make("\xff", 1)};
    struct op op = {.kind = OP_SET_ADD, .key = slice_of("k"), .time = 1000};
    op.set_add.members = (struct slice_list){items, 3};
    assert_written(&op, "{\"op\":\"SetAdd\",\"key\":\"k\",\"members\":[\"a\",7,\"base64:/w==\"]}");
    op = (struct op){.kind = OP_SCALAR_SET, .key = slice_of("12"), .time = 999};
    op.scalar_set.value = slice_of("12");
    assert_written(&op, "{\"op\":\"ScalarSet\",\"key\":\"12\",\"value\":12,\"at\":999}");
    op.scalar_set.condition = OP_CONDITION_NX;
    op.scalar_set.expires = -1;
    op.time = 1000;
    assert_written(&op, "{\"op\":\"ScalarSet\",\"key\":\"12\",\"value\":12,\"condition\":\"nx\","
                        "\"expires\":-1}");
    op = (struct op){.kind = OP_LIST_POP, .key = slice_of("l"), .time = 1000};
    assert_written(&op, "{\"op\":\"ListPop\",\"key\":\"l\",\"side\":\"left\",\"count\":0}");
    op = (struct op){.kind = OP_NAMESPACE_CLEAR, .time = 1000};
    assert_written(&op, "{\"op\":\"NamespaceClear\"}");
}

static void fields_may_come_in_any_order(void **state)
{
    (void)state;
    struct op_scratch scratch = {0};
    struct text unescaped = {0};
    struct json_reader reader;
    struct op op;
    int64_t time = 5;
    json_reader_init(&reader,
                     slice_of(" { \"op\" : \"IntMapSet\", \"at\":6, \"value\":\"3\", "
                              "\"field\":\"f\", \"key\":\"k\" }"),
                     &unescaped);
    assert_true(op_json_read(&reader, &scratch, &time, &op));
    assert_int_equal(op.int_map_set.value, 3);
    assert_int_equal(op.time, 6);
    op_scratch_release(&scratch);
    text_release(&unescaped);
}

static void what_is_no_op_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[]",
        "{}",
        "{\"key\":\"k\",\"op\":\"KeyDelete\"}",
        "{\"op\":\"KeyExplode\",\"key\":\"k\"}",
        "{\"op\":\"KeyDelete\"}",
        "{\"op\":\"KeyDelete\",\"key\":7}",
        "{\"op\":\"KeyDelete\",\"key\":\"k\",\"key\":\"k\"}",
        "{\"op\":\"KeyDelete\",\"key\":\"k\",\"value\":1}",
        "{\"op\":\"KeyDelete\",\"key\":\"k\",\"at\":1,\"at\":1}",
        "{\"op\":\"KeyDelete\",\"key\":\"k\"",
        "{\"op\":\"IntAdd\",\"key\":\"k\"}",
        "{\"op\":\"IntAdd\",\"key\":\"k\",\"delta\":1.5}",
        "{\"op\":\"IntAdd\",\"key\":\"k\",\"delta\":9223372036854775808}",
        "{\"op\":\"ScalarSet\",\"key\":\"k\",\"value\":[]}",
        "{\"op\":\"ScalarSet\",\"key\":\"k\",\"value\":1,\"condition\":\"gt\"}",
        "{\"op\":\"ScalarSet\",\"key\":\"k\",\"value\":1,\"condition\":\"no\"}",
        "{\"op\":\"ScalarSet\",\"key\":\"k\",\"value\":1,\"expires\":-2}",
        "{\"op\":\"MapSet\",\"key\":\"k\",\"pairs\":[1,2,3]}",
        "{\"op\":\"MapSet\",\"key\":\"k\",\"pairs\":[1,}",
        "{\"op\":\"MapSet\",\"key\":\"k\",\"pairs\":[1,2,\"condition\":\"nx\"}",
        "{\"op\":\"ListPop\",\"key\":\"k\",\"side\":\"up\",\"count\":1}",
        "{\"op\":\"KeyPut\",\"key\":\"k\",\"value\":{\"set\":[]}}",
        "{\"op\":\"KeyPut\",\"key\":\"k\",\"value\":{\"string\":1,\"expires\":5}}",
        "{\"op\":\"KeyPut\",\"key\":\"k\",\"value\":1,\"value\":1}",
        "{\"op\":\"NamespaceClear\",\"key\":\"k\"}",
    };
    struct op_scratch scratch = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct text unescaped = {0};
        struct json_reader reader;
        struct op op;
        int64_t time = 0;
        json_reader_init(&reader, slice_of(wrong[i]), &unescaped);
        if (op_json_read(&reader, &scratch, &time, &op))
            fail_msg("accepted %s", wrong[i]);
        assert_non_null(strstr(json_reader_error(&reader), "at byte"));
        text_release(&unescaped);
    }
    op_scratch_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_comes_back_as_it_was),
        cmocka_unit_test(a_list_of_numbers_may_be_long),
        cmocka_unit_test(the_text_is_as_documented),
        cmocka_unit_test(fields_may_come_in_any_order),
        cmocka_unit_test(what_is_no_op_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
