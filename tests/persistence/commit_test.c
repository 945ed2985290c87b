/* SPDX-License-Identifier: BSD-3-Clause */
/* Tail entries, segments and their replay; and what is none of them is refused. */
#include "persistence/commit.h"

#include "tests/persistence/codec_support.h"

#define NOW 1795212345678

static struct commit example(void)
{
    struct commit commit = {
        .position = 7, .replica = "cache-7/3f", .time = NOW, .first = 88, .count = 2};
    return commit;
}

/* IntAdd hits 1 at NOW, then SetAdd seen eu ten ms later. */
static void example_ops(struct text *ops)
{
    struct text pending = {0};
    struct slice member = slice_of("eu");
    uint64_t count;
    struct op op = {.kind = OP_INT_ADD, .key = slice_of("hits"), .time = NOW};
    op.int_add.delta = 1;
    op_binary_encode(&pending, &op);
    op = (struct op){.kind = OP_SET_ADD, .key = slice_of("seen"), .time = NOW + 10};
    op.set_add.members = (struct slice_list){&member, 1};
    op_binary_encode(&pending, &op);
    assert_true(commit_ops_encode(text_slice(&pending), NOW, ops, &count));
    assert_int_equal(count, 2);
    text_release(&pending);
}

#define OPS                                                                                        \
    "[\n{\"op\":\"IntAdd\",\"key\":\"hits\",\"delta\":1},\n"                                       \
    "{\"op\":\"SetAdd\",\"key\":\"seen\",\"members\":[\"eu\"],\"at\":1795212345688}\n]"

static void texts_are_as_documented(void **state)
{
    (void)state;
    struct text ops = {0}, body = {0};
    struct commit commit = example();
    example_ops(&ops);
    assert_string_equal(text_terminated(&ops), OPS);
    commit_seal_inline(&commit, text_slice(&ops));
    assert_string_equal(text_terminated(&commit.text),
                        "{\"position\":7,\"replica\":\"cache-7/3f\",\"time\":1795212345678,"
                        "\"first\":88,\"ops\":" OPS "}");
    assert_true(slice_equal(commit.ops, text_slice(&ops)));
    strcpy(commit.segment, "segment-1.json");
    memcpy(commit.sha256, commit_hash_zero, sizeof(commit.sha256));
    commit.bytes = 5;
    commit_seal_segment(&commit);
    assert_string_equal(text_terminated(&commit.text),
                        "{\"position\":7,\"replica\":\"cache-7/3f\",\"time\":1795212345678,"
                        "\"first\":88,\"count\":2,\"segment\":\"segment-1.json\",\"bytes\":5,"
                        "\"sha256\":\"0000000000000000000000000000000000000000000000000000000000"
                        "000000\"}");
    segment_begin(&body, slice_of("git"));
    segment_open(&body, &commit);
    text_append_slice(&body, text_slice(&ops));
    segment_close(&body);
    segment_end(&body);
    assert_string_equal(text_terminated(&body),
                        "{\"format\":1,\"namespace\":\"git\",\"commits\":[\n"
                        "{\"replica\":\"cache-7/3f\",\"time\":1795212345678,\"first\":88,"
                        "\"count\":2,\"ops\":" OPS "}\n]}\n");
    text_release(&ops);
    text_release(&body);
    commit_release(&commit);
}

static bool read_commit(struct slice text, struct commit *commit)
{
    struct text unescaped = {0};
    struct json_reader reader;
    json_reader_init(&reader, text, &unescaped);
    bool read = commit_read(&reader, commit) && json_expect_end(&reader);
    text_release(&unescaped);
    return read;
}

static void assert_same(const struct commit *a, const struct commit *b)
{
    assert_int_equal(a->position, b->position);
    assert_string_equal(a->replica, b->replica);
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->count, b->count);
    assert_string_equal(a->segment, b->segment);
    assert_true(slice_equal(text_slice(&a->text), text_slice(&b->text)));
    assert_true(slice_equal(a->ops, b->ops));
}

static void entries_come_back_as_they_were(void **state)
{
    (void)state;
    struct text ops = {0};
    struct commit commit = example(), read;
    example_ops(&ops);
    commit_seal_inline(&commit, text_slice(&ops));
    assert_true(read_commit(text_slice(&commit.text), &read));
    assert_same(&commit, &read);
    commit_release(&read);
    strcpy(commit.segment, "segment-1.json");
    sha256_digest_hex(slice_of("x"), commit.sha256);
    commit.bytes = 5;
    commit_seal_segment(&commit);
    assert_true(read_commit(text_slice(&commit.text), &read));
    assert_same(&commit, &read);
    assert_string_equal(commit.sha256, read.sha256);
    assert_int_equal(commit.bytes, read.bytes);
    commit_release(&read);
    commit_release(&commit);
    text_release(&ops);
}

static void entries_that_are_none_are_refused(void **state)
{
    (void)state;
#define ORIGIN "{\"position\":7,\"replica\":\"a/1\",\"time\":1,\"first\":1"
#define SHA    "\"sha256\":\"00000000000000000000000000000000000000000000000000000000000000ff\""
    static const char *const wrong[] = {
        ORIGIN "}",
        ORIGIN ",\"ops\":[]}",
        ORIGIN ",\"ops\":{}}",
        ORIGIN ",\"ops\":[{}],\"more\":1}",
        ORIGIN ",\"ops\":[{}],\"ops\":[{}]}",
        ORIGIN ",\"ops\":[{}],\"segment\":\"s\"}",
        ORIGIN ",\"count\":0,\"segment\":\"s\",\"bytes\":1," SHA "}",
        ORIGIN ",\"count\":1,\"segment\":\"../s\",\"bytes\":1," SHA "}",
        ORIGIN ",\"count\":1,\"segment\":\".s\",\"bytes\":1," SHA "}",
        ORIGIN ",\"count\":1,\"segment\":\"s\",\"bytes\":-1," SHA "}",
        ORIGIN ",\"count\":1,\"segment\":\"s\",\"bytes\":1,\"sha256\":\"00FF\"}",
        ORIGIN ",\"count\":1,\"segment\":\"s\"," SHA "}",
        "{\"position\":7,\"replica\":\"a b\",\"time\":1,\"first\":1,\"ops\":[{}]}",
        "{\"position\":7,\"replica\":\"\",\"time\":1,\"first\":1,\"ops\":[{}]}",
        "{\"position\":7,\"replica\":\"a/1\",\"time\":1,\"first\":0,\"ops\":[{}]}",
        "{\"position\":9007199254740993,\"replica\":\"a/1\",\"time\":1,\"first\":1,\"ops\":[{}]}",
    };
    struct commit commit;
    assert_true(read_commit(slice_of(ORIGIN ",\"ops\":[{}]}"), &commit));
    commit_release(&commit);
    assert_true(read_commit(slice_of(ORIGIN ",\"count\":1,\"segment\":\"s\",\"bytes\":1," SHA "}"),
                            &commit));
    commit_release(&commit);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (read_commit(slice_of(wrong[i]), &commit))
            fail_msg("accepted %s", wrong[i]);
}

static void ops_of_a_damaged_pending_log_are_refused(void **state)
{
    (void)state;
    struct text ops = {0};
    uint64_t count;
    assert_false(commit_ops_encode(slice_of("\x7f nothing"), NOW, &ops, &count));
    text_release(&ops);
}

static void a_segment_gives_each_of_its_commits(void **state)
{
    (void)state;
    struct text body = {0}, ops = {0}, error = {0};
    struct commit a = example(), b = example(), c = example();
    struct slice found;
    b.first = 90;
    strcpy(c.replica, "other/1");
    example_ops(&ops);
    segment_begin(&body, slice_of("git"));
    segment_open(&body, &a);
    text_append_slice(&body, text_slice(&ops));
    segment_close(&body);
    segment_open(&body, &b);
    text_append_slice(&body, text_slice(&ops));
    segment_close(&body);
    segment_end(&body);
    struct commit *wanted[] = {&a, &b, &c};
    for (unsigned i = 0; i < 3; i++) {
        strcpy(wanted[i]->segment, "s");
        wanted[i]->bytes = body.len;
        sha256_digest_hex(text_slice(&body), wanted[i]->sha256);
        bool is_there = segment_find(text_slice(&body), slice_of("git"), wanted[i], &found, &error);
        assert_int_equal(is_there, i < 2);
        if (is_there)
            assert_true(slice_equal(found, text_slice(&ops)));
    }
    assert_non_null(strstr(text_terminated(&error), "s: the commit is not in it at byte"));
    assert_false(segment_find(text_slice(&body), slice_of("hg"), &a, &found, &error));
    a.count = 3;
    assert_false(segment_find(text_slice(&body), slice_of("git"), &a, &found, &error));
    text_release(&body);
    text_release(&ops);
    text_release(&error);
}

/* Of any size, since the sum is taken in parts. Another number of ops than is said is refused. */
static void a_whole_segment_is_what_its_parts_give(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 300, 1000, 20000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct text pending = {0}, body = {0}, parts = {0}, ops = {0};
        struct commit commit = example();
        uint64_t count;
        char sum[SHA256_HEX_SIZE], key[32];
        for (uint64_t k = 0; k < counts[i]; k++) {
            snprintf(key, sizeof(key), "k%llu", (unsigned long long)k);
            struct op op = {.kind = OP_INT_ADD, .key = slice_of(key), .time = NOW};
            op.int_add.delta = (int64_t)k;
            op_binary_encode(&pending, &op);
        }
        assert_true(commit_ops_encode(text_slice(&pending), NOW, &ops, &count));
        commit.count = count;
        segment_begin(&parts, slice_of("git"));
        segment_open(&parts, &commit);
        text_append_slice(&parts, text_slice(&ops));
        segment_close(&parts);
        segment_end(&parts);
        assert_true(segment_encode(&body, slice_of("git"), &commit, text_slice(&pending)));
        assert_true(slice_equal(text_slice(&body), text_slice(&parts)));
        assert_true(slice_equal(commit.ops, text_slice(&ops)));
        sha256_digest_hex(text_slice(&parts), sum);
        assert_string_equal(commit.sha256, sum);
        assert_int_equal(commit.bytes, parts.len);
        commit.count++;
        text_clear(&body);
        assert_false(segment_encode(&body, slice_of("git"), &commit, text_slice(&pending)));
        text_release(&pending);
        text_release(&body);
        text_release(&parts);
        text_release(&ops);
    }
}

/* Names `commit`'s segment after these bytes, and reads its ops. NULL: fine. */
static const char *read_segment(struct slice body, struct commit *commit, uint64_t *ret_count)
{
    static struct text error;
    struct commit_reader reader;
    struct op op;
    text_clear(&error);
    strcpy(commit->segment, "s");
    commit->bytes = body.len;
    sha256_digest_hex(body, commit->sha256);
    if (!commit_reader_init_segment(&reader, body, slice_of("git"), commit, &error))
        return text_terminated(&error);
    for (*ret_count = 0; commit_reader_next(&reader, &op); ++*ret_count) {
        assert_true(slice_equal(op.key, slice_of(*ret_count ? "seen" : "hits")));
        assert_int_equal(op.time, *ret_count ? NOW + 10 : NOW);
    }
    if (commit_reader_error(&reader))
        text_append_string(&error, commit_reader_error(&reader));
    commit_reader_release(&reader);
    return error.len ? text_terminated(&error) : NULL;
}

#define ORIGIN_IN_SEGMENT                                                                          \
    "\"replica\":\"cache-7/3f\",\"time\":1795212345678,\"first\":88,\"count\":2"
#define COMMIT_IN_SEGMENT "{" ORIGIN_IN_SEGMENT ",\"ops\":" OPS "}"
#define BEGIN_OF_SEGMENT  "{\"format\":1,\"namespace\":\"git\",\"commits\":[\n"

static void ops_of_a_segment_are_read_in_any_layout(void **state)
{
    (void)state;
    static const char *const layouts[] = {
        BEGIN_OF_SEGMENT COMMIT_IN_SEGMENT "\n]}\n",
        BEGIN_OF_SEGMENT COMMIT_IN_SEGMENT
        ",\n{\"replica\":\"a/1\",\"time\":1,\"first\":1,\"count\":1,"
        "\"ops\":[{}]}]}",
        BEGIN_OF_SEGMENT
        "{\"replica\":\"a/1\",\"time\":1,\"first\":1,\"count\":1,\"ops\":[{}]}," COMMIT_IN_SEGMENT
        "]}",
        BEGIN_OF_SEGMENT "{\"ops\":" OPS "," ORIGIN_IN_SEGMENT "}]}",
        "{ \"format\":1, \"commits\":[ " COMMIT_IN_SEGMENT " ], \"namespace\":\"git\" } ",
    };
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
        struct commit commit = example();
        uint64_t count = 0;
        const char *error = read_segment(slice_of(layouts[i]), &commit, &count);
        if (error || count != 2)
            fail_msg("%s: %s", error ? error : "too few", layouts[i]);
    }
}

static void segments_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {BEGIN_OF_SEGMENT "{\"replica\":\"a/1\",\"time\":1,\"first\":1,\"count\":1,\"ops\":[{}]}]}",
         "the commit is not in it"},
        {BEGIN_OF_SEGMENT "{" ORIGIN_IN_SEGMENT
                          ",\"ops\":[{\"op\":\"IntAdd\",\"key\":\"hits\",\"delta\":1}]}]}",
         "is not how many ops there are"},
        {BEGIN_OF_SEGMENT "{" ORIGIN_IN_SEGMENT ",\"ops\":" OPS ",\"more\":1}]}",
         "unknown member of a commit"},
        {BEGIN_OF_SEGMENT COMMIT_IN_SEGMENT "],\"more\":1}", "unknown member of a segment"},
        {BEGIN_OF_SEGMENT COMMIT_IN_SEGMENT "]", "expected"},
        {BEGIN_OF_SEGMENT COMMIT_IN_SEGMENT "]}}", "nothing more"},
        {BEGIN_OF_SEGMENT "{" ORIGIN_IN_SEGMENT ",\"ops\":{}}]}", "expected an array"},
        {"{\"format\":1,\"namespace\":\"hg\",\"commits\":[\n" COMMIT_IN_SEGMENT "]}",
         "a segment of another namespace"},
        {"{\"format\":2,\"namespace\":\"git\",\"commits\":[\n" COMMIT_IN_SEGMENT "]}",
         "newer cairn"},
        {"", "must begin"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct commit commit = example();
        uint64_t count;
        const char *error = read_segment(slice_of(wrong[i][0]), &commit, &count);
        if (!error)
            fail_msg("accepted %s", wrong[i][0]);
        if (!strstr(error, wrong[i][1]) && wrong[i][0][0])
            fail_msg("%s: %s", error, wrong[i][0]);
    }
}

static void every_flipped_or_missing_byte_of_a_segment_is_found(void **state)
{
    (void)state;
    struct text body = {0}, ops = {0}, error = {0};
    struct commit commit = example();
    struct commit_reader reader;
    struct slice found;
    example_ops(&ops);
    segment_begin(&body, slice_of("git"));
    segment_open(&body, &commit);
    text_append_slice(&body, text_slice(&ops));
    segment_close(&body);
    segment_end(&body);
    strcpy(commit.segment, "s");
    commit.bytes = body.len;
    sha256_digest_hex(text_slice(&body), commit.sha256);
    for (size_t i = 0; i < body.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            body.data[i] ^= (char)(1 << bit);
            assert_false(segment_find(text_slice(&body), slice_of("git"), &commit, &found, &error));
            assert_false(commit_reader_init_segment(&reader, text_slice(&body), slice_of("git"),
                                                    &commit, &error));
            body.data[i] ^= (char)(1 << bit);
        }
        assert_false(
            segment_find(slice_make(body.data, i), slice_of("git"), &commit, &found, &error));
    }
    assert_true(segment_find(text_slice(&body), slice_of("git"), &commit, &found, &error));
    text_release(&body);
    text_release(&ops);
    text_release(&error);
}

static void replay_never_goes_back_in_time(void **state)
{
    (void)state;
    static const char ops[] =
        "[{\"op\":\"ScalarSet\",\"key\":\"k\",\"value\":1,\"expires\":2000,\"at\":1000},"
        "{\"op\":\"IntAdd\",\"key\":\"other\",\"delta\":1,\"at\":3000},"
        "{\"op\":\"IntAdd\",\"key\":\"k\",\"delta\":1,\"at\":1500}]";
    struct keyspace *ks = keyspace_create(NULL);
    struct text error = {0};
    int64_t clock = 500, number;
    assert_true(commit_replay(ks, slice_of(ops), 0, &clock, &error));
    assert_int_equal(clock, 3000);
    struct entry *entry = keyspace_find(ks, slice_of("k"), 0, clock);
    assert_non_null(entry);
    assert_true(string_integer(entry, &number));
    assert_int_equal(number, 1);
    assert_int_equal(entry_expires(entry), 0);
    assert_false(commit_replay(ks, slice_of("[{\"op\":\"No\"}]"), 0, &clock, &error));
    assert_string_equal(text_terminated(&error), "ops: unknown op at byte 7");
    keyspace_destroy(ks);
    text_release(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_as_documented),
        cmocka_unit_test(entries_come_back_as_they_were),
        cmocka_unit_test(entries_that_are_none_are_refused),
        cmocka_unit_test(ops_of_a_damaged_pending_log_are_refused),
        cmocka_unit_test(a_segment_gives_each_of_its_commits),
        cmocka_unit_test(a_whole_segment_is_what_its_parts_give),
        cmocka_unit_test(ops_of_a_segment_are_read_in_any_layout),
        cmocka_unit_test(segments_that_are_none_are_refused),
        cmocka_unit_test(every_flipped_or_missing_byte_of_a_segment_is_found),
        cmocka_unit_test(replay_never_goes_back_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
