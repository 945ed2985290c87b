/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long work around a namespace's sync: loading, folding, moving into runs, tidying, unloading. The
 * work itself runs on a worker and touches nothing but its job; what becomes of it happens on the
 * syncer's thread.
 */
#include "persistence/syncer-internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/mem.h"
#include "persistence/monotonic.h"
#include "persistence/opening.h"
#include "persistence/run.h"
#include "persistence/tidy.h"

#define FOLD_PAUSE_MS       5000 /* after a fold that failed */
#define FOLD_AGAIN_MS       500  /* after one that was put off */
#define LOAD_BACKOFF_MIN_MS 500
#define LOAD_BACKOFF_MAX_MS 5000
#define TIDY_FIRST_MS       60000
#define TIDY_PAUSE_MS       (INT64_C(60) * 60 * 1000)
#define ORPHAN_AGE_MS       (INT64_C(24) * 60 * 60 * 1000)

/* --- loading --- */

struct load_wait {
    struct load_wait *next;
    void (*done)(void *ctx, struct namespace *ns);
    void *ctx;
    struct namespace *ns;
};

struct load_job {
    struct namespace *ns;
    struct loaded loaded;
    enum loader_result result;
    struct text error;
};

static void tell_progress(void *ctx, struct slice namespace, uint64_t keys, uint64_t keys_all)
{
    persistence_log(ctx, PERSISTENCE_LOG_NOTICE,
                    "loading namespace %.*s: %" PRIu64 " of %" PRIu64 " keys", (int)namespace.len,
                    namespace.data, keys, keys_all);
}

static int64_t clock_of(void *ctx)
{
    return persistence_now(ctx);
}

struct loader_options namespace_loader(struct namespace *ns, struct store *store)
{
    struct persistence *p = ns->owner;
    return (struct loader_options){
        .store = store,
        .namespace = namespace_name(ns),
        .workers = p->options.workers,
        .stop = &p->stopping,
        .hooks = namespace_hooks(ns),
        .progress = tell_progress,
        .now_ms = clock_of,
        .ctx = p,
    };
}

static void answer_load_waits(struct namespace *ns)
{
    struct load_wait *wait = ns->agent.load_waits;
    ns->agent.load_waits = NULL;
    while (wait) {
        struct load_wait *next = wait->next;
        wait->done(wait->ctx, ns);
        mem_free(wait);
        wait = next;
    }
}

static void set_error(struct namespace *ns, enum namespace_state state, const char *why)
{
    namespace_lock_aside(ns);
    snprintf(ns->error, sizeof(ns->error), "%s", why);
    namespace_set_state(ns, state);
    namespace_unlock(ns);
}

/* It is tried again, ever more seldom; whoever wants it meanwhile is told so. */
static void load_later(struct namespace *ns, const char *why)
{
    struct agent *agent = &ns->agent;
    if (namespace_state(ns) != NAMESPACE_AWAY && !atomic_load(&ns->owner->stopping))
        persistence_log(ns->owner, PERSISTENCE_LOG_WARNING,
                        "namespace %s cannot be loaded yet, which is tried again: %s", ns->name,
                        why);
    agent->load_backoff = agent->load_backoff ? 2 * agent->load_backoff : LOAD_BACKOFF_MIN_MS;
    if (agent->load_backoff > LOAD_BACKOFF_MAX_MS)
        agent->load_backoff = LOAD_BACKOFF_MAX_MS;
    agent->load_at = persistence_now(ns->owner) + persistence_jitter(agent->load_backoff);
    set_error(ns, NAMESPACE_AWAY, why);
}

/* It was in memory once, or its head was seen, and the store has gone back since. */
static void check_continued(struct load_job *job)
{
    struct namespace *ns = job->ns;
    if (job->result != LOADER_OK)
        return;
    bool lost = namespace_lost_head(ns, &job->loaded, &job->error);
    if (!lost && (!ns->agent.core || sync_core_continues(ns->agent.core, &job->loaded.head)))
        return;
    if (!lost)
        text_append_format(&job->error, "%s.json does not continue what this server has seen of it",
                           ns->name);
    loaded_release(&job->loaded);
    job->result = LOADER_CORRUPT;
}

static void load_finished(void *ctx)
{
    struct load_job *job = ctx;
    struct namespace *ns = job->ns;
    check_continued(job);
    const char *why = text_terminated(&job->error);
    ns->agent.loading = false;
    switch (job->result) {
    case LOADER_OK:
        if (namespace_state(ns) == NAMESPACE_AWAY)
            persistence_log(ns->owner, PERSISTENCE_LOG_NOTICE, "namespace %s is loaded", ns->name);
        persistence_install(ns, &job->loaded);
        ns->agent.load_backoff = 0;
        ns->agent.tidy_at = persistence_now(ns->owner) + TIDY_FIRST_MS;
        break;
    case LOADER_UNREACHABLE: load_later(ns, why); break;
    case LOADER_CORRUPT:
        set_error(ns, NAMESPACE_FAILED, why);
        persistence_log(ns->owner, PERSISTENCE_LOG_WARNING, "namespace %s cannot be loaded: %s",
                        ns->name, why);
        break;
    }
    text_release(&job->error);
    mem_free(job);
    answer_load_waits(ns);
    agent_run(ns);
}

static void load_run(void *ctx, struct store *store)
{
    struct load_job *job = ctx;
    struct loader_options options = namespace_loader(job->ns, store);
    job->result = loader_run(&options, &job->loaded, &job->error);
    syncer_post(job->ns->owner->syncer, load_finished, job);
}

void agent_start_load(struct namespace *ns)
{
    struct load_job *job = mem_calloc(1, sizeof(*job));
    job->ns = ns;
    ns->agent.loading = true;
    ns->agent.load_at = 0;
    /* Nobody waits for one that could not be reached: they are told. */
    if (namespace_state(ns) != NAMESPACE_AWAY)
        namespace_set_state(ns, NAMESPACE_LOADING);
    workers_submit(ns->owner->workers, load_run, job);
}

void agent_load_again(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    if (agent->load_at && !agent->loading && persistence_now(ns->owner) >= agent->load_at)
        agent_start_load(ns);
}

/* While the store is known to be out of reach nobody is kept waiting for it. */
static void begin_load(struct namespace *ns)
{
    struct persistence *p = ns->owner;
    bool loading = atomic_load(&p->loading);
    char why[NAMESPACE_ERROR_MAX];
    if (loading) {
        snprintf(why, sizeof(why), "%s", opening_reason(p));
    } else if (persistence_out_of_reach(p)) {
        persistence_trouble(p, why, sizeof(why));
    } else {
        agent_start_load(ns);
        return;
    }
    set_error(ns, NAMESPACE_AWAY, why);
    if (!loading)
        agent_start_load(ns);
    answer_load_waits(ns);
}

static void take_load(void *ctx)
{
    struct load_wait *wait = ctx;
    struct namespace *ns = wait->ns;
    enum namespace_state state = namespace_state(ns);
    /* Loaded once; what makes it fail afterwards (agent_take_arrivals) a load does not mend. */
    bool adopted = ns->agent.core && sync_core_adopted(ns->agent.core);
    wait->next = ns->agent.load_waits;
    ns->agent.load_waits = wait;
    if (adopted || state == NAMESPACE_READY || state == NAMESPACE_AWAY ||
        atomic_load(&ns->owner->stopping))
        answer_load_waits(ns);
    else if (!ns->agent.loading)
        begin_load(ns);
}

void syncer_load(struct namespace *ns, void (*done)(void *ctx, struct namespace *ns), void *ctx)
{
    struct load_wait *wait = mem_alloc(sizeof(*wait));
    *wait = (struct load_wait){.done = done, .ctx = ctx, .ns = ns};
    syncer_post(ns->owner->syncer, take_load, wait);
}

/* --- folding; and moving commits out of the head, into a run --- */

struct head_job;

/* What a worker makes of a copy of the head, and what becomes of it with the next swap. */
struct head_work {
    const char *what;         /* that cannot be done when it fails */
    const char *doing, *done; /* to a namespace, when it takes long */
    bool (*make)(struct head_job *job, struct loader_objects *objects);
    void (*offer)(struct head_job *job);
    void (*drop)(struct head_job *job);
};

struct head_job {
    const struct head_work *work;
    struct namespace *ns;
    struct head head;
    uint64_t position; /* up to which it is folded */
    int64_t began;
    bool ok, told;   /* that it takes long */
    bool superseded; /* another server folded it meanwhile, so that objects of it are gone */
    struct text error;
    union {
        struct head_base base;
        struct head_run run;
    };
};

static bool make_base(struct head_job *job, struct loader_objects *objects)
{
    const struct persistence_options *limits = &job->ns->owner->options;
    struct fold_options options = {.chunk_size = (size_t)limits->chunk_size,
                                   .inline_limit = (size_t)limits->inline_limit};
    struct fold_store store = loader_fold_store(objects);
    return fold_run(&job->head, job->position, &store, &options, &job->base, &job->error);
}

static void offer_base(struct head_job *job)
{
    struct agent *agent = &job->ns->agent;
    strays_of_fold(&agent->strays, &job->head, &job->base, job->position);
    sync_core_offer_base(agent->core, &job->base, job->began);
}

static void drop_base(struct head_job *job)
{
    head_base_release(&job->base);
}

static bool make_run(struct head_job *job, struct loader_objects *objects)
{
    struct fold_store store = loader_run_store(objects);
    size_t unit = (size_t)job->ns->owner->options.inline_limit / 2;
    return run_make(&job->head, unit, &store, &job->run, &job->error);
}

static void offer_run(struct head_job *job)
{
    struct agent *agent = &job->ns->agent;
    for (size_t i = 0; i < job->head.run_count; i++)
        if (job->head.runs[i].from >= job->run.from)
            strays_add(&agent->strays, job->head.runs[i].object, 0, true);
    sync_core_offer_run(agent->core, &job->run, job->began);
}

static void drop_run(struct head_job *job)
{
    head_run_release(&job->run);
}

static const struct head_work folding = {
    .what = "be folded",
    .doing = "folding",
    .done = "is folded",
    .make = make_base,
    .offer = offer_base,
    .drop = drop_base,
};
static const struct head_work moving = {
    .what = "move commits out of its head",
    .doing = "moving commits out of the head of",
    .done = "has moved commits out of its head",
    .make = make_run,
    .offer = offer_run,
    .drop = drop_run,
};

static void work_failed(struct head_job *job)
{
    struct namespace *ns = job->ns;
    struct persistence *p = ns->owner;
    if (atomic_load(&p->stopping))
        return;
    ns->agent.fold_at = persistence_now(p) + FOLD_PAUSE_MS;
    if (!job->superseded)
        persistence_log(p, PERSISTENCE_LOG_WARNING, "namespace %s cannot %s: %s", ns->name,
                        job->work->what, text_terminated(&job->error));
    else if (sync_core_adopted(ns->agent.core))
        sync_core_poll(ns->agent.core); /* from the head of now there may be less to do */
}

static long long seconds_of(const struct head_job *job)
{
    return (long long)(persistence_now(job->ns->owner) - job->began) / 1000;
}

static void work_finished(void *ctx)
{
    struct head_job *job = ctx;
    struct namespace *ns = job->ns;
    ns->agent.folding = false;
    if (job->ok && job->told)
        persistence_log(ns->owner, PERSISTENCE_LOG_NOTICE, "namespace %s %s after %lld s", ns->name,
                        job->work->done, seconds_of(job));
    if (!job->ok)
        work_failed(job);
    else if (sync_core_adopted(ns->agent.core))
        job->work->offer(job);
    else
        job->work->drop(job);
    head_release(&job->head);
    text_release(&job->error);
    mem_free(job);
    agent_run(ns);
}

static int64_t now_of(void *ctx)
{
    const struct head_job *job = ctx;
    return persistence_now(job->ns->owner);
}

static double megabytes(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void tell_work(void *ctx, const struct loader_objects *objects)
{
    struct head_job *job = ctx;
    const struct head_base *base = &job->head.base;
    uint64_t bytes = base->state.len;
    for (size_t i = 0; i < base->chunk_count; i++)
        bytes += base->chunks[i].bytes;
    job->told = true;
    persistence_log(job->ns->owner, PERSISTENCE_LOG_NOTICE,
                    "%s namespace %s since %lld s: %.1f MB read, %.1f MB written; the base has "
                    "%.1f MB",
                    job->work->doing, job->ns->name, seconds_of(job),
                    megabytes(objects->bytes_read), megabytes(objects->bytes_written),
                    megabytes(bytes));
}

static void work_run(void *ctx, struct store *store)
{
    struct head_job *job = ctx;
    struct persistence *p = job->ns->owner;
    struct loader_objects objects;
    loader_objects_init(&objects, store, namespace_name(job->ns));
    objects.stop = &p->stopping;
    objects.now_ms = now_of;
    objects.progress = tell_work;
    objects.told = job->began;
    objects.ctx = job;
    job->ok = job->work->make(job, &objects);
    job->superseded = !job->ok && job->ns->shared && loader_superseded(&objects);
    syncer_post(p->syncer, work_finished, job);
}

static void start_work(struct namespace *ns, const struct head_work *work, struct workers *workers)
{
    struct head_job *job = mem_calloc(1, sizeof(*job));
    job->work = work;
    job->ns = ns;
    job->began = persistence_now(ns->owner);
    if (!sync_core_head(ns->agent.core, &job->head, &job->error)) {
        text_release(&job->error);
        mem_free(job);
        return;
    }
    job->position = sync_core_fold_position(ns->agent.core);
    ns->agent.folding = true;
    workers_submit(workers, work_run, job);
}

/* A fold beside clients that keep all processors busy costs them more than it takes itself: what
 * both have in the caches goes to and fro. So one waits a while for them to pause. */
static bool puts_off(struct namespace *ns)
{
    bool scarce = processor_use_scarce(&ns->owner->syncer->use);
    if (!processor_use_puts_off(scarce, monotonic_ms(), &ns->agent.fold_since))
        return false;
    ns->agent.fold_at = persistence_now(ns->owner) + FOLD_AGAIN_MS;
    return true;
}

/*
 * Where clients keep all processors busy, workers get too few of them to fold as fast as the tail
 * grows, and a fold's memory grows with the tail: then one takes its share, as others do.
 */
static struct workers *urgent(struct persistence *p)
{
    if (!p->urgent)
        p->urgent = workers_create(1, 0, p->store);
    return p->urgent;
}

void agent_start_fold(struct namespace *ns)
{
    struct persistence *p = ns->owner;
    bool overdue = sync_core_fold_overdue(ns->agent.core);
    if (!overdue && puts_off(ns))
        return;
    ns->agent.fold_since = 0;
    start_work(ns, &folding, overdue ? urgent(p) : p->folders);
}

void agent_start_move(struct namespace *ns)
{
    start_work(ns, &moving, ns->owner->workers);
}

/* --- tidying: objects that no head names go, after a time --- */

struct tidy_job {
    struct namespace *ns;
    struct strays strays; /* the agent's, lent */
};

static void tidy_finished(void *ctx)
{
    struct tidy_job *job = ctx;
    struct namespace *ns = job->ns;
    struct strays *mine = &ns->agent.strays;
    int64_t pause = ns->owner->options.history_ms;
    ns->agent.tidying = false;
    /* Strays of folds that finished meanwhile join those that were lent. */
    for (size_t i = 0; i < mine->count; i++)
        strays_add(&job->strays, mine->items[i].object, mine->items[i].since, mine->items[i].ours);
    mem_free(mine->items);
    *mine = job->strays;
    if (pause > TIDY_PAUSE_MS)
        pause = TIDY_PAUSE_MS;
    ns->agent.tidy_at = persistence_now(ns->owner) + (pause < 1000 ? 1000 : pause);
    mem_free(job);
}

static void remove_object(struct store *store, const char *key)
{
    struct store_request request = {.verb = STORE_REMOVE};
    snprintf(request.key, sizeof(request.key), "%s", key);
    store_wait(store, &request); /* what stays is seen again next time */
    store_request_release(&request);
}

static void tidy_run(void *ctx, struct store *store)
{
    struct tidy_job *job = ctx;
    struct persistence *p = job->ns->owner;
    struct loaded loaded;
    struct text error = {0};
    struct store_request list = {.verb = STORE_LIST};
    struct loader_options options = {.store = store, .namespace = namespace_name(job->ns)};
    const struct tidy_rules rules = {ORPHAN_AGE_MS, p->options.history_ms, TIDY_PAUSE_MS};
    int64_t now = persistence_now(p);
    size_t prefix = (size_t)snprintf(list.key, sizeof(list.key), "%s/", job->ns->name);
    struct tidy tidy;
    size_t asked = 0;
    /* The list first: what is in it and not in a head read later was not about to be named. */
    if (store_wait(store, &list) == STORE_OK &&
        loader_head(&options, &loaded, &error) == LOADER_OK) {
        tidy_begin(&tidy, &rules, &loaded.head, &job->strays, now);
        for (; asked < list.item_count && !atomic_load(&p->stopping); asked++)
            if (tidy_may_go(&tidy, list.items[asked].key + prefix))
                remove_object(store, list.items[asked].key);
        tidy_end(&tidy, asked == list.item_count && !list.truncated);
        loaded_release(&loaded);
    }
    store_request_release(&list);
    text_release(&error);
    syncer_post(p->syncer, tidy_finished, job);
}

void agent_start_tidy(struct namespace *ns)
{
    struct tidy_job *job = mem_calloc(1, sizeof(*job));
    job->ns = ns;
    job->strays = ns->agent.strays;
    ns->agent.strays = (struct strays){0};
    ns->agent.tidying = true;
    ns->agent.tidy_at = 0;
    workers_submit(ns->owner->workers, tidy_run, job);
}

/* --- unloading --- */

static void free_keyspace(void *ctx, struct store *store)
{
    (void)store;
    keyspace_destroy(ctx);
}

void agent_unload(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    struct persistence *p = ns->owner;
    int64_t now = persistence_now(p);
    struct keyspace *keyspace = NULL;
    if (p->options.idle_unload_ms <= 0 || namespace_state(ns) != NAMESPACE_READY ||
        !sync_core_at_rest(agent->core) || agent->cut.head || agent->folding || agent->tidying ||
        agent->reloading || agent->waits || agent->watch || persistence_out_of_reach(p))
        return;
    namespace_lock_aside(ns);
    if (ns->used || ns->pending.log.ops || namespace_awaited(ns)) {
        ns->used = false;
        agent->last_used = now;
    } else if (now - agent->last_used >= p->options.idle_unload_ms) {
        keyspace = ns->keyspace;
        ns->keyspace = NULL;
        rebase_destroy(ns->rebase);
        ns->rebase = NULL;
        namespace_note_held(ns);
        namespace_set_state(ns, NAMESPACE_UNLOADED);
    }
    namespace_unlock(ns);
    if (!keyspace)
        return;
    sync_core_leave(agent->core);
    workers_submit(p->workers, free_keyspace, keyspace);
}
