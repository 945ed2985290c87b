/* SPDX-License-Identifier: BSD-3-Clause */
/* Why writes are refused, or the store is not there: a sentence of each kind, under one mutex. And
 * the kind that comes from here: a namespace has more pending than it may. */
#include <stdio.h>

#include "persistence/namespace-internal.h"
#include "persistence/syncer.h"

/* The mutex is held. */
static void set_trouble(struct persistence *p, enum trouble_kind kind, const char *sentence)
{
    bool any = false;
    snprintf(p->trouble[kind], sizeof(p->trouble[kind]), "%s", sentence ? sentence : "");
    for (int i = 0; i < TROUBLE_OUTAGE; i++)
        any |= p->trouble[i][0] != '\0';
    atomic_store_explicit(&p->writable, !any, memory_order_relaxed);
}

void persistence_set_trouble(struct persistence *p, enum trouble_kind kind, const char *sentence)
{
    pthread_mutex_lock(&p->troubles);
    set_trouble(p, kind, sentence);
    pthread_mutex_unlock(&p->troubles);
}

bool persistence_writable(const struct persistence *p)
{
    return atomic_load_explicit(&p->writable, memory_order_relaxed);
}

void persistence_trouble(struct persistence *p, char *out, size_t cap)
{
    pthread_mutex_lock(&p->troubles);
    const char *why;
    int kind = 0;
    while (kind < TROUBLE_OUTAGE && !p->trouble[kind][0])
        kind++;
    why = p->trouble[kind];
    if (kind == TROUBLE_PENDING && p->trouble[TROUBLE_OUTAGE][0])
        snprintf(out, cap, "%s: %s", why, p->trouble[TROUBLE_OUTAGE]);
    else
        snprintf(out, cap, "%s", why);
    pthread_mutex_unlock(&p->troubles);
}

bool persistence_out_of_reach(struct persistence *p)
{
    pthread_mutex_lock(&p->troubles);
    bool out = p->trouble[TROUBLE_OUTAGE][0] != '\0';
    pthread_mutex_unlock(&p->troubles);
    return out;
}

static int64_t bytes_held(const struct namespace *ns)
{
    return atomic_load(&ns->pending_bytes) +
           atomic_load_explicit(&ns->held_bytes, memory_order_relaxed);
}

static bool is_overfull(const struct namespace *ns)
{
    int64_t limit = atomic_load_explicit(&ns->owner->pending_limit, memory_order_relaxed);
    return bytes_held(ns) / 4 > limit;
}

static void tell_overfull(struct namespace *ns)
{
    char sentence[NAMESPACE_ERROR_MAX];
    snprintf(sentence, sizeof(sentence),
             "namespace %s has %lld bytes of ops that are not committed, over the limit of "
             "pending-limit",
             ns->name, (long long)bytes_held(ns));
    set_trouble(ns->owner, TROUBLE_PENDING, sentence);
}

/* The flag is set before the bytes are read again: who changes them meanwhile is seen here, or sees
 * that the flag is not right any more. */
static void note_overfull(struct namespace *ns)
{
    struct persistence *p = ns->owner;
    pthread_mutex_lock(&p->troubles);
    bool was = atomic_load(&ns->overfull), is;
    do {
        is = is_overfull(ns);
        atomic_store(&ns->overfull, is);
    } while (is != is_overfull(ns));
    p->overfull += is - was;
    if (is && !was)
        tell_overfull(ns);
    else if (was && !is && p->overfull == 0)
        set_trouble(p, TROUBLE_PENDING, NULL);
    pthread_mutex_unlock(&p->troubles);
}

void persistence_pending_changed(struct namespace *ns, int64_t ops, int64_t bytes)
{
    int64_t limit = atomic_load_explicit(&ns->owner->pending_limit, memory_order_relaxed);
    atomic_fetch_add(&ns->pending_bytes, bytes);
    int64_t now = bytes_held(ns);
    atomic_fetch_add(&ns->pending_ops, ops);
    if (ops > 0 && !atomic_load_explicit(&ns->pending_since, memory_order_relaxed))
        atomic_store(&ns->pending_since, ns->pending.log.time);
    if (now > limit ? !atomic_load(&ns->urged) || ops < 0 : atomic_load(&ns->urged)) {
        atomic_store(&ns->urged, now > limit);
        if (now > limit)
            syncer_urge(ns);
    }
    if (is_overfull(ns) != atomic_load(&ns->overfull))
        note_overfull(ns);
}
