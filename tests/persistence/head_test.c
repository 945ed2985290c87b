/* SPDX-License-Identifier: BSD-3-Clause */
/* The head as text: it comes back as it was, and no flipped or missing byte passes. */
#include "persistence/head.h"

#include "tests/persistence/codec_support.h"

#define NOW 1795212345678

static void encode(const struct head *head, struct text *out)
{
    text_clear(out);
    head_encode(head, out);
}

static bool decode(struct slice body, struct head *head)
{
    struct text error = {0};
    bool fine = head_decode(body, slice_of("git"), head, &error);
    assert_int_equal(fine, error.len == 0);
    text_release(&error);
    return fine;
}

/* Two commits, one inline and one in a segment; `chunks`: the base in two chunks. */
static void example(struct head *head, struct objects *objects, bool chunks)
{
    struct random r = random_from(7);
    struct op_source source = {.random = &r, .keys = 8, .bytes_max = 20, .time = NOW};
    struct text pending = {0};
    head_init(head, slice_of("git"));
    text_clear(&head->base.state);
    text_append_string(&head->base.state, "{\n\"hits\":42\n}");
    if (chunks) {
        head->base.chunks = mem_calloc(2, sizeof(*head->base.chunks));
        head->base.chunk_count = 2;
        for (unsigned i = 0; i < 2; i++) {
            struct chunk_ref *ref = &head->base.chunks[i];
            snprintf(ref->object, sizeof(ref->object), "chunk-%u.jsonl", i);
            text_append(&ref->first, i ? "\xff\"" : "", i ? 2 : 0);
            ref->count = 3;
            ref->bytes = 1000;
            sha256_digest_hex(slice_of("chunk"), ref->sha256);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct op_box *box = op_random_kind(&source, OP_MAP_SET);
        text_clear(&pending);
        op_binary_encode(&pending, &box->op);
        head_commit(head, objects, i ? "cache-2/91" : "cache-7/3f", NOW + i, text_slice(&pending),
                    i);
        op_box_destroy(box);
    }
    text_release(&pending);
}

static void assert_round_trip(const struct head *head)
{
    struct text out = {0}, again = {0};
    struct head read;
    encode(head, &out);
    assert_true(decode(text_slice(&out), &read));
    assert_string_equal(read.namespace, head->namespace);
    assert_int_equal(read.position, head->position);
    assert_string_equal(read.hash, head->hash);
    assert_int_equal(read.tail_count, head->tail_count);
    assert_int_equal(read.base.chunk_count, head->base.chunk_count);
    assert_int_equal(read.replica_count, head->replica_count);
    assert_int_equal(read.expired, head->expired);
    encode(&read, &again);
    assert_true(slice_equal(text_slice(&out), text_slice(&again)));
    head_release(&read);
    text_release(&out);
    text_release(&again);
}

static void heads_come_back_as_they_were(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    head_init(&head, slice_of("git"));
    assert_round_trip(&head);
    head_release(&head);
    for (unsigned chunks = 0; chunks < 2; chunks++) {
        example(&head, &objects, chunks);
        assert_round_trip(&head);
        head_release(&head);
    }
    objects_release(&objects);
}

static void the_text_is_as_documented(void **state)
{
    (void)state;
    struct text out = {0};
    struct head head;
    struct commit commit = {.position = 1, .replica = "b/1", .time = 5, .first = 1, .count = 1};
    head_init(&head, slice_of("git"));
    commit_seal_inline(&commit, slice_of("[\n{\"op\":\"NamespaceClear\"}\n]"));
    head_append(&head, &commit);
    head_set_replica(&head, slice_of("a/1"), 12);
    encode(&head, &out);
    static const char expected[] =
        "{\"format\":1,\"namespace\":\"git\",\"position\":1,\"hash\":\"%s\",\n"
        "\"base\":{\"position\":0,\"hash\":\"%s\",\"time\":0,\"state\":{}},\n"
        "\"tail\":[\n"
        "{\"position\":1,\"replica\":\"b/1\",\"time\":5,\"first\":1,\"ops\":[\n"
        "{\"op\":\"NamespaceClear\"}\n]}\n],\n"
        "\"replicas\":{\n\"a/1\":{\"op\":12},\n\"b/1\":{\"op\":1,\"position\":1}\n},\n"
        "\"sum\":\"";
    struct text filled = {0};
    text_append_format(&filled, expected, head.hash, commit_hash_zero);
    assert_true(out.len == filled.len + 64 + 3);
    assert_memory_equal(out.data, filled.data, filled.len);
    head_release(&head);
    text_release(&out);
    text_release(&filled);
}

static void every_flipped_byte_is_found(void **state)
{
    (void)state;
    struct objects objects = {0};
    for (unsigned chunks = 0; chunks < 2; chunks++) {
        struct text out = {0};
        struct head head, read;
        example(&head, &objects, chunks);
        encode(&head, &out);
        for (size_t i = 0; i < out.len; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                out.data[i] ^= (char)(1 << bit);
                assert_false(decode(text_slice(&out), &read));
                out.data[i] ^= (char)(1 << bit);
            }
        }
        head_release(&head);
        text_release(&out);
    }
    objects_release(&objects);
}

static void a_head_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct text out = {0};
    struct head head, read;
    example(&head, &objects, true);
    encode(&head, &out);
    for (size_t len = 0; len < out.len; len++)
        assert_false(decode(slice_make(out.data, len), &read));
    text_append_char(&out, '\n');
    assert_false(decode(text_slice(&out), &read));
    head_release(&head);
    text_release(&out);
    objects_release(&objects);
}

/* Puts the right sum behind `text`, as somebody who means harm could. */
static void assert_refused(const char *text, const char *because)
{
    struct text out = {0}, error = {0};
    struct head head;
    char sum[SHA256_HEX_SIZE];
    text_append_string(&out, text);
    sha256_digest_hex(text_slice(&out), sum);
    text_append_format(&out, "\"sum\":\"%s\"}\n", sum);
    if (head_decode(text_slice(&out), slice_of("git"), &head, &error))
        fail_msg("accepted %s", text);
    if (!strstr(text_terminated(&error), because))
        fail_msg("%s: %s", text_terminated(&error), text);
    text_release(&out);
    text_release(&error);
}

#define Z64      "0000000000000000000000000000000000000000000000000000000000000000"
#define BEGIN    "{\"format\":1,\"namespace\":\"git\",\"position\":0,\"hash\":\"" Z64 "\","
#define BASE_OF  "{\"position\":0,\"hash\":\"" Z64 "\",\"time\":0,"
#define BASE     "\"base\":" BASE_OF "\"state\":{}},"
#define CHUNK(k) "{\"object\":\"c\",\"first\":" k ",\"count\":1,\"bytes\":1,\"sha256\":\"" Z64 "\"}"
#define REST     "\"tail\":[],\"replicas\":{},"

static void sums_alone_do_not_make_a_head(void **state)
{
    (void)state;
    assert_refused("{\"format\":2,", "written by a newer cairn: format 2");
    assert_refused("{\"format\":0,", "format 0");
    assert_refused("[", "does not begin with a format");
    assert_refused(BEGIN BASE "\"tail\":[],", "members are missing");
    assert_refused(BEGIN BASE REST "\"more\":1,", "unknown member");
    assert_refused(BEGIN BASE BASE REST, "the same member twice");
    assert_refused("{\"format\":1,\"namespace\":\"hg\",\"position\":0,", "another namespace");
    assert_refused(BEGIN "\"base\":" BASE_OF "\"chunks\":[]}," REST, "no chunks");
    assert_refused(BEGIN "\"base\":" BASE_OF
                         "\"chunks\":[" CHUNK("\"b\"") "," CHUNK("\"a\"") "]}," REST,
                   "chunks are not in rising order");
    assert_refused(BEGIN "\"base\":{\"position\":0}," REST, "a base needs");
    /* 2^52 + 1: what comes behind the largest positions could not be written. */
    assert_refused(
        "{\"format\":1,\"namespace\":\"git\",\"position\":4503599627370497,\"hash\":\"" Z64
        "\",\"base\":{\"position\":4503599627370497,\"hash\":\"" Z64
        "\",\"time\":0,\"state\":{}}," REST,
        "a position above 2^52");
    assert_refused(BEGIN BASE "\"tail\":[],\"replicas\":{\"b\":{\"op\":1},\"a\":{\"op\":1}},",
                   "replicas are not in rising order");
    assert_refused(BEGIN BASE "\"tail\":[],\"replicas\":{\"b\":{}},", "members are missing");
    assert_refused("{\"format\":1,\"namespace\":\"git\",\"position\":1,\"hash\":\"" Z64
                   "\"," BASE REST,
                   "positions of the tail");
    assert_refused("{\"format\":1,\"namespace\":\"git\",\"position\":1,\"hash\":\"" Z64 "\"," BASE
                   "\"tail\":[{\"position\":1,\"replica\":\"a\",\"time\":1,\"first\":1,"
                   "\"ops\":[{}]}],\"replicas\":{},",
                   "the chain of hashes");
}

static void the_chain_covers_every_entry_and_their_order(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];
    example(&head, &objects, false);
    commit_chain(commit_hash_zero, text_slice(&head.tail[0].text), first);
    commit_chain(first, text_slice(&head.tail[1].text), second);
    assert_string_equal(head.hash, second);
    head_hash_at(&head, 1, again);
    assert_string_equal(again, first);
    commit_chain(commit_hash_zero, text_slice(&head.tail[1].text), again);
    commit_chain(again, text_slice(&head.tail[0].text), again);
    assert_string_not_equal(again, second);
    head_release(&head);
    objects_release(&objects);
}

static void replicas_are_kept_sorted(void **state)
{
    (void)state;
    struct head head;
    char name[16];
    head_init(&head, slice_of("git"));
    for (unsigned i = 0; i < 100; i++) {
        sprintf(name, "r/%u", i * 37 % 100);
        head_set_replica(&head, slice_of(name), i + 1);
    }
    head_set_replica(&head, slice_of("r/5"), 1000);
    assert_int_equal(head.replica_count, 100);
    assert_int_equal(head_replica_op(&head, slice_of("r/5")), 1000);
    assert_int_equal(head_replica_op(&head, slice_of("r/0")), 1);
    assert_int_equal(head_replica_op(&head, slice_of("r")), 0);
    assert_round_trip(&head);
    head_drop_replica(&head, slice_of("r/5"));
    head_drop_replica(&head, slice_of("nobody"));
    assert_int_equal(head.replica_count, 99);
    assert_int_equal(head_replica_op(&head, slice_of("r/5")), 0);
    assert_round_trip(&head);
    head_release(&head);
}

static void an_entry_that_expires_leaves_how_far_it_reached(void **state)
{
    (void)state;
    struct text out = {0};
    struct head head;
    head_init(&head, slice_of("git"));
    head.position = head.base.position = 9;
    for (unsigned i = 0; i < 3; i++) {
        char name[16];
        sprintf(name, "r/%u", i);
        head_set_replica(&head, slice_of(name), 10);
        head_replica(&head, slice_of(name))->position = i ? i + 3 : 0;
        head_replica(&head, slice_of(name))->time = NOW;
    }
    head_expire_replica(&head, slice_of("r/2"));
    assert_int_equal(head.expired, 5);
    head_expire_replica(&head, slice_of("r/1"));
    head_expire_replica(&head, slice_of("nobody"));
    assert_int_equal(head.expired, 5);
    encode(&head, &out);
    assert_non_null(
        strstr(text_terminated(&out),
               "\"replicas\":{\n\"r/0\":{\"op\":10,\"time\":1795212345678}\n},\n\"expired\":5,\n"));
    /* One of before positions were kept may have committed anything that is folded. */
    head_expire_replica(&head, slice_of("r/0"));
    assert_int_equal(head.expired, 9);
    head_release(&head);
    text_release(&out);
}

static void only_a_newer_base_of_the_same_chain_is_taken(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct head head;
    struct head_base base, older;
    example(&head, &objects, false);
    head_base_init(&base);
    base.position = 1;
    assert_false(head_rebase(&head, &base));
    head_hash_at(&head, 1, base.hash);
    text_clear(&base.state);
    text_append_string(&base.state, "{\n\"folded\":1\n}");
    assert_true(head_rebase(&head, &base));
    assert_int_equal(head.base.position, 1);
    assert_int_equal(head.tail_count, 1);
    assert_int_equal(head.tail[0].position, 2);
    assert_round_trip(&head);
    head_base_init(&older);
    assert_false(head_rebase(&head, &older));
    older.position = 3;
    assert_false(head_rebase(&head, &older));
    older.position = 2;
    head_hash_at(&head, 2, older.hash);
    assert_true(head_rebase(&head, &older));
    assert_int_equal(head.tail_count, 0);
    assert_round_trip(&head);
    head_release(&head);
    objects_release(&objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_come_back_as_they_were),
        cmocka_unit_test(the_text_is_as_documented),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(a_head_cut_short_anywhere_is_refused),
        cmocka_unit_test(sums_alone_do_not_make_a_head),
        cmocka_unit_test(the_chain_covers_every_entry_and_their_order),
        cmocka_unit_test(replicas_are_kept_sorted),
        cmocka_unit_test(an_entry_that_expires_leaves_how_far_it_reached),
        cmocka_unit_test(only_a_newer_base_of_the_same_chain_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
