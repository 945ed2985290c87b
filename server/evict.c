/* SPDX-License-Identifier: BSD-3-Clause */
/* Evicted keys go the way of every change: an op, recorded and notified. */
#include "server/evict.h"

#include "ops/mem.h"
#include "ops/value.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/loop-internal.h"
#include "server/pause.h"
#include "server/server.h"

#define SAMPLES     20    /* random keys of which the one with the nearest deadline goes */
#define CHECK_EVERY 16    /* keys between two looks at the memory in use */
#define TIME_MAX_US 20000 /* of one call: a client waits for it */

static bool fits(void)
{
    int64_t used = (int64_t)mem_used(), limit = CONFIG(maxmemory);
    atomic_store_explicit(&server.used_memory, used, memory_order_relaxed);
    return !limit || used <= limit;
}

static uint64_t random_of(void *ctx)
{
    return loop_random(ctx);
}

static bool volatile_only(enum eviction_policy policy)
{
    switch (policy) {
    case EVICT_VOLATILE_LRU:
    case EVICT_VOLATILE_LFU:
    case EVICT_VOLATILE_RANDOM:
    case EVICT_VOLATILE_TTL: return true;
    case EVICT_NONE:
    case EVICT_ALLKEYS_LRU:
    case EVICT_ALLKEYS_LFU:
    case EVICT_ALLKEYS_RANDOM: return false;
    }
    return false;
}

/* volatile-ttl takes the one with the nearest deadline among those it looked at. */
static struct entry *pick(struct exec *x, struct keyspace *keys, enum eviction_policy policy)
{
    if (!volatile_only(policy))
        return keyspace_random(keys, random_of, x->loop, x->now);
    struct entry *best = keyspace_random_expiring(keys, random_of, x->loop, x->now);
    for (int i = 1; i < SAMPLES && best && policy == EVICT_VOLATILE_TTL; i++) {
        struct entry *entry = keyspace_random_expiring(keys, random_of, x->loop, x->now);
        if (entry_expires(entry) < entry_expires(best))
            best = entry;
    }
    return best;
}

static bool evict_one(struct exec *x, struct namespace *ns, enum eviction_policy policy)
{
    struct keyspace *keys = namespace_keyspace(ns);
    struct entry *entry = pick(x, keys, policy);
    if (!entry)
        return false;
    struct slice key = entry_key(entry);
    char *copy = mem_alloc(key.len + 1);
    memcpy(copy, key.data, key.len);
    struct op op = {.kind = OP_KEY_DELETE, .key = slice_make(copy, key.len), .time = x->now};
    struct outcome outcome;
    exec_apply_in(x, ns, &op, 'e', "evicted", &outcome);
    stats_bump(&x->loop->stats.counters[STAT_EVICTED_KEYS], 1);
    garbage_free(keyspace_take_garbage(keys));
    mem_free(copy);
    return outcome.changed;
}

static bool evict_from(struct exec *x, struct namespace *ns)
{
    enum eviction_policy policy = (enum eviction_policy)CONFIG(maxmemory_policy);
    int64_t start = clock_monotonic_us();
    while (!fits()) {
        for (int i = 0; i < CHECK_EVERY; i++) {
            if (policy == EVICT_NONE || !evict_one(x, ns, policy))
                return fits();
        }
        if (clock_monotonic_us() - start > TIME_MAX_US)
            return fits();
    }
    return true;
}

bool evict_for_write(struct exec *x)
{
    if (pause_active())
        return true; /* what runs then changes no keys */
    if (CONFIG(maxmemory_policy) == EVICT_NONE || !exec_holds(x, x->ns))
        return fits();
    return evict_from(x, x->ns);
}

void evict_everywhere(struct exec *x)
{
    if (fits() || pause_active() || CONFIG(maxmemory_policy) == EVICT_NONE)
        return;
    struct namespace **list;
    size_t n = server_namespaces(&list);
    for (size_t i = 0; i < n && !fits(); i++) {
        if (namespace_state(list[i]) != NAMESPACE_READY ||
            (x->in_transaction && !exec_holds(x, list[i])) || !exec_lock_namespaces(x, &list[i], 1))
            continue;
        evict_from(x, list[i]);
        exec_unlock_namespaces(x);
    }
    mem_free(list);
    x->loop->wanted = NULL;
}
