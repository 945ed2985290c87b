/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ops are gathered in their compact form, sorted by key (and, within a key, in their order), and
 * merged with the sorted lines of the base. Only a key that some op names is ever decoded: it is
 * put alone into a small keyspace, its ops applied as everywhere else, and encoded again. Of ops on
 * a key that is set or deleted whatever it was, the last such one is the first that counts, and the
 * line of the base none.
 */
#include "persistence/fold.h"

#include "ops/apply.h"
#include "ops/keyspace.h"
#include "persistence/fold_output.h"
#include "persistence/op_bins.h"
#include "persistence/run.h"

struct gathered {
    struct op_bins bins; /* marked: is_founder */
    bool cleared;  /* a NamespaceClear came: the base is of no account, nor what came before */
    int64_t clock; /* newest time */
};

/* True when the key will be the same whatever it was before the op. */
static bool is_founder(const struct op *op)
{
    if (op->kind == OP_SCALAR_SET)
        return op->scalar_set.condition == OP_CONDITION_NONE &&
               op->scalar_set.expires != OP_EXPIRES_KEEP;
    if (op->kind == OP_INT_SET)
        return op->int_set.condition == OP_CONDITION_NONE && op->int_set.expires != OP_EXPIRES_KEEP;
    if (op->kind == OP_KEY_PUT)
        return op->key_put.condition == OP_CONDITION_NONE && op->key_put.expires != OP_EXPIRES_KEEP;
    return op->kind == OP_KEY_DELETE;
}

static bool gather_commit(void *ctx, const struct commit *commit, struct commit_reader *reader,
                          struct text *error)
{
    struct gathered *ops = ctx;
    struct op op;
    while (commit_reader_next(reader, &op)) {
        /* As commit_replay. */
        if (op.time < ops->clock)
            op.time = ops->clock;
        ops->clock = op.time;
        if (op.kind == OP_NAMESPACE_CLEAR) {
            ops->cleared = true;
            op_bins_clear(&ops->bins);
            continue;
        }
        op_bins_add(&ops->bins, &op, is_founder(&op));
        op_release(&op);
    }
    const char *failure = commit_reader_error(reader);
    if (failure)
        text_append_format(error, "ops of commit %llu: %s", (unsigned long long)commit->position,
                           failure);
    return !failure;
}

static bool gather(const struct head *head, uint64_t position, const struct fold_store *store,
                   struct gathered *ops, struct text *error)
{
    ops->clock = head->base.time;
    return run_walk(head, position, store, gather_commit, ops, error);
}

/* Where the merged members go. */
struct sink {
    void *ctx;
    fold_visit *put;
    /* A chunk that no op touches; NULL: read it, and put its members. */
    bool (*keep)(void *ctx, const struct chunk_ref *ref, struct text *error);
};

struct merge {
    struct op_bins *ops; /* as far as they are not yet merged */
    int64_t clock;       /* newest time */
    /* Of the next key: its first op, the last one that does not look at what was there (or the
     * end), and the end, all in the present bin. Behind the last key all three are 0. */
    size_t next, founder, end;
    struct slice key;
    struct keyspace *scratch;
    struct op_scratch lists;
    struct text member;
    struct text body; /* of the last chunk */
    const struct sink *sink;
    struct text *error;
};

/* On to the key whose first op is that at `end`. */
static void next_key(struct merge *m)
{
    struct op_bins *ops = m->ops;
    if (m->end == ops->ref_count) {
        op_bins_next(ops);
        m->end = 0;
    }
    m->next = m->end;
    m->founder = SIZE_MAX;
    if (m->end < ops->ref_count)
        m->key = op_ref_key(&ops->refs[m->end]);
    while (m->end < ops->ref_count && slice_equal(op_ref_key(&ops->refs[m->end]), m->key)) {
        if (ops->refs[m->end].mark)
            m->founder = m->end;
        m->end++;
    }
    if (m->founder > m->end)
        m->founder = m->end;
}

static bool put_member(struct merge *m, struct slice key)
{
    return m->sink->put(m->sink->ctx, key, text_slice(&m->member), m->error);
}

static void decode_op(struct merge *m, size_t index, struct op *op)
{
    op_bins_decode(m->ops, &m->ops->refs[index], &m->lists, op);
}

/* Applies the ops of the key from `first` on to what the scratch has of it. */
static void apply_to_key(struct merge *m, uint64_t hash, size_t first)
{
    struct outcome outcome;
    struct op op;
    for (size_t i = first; i < m->end; i++) {
        decode_op(m, i, &op);
        op.hash = hash;
        apply(m->scratch, &op, &outcome, NULL);
        op_release(&op);
    }
    struct garbage *garbage = keyspace_take_garbage(m->scratch);
    if (garbage)
        garbage_free(garbage);
}

/* Applies the ops from `first` on to `entry` (NULL: there is none), and puts what is left. A
 * deadline that has passed by the newest op is carried out now that the line is written anyway. */
static bool merge_value(struct merge *m, size_t first, struct entry *entry)
{
    uint64_t hash = key_hash(m->key);
    if (entry)
        keyspace_insert(m->scratch, entry);
    apply_to_key(m, hash, first);
    entry = keyspace_take(m->scratch, m->key, hash, m->clock);
    if (!entry)
        return true;
    text_clear(&m->member);
    chunk_member_encode(&m->member, m->key, entry);
    entry_destroy(entry);
    return put_member(m, m->key);
}

/* A key of which only the last op counts, if that is a plain set: needs no entry. Else false. */
static bool is_plain_set(struct merge *m, size_t last, struct op *op)
{
    decode_op(m, last, op);
    if (op->kind == OP_SCALAR_SET && op->scalar_set.expires == OP_EXPIRES_NEVER)
        return true;
    op_release(op);
    return false;
}

static bool merge_ops(struct merge *m, struct chunk_reader *base, struct slice member)
{
    struct entry *entry = NULL;
    struct op op;
    if (m->founder + 1 == m->end && is_plain_set(m, m->founder, &op)) {
        text_clear(&m->member);
        chunk_member_encode_string(&m->member, m->key, op.scalar_set.value);
        return put_member(m, m->key);
    }
    if (m->founder < m->end)
        return merge_value(m, m->founder, NULL);
    if (base && !(entry = chunk_reader_decode(base, member, m->error)))
        return false;
    return merge_value(m, m->next, entry);
}

/* Applies the ops of the next key to the member that `base` has just given (NULL: it has none). */
static bool merge_key(struct merge *m, struct chunk_reader *base, struct slice member)
{
    bool fine = merge_ops(m, base, member);
    next_key(m);
    return fine;
}

static bool has_ops(const struct merge *m)
{
    return m->next < m->ops->ref_count;
}

/* Keys that only ops have, below `limit` (NULL: all that are left). */
static bool merge_new_keys(struct merge *m, const struct slice *limit)
{
    while (has_ops(m) && (!limit || slice_compare(m->key, *limit) < 0))
        if (!merge_key(m, NULL, slice_make(NULL, 0)))
            return false;
    return true;
}

/* Puts a member that no op names. It is copied as it stands, but for one of a state that goes over
 * several lines, of which one is made. */
static bool put_untouched(struct merge *m, const struct chunk_reader *reader, struct slice key,
                          struct slice member)
{
    if (!reader->state || !memchr(member.data, '\n', member.len))
        return m->sink->put(m->sink->ctx, key, member, m->error);
    struct entry *entry = chunk_member_decode(member, m->error);
    if (!entry)
        return false;
    text_clear(&m->member);
    chunk_member_encode(&m->member, key, entry);
    entry_destroy(entry);
    return put_member(m, key);
}

static bool merge_member(struct merge *m, struct chunk_reader *reader, struct slice key,
                         struct slice member)
{
    for (;;) {
        int order = has_ops(m) ? slice_compare(m->key, key) : 1;
        if (order > 0)
            return put_untouched(m, reader, key, member);
        bool merged = merge_key(m, order ? NULL : reader, member);
        if (!merged || order == 0)
            return merged;
    }
}

static bool merge_reader(struct merge *m, struct chunk_reader *reader)
{
    struct slice key, member;
    bool fine = true;
    while (fine && chunk_reader_next(reader, &key, &member))
        fine = merge_member(m, reader, key, member);
    return fine && !chunk_reader_failed(reader, m->error);
}

static bool merge_chunk(struct merge *m, const struct chunk_ref *ref,
                        const struct fold_store *store)
{
    struct chunk_reader reader;
    if (!store->read(store->ctx, ref->object, &m->body, m->error) ||
        !chunk_check(ref, text_slice(&m->body), m->error))
        return false;
    chunk_reader_init(&reader, text_slice(&m->body));
    bool fine = merge_reader(m, &reader);
    if (!fine)
        text_append_format(m->error, " (%s)", ref->object);
    chunk_reader_release(&reader);
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
        bool touched = has_ops(m) && (last || slice_compare(m->key, limit) < 0);
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

static bool merge_all(const struct head_base *base, struct gathered *ops,
                      const struct fold_store *store, const struct sink *sink, bool all,
                      struct text *error)
{
    struct merge m = {.ops = &ops->bins, .clock = ops->clock, .sink = sink, .error = error};
    bool fine;
    m.scratch = keyspace_create(NULL);
    next_key(&m);
    if (ops->cleared)
        fine = merge_new_keys(&m, NULL);
    else if (base->chunk_count)
        fine = merge_chunks(&m, base, store, all || !sink->keep);
    else
        fine = merge_state(&m, text_slice(&base->state));
    keyspace_destroy(m.scratch);
    op_scratch_release(&m.lists);
    text_release(&m.member);
    text_release(&m.body);
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
    op_bins_release(&ops.bins);
    return fine;
}

bool fold_visit_state(const struct head *head, const struct fold_store *store, fold_visit *visit,
                      void *ctx, struct text *error)
{
    struct gathered ops = {0};
    struct sink sink = {ctx, visit, NULL};
    bool fine = gather(head, head->position, store, &ops, error) &&
                merge_all(&head->base, &ops, store, &sink, true, error);
    op_bins_release(&ops.bins);
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

static bool replay_commit(void *ctx, const struct commit *commit, struct commit_reader *reader,
                          struct text *error)
{
    struct replay *replay = ctx;
    (void)commit;
    return commit_replay_reader(replay->ks, reader, &replay->clock, error);
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
    for (size_t i = 0; i < base->chunk_count && fine; i++)
        fine = store->read(store->ctx, base->chunks[i].object, &body, error) &&
               chunk_load(&base->chunks[i], text_slice(&body), insert, ks, error);
    if (!base->chunk_count)
        fine = chunk_load_state(text_slice(&base->state), insert, ks, error);
    text_release(&body);
    return fine && fold_load_tail(head, store, ks, ret_clock, error);
}
