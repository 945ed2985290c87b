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

struct life *check_life(struct space *space, const char *name, bool create)
{
    struct world *w = space->world;
    for (size_t i = 0; i < w->life_count; i++)
        if (w->lives[i]->space == space && strcmp(w->lives[i]->name, name) == 0)
            return w->lives[i];
    if (!create)
        return NULL;
    w->lives = mem_realloc(w->lives, (w->life_count + 1) * sizeof(struct life *));
    struct life *life = mem_calloc(1, sizeof(*life));
    life->space = space;
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
    w->totals.kinds[op->kind]++;
    replay(canon, op);
}

static void check_commit(struct space *space, const struct commit *commit)
{
    struct world *w = space->world;
    struct life *life = check_life(space, commit->replica, false);
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
        snprintf(key, sizeof(key), "%s/%s", space->name, commit->segment);
        struct sim_object *object = store_object(w, key);
        w->totals.events[SIM_EVENT_SEGMENT]++;
        if (!object ||
            !segment_find(text_slice(&object->body), slice_of(space->name), commit, &ops, &error)) {
            world_fail(w, "segment %s is not there or not whole", commit->segment);
            text_release(&error);
            return;
        }
    }
    space->canon = mem_realloc(space->canon, (space->position + 2) * sizeof(*space->canon));
    struct canon *canon = &space->canon[space->position + 1];
    canon->ks = state_copy(space->canon[space->position].ks);
    canon->clock = space->canon[space->position].clock;
    space->position++;
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

/* Nothing that is new has been folded for long: then tidy.c takes what it finds for old. */
static bool is_quiet(const struct space *space)
{
    return SIM_EPOCH_MS + space->world->now - space->base_time > space->world->history;
}

static void check_base(struct space *space, const struct head *head)
{
    struct world *w = space->world;
    struct keyspace *ks = keyspace_create(NULL);
    struct seat reader = {.world = w, .replica = &w->replicas[0], .space = space};
    struct fold_store store = store_for_folds(&reader);
    const struct canon *canon = &space->canon[space->position];
    struct text error = {0};
    int64_t clock = 0;
    if (!fold_load(head, &store, ks, &clock, &error))
        world_fail(w, "the head cannot be loaded: %s", text_terminated(&error));
    else if (clock != canon->clock || !same_at(ks, canon->ks, clock))
        world_fail(w, "base %" PRIu64 " and tail do not give the state", head->base.position);
    text_release(&error);
    keyspace_destroy(ks);
    space->base_seen = head->base.position;
    if (is_quiet(space))
        space->quiet_until = w->now;
    space->base_time = head->base.time;
    w->totals.events[SIM_EVENT_FOLD]++;
}

static void check_replicas(struct space *space, const struct head *head)
{
    for (size_t i = 0; i < head->replica_count; i++) {
        const struct life *life = check_life(space, head->replicas[i].name, false);
        if (!life || life->committed != head->replicas[i].op)
            world_fail(space->world, "the entry of %s is wrong", head->replicas[i].name);
    }
}

static void note_named(struct space *space, const char *name)
{
    char key[STORE_KEY_MAX];
    snprintf(key, sizeof(key), "%s/%s", space->name, name);
    struct sim_object *object = store_object(space->world, key);
    if (object)
        object->is_named = object->was_named = true;
    else
        world_fail(space->world, "the head names %s, which is not there", key);
}

static bool is_beside(const struct space *space, const struct sim_object *object)
{
    size_t len = strlen(space->name);
    return strncmp(object->key, space->name, len) == 0 && object->key[len] == '/';
}

static void check_named(struct space *space, const struct head *head)
{
    struct world *w = space->world;
    for (size_t i = 0; i < w->object_count; i++)
        if (is_beside(space, &w->objects[i]) && w->objects[i].is_named) {
            w->objects[i].is_named = false;
            w->objects[i].named_until = w->now;
        }
    for (size_t i = 0; i < head->base.chunk_count; i++)
        note_named(space, head->base.chunks[i].object);
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].segment[0])
            note_named(space, head->tail[i].segment);
    for (size_t i = 0; i < head->run_count; i++) {
        note_named(space, head->runs[i].object);
        for (size_t j = 0; j < head->runs[i].segment_count; j++)
            note_named(space, head->runs[i].segments[j]);
    }
}

void check_head(struct space *space, struct slice body)
{
    struct world *w = space->world;
    struct head head;
    struct text error = {0};
    if (!head_decode(body, slice_of(space->name), &head, &error)) {
        world_fail(w, "a head landed that cannot be read: %s", text_terminated(&error));
        text_release(&error);
        return;
    }
    if (head.position < space->position || head.base.position < space->base_seen)
        world_fail(w, "the head went back to %" PRIu64, head.position);
    for (size_t i = 0; i < head.tail_count && !w->failed; i++)
        if (head.tail[i].position > space->position)
            check_commit(space, &head.tail[i]);
    world_trace(w, "%s position %" PRIu64 " base %" PRIu64, space->name, space->position,
                head.base.position);
    if (!w->failed)
        check_named(space, &head);
    w->totals.events[SIM_EVENT_EXPIRED] += head.expired > space->expired;
    space->expired = head.expired;
    if (!w->failed)
        check_replicas(space, &head);
    if (!w->failed && head.base.position > space->base_seen)
        check_base(space, &head);
    head_release(&head);
}

void check_removal(struct world *w, const struct sim_object *object)
{
    const struct space *space = &w->spaces[0];
    while (!is_beside(space, object))
        space++;
    w->totals.events[object->was_named ? SIM_EVENT_REMOVED : SIM_EVENT_ORPHAN]++;
    /* It was, when the removal was decided on. */
    bool quiet = is_quiet(space) || w->now - space->quiet_until <= SIM_REMOVAL_MS;
    /* Who saw it before it was named, and not while it was, counts from then: one look early. */
    int64_t due = object->named_until + w->history - 2 * SIM_TIDY_MS;
    if (object->is_named)
        world_fail(w, "%s is removed, and the head names it", object->key);
    else if (object->was_named && !quiet && w->now < due && !w->out_until)
        world_fail(w, "%s is removed after %" PRId64 " ms, history is %" PRId64, object->key,
                   w->now - object->named_until, w->history);
}

void check_tidy(struct world *w)
{
    for (size_t i = 0; i < w->object_count && !w->failed; i++)
        if (strchr(w->objects[i].key, '/') && !w->objects[i].is_named)
            world_fail(w, "%s is left over", w->objects[i].key);
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
static void replay_pending(struct life *life, struct canon *canon, uint64_t done, uint64_t last)
{
    struct op_scratch scratch = {0};
    struct op op;
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
void check_seat(struct seat *s)
{
    struct world *w = s->world;
    struct space *space = s->space;
    const char *name = s->replica->incarnation;
    uint64_t position = sync_core_position(s->core);
    if (position > space->position) {
        world_fail(w, "%s is at a position that does not exist", name);
        return;
    }
    struct canon canon = {state_copy(space->canon[position].ks), space->canon[position].clock};
    if (rebase_floor(s->rebase) != canon.clock)
        world_fail(w, "%s has another clock at position %" PRIu64, name, position);
    size_t count = 0;
    for (size_t i = 0; i < s->pending_life_count; i++) {
        struct pending_life *p = &s->pending_lives[i];
        count += p->last - p->done;
        replay_pending(p->life, &canon, p->done, p->last);
    }
    if (count != rebase_count(s->rebase))
        world_fail(w, "%s has %zu ops pending, not %zu", name, rebase_count(s->rebase), count);
    else if (!same_at(canon.ks, s->ks, canon.clock))
        world_fail(w, "%s at position %" PRIu64 " with %zu pending shows another state", name,
                   position, count);
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

static void check_space_end(struct space *space)
{
    struct world *w = space->world;
    const struct canon *canon = &space->canon[space->position];
    struct text want = {0}, have = {0};
    state_text(canon->ks, canon->clock, &want);
    for (unsigned i = 0; i < w->replica_count && !w->failed; i++) {
        struct replica *r = &w->replicas[i];
        struct seat *s = &r->seats[space - w->spaces];
        uint64_t position = r->up ? sync_core_position(s->core) : 0;
        size_t pending = r->up ? rebase_count(s->rebase) : 0;
        if (!r->up || position != space->position || pending) {
            world_fail(w,
                       "%s has not converged: %s, position %" PRIu64 " of %" PRIu64 ", %zu pending",
                       r->incarnation, r->up ? "up" : "down", position, space->position, pending);
            break;
        }
        text_clear(&have);
        state_text(s->ks, canon->clock, &have);
        if (!slice_equal(text_slice(&want), text_slice(&have)))
            world_fail(w, "%s has other bytes at the same position", r->incarnation);
    }
    text_release(&want);
    text_release(&have);
}

void check_end(struct world *w)
{
    for (int i = 0; i < SIM_SPACES && !w->failed; i++)
        check_space_end(&w->spaces[i]);
    check_promises(w);
}

void check_release(struct world *w)
{
    for (int i = 0; i < SIM_SPACES; i++) {
        struct space *space = &w->spaces[i];
        for (uint64_t j = 0; j <= space->position; j++)
            keyspace_destroy(space->canon[j].ks);
        mem_free(space->canon);
    }
    for (size_t i = 0; i < w->life_count; i++) {
        for (size_t j = 0; j < w->lives[i]->count; j++)
            text_release(&w->lives[i]->issued[j]);
        mem_free(w->lives[i]->issued);
        mem_free(w->lives[i]);
    }
    mem_free(w->lives);
}
