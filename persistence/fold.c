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
#include "ops/mem.h"
#include "persistence/fold_output.h"
#include "persistence/op_sort.h"
#include "persistence/run.h"

/* Ops lie in blocks, which never move. An op begins below this in its block. */
#define BLOCK_SIZE ((size_t)1 << 20)

struct gathered {
    struct text *blocks;
    size_t block_count;
    struct text encoded;
    struct op_ref *refs; /* sorted in the end; `at` is op_place */
    size_t count, cap;
    bool cleared;  /* a NamespaceClear came: the base is of no account, nor what came before */
    int64_t clock; /* newest time */
};

static void drop_ops(struct gathered *ops)
{
    for (size_t i = 0; i < ops->block_count; i++)
        text_release(&ops->blocks[i]);
    ops->block_count = ops->count = 0;
}

static void gathered_release(struct gathered *ops)
{
    drop_ops(ops);
    mem_free(ops->blocks);
    text_release(&ops->encoded);
    mem_free(ops->refs);
}

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

/* What a ref keeps of an op: which block, where in it, and is_founder. */
static size_t op_place(size_t block, size_t offset, bool founder)
{
    return (block * BLOCK_SIZE + offset) * 2 + founder;
}

static bool ref_is_founder(const struct op_ref *ref)
{
    return ref->at & 1;
}

static struct slice ref_bytes(const struct gathered *ops, const struct op_ref *ref)
{
    size_t at = ref->at / 2;
    const struct text *block = &ops->blocks[at / BLOCK_SIZE];
    at %= BLOCK_SIZE;
    return slice_make(block->data + at, block->len - at);
}

/* The last block, with room for `len` bytes. */
static struct text *block_for(struct gathered *ops, size_t len)
{
    struct text *last = ops->block_count ? &ops->blocks[ops->block_count - 1] : NULL;
    if (last && last->len < BLOCK_SIZE && last->cap - last->len >= len)
        return last;
    ops->blocks = mem_realloc(ops->blocks, (ops->block_count + 1) * sizeof(*ops->blocks));
    last = &ops->blocks[ops->block_count++];
    text_init(last);
    text_reserve(last, len > BLOCK_SIZE ? len : BLOCK_SIZE);
    return last;
}

static void gather_op(struct gathered *ops, const struct op *op)
{
    text_clear(&ops->encoded);
    op_binary_encode(&ops->encoded, op);
    struct text *block = block_for(ops, ops->encoded.len);
    if (ops->count == ops->cap) {
        ops->cap = ops->cap ? ops->cap * 2 : 64;
        ops->refs = mem_realloc(ops->refs, ops->cap * sizeof(*ops->refs));
    }
    struct op_ref *ref = &ops->refs[ops->count++];
    ref->at = op_place(ops->block_count - 1, block->len, is_founder(op));
    text_append_slice(block, text_slice(&ops->encoded));
    ref->key = op_binary_key(ref_bytes(ops, ref));
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
            drop_ops(ops);
            continue;
        }
        gather_op(ops, &op);
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
    bool fine = run_walk(head, position, store, gather_commit, ops, error);
    if (fine)
        op_refs_sort(ops->refs, ops->count);
    return fine;
}

/* Where the merged members go. */
struct sink {
    void *ctx;
    fold_visit *put;
    /* A chunk that no op touches; NULL: read it, and put its members. */
    bool (*keep)(void *ctx, const struct chunk_ref *ref, struct text *error);
};

/* Ops of one key lie all over memory: these many ahead are on their way from there. */
#define AHEAD 12

struct merge {
    const struct gathered *ops;
    size_t next; /* the first op not yet applied */
    struct keyspace *scratch;
    struct op_scratch lists;
    struct text member;
    struct text body; /* of the last chunk */
    const struct sink *sink;
    struct text *error;
};

static void fetch_ahead(const struct merge *m)
{
    if (m->ops->count - m->next <= AHEAD)
        return;
    const struct op_ref *ref = &m->ops->refs[m->next + AHEAD];
    __builtin_prefetch(ref_bytes(m->ops, ref).data);
    __builtin_prefetch(ref->key.data + ref->key.len);
}

/* Passes over ops that are of no account. */
static void pass_over(struct merge *m, size_t end)
{
    for (; m->next < end; m->next++)
        fetch_ahead(m);
}

static void decode_op(struct merge *m, size_t index, struct op *op)
{
    size_t len = op_binary_decode(ref_bytes(m->ops, &m->ops->refs[index]), &m->lists, op);
    assert(len);
    (void)len;
}

/* Behind the last op of the next key; `ret_founder`: its last op that does not look at what was
 * there, or the end. */
static size_t find_ops(const struct merge *m, size_t *ret_founder)
{
    const struct op_ref *refs = m->ops->refs;
    size_t end = m->next, founder = SIZE_MAX;
    do {
        if (ref_is_founder(&refs[end]))
            founder = end;
        end++;
    } while (end < m->ops->count && slice_equal(refs[end].key, refs[m->next].key));
    *ret_founder = founder < end ? founder : end;
    return end;
}

static bool put_member(struct merge *m, struct slice key)
{
    return m->sink->put(m->sink->ctx, key, text_slice(&m->member), m->error);
}

/* Applies the ops up to `end`, which are of one key, to what the scratch has of it. */
static void apply_to_key(struct merge *m, uint64_t hash, size_t end)
{
    struct outcome outcome;
    struct op op;
    for (; m->next < end; m->next++) {
        fetch_ahead(m);
        decode_op(m, m->next, &op);
        op.hash = hash;
        apply(m->scratch, &op, &outcome, NULL);
        op_release(&op);
    }
}

static void empty_scratch(struct merge *m, struct slice key, uint64_t hash)
{
    struct op op = {.kind = OP_KEY_DELETE, .key = key, .hash = hash, .time = m->ops->clock};
    struct outcome outcome;
    apply(m->scratch, &op, &outcome, NULL);
    struct garbage *garbage = keyspace_take_garbage(m->scratch);
    if (garbage)
        garbage_free(garbage);
}

/* Applies ops to `entry` (NULL: there is none), and puts what is left. A deadline that has passed
 * by the newest op is carried out now that the line is written anyway. */
static bool merge_value(struct merge *m, struct slice key, size_t end, struct entry *entry)
{
    uint64_t hash = key_hash(key);
    bool fine = true;
    if (entry)
        keyspace_insert(m->scratch, entry);
    apply_to_key(m, hash, end);
    const struct entry *result = keyspace_find(m->scratch, key, hash, m->ops->clock);
    if (result) {
        text_clear(&m->member);
        chunk_member_encode(&m->member, key, result);
        fine = put_member(m, key);
    }
    empty_scratch(m, key, hash);
    return fine;
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

/* Applies the ops of the next key to the member that `base` has just given (NULL: it has none). */
static bool merge_key(struct merge *m, struct chunk_reader *base, struct slice member)
{
    struct slice key = m->ops->refs[m->next].key;
    struct entry *entry = NULL;
    struct op op;
    size_t founder, end = find_ops(m, &founder);
    if (founder + 1 == end && is_plain_set(m, founder, &op)) {
        text_clear(&m->member);
        chunk_member_encode_string(&m->member, key, op.scalar_set.value);
        pass_over(m, end);
        return put_member(m, key);
    }
    if (founder < end)
        pass_over(m, founder);
    else if (base && !(entry = chunk_reader_decode(base, member, m->error)))
        return false;
    return merge_value(m, key, end, entry);
}

/* Keys that only ops have, below `limit` (NULL: all that are left). */
static bool merge_new_keys(struct merge *m, const struct slice *limit)
{
    while (m->next < m->ops->count &&
           (!limit || slice_compare(m->ops->refs[m->next].key, *limit) < 0))
        if (!merge_key(m, NULL, slice_make(NULL, 0)))
            return false;
    return true;
}

static bool merge_member(struct merge *m, struct chunk_reader *reader, struct slice key,
                         struct slice member)
{
    for (;;) {
        int order = m->next < m->ops->count ? slice_compare(m->ops->refs[m->next].key, key) : 1;
        if (order > 0)
            return m->sink->put(m->sink->ctx, key, member, m->error);
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
