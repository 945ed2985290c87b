/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the checker finds. Damage comes in two kinds: bytes that changed, which sums find; and
 * places whose sums were made anew, which is what a faulty writer would leave.
 */
#include "persistence/verify.h"

#include "persistence/head.h"
#include "persistence/run.h"
#include "persistence/store_faulty.h"
#include "tests/persistence/codec_support.h"
#include "tests/persistence/store_support.h"

#define NOW  1795212345678
#define NAME "git"

static const struct fold_options tiny = {.chunk_size = 300, .inline_limit = 100};
static const struct fold_options roomy = {.chunk_size = 300, .inline_limit = 100000};

/* A namespace in a store: keys k000 … k099 folded into chunks or inline, then a tail of 4. */
struct place {
    struct store *store;
    struct objects objects;
    struct head head;
};

static void put_object(struct place *place, const char *object, struct slice body)
{
    char key[STORE_KEY_MAX];
    snprintf(key, sizeof(key), NAME "/%s", object);
    put(place->store, key, body);
}

static void drop_object(struct place *place, const char *object)
{
    char key[STORE_KEY_MAX];
    snprintf(key, sizeof(key), NAME "/%s", object);
    take_away(place->store, key);
}

static void put_head(struct place *place)
{
    struct text out = {0};
    head_encode(&place->head, &out);
    put(place->store, NAME ".json", text_slice(&out));
    text_release(&out);
}

static void put_all(struct place *place)
{
    for (size_t i = 0; i < place->objects.count; i++)
        put_object(place, place->objects.list[i].name, text_slice(&place->objects.list[i].body));
    put_head(place);
}

static void commit(struct place *place, const char *replica, const struct op *ops, size_t count,
                   bool segment)
{
    struct text pending = {0};
    for (size_t i = 0; i < count; i++)
        op_binary_encode(&pending, &ops[i]);
    head_commit(&place->head, &place->objects, replica, NOW, text_slice(&pending), segment);
    text_release(&pending);
}

static void fold(struct place *place, const struct fold_options *options)
{
    struct fold_store store = objects_store(&place->objects);
    struct head_base base;
    struct text error = {0};
    assert_true(fold_run(&place->head, place->head.position, &store, options, &base, &error));
    assert_true(head_rebase(&place->head, &base));
}

static void commit_number(struct place *place, const char *replica, const char *key, bool segment)
{
    struct op op = {.kind = OP_INT_ADD, .key = slice_of(key), .time = NOW, .int_add = {.delta = 1}};
    commit(place, replica, &op, 1, segment);
}

/* 100 keys, of which the tail deletes one and adds two. */
static void place_init(struct place *place, const struct fold_options *options)
{
    struct op ops[100];
    char keys[100][8];
    struct text error = {0};
    *place = (struct place){0};
    assert_int_equal(store_open("memory", &place->store, &error), STORE_OK);
    head_init(&place->head, slice_of(NAME));
    for (unsigned i = 0; i < 100; i++) {
        sprintf(keys[i], "k%03u", i);
        ops[i] = (struct op){.kind = OP_SCALAR_SET, .key = slice_of(keys[i]), .time = NOW};
        ops[i].scalar_set.value = slice_of("01234567890123456789");
    }
    commit(place, "a/1", ops, 100, true);
    fold(place, options);
    struct op gone = {.kind = OP_KEY_DELETE, .key = slice_of("k050"), .time = NOW};
    commit(place, "a/1", &gone, 1, false);
    commit_number(place, "b/2", "new", true);
    commit_number(place, "a/1", "other", false);
    commit_number(place, "b/2", "new", true);
    put_all(place);
}

static void place_release(struct place *place)
{
    head_release(&place->head);
    objects_release(&place->objects);
    store_close(place->store);
}

static void check(struct place *place, struct verify_report *report)
{
    struct verify_options options = {.store = place->store};
    verify_namespace(&options, slice_of(NAME), report);
}

/* As a faulty writer would leave it: the entries' texts and the chain fit what is in them. */
static void reseal(struct place *place)
{
    struct head *head = &place->head;
    memcpy(head->hash, head->base.hash, sizeof(head->hash));
    for (size_t i = 0; i < head->tail_count; i++) {
        struct commit *entry = &head->tail[i];
        struct text ops = {0};
        text_append_slice(&ops, entry->ops);
        if (entry->segment[0])
            commit_seal_segment(entry);
        else
            commit_seal_inline(entry, text_slice(&ops));
        text_release(&ops);
        commit_chain(head->hash, text_slice(&entry->text), head->hash);
    }
}

static void expect_sound(struct place *place)
{
    struct verify_report report;
    check(place, &report);
    if (report.verdict != VERIFY_SOUND)
        fail_msg("%s", text_terminated(&report.lines));
    assert_int_equal(report.faults, 0);
    assert_int_equal(report.bytes, report.bytes_all);
    verify_report_release(&report);
}

/* One fault, whose line begins with NAME and `object` and holds `what`. */
static void expect_fault(struct place *place, const char *object, const char *what)
{
    struct verify_report report;
    char begin[STORE_KEY_MAX];
    check(place, &report);
    const char *lines = text_terminated(&report.lines);
    snprintf(begin, sizeof(begin), NAME "%s", object);
    if (report.verdict != VERIFY_UNSOUND || report.faults != 1 ||
        strncmp(lines, begin, strlen(begin)) != 0 || !strstr(lines, what))
        fail_msg("verdict %d, %d faults, expected %s … %s:\n%s", report.verdict, (int)report.faults,
                 begin, what, lines);
    verify_report_release(&report);
}

static void a_sound_namespace_is_sound_and_counted(void **state)
{
    (void)state;
    const struct fold_options *options[] = {&tiny, &roomy};
    for (unsigned i = 0; i < 2; i++) {
        struct place place;
        struct verify_report report;
        place_init(&place, options[i]);
        expect_sound(&place);
        check(&place, &report);
        assert_int_equal(report.position, 5);
        assert_int_equal(report.base_position, 1);
        assert_int_equal(report.commits, 4);
        assert_int_equal(report.ops, 4);
        assert_int_equal(report.keys, 101);
        assert_int_equal(report.segments, 2);
        assert_int_equal(report.chunks, place.head.base.chunk_count);
        assert_int_equal(report.chunks > 5, i == 0);
        assert_int_equal(report.orphans, 1); /* the segment that was folded */
        verify_report_release(&report);
        place_release(&place);
    }
}

static void commits_in_runs_are_checked_like_the_others(void **state)
{
    (void)state;
    struct place place;
    struct head_run run;
    struct verify_report report;
    struct text error = {0};
    char object[COMMIT_OBJECT_SIZE], where[COMMIT_OBJECT_SIZE + 1];
    place_init(&place, &tiny);
    struct fold_store store = objects_run_store(&place.objects);
    assert_true(run_make(&place.head, 1000, &store, &run, &error));
    snprintf(object, sizeof(object), "%s", run.object);
    snprintf(where, sizeof(where), "/%s", object);
    assert_true(head_place_run(&place.head, &run));
    commit_number(&place, "a/1", "other", false);
    put_all(&place);
    expect_sound(&place);
    check(&place, &report);
    assert_int_equal(report.commits, 5);
    assert_int_equal(report.ops, 5);
    assert_int_equal(report.segments, 2);
    assert_int_equal(report.orphans, 1);
    verify_report_release(&report);
    struct text *body = &objects_find(&place.objects, object)->body;
    body->data[body->len / 2] ^= 1;
    put_object(&place, object, text_slice(body));
    expect_fault(&place, where, object);
    drop_object(&place, object);
    expect_fault(&place, where, "missing");
    place_release(&place);
}

static void whatever_is_written_is_sound(void **state)
{
    (void)state;
    struct random r = random_init();
    for (unsigned round = 0; round < 60; round++) {
        struct op_source source = {
            .random = &r, .keys = 1 + (unsigned)random_below(&r, 50), .bytes_max = 40, .time = NOW};
        struct place place = {0};
        struct text error = {0};
        int64_t clock = 0;
        assert_int_equal(store_open("memory", &place.store, &error), STORE_OK);
        head_init(&place.head, slice_of(NAME));
        for (unsigned i = 0; i < 10; i++) {
            struct fold_options options = {.chunk_size = 1 + random_below(&r, 600),
                                           .inline_limit = random_below(&r, 1500)};
            head_commit_random(&place.head, &place.objects, &source, NULL, &clock);
            if (random_below(&r, 3) == 0)
                fold(&place, &options);
        }
        put_all(&place);
        expect_sound(&place);
        place_release(&place);
    }
}

/* --- bytes that changed --- */

static void flip_in(struct place *place, struct random *r, const char *key, struct slice body,
                    const char *object)
{
    struct text flipped = {0};
    for (unsigned i = 0; i < 40; i++) {
        text_clear(&flipped);
        text_append_slice(&flipped, body);
        flipped.data[random_below(r, body.len)] ^= (char)(1 << random_below(r, 8));
        put(place->store, key, text_slice(&flipped));
        expect_fault(place, object, ": ");
    }
    put(place->store, key, slice_make(body.data, body.len - 1));
    expect_fault(place, object, ": ");
    put(place->store, key, body);
    text_release(&flipped);
}

static bool is_named(const struct head *head, const char *object)
{
    for (size_t i = 0; i < head->tail_count; i++)
        if (strcmp(head->tail[i].segment, object) == 0)
            return true;
    for (size_t i = 0; i < head->base.chunk_count; i++)
        if (strcmp(head->base.chunks[i].object, object) == 0)
            return true;
    return false;
}

static void a_flipped_bit_or_a_cut_is_found_in_every_object(void **state)
{
    (void)state;
    struct random r = random_init();
    struct place place;
    struct text head = {0};
    place_init(&place, &tiny);
    head_encode(&place.head, &head);
    flip_in(&place, &r, NAME ".json", text_slice(&head), ".json: ");
    for (size_t i = 0; i < place.objects.count; i++) {
        char key[STORE_KEY_MAX];
        const struct object *object = &place.objects.list[i];
        snprintf(key, sizeof(key), NAME "/%s", object->name);
        if (is_named(&place.head, object->name))
            flip_in(&place, &r, key, text_slice(&object->body), key + strlen(NAME));
    }
    expect_sound(&place);
    text_release(&head);
    place_release(&place);
}

static void a_missing_object_is_named_with_its_position(void **state)
{
    (void)state;
    struct place place;
    struct verify_report report;
    place_init(&place, &tiny);
    const char *chunk = place.head.base.chunks[3].object, *segment = place.head.tail[1].segment;
    char wanted[128];
    drop_object(&place, segment);
    snprintf(wanted, sizeof(wanted), "/%s, position 3: is missing\n", segment);
    expect_fault(&place, wanted, "");
    drop_object(&place, chunk);
    drop_object(&place, place.head.base.chunks[0].object);
    check(&place, &report);
    assert_int_equal(report.verdict, VERIFY_UNSOUND);
    assert_int_equal(report.faults, 3);
    snprintf(wanted, sizeof(wanted), NAME "/%s, position 1: is missing\n", chunk);
    assert_non_null(strstr(text_terminated(&report.lines), wanted));
    assert_int_equal(report.chunks, place.head.base.chunk_count - 2);
    assert_int_equal(report.segments, 1);
    verify_report_release(&report);
    place_release(&place);
}

static void a_lost_head_is_found_and_nothing_at_all_is_absent(void **state)
{
    (void)state;
    struct place place;
    struct verify_report report;
    place_init(&place, &tiny);
    take_away(place.store, NAME ".json");
    expect_fault(&place, ".json: is missing, though ", "is there");
    for (size_t i = 0; i < place.objects.count; i++)
        drop_object(&place, place.objects.list[i].name);
    put(place.store, NAME "/notes.txt", slice_of("of somebody else"));
    check(&place, &report);
    assert_int_equal(report.verdict, VERIFY_SOUND);
    assert_true(report.absent);
    verify_report_release(&report);
    place_release(&place);
}

/* --- what a faulty writer would leave --- */

static void swapped_commits_are_found(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, &tiny);
    struct commit first = place.head.tail[0];
    place.head.tail[0] = place.head.tail[2];
    place.head.tail[2] = first;
    put_head(&place);
    expect_fault(&place, ".json: ", "4 stands where 2 is due");
    /* With positions to match, the chain is what tells. */
    place.head.tail[0].position = 2;
    place.head.tail[2].position = 4;
    char hash[SHA256_HEX_SIZE];
    memcpy(hash, place.head.hash, sizeof(hash));
    reseal(&place);
    memcpy(place.head.hash, hash, sizeof(hash));
    put_head(&place);
    expect_fault(&place, ".json: ", "the chain of hashes");
    place_release(&place);
}

static void sum_anew(struct text *head)
{
    char sum[SHA256_HEX_SIZE];
    head->len -= 74;
    sha256_digest_hex(text_slice(head), sum);
    text_append_format(head, "\"sum\":\"%s\"}\n", sum);
}

static void a_gap_in_the_tail_is_found(void **state)
{
    (void)state;
    struct place place;
    struct text body = {0};
    place_init(&place, &tiny);
    head_encode(&place.head, &body);
    char *from = strstr(text_terminated(&body), "{\"position\":3");
    char *to = strstr(from, "{\"position\":4");
    memmove(from, to, (size_t)(body.data + body.len - to));
    body.len -= (size_t)(to - from);
    sum_anew(&body);
    put(place.store, NAME ".json", text_slice(&body));
    expect_fault(&place, ".json: ", "4 stands where 3 is due");
    text_release(&body);
    place_release(&place);
}

static void a_commit_that_was_changed_breaks_the_chain(void **state)
{
    (void)state;
    struct place place;
    struct text body = {0};
    place_init(&place, &tiny);
    head_encode(&place.head, &body);
    char *delta = strstr(text_terminated(&body), "\"delta\":1");
    delta[8] = '2';
    sum_anew(&body);
    put(place.store, NAME ".json", text_slice(&body));
    expect_fault(&place, ".json: ", "the chain of hashes");
    text_release(&body);
    place_release(&place);
}

static void replicas_that_lag_behind_the_tail_are_found(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, &tiny);
    assert_int_equal(head_replica_op(&place.head, slice_of("a/1")), 102);
    head_set_replica(&place.head, slice_of("a/1"), 101);
    put_head(&place);
    expect_fault(&place, ".json, position 4: its ops of a/1 go up to 102", "says 101");
    head_drop_replica(&place.head, slice_of("a/1")); /* one that is dead has none */
    put_head(&place);
    expect_sound(&place);
    place_release(&place);
}

static void positions_in_replicas_that_do_not_fit_the_tail_are_found(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, &tiny);
    head_replica(&place.head, slice_of("a/1"))->position = 2;
    put_head(&place);
    expect_fault(&place, ".json, position 4: it is the newest commit of a/1", "says 2");
    head_replica(&place.head, slice_of("a/1"))->position = 0; /* not known */
    put_head(&place);
    expect_sound(&place);
    head_set_replica(&place.head, slice_of("c/3"), 7);
    head_replica(&place.head, slice_of("c/3"))->position = 1;
    put_head(&place);
    expect_sound(&place);
    head_replica(&place.head, slice_of("c/3"))->position = 2;
    put_head(&place);
    expect_fault(&place, ".json, position 2: ", "a commit of c/3, which has none");
    head_drop_replica(&place.head, slice_of("c/3"));
    place.head.expired = 6;
    put_head(&place);
    expect_fault(&place, ".json, position 6: ", "\"expired\" is beyond");
    place_release(&place);
}

static void an_op_that_is_there_twice_is_found(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, &tiny);
    place.head.tail[2].first = 101;
    reseal(&place);
    put_head(&place);
    expect_fault(&place, ".json, position 4: op 101 of a/1 is in commit 2 too", "");
    place_release(&place);
}

static void replace_segment(struct place *place, size_t index, const char *from, const char *to)
{
    struct commit *entry = &place->head.tail[index];
    struct object *object = objects_find(&place->objects, entry->segment);
    struct text body = {0};
    const char *whole = text_terminated(&object->body), *at = strstr(whole, from);
    assert_non_null(at);
    text_append(&body, whole, (size_t)(at - whole));
    text_append_string(&body, to);
    text_append_string(&body, at + strlen(from));
    entry->bytes = body.len;
    sha256_digest_hex(text_slice(&body), entry->sha256);
    put_object(place, entry->segment, text_slice(&body));
    reseal(place);
    put_head(place);
    text_release(&body);
}

static void segments_are_looked_into(void **state)
{
    (void)state;
    static const char *const changes[][3] = {
        {"IntAdd", "IntSub", "op 1 of 1"},
        {"\"first\":1,", "\"first\":2,", "the commit is not in it"},
        {"\"count\":1,", "\"count\":2,", "is not how many"},
        {"\"namespace\":\"git\"", "\"namespace\":\"svn\"", "another namespace"},
        {"{\"format\":1", "{\"format\":2", "newer"},
        {"\"delta\":1", "\"delta\":1,\"more\":1", "op 1 of 1"},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct place place;
        char begin[128];
        place_init(&place, &tiny);
        snprintf(begin, sizeof(begin), "/%s, position 3: ", place.head.tail[1].segment);
        replace_segment(&place, 1, changes[i][0], changes[i][1]);
        expect_fault(&place, begin, changes[i][2]);
        place_release(&place);
    }
}

static void ops_in_the_head_are_looked_into(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, &tiny);
    place.head.tail[2].ops = slice_of("[{\"op\":\"Nonsense\",\"key\":\"a\"}]");
    reseal(&place);
    put_head(&place);
    expect_fault(&place, ".json, position 4: op 1 of 1: ", "");
    place_release(&place);
}

static void replace_chunk(struct place *place, size_t index, const char *from, const char *to)
{
    struct chunk_ref *ref = &place->head.base.chunks[index];
    struct object *object = objects_find(&place->objects, ref->object);
    struct text body = {0};
    const char *whole = text_terminated(&object->body), *at = strstr(whole, from);
    assert_non_null(at);
    text_append(&body, whole, (size_t)(at - whole));
    text_append_string(&body, to);
    text_append_string(&body, at + strlen(from));
    ref->bytes = body.len;
    sha256_digest_hex(text_slice(&body), ref->sha256);
    put_object(place, ref->object, text_slice(&body));
    put_head(place);
    text_release(&body);
}

static void chunks_are_looked_into(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, &tiny);
    char first[16], next[16];
    snprintf(first, sizeof(first), "\"%.4s\"", place.head.base.chunks[2].first.data);
    snprintf(next, sizeof(next), "\"%.4s\"", place.head.base.chunks[3].first.data);
    char last[16];
    snprintf(last, sizeof(last), "\"k%03d\"", atoi(place.head.base.chunks[3].first.data + 1) - 1);
    place_release(&place);
    const char *const changes[][3] = {
        {first, "\"k000\"", "below the chunk's first (line 1)"},
        {last, "\"k099\"", "belongs to the next chunk (line "},
        {last, next, "belongs to the next chunk (line "},
        {"\"01234567890123456789\"", "{\"set\":[]}", "(line 1)"},
        {"\"01234567890123456789\"", "{\"set\":[1],\"more\":1}", "(line 1)"},
        {last, first, "not in rising order"},
        {"{\"k", "x{\"k", "line"},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char begin[128];
        place_init(&place, &tiny);
        snprintf(begin, sizeof(begin), "/%s, position 1: ", place.head.base.chunks[2].object);
        replace_chunk(&place, 2, changes[i][0], changes[i][1]);
        expect_fault(&place, begin, changes[i][2]);
        place_release(&place);
    }
}

static void a_wrong_count_of_keys_is_found(void **state)
{
    (void)state;
    struct place place;
    char begin[128];
    place_init(&place, &tiny);
    place.head.base.chunks[1].count++;
    put_head(&place);
    snprintf(begin, sizeof(begin), "/%s, position 1: ", place.head.base.chunks[1].object);
    expect_fault(&place, begin, " keys, the head says ");
    place_release(&place);
}

static void an_inline_state_is_looked_into(void **state)
{
    (void)state;
    static const char *const states[] = {"{\"a\":{\"list\":[]}}", "{\"b\":1,\"a\":1}",
                                         "{\"a\":1,\"a\":1}"};
    for (unsigned i = 0; i < 3; i++) {
        struct place place;
        place_init(&place, &roomy);
        text_clear(&place.head.base.state);
        text_append_string(&place.head.base.state, states[i]);
        put_head(&place);
        expect_fault(&place, ".json, position 1: ", "");
        place_release(&place);
    }
}

/* A clear makes the base of no account to the state; it is read all the same. */
static void a_base_behind_a_clear_is_looked_into(void **state)
{
    (void)state;
    struct place place;
    struct verify_report report;
    char begin[128];
    place_init(&place, &tiny);
    struct op op = {.kind = OP_NAMESPACE_CLEAR, .time = NOW};
    commit(&place, "a/1", &op, 1, false);
    commit_number(&place, "a/1", "one", false);
    put_all(&place);
    expect_sound(&place);
    check(&place, &report);
    assert_int_equal(report.keys, 1);
    verify_report_release(&report);
    drop_object(&place, place.head.base.chunks[2].object);
    snprintf(begin, sizeof(begin), "/%s, position 1: is missing", place.head.base.chunks[2].object);
    expect_fault(&place, begin, "");
    place_release(&place);
}

/* --- others, and trouble --- */

struct meanwhile {
    struct place *place;
    bool done;
};

/* A fold by another server, whose old objects are gone at once. */
static void fold_meanwhile(void *ctx, const struct verify_report *so_far)
{
    struct meanwhile *meanwhile = ctx;
    struct place *place = meanwhile->place;
    (void)so_far;
    if (meanwhile->done)
        return;
    meanwhile->done = true;
    size_t before = place->objects.count;
    fold(place, &tiny);
    put_all(place);
    for (size_t i = 0; i < before; i++)
        if (!is_named(&place->head, place->objects.list[i].name))
            drop_object(place, place->objects.list[i].name);
}

static void objects_that_a_fold_removed_meanwhile_are_no_fault(void **state)
{
    (void)state;
    struct place place;
    struct verify_report report;
    struct meanwhile meanwhile = {.place = &place};
    place_init(&place, &tiny);
    struct verify_options options = {
        .store = place.store, .progress = fold_meanwhile, .ctx = &meanwhile};
    verify_namespace(&options, slice_of(NAME), &report);
    if (report.verdict != VERIFY_SOUND)
        fail_msg("%s", text_terminated(&report.lines));
    assert_true(meanwhile.done);
    assert_int_equal(report.base_position, 5);
    assert_int_equal(report.commits, 0);
    assert_int_equal(report.keys, 101);
    verify_report_release(&report);
    place_release(&place);
}

static void a_store_out_of_reach_is_no_verdict(void **state)
{
    (void)state;
    struct random r = random_init();
    struct place place;
    struct store_faults faults = {.permille = {[STORE_FAULT_TRANSIENT] = 50}};
    unsigned verdicts[3] = {0};
    place_init(&place, &tiny);
    place.store = store_faulty_create(place.store, random_next(&r), &faults);
    for (unsigned i = 0; i < 200; i++) {
        struct verify_report report;
        check(&place, &report);
        verdicts[report.verdict]++;
        if (report.verdict == VERIFY_UNREADABLE)
            assert_true(verify_report_first(&report).len > 0);
        verify_report_release(&report);
    }
    assert_true(verdicts[VERIFY_SOUND] > 0 && verdicts[VERIFY_UNREADABLE] > 0);
    assert_int_equal(verdicts[VERIFY_UNSOUND], 0);
    place_release(&place);
}

static void a_verification_can_be_stopped(void **state)
{
    (void)state;
    struct place place;
    struct verify_report report;
    _Atomic bool stop = true;
    place_init(&place, &tiny);
    struct verify_options options = {.store = place.store, .stop = &stop};
    verify_namespace(&options, slice_of(NAME), &report);
    assert_int_equal(report.verdict, VERIFY_UNREADABLE);
    assert_true(slice_equal(verify_report_first(&report), slice_of("the server is going down")));
    verify_report_release(&report);
    place_release(&place);
}

static void namespaces_are_listed_by_head_and_by_objects(void **state)
{
    (void)state;
    struct place place;
    struct verify_names names;
    struct text error = {0};
    place_init(&place, &tiny);
    put(place.store, "b.json", slice_of("no head"));
    put(place.store, "lost/chunk-1.jsonl", slice_of("{}\n"));
    put(place.store, "readme.txt", slice_of("of somebody else"));
    assert_true(verify_list(place.store, &names, &error));
    assert_int_equal(names.count, 3);
    assert_string_equal(names.list[0], "b");
    assert_string_equal(names.list[1], NAME);
    assert_string_equal(names.list[2], "lost");
    verify_names_release(&names);
    place_release(&place);
}

static void a_report_is_lines_for_people(void **state)
{
    (void)state;
    struct place place;
    struct verify_report report;
    struct text out = {0};
    place_init(&place, &roomy);
    check(&place, &report);
    verify_report_print(&report, &out);
    const char *begin = "git: sound: position 5, 4 commits in the tail, 4 ops, 101 keys, 0 chunks, "
                        "2 segments, ";
    assert_memory_equal(text_terminated(&out), begin, strlen(begin));
    verify_report_release(&report);
    drop_object(&place, place.head.tail[1].segment);
    drop_object(&place, place.head.tail[3].segment);
    check(&place, &report);
    text_clear(&out);
    verify_report_print(&report, &out);
    begin = "git: NOT SOUND: position 5, ";
    assert_memory_equal(text_terminated(&out), begin, strlen(begin));
    unsigned lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, 3);
    verify_report_release(&report);
    text_release(&out);
    place_release(&place);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(a_sound_namespace_is_sound_and_counted),
        T(commits_in_runs_are_checked_like_the_others),
        T(whatever_is_written_is_sound),
        T(a_flipped_bit_or_a_cut_is_found_in_every_object),
        T(a_missing_object_is_named_with_its_position),
        T(a_lost_head_is_found_and_nothing_at_all_is_absent),
        T(swapped_commits_are_found),
        T(a_gap_in_the_tail_is_found),
        T(a_commit_that_was_changed_breaks_the_chain),
        T(replicas_that_lag_behind_the_tail_are_found),
        T(positions_in_replicas_that_do_not_fit_the_tail_are_found),
        T(an_op_that_is_there_twice_is_found),
        T(segments_are_looked_into),
        T(ops_in_the_head_are_looked_into),
        T(chunks_are_looked_into),
        T(a_wrong_count_of_keys_is_found),
        T(an_inline_state_is_looked_into),
        T(a_base_behind_a_clear_is_looked_into),
        T(objects_that_a_fold_removed_meanwhile_are_no_fault),
        T(a_store_out_of_reach_is_no_verdict),
        T(a_verification_can_be_stopped),
        T(namespaces_are_listed_by_head_and_by_objects),
        T(a_report_is_lines_for_people),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
