/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast one core writes and reads the JSON of a base: chunks of strings, hashes and sets, from
 * and to entries in memory. Prints Markdown rows: what, bytes a key, MB/s written, MB/s read, and
 * MB/s of sha256, which every object needs too. Then what an op costs on its way through a segment
 * into the base: written as JSON with its sum, and folded. Processor time, the best of some rounds.
 */
#include <stdio.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/chunk.h"
#include "persistence/fold.h"
#include "persistence/sha256.h"

enum { KEYS = 300000, FIELDS = 5, MEMBERS = 3, ROUNDS = 7 };
/* As many keys as in a base of the size that is folded with so many ops. */
enum { FOLD_KEYS = 1000000, FOLD_OPS = 600000, FOLD_ROUNDS = 3, SEGMENT_SIZE = 4 << 20 };
#define TIME INT64_C(1795212345678)

static double used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct slice format(char out[32], const char *pattern, int number)
{
    return slice_make(out, (size_t)snprintf(out, 32, pattern, number));
}

static struct entry *make_string(struct slice key, int i)
{
    char value[32];
    return entry_build_string(key, 0, format(value, "v0123456789abc%02d", i % 100));
}

static struct entry *make_hash(struct slice key, int i)
{
    struct entry *entry = entry_build(key, 0, VALUE_HASH);
    char field[32], value[32];
    for (int n = 0; n < FIELDS; n++)
        entry_build_field(&entry, format(field, "field%d", n), format(value, "value%d", i + n));
    return entry;
}

static struct entry *make_set(struct slice key, int i)
{
    struct entry *entry = entry_build(key, 0, VALUE_SET);
    char member[32];
    for (int n = 0; n < MEMBERS; n++)
        entry_build_member(&entry, format(member, "member-%d", i * n));
    return entry;
}

static void take(void *ctx, struct entry *entry)
{
    struct entry ***at = ctx;
    *(*at)++ = entry;
}

struct times {
    double written, read, hashed;
};

static void keep_best(double *best, double took)
{
    if (*best == 0 || took < *best)
        *best = took;
}

static void write_all(struct entry **entries, struct text *lines)
{
    text_clear(lines);
    for (int i = 0; i < KEYS; i++) {
        text_append_char(lines, '{');
        chunk_member_encode(lines, entry_key(entries[i]), entries[i]);
        text_append(lines, "}\n", 2);
    }
}

static void one_round(struct entry **entries, struct text *lines, struct times *best)
{
    struct chunk_ref ref = {.object = "chunk", .count = KEYS};
    struct entry **at = entries;
    struct text error = {0};
    double begin = used();
    write_all(entries, lines);
    keep_best(&best->written, used() - begin);
    for (int i = 0; i < KEYS; i++)
        entry_destroy(entries[i]);
    begin = used();
    sha256_digest_hex(text_slice(lines), ref.sha256);
    keep_best(&best->hashed, used() - begin);
    ref.bytes = lines->len;
    begin = used();
    if (!chunk_load(&ref, text_slice(lines), take, &at, &error))
        fprintf(stderr, "%s\n", text_terminated(&error));
    keep_best(&best->read, used() - begin - best->hashed);
    text_release(&error);
}

static void measure(const char *what, struct entry *(*make)(struct slice key, int i))
{
    struct entry **entries = mem_alloc(KEYS * sizeof(*entries));
    struct times best = {0};
    struct text lines = {0};
    char key[32];
    for (int i = 0; i < KEYS; i++)
        entries[i] = make(format(key, "bench:s:%012d", i), i);
    for (int round = 0; round < ROUNDS; round++)
        one_round(entries, &lines, &best);
    double mb = (double)lines.len / 1e6;
    printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", what, (double)lines.len / KEYS,
           mb / best.written, mb / best.read, mb / best.hashed);
    for (int i = 0; i < KEYS; i++)
        entry_destroy(entries[i]);
    mem_free(entries);
    text_release(&lines);
}

struct objects {
    struct text *bodies;
    size_t count;
};

static void object_add(struct objects *objects, struct slice body, char name[COMMIT_OBJECT_SIZE])
{
    objects->bodies = mem_realloc(objects->bodies, (objects->count + 1) * sizeof(struct text));
    struct text *kept = &objects->bodies[objects->count];
    text_init(kept);
    text_append_slice(kept, body);
    snprintf(name, COMMIT_OBJECT_SIZE, "object-%zu", objects->count++);
}

static bool object_write(void *ctx, struct slice body, char name[COMMIT_OBJECT_SIZE],
                         struct text *error)
{
    (void)error;
    object_add(ctx, body, name);
    return true;
}

static bool object_read(void *ctx, const char *name, struct text *body, struct text *error)
{
    struct objects *objects = ctx;
    size_t which = objects->count;
    (void)error;
    if (sscanf(name, "object-%zu", &which) != 1 || which >= objects->count)
        return false;
    text_clear(body);
    text_append_slice(body, text_slice(&objects->bodies[which]));
    return true;
}

static void make_set_op(struct op *op, struct slice value[2])
{
    op->kind = OP_SCALAR_SET;
    op->scalar_set = (struct op_scalar_set){.value = value[1]};
}

static void make_incr_op(struct op *op, struct slice value[2])
{
    (void)value;
    op->kind = OP_INT_ADD;
    op->int_add.delta = 1;
}

static void make_hset_op(struct op *op, struct slice value[2])
{
    op->kind = OP_MAP_SET;
    op->map_set = (struct op_map_set){.pairs = {value, 2}};
}

struct folding {
    struct objects objects;
    struct head head;
    size_t bytes;
    double written, folded;
};

static void add_commit(struct folding *f, struct slice pending, uint64_t count)
{
    struct commit commit = {.position = f->head.position + 1, .time = TIME, .replica = "bench/1"};
    struct text body = {0};
    commit.count = count;
    commit.first = head_replica_op(&f->head, slice_of(commit.replica)) + 1;
    double begin = used();
    segment_encode(&body, slice_of("bench"), &commit, pending);
    f->written += used() - begin;
    f->bytes += body.len;
    object_add(&f->objects, text_slice(&body), commit.segment);
    commit_seal_segment(&commit);
    head_append(&f->head, &commit);
    text_release(&body);
}

static void fold(struct folding *f)
{
    struct fold_store store = {&f->objects, object_read, object_write};
    struct fold_options options = {.chunk_size = 4 << 20, .inline_limit = 64 << 10};
    struct text error = {0};
    struct head_base base;
    double begin = used();
    if (!fold_run(&f->head, f->head.position, &store, &options, &base, &error))
        fprintf(stderr, "%s\n", text_terminated(&error));
    else
        head_rebase(&f->head, &base);
    f->folded += used() - begin;
    text_release(&error);
}

/* Ops on `count` keys, all in a row or any of FOLD_KEYS. */
static void add_ops(struct folding *f, void (*make)(struct op *op, struct slice value[2]),
                    int count, bool random)
{
    struct slice value[2] = {slice_of("field"), slice_of("v0123456789abcde")};
    struct op op = {.time = TIME};
    struct text pending = {0};
    uint64_t state = 88172645463325252, gathered = 0;
    char key[32];
    for (int i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        op.key = format(key, "bench:s:%012d", random ? (int)((state >> 33) % FOLD_KEYS) : i);
        make(&op, value);
        op_binary_encode(&pending, &op);
        gathered++;
        if (pending.len >= SEGMENT_SIZE) {
            add_commit(f, text_slice(&pending), gathered);
            text_clear(&pending);
            gathered = 0;
        }
    }
    if (pending.len)
        add_commit(f, text_slice(&pending), gathered);
    text_release(&pending);
}

static void measure_fold(const char *what, void (*make)(struct op *op, struct slice value[2]))
{
    double written = 0, folded = 0;
    size_t bytes = 0;
    for (int round = 0; round < FOLD_ROUNDS; round++) {
        struct folding f = {0};
        head_init(&f.head, slice_of("bench"));
        add_ops(&f, make, FOLD_KEYS, false);
        fold(&f);
        f.bytes = 0;
        f.written = f.folded = 0;
        add_ops(&f, make, FOLD_OPS, true);
        fold(&f);
        keep_best(&written, f.written);
        keep_best(&folded, f.folded);
        bytes = f.bytes;
        head_release(&f.head);
        for (size_t i = 0; i < f.objects.count; i++)
            text_release(&f.objects.bodies[i]);
        mem_free(f.objects.bodies);
    }
    printf("| %s | %zu | %.0f | %.0f |\n", what, bytes / FOLD_OPS, written / FOLD_OPS * 1e9,
           folded / FOLD_OPS * 1e9);
}

int main(void)
{
    printf("| keys | bytes of JSON a key | written, MB/s a core | read, MB/s a core | sha256, MB/s "
           "a core |\n");
    printf("|---|---:|---:|---:|---:|\n");
    measure("strings of 16 bytes", make_string);
    measure("hashes of 5 fields", make_hash);
    measure("sets of 3 members", make_set);
    printf("\n| %d ops on any of %d keys | bytes of JSON an op | written, ns an op | folded, ns an "
           "op |\n",
           FOLD_OPS, FOLD_KEYS);
    printf("|---|---:|---:|---:|\n");
    measure_fold("SET", make_set_op);
    measure_fold("INCR", make_incr_op);
    measure_fold("HSET", make_hset_op);
    return 0;
}
