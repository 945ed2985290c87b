/* SPDX-License-Identifier: BSD-3-Clause */
/* States and chunks as text: they come back as they were, and damage is found with its place. */
#include "persistence/chunk.h"

#include "tests/persistence/codec_support.h"

static struct chunk_ref ref_of(struct slice body, uint64_t count)
{
    struct chunk_ref ref = {.object = "chunk-1.jsonl", .bytes = body.len, .count = count};
    sha256_digest_hex(body, ref.sha256);
    return ref;
}

static void insert(void *ctx, struct entry *entry)
{
    keyspace_insert(ctx, entry);
}

/* Into a keyspace, or NULL with the error. */
static struct keyspace *load(struct slice body, uint64_t count, bool state, struct text *error)
{
    struct keyspace *ks = keyspace_create(NULL);
    struct chunk_ref ref = ref_of(body, count);
    if (state ? chunk_load_state(body, insert, ks, error)
              : chunk_load(&ref, body, insert, ks, error))
        return ks;
    keyspace_destroy(ks);
    return NULL;
}

static void collect(void *ctx, struct entry *entry)
{
    struct entry ***at = ctx;
    *(*at)++ = entry;
}

static int compare_entries(const void *a, const void *b)
{
    return slice_compare(entry_key(*(struct entry *const *)a),
                         entry_key(*(struct entry *const *)b));
}

/* The state of `ks` as a chunk and as an inline state. */
static uint64_t encode_state(struct keyspace *ks, struct text *chunk, struct text *state)
{
    size_t count = keyspace_size(ks);
    struct entry **list = mem_alloc((count + 1) * sizeof(struct entry *)), **at = list;
    uint64_t cursor = 0;
    do
        cursor = keyspace_scan(ks, cursor, collect, &at);
    while (cursor);
    qsort(list, count, sizeof(struct entry *), compare_entries);
    text_append_char(state, '{');
    for (size_t i = 0; i < count; i++) {
        text_append_char(chunk, '{');
        text_append_string(state, i ? ",\n" : "\n");
        chunk_member_encode(chunk, entry_key(list[i]), list[i]);
        chunk_member_encode(state, entry_key(list[i]), list[i]);
        text_append_string(chunk, "}\n");
    }
    text_append_char(state, '}');
    mem_free(list);
    return count;
}

static struct keyspace *random_state(struct random *r, unsigned keys)
{
    struct op_source source = {.random = r, .keys = keys, .bytes_max = 100, .time = 1000};
    struct keyspace *ks = keyspace_create(NULL);
    struct outcome outcome;
    for (unsigned i = 0; i < 5 * keys; i++) {
        struct op_box *box = op_random(&source);
        apply(ks, &box->op, &outcome, NULL);
        op_box_destroy(box);
    }
    return ks;
}

static void states_come_back_as_they_were(void **state)
{
    (void)state;
    struct random r = random_init();
    for (unsigned i = 0; i < 50; i++) {
        struct text chunk = {0}, object = {0}, error = {0};
        struct keyspace *ks = random_state(&r, 60);
        uint64_t count = encode_state(ks, &chunk, &object);
        struct keyspace *from_chunk = load(text_slice(&chunk), count, false, &error);
        struct keyspace *from_state = load(text_slice(&object), count, true, &error);
        if (!from_chunk || !from_state)
            fail_msg("%s", text_terminated(&error));
        assert_int_equal(error.len, 0);
        assert_true(state_equal(ks, from_chunk));
        assert_true(state_equal(ks, from_state));
        keyspace_destroy(ks);
        keyspace_destroy(from_chunk);
        keyspace_destroy(from_state);
        text_release(&chunk);
        text_release(&object);
    }
}

static void the_reader_gives_keys_and_members_of_both_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {"{\"\":1}\n{\"a\\n\":\"x\"}\n{\"b\":{\"set\":[1]}}\n",
                                        "{\n\"\":1,\n\"a\\n\":\"x\",\n\"b\":{\"set\":[1]}\n}"};
    static const char *const keys[] = {"", "a\n", "b"};
    static const char *const members[] = {"\"\":1", "\"a\\n\":\"x\"", "\"b\":{\"set\":[1]}"};
    for (unsigned form = 0; form < 2; form++) {
        struct chunk_reader reader;
        struct slice key, member;
        struct text error = {0};
        if (form)
            chunk_reader_init_state(&reader, slice_of(forms[form]));
        else
            chunk_reader_init(&reader, slice_of(forms[form]));
        for (unsigned i = 0; i < 3; i++) {
            assert_true(chunk_reader_next(&reader, &key, &member));
            assert_true(slice_equal(key, slice_of(keys[i])));
            assert_true(slice_equal(member, slice_of(members[i])));
            struct entry *entry = i == 1 ? NULL : chunk_reader_decode(&reader, member, &error);
            if (entry)
                assert_true(slice_equal(entry_key(entry), key));
            assert_true(entry || i == 1);
            entry_destroy(entry);
        }
        assert_false(chunk_reader_next(&reader, &key, &member));
        assert_false(chunk_reader_failed(&reader, &error));
        chunk_reader_release(&reader);
    }
}

static void assert_refused(const char *body, uint64_t count, bool state, const char *because)
{
    struct text error = {0};
    struct keyspace *ks = load(slice_of(body), count, state, &error);
    if (ks)
        fail_msg("accepted %s", body);
    if (!strstr(text_terminated(&error), because))
        fail_msg("%s: %s", text_terminated(&error), body);
    text_release(&error);
}

static void what_is_no_state_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("{\"a\":1}\n{\"a\":2}\n", 2, false,
                   "chunk-1.jsonl: line at byte 8: keys are not in rising order");
    assert_refused("{\"b\":1}\n{\"a\":2}\n", 2, false, "rising order");
    assert_refused("{\"\\u0062\":1}\n{\"b\":2}\n", 2, false, "rising order");
    assert_refused("{\"a\":1}\n", 2, false, "1 keys, the head says 2");
    assert_refused("{\"a\":1}", 1, false, "not a whole line");
    assert_refused("\n", 1, false, "not a whole line");
    assert_refused("{}\n", 1, false, "a line without a key");
    assert_refused("{\"a\":1,\"b\":2}\n", 2, false, "more than one key");
    assert_refused("{\"a\":1}\n{\"b\":[]}\n", 2, false, "line at byte 8: expected a string");
    assert_refused("[1]\n", 1, false, "not a whole line");
    assert_refused("{\"a\":1,\"a\":1}", 0, true, "state: keys are not in rising order");
    assert_refused("{\"b\":1,\"a\":1}", 0, true, "rising order");
    assert_refused("{\"a\":{\"set\":[]}}", 0, true, "a set without items");
    assert_refused("{\"a\":1", 0, true, "expected ','");
    assert_refused("{\"a\":1}x", 0, true, "nothing more");
    assert_refused("[]", 0, true, "expected an object");
    assert_refused("", 0, true, "expected");
}

static void a_member_that_is_none_ends_the_reader(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{\"a\":[]}\n", "{\"a\":1,\"b\":2}\n", "{\"a\":}\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct chunk_reader reader;
        struct slice key, member;
        struct text error = {0};
        chunk_reader_init(&reader, slice_of(wrong[i]));
        assert_true(chunk_reader_next(&reader, &key, &member));
        assert_null(chunk_reader_decode(&reader, member, &error));
        assert_true(error.len);
        assert_false(chunk_reader_next(&reader, &key, &member));
        assert_true(chunk_reader_failed(&reader, &error));
        chunk_reader_release(&reader);
        text_release(&error);
    }
}

static void ignore(void *ctx, struct entry *entry)
{
    (void)ctx;
    entry_destroy(entry);
}

static void every_flipped_or_missing_byte_is_found(void **state)
{
    (void)state;
    struct random r = random_init();
    struct text chunk = {0}, object = {0}, error = {0};
    struct keyspace *ks = random_state(&r, 12);
    uint64_t count = encode_state(ks, &chunk, &object);
    struct chunk_ref ref = ref_of(text_slice(&chunk), count);
    for (size_t i = 0; i < chunk.len; i++) {
        char flip = (char)(1 << random_below(&r, 8));
        chunk.data[i] ^= flip;
        assert_false(chunk_load(&ref, text_slice(&chunk), ignore, NULL, &error));
        chunk.data[i] ^= flip;
        assert_false(chunk_load(&ref, slice_make(chunk.data, i), ignore, NULL, &error));
    }
    text_clear(&error);
    assert_true(chunk_load(&ref, text_slice(&chunk), ignore, NULL, &error));
    keyspace_destroy(ks);
    text_release(&chunk);
    text_release(&object);
    text_release(&error);
}

/* Without sha256, as the fold and the inline state see it: refused or read, never out of bounds. */
static void damaged_states_are_read_in_bounds(void **state)
{
    (void)state;
    struct random r = random_init();
    struct text chunk = {0}, object = {0}, error = {0};
    struct keyspace *ks = random_state(&r, 12);
    encode_state(ks, &chunk, &object);
    for (unsigned i = 0; i < 3000; i++) {
        size_t len = random_below(&r, object.len + 1);
        char *copy = malloc(len + 1);
        memcpy(copy, object.data, len);
        if (len)
            copy[random_below(&r, len)] = (char)random_next(&r);
        chunk_load_state(slice_make(copy, len), ignore, NULL, &error);
        struct chunk_ref ref = ref_of(slice_make(copy, len), 1);
        chunk_load(&ref, slice_make(copy, len), ignore, NULL, &error);
        free(copy);
    }
    keyspace_destroy(ks);
    text_release(&chunk);
    text_release(&object);
    text_release(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_come_back_as_they_were),
        cmocka_unit_test(the_reader_gives_keys_and_members_of_both_forms),
        cmocka_unit_test(what_is_no_state_is_refused_with_its_place),
        cmocka_unit_test(a_member_that_is_none_ends_the_reader),
        cmocka_unit_test(every_flipped_or_missing_byte_is_found),
        cmocka_unit_test(damaged_states_are_read_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
