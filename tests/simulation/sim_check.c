/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checker: follows each head that lands, replays the one true order, and holds replicas to it.
 * It knows what each incarnation issued, so it sees an op lost, doubled, changed or out of order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"
#include "ops/value.h"
#include "persistence/op_binary.h"
#include "tests/simulation/sim.h"

struct life *check_life(struct world *w, const char *name, bool create)
{
    for (size_t i = 0; i < w->life_count; i++)
        if (strcmp(w->lives[i]->name, name) == 0)
            return w->lives[i];
    if (!create)
        return NULL;
    w->lives = mem_realloc(w->lives, (w->life_count + 1) * sizeof(struct life *));
    struct life *life = mem_calloc(1, sizeof(*life));
    snprintf(life->name, sizeof(life->name), "%s", name);
    return w->lives[w->life_count++] = life;
}

void check_issued(struct life *life, const struct op *op)
{
    if (life->count == life->cap) {
        life->cap = life->cap ? 2 * life->cap : 64;
        life->issued = mem_realloc(life->issued, life->cap * sizeof(*life->issued));
    }
    struct text *text = &life->issued[life->count++];
    *text = (struct text){0};
    op_binary_encode(text, op);
}

static void drop_expired(struct keyspace *ks, int64_t clock)
{
    size_t looked;
    while (keyspace_expire(ks, clock, 1000, &looked))
        continue;
}

/* Same keys, values, deadlines, but for what has expired by `clock`. */
static bool same_at(struct keyspace *a, struct keyspace *b, int64_t clock)
{
    struct keyspace *x = state_copy(a), *y = state_copy(b);
    drop_expired(x, clock);
    drop_expired(y, clock);
    bool same = state_equal(x, y);
    keyspace_destroy(x);
    keyspace_destroy(y);
    return same;
}

static void replay(struct canon *canon, struct op *op)
{
    struct outcome out;
    if (op->time < canon->clock)
        op->time = canon->clock;
    canon->clock = op->time;
    apply(canon->ks, op, &out, NULL);
}

static bool was_issued(const struct text *issued, const struct op *op)
{
    struct op_scratch scratch = {0};
    struct op want;
    bool same = op_binary_decode(text_slice(issued), &scratch, &want) && op_equal(&want, op);
    op_release(&want);
    op_scratch_release(&scratch);
    return same;
}

/* The next op of `life` in the shared order must be the next one it issued, as it was issued. */
static void check_op(struct world *w, struct life *life, struct op *op, struct canon *canon)
{
    if (life->committed >= life->count)
        world_fail(w, "%s never issued op %" PRIu64, life->name, life->committed + 1);
    else if (!was_issued(&life->issued[life->committed], op))
        world_fail(w, "op %" PRIu64 " of %s is not what was issued", life->committed + 1,
                   life->name);
    life->committed++;
    w->totals.events[SIM_EVENT_CLEAR] += op->kind == OP_NAMESPACE_CLEAR;
    replay(canon, op);
}

static void check_commit(struct world *w, const struct commit *commit)
{
    struct life *life = check_life(w, commit->replica, false);
    struct slice ops = commit->ops;
    struct text error = {0};
    struct commit_reader reader;
    struct op op;
    if (!life || commit->first != life->committed + 1) {
        world_fail(w, "position %" PRIu64 " holds ops of %s from %" PRIu64 ", due is %" PRIu64,
                   commit->position, commit->replica, commit->first,
                   life ? life->committed + 1 : 0);
        return;
    }
    if (commit->segment[0]) {
        char key[STORE_KEY_MAX];
        snprintf(key, sizeof(key), SIM_NAMESPACE "/%s", commit->segment);
        struct sim_object *object = store_object(w, key);
        w->totals.events[SIM_EVENT_SEGMENT]++;
        if (!object || !segment_find(text_slice(&object->body), slice_of(SIM_NAMESPACE), commit,
                                     &ops, &error)) {
            world_fail(w, "segment %s is not there or not whole", commit->segment);
            text_release(&error);
            return;
        }
    }
    w->canon = mem_realloc(w->canon, (w->position + 2) * sizeof(*w->canon));
    struct canon *canon = &w->canon[w->position + 1];
    canon->ks = state_copy(w->canon[w->position].ks);
    canon->clock = w->canon[w->position].clock;
    w->position++;
    w->totals.commits++;
    commit_reader_init(&reader, ops, commit->time);
    while (commit_reader_next(&reader, &op)) {
        check_op(w, life, &op, canon);
        op_release(&op);
    }
    if (reader.count != commit->count)
        world_fail(w, "position %" PRIu64 " has not as many ops as it says", commit->position);
    commit_reader_release(&reader);
}

static void check_base(struct world *w, const struct head *head)
{
    struct keyspace *ks = keyspace_create(NULL);
    struct fold_store store = store_for_folds(&w->replicas[0]);
    struct text error = {0};
    int64_t clock = 0;
    if (!fold_load(head, &store, ks, &clock, &error))
        world_fail(w, "the head cannot be loaded: %s", text_terminated(&error));
    else if (clock != w->canon[w->position].clock || !same_at(ks, w->canon[w->position].ks, clock))
        world_fail(w, "base %" PRIu64 " and tail do not give the state", head->base.position);
    text_release(&error);
    keyspace_destroy(ks);
    w->base_seen = head->base.position;
    w->totals.events[SIM_EVENT_FOLD]++;
}

static void check_replicas(struct world *w, const struct head *head)
{
    for (size_t i = 0; i < head->replica_count; i++) {
        const struct life *life = check_life(w, head->replicas[i].name, false);
        if (!life || life->committed != head->replicas[i].op)
            world_fail(w, "the entry of %s is wrong", head->replicas[i].name);
    }
}

void check_head(struct world *w, struct slice body)
{
    struct head head;
    struct text error = {0};
    if (!head_decode(body, slice_of(SIM_NAMESPACE), &head, &error)) {
        world_fail(w, "a head landed that cannot be read: %s", text_terminated(&error));
        text_release(&error);
        return;
    }
    if (head.position < w->position || head.base.position < w->base_seen)
        world_fail(w, "the head went back to %" PRIu64, head.position);
    for (size_t i = 0; i < head.tail_count && !w->failed; i++)
        if (head.tail[i].position > w->position)
            check_commit(w, &head.tail[i]);
    world_trace(w, "position %" PRIu64 " base %" PRIu64, w->position, head.base.position);
    if (!w->failed)
        check_replicas(w, &head);
    if (!w->failed && head.base.position > w->base_seen)
        check_base(w, &head);
    head_release(&head);
}

void check_durable(struct world *w, struct life *life, uint64_t last)
{
    if (life->committed < last)
        world_fail(w, "%s was told that op %" PRIu64 " is durable, %" PRIu64 " is", life->name,
                   last, life->committed);
    if (life->promised < last)
        life->promised = last;
}

/* The pending ops of a replica: those of the lives in its journal, then its own. */
static void replay_pending(struct replica *r, struct life *life, struct canon *canon, uint64_t done,
                           uint64_t last)
{
    struct op_scratch scratch = {0};
    struct op op;
    (void)r;
    for (uint64_t i = done; i < last; i++) {
        size_t len = op_binary_decode(text_slice(&life->issued[i]), &scratch, &op);
        assert(len);
        (void)len;
        replay(canon, &op);
        op_release(&op);
    }
    op_scratch_release(&scratch);
}

/* How many ops of a life are committed at a position: counted by the replica itself. */
void check_replica(struct replica *r)
{
    struct world *w = r->world;
    uint64_t position = sync_core_position(r->core);
    if (position > w->position) {
        world_fail(w, "%s is at a position that does not exist", r->incarnation);
        return;
    }
    struct canon canon = {state_copy(w->canon[position].ks), w->canon[position].clock};
    if (rebase_floor(r->rebase) != canon.clock)
        world_fail(w, "%s has another clock at position %" PRIu64, r->incarnation, position);
    size_t count = 0;
    for (size_t i = 0; i < r->pending_life_count; i++) {
        struct pending_life *p = &r->pending_lives[i];
        count += p->last - p->done;
        replay_pending(r, p->life, &canon, p->done, p->last);
    }
    if (count != rebase_count(r->rebase))
        world_fail(w, "%s has %zu ops pending, not %zu", r->incarnation, rebase_count(r->rebase),
                   count);
    else if (!same_at(canon.ks, r->ks, canon.clock))
        world_fail(w, "%s at position %" PRIu64 " with %zu pending shows another state",
                   r->incarnation, position, count);
    keyspace_destroy(canon.ks);
}

struct lines {
    struct entry **entries;
    size_t count, cap;
};

static void collect(void *ctx, struct entry *entry)
{
    struct lines *lines = ctx;
    if (lines->count == lines->cap) {
        lines->cap = lines->cap ? 2 * lines->cap : 32;
        lines->entries = mem_realloc(lines->entries, lines->cap * sizeof(struct entry *));
    }
    lines->entries[lines->count++] = entry;
}

static int by_key(const void *a, const void *b)
{
    return slice_compare(entry_key(*(struct entry *const *)a),
                         entry_key(*(struct entry *const *)b));
}

/* The state as the store would hold it. */
static void state_text(struct keyspace *from, int64_t clock, struct text *out)
{
    struct keyspace *ks = state_copy(from);
    struct lines lines = {0};
    uint64_t cursor = 0;
    drop_expired(ks, clock);
    do
        cursor = keyspace_scan(ks, cursor, collect, &lines);
    while (cursor);
    if (lines.count)
        qsort(lines.entries, lines.count, sizeof(*lines.entries), by_key);
    for (size_t i = 0; i < lines.count; i++) {
        if (i && lines.entries[i] == lines.entries[i - 1])
            continue;
        chunk_member_encode(out, entry_key(lines.entries[i]), lines.entries[i]);
        text_append_char(out, '\n');
    }
    mem_free(lines.entries);
    keyspace_destroy(ks);
}

static void check_promises(struct world *w)
{
    for (size_t i = 0; i < w->life_count; i++)
        if (w->lives[i]->committed < w->lives[i]->promised)
            world_fail(w, "%s was promised op %" PRIu64 ", committed are %" PRIu64,
                       w->lives[i]->name, w->lives[i]->promised, w->lives[i]->committed);
}

void check_end(struct world *w)
{
    struct text want = {0}, have = {0};
    state_text(w->canon[w->position].ks, w->canon[w->position].clock, &want);
    for (unsigned i = 0; i < w->replica_count && !w->failed; i++) {
        struct replica *r = &w->replicas[i];
        if (!r->up || sync_core_position(r->core) != w->position || rebase_count(r->rebase)) {
            world_fail(
                w, "%s has not converged: %s, position %" PRIu64 " of %" PRIu64 ", %zu pending",
                r->incarnation, r->up ? "up" : "down", r->up ? sync_core_position(r->core) : 0,
                w->position, r->up ? rebase_count(r->rebase) : 0);
            break;
        }
        text_clear(&have);
        state_text(r->ks, w->canon[w->position].clock, &have);
        if (!slice_equal(text_slice(&want), text_slice(&have)))
            world_fail(w, "%s has other bytes at the same position", r->incarnation);
    }
    check_promises(w);
    text_release(&want);
    text_release(&have);
}

void check_release(struct world *w)
{
    for (uint64_t i = 0; i <= w->position; i++)
        keyspace_destroy(w->canon[i].ks);
    mem_free(w->canon);
    for (size_t i = 0; i < w->life_count; i++) {
        for (size_t j = 0; j < w->lives[i]->count; j++)
            text_release(&w->lives[i]->issued[j]);
        mem_free(w->lives[i]->issued);
        mem_free(w->lives[i]);
    }
    mem_free(w->lives);
}
