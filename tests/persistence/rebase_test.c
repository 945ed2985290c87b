/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rebasing against its definition: what a replica shows is the committed state with its pending ops
 * replayed on top, whatever came in between. The model replays everything each time.
 */
#include "persistence/rebase.h"

#include "ops/value.h"
#include "tests/persistence/codec_support.h"

#define PENDING_MAX 64

/* One replica beside a shared order that the test makes up. */
struct bed {
    struct random random;
    struct op_source source;
    struct keyspace *shared; /* the committed state */
    int64_t clock;
    struct keyspace *ks;
    struct rebase *rebase;
    struct op_box *pending[PENDING_MAX];
    size_t count;
    uint64_t first; /* number of pending[0] */
    uint64_t told, arrived, expired;
    struct keyspace *heard; /* the keys that are there for one who only listens */
    struct text log;        /* what was told, in words */
};

/* `heard` holds an integer for each key that was last told to be there. */
static void hear(struct bed *bed, struct slice key, bool there)
{
    struct op op = {.kind = there ? OP_INT_SET : OP_KEY_DELETE, .key = key};
    struct outcome out;
    apply(bed->heard, &op, &out, NULL);
}

static bool is_set_too_late(const struct op *op)
{
    int64_t deadline = op->kind == OP_SCALAR_SET ? op->scalar_set.expires
                       : op->kind == OP_INT_SET  ? op->int_set.expires
                       : op->kind == OP_KEY_PUT  ? op->key_put.expires
                                                 : 0;
    return deadline > 0 && deadline <= op->time;
}

static void hear_op(struct bed *bed, const struct op *op, const struct outcome *out)
{
    struct op clear = {.kind = OP_NAMESPACE_CLEAR};
    struct outcome ignored;
    if (op->kind == OP_NAMESPACE_CLEAR)
        apply(bed->heard, &clear, &ignored, NULL);
    else if (out->changed)
        hear(bed, op->key, !out->removed);
}

static void write_answer(struct text *out, const struct op *op, const struct rebase_answer *answer)
{
    struct slice detail = answer->detail, item;
    text_append_format(out, " %d/%lld%s", (int)answer->status, (long long)answer->number,
                       answer->whole ? "" : "…");
    while (op->kind == OP_LIST_POP && rebase_answer_item(&detail, &item)) {
        text_append_char(out, ',');
        text_append_slice(out, item);
    }
    if (op->kind == OP_FLOAT_ADD)
        text_append_slice(out, detail);
}

static void on_difference(void *ctx, const struct op *op, const struct rebase_answer *was,
                          const struct rebase_answer *is)
{
    struct bed *bed = ctx;
    bed->told++;
    text_append_format(&bed->log, "%s", op_kind_name(op->kind));
    write_answer(&bed->log, op, was);
    write_answer(&bed->log, op, is);
    text_append_char(&bed->log, ';');
}

static void on_arrival(void *ctx, const struct op *op, const struct outcome *out)
{
    struct bed *bed = ctx;
    assert_true(out->changed);
    bed->arrived++;
    hear_op(bed, op, out);
    text_append_format(&bed->log, "%s%s%s;", op_kind_name(op->kind), out->created ? " new" : "",
                       out->removed ? " del" : "");
}

static void on_expired(void *ctx, struct slice key)
{
    struct bed *bed = ctx;
    bed->expired++;
    hear(bed, key, false);
    text_append_string(&bed->log, "expired;");
}

/* What a key's keyspace drops by itself. */
static void on_dropped(void *ctx, struct slice key)
{
    hear(ctx, key, false);
}

static void expect_log(struct bed *bed, const char *expected)
{
    assert_string_equal(text_terminated(&bed->log), expected);
    text_clear(&bed->log);
}

static void bed_start(struct bed *bed, struct random random)
{
    *bed = (struct bed){.random = random, .first = 1};
    struct rebase_hooks hooks = {bed, on_arrival, on_expired, on_difference};
    struct keyspace_hooks drops = {bed, on_dropped};
    bed->source =
        (struct op_source){.random = &bed->random, .keys = 8, .bytes_max = 24, .time = 1000000};
    bed->shared = keyspace_create(NULL);
    bed->heard = keyspace_create(NULL);
    bed->ks = keyspace_create(&drops);
    bed->rebase = rebase_create(bed->ks, 0, &hooks);
    rebase_begin(bed->rebase, slice_of("me/1"), 1);
}

static void bed_end(struct bed *bed)
{
    for (size_t i = 0; i < bed->count; i++)
        op_box_destroy(bed->pending[i]);
    rebase_destroy(bed->rebase);
    keyspace_destroy(bed->ks);
    keyspace_destroy(bed->shared);
    keyspace_destroy(bed->heard);
    text_release(&bed->log);
}

/* As every replay of the store does it. */
static void replay(struct keyspace *ks, const struct op *op, int64_t *clock)
{
    struct op_box *box = op_box_copy(op);
    struct outcome out;
    if (box->op.time < *clock)
        box->op.time = *clock;
    *clock = box->op.time;
    apply(ks, &box->op, &out, NULL);
    op_box_destroy(box);
}

static void check(struct bed *bed)
{
    struct keyspace *want = state_copy(bed->shared), *have = state_copy(bed->ks);
    int64_t clock = bed->clock;
    for (size_t i = 0; i < bed->count; i++)
        replay(want, &bed->pending[i]->op, &clock);
    assert_int_equal(rebase_count(bed->rebase), bed->count);
    assert_int_equal(rebase_clock(bed->rebase), clock);
    assert_int_equal(rebase_floor(bed->rebase), bed->clock);
    keyspace_drop_expired(want, clock);
    keyspace_drop_expired(have, clock);
    assert_true(state_equal(want, have));
    keyspace_destroy(want);
    keyspace_destroy(have);
}

/* Clearing comes more often than op_random has it. */
static struct op_box *next_op(struct bed *bed)
{
    bed->source.time += (int64_t)random_below(&bed->random, 80) - 20;
    if (random_below(&bed->random, 60) == 0)
        return op_random_kind(&bed->source, OP_NAMESPACE_CLEAR);
    return op_random(&bed->source);
}

static void run_mine(struct bed *bed)
{
    struct outcome out;
    struct op_box *box = next_op(bed), *kept = op_box_copy(&box->op);
    if (bed->count < PENDING_MAX && rebase_run(bed->rebase, &box->op, &out)) {
        hear_op(bed, &box->op, &out);
        if (is_set_too_late(&box->op))
            hear(bed, box->op.key, false);
        kept->op.time = box->op.time;
        bed->pending[bed->count++] = kept;
    } else {
        op_box_destroy(kept);
    }
    op_box_destroy(box);
}

static void commit_theirs(struct bed *bed)
{
    size_t count = 1 + random_below(&bed->random, 6);
    for (size_t i = 0; i < count; i++) {
        struct op_box *box = next_op(bed);
        replay(bed->shared, &box->op, &bed->clock);
        rebase_theirs(bed->rebase, &box->op);
        op_box_destroy(box);
    }
}

static void commit_mine(struct bed *bed)
{
    size_t count = random_below(&bed->random, bed->count + 1);
    for (size_t i = 0; i < count; i++) {
        replay(bed->shared, &bed->pending[i]->op, &bed->clock);
        assert_true(rebase_ours(bed->rebase, slice_of("me/1"), bed->first + i));
        op_box_destroy(bed->pending[i]);
    }
    memmove(bed->pending, bed->pending + count, (bed->count - count) * sizeof(*bed->pending));
    bed->count -= count;
    bed->first += count;
}

static bool clear_is_pending(const struct bed *bed)
{
    for (size_t i = 0; i < bed->count; i++)
        if (bed->pending[i]->op.kind == OP_NAMESPACE_CLEAR)
            return true;
    return false;
}

struct comparison {
    struct keyspace *other;
    int64_t clock;
    size_t missing;
};

static void look_up(void *ctx, struct entry *entry)
{
    struct comparison *comparison = ctx;
    if (entry_expires(entry) && entry_expires(entry) <= comparison->clock)
        return; /* until it is dropped nobody is told */
    comparison->missing += !keyspace_find(comparison->other, entry_key(entry), 0, INT64_MIN);
}

static size_t missing(struct keyspace *of, struct keyspace *in, int64_t clock)
{
    struct comparison comparison = {in, clock, 0};
    uint64_t cursor = 0;
    do
        cursor = keyspace_scan(of, cursor, look_up, &comparison);
    while (cursor);
    return comparison.missing;
}

static void hear_key(void *ctx, struct entry *entry)
{
    hear(ctx, entry_key(entry), true);
}

static void listen_anew(struct bed *bed)
{
    uint64_t cursor = 0;
    keyspace_destroy(bed->heard);
    bed->heard = keyspace_create(NULL);
    do
        cursor = keyspace_scan(bed->ks, cursor, hear_key, bed);
    while (cursor);
}

/* Who only listens knows which keys are there. */
static void check_heard(struct bed *bed)
{
    assert_int_equal(missing(bed->ks, bed->heard, rebase_clock(bed->rebase)), 0);
    assert_int_equal(missing(bed->heard, bed->ks, 0), 0);
}

static void insert_copy(void *ctx, struct entry *entry)
{
    if (!keyspace_find(ctx, entry_key(entry), 0, INT64_MIN))
        keyspace_insert(ctx, entry_copy(entry, entry_key(entry), entry_expires(entry)));
}

/* As the loader makes it: what has expired by then is not there. */
static struct keyspace *load(struct bed *bed)
{
    struct keyspace *loaded = keyspace_create(&(struct keyspace_hooks){bed, on_dropped});
    struct keyspace *copy = state_copy(bed->shared);
    uint64_t cursor = 0;
    keyspace_drop_expired(copy, bed->clock);
    do
        cursor = keyspace_scan(copy, cursor, insert_copy, loaded);
    while (cursor);
    keyspace_destroy(copy);
    return loaded;
}

/* Another copy of the committed state takes the place of the one we stood on. */
static void restart(struct bed *bed)
{
    struct head head;
    struct keyspace *old = bed->ks;
    head_init(&head, slice_of("n"));
    if (bed->first > 1)
        head_set_replica(&head, slice_of("me/1"), bed->first - 1);
    bed->ks = load(bed);
    rebase_restart(bed->rebase, bed->ks, bed->clock, &head);
    keyspace_destroy(old);
    head_release(&head);
    listen_anew(bed);
}

static void round_of(struct bed *bed)
{
    size_t commits = random_below(&bed->random, 4), looked;
    for (size_t i = random_below(&bed->random, 12); i > 0; i--)
        run_mine(bed);
    check(bed);
    bool cleared = clear_is_pending(bed); /* nobody is told again that it took theirs away */
    for (size_t i = 0; i < commits; i++)
        if (random_below(&bed->random, 3))
            commit_theirs(bed);
        else
            commit_mine(bed);
    rebase_finish(bed->rebase);
    check(bed);
    if (cleared)
        listen_anew(bed);
    check_heard(bed);
    if (random_below(&bed->random, 2))
        rebase_garbage_free(rebase_take_garbage(bed->rebase));
    if (random_below(&bed->random, 2))
        keyspace_expire(bed->ks, rebase_floor(bed->rebase), 100, &looked);
    if (random_below(&bed->random, 8) == 0) {
        restart(bed);
        check(bed);
    }
}

static void a_replica_shows_the_committed_state_with_its_pending_ops_on_top(void **state)
{
    (void)state;
    struct random random = random_init();
    uint64_t told = 0, arrived = 0;
    for (int run = 0; run < 400; run++) {
        struct bed bed;
        bed_start(&bed, random_from(random_next(&random)));
        for (int i = 0; i < 12; i++)
            round_of(&bed);
        told += bed.told;
        arrived += bed.arrived;
        assert_int_equal(rebase_differing(bed.rebase), bed.told);
        bed_end(&bed);
    }
    assert_true(told > 100 && arrived > 1000);
}

static void nothing_is_held_when_nothing_is_pending(void **state)
{
    (void)state;
    struct random random = random_init();
    struct bed bed;
    bed_start(&bed, random);
    for (int i = 0; i < 40; i++)
        round_of(&bed);
    while (bed.count)
        commit_mine(&bed);
    rebase_finish(bed.rebase);
    assert_int_equal(rebase_memory(bed.rebase), 0);
    assert_int_equal(rebase_count(bed.rebase), 0);
    bed_end(&bed);
}

static struct op int_add(const char *key, int64_t delta, int64_t time)
{
    return (struct op){
        .kind = OP_INT_ADD, .key = slice_of(key), .time = time, .int_add = {.delta = delta}};
}

static void a_changed_answer_is_told_once(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    bed_start(&bed, random_from(1));
    struct op mine = int_add("n", 10, 5), other = int_add("m", 1, 5);
    assert_true(rebase_run(bed.rebase, &mine, &out));
    assert_true(rebase_run(bed.rebase, &other, &out));
    for (int i = 0; i < 3; i++) {
        struct op theirs = int_add("n", -5, 6);
        rebase_theirs(bed.rebase, &theirs);
        rebase_finish(bed.rebase);
    }
    assert_int_equal(bed.told, 1);
    expect_log(&bed, "IntAdd new;IntAdd 0/10 0/5;IntAdd;IntAdd;");
    assert_true(rebase_ours(bed.rebase, slice_of("me/1"), 1));
    assert_false(rebase_ours(bed.rebase, slice_of("me/1"), 1));
    assert_false(rebase_ours(bed.rebase, slice_of("you/1"), 2));
    assert_true(rebase_ours(bed.rebase, slice_of("me/1"), 2));
    rebase_finish(bed.rebase);
    assert_int_equal(bed.told, 1);
    bed_end(&bed);
}

/* LPOP's answer is the item; that another item was popped is told though the count is the same. */
static void another_popped_item_is_another_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    struct slice a = slice_of("a"), b = slice_of("b");
    struct op push = {
        .kind = OP_LIST_APPEND, .key = slice_of("l"), .list_append = {.items = {&a, 1}}};
    struct op pop = {.kind = OP_LIST_POP, .key = slice_of("l"), .list_pop = {OP_SIDE_LEFT, 1}};
    struct op front = {
        .kind = OP_LIST_PREPEND, .key = slice_of("l"), .list_prepend = {.items = {&b, 1}}};
    bed_start(&bed, random_from(1));
    rebase_theirs(bed.rebase, &push);
    rebase_finish(bed.rebase);
    assert_true(rebase_run(bed.rebase, &pop, &out));
    rebase_theirs(bed.rebase, &front);
    rebase_finish(bed.rebase);
    assert_int_equal(bed.told, 1);
    expect_log(&bed, "ListAppend new;ListPrepend;ListPop 0/1,a 0/1,b;");
    bed_end(&bed);
}

static void an_answer_too_long_to_keep_is_told_without_it(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    char bytes[300];
    memset(bytes, 'x', sizeof(bytes));
    struct slice both[] = {slice_of("a"), slice_make(bytes, sizeof(bytes))}, b = slice_of("b");
    struct op push = {
        .kind = OP_LIST_APPEND, .key = slice_of("l"), .list_append = {.items = {both, 2}}};
    struct op pop = {.kind = OP_LIST_POP, .key = slice_of("l"), .list_pop = {OP_SIDE_LEFT, 2}};
    struct op front = {
        .kind = OP_LIST_PREPEND, .key = slice_of("l"), .list_prepend = {.items = {&b, 1}}};
    bed_start(&bed, random_from(1));
    rebase_theirs(bed.rebase, &push);
    rebase_finish(bed.rebase);
    assert_true(rebase_run(bed.rebase, &pop, &out));
    text_clear(&bed.log);
    rebase_theirs(bed.rebase, &front);
    rebase_finish(bed.rebase);
    expect_log(&bed, "ListPrepend;ListPop 0/2… 0/2,b,a;");
    bed_end(&bed);
}

static void a_float_is_told_as_its_text(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    struct op mine = {
        .kind = OP_FLOAT_ADD, .key = slice_of("f"), .float_add = {.delta = slice_of("1.5")}};
    struct op theirs = int_add("f", 2, 1);
    bed_start(&bed, random_from(1));
    assert_true(rebase_run(bed.rebase, &mine, &out));
    rebase_theirs(bed.rebase, &theirs);
    assert_true(rebase_ours(bed.rebase, slice_of("me/1"), 1)); /* committed right behind it */
    rebase_finish(bed.rebase);
    expect_log(&bed, "IntAdd new;FloatAdd 0/01.5 0/03.5;");
    bed_end(&bed);
}

static struct op set_op(enum op_kind kind, const char *key, const struct slice *member)
{
    struct op op = {.kind = kind, .key = slice_of(key)};
    if (kind == OP_SET_ADD)
        op.set_add.members = (struct slice_list){member, 1};
    else if (kind == OP_SET_REMOVE)
        op.set_remove.members = (struct slice_list){member, 1};
    return op;
}

static void an_op_of_ours_that_makes_its_key_again_is_told_again(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    struct slice a = slice_of("a"), b = slice_of("b");
    struct op theirs = set_op(OP_SET_ADD, "s", &b), mine = set_op(OP_SET_ADD, "s", &a);
    struct op gone = set_op(OP_KEY_DELETE, "s", NULL);
    bed_start(&bed, random_from(1));
    rebase_theirs(bed.rebase, &theirs);
    rebase_finish(bed.rebase);
    assert_true(rebase_run(bed.rebase, &mine, &out) && !out.created);
    text_clear(&bed.log);
    rebase_theirs(bed.rebase, &gone);
    rebase_finish(bed.rebase);
    expect_log(&bed, "KeyDelete del;SetAdd new;");
    rebase_finish(bed.rebase);
    expect_log(&bed, "");
    bed_end(&bed);
}

static void a_key_that_ours_and_theirs_together_remove_is_told_gone(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    struct slice a = slice_of("a"), b = slice_of("b");
    struct op one = set_op(OP_SET_ADD, "s", &a), two = set_op(OP_SET_ADD, "s", &b);
    struct op mine = set_op(OP_SET_REMOVE, "s", &a), theirs = set_op(OP_SET_REMOVE, "s", &b);
    bed_start(&bed, random_from(1));
    rebase_theirs(bed.rebase, &one);
    rebase_theirs(bed.rebase, &two);
    rebase_finish(bed.rebase);
    assert_true(rebase_run(bed.rebase, &mine, &out) && !out.removed);
    text_clear(&bed.log);
    rebase_theirs(bed.rebase, &theirs);
    rebase_finish(bed.rebase);
    expect_log(&bed, "SetRemove;SetRemove del;");
    bed_end(&bed);
}

static void a_deadline_that_has_passed_is_told_before_the_op_that_meets_it(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    struct op set = {.kind = OP_INT_SET,
                     .key = slice_of("k"),
                     .time = 100,
                     .int_set = {.value = 7, .expires = 500}};
    struct op theirs = int_add("k", 1, 600), mine = int_add("k", 1, 600);
    bed_start(&bed, random_from(1));
    rebase_theirs(bed.rebase, &set);
    rebase_theirs(bed.rebase, &theirs);
    rebase_finish(bed.rebase);
    expect_log(&bed, "IntSet new;expired;IntAdd new;");
    set.key = mine.key = slice_of("own");
    set.hash = 0;
    set.int_set.expires = 620;
    rebase_theirs(bed.rebase, &set);
    rebase_finish(bed.rebase);
    text_clear(&bed.log);
    mine.time = 630;
    assert_true(rebase_run(bed.rebase, &mine, &out) && out.created);
    expect_log(&bed, "expired;");
    bed_end(&bed);
}

/* A clock ahead makes a deadline pass between our op's own time and its place in the order. */
static void a_deadline_that_their_clock_has_passed_is_seen_by_pending_ops(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    bed_start(&bed, random_from(1));
    struct op set = {.kind = OP_INT_SET,
                     .key = slice_of("k"),
                     .time = 100,
                     .int_set = {.value = 7, .expires = 500}};
    struct op mine = int_add("k", 1, 200), theirs = int_add("other", 1, 600);
    rebase_theirs(bed.rebase, &set);
    rebase_finish(bed.rebase);
    assert_true(rebase_run(bed.rebase, &mine, &out));
    assert_int_equal(out.number, 8);
    rebase_theirs(bed.rebase, &theirs);
    rebase_finish(bed.rebase);
    int64_t number;
    assert_true(string_integer(keyspace_find(bed.ks, slice_of("k"), 0, INT64_MIN), &number));
    assert_int_equal(number, 1);
    assert_int_equal(bed.told, 1);
    bed_end(&bed);
}

static struct op set_string(const char *key, struct slice value)
{
    return (struct op){
        .kind = OP_SCALAR_SET, .key = slice_of(key), .time = 1, .scalar_set = {.value = value}};
}

static int64_t number_of(struct bed *bed, const char *key)
{
    int64_t number = 0;
    struct entry *entry = keyspace_find(bed->ks, slice_of(key), 0, INT64_MIN);
    assert_true(entry && string_integer(entry, &number));
    return number;
}

/* More than a chunk holds and the index begins with; others change keys in between. */
static void many_ops_may_be_pending(void **state)
{
    enum { KEYS = 100, ROUNDS = 40, A_ROUND = 500 };
    (void)state;
    struct random random = random_init();
    struct bed bed;
    struct outcome out;
    int64_t sums[KEYS] = {0};
    uint64_t committed = 0, ran = 0;
    char key[16];
    bed_start(&bed, random_from(random_next(&random)));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < A_ROUND; i++, ran++) {
            unsigned n = (unsigned)random_below(&random, KEYS);
            snprintf(key, sizeof(key), "k%u", n);
            struct op mine = int_add(key, 1, 1);
            assert_true(rebase_run(bed.rebase, &mine, &out));
            assert_int_equal(out.number, ++sums[n]);
        }
        for (uint64_t i = random_below(&random, ran - committed + 1); i > 0; i--)
            assert_true(rebase_ours(bed.rebase, slice_of("me/1"), ++committed));
        for (int i = 0; i < 20; i++) {
            unsigned n = (unsigned)random_below(&random, 2 * KEYS); /* half of them have none */
            snprintf(key, sizeof(key), "k%u", n);
            struct op theirs = int_add(key, 1000, 1);
            rebase_theirs(bed.rebase, &theirs);
            if (n < KEYS)
                sums[n] += 1000;
        }
        rebase_finish(bed.rebase);
        rebase_garbage_free(rebase_take_garbage(bed.rebase));
        assert_int_equal(rebase_count(bed.rebase), ran - committed);
        for (unsigned n = 0; n < KEYS; n++) {
            snprintf(key, sizeof(key), "k%u", n);
            assert_int_equal(sums[n] ? number_of(&bed, key) : 0, sums[n]);
        }
    }
    while (committed < ran)
        assert_true(rebase_ours(bed.rebase, slice_of("me/1"), ++committed));
    rebase_finish(bed.rebase);
    assert_int_equal(rebase_memory(bed.rebase), 0);
    bed_end(&bed);
}

/* Longer than a chunk, between short ones and ones that are not kept. */
static void long_ops_may_be_pending(void **state)
{
    (void)state;
    struct bed bed;
    struct outcome out;
    struct text text = {0};
    bed_start(&bed, random_from(1));
    for (size_t size = 1; size < 1024 * 1024; size *= 3) {
        memset(text_reserve(&text, size), 'x', size);
        struct op set = set_string("s", slice_make(text.data, size));
        struct op add = int_add("n", 1, 1), refused = int_add("s", 1, 1);
        assert_true(rebase_run(bed.rebase, &set, &out));
        assert_true(rebase_run(bed.rebase, &add, &out));
        assert_false(rebase_run(bed.rebase, &refused, &out));
    }
    struct op theirs = set_string("s", slice_of("y")), count = int_add("n", 10, 1);
    size_t pending = rebase_count(bed.rebase), size = text.cap;
    rebase_theirs(bed.rebase, &theirs);
    rebase_theirs(bed.rebase, &count);
    for (uint64_t i = 1; i < pending; i++)
        assert_true(rebase_ours(bed.rebase, slice_of("me/1"), i));
    rebase_finish(bed.rebase);
    assert_int_equal(number_of(&bed, "n"), 10 + (int64_t)pending / 2);
    const struct entry *entry = keyspace_find(bed.ks, slice_of("s"), 0, INT64_MIN);
    assert_true(value_len(entry) > size / 4);
    assert_true(rebase_ours(bed.rebase, slice_of("me/1"), pending));
    rebase_finish(bed.rebase);
    assert_int_equal(rebase_memory(bed.rebase), 0);
    text_release(&text);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_shows_the_committed_state_with_its_pending_ops_on_top),
        cmocka_unit_test(nothing_is_held_when_nothing_is_pending),
        cmocka_unit_test(a_changed_answer_is_told_once),
        cmocka_unit_test(another_popped_item_is_another_answer),
        cmocka_unit_test(an_answer_too_long_to_keep_is_told_without_it),
        cmocka_unit_test(a_float_is_told_as_its_text),
        cmocka_unit_test(an_op_of_ours_that_makes_its_key_again_is_told_again),
        cmocka_unit_test(a_key_that_ours_and_theirs_together_remove_is_told_gone),
        cmocka_unit_test(a_deadline_that_has_passed_is_told_before_the_op_that_meets_it),
        cmocka_unit_test(a_deadline_that_their_clock_has_passed_is_seen_by_pending_ops),
        cmocka_unit_test(many_ops_may_be_pending),
        cmocka_unit_test(long_ops_may_be_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
