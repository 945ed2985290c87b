/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long work around a namespace's sync: loading, folding, tidying, unloading. The work itself runs
 * on a worker and touches nothing but its job; what becomes of it happens on the syncer's thread.
 */
#include "persistence/syncer-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"
#include "persistence/opening.h"
#include "persistence/run.h"

#define FOLD_PAUSE_MS       5000 /* after a fold that failed */
#define LOAD_BACKOFF_MIN_MS 500
#define LOAD_BACKOFF_MAX_MS 5000
#define TIDY_FIRST_MS 60000
#define TIDY_PAUSE_MS (INT64_C(60) * 60 * 1000)
#define ORPHAN_AGE_MS (INT64_C(24) * 60 * 60 * 1000)
#define UUID_TEXT_LEN (UUID_TEXT_SIZE - 1)

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
    if (namespace_state(ns) != NAMESPACE_AWAY)
        persistence_log(ns->owner, PERSISTENCE_LOG_WARNING,
                        "namespace %s cannot be loaded yet, which is tried again: %s", ns->name,
                        why);
    agent->load_backoff = agent->load_backoff ? 2 * agent->load_backoff : LOAD_BACKOFF_MIN_MS;
    if (agent->load_backoff > LOAD_BACKOFF_MAX_MS)
        agent->load_backoff = LOAD_BACKOFF_MAX_MS;
    agent->load_at = persistence_now(ns->owner) + persistence_jitter(agent->load_backoff);
    set_error(ns, NAMESPACE_AWAY, why);
}

static void load_finished(void *ctx)
{
    struct load_job *job = ctx;
    struct namespace *ns = job->ns;
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
    struct persistence *p = job->ns->owner;
    struct keyspace_hooks hooks = namespace_hooks(job->ns);
    struct loader_options options = {
        .store = store,
        .namespace = namespace_name(job->ns),
        .workers = p->options.workers,
        .hooks = &hooks,
        .progress = tell_progress,
        .ctx = p,
    };
    job->result = loader_run(&options, &job->loaded, &job->error);
    syncer_post(p->syncer, load_finished, job);
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

static void take_load(void *ctx)
{
    struct load_wait *wait = ctx;
    struct namespace *ns = wait->ns;
    enum namespace_state state = namespace_state(ns);
    wait->next = ns->agent.load_waits;
    ns->agent.load_waits = wait;
    if (state != NAMESPACE_READY && atomic_load(&ns->owner->loading))
        set_error(ns, NAMESPACE_AWAY, opening_reason(ns->owner));
    if (state == NAMESPACE_READY || state == NAMESPACE_AWAY || atomic_load(&ns->owner->stopping) ||
        atomic_load(&ns->owner->loading))
        answer_load_waits(ns);
    else if (!ns->agent.loading)
        agent_start_load(ns);
}

void syncer_load(struct namespace *ns, void (*done)(void *ctx, struct namespace *ns), void *ctx)
{
    struct load_wait *wait = mem_alloc(sizeof(*wait));
    *wait = (struct load_wait){.done = done, .ctx = ctx, .ns = ns};
    syncer_post(ns->owner->syncer, take_load, wait);
}

/* --- folding --- */

struct fold_job {
    struct namespace *ns;
    struct head head;
    struct head_base base;
    uint64_t position; /* up to which it is folded */
    int64_t began;
    bool ok;
    struct text error;
};

static void remember_stray(struct strays *strays, const char *object, int64_t now, bool ours)
{
    if ((strays->count & (strays->count - 1)) == 0)
        strays->items = mem_realloc(strays->items, (strays->count ? 2 * strays->count : 1) *
                                                       sizeof(*strays->items));
    struct stray *stray = &strays->items[strays->count++];
    *stray = (struct stray){.since = now, .ours = ours};
    snprintf(stray->object, sizeof(stray->object), "%s", object);
}

static struct stray *find_stray(const struct strays *strays, const char *object)
{
    for (size_t i = 0; i < strays->count; i++)
        if (strcmp(strays->items[i].object, object) == 0)
            return &strays->items[i];
    return NULL;
}

static bool is_named(const struct head_base *base, const char *object)
{
    for (size_t i = 0; i < base->chunk_count; i++)
        if (strcmp(base->chunks[i].object, object) == 0)
            return true;
    return false;
}

/* What the folded head named and its successor will not. */
static void remember_strays(struct fold_job *job, int64_t now)
{
    struct strays *strays = &job->ns->agent.strays;
    const struct head *head = &job->head;
    for (size_t i = 0; i < head->base.chunk_count; i++)
        if (!is_named(&job->base, head->base.chunks[i].object))
            remember_stray(strays, head->base.chunks[i].object, now, true);
    for (size_t i = 0; i < head->run_count && head->runs[i].position <= job->position; i++) {
        remember_stray(strays, head->runs[i].object, now, true);
        for (size_t j = 0; j < head->runs[i].segment_count; j++)
            remember_stray(strays, head->runs[i].segments[j], now, true);
    }
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].segment[0] && head->tail[i].position <= job->position)
            remember_stray(strays, head->tail[i].segment, now, true);
}

static void fold_finished(void *ctx)
{
    struct fold_job *job = ctx;
    struct namespace *ns = job->ns;
    struct persistence *p = ns->owner;
    int64_t now = persistence_now(p);
    ns->agent.folding = false;
    if (job->ok && sync_core_adopted(ns->agent.core)) {
        remember_strays(job, now);
        sync_core_offer_base(ns->agent.core, &job->base, job->began);
    } else if (job->ok) {
        head_base_release(&job->base);
    } else if (!atomic_load(&p->stopping)) {
        ns->agent.fold_at = now + FOLD_PAUSE_MS;
        persistence_log(p, PERSISTENCE_LOG_WARNING, "namespace %s cannot be folded: %s", ns->name,
                        text_terminated(&job->error));
    }
    head_release(&job->head);
    text_release(&job->error);
    mem_free(job);
    agent_run(ns);
}

static int64_t now_of(void *ctx)
{
    return persistence_now(ctx);
}

static void init_objects(struct loader_objects *objects, struct namespace *ns, struct store *store)
{
    loader_objects_init(objects, store, namespace_name(ns));
    objects->stop = &ns->owner->stopping;
    objects->now_ms = now_of;
    objects->ctx = ns->owner;
}

static void fold_run_job(void *ctx, struct store *store)
{
    struct fold_job *job = ctx;
    struct persistence *p = job->ns->owner;
    struct loader_objects objects;
    struct fold_options options = {.chunk_size = (size_t)p->options.chunk_size,
                                   .inline_limit = (size_t)p->options.inline_limit};
    init_objects(&objects, job->ns, store);
    struct fold_store fold_store = loader_fold_store(&objects);
    job->ok = fold_run(&job->head, job->position, &fold_store, &options, &job->base, &job->error);
    syncer_post(p->syncer, fold_finished, job);
}

void agent_start_fold(struct namespace *ns)
{
    struct fold_job *job = mem_calloc(1, sizeof(*job));
    job->ns = ns;
    job->began = persistence_now(ns->owner);
    if (!sync_core_head(ns->agent.core, &job->head, &job->error)) {
        text_release(&job->error);
        mem_free(job);
        return;
    }
    job->position = sync_core_fold_position(ns->agent.core);
    ns->agent.folding = true;
    workers_submit(ns->owner->workers, fold_run_job, job);
}

/* --- moving commits out of the head, into a run --- */

struct move_job {
    struct namespace *ns;
    struct head head;
    struct head_run run;
    int64_t began;
    bool ok;
    struct text error;
};

static void move_finished(void *ctx)
{
    struct move_job *job = ctx;
    struct namespace *ns = job->ns;
    struct persistence *p = ns->owner;
    int64_t now = persistence_now(p);
    ns->agent.folding = false;
    if (job->ok && sync_core_adopted(ns->agent.core)) {
        for (size_t i = 0; i < job->head.run_count; i++)
            if (job->head.runs[i].from >= job->run.from)
                remember_stray(&ns->agent.strays, job->head.runs[i].object, now, true);
        sync_core_offer_run(ns->agent.core, &job->run, job->began);
    } else if (job->ok) {
        head_run_release(&job->run);
    } else if (!atomic_load(&p->stopping)) {
        ns->agent.fold_at = now + FOLD_PAUSE_MS;
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "namespace %s cannot move commits out of its head: %s", ns->name,
                        text_terminated(&job->error));
    }
    head_release(&job->head);
    text_release(&job->error);
    mem_free(job);
    agent_run(ns);
}

static void move_run_job(void *ctx, struct store *store)
{
    struct move_job *job = ctx;
    struct persistence *p = job->ns->owner;
    struct loader_objects objects;
    init_objects(&objects, job->ns, store);
    struct fold_store run_store = loader_run_store(&objects);
    job->ok = run_make(&job->head, (size_t)p->options.inline_limit / 2, &run_store, &job->run,
                       &job->error);
    syncer_post(p->syncer, move_finished, job);
}

void agent_start_move(struct namespace *ns)
{
    struct move_job *job = mem_calloc(1, sizeof(*job));
    job->ns = ns;
    job->began = persistence_now(ns->owner);
    if (!sync_core_head(ns->agent.core, &job->head, &job->error)) {
        text_release(&job->error);
        mem_free(job);
        return;
    }
    ns->agent.folding = true;
    workers_submit(ns->owner->workers, move_run_job, job);
}

/* --- tidying: objects that no head names go, after a time --- */

struct tidy_job {
    struct namespace *ns;
    struct strays strays; /* the agent's, lent */
};

static bool run_names(const struct head_run *run, const char *object)
{
    bool found = strcmp(run->object, object) == 0;
    for (size_t i = 0; i < run->segment_count && !found; i++)
        found = strcmp(run->segments[i], object) == 0;
    return found;
}

static bool head_names(const struct head *head, const char *object)
{
    for (size_t i = 0; i < head->tail_count; i++)
        if (strcmp(head->tail[i].segment, object) == 0)
            return true;
    for (size_t i = 0; i < head->run_count; i++)
        if (run_names(&head->runs[i], object))
            return true;
    return is_named(&head->base, object);
}

/* When a chunk, segment or run was named, from its UUID; -1: this is none. */
static int64_t object_time(const char *object)
{
    static const char *const kinds[][2] = {
        {"chunk-", ".jsonl"}, {"segment-", ".json"}, {"run-", ".json"}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t prefix = strlen(kinds[i][0]), len = strlen(object);
        if (strncmp(object, kinds[i][0], prefix) != 0 ||
            len != prefix + UUID_TEXT_LEN + strlen(kinds[i][1]) ||
            strcmp(object + prefix + UUID_TEXT_LEN, kinds[i][1]) != 0)
            continue;
        char digits[13];
        memcpy(digits, object + prefix, 8);
        memcpy(digits + 8, object + prefix + 9, 4);
        digits[12] = '\0';
        char *end;
        int64_t time = strtoll(digits, &end, 16);
        return *end ? -1 : time;
    }
    return -1;
}

static bool may_go(struct persistence *p, const struct head *head, struct strays *strays,
                   const char *object, int64_t now)
{
    int64_t made = object_time(object), history = p->options.history_ms;
    if (made < 0 || head_names(head, object))
        return false;
    struct stray *stray = find_stray(strays, object);
    if (!stray) {
        remember_stray(strays, object, now, false);
        stray = find_stray(strays, object);
    }
    /* Not ours: perhaps the upload of a fold that is about to name it. */
    if (!stray->ours && now - made < ORPHAN_AGE_MS)
        return false;
    /* No base has changed for so long that it cannot have been named since. */
    bool old = head->base.time && now - head->base.time > history + TIDY_PAUSE_MS &&
               now - made > history + TIDY_PAUSE_MS;
    return now - stray->since >= history || old;
}

static void tidy_finished(void *ctx)
{
    struct tidy_job *job = ctx;
    struct namespace *ns = job->ns;
    struct strays *mine = &ns->agent.strays;
    int64_t pause = ns->owner->options.history_ms;
    ns->agent.tidying = false;
    /* Strays of folds that finished meanwhile join those that were lent. */
    for (size_t i = 0; i < mine->count; i++)
        remember_stray(&job->strays, mine->items[i].object, mine->items[i].since,
                       mine->items[i].ours);
    mem_free(mine->items);
    *mine = job->strays;
    if (pause > TIDY_PAUSE_MS)
        pause = TIDY_PAUSE_MS;
    ns->agent.tidy_at = persistence_now(ns->owner) + (pause < 1000 ? 1000 : pause);
    mem_free(job);
}

static void forget_gone(struct strays *strays, const struct store_request *list, size_t prefix)
{
    size_t kept = 0;
    for (size_t i = 0; i < strays->count; i++) {
        bool there = false;
        for (size_t j = 0; j < list->item_count && !there; j++)
            there = strcmp(list->items[j].key + prefix, strays->items[i].object) == 0;
        if (there)
            strays->items[kept++] = strays->items[i];
    }
    struct strays all = {0};
    for (size_t i = 0; i < kept; i++)
        remember_stray(&all, strays->items[i].object, strays->items[i].since,
                       strays->items[i].ours);
    mem_free(strays->items);
    *strays = all;
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
    int64_t now = persistence_now(p);
    size_t prefix = (size_t)snprintf(list.key, sizeof(list.key), "%s/", job->ns->name);
    /* The list first: what is in it and not in a head read later was not about to be named. */
    if (store_wait(store, &list) == STORE_OK &&
        loader_head(&options, &loaded, &error) == LOADER_OK) {
        for (size_t i = 0; i < list.item_count && !atomic_load(&p->stopping); i++)
            if (may_go(p, &loaded.head, &job->strays, list.items[i].key + prefix, now))
                remove_object(store, list.items[i].key);
        forget_gone(&job->strays, &list, prefix);
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
