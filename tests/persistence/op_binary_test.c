/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops in binary: every op comes back as it was, the bytes never change, damage is refused. */
#include "persistence/op_binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ops/value.h"
#include "tests/support/op_random.h"

#define ROUNDS 400 /* of every kind */

static void numbers_of_kinds_never_change(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t number;
    } pinned[] = {
        {"ScalarSet", 1},      {"ScalarDelete", 2}, {"IntSet", 3},          {"IntAdd", 4},
        {"IntMul", 5},         {"IntDiv", 6},       {"FloatAdd", 7},        {"StringAppend", 8},
        {"StringSetRange", 9}, {"SetAdd", 10},      {"SetRemove", 11},      {"IntMapSet", 12},
        {"IntMapAdd", 13},     {"IntMapMul", 14},   {"IntMapDiv", 15},      {"IntMapDelete", 16},
        {"FloatMapAdd", 17},   {"MapSet", 18},      {"MapDelete", 19},      {"ListAppend", 20},
        {"ListPrepend", 21},   {"ListPop", 22},     {"ListSet", 23},        {"ListInsert", 24},
        {"ListRemove", 25},    {"ListTrim", 26},    {"KeyPut", 27},         {"KeyDelete", 28},
        {"KeyExpireAt", 29},   {"KeyPersist", 30},  {"NamespaceClear", 31},
    };
    for (size_t i = 0; i < sizeof(pinned) / sizeof(*pinned); i++) {
        enum op_kind kind;
        assert_true(op_kind_parse(slice_of(pinned[i].name), &kind));
        assert_int_equal(op_binary_number(kind), pinned[i].number);
    }
}

static void bytes_of_an_op_never_change(void **state)
{
    (void)state;
    struct text out = {0};
    struct op op = {.kind = OP_SCALAR_SET, .key = slice_of("k"), .time = 1000};
    op.scalar_set.value = slice_of("v");
    op.scalar_set.condition = OP_CONDITION_XX;
    op.scalar_set.expires = -1;
    op_binary_encode(&out, &op);
    static const char set[] = "\x01\xf9\xd0\x07\x01k\x01v\x02\x01";
    assert_int_equal(out.len, sizeof(set) - 1);
    assert_memory_equal(out.data, set, out.len);

    text_clear(&out);
    struct slice items[] = {slice_of("a"), slice_of("")};
    op = (struct op){.kind = OP_LIST_APPEND, .key = slice_of("l"), .time = 123};
    op.list_append.items = (struct slice_list){items, 2};
    op_binary_encode(&out, &op);
    static const char append[] = "\x14\xf6\x01l\x02\x01"
                                 "a\x00\x00";
    assert_int_equal(out.len, sizeof(append) - 1);
    assert_memory_equal(out.data, append, out.len);
    text_release(&out);
}

typedef void with_op(struct random *r, const struct op *op, struct slice bytes);

static void for_all_kinds(with_op *check)
{
    struct random r = random_init();
    struct op_source source = {.random = &r, .bytes_max = 600, .time = 1795212345678};
    for (unsigned i = 0; i < ROUNDS * OP_COUNT; i++) {
        struct text out = {0};
        struct op_box *box = op_random_kind(&source, (enum op_kind)(i % OP_COUNT));
        box->op.time = (int64_t)random_next(&r) >> random_below(&r, 64);
        text_append_string(&out, "before");
        op_binary_encode(&out, &box->op);
        check(&r, &box->op, slice_make(out.data + 6, out.len - 6));
        op_box_destroy(box);
        text_release(&out);
    }
}

static void check_identity(struct random *r, const struct op *op, struct slice bytes)
{
    (void)r;
    struct op_scratch scratch = {0};
    struct op decoded;
    struct slice key;
    enum op_kind kind;
    assert_int_equal(op_binary_decode(bytes, &scratch, &decoded), bytes.len);
    assert_true(op_equal(op, &decoded));
    op_release(&decoded);
    assert_int_equal(op_binary_skip(bytes, &kind, &key), bytes.len);
    assert_int_equal(kind, op->kind);
    assert_true(slice_equal(key, op->key));
    assert_true(slice_equal(op_binary_key(bytes), op->key));
    op_scratch_release(&scratch);
}

static void every_op_comes_back_as_it_was(void **state)
{
    (void)state;
    for_all_kinds(check_identity);
}

/* A copy of exactly this size, so that a sanitizer sees any look behind it. */
static size_t decode_copy(struct slice bytes, struct op *op)
{
    struct op_scratch scratch = {0};
    char *copy = malloc(bytes.len ? bytes.len : 1);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    size_t len = op_binary_decode(slice_make(copy, bytes.len), &scratch, op);
    if (len)
        op_release(op);
    op_binary_skip(slice_make(copy, bytes.len), NULL, NULL);
    op_scratch_release(&scratch);
    free(copy);
    return len;
}

static void check_truncation(struct random *r, const struct op *op, struct slice bytes)
{
    struct op decoded;
    (void)op;
    if (bytes.len > 200 && random_below(r, 16))
        return;
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(decode_copy(slice_make(bytes.data, len), &decoded), 0);
}

static void an_op_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    for_all_kinds(check_truncation);
}

static void check_damage(struct random *r, const struct op *op, struct slice bytes)
{
    struct op decoded;
    (void)op;
    char *data = (char *)bytes.data;
    for (unsigned i = 0; i < 4; i++)
        data[random_below(r, bytes.len)] = (char)random_next(r);
    assert_true(decode_copy(bytes, &decoded) <= bytes.len);
}

static void damaged_ops_are_refused_or_other_valid_ops(void **state)
{
    (void)state;
    for_all_kinds(check_damage);
}

static void assert_refused(const char *bytes, size_t len)
{
    struct op op;
    assert_int_equal(decode_copy(slice_make(bytes, len), &op), 0);
}

static void what_apply_could_not_take_is_refused(void **state)
{
    (void)state;
#define REFUSED(bytes) assert_refused(bytes, sizeof(bytes) - 1)
    REFUSED("\x00\x00\x01k");                 /* no such kind */
    REFUSED("\x20\x00\x01k");                 /* nor this */
    REFUSED("\x02\xf8\x05\x01k");             /* a number not in its shortest form */
    REFUSED("\x02\xf9\xff\x00\x01k");         /* nor this one */
    REFUSED("\x12\x00\x01k\x01\x01a\x00");    /* MapSet with half a pair */
    REFUSED("\x01\x00\x01k\x01v\x03\x00");    /* ScalarSet GT */
    REFUSED("\x01\x00\x01k\x01v\x09\x00");    /* a condition that is none */
    REFUSED("\x16\x00\x01k\x02\x01");         /* a side that is none */
    REFUSED("\x1b\x00\x01k\x02\x00\x00\x00"); /* KeyPut of an empty set */
    REFUSED("\x1b\x00\x01k\x02\x02\x01"
            "a\x01"
            "a\x00\x00");                                         /* a member twice */
    REFUSED("\x1f\x00\x01k");                                     /* NamespaceClear with a key */
    REFUSED("\x0a\x00\x01k\xff\xff\xff\xff\xff\xff\xff\xff\xff"); /* items without number */
#undef REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_kinds_never_change),
        cmocka_unit_test(bytes_of_an_op_never_change),
        cmocka_unit_test(every_op_comes_back_as_it_was),
        cmocka_unit_test(an_op_cut_short_anywhere_is_refused),
        cmocka_unit_test(damaged_ops_are_refused_or_other_valid_ops),
        cmocka_unit_test(what_apply_could_not_take_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
