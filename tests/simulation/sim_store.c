/* SPDX-License-Identifier: BSD-3-Clause */
/* The store of a simulation, and the network before it with all its faults. */
#include <stdio.h>

#include "ops/mem.h"
#include "tests/simulation/sim.h"

#define TIMEOUT_MS 400

struct sim_object *store_object(struct world *w, const char *key)
{
    for (size_t i = 0; i < w->object_count; i++)
        if (strcmp(w->objects[i].key, key) == 0)
            return &w->objects[i];
    return NULL;
}

bool store_is_out(const struct world *w, const struct replica *r)
{
    return w->faulty && (!w->out_for || w->out_for == r) && w->out_from <= w->now &&
           w->now < w->out_until;
}

static void remove_object(struct world *w, const char *key)
{
    struct sim_object *object = store_object(w, key);
    if (!object)
        return;
    check_removal(w, object);
    text_release(&object->body);
    *object = w->objects[--w->object_count];
}

void store_put_object(struct world *w, const char *key, struct slice body)
{
    struct sim_object *object = store_object(w, key);
    if (!object) {
        w->objects = mem_realloc(w->objects, (w->object_count + 1) * sizeof(*w->objects));
        object = &w->objects[w->object_count++];
        *object = (struct sim_object){0};
        snprintf(object->key, sizeof(object->key), "%s", key);
    }
    text_clear(&object->body);
    text_append_slice(&object->body, body);
    object->version = ++w->versions;
}

void store_release(struct world *w)
{
    for (size_t i = 0; i < w->object_count; i++)
        text_release(&w->objects[i].body);
    mem_free(w->objects);
}

static void etag_of(const struct sim_object *object, char out[STORE_ETAG_MAX])
{
    snprintf(out, STORE_ETAG_MAX, "v%llu", (unsigned long long)object->version);
}

static enum store_result land_get(struct world *w, struct call *call)
{
    const struct sim_object *object = store_object(w, call->key);
    if (!object)
        return STORE_NOT_FOUND;
    etag_of(object, call->answer_etag);
    if (strcmp(call->answer_etag, call->etag) == 0)
        return STORE_NOT_MODIFIED;
    text_append_slice(&call->answer, text_slice(&object->body));
    return STORE_OK;
}

static enum store_result land_put(struct world *w, struct call *call)
{
    const struct sim_object *object = store_object(w, call->key);
    char etag[STORE_ETAG_MAX] = "";
    if (object)
        etag_of(object, etag);
    if (call->condition == STORE_IF_ABSENT && object)
        return STORE_PRECONDITION;
    if (call->condition == STORE_IF_MATCH && strcmp(etag, call->etag) != 0)
        return STORE_PRECONDITION;
    store_put_object(w, call->key, text_slice(&call->body));
    etag_of(store_object(w, call->key), call->answer_etag);
    if (call->condition != STORE_ALWAYS)
        check_head(call->seat->space, text_slice(&call->body));
    return STORE_OK;
}

static void call_done(struct call *call)
{
    if (--call->events)
        return;
    text_release(&call->body);
    text_release(&call->answer);
    mem_free(call);
}

static void on_land(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    (void)epoch;
    enum store_result result = call->put ? land_put(w, call) : land_get(w, call);
    bool beside = strchr(call->key, '/') != NULL;
    w->totals.events[SIM_EVENT_GONE] += !call->put && beside && result == STORE_NOT_FOUND;
    world_trace(w, "%s %s lands: %s", call->put ? "PUT" : "GET", call->key,
                store_result_name(result));
    if (!call->landed)
        call->result = result;
    call->landed = true;
    call_done(call);
}

static void on_answer(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    (void)w;
    if (call->seat->replica->epoch == epoch)
        seat_answered(call->seat, call);
    call_done(call);
}

/* Whatever became of it: this is what the replica hears. */
static void on_no_answer(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    call->result = call->put ? STORE_UNKNOWN : STORE_TRANSIENT;
    on_answer(w, ctx, epoch);
}

static void on_refused(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    call->result = STORE_PRECONDITION;
    on_answer(w, ctx, epoch);
}

static void on_busy(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    call->result = STORE_TRANSIENT;
    on_answer(w, ctx, epoch);
}

static void on_cut_answer(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    if (call->answer.len)
        call->answer.len = world_below(w, call->answer.len);
    on_answer(w, ctx, epoch);
}

static void on_flipped_answer(struct world *w, void *ctx, unsigned epoch)
{
    struct call *call = ctx;
    if (call->answer.len)
        call->answer.data[world_below(w, call->answer.len)] ^= (char)(1 << world_below(w, 8));
    on_answer(w, ctx, epoch);
}

static void plan(struct call *call, int64_t delay,
                 void (*fire)(struct world *world, void *ctx, unsigned epoch))
{
    call->events++;
    world_after(call->world, delay, fire, call, call->epoch);
}

static bool fault_fits(const struct call *call, enum sim_fault fault)
{
    switch (fault) {
    case SIM_FAULT_LATE:
    case SIM_FAULT_DOUBLED: return call->put;
    case SIM_FAULT_ERROR_409:
    case SIM_FAULT_ERROR_412: return call->put && call->condition != STORE_ALWAYS;
    case SIM_FAULT_FLIPPED:
    case SIM_FAULT_TRUNCATED: return !call->put;
    case SIM_FAULT_ANSWER_LOST:
    case SIM_FAULT_REQUEST_LOST:
    case SIM_FAULT_OUT:
    case SIM_FAULT_ERROR_500:
    case SIM_FAULT_ERROR_503:
    case SIM_FAULT_RESET:
    case SIM_FAULT_SLOW:
    case SIM_FAULT_COUNT: break;
    }
    return true;
}

static void plan_fault(struct call *call, enum sim_fault fault, int64_t there, int64_t back)
{
    struct world *w = call->world;
    int64_t rest = (int64_t)world_below(w, 3 * TIMEOUT_MS);
    switch (fault) {
    case SIM_FAULT_ANSWER_LOST:
        plan(call, there, on_land);
        plan(call, TIMEOUT_MS, on_no_answer);
        break;
    case SIM_FAULT_REQUEST_LOST: plan(call, TIMEOUT_MS, on_no_answer); break;
    case SIM_FAULT_OUT:
        if (w->out_for && w->now < w->out_from + TIMEOUT_MS) /* the way back goes first */
            plan(call, there, on_land);
        plan(call, there + back, on_no_answer);
        break;
    case SIM_FAULT_LATE:
        plan(call, TIMEOUT_MS, on_no_answer);
        plan(call, TIMEOUT_MS + 1 + rest, on_land);
        break;
    case SIM_FAULT_DOUBLED:
        plan(call, there, on_land);
        plan(call, there + back, on_answer);
        plan(call, there + 1 + rest, on_land);
        break;
    case SIM_FAULT_ERROR_409: plan(call, there + back, on_refused); break;
    case SIM_FAULT_ERROR_412:
        plan(call, there, on_land);
        plan(call, there + back, on_refused);
        break;
    case SIM_FAULT_ERROR_500:
    case SIM_FAULT_RESET:
        if (world_below(w, 2))
            plan(call, there, on_land);
        plan(call, there + back, on_no_answer);
        break;
    case SIM_FAULT_ERROR_503: plan(call, there + back, on_busy); break;
    case SIM_FAULT_TRUNCATED:
        plan(call, there, on_land);
        plan(call, there + back, on_cut_answer);
        break;
    case SIM_FAULT_FLIPPED:
        plan(call, there, on_land);
        plan(call, there + back, on_flipped_answer);
        break;
    case SIM_FAULT_SLOW:
        plan(call, there + rest / 2, on_land);
        plan(call, there + back + rest, on_answer);
        break;
    case SIM_FAULT_COUNT: break;
    }
}

#define X(name) #name,
static const char *const fault_names[] = {SIM_FAULT_LIST(X)};
#undef X

void store_send(struct seat *s, bool put, const struct sync_request *wanted)
{
    struct world *w = s->world;
    struct replica *r = s->replica;
    struct call *call = mem_calloc(1, sizeof(*call));
    *call = (struct call){
        .world = w, .seat = s, .epoch = r->epoch, .put = put, .condition = wanted->condition};
    memcpy(call->key, wanted->key, sizeof(call->key));
    memcpy(call->etag, wanted->etag, sizeof(call->etag));
    if (put)
        text_append_slice(&call->body, wanted->body);
    int64_t there = 1 + (int64_t)world_below(w, world_below(w, 4) ? 20 : 120);
    int64_t back = 1 + (int64_t)world_below(w, 40);
    enum sim_fault fault = (enum sim_fault)world_below(w, SIM_FAULT_COUNT);
    bool faulty = w->faulty && world_below(w, 4) == 0 && fault_fits(call, fault);
    if (store_is_out(w, r))
        fault = SIM_FAULT_OUT;
    if (store_is_out(w, r) || (faulty && fault != SIM_FAULT_OUT)) {
        world_trace(w, "%s %s %s: %s", r->incarnation, put ? "PUT" : "GET", call->key,
                    fault_names[fault]);
        w->totals.faults[fault]++;
        plan_fault(call, fault, there, back);
        return;
    }
    world_trace(w, "%s %s %s", r->incarnation, put ? "PUT" : "GET", call->key);
    plan(call, there, on_land);
    plan(call, there + back, on_answer);
}

static void on_remove(struct world *w, void *ctx, unsigned epoch)
{
    struct text *key = ctx;
    (void)epoch;
    world_trace(w, "REMOVE %s lands", text_terminated(key));
    if (!w->failed && !store_is_out(w, NULL))
        remove_object(w, text_terminated(key));
    text_release(key);
    mem_free(key);
}

void store_remove(struct seat *s, const char *key)
{
    struct world *w = s->world;
    struct text *copy = mem_calloc(1, sizeof(*copy));
    uint64_t spread = w->faulty && world_below(w, 8) == 0 ? SIM_REMOVAL_MS : 50;
    text_append_format(copy, "%s", key);
    world_trace(w, "%s REMOVE %s", s->replica->incarnation, key);
    world_after(w, 1 + (int64_t)world_below(w, spread), on_remove, copy, 0);
}

static bool fold_read(void *ctx, const char *object, struct text *body, struct text *error)
{
    struct seat *s = ctx;
    char key[STORE_KEY_MAX];
    snprintf(key, sizeof(key), "%s/%s", s->space->name, object);
    struct sim_object *found = store_object(s->world, key);
    text_clear(body);
    if (found)
        text_append_slice(body, text_slice(&found->body));
    else
        text_append_format(error, "%s: not found", object);
    return found != NULL;
}

static void write_new(struct seat *s, const char *format, struct slice body,
                      char object[COMMIT_OBJECT_SIZE])
{
    char key[STORE_KEY_MAX], uuid[UUID_TEXT_SIZE];
    sim_uuid(replica_steady(s->replica), uuid);
    snprintf(object, COMMIT_OBJECT_SIZE, format, uuid);
    snprintf(key, sizeof(key), "%s/%s", s->space->name, object);
    store_put_object(s->world, key, body);
}

static bool fold_write(void *ctx, struct slice body, char object[COMMIT_OBJECT_SIZE],
                       struct text *error)
{
    struct seat *s = ctx;
    (void)error;
    write_new(s, "chunk-%s.jsonl", body, object);
    s->world->totals.events[SIM_EVENT_CHUNK]++;
    return true;
}

static bool run_write(void *ctx, struct slice body, char object[COMMIT_OBJECT_SIZE],
                      struct text *error)
{
    (void)error;
    write_new(ctx, "run-%s.json", body, object);
    return true;
}

struct fold_store store_for_folds(struct seat *s)
{
    return (struct fold_store){s, fold_read, fold_write};
}

struct fold_store store_for_runs(struct seat *s)
{
    return (struct fold_store){s, fold_read, run_write};
}
