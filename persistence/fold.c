/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ops are gathered in their compact form, sorted by key (and, within a key, in their order), and
 * merged with the sorted lines of the base. Only a key that some op names is ever decoded: it is
 * put alone into a small keyspace, its ops applied as everywhere else, and encoded again.
 */
#include "persistence/fold.h"

#include "ops/apply.h"
#include "ops/keyspace.h"
#include "ops/mem.h"
#include "persistence/fold_output.h"
#include "persistence/op_sort.h"
#include "persistence/run.h"

struct gathered {
    struct text binary;
    struct op_ref *refs; /* sorted; `at` is where the op begins in `binary` */
    size_t count;
    bool cleared;  /* a NamespaceClear came: the base is of no account, nor what came before */
    int64_t clock; /* newest time */
};

static void gathered_release(struct gathered *ops)
{
    text_release(&ops->binary);
    mem_free(ops->refs);
}

static bool gather_commit(void *ctx, const struct commit *commit, struct slice array,
                          struct text *error)
{
    struct gathered *ops = ctx;
    struct commit_reader reader;
    struct op op;
    commit_reader_init(&reader, array, commit->time);
    while (commit_reader_next(&reader, &op)) {
        /* As commit_replay. */
        if (op.time < ops->clock)
            op.time = ops->clock;
        ops->clock = op.time;
        if (op.kind == OP_NAMESPACE_CLEAR) {
            ops->cleared = true;
            text_clear(&ops->binary);
            continue;
        }
        op_binary_encode(&ops->binary, &op);
        op_release(&op);
    }
    const char *failure = commit_reader_error(&reader);
    if (failure)
        text_append_format(error, "ops of commit %llu: %s", (unsigned long long)commit->position,
                           failure);
    commit_reader_release(&reader);
    return !failure;
}

static void sort_ops(struct gathered *ops)
{
    size_t cap = 0, len;
    for (size_t at = 0; at < ops->binary.len; at += len) {
        struct slice rest = slice_make(ops->binary.data + at, ops->binary.len - at);
        struct op_ref ref = {.at = at};
        len = op_binary_skip(rest, NULL, &ref.key);
        assert(len);
        if (ops->count == cap) {
            cap = cap ? cap * 2 : 64;
            ops->refs = mem_realloc(ops->refs, cap * sizeof(*ops->refs));
        }
        ops->refs[ops->count++] = ref;
    }
    op_refs_sort(ops->refs, ops->count);
}

static bool gather(const struct head *head, uint64_t position, const struct fold_store *store,
                   struct gathered *ops, struct text *error)
{
    ops->clock = head->base.time;
    bool fine = run_walk(head, position, store, gather_commit, ops, error);
    if (fine)
        sort_ops(ops);
    return fine;
}

/* Where the merged members go. */
struct sink {
    void *ctx;
    fold_visit *put;
    /* A chunk that no op touches; NULL: read it, and put its members. */
    bool (*keep)(void *ctx, const struct chunk_ref *ref, struct text *error);
};

struct merge {
    const struct gathered *ops;
    size_t next; /* the first op not yet applied */
    struct keyspace *scratch;
    struct op_scratch lists;
    struct text member;
    const struct sink *sink;
    struct text *error;
};

static void apply_to_key(struct merge *m, struct slice key)
{
    uint64_t hash = key_hash(key);
    struct outcome outcome;
    struct op op;
    do {
        size_t at = m->ops->refs[m->next++].at;
        struct slice rest = slice_make(m->ops->binary.data + at, m->ops->binary.len - at);
        size_t len = op_binary_decode(rest, &m->lists, &op);
        assert(len);
        op.hash = hash;
        apply(m->scratch, &op, &outcome, NULL);
        op_release(&op);
    } while (m->next < m->ops->count && slice_equal(m->ops->refs[m->next].key, key));
}

static void empty_scratch(struct merge *m, struct slice key)
{
    struct op op = {.kind = OP_KEY_DELETE, .key = key, .time = m->ops->clock};
    struct outcome outcome;
    apply(m->scratch, &op, &outcome, NULL);
    struct garbage *garbage = keyspace_take_garbage(m->scratch);
    if (garbage)
        garbage_free(garbage);
}

/* Applies the ops of the next key to `entry` (NULL: the base has none), and puts what is left. A
 * deadline that has passed by the newest op is carried out now that the line is written anyway. */
static bool merge_key(struct merge *m, struct entry *entry)
{
    struct slice key = m->ops->refs[m->next].key;
    bool fine = true;
    if (entry)
        keyspace_insert(m->scratch, entry);
    apply_to_key(m, key);
    const struct entry *result = keyspace_find(m->scratch, key, 0, m->ops->clock);
    if (result) {
        text_clear(&m->member);
        chunk_member_encode(&m->member, key, result);
        fine = m->sink->put(m->sink->ctx, key, text_slice(&m->member), m->error);
    }
    empty_scratch(m, key);
    return fine;
}

/* Keys that only ops have, below `limit` (NULL: all that are left). */
static bool merge_new_keys(struct merge *m, const struct slice *limit)
{
    while (m->next < m->ops->count &&
           (!limit || slice_compare(m->ops->refs[m->next].key, *limit) < 0))
        if (!merge_key(m, NULL))
            return false;
    return true;
}

static bool merge_member(struct merge *m, struct slice key, struct slice member)
{
    if (!merge_new_keys(m, &key))
        return false;
    if (m->next == m->ops->count || !slice_equal(m->ops->refs[m->next].key, key))
        return m->sink->put(m->sink->ctx, key, member, m->error);
    struct entry *entry = chunk_member_decode(member, m->error);
    return entry && merge_key(m, entry);
}

static bool merge_reader(struct merge *m, struct chunk_reader *reader)
{
    struct slice key, member;
    bool fine = true;
    while (fine && chunk_reader_next(reader, &key, &member))
        fine = merge_member(m, key, member);
    return fine && !chunk_reader_failed(reader, m->error);
}

static bool merge_chunk(struct merge *m, const struct chunk_ref *ref,
                        const struct fold_store *store)
{
    struct text body = {0};
    bool fine = store->read(store->ctx, ref->object, &body, m->error) &&
                chunk_check(ref, text_slice(&body), m->error);
    if (fine) {
        struct chunk_reader reader;
        chunk_reader_init(&reader, text_slice(&body));
        fine = merge_reader(m, &reader);
        if (!fine)
            text_append_format(m->error, " (%s)", ref->object);
        chunk_reader_release(&reader);
    }
    text_release(&body);
    return fine;
}

/* A chunk is touched when an op names a key of its range, which reaches to the next chunk. */
static bool merge_chunks(struct merge *m, const struct head_base *base,
                         const struct fold_store *store, bool all)
{
    for (size_t i = 0; i < base->chunk_count; i++) {
        const struct chunk_ref *ref = &base->chunks[i];
        bool last = i + 1 == base->chunk_count;
        struct slice limit = last ? slice_make(NULL, 0) : text_slice(&ref[1].first);
        bool touched = m->next < m->ops->count &&
                       (last || slice_compare(m->ops->refs[m->next].key, limit) < 0);
        if (!touched && !all) {
            if (!m->sink->keep(m->sink->ctx, ref, m->error))
                return false;
        } else if (!merge_chunk(m, ref, store) || !merge_new_keys(m, last ? NULL : &limit)) {
            return false;
        }
    }
    return true;
}

static bool merge_state(struct merge *m, struct slice state)
{
    struct chunk_reader reader;
    chunk_reader_init_state(&reader, state);
    bool fine = merge_reader(m, &reader) && merge_new_keys(m, NULL);
    chunk_reader_release(&reader);
    return fine;
}

static bool merge_all(const struct head_base *base, const struct gathered *ops,
                      const struct fold_store *store, const struct sink *sink, bool all,
                      struct text *error)
{
    struct merge m = {.ops = ops, .sink = sink, .error = error};
    bool fine;
    m.scratch = keyspace_create(NULL);
    if (ops->cleared)
        fine = merge_new_keys(&m, NULL);
    else if (base->chunk_count)
        fine = merge_chunks(&m, base, store, all || !sink->keep);
    else
        fine = merge_state(&m, text_slice(&base->state));
    keyspace_destroy(m.scratch);
    op_scratch_release(&m.lists);
    text_release(&m.member);
    return fine;
}

static bool output_put(void *ctx, struct slice key, struct slice member, struct text *error)
{
    return fold_output_add(ctx, key, member, error);
}

static bool output_keep(void *ctx, const struct chunk_ref *ref, struct text *error)
{
    return fold_output_keep(ctx, ref, error);
}

/* Chunks that have become so few and small are read, touched or not, to go back into the head. */
static bool shrunk(const struct head_base *base, size_t inline_limit)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < base->chunk_count; i++)
        bytes += base->chunks[i].bytes;
    return bytes <= inline_limit / 2;
}

bool fold_run(const struct head *head, uint64_t position, const struct fold_store *store,
              const struct fold_options *options, struct head_base *ret_base, struct text *error)
{
    struct gathered ops = {0};
    char hash[SHA256_HEX_SIZE];
    bool boundary = head_hash_at(head, position, hash);
    assert(boundary);
    (void)boundary;
    struct fold_output *output = fold_output_create(store, options);
    struct sink sink = {output, output_put, output_keep};
    bool fine = gather(head, position, store, &ops, error) &&
                merge_all(&head->base, &ops, store, &sink,
                          shrunk(&head->base, options->inline_limit), error);
    if (fine)
        fine = fold_output_finish(output, ret_base, error);
    else
        fold_output_destroy(output);
    if (fine) {
        ret_base->position = position;
        ret_base->time = ops.clock;
        memcpy(ret_base->hash, hash, sizeof(ret_base->hash));
    }
    gathered_release(&ops);
    return fine;
}

bool fold_visit_state(const struct head *head, const struct fold_store *store, fold_visit *visit,
                      void *ctx, struct text *error)
{
    struct gathered ops = {0};
    struct sink sink = {ctx, visit, NULL};
    bool fine = gather(head, head->position, store, &ops, error) &&
                merge_all(&head->base, &ops, store, &sink, true, error);
    gathered_release(&ops);
    return fine;
}

static void insert(void *ctx, struct entry *entry)
{
    keyspace_insert(ctx, entry);
}

struct replay {
    struct keyspace *ks;
    int64_t clock;
};

static bool replay_commit(void *ctx, const struct commit *commit, struct slice ops,
                          struct text *error)
{
    struct replay *replay = ctx;
    return commit_replay(replay->ks, ops, commit->time, &replay->clock, error);
}

bool fold_load_tail(const struct head *head, const struct fold_store *store, struct keyspace *ks,
                    int64_t *ret_clock, struct text *error)
{
    struct replay replay = {ks, head->base.time};
    bool fine = run_walk(head, head->position, store, replay_commit, &replay, error);
    *ret_clock = replay.clock;
    return fine;
}

bool fold_load(const struct head *head, const struct fold_store *store, struct keyspace *ks,
               int64_t *ret_clock, struct text *error)
{
    const struct head_base *base = &head->base;
    struct text body = {0};
    bool fine = true;
    for (size_t i = 0; i < base->chunk_count && fine; i++) {
        text_clear(&body);
        fine = store->read(store->ctx, base->chunks[i].object, &body, error) &&
               chunk_load(&base->chunks[i], text_slice(&body), insert, ks, error);
    }
    if (!base->chunk_count)
        fine = chunk_load_state(text_slice(&base->state), insert, ks, error);
    text_release(&body);
    return fine && fold_load_tail(head, store, ks, ret_clock, error);
}
