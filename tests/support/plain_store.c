/* SPDX-License-Identifier: BSD-3-Clause */
/* See plain_store.h: a list of events by time, on top of a store in memory. */
#include "tests/support/plain_store.h"

#include <assert.h>

#include "ops/mem.h"
#include "persistence/store-internal.h"

enum event_kind { EVENT_LAND, EVENT_ANSWER, EVENT_WAKE };

struct plain_node {
    struct plain_node *next;
    struct plain_world *world;
    struct store_lock_clock clock;
    bool dead;
    int64_t stopped_until;
    unsigned sent;
};

/* One request on its way. Its answer is in `copy` once it has landed. */
struct way {
    struct store_request *request; /* the sender's */
    struct store_request copy;
    struct text body;
    int64_t back; /* the way back takes so long; -1: the answer is lost */
    int users;    /* events that hold it */
};

struct event_item {
    struct event_item *next;
    int64_t time;
    enum event_kind kind;
    struct plain_node *node;
    struct way *way;
    bool lost;
    void (*wake)(void *arg);
    void *arg;
};

struct plain_world {
    struct random random;
    struct plain_network network;
    int64_t now;
    struct event_item *events; /* by time; of the same time in the order they were made */
    struct plain_node *nodes;
    struct store *shelf;
    void (*watch)(void *ctx, const struct plain_node *from, const struct store_request *request);
    void *watch_ctx;
};

struct plain_store {
    struct store store;
    struct plain_node *node;
};

static struct event_item *add_event(struct plain_node *node, int64_t time, enum event_kind kind)
{
    struct plain_world *world = node->world;
    struct event_item *event = mem_calloc(1, sizeof(*event)), **at = &world->events;
    event->time = time;
    event->kind = kind;
    event->node = node;
    while (*at && (*at)->time <= time)
        at = &(*at)->next;
    event->next = *at;
    *at = event;
    return event;
}

static void way_leave(struct way *way)
{
    if (!way || --way->users)
        return;
    store_request_release(&way->copy);
    text_release(&way->body);
    mem_free(way);
}

/* --- the store --- */

static int64_t travel(struct plain_world *world)
{
    const struct plain_network *network = &world->network;
    bool slow = random_below(&world->random, 1000) < network->slow_permille;
    int64_t most = slow ? network->slow : network->usual;
    return most ? (int64_t)random_below(&world->random, (uint64_t)most + 1) : 0;
}

static void add_way_event(struct plain_node *node, int64_t time, enum event_kind kind,
                          struct way *way, bool lost)
{
    struct event_item *event = add_event(node, time, kind);
    event->way = way;
    event->lost = lost;
    way->users++;
}

static void plain_submit(struct store *handle, struct store_request *request)
{
    struct plain_node *node = ((struct plain_store *)handle)->node;
    struct plain_world *world = node->world;
    struct way *way = mem_calloc(1, sizeof(*way));
    bool lost = random_below(&world->random, 1000) < world->network.lost_permille;
    int64_t there = travel(world);
    text_append_slice(&way->body, request->body);
    way->request = request;
    way->copy = (struct store_request){.verb = request->verb,
                                       .want_etags = request->want_etags,
                                       .delimiter = request->delimiter,
                                       .limit = request->limit};
    way->copy.within_ms = request->within_ms;
    memcpy(way->copy.key, request->key, sizeof(way->copy.key));
    memcpy(way->copy.after, request->after, sizeof(way->copy.after));
    if (request->verb == STORE_GET)
        memcpy(way->copy.etag, request->etag, sizeof(way->copy.etag));
    way->copy.body = text_slice(&way->body);
    way->back = lost ? -1 : travel(world);
    if (lost && world->network.late)
        there = (int64_t)random_below(&world->random, (uint64_t)world->network.late);
    node->sent++;
    add_way_event(node, world->now + there, EVENT_LAND, way, false);
    if (lost)
        add_way_event(node, world->now + world->network.patience, EVENT_ANSWER, way, true);
}

static void land(struct plain_world *world, struct event_item *event)
{
    struct way *way = event->way;
    if (world->watch)
        world->watch(world->watch_ctx, event->node, &way->copy);
    store_wait(world->shelf, &way->copy);
    if (way->back >= 0)
        add_way_event(event->node, world->now + way->back, EVENT_ANSWER, way, false);
}

static void answer(struct event_item *event)
{
    struct store_request *request = event->way->request, *copy = &event->way->copy;
    bool writes = request->verb == STORE_PUT || request->verb == STORE_REMOVE;
    if (event->lost) {
        store_answer(request, writes ? STORE_UNKNOWN : STORE_TRANSIENT, "injected: lost");
        return;
    }
    request->answer = copy->answer;
    request->items = copy->items;
    request->item_count = copy->item_count;
    request->truncated = copy->truncated;
    memcpy(request->answer_etag, copy->answer_etag, sizeof(request->answer_etag));
    copy->answer = (struct text){0};
    copy->items = NULL;
    copy->item_count = 0;
    if (copy->result == STORE_OK)
        store_answer(request, copy->result, NULL);
    else
        store_answer(request, copy->result, "%s", copy->error);
}

static void plain_run(struct store *handle, const bool *finished)
{
    plain_world_run(((struct plain_store *)handle)->node->world, finished);
}

static struct store *plain_clone(struct store *handle)
{
    return plain_node_store(((struct plain_store *)handle)->node);
}

static void plain_close(struct store *handle)
{
    store_fini(handle);
    mem_free(handle);
}

struct store *plain_node_store(struct plain_node *node)
{
    static const struct store_kind kind = {
        .submit = plain_submit, .run = plain_run, .clone = plain_clone, .close = plain_close};
    struct plain_store *store = mem_calloc(1, sizeof(*store));
    store_init(&store->store, &kind, NULL);
    store->node = node;
    return &store->store;
}

/* --- time --- */

bool plain_world_step(struct plain_world *world)
{
    struct event_item *event = world->events;
    if (!event)
        return false;
    world->events = event->next;
    world->now = event->time;
    struct plain_node *node = event->node;
    bool acts = event->kind != EVENT_LAND;
    if (acts && !node->dead && node->stopped_until > world->now) {
        struct event_item *later = add_event(node, node->stopped_until, event->kind);
        later->way = event->way;
        later->lost = event->lost;
        later->wake = event->wake;
        later->arg = event->arg;
        mem_free(event);
        return true;
    }
    if (event->kind == EVENT_LAND)
        land(world, event);
    else if (!node->dead && event->kind == EVENT_ANSWER)
        answer(event);
    else if (!node->dead)
        event->wake(event->arg);
    way_leave(event->way);
    mem_free(event);
    return true;
}

void plain_world_run(struct plain_world *world, const bool *finished)
{
    while (!(finished && *finished) && plain_world_step(world))
        ;
    assert(!finished || *finished);
}

void plain_world_pass(struct plain_world *world, int64_t ms)
{
    int64_t until = world->now + ms;
    while (world->events && world->events->time <= until)
        plain_world_step(world);
    world->now = until;
}

static int64_t node_now(void *ctx)
{
    return ((struct plain_node *)ctx)->world->now;
}

static void node_wake_after(void *ctx, int64_t ms, void (*wake)(void *arg), void *arg)
{
    struct plain_node *node = ctx;
    struct event_item *event = add_event(node, node->world->now + ms, EVENT_WAKE);
    event->wake = wake;
    event->arg = arg;
}

static void node_run(void *ctx, const bool *finished)
{
    plain_world_run(((struct plain_node *)ctx)->world, finished);
}

/* --- the rest --- */

struct plain_world *plain_world_create(uint64_t seed)
{
    struct plain_world *world = mem_calloc(1, sizeof(*world));
    world->random = random_from(seed);
    world->shelf = store_memory_create();
    return world;
}

void plain_world_destroy(struct plain_world *world)
{
    while (world->events) {
        struct event_item *event = world->events;
        world->events = event->next;
        way_leave(event->way);
        mem_free(event);
    }
    while (world->nodes) {
        struct plain_node *node = world->nodes;
        world->nodes = node->next;
        mem_free(node);
    }
    store_close(world->shelf);
    mem_free(world);
}

void plain_world_set(struct plain_world *world, const struct plain_network *network)
{
    world->network = *network;
}

int64_t plain_world_now(const struct plain_world *world)
{
    return world->now;
}

struct store *plain_world_shelf(struct plain_world *world)
{
    return world->shelf;
}

void plain_world_watch(struct plain_world *world,
                       void (*watch)(void *ctx, const struct plain_node *from,
                                     const struct store_request *request),
                       void *ctx)
{
    world->watch = watch;
    world->watch_ctx = ctx;
}

struct plain_node *plain_node_create(struct plain_world *world)
{
    struct plain_node *node = mem_calloc(1, sizeof(*node));
    node->world = world;
    node->clock = (struct store_lock_clock){node_now, node_wake_after, node_run, node};
    node->next = world->nodes;
    world->nodes = node;
    return node;
}

const struct store_lock_clock *plain_node_clock(struct plain_node *node)
{
    return &node->clock;
}

void plain_node_kill(struct plain_node *node)
{
    node->dead = true;
}

void plain_node_stop(struct plain_node *node, int64_t ms)
{
    node->stopped_until = node->world->now + ms;
}

unsigned plain_node_sent(const struct plain_node *node)
{
    return node->sent;
}
