/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting ops by key: random keys, and those that are hard to sort, come in order, each once. */
#include "persistence/op_sort.h"

#include "tests/persistence/codec_support.h"

enum { COUNT = 20000, KEY_MAX = 128 };

/* The keys of ops that tell their number by their time. */
struct keys {
    char (*bytes)[KEY_MAX];
    struct op_list list;
};

static struct keys keys_create(void)
{
    return (struct keys){.bytes = mem_calloc(COUNT, KEY_MAX)};
}

static void sort_and_check(struct keys *keys)
{
    struct op_list *list = &keys->list;
    struct op_scratch scratch = {0};
    struct op op;
    struct slice before = {0};
    char *seen = mem_calloc(COUNT, 1);
    op_list_sort(list);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(op_binary_decode(op_list_bytes(list, i), &scratch, &op));
        assert_true(slice_equal(op.key, op_list_key(list, i)));
        assert_int_equal(list->refs[i].mark, op.time % 2);
        assert_false(seen[op.time]);
        seen[op.time] = 1;
        int order = i ? slice_compare(before, op.key) : -1;
        assert_true(order < 0 || (order == 0 && list->refs[i - 1].at < list->refs[i].at));
        before = op.key;
    }
    mem_free(seen);
    mem_free(keys->bytes);
    op_list_release(list);
}

static void set_key(struct keys *keys, size_t at, size_t len)
{
    struct op op = {
        .kind = OP_KEY_DELETE, .key = slice_make(keys->bytes[at], len), .time = (int64_t)at};
    op_list_add(&keys->list, &op, at % 2);
}

/* Few different bytes, NUL among them: many keys begin another, or end where a word does. */
static void random_keys_come_in_order(void **state)
{
    (void)state;
    struct random r = random_init();
    for (unsigned letters = 1; letters <= 256; letters *= 4) {
        struct keys keys = keys_create();
        for (size_t i = 0; i < COUNT; i++) {
            size_t len = random_below(&r, 40);
            for (size_t c = 0; c < len; c++)
                keys.bytes[i][c] = (char)random_below(&r, letters);
            set_key(&keys, i, len);
        }
        sort_and_check(&keys);
    }
}

static void ops_of_one_key_keep_their_order(void **state)
{
    (void)state;
    struct keys keys = keys_create();
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(keys.bytes[i], "counter-of-visits", 17);
        set_key(&keys, i, i % 3 ? 7 : 17);
    }
    sort_and_check(&keys);
}

static void rising_and_falling_keys_are_interleaved(void **state)
{
    (void)state;
    struct keys keys = keys_create();
    for (size_t i = 0; i < COUNT; i++) {
        int len = snprintf(keys.bytes[i], KEY_MAX, "%08zu", i % 2 ? i : COUNT - i);
        set_key(&keys, i, (size_t)len);
    }
    sort_and_check(&keys);
}

/* What tells keys apart begins anywhere in a word, and some end before it, or soon behind. */
static void keys_that_begin_alike_come_in_order(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int before = 1; before < 20; before++) {
        struct keys keys = keys_create();
        for (size_t i = 0; i < COUNT; i++) {
            unsigned number = (unsigned)random_below(&r, 1000);
            int len = snprintf(keys.bytes[i], KEY_MAX, "%.*s%06u", before, "bench:hash:0000000000",
                               number);
            if (random_below(&r, 4) == 0)
                len = (int)random_below(&r, (uint64_t)len + 1);
            memset(keys.bytes[i] + len, 0, 2);
            set_key(&keys, i, (size_t)len + random_below(&r, 3));
        }
        sort_and_check(&keys);
    }
}

/* Byte by byte only a few keys leave the rest: the worst that keys can do to a sort by bytes. */
static void keys_that_part_one_by_one_come_in_order(void **state)
{
    (void)state;
    struct keys keys = keys_create();
    for (size_t i = 0; i < COUNT; i++) {
        size_t len = i * 7 % (KEY_MAX - 1);
        memset(keys.bytes[i], 'a', len);
        keys.bytes[i][len] = i % 3 ? 'b' : 'a';
        set_key(&keys, i, len + i % 2);
    }
    sort_and_check(&keys);
}

/* So long that refs do not tell how long: two heaps of them, each the same but for its end. */
static void keys_of_megabytes_come_in_order(void **state)
{
    (void)state;
    enum { KEYS = 26 };
    size_t len = OP_REF_LONG + 100;
    struct op_list list = {0};
    struct slice before = {0};
    char *key = mem_alloc(len);
    memset(key, 'a', len);
    for (int i = 0; i < KEYS; i++) {
        key[OP_REF_LONG + 8] = (char)('a' + i % 2);
        key[len - 1] = (char)('z' - i);
        struct op op = {.kind = OP_KEY_DELETE, .key = slice_make(key, len), .time = i};
        op_list_add(&list, &op, false);
    }
    op_list_sort(&list);
    for (size_t i = 0; i < KEYS; i++) {
        struct slice sorted = op_list_key(&list, i);
        assert_int_equal(sorted.len, len);
        assert_true(i == 0 || slice_compare(before, sorted) < 0);
        before = sorted;
    }
    op_list_release(&list);
    mem_free(key);
}

static void no_ops_need_no_order(void **state)
{
    (void)state;
    struct op_list list = {0};
    op_list_sort(&list);
    op_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_keys_come_in_order),
        cmocka_unit_test(ops_of_one_key_keep_their_order),
        cmocka_unit_test(rising_and_falling_keys_are_interleaved),
        cmocka_unit_test(keys_that_begin_alike_come_in_order),
        cmocka_unit_test(keys_that_part_one_by_one_come_in_order),
        cmocka_unit_test(keys_of_megabytes_come_in_order),
        cmocka_unit_test(no_ops_need_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
