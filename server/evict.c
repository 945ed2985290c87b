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
#define TIME_MAX_US 20000 /* of one command: its client waits for it */
#define TURN_MAX_US 1000  /* of one turn */
#define PAUSE_MS    10    /* between turns that look for keys where there were none */

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
        if (entry && entry_expires(entry) < entry_expires(best))
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

/* Until memory fits, or `until` (clock_monotonic_us). False: it does not, and no key is left. */
static bool evict_from(struct exec *x, struct namespace *ns, int64_t until)
{
    enum eviction_policy policy = (enum eviction_policy)CONFIG(maxmemory_policy);
    while (!fits()) {
        for (int i = 0; i < CHECK_EVERY; i++) {
            if (policy == EVICT_NONE || !evict_one(x, ns, policy))
                return fits();
        }
        if (clock_monotonic_us() > until)
            return true;
    }
    return true;
}

bool evict_for_write(struct exec *x)
{
    if (pause_active())
        return true; /* what runs then changes no keys */
    if (CONFIG(maxmemory_policy) == EVICT_NONE)
        return fits();
    if (exec_holds(x, x->ns) && evict_from(x, x->ns, clock_monotonic_us() + TIME_MAX_US))
        return true;
    return !x->loop->evict_failed || fits();
}

/* False: no key of it may go. */
static bool evict_aside(struct loop *loop, struct namespace *ns, int64_t until)
{
    struct exec *x = &loop->x;
    bool some = false;
    if (!namespace_lock_soon(ns))
        return true;
    if (namespace_state(ns) == NAMESPACE_READY) {
        batch_set_time(loop, loop->now, &ns, 1);
        x->client = NULL;
        x->ns = ns;
        x->keys = namespace_keyspace(ns);
        some = evict_from(x, ns, until);
        uint64_t ticket = namespace_seal(ns);
        if (ticket > loop->ticket)
            loop->ticket = ticket;
    }
    namespace_unlock(ns);
    return some;
}

static bool evicts(void)
{
    int64_t limit = CONFIG(maxmemory);
    return limit && atomic_load_explicit(&server.used_memory, memory_order_relaxed) > limit &&
           CONFIG(maxmemory_policy) != EVICT_NONE && persistence_writable(server.persistence) &&
           !pause_active();
}

void evict_turn(struct loop *loop)
{
    if (!evicts()) {
        loop->evict_failed = false;
        return;
    }
    if (loop->evict_failed && loop->now < loop->evict_again)
        return;
    struct namespace **list;
    size_t n = server_namespaces(&list), first = n ? loop_random(loop) % n : 0;
    int64_t until = clock_monotonic_us() + TURN_MAX_US;
    bool some = false;
    for (size_t i = 0; i < n && !fits() && clock_monotonic_us() <= until; i++)
        some = evict_aside(loop, list[(first + i) % n], until) || some;
    mem_free(list);
    loop->evict_failed = !some && clock_monotonic_us() <= until && !fits();
    loop->evict_again = loop->now + PAUSE_MS;
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
        evict_from(x, list[i], clock_monotonic_us() + TIME_MAX_US);
        exec_unlock_namespaces(x);
    }
    mem_free(list);
    x->loop->wanted = NULL;
}
