/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See rebase.h. Pending ops stand in one list in their order and, for each key, in a second one.
 * Lifting a key undoes its ops; what is lifted is applied again at the end, so that a hot key is
 * undone once however many commits came. A pending NamespaceClear ties all keys together: then
 * everything is lifted.
 */
#include "persistence/rebase.h"

#include <assert.h>

#include "ops/mem.h"
#include "ops/table.h"
#include "ops/value.h"
#include "persistence/op_binary.h"

#define DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)
/* Of an answer's detail this much is kept to be told later; a digest tells longer ones apart. */
#define DETAIL_MAX 256

/* An incarnation whose ops are pending. */
struct origin {
    struct origin *next;
    struct slice name;
    char bytes[];
};

/* A key that pending ops name. Begins as a table's item does. */
struct held_key {
    uint32_t key_len;
    bool lifted;
    struct held_key *lifted_next;
    struct held *first, *last;
    uint64_t hash;
    uint64_t touched; /* the round in which others last changed it */
    char bytes[];
};

struct held {
    struct held *prev, *next;
    struct held *key_prev, *key_next;
    struct held_key *key; /* NULL: NamespaceClear */
    const struct origin *origin;
    struct inverse *undo;
    uint64_t number;
    int64_t time;   /* not before that of the op before */
    int64_t ran_at; /* effective */
    size_t memory;
    bool timed;            /* what it does depends on when it runs */
    bool differs;          /* that its answer changed has been told */
    bool created, removed; /* when it last ran */
    /* The answer its client got, and a digest of it. */
    bool whole;
    uint8_t status;
    uint16_t detail_len;
    int64_t answer;
    uint64_t told;
    size_t len;
    char bytes[]; /* op_binary, then the answer's detail */
};

struct rebase_garbage {
    struct rebase_garbage *next;
    struct inverse *undo;
};

struct rebase {
    struct keyspace *ks;
    struct rebase_hooks hooks;
    int64_t clock; /* committed */
    struct held *first, *last;
    size_t count, clears, timed, memory;
    struct table keys;
    struct held_key *lifted;
    bool all_lifted;
    uint64_t round, all_touched; /* rebase_finish ends a round */
    struct origin *origins;
    const struct origin *origin; /* of the ops that come */
    uint64_t next;
    uint64_t differing;
    struct op_scratch scratch;
    struct text encoded, popped;
    bool popped_whole;
    struct rebase_garbage *garbage;
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
    r->round = 1;
    set_clock(r, clock);
    if (hooks)
        r->hooks = *hooks;
    table_init(&r->keys, offsetof(struct held_key, bytes));
    return r;
}

void rebase_garbage_free(struct rebase_garbage *garbage)
{
    while (garbage) {
        struct rebase_garbage *next = garbage->next;
        inverse_destroy(garbage->undo);
        mem_free(garbage);
        garbage = next;
    }
}

struct rebase_garbage *rebase_take_garbage(struct rebase *r)
{
    struct rebase_garbage *garbage = r->garbage;
    r->garbage = NULL;
    return garbage;
}

static void discard(struct rebase *r, struct inverse *undo)
{
    if (!undo)
        return;
    struct rebase_garbage *garbage = mem_alloc(sizeof(*garbage));
    *garbage = (struct rebase_garbage){r->garbage, undo};
    r->garbage = garbage;
}

void rebase_destroy(struct rebase *r)
{
    if (!r)
        return;
    while (r->first) {
        struct held *next = r->first->next;
        inverse_destroy(r->first->undo);
        mem_free(r->first);
        r->first = next;
    }
    while (r->origins) {
        struct origin *next = r->origins->next;
        mem_free(r->origins);
        r->origins = next;
    }
    table_release(&r->keys, mem_free);
    op_scratch_release(&r->scratch);
    text_release(&r->encoded);
    text_release(&r->popped);
    rebase_garbage_free(r->garbage);
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
    int status = (int)out->status;
    digest = mix(digest, &status, sizeof(status));
    if (op->kind != OP_NAMESPACE_CLEAR) /* it counts keys that have expired too */
        digest = mix(digest, &out->number, sizeof(out->number));
    return mix(digest, out->text.data, out->text.len);
}

/* Its detail is borrowed from the outcome, or from `r` until the next ListPop. */
static struct rebase_answer answer_of(const struct rebase *r, const struct op *op,
                                      const struct outcome *out)
{
    struct rebase_answer answer = {.status = out->status, .number = out->number, .whole = true};
    answer.detail = op->kind == OP_LIST_POP ? text_slice(&r->popped) : out->text;
    if (op->kind == OP_LIST_POP ? !r->popped_whole : out->text.len > DETAIL_MAX) {
        answer.whole = false;
        answer.detail = slice_make(NULL, 0);
    }
    return answer;
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

struct run {
    struct inverse *undo;
    struct rebase_answer answer;
    uint64_t digest;
    bool timed;
    bool replaced_expired; /* made a key anew that had been there past its deadline */
};

/* Applies at op->time, and finds out what has to be known of it. */
static struct run run_op(struct rebase *r, struct op *op, struct outcome *out)
{
    struct run run = {.digest = DIGEST_BEGIN};
    if (op->kind != OP_NAMESPACE_CLEAR && !op->hash)
        op->hash = key_hash(op->key);
    int64_t deadline = key_deadline(r, op);
    run.timed = op_has_deadline(op) || deadline;
    if (op->kind == OP_LIST_POP)
        run.digest = mix_popped(r, op);
    apply(r->ks, op, out, &run.undo);
    run.digest = mix_outcome(run.digest, op, out);
    run.answer = answer_of(r, op, out);
    run.replaced_expired = out->created && deadline && deadline <= op->time;
    return run;
}

/* The op now has this inverse and this dependence on time. */
static void held_ran(struct rebase *r, struct held *held, const struct run *run, int64_t time)
{
    r->memory -= held->memory;
    r->timed -= held->timed;
    held->undo = run->undo;
    held->timed = run->timed;
    held->ran_at = time;
    held->memory = sizeof(*held) + held->len + held->detail_len + inverse_memory(run->undo);
    r->memory += held->memory;
    r->timed += held->timed;
}

static void tell_difference(struct rebase *r, struct held *held, const struct op *op,
                            const struct rebase_answer *answer, uint64_t digest)
{
    if (digest == held->told || held->differs)
        return;
    struct rebase_answer was = {(enum outcome_status)held->status, held->answer,
                                slice_make(held->bytes + held->len, held->detail_len), held->whole};
    held->differs = true;
    r->differing++;
    if (r->hooks.differs)
        r->hooks.differs(r->hooks.ctx, op, &was, answer);
}

/* Whoever follows the key has last been told what others did to it, or nothing. */
static void tell_again(struct rebase *r, struct held *held, const struct op *op,
                       const struct outcome *out)
{
    bool touched = r->all_touched == r->round || (held->key && held->key->touched == r->round);
    bool made = out->created && (touched || !held->created);
    bool gone = out->removed && (touched || !held->removed);
    bool expired = expired_at_once(op, out) && (touched || held->created);
    if ((made || gone) && r->hooks.arrived)
        r->hooks.arrived(r->hooks.ctx, op, out);
    if (expired)
        tell_expired(r, op->key);
    if ((made || gone || expired) && held->key)
        held->key->touched = r->round; /* what follows must be told, too */
    held->created = out->created;
    held->removed = out->removed;
}

static void decode(struct rebase *r, const struct held *held, struct op *op)
{
    size_t len = op_binary_decode(slice_make(held->bytes, held->len), &r->scratch, op);
    assert(len == held->len);
    (void)len;
    op->hash = held->key ? held->key->hash : 0;
}

static void run_again(struct rebase *r, struct held *held)
{
    struct op op;
    struct outcome out;
    decode(r, held, &op);
    op.time = later(held->time, r->clock);
    struct run run = run_op(r, &op, &out);
    tell_difference(r, held, &op, &run.answer, run.digest);
    tell_again(r, held, &op, &out);
    held_ran(r, held, &run, op.time);
    op_release(&op);
}

/* --- keeping --- */

static struct held_key *find_key(const struct rebase *r, struct slice key, uint64_t hash)
{
    void **slot = table_find(&r->keys, key, hash);
    return slot ? *slot : NULL;
}

static struct held_key *need_key(struct rebase *r, struct slice key, uint64_t hash)
{
    struct held_key *item = find_key(r, key, hash);
    if (item)
        return item;
    item = mem_calloc(1, sizeof(*item) + key.len);
    item->key_len = (uint32_t)key.len;
    item->hash = hash;
    if (key.len)
        memcpy(item->bytes, key.data, key.len);
    table_insert(&r->keys, hash, item);
    return item;
}

static void drop_key_if_free(struct rebase *r, struct held_key *key)
{
    if (key->first || key->lifted)
        return;
    void **slot = table_find_address(&r->keys, key, key->hash);
    assert(slot);
    table_remove(&r->keys, key->hash, slot);
    mem_free(key);
}

static void link_held(struct rebase *r, struct held *held)
{
    struct held_key *key = held->key;
    held->prev = r->last;
    *(r->last ? &r->last->next : &r->first) = held;
    r->last = held;
    r->count++;
    if (!key) {
        r->clears++;
        return;
    }
    held->key_prev = key->last;
    *(key->last ? &key->last->key_next : &key->first) = held;
    key->last = held;
}

/* Takes the oldest op out; its inverse goes to the garbage. */
static void drop_first(struct rebase *r)
{
    struct held *held = r->first;
    struct held_key *key = held->key;
    r->first = held->next;
    *(r->first ? &r->first->prev : &r->last) = NULL;
    r->count--;
    r->memory -= held->memory;
    r->timed -= held->timed;
    discard(r, held->undo);
    if (key) {
        assert(key->first == held);
        key->first = held->key_next;
        *(key->first ? &key->first->key_prev : &key->last) = NULL;
        drop_key_if_free(r, key);
    } else {
        r->clears--;
    }
    mem_free(held);
}

static void keep_answer(struct held *held, const struct run *run, const struct outcome *out)
{
    struct slice detail = run->answer.detail;
    held->told = run->digest;
    held->status = (uint8_t)run->answer.status;
    held->answer = run->answer.number;
    held->whole = run->answer.whole;
    held->detail_len = (uint16_t)detail.len;
    if (detail.len)
        memcpy(held->bytes + held->len, detail.data, detail.len);
    held->created = out->created;
    held->removed = out->removed;
}

static void keep(struct rebase *r, const struct op *op, const struct run *run,
                 const struct outcome *out)
{
    struct held *held = mem_calloc(1, sizeof(*held) + r->encoded.len + run->answer.detail.len);
    assert(r->origin && !r->lifted && !r->all_lifted);
    held->len = r->encoded.len;
    memcpy(held->bytes, r->encoded.data, held->len);
    keep_answer(held, run, out);
    held->origin = r->origin;
    held->number = r->next++;
    held->time = op->time;
    if (op->kind != OP_NAMESPACE_CLEAR)
        held->key = need_key(r, op->key, op->hash);
    link_held(r, held);
    held_ran(r, held, run, op->time);
}

static struct run run_new(struct rebase *r, struct op *op, struct outcome *out)
{
    op->time = later(op->time, rebase_clock(r));
    text_clear(&r->encoded);
    op_binary_encode(&r->encoded, op); /* now: apply takes a KeyPut's value */
    return run_op(r, op, out);
}

bool rebase_run(struct rebase *r, struct op *op, struct outcome *out)
{
    struct run run = run_new(r, op, out);
    assert(out->changed || !run.undo);
    if (out->changed)
        keep(r, op, &run, out);
    if (run.replaced_expired)
        tell_expired(r, op->key);
    return out->changed;
}

void rebase_run_recorded(struct rebase *r, struct op *op, struct outcome *out)
{
    struct run run = run_new(r, op, out);
    keep(r, op, &run, out);
}

/* --- lifting --- */

static bool is_lifted(const struct rebase *r, const struct held *held)
{
    return r->all_lifted || (held->key && held->key->lifted);
}

static void undo_held(struct rebase *r, struct held *held)
{
    inverse_undo(r->ks, held->undo);
    held->undo = NULL;
}

static void lift_all(struct rebase *r)
{
    if (r->all_lifted)
        return;
    for (struct held *held = r->last; held; held = held->prev)
        if (!is_lifted(r, held))
            undo_held(r, held);
    r->all_lifted = true;
}

static void lift_key(struct rebase *r, struct held_key *key)
{
    if (r->clears)
        lift_all(r);
    if (r->all_lifted || !key || key->lifted)
        return;
    for (struct held *held = key->last; held; held = held->key_prev)
        undo_held(r, held);
    key->lifted = true;
    key->lifted_next = r->lifted;
    r->lifted = key;
}

static void run_again_all(struct rebase *r)
{
    for (struct held *held = r->first; held; held = held->next)
        run_again(r, held);
    r->all_lifted = false;
}

static void run_again_key(struct rebase *r, struct held_key *key)
{
    for (struct held *held = key->first; held; held = held->key_next)
        run_again(r, held);
}

/* The committed clock has moved past ops whose effect depends on it. */
static void lift_overtaken(struct rebase *r)
{
    if (!r->timed)
        return;
    for (struct held *held = r->first; held && held->time < r->clock; held = held->next)
        if (held->timed && held->ran_at < r->clock && !is_lifted(r, held))
            lift_key(r, held->key);
}

void rebase_finish(struct rebase *r)
{
    lift_overtaken(r);
    bool all = r->all_lifted;
    if (all)
        run_again_all(r);
    while (r->lifted) {
        struct held_key *key = r->lifted;
        r->lifted = key->lifted_next;
        key->lifted = false;
        if (!all)
            run_again_key(r, key);
        drop_key_if_free(r, key);
    }
    r->round++;
}

/* --- commits --- */

/* `key`: what pending ops there are on the op's key, or NULL. */
static void apply_committed(struct rebase *r, struct op *op, struct held_key *key,
                            struct outcome *out)
{
    struct inverse *undo = NULL;
    int64_t deadline = key_deadline(r, op);
    if (deadline && deadline <= op->time) {
        tell_expired(r, op->key);
        if (key)
            key->touched = r->round;
    }
    /* With an inverse, clearing does not free all keys here and now. */
    apply(r->ks, op, out, op->kind == OP_NAMESPACE_CLEAR ? &undo : NULL);
    discard(r, undo);
}

/* A lifted op of ours is committed: it runs here, for good. */
static void run_for_good(struct rebase *r, struct held *held)
{
    struct op op;
    struct outcome out;
    decode(r, held, &op);
    op.time = r->clock;
    uint64_t digest = op.kind == OP_LIST_POP ? mix_popped(r, &op) : DIGEST_BEGIN;
    apply_committed(r, &op, held->key, &out);
    struct rebase_answer answer = answer_of(r, &op, &out);
    tell_difference(r, held, &op, &answer, mix_outcome(digest, &op, &out));
    tell_again(r, held, &op, &out);
    op_release(&op);
}

bool rebase_ours(struct rebase *r, struct slice replica, uint64_t number)
{
    struct held *held = r->first;
    if (!held || held->number != number || !slice_equal(held->origin->name, replica))
        return false;
    set_clock(r, later(r->clock, held->time));
    if (held->timed && held->ran_at != r->clock && !is_lifted(r, held))
        lift_key(r, held->key);
    if (is_lifted(r, held))
        run_for_good(r, held);
    drop_first(r);
    return true;
}

void rebase_theirs(struct rebase *r, struct op *op)
{
    struct outcome out;
    struct held_key *key = NULL;
    op->time = later(r->clock, op->time);
    set_clock(r, op->time);
    if (op->kind == OP_NAMESPACE_CLEAR) {
        lift_all(r);
    } else {
        if (!op->hash)
            op->hash = key_hash(op->key);
        key = find_key(r, op->key, op->hash);
        lift_key(r, key);
    }
    apply_committed(r, op, key, &out);
    if (!out.changed)
        return;
    if (op->kind == OP_NAMESPACE_CLEAR)
        r->all_touched = r->round;
    else if (key)
        key->touched = r->round;
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
    while (r->first && r->first->number <= head_replica_op(head, r->first->origin->name))
        drop_first(r);
    for (struct held *held = r->first; held; held = held->next) {
        discard(r, held->undo);
        held->undo = NULL;
    }
    r->all_lifted = true;
    rebase_finish(r);
}

/* --- looking --- */

size_t rebase_count(const struct rebase *r)
{
    return r->count;
}

size_t rebase_memory(const struct rebase *r)
{
    return r->memory;
}

int64_t rebase_clock(const struct rebase *r)
{
    return r->last ? later(r->clock, r->last->time) : r->clock;
}

int64_t rebase_floor(const struct rebase *r)
{
    return r->clock;
}

uint64_t rebase_differing(const struct rebase *r)
{
    return r->differing;
}
