/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the heads of a shared store are looked at. One that somebody here uses, writes or waits for:
 * at every sync interval. Others less and less often, and not at all once they were unused for
 * long; their next use asks for a look at once. Where many are due, one listing of a bucket shows
 * which heads have moved, and only those are read. On the syncer's thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"
#include "persistence/syncer-internal.h"

#define USED_INTERVALS 4  /* so long after its last command a namespace counts as used */
#define FACTOR_MAX     16 /* as all factors a power of two */
#define GAP_MAX_MS     INT64_C(60000)
#define UNUSED_MS      (INT64_C(5) * 60 * 1000)
/* A request that lists costs as much as 12.5 that read, at S3's prices; it shows 1000 keys. */
#define LIST_WORTH 13
#define LIST_PAGE  1000
/* One after the other, while other requests are answered. */
#define LIST_FAILURES_MAX 3

void agent_poll_often(struct namespace *ns)
{
    ns->agent.poll_factor = 1;
    ns->agent.poll_stopped = false;
    atomic_store(&ns->slow, false);
}

static void look_now(void *ctx)
{
    struct namespace *ns = ctx;
    agent_poll_often(ns);
    agent_look(ns, false);
}

void syncer_look(struct namespace *ns)
{
    syncer_post(ns->owner->syncer, look_now, ns);
}

static bool is_awaited(struct namespace *ns)
{
    if (ns->agent.watch)
        return true;
    namespace_lock_aside(ns);
    bool awaited = namespace_awaited(ns);
    namespace_unlock(ns);
    return awaited;
}

static bool is_in_use(struct namespace *ns, int64_t now, int64_t interval)
{
    struct agent *agent = &ns->agent;
    if (atomic_exchange_explicit(&ns->touched, false, memory_order_relaxed))
        agent->touched_at = now;
    return now - agent->touched_at <= USED_INTERVALS * interval || is_awaited(ns);
}

/* It has something to send, or somebody waits for it: that goes its own way. */
static bool is_busy(struct namespace *ns)
{
    return atomic_load(&ns->pending_ops) || ns->agent.waits || !sync_core_at_rest(ns->agent.core);
}

/* How many intervals it is to the next look, if this one finds nothing. */
static void plan(struct namespace *ns, bool in_use, int64_t now, int64_t interval)
{
    struct agent *agent = &ns->agent;
    int64_t unused = UNUSED_MS > USED_INTERVALS * interval ? UNUSED_MS : USED_INTERVALS * interval;
    if (in_use) {
        agent_poll_often(ns);
        return;
    }
    if (agent->poll_factor < FACTOR_MAX && 2 * agent->poll_factor * interval <= GAP_MAX_MS)
        agent->poll_factor *= 2;
    agent->poll_stopped = now - agent->touched_at > unused;
    atomic_store(&ns->slow, agent->poll_factor > 1 || agent->poll_stopped);
}

static void look_at(struct namespace **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        agent_look(list[i], false);
}

/* --- one listing for many --- */

/* Servers differ in how they quote ETags in a listing and in an answer. */
static struct slice bare(const char *etag)
{
    size_t len = strlen(etag);
    if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"')
        return slice_make(etag + 1, len - 2);
    return slice_make(etag, len);
}

static int compare_key(const void *key, const void *item)
{
    return strcmp(key, ((const struct store_item *)item)->key);
}

/* Anything that is not seen to be the same has moved: reading tells. */
static bool has_moved(const struct namespace *ns, const struct store_request *listing)
{
    char key[STORE_KEY_MAX];
    const char *etag = sync_core_etag(ns->agent.core);
    snprintf(key, sizeof(key), "%s.json", ns->name);
    const struct store_item *item = listing->item_count
                                        ? bsearch(key, listing->items, listing->item_count,
                                                  sizeof(*listing->items), compare_key)
                                        : NULL;
    if (!item)
        return etag[0] != '\0';
    return !etag[0] || !slice_equal(bare(etag), bare(item->etag));
}

static void take_listing(struct syncer *syncer)
{
    size_t count;
    const struct store_request *listing = &syncer->listing;
    struct namespace **all = persistence_all(syncer->owner, &count);
    for (size_t i = 0; i < count; i++) {
        const struct agent *agent = &all[i]->agent;
        if (agent->core && sync_core_adopted(agent->core) && !agent->poll_stopped &&
            !is_busy(all[i]) && has_moved(all[i], listing))
            agent_look(all[i], false);
    }
    mem_free(all);
}

/* The listing says nothing: one namespace finds out for all what the matter is. */
static void look_at_one(struct syncer *syncer)
{
    size_t count;
    struct namespace **all = persistence_all(syncer->owner, &count);
    for (size_t i = 0; i < count; i++)
        if (all[i]->agent.core && sync_core_adopted(all[i]->agent.core)) {
            agent_look(all[i], false);
            break;
        }
    mem_free(all);
}

/* In an outage nothing else would do better; otherwise heads are read one by one from now on. */
static void note_failure(struct syncer *syncer, const struct store_request *request)
{
    bool silent = request->result == STORE_TRANSIENT || request->result == STORE_UNKNOWN;
    if (silent &&
        (persistence_out_of_reach(syncer->owner) || ++syncer->list_failures < LIST_FAILURES_MAX))
        return;
    syncer->list_refused = true;
    persistence_log(syncer->owner, PERSISTENCE_LOG_WARNING,
                    "the store gives no listing to see which namespaces have changed, so each is "
                    "asked for: %s",
                    request->error[0] ? request->error : "the listing is too long");
}

static void on_listing(struct store_request *request)
{
    struct syncer *syncer = request->ctx;
    syncer->is_listing = false;
    syncer->list_pages = 1 + request->item_count / LIST_PAGE;
    if (syncer->closing) {
        store_request_release(request);
        return;
    }
    if (request->result == STORE_OK && !request->truncated) {
        syncer->list_failures = 0;
        take_listing(syncer);
    } else {
        note_failure(syncer, request);
        look_at_one(syncer);
    }
    store_request_release(request);
}

static void list_heads(struct syncer *syncer)
{
    struct store_request *listing = &syncer->listing;
    *listing = (struct store_request){.verb = STORE_LIST,
                                      .delimiter = true,
                                      .want_etags = true,
                                      .done = on_listing,
                                      .ctx = syncer};
    syncer->is_listing = true;
    store_submit(syncer->store, listing);
}

/* A directory has to read every file for its ETag. */
static bool listing_pays(const struct syncer *syncer, size_t due)
{
    size_t pages = syncer->list_pages ? syncer->list_pages : 1;
    return syncer->owner->opening && !syncer->list_refused && due >= LIST_WORTH * pages;
}

void poll_tick(struct syncer *syncer)
{
    struct persistence *p = syncer->owner;
    int64_t now = persistence_now(p), interval = atomic_load(&p->sync_interval_ms);
    size_t count, due = 0;
    struct namespace **list = persistence_all(p, &count);
    syncer->ticks++;
    for (size_t i = 0; i < count; i++) {
        struct namespace *ns = list[i];
        struct agent *agent = &ns->agent;
        if (!agent->core || !sync_core_adopted(agent->core) || !ns->shared)
            continue;
        bool in_use = is_in_use(ns, now, interval);
        /* All with the same pace are due at the same tick, so that they share a listing. */
        if (!in_use && syncer->ticks % agent->poll_factor != 0)
            continue;
        plan(ns, in_use, now, interval);
        if (is_busy(ns))
            agent_look(ns, true);
        else if (!agent->poll_stopped)
            list[due++] = ns;
    }
    if (syncer->is_listing || !listing_pays(syncer, due))
        look_at(list, syncer->is_listing ? 0 : due);
    else
        list_heads(syncer);
    mem_free(list);
}
