/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See rebase.h. Pending ops stand in a queue that finds those on a key (rebase_queue.h). Lifting a
 * key undoes its ops; what is lifted is applied again at the end, so that a hot key is undone once
 * however many commits came. A pending NamespaceClear ties all keys together: then everything is
 * lifted.
 *
 * A key is its hash here. Should two ever share one, both are lifted, and one who follows the one
 * may be told again that it is there; the state is the same.
 */
#include "persistence/rebase.h"

#include <assert.h>

#include "ops/mem.h"
#include "ops/value.h"
#include "persistence/op_binary.h"
#include "persistence/rebase_queue.h"

#define DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)
/* Of an answer's detail this much is kept to be told later; a digest tells longer ones apart. */
#define DETAIL_MAX HELD_DETAIL_MAX
/* An encoding longer than this is not kept in mind as the size of the next. */
#define ENCODED_MAX ((size_t)64 * 1024)

/* An incarnation whose ops are pending. */
struct origin {
    struct origin *next;
    struct slice name;
    char bytes[];
};

/* A key whose pending ops are lifted; until the round ends. */
struct lifted {
    struct lifted *next;
    bool touched; /* others have changed the key in this round */
    size_t count, cap;
    struct held **list; /* those still pending, from the newest to the oldest */
};

struct rebase_garbage {
    struct rebase_garbage *next;
    struct inverse *undo;
    struct held_chunk *chunk;
};

struct rebase {
    struct keyspace *ks;
    struct rebase_hooks hooks;
    int64_t clock; /* committed */
    struct held_queue queue;
    size_t clears, timed, memory; /* as in struct held */
    /* A round of commits, which rebase_finish ends. */
    struct lifted *lifted;
    bool all_lifted, all_touched;
    struct origin *origins;
    const struct origin *origin; /* of the ops that come */
    uint64_t next;
    uint64_t differing;
    struct op_scratch scratch;
    struct text encoded, popped;
    bool popped_whole;
    /* In the order it came to be: an inverse may lie in a chunk behind it. */
    struct rebase_garbage *garbage, *garbage_last;
};

/* The committed clock moves on. */
static void set_clock(struct rebase *r, int64_t clock)
{
    r->clock = clock;
    keyspace_set_floor(r->ks, clock);
}

struct rebase *rebase_create(struct keyspace *ks, int64_t clock, const struct rebase_hooks *hooks)
{
    struct rebase *r = mem_calloc(1, sizeof(*r));
    r->ks = ks;
    set_clock(r, clock);
    if (hooks)
        r->hooks = *hooks;
    return r;
}

void rebase_garbage_free(struct rebase_garbage *garbage)
{
    while (garbage) {
        struct rebase_garbage *next = garbage->next;
        inverse_destroy(garbage->undo);
        if (garbage->chunk)
            held_chunk_free(garbage->chunk);
        mem_free(garbage);
        garbage = next;
    }
}

struct rebase_garbage *rebase_take_garbage(struct rebase *r)
{
    struct rebase_garbage *garbage = r->garbage;
    r->garbage = r->garbage_last = NULL;
    return garbage;
}

static void discard(struct rebase *r, struct inverse *undo, struct held_chunk *chunk)
{
    if (!undo && !chunk)
        return;
    struct rebase_garbage *garbage = mem_alloc(sizeof(*garbage));
    *garbage = (struct rebase_garbage){NULL, undo, chunk};
    *(r->garbage ? &r->garbage_last->next : &r->garbage) = garbage;
    r->garbage_last = garbage;
}

static void destroy_lifted(struct lifted *lifted)
{
    mem_free(lifted->list);
    mem_free(lifted);
}

void rebase_destroy(struct rebase *r)
{
    if (!r)
        return;
    rebase_garbage_free(r->garbage);
    held_queue_release(&r->queue);
    while (r->lifted) {
        struct lifted *next = r->lifted->next;
        destroy_lifted(r->lifted);
        r->lifted = next;
    }
    while (r->origins) {
        struct origin *next = r->origins->next;
        mem_free(r->origins);
        r->origins = next;
    }
    op_scratch_release(&r->scratch);
    text_release(&r->encoded);
    text_release(&r->popped);
    mem_free(r);
}

void rebase_begin(struct rebase *r, struct slice replica, uint64_t next)
{
    struct origin *origin = r->origins;
    while (origin && !slice_equal(origin->name, replica))
        origin = origin->next;
    if (!origin) {
        origin = mem_alloc(sizeof(*origin) + replica.len);
        memcpy(origin->bytes, replica.data, replica.len);
        origin->name = slice_make(origin->bytes, replica.len);
        origin->next = r->origins;
        r->origins = origin;
    }
    r->origin = origin;
    r->next = next;
}

/* --- answers --- */

static uint64_t mix(uint64_t digest, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

static uint64_t mix_number(uint64_t digest, uint64_t number)
{
    return (digest ^ number) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool is_live(const struct entry *entry, int64_t time)
{
    return entry && (!entry_expires(entry) || entry_expires(entry) > time);
}

bool rebase_answer_item(struct slice *detail, struct slice *item)
{
    size_t len;
    if (detail->len == 0)
        return false;
    memcpy(&len, detail->data, sizeof(len));
    *item = slice_make(detail->data + sizeof(len), len);
    *detail = slice_make(item->data + len, detail->len - sizeof(len) - len);
    return true;
}

static void keep_popped(struct rebase *r, struct slice item)
{
    if (r->popped.len + sizeof(item.len) + item.len > DETAIL_MAX)
        r->popped_whole = false;
    if (!r->popped_whole)
        return;
    text_append(&r->popped, &item.len, sizeof(item.len));
    text_append_slice(&r->popped, item);
}

/* What ListPop is about to take: its answer, which the outcome does not hold. */
static uint64_t mix_popped(struct rebase *r, const struct op *op)
{
    const struct op_list_pop *pop = &op->list_pop;
    const struct entry *entry = keyspace_find(r->ks, op->key, op->hash, INT64_MIN);
    uint64_t digest = DIGEST_BEGIN;
    struct value_iter it;
    struct slice item, none;
    text_clear(&r->popped);
    r->popped_whole = true;
    if (!is_live(entry, op->time) || entry_type(entry) != VALUE_LIST || pop->count <= 0)
        return digest;
    size_t len = value_len(entry), count = len;
    if ((uint64_t)pop->count < len)
        count = (size_t)pop->count;
    bool right = pop->side == OP_SIDE_RIGHT;
    list_iter_init(&it, entry, right ? len - 1 : 0, count, right);
    while (value_iter_next(&it, &item, &none)) {
        digest = mix(digest, &item.len, sizeof(item.len));
        digest = mix(digest, item.data, item.len);
        keep_popped(r, item);
    }
    return digest;
}

static uint64_t mix_outcome(uint64_t digest, const struct op *op, const struct outcome *out)
{
    digest = mix_number(digest, (uint64_t)out->status);
    if (op->kind != OP_NAMESPACE_CLEAR) /* it counts keys that have expired too */
        digest = mix_number(digest, (uint64_t)out->number);
    return mix(digest, out->text.data, out->text.len);
}

/* Its detail is borrowed from the outcome, or from `r` until the next ListPop. */
static void answer_of(const struct rebase *r, const struct op *op, const struct outcome *out,
                      struct rebase_answer *ret_answer)
{
    bool pop = op->kind == OP_LIST_POP;
    ret_answer->status = out->status;
    ret_answer->number = out->number;
    ret_answer->whole = pop ? r->popped_whole : out->text.len <= DETAIL_MAX;
    ret_answer->detail = !ret_answer->whole ? slice_make(NULL, 0)
                         : pop              ? text_slice(&r->popped)
                                            : out->text;
}

/* --- applying ours --- */

/* Of a value that is set; not above 0: none. */
static int64_t value_deadline(const struct op *op)
{
    if (op->kind == OP_SCALAR_SET)
        return op->scalar_set.expires;
    if (op->kind == OP_INT_SET)
        return op->int_set.expires;
    return op->kind == OP_KEY_PUT ? op->key_put.expires : 0;
}

static bool op_has_deadline(const struct op *op)
{
    return value_deadline(op) > 0 || op->kind == OP_KEY_EXPIRE_AT;
}

/* A value was set too late, where none was before. */
static bool expired_at_once(const struct op *op, const struct outcome *out)
{
    int64_t deadline = value_deadline(op);
    return deadline > 0 && deadline <= op->time && out->status == OUTCOME_OK && !out->removed;
}

/* The deadline of the op's key, which may have passed; 0: none. */
static int64_t key_deadline(struct rebase *r, const struct op *op)
{
    if (!keyspace_expires(r->ks) || op->kind == OP_NAMESPACE_CLEAR)
        return 0;
    const struct entry *entry = keyspace_find(r->ks, op->key, op->hash, INT64_MIN);
    return entry ? entry_expires(entry) : 0;
}

static void tell_expired(struct rebase *r, struct slice key)
{
    if (r->hooks.expired)
        r->hooks.expired(r->hooks.ctx, key);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Handed on by address, as the room is: a copy is read in wider parts than it was written in, and
 * the processor lets that wait for all writes before it, to memory that is not in the cache. */
struct run {
    struct inverse *undo;
    struct rebase_answer answer;
    uint64_t digest;
    bool timed;
    bool replaced_expired; /* made a key anew that had been there past its deadline */
};

/* Applies at op->time, and finds out what has to be known of it. */
static void run_op(struct rebase *r, struct op *op, struct outcome *out,
                   const struct inverse_room *room, struct run *ret_run)
{
    uint64_t digest = DIGEST_BEGIN;
    if (op->kind != OP_NAMESPACE_CLEAR && !op->hash)
        op->hash = key_hash(op->key);
    int64_t deadline = key_deadline(r, op);
    ret_run->timed = op_has_deadline(op) || deadline;
    if (op->kind == OP_LIST_POP)
        digest = mix_popped(r, op);
    apply_with_room(r->ks, op, out, &ret_run->undo, room);
    ret_run->digest = mix_outcome(digest, op, out);
    answer_of(r, op, out, &ret_run->answer);
    ret_run->replaced_expired = out->created && deadline && deadline <= op->time;
}

static void tell_difference(struct rebase *r, struct held *held, const struct op *op,
                            const struct rebase_answer *answer, uint64_t digest)
{
    if (digest == held->told || held->differs)
        return;
    struct rebase_answer was = {(enum outcome_status)held->status, held->answer, held_detail(held),
                                held->whole};
    held->differs = true;
    r->differing++;
    if (r->hooks.differs)
        r->hooks.differs(r->hooks.ctx, op, &was, answer);
}

static void decode(struct rebase *r, const struct held *held, struct op *op)
{
    size_t len = op_binary_decode(slice_make(held->bytes, held->len), &r->scratch, op);
    assert(len == held->len);
    (void)len;
    op->hash = held->hash;
}

/* --- keeping --- */

/* Takes the oldest op out; what is left of it goes to the garbage. */
static void drop_first(struct rebase *r)
{
    struct held *held = r->queue.first;
    r->memory -= held->memory;
    r->timed -= held->timed;
    r->clears -= !held->hash;
    if (held->lifted) {
        struct lifted *lifted = held->lifted;
        struct held *oldest = lifted->list[--lifted->count];
        assert(oldest == held);
    }
    discard(r, NULL, held_queue_drop(&r->queue));
}

static void keep(struct rebase *r, const struct op *op, struct slice encoded, const struct run *run,
                 const struct outcome *out)
{
    assert(r->origin && !r->lifted && !r->all_lifted);
    uint64_t hash = op->kind == OP_NAMESPACE_CLEAR ? 0 : op->hash;
    struct held *held = held_queue_add(&r->queue, encoded, hash, run->undo, run->answer.detail);
    held->lifted = NULL;
    held->origin = r->origin;
    held->number = r->next++;
    held->time = held->ran_at = op->time;
    held->told = run->digest;
    held->answer = run->answer.number;
    held->status = run->answer.status;
    held->whole = run->answer.whole;
    held->timed = run->timed;
    held->created = out->created;
    held->removed = out->removed;
    r->clears += !hash;
    r->timed += run->timed;
    r->memory += held->memory;
    held_queue_count(&r->queue);
}

/* Its inverse will lie behind its encoding, if it fits there. */
static void run_to_keep(struct rebase *r, struct op *op, struct slice encoded, struct outcome *out,
                        struct run *ret_run)
{
    struct inverse_room room;
    held_queue_room(&r->queue, encoded, &room);
    run_op(r, op, out, &room, ret_run);
}

/* Before it runs: apply takes a KeyPut's value. */
static struct slice encode(struct rebase *r, struct op *op)
{
    op->time = later(op->time, rebase_clock(r));
    if (r->encoded.cap > ENCODED_MAX)
        text_release(&r->encoded);
    text_clear(&r->encoded);
    op_binary_encode(&r->encoded, op);
    return text_slice(&r->encoded);
}

bool rebase_run_encoded(struct rebase *r, struct op *op, struct slice encoded, struct outcome *out)
{
    assert(op->time >= rebase_clock(r));
    held_queue_prefetch(&r->queue, op->hash);
    struct run run;
    run_to_keep(r, op, encoded, out, &run);
    assert(out->changed || !run.undo);
    if (out->changed)
        keep(r, op, encoded, &run, out);
    if (run.replaced_expired)
        tell_expired(r, op->key);
    return out->changed;
}

bool rebase_run(struct rebase *r, struct op *op, struct outcome *out)
{
    struct slice encoded = encode(r, op);
    return rebase_run_encoded(r, op, encoded, out);
}

void rebase_run_recorded(struct rebase *r, struct op *op, struct outcome *out)
{
    struct slice encoded = encode(r, op);
    struct run run;
    run_to_keep(r, op, encoded, out, &run);
    keep(r, op, encoded, &run, out);
}

/* --- lifting --- */

static bool is_lifted(const struct rebase *r, const struct held *held)
{
    return r->all_lifted || held->lifted;
}

static void undo_held(struct rebase *r, struct held *held)
{
    struct slice key = op_binary_key(slice_make(held->bytes, held->len));
    inverse_undo(r->ks, held->undo, key, held->hash);
    held->undo = NULL;
}

/* From the newest to the oldest. */
static void lift_all(struct rebase *r)
{
    if (r->all_lifted)
        return;
    size_t count = 0;
    struct held **list = mem_alloc(r->queue.count * sizeof(*list));
    for (struct held *held = r->queue.first; held; held = held->next)
        if (!is_lifted(r, held))
            list[count++] = held;
    while (count)
        undo_held(r, list[--count]);
    mem_free(list);
    r->all_lifted = true;
}

static void lifted_add(struct lifted *lifted, struct held *held)
{
    if (lifted->count == lifted->cap) {
        lifted->cap = lifted->cap ? 2 * lifted->cap : 4;
        lifted->list = mem_realloc(lifted->list, lifted->cap * sizeof(held));
    }
    lifted->list[lifted->count++] = held;
}

/* NULL: no op is pending on the key, or it is no key. */
static struct lifted *lift_key(struct rebase *r, uint64_t hash)
{
    struct held *newest = held_queue_newest(&r->queue, hash);
    if (r->clears)
        lift_all(r);
    if (!newest || newest->lifted)
        return newest ? newest->lifted : NULL;
    struct lifted *lifted = mem_calloc(1, sizeof(*lifted));
    for (struct held *held = newest; held; held = held_queue_older(&r->queue, held)) {
        if (!r->all_lifted)
            undo_held(r, held);
        held->lifted = lifted;
        lifted_add(lifted, held);
    }
    lifted->next = r->lifted;
    return r->lifted = lifted;
}

/* Others have changed a key that is lifted, if any op is pending on it. */
static void touch_key(struct rebase *r, uint64_t hash)
{
    struct lifted *lifted = lift_key(r, hash);
    if (lifted)
        lifted->touched = true;
}

/* Whoever follows the key has last been told what others did to it, or nothing. */
static void tell_again(struct rebase *r, struct held *held, const struct op *op,
                       const struct outcome *out)
{
    bool touched = r->all_touched || (held->lifted && held->lifted->touched);
    bool made = out->created && (touched || !held->created);
    bool gone = out->removed && (touched || !held->removed);
    bool expired = expired_at_once(op, out) && (touched || held->created);
    if ((made || gone) && r->hooks.arrived)
        r->hooks.arrived(r->hooks.ctx, op, out);
    if (expired)
        tell_expired(r, op->key);
    if (made || gone || expired)
        touch_key(r, held->hash); /* what follows must be told, too */
    held->created = out->created;
    held->removed = out->removed;
}

static void run_again(struct rebase *r, struct held *held)
{
    struct op op;
    struct outcome out;
    struct run run;
    decode(r, held, &op);
    op.time = later(held->time, r->clock);
    run_op(r, &op, &out, &(struct inverse_room){0}, &run);
    tell_difference(r, held, &op, &run.answer, run.digest);
    tell_again(r, held, &op, &out);
    r->memory -= held->memory;
    r->timed -= held->timed;
    held_queue_ran_again(&r->queue, held, run.undo);
    held->ran_at = op.time;
    held->timed = run.timed;
    r->memory += held->memory;
    r->timed += held->timed;
    op_release(&op);
}

static void run_again_all(struct rebase *r)
{
    for (struct held *held = r->queue.first; held; held = held->next)
        run_again(r, held);
    r->all_lifted = false;
}

static void run_again_key(struct rebase *r, struct lifted *lifted)
{
    for (size_t i = lifted->count; i-- > 0;)
        run_again(r, lifted->list[i]);
}

static void put_down(struct lifted *lifted)
{
    for (size_t i = 0; i < lifted->count; i++)
        lifted->list[i]->lifted = NULL;
    destroy_lifted(lifted);
}

/* The committed clock has moved past ops whose effect depends on it. */
static void lift_overtaken(struct rebase *r)
{
    if (!r->timed)
        return;
    for (struct held *held = r->queue.first; held && held->time < r->clock; held = held->next)
        if (held->timed && held->ran_at < r->clock && !is_lifted(r, held))
            lift_key(r, held->hash);
}

void rebase_finish(struct rebase *r)
{
    lift_overtaken(r);
    bool all = r->all_lifted;
    if (all)
        run_again_all(r);
    while (r->lifted) {
        struct lifted *lifted = r->lifted;
        if (!all)
            run_again_key(r, lifted);
        r->lifted = lifted->next;
        put_down(lifted);
    }
    r->all_touched = false;
}

/* --- commits --- */

static void apply_committed(struct rebase *r, struct op *op, struct outcome *out)
{
    struct inverse *undo = NULL;
    int64_t deadline = key_deadline(r, op);
    if (deadline && deadline <= op->time) {
        tell_expired(r, op->key);
        touch_key(r, op->hash);
    }
    /* With an inverse, clearing does not free all keys here and now. */
    apply(r->ks, op, out, op->kind == OP_NAMESPACE_CLEAR ? &undo : NULL);
    discard(r, undo, NULL);
}

/* A lifted op of ours is committed: it runs here, for good. */
static void run_for_good(struct rebase *r, struct held *held)
{
    struct op op;
    struct outcome out;
    decode(r, held, &op);
    op.time = r->clock;
    uint64_t digest = op.kind == OP_LIST_POP ? mix_popped(r, &op) : DIGEST_BEGIN;
    apply_committed(r, &op, &out);
    struct rebase_answer answer;
    answer_of(r, &op, &out, &answer);
    tell_difference(r, held, &op, &answer, mix_outcome(digest, &op, &out));
    tell_again(r, held, &op, &out);
    op_release(&op);
}

bool rebase_ours(struct rebase *r, struct slice replica, uint64_t number)
{
    struct held *held = r->queue.first;
    if (!held || held->number != number || !slice_equal(held->origin->name, replica))
        return false;
    if (held->time > r->clock)
        set_clock(r, held->time);
    if (held->timed && held->ran_at != r->clock && !is_lifted(r, held))
        lift_key(r, held->hash);
    if (is_lifted(r, held))
        run_for_good(r, held);
    drop_first(r);
    return true;
}

/*
 * The ops of the first chunk leave together where none of them needs to be looked at: nothing is
 * lifted, and those that depend on time ran at the time that they are committed at. Returns how
 * many these were: none, or at most `count`.
 */
static uint64_t drop_front(struct rebase *r, struct slice replica, uint64_t number, uint64_t count)
{
    const struct held *held = r->queue.first;
    struct held_front front;
    if (!held || r->lifted || r->all_lifted || held->number != number ||
        !slice_equal(held->origin->name, replica))
        return 0;
    if (!held_queue_front(&r->queue, &front) || front.count > count ||
        (front.timed && held->time < r->clock))
        return 0;
    if (front.last->time > r->clock)
        set_clock(r, front.last->time);
    r->memory -= front.memory;
    r->timed -= front.timed;
    r->clears -= front.clears;
    discard(r, NULL, held_queue_drop_front(&r->queue));
    return front.count;
}

bool rebase_ours_all(struct rebase *r, struct slice replica, uint64_t first, uint64_t count)
{
    bool pending = true;
    while (count) {
        uint64_t dropped = drop_front(r, replica, first, count);
        if (!dropped) {
            pending &= rebase_ours(r, replica, first);
            dropped = 1;
        }
        first += dropped;
        count -= dropped;
    }
    return pending;
}

void rebase_theirs(struct rebase *r, struct op *op)
{
    struct outcome out;
    op->time = later(r->clock, op->time);
    set_clock(r, op->time);
    if (op->kind == OP_NAMESPACE_CLEAR) {
        lift_all(r);
    } else {
        if (!op->hash)
            op->hash = key_hash(op->key);
        lift_key(r, op->hash);
    }
    apply_committed(r, op, &out);
    if (!out.changed)
        return;
    if (op->kind == OP_NAMESPACE_CLEAR)
        r->all_touched = true;
    else
        touch_key(r, op->hash);
    if (r->hooks.arrived)
        r->hooks.arrived(r->hooks.ctx, op, &out);
    if (expired_at_once(op, &out))
        tell_expired(r, op->key);
}

void rebase_restart(struct rebase *r, struct keyspace *ks, int64_t clock, const struct head *head)
{
    assert(!r->lifted && !r->all_lifted);
    r->ks = ks;
    set_clock(r, clock);
    struct held *held;
    while ((held = r->queue.first) && held->number <= head_replica_op(head, held->origin->name))
        drop_first(r);
    for (; held; held = held->next) {
        discard(r, held->undo, NULL);
        held->undo = NULL;
    }
    r->all_lifted = true;
    rebase_finish(r);
}

/* --- looking --- */

size_t rebase_count(const struct rebase *r)
{
    return r->queue.count;
}

size_t rebase_memory(const struct rebase *r)
{
    return 16 * r->memory;
}

int64_t rebase_clock(const struct rebase *r)
{
    return r->queue.last ? later(r->clock, r->queue.last->time) : r->clock;
}

int64_t rebase_floor(const struct rebase *r)
{
    return r->clock;
}

uint64_t rebase_differing(const struct rebase *r)
{
    return r->differing;
}
