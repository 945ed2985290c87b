/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is told when commits fail. A bucket that gives no answer is an outage: the server serves on
 * from memory, writes too, up to the limit of what may be pending. All else (no access, no space, a
 * directory that cannot be written, a head that cannot be trusted) refuses writes at once, since
 * somebody must mend it. On the syncer's thread.
 */
#include "persistence/syncer-internal.h"

#include "ops/mem.h"

#define LATE_INTERVALS    3
#define LATE_INTERVAL_MIN 1000 /* this is looked at once a second */
#define LATE_PAUSE_MS     60000

static enum sync_standing standing_of(const struct namespace *ns)
{
    enum store_result result = sync_core_result(ns->agent.core);
    if (result == STORE_OK)
        return STANDING_GOOD;
    bool silent = result == STORE_TRANSIENT || result == STORE_UNKNOWN;
    return silent && ns->owner->opening ? STANDING_OUTAGE : STANDING_REFUSED;
}

static enum trouble_kind trouble_of(enum sync_standing standing)
{
    return standing == STANDING_REFUSED ? TROUBLE_STORE : TROUBLE_OUTAGE;
}

/* Of several namespaces the one that failed last: its reason is the newest. */
static void tell(struct namespace *ns, enum sync_standing standing)
{
    ns->owner->told[standing] = ns;
    persistence_set_trouble(ns->owner, trouble_of(standing), sync_core_error(ns->agent.core));
}

/* Whose reason was told is well: that of another one, while there is any. */
static void tell_another(struct persistence *p, enum sync_standing standing)
{
    size_t count;
    struct namespace **list = persistence_all(p, &count), *other = NULL;
    for (size_t i = 0; i < count && !other; i++)
        if (list[i]->agent.standing == standing)
            other = list[i];
    mem_free(list);
    if (other)
        tell(other, standing);
    else
        persistence_set_trouble(p, trouble_of(standing), NULL);
}

static void begin(struct namespace *ns, enum sync_standing standing)
{
    struct persistence *p = ns->owner;
    const char *why = sync_core_error(ns->agent.core);
    bool first = p->standing[standing]++ == 0;
    if (standing == STANDING_REFUSED) {
        persistence_log(p, PERSISTENCE_LOG_WARNING, "namespace %s cannot be committed: %s",
                        ns->name, why);
    } else if (first) {
        p->outage_since = persistence_now(p);
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "the store is out of reach; served on from memory meanwhile: %s", why);
    }
    tell(ns, standing);
}

static void end(struct namespace *ns, enum sync_standing standing)
{
    struct persistence *p = ns->owner;
    bool last = --p->standing[standing] == 0;
    if (standing == STANDING_REFUSED) {
        persistence_log(p, PERSISTENCE_LOG_NOTICE, "namespace %s is committed again", ns->name);
    } else if (last) {
        persistence_log(p, PERSISTENCE_LOG_NOTICE, "the store is in reach again after %lld s",
                        (long long)(persistence_now(p) - p->outage_since) / 1000);
    }
    if (p->told[standing] == ns)
        tell_another(p, standing);
}

void agent_show_trouble(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    struct persistence *p = ns->owner;
    uint64_t failures = sync_core_failures(agent->core);
    enum sync_standing was = agent->standing, is = standing_of(ns);
    bool failed = failures != agent->failures_seen;
    if (failed) {
        atomic_fetch_add(&p->syncs_failed, (int64_t)(failures - agent->failures_seen));
        atomic_store(&p->last_sync_ok, false);
        agent->failures_seen = failures;
    }
    if (is == was) {
        if (failed && is != STANDING_GOOD)
            tell(ns, is);
        return;
    }
    agent->standing = is;
    if (was != STANDING_GOOD)
        end(ns, was);
    if (is != STANDING_GOOD)
        begin(ns, is);
}

static int64_t oldest_age(struct persistence *p, struct namespace **list, size_t count)
{
    int64_t oldest = 0, now = persistence_now(p);
    for (size_t i = 0; i < count; i++) {
        int64_t since = atomic_load(&list[i]->pending_since);
        if (since && (!oldest || since < oldest))
            oldest = since;
    }
    return oldest && oldest < now ? now - oldest : 0;
}

void trouble_beat(struct persistence *p, struct namespace **list, size_t count)
{
    int64_t interval = atomic_load(&p->sync_interval_ms), now = persistence_now(p);
    if (interval <= 0)
        return; /* synced on demand: nothing is late */
    int64_t limit = (interval < LATE_INTERVAL_MIN ? LATE_INTERVAL_MIN : interval) * LATE_INTERVALS;
    int64_t age = oldest_age(p, list, count);
    if (age > limit && now >= p->late_tell_at) {
        char why[NAMESPACE_ERROR_MAX];
        persistence_trouble(p, why, sizeof(why));
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "the oldest op that is not in the store is %lld s old%s%s",
                        (long long)age / 1000, why[0] ? ": " : "", why);
        p->late_tell_at = now + LATE_PAUSE_MS;
    } else if (age <= limit && p->late_tell_at) {
        persistence_log(p, PERSISTENCE_LOG_NOTICE, "what was late is in the store now");
        p->late_tell_at = 0;
    }
}
