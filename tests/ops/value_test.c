/* SPDX-License-Identifier: BSD-3-Clause */
/* What holds for values of every type and form: copies, equality, new keys, deadlines, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ops/entry.h"
#include "ops/mem.h"
#include "ops/value-internal.h"
#include "tests/support/random.h"

static const size_t sizes[] = {1, 3, 20, 128, 129, 600, 3000};
enum { SIZES = sizeof(sizes) / sizeof(*sizes), KINDS = 5 };

static struct slice text_of(unsigned n, char out[32])
{
    return slice_make(out, (size_t)snprintf(out, 32, "item-%u", n));
}

/* Kinds: string, list, set, hash, set of integers; `order` walks the items another way round. */
static struct entry *build(unsigned kind, size_t size, unsigned order, struct slice key)
{
    static const enum value_type types[] = {VALUE_STRING, VALUE_LIST, VALUE_SET, VALUE_HASH,
                                            VALUE_SET};
    struct entry *e = entry_build(key, 0, types[kind]);
    for (unsigned i = 0; i < size; i++) {
        unsigned n = order ? (unsigned)size - 1 - i : i;
        char text[32], number[32];
        struct slice item = text_of(n, text);
        struct slice digits = slice_make(number, (size_t)snprintf(number, 32, "%u", n * 1000));
        if (kind == 0)
            string_append(&e, item);
        else if (kind == 1)
            entry_build_item(&e, item);
        else if (kind == 2)
            assert_true(entry_build_member(&e, item));
        else if (kind == 3)
            assert_true(entry_build_field(&e, item, digits));
        else
            assert_true(entry_build_member(&e, digits));
    }
    return e;
}

static void change_last(struct entry **e, unsigned kind)
{
    switch (kind) {
    case 0: string_set_range(e, value_len(*e) - 1, slice_of("#")); return;
    case 1: list_replace(e, value_len(*e) - 1, slice_of("#")); return;
    case 3: hash_set(e, slice_of("item-0"), slice_of("#")); return;
    default:
        assert_true(set_remove(e, slice_of(kind == 2 ? "item-0" : "0")));
        assert_true(set_add(e, slice_of("1")));
    }
}

static void copies_are_equal_and_independent(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < SIZES; i++) {
            struct entry *e = build(kind, sizes[i], 0, slice_of("from"));
            struct entry *copy = entry_copy(e, slice_of("to another key"), 99);
            assert_true(value_equal(e, copy));
            assert_string_equal(entry_encoding(e), entry_encoding(copy));
            assert_int_equal(entry_expires(copy), 99);
            assert_int_equal(entry_expires(e), 0);
            assert_true(slice_equal(entry_key(copy), slice_of("to another key")));
            change_last(&copy, kind);
            assert_false(value_equal(e, copy));
            entry_destroy(e);
            entry_destroy(copy);
        }
}

static void equality_looks_at_contents_not_form(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < KINDS; kind++)
        for (unsigned i = 1; i < SIZES; i++) {
            struct entry *a = build(kind, sizes[i], 0, slice_of("a"));
            struct entry *b = build(kind, sizes[i], 1, slice_of("b"));
            struct entry *less = build(kind, sizes[i - 1], 0, slice_of("c"));
            assert_int_equal(value_equal(a, b), kind != 1);
            assert_false(value_equal(a, less));
            if (kind == 4) {
                set_add(&b, slice_of("no number"));
                set_remove(&b, slice_of("no number"));
                assert_true(value_equal(a, b) && value_equal(b, a));
            }
            entry_destroy(a);
            entry_destroy(b);
            entry_destroy(less);
        }
    struct entry *number = entry_build_integer(slice_of("n"), 0, 12);
    struct entry *text = entry_build_integer(slice_of("t"), 0, 1);
    string_append(&text, slice_of("2"));
    assert_true(value_equal(number, text));
    entry_destroy(number);
    entry_destroy(text);
}

static void a_new_key_keeps_the_value(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < SIZES; i++) {
            struct entry *twin = build(kind, sizes[i], 0, slice_of("twin"));
            struct entry *e = build(kind, sizes[i], 0, slice_of("old"));
            e = entry_rekey(e, slice_of("a longer new key"), 5);
            assert_true(slice_equal(entry_key(e), slice_of("a longer new key")));
            assert_int_equal(entry_expires(e), 5);
            assert_true(value_equal(e, twin));
            e = entry_rekey(e, slice_of("a longer new key"), 0);
            assert_int_equal(entry_expires(e), 0);
            assert_true(value_equal(e, twin));
            assert_string_equal(entry_encoding(e), entry_encoding(twin));
            entry_destroy(e);
            entry_destroy(twin);
        }
}

static void a_deadline_comes_and_goes_without_touching_the_value(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < SIZES; i++) {
            struct entry *twin = build(kind, sizes[i], 0, slice_of("twin"));
            struct entry *e = build(kind, sizes[i], 0, slice_of("key"));
            static const int64_t deadlines[] = {INT64_MAX, 1, 0, 0, 5, 0};
            for (unsigned d = 0; d < 6; d++) {
                entry_set_expires(&e, deadlines[d]);
                assert_int_equal(entry_expires(e), deadlines[d]);
                assert_true(value_equal(e, twin));
                assert_true(slice_equal(entry_key(e), slice_of("key")));
            }
            entry_destroy(e);
            entry_destroy(twin);
        }
}

static void sampled_memory_is_near_the_whole(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct entry *e = build(kind, 3000, 0, slice_of("key"));
        size_t whole = entry_memory(e, 0), sampled = entry_memory(e, 5);
        assert_true(whole >= value_len(e));
        assert_in_range(sampled, whole * 7 / 10, whole * 13 / 10);
        entry_destroy(e);
    }
}

static void small_values_are_one_allocation(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct entry *e = build(kind, 3, 0, slice_of("a key of twenty byte"));
        assert_int_equal(entry_memory(e, 0), mem_usable(e));
        assert_true(mem_usable(e) <= 80);
        entry_destroy(e);
    }
}

static void builders_keep_one_of_equal_items(void **state)
{
    (void)state;
    struct entry *set = entry_build(slice_of("s"), 0, VALUE_SET);
    struct entry *hash = entry_build(slice_of("h"), 0, VALUE_HASH);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned n = 0; n < 500; n++) {
            char text[32];
            struct slice item = text_of(n, text);
            assert_int_equal(entry_build_member(&set, item), round == 0);
            assert_int_equal(entry_build_field(&hash, item, item), round == 0);
        }
    assert_int_equal(value_len(set), 500);
    assert_int_equal(value_len(hash), 500);
    entry_destroy(set);
    entry_destroy(hash);
    entry_destroy(NULL);
}

static void types_have_redis_names(void **state)
{
    (void)state;
    assert_string_equal(value_type_name(VALUE_STRING), "string");
    assert_string_equal(value_type_name(VALUE_LIST), "list");
    assert_string_equal(value_type_name(VALUE_SET), "set");
    assert_string_equal(value_type_name(VALUE_HASH), "hash");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_equal_and_independent),
        cmocka_unit_test(equality_looks_at_contents_not_form),
        cmocka_unit_test(a_new_key_keeps_the_value),
        cmocka_unit_test(a_deadline_comes_and_goes_without_touching_the_value),
        cmocka_unit_test(sampled_memory_is_near_the_whole),
        cmocka_unit_test(small_values_are_one_allocation),
        cmocka_unit_test(builders_keep_one_of_equal_items),
        cmocka_unit_test(types_have_redis_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
