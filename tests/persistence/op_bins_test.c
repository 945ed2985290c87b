/* SPDX-License-Identifier: BSD-3-Clause */
/* Ops by key: random keys, and those that are hard to sort or to tell apart, come in order, each op
 * once, whether they lie in one bin or in many. */
#include "persistence/op_bins.h"

#include "tests/persistence/codec_support.h"

enum { COUNT = 20000, MANY = 400000, KEY_MAX = 128, NOW = 1795212345 };

/* The keys of ops that tell their number by their time. */
struct keys {
    char (*bytes)[KEY_MAX];
    size_t added;
    struct op_bins bins;
};

static struct keys keys_create(void)
{
    return (struct keys){.bytes = mem_calloc(MANY, KEY_MAX)};
}

static size_t check_ref(struct keys *keys, const struct op_ref *ref, struct op_scratch *scratch)
{
    struct op op;
    op_bins_decode(&keys->bins, ref, scratch, &op);
    size_t at = (size_t)(op.time - NOW);
    assert_true(at < keys->added);
    assert_true(slice_equal(op.key, op_ref_key(ref)));
    assert_memory_equal(op.key.data, keys->bytes[at], op.key.len);
    assert_int_equal(ref->mark, at % 2);
    return at;
}

/* Returns how many bins there were. */
static size_t sort_and_check(struct keys *keys)
{
    struct op_bins *bins = &keys->bins;
    struct op_scratch scratch = {0};
    struct text before = {0};
    size_t last = 0, given = 0, count = 0;
    char *seen = mem_calloc(keys->added, 1);
    for (; op_bins_next(bins); count++) {
        for (size_t i = 0; i < bins->ref_count; i++, given++) {
            size_t at = check_ref(keys, &bins->refs[i], &scratch);
            struct slice key = op_ref_key(&bins->refs[i]);
            int order = given ? slice_compare(text_slice(&before), key) : -1;
            assert_true(order < 0 || (order == 0 && last < at));
            assert_false(seen[at]);
            seen[at] = 1;
            last = at;
            text_clear(&before);
            text_append_slice(&before, key);
        }
    }
    assert_int_equal(given, keys->added);
    assert_int_equal(bins->ref_count, 0);
    mem_free(seen);
    mem_free(keys->bytes);
    text_release(&before);
    op_scratch_release(&scratch);
    op_bins_release(bins);
    return count;
}

/* Of the key of the next op, so many bytes. */
static void add_key(struct keys *keys, size_t len)
{
    size_t at = keys->added++;
    struct op op = {
        .kind = OP_KEY_DELETE, .key = slice_make(keys->bytes[at], len), .time = NOW + (int64_t)at};
    op_bins_add(&keys->bins, &op, at % 2);
    assert_int_equal(op.time, NOW + (int64_t)at);
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
            add_key(&keys, len);
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
        add_key(&keys, i % 3 ? 7 : 17);
    }
    sort_and_check(&keys);
}

static void rising_and_falling_keys_are_interleaved(void **state)
{
    (void)state;
    struct keys keys = keys_create();
    for (size_t i = 0; i < COUNT; i++) {
        int len = snprintf(keys.bytes[i], KEY_MAX, "%08zu", i % 2 ? i : COUNT - i);
        add_key(&keys, (size_t)len);
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
            add_key(&keys, (size_t)len + random_below(&r, 3));
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
        add_key(&keys, len + i % 2);
    }
    sort_and_check(&keys);
}

/* So that a sort by a few bits at a time would go on and on. */
static void long_keys_that_part_one_by_one_come_in_order(void **state)
{
    (void)state;
    enum { KEYS = 4000, LEN = 1000 };
    char *keys = mem_calloc(KEYS, LEN);
    struct op_ref *refs = mem_calloc(KEYS, sizeof(*refs));
    struct op_ref *spare = mem_alloc(KEYS * sizeof(*spare));
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = i * 7 % (LEN - 1);
        refs[i] = (struct op_ref){.at = keys + i * LEN, .key_len = (uint32_t)len + 1};
        memset(keys + i * LEN, 'a', len);
        keys[i * LEN + len] = i % 2 ? 'b' : 'a';
    }
    op_sort(refs, spare, KEYS);
    for (size_t i = 1; i < KEYS; i++) {
        int order = slice_compare(op_ref_key(&refs[i - 1]), op_ref_key(&refs[i]));
        assert_true(order < 0 || (order == 0 && refs[i - 1].at < refs[i].at));
    }
    mem_free(keys);
    mem_free(refs);
    mem_free(spare);
}

/* Each key is about as frequent as the others: one cut is all that they need, or two. */
static void many_random_keys_lie_in_many_bins(void **state)
{
    (void)state;
    static const char *const shapes[] = {"%06u", "bench:hash:%08u", "%03u:a tail that all have"};
    struct random r = random_init();
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        struct keys keys = keys_create();
        while (keys.added < MANY) {
            unsigned number = (unsigned)random_below(&r, 1000000);
            int len = snprintf(keys.bytes[keys.added], KEY_MAX, shapes[i], number);
            add_key(&keys, (size_t)len);
        }
        assert_true(sort_and_check(&keys) > 32);
    }
}

/* Of several kinds; one in rising order, one rarely, one that is all the same, one of bytes that
 * are all the same but for how many there are, and one that begins where others end. */
static void many_keys_of_several_kinds_come_in_order(void **state)
{
    (void)state;
    struct random r = random_init();
    struct keys keys = keys_create();
    while (keys.added < MANY) {
        char *key = keys.bytes[keys.added];
        unsigned number = (unsigned)random_below(&r, 100000);
        int len = 0;
        switch (random_below(&r, 6)) {
        case 0: len = snprintf(key, KEY_MAX, "job:%09zu:%0100d", keys.added, 0); break;
        case 1: len = snprintf(key, KEY_MAX, "object:%u", number); break;
        case 2: len = snprintf(key, KEY_MAX, "hits"); break;
        case 3: len = (int)random_below(&r, 20); break; /* NUL */
        case 4: len = snprintf(key, KEY_MAX, "job:000%.*s", (int)(number % 9), "00000000"); break;
        case 5: len = 0; break;
        }
        add_key(&keys, (size_t)len);
    }
    assert_true(sort_and_check(&keys) > 32);
}

/* No cut is between ops of one key, however many. */
static void ops_of_one_key_stay_in_one_bin(void **state)
{
    (void)state;
    struct keys keys = keys_create();
    while (keys.added < MANY) {
        memcpy(keys.bytes[keys.added], "counter-of-visits", 17);
        add_key(&keys, 17);
    }
    assert_int_equal(sort_and_check(&keys), 1);
}

/* Longer than a block of a bin, and all the same but for their ends. */
static void keys_of_megabytes_come_in_order(void **state)
{
    (void)state;
    enum { KEYS = 26, LEN = 3 << 20 };
    struct op_bins bins = {0};
    struct text before = {0};
    size_t given = 0;
    char *key = mem_alloc(LEN);
    memset(key, 'a', LEN);
    for (int i = 0; i < KEYS; i++) {
        key[LEN - 9] = (char)('a' + i % 2);
        key[LEN - 1] = (char)('z' - i);
        struct op op = {.kind = OP_KEY_DELETE, .key = slice_make(key, LEN), .time = i};
        op_bins_add(&bins, &op, false);
    }
    while (op_bins_next(&bins)) {
        for (size_t i = 0; i < bins.ref_count; i++, given++) {
            struct slice sorted = op_ref_key(&bins.refs[i]);
            assert_int_equal(sorted.len, LEN);
            assert_true(given == 0 || slice_compare(text_slice(&before), sorted) < 0);
            text_clear(&before);
            text_append_slice(&before, sorted);
        }
    }
    assert_int_equal(given, KEYS);
    text_release(&before);
    op_bins_release(&bins);
    mem_free(key);
}

static void what_is_cleared_is_gone(void **state)
{
    (void)state;
    struct keys keys = keys_create();
    while (keys.added < MANY) {
        int len = snprintf(keys.bytes[keys.added], KEY_MAX, "key:%zu of many", keys.added);
        add_key(&keys, (size_t)len);
    }
    op_bins_clear(&keys.bins);
    keys.added = 0;
    while (keys.added < COUNT) {
        int len = snprintf(keys.bytes[keys.added], KEY_MAX, "key:%zu", keys.added);
        add_key(&keys, (size_t)len);
    }
    assert_int_equal(sort_and_check(&keys), 1);
}

static void times_may_be_any(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, -1, 1};
    struct op_bins bins = {0};
    struct op_scratch scratch = {0};
    struct op op;
    for (size_t i = 0; i < 5; i++) {
        op = (struct op){.kind = OP_KEY_DELETE, .key = slice_of("k"), .time = times[i]};
        op_bins_add(&bins, &op, false);
    }
    assert_true(op_bins_next(&bins));
    assert_int_equal(bins.ref_count, 5);
    for (size_t i = 0; i < 5; i++) {
        op_bins_decode(&bins, &bins.refs[i], &scratch, &op);
        assert_true(op.time == times[i]);
    }
    op_scratch_release(&scratch);
    op_bins_release(&bins);
}

static void no_ops_need_no_order(void **state)
{
    (void)state;
    struct op_bins bins = {0};
    assert_false(op_bins_next(&bins));
    op_bins_release(&bins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_keys_come_in_order),
        cmocka_unit_test(ops_of_one_key_keep_their_order),
        cmocka_unit_test(rising_and_falling_keys_are_interleaved),
        cmocka_unit_test(keys_that_begin_alike_come_in_order),
        cmocka_unit_test(keys_that_part_one_by_one_come_in_order),
        cmocka_unit_test(long_keys_that_part_one_by_one_come_in_order),
        cmocka_unit_test(many_random_keys_lie_in_many_bins),
        cmocka_unit_test(many_keys_of_several_kinds_come_in_order),
        cmocka_unit_test(ops_of_one_key_stay_in_one_bin),
        cmocka_unit_test(keys_of_megabytes_come_in_order),
        cmocka_unit_test(what_is_cleared_is_gone),
        cmocka_unit_test(times_may_be_any),
        cmocka_unit_test(no_ops_need_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
