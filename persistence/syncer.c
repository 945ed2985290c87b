/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See syncer.h. The loop's events: a wake-up (tasks from other threads), the sync interval, the
 * next retry, and a slow beat for housekeeping. A namespace's lock is taken only to cut off what
 * is pending, in O(1).
 */
#include "persistence/syncer-internal.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/monotonic.h"
#include "persistence/op_binary.h"
#include "persistence/opening.h"

#define BATCH_SIZE        ((size_t)4 * 1024 * 1024)
#define SLOW_BEAT_MS      1000
#define CLOSE_PATIENCE_MS 5000 /* since the last commit */

struct task {
    struct task *next;
    void (*run)(void *ctx);
    void *ctx;
};

struct sync_wait {
    struct sync_wait *next;
    uint64_t mark;
    bool once;
    uint64_t failures; /* of the core when it began */
    void (*done)(void *ctx, enum persistence_status status);
    void *ctx;
};

/* --- from other threads --- */

void syncer_post(struct syncer *syncer, void (*run)(void *ctx), void *ctx)
{
    struct task *task = mem_alloc(sizeof(*task));
    uint64_t one = 1;
    *task = (struct task){.run = run, .ctx = ctx};
    pthread_mutex_lock(&syncer->mutex);
    *syncer->tasks_end = task;
    syncer->tasks_end = &task->next;
    pthread_mutex_unlock(&syncer->mutex);
    ssize_t written = write(syncer->wake_fd, &one, sizeof(one));
    (void)written; /* a full counter wakes it as well */
}

void syncer_mark_dirty(struct namespace *ns)
{
    struct syncer *syncer = ns->owner->syncer;
    pthread_mutex_lock(&syncer->mutex);
    if (!ns->listed) {
        ns->listed = true;
        ns->dirty_next = syncer->dirty;
        syncer->dirty = ns;
    }
    pthread_mutex_unlock(&syncer->mutex);
}

static void run_wanted(void *ctx)
{
    struct namespace *ns = ctx;
    ns->agent.wanted = true;
    agent_run(ns);
}

void syncer_urge(struct namespace *ns)
{
    syncer_post(ns->owner->syncer, run_wanted, ns);
}

/* --- waits --- */

/* Nothing of this namespace can be committed, however long one waits. */
static bool is_stuck(struct namespace *ns)
{
    struct sync_request ignored;
    const struct agent *agent = &ns->agent;
    if (!agent->core || !sync_core_adopted(agent->core))
        return true;
    if (agent->asked || agent->reloading)
        return false;
    enum sync_want want = sync_core_next(agent->core, persistence_now(ns->owner), &ignored);
    /* Without workers, on the way down, nothing is loaded any more. */
    return want == SYNC_STUCK || (want == SYNC_RELOAD && !ns->owner->workers);
}

static bool wait_over(struct namespace *ns, const struct sync_wait *wait,
                      enum persistence_status *ret_status)
{
    const struct agent *agent = &ns->agent;
    *ret_status = PERSISTENCE_OK;
    if (atomic_load(&ns->owner->loading) && wait->once) {
        *ret_status = PERSISTENCE_UNWRITABLE; /* the journal may have ops of it */
        return true;
    }
    if (agent->recovered == 0 && atomic_load(&ns->committed) >= wait->mark &&
        !(wait->once && ns->shared && agent->core && sync_core_polling(agent->core)))
        return true;
    *ret_status = PERSISTENCE_UNWRITABLE;
    if (!wait->once)
        return false;
    return is_stuck(ns) || (sync_core_failures(agent->core) != wait->failures &&
                            sync_core_result(agent->core) != STORE_OK);
}

static void settle_waits(struct namespace *ns)
{
    struct sync_wait **at = &ns->agent.waits, *over = NULL, **over_end = &over;
    enum persistence_status status;
    while (*at) {
        struct sync_wait *wait = *at;
        if (!wait_over(ns, wait, &status)) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        wait->next = NULL;
        wait->mark = (uint64_t)status; /* no longer needed as a mark */
        *over_end = wait;
        over_end = &wait->next;
    }
    /* Called last: they may add new waits. */
    while (over) {
        struct sync_wait *next = over->next;
        over->done(over->ctx, (enum persistence_status)over->mark);
        mem_free(over);
        over = next;
    }
}

/* What others have committed is to be taken in, and then ours to be sent. */
static void look_and_take(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    agent->wanted = true;
    if (ns->shared && agent->core && sync_core_adopted(agent->core))
        sync_core_poll(agent->core);
}

void agent_look(struct namespace *ns, bool take)
{
    bool wanted = ns->agent.wanted;
    look_and_take(ns);
    ns->agent.wanted = take || wanted;
    agent_run(ns);
}

struct event_base *syncer_base(struct syncer *syncer)
{
    return syncer->base;
}

static void add_wait(struct namespace *ns, uint64_t mark, bool once,
                     void (*done)(void *ctx, enum persistence_status status), void *ctx)
{
    struct sync_wait *wait = mem_alloc(sizeof(*wait));
    *wait = (struct sync_wait){
        .next = ns->agent.waits, .mark = mark, .once = once, .done = done, .ctx = ctx};
    wait->failures = ns->agent.core ? sync_core_failures(ns->agent.core) : 0;
    ns->agent.waits = wait;
    look_and_take(ns);
}

struct wait_request {
    struct namespace *ns;
    uint64_t mark;
    bool once;
    void (*done)(void *ctx, enum persistence_status status);
    void *ctx;
};

static void take_wait(void *arg)
{
    struct wait_request *request = arg;
    add_wait(request->ns, request->mark, request->once, request->done, request->ctx);
    agent_run(request->ns);
    mem_free(request);
}

void syncer_wait(struct namespace *ns, uint64_t mark, bool once,
                 void (*done)(void *ctx, enum persistence_status status), void *ctx)
{
    struct wait_request *request = mem_alloc(sizeof(*request));
    *request = (struct wait_request){ns, mark, once, done, ctx};
    syncer_post(ns->owner->syncer, take_wait, request);
}

/* --- syncing all --- */

struct sync_all {
    struct persistence *owner;
    struct namespace *one; /* NULL: all */
    size_t left;
    enum persistence_status status;
    void (*done)(void *ctx, enum persistence_status status, uint64_t position);
    void *ctx;
};

static void one_done(void *ctx, enum persistence_status status)
{
    struct sync_all *all = ctx;
    if (status != PERSISTENCE_OK)
        all->status = status;
    if (--all->left)
        return;
    all->done(all->ctx, all->status, all->one ? namespace_position(all->one) : 0);
    mem_free(all);
}

static void take_sync(void *arg)
{
    struct sync_all *all = arg;
    size_t count = 1;
    struct namespace *single = all->one, **list = &single, **whole = NULL;
    if (!all->one)
        list = whole = persistence_all(all->owner, &count);
    all->left = count + 1; /* one for this function, so that it ends not too early */
    for (size_t i = 0; i < count; i++) {
        namespace_lock_aside(list[i]);
        uint64_t mark = namespace_mark(list[i]);
        namespace_unlock(list[i]);
        add_wait(list[i], mark, true, one_done, all);
        agent_run(list[i]);
    }
    mem_free(whole);
    one_done(all, PERSISTENCE_OK);
}

void syncer_sync(struct persistence *p, struct namespace *ns,
                 void (*done)(void *ctx, enum persistence_status status, uint64_t position),
                 void *ctx)
{
    struct sync_all *all = mem_alloc(sizeof(*all));
    *all = (struct sync_all){.owner = p, .one = ns, .done = done, .ctx = ctx};
    syncer_post(p->syncer, take_sync, all);
}

/* --- one namespace --- */

/* Of what is queued, cut off or recorded, in this order. */
static void note_oldest(struct namespace *ns)
{
    int64_t since = sync_core_oldest(ns->agent.core);
    if (!since && ns->agent.cut.head)
        since = ns->agent.cut.time;
    namespace_lock_aside(ns);
    if (!since && ns->pending.log.ops)
        since = ns->pending.log.time;
    atomic_store(&ns->pending_since, since);
    namespace_unlock(ns);
}

/* Cuts off what is pending: O(1) under the lock. */
static bool agent_take(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    assert(!agent->cut.head);
    namespace_lock_aside(ns);
    pending_take(&ns->pending, &agent->cut);
    agent->cut_ticket = ns->last_ticket;
    ns->dirty = false;
    namespace_unlock(ns);
    agent->wanted = false;
    if (!agent->cut.ops) { /* nothing, or all that was recorded was taken back */
        pending_cut_release(&agent->cut);
        return false;
    }
    /* A transaction over several namespaces must not become half durable. While the journal cannot
     * be written, though, the store is all that keeps anything: so this holds nothing up. */
    if (ns->owner->journal)
        journal_harden(ns->owner->journal, journal_joint_ticket(ns->owner->journal), true);
    return true;
}

static void push_batch(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    struct sync_batch *batch = mem_calloc(1, sizeof(*batch));
    struct op_scratch scratch = {0};
    struct op op;
    memcpy(batch->replica, ns->owner->incarnation, sizeof(batch->replica));
    batch->first = agent->cut.first;
    batch->count = pending_cut_shift(&agent->cut, BATCH_SIZE, &batch->ops);
    batch->ticket = agent->cut.head ? 0 : agent->cut_ticket; /* the rest of the cut is not safe */
    if (op_binary_decode(text_slice(&batch->ops), &scratch, &op)) {
        batch->time = op.time;
        op_release(&op);
    }
    op_scratch_release(&scratch);
    sync_core_push(agent->core, batch);
}

/* Where others write too, what came while a race was lost goes with the next attempt. */
static void push_all(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    uint64_t losses = sync_core_losses(agent->core);
    if (agent->wanted || losses != agent->losses_seen)
        agent_take(ns);
    agent->losses_seen = losses;
    while (agent->cut.head)
        push_batch(ns);
}

static void finish_recovered(struct namespace *ns)
{
    struct persistence *p = ns->owner;
    if (--ns->agent.recovered == 0)
        atomic_fetch_sub(&p->recovered_left, 1);
}

void agent_note_position(struct namespace *ns, uint64_t position)
{
    if (position == namespace_position(ns))
        return;
    agent_poll_often(ns);
    atomic_store_explicit(&ns->position, position, memory_order_release);
}

/* Who sees that nothing is pending sees the position of what was. */
static void collect_done(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    struct persistence *p = ns->owner;
    struct sync_batch *batch;
    uint64_t position = sync_core_position(agent->core);
    if (position)
        namespace_note_head(ns);
    agent_note_position(ns, position);
    while ((batch = sync_core_take_done(agent->core))) {
        if (strcmp(batch->replica, p->incarnation) == 0)
            atomic_store(&ns->committed, batch->first + batch->count - 1);
        else
            for (uint64_t i = 0; i <= batch->joined; i++)
                finish_recovered(ns);
        persistence_pending_changed(ns, -(int64_t)(batch->count + batch->gone_count),
                                    -(int64_t)(batch->ops.len + batch->gone_bytes));
        if (batch->ticket)
            agent->safe_ticket = batch->ticket;
        sync_batch_destroy(batch);
        atomic_fetch_add(&p->syncs, 1);
        atomic_store(&p->last_sync_ok, true);
        atomic_store(&p->last_sync_ms, persistence_now(p));
        p->syncer->close_by = monotonic_ms() + CLOSE_PATIENCE_MS;
        note_oldest(ns);
    }
}

void agent_settle(struct namespace *ns)
{
    collect_done(ns);
    agent_show_trouble(ns);
}

static void on_answer(struct store_request *request)
{
    struct namespace *ns = request->ctx;
    ns->agent.answered = true;
    if (!ns->agent.running)
        agent_run(ns);
}

static void ask_store(struct namespace *ns, enum sync_want want, const struct sync_request *wanted)
{
    struct agent *agent = &ns->agent;
    struct store_request *request = &agent->request;
    request->verb = want == SYNC_GET ? STORE_GET : STORE_PUT;
    memcpy(request->key, wanted->key, sizeof(request->key));
    request->condition = wanted->condition;
    memcpy(request->etag, wanted->etag, sizeof(request->etag));
    request->body = wanted->body;
    request->want_etags = !strchr(wanted->key, '/'); /* a head, which will be swapped */
    request->done = on_answer;
    request->ctx = ns;
    agent->asked = true;
    agent->answered = false;
    atomic_fetch_add(&ns->owner->asking, 1);
    store_submit(ns->owner->syncer->store, request);
}

static void take_answer(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    struct store_request *request = &agent->request;
    agent->asked = false;
    atomic_fetch_sub(&ns->owner->asking, 1);
    sync_core_answer(agent->core, persistence_now(ns->owner), request->result, request->answer_etag,
                     text_slice(&request->answer), request->error);
    store_request_release(request);
    if (ns->shared)
        agent_take_arrivals(ns);
    agent_settle(ns);
}

static void arm_retry(struct syncer *syncer, int64_t now, int64_t until)
{
    int64_t delay = until > now ? until - now : 0;
    if (syncer->retry_at && syncer->retry_at <= until)
        return;
    struct timeval after = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    syncer->retry_at = until;
    evtimer_add(syncer->retry, &after);
}

/* One step; false when there is nothing more to do now. */
static bool agent_step(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    struct sync_request wanted;
    int64_t now = persistence_now(ns->owner);
    if (agent->asked) {
        if (!agent->answered)
            return false;
        take_answer(ns);
        return true;
    }
    if (agent->reloading)
        return false;
    if (ns->shared)
        push_all(ns);
    else if (agent->cut.head && sync_core_at_rest(agent->core))
        push_batch(ns);
    enum sync_want want = sync_core_next(agent->core, now, &wanted);
    switch (want) {
    case SYNC_REST: return agent->cut.head || (agent->wanted && agent_take(ns));
    case SYNC_SLEEP:
        agent->retry_at = wanted.until;
        arm_retry(ns->owner->syncer, now, wanted.until);
        return false;
    case SYNC_RELOAD: agent_start_reload(ns); return false;
    case SYNC_STUCK: agent_show_trouble(ns); return false;
    case SYNC_GET:
    case SYNC_PUT: ask_store(ns, want, &wanted); return true;
    }
    return false;
}

static void look_after(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    int64_t now = persistence_now(ns->owner);
    uint64_t folds = sync_core_folds(agent->core);
    if (folds != agent->folds_seen) {
        atomic_fetch_add(&ns->owner->folds, (int64_t)(folds - agent->folds_seen));
        agent->folds_seen = folds;
        agent->tidy_at = now;
    }
    if (ns->owner->syncer->closing)
        return;
    if (agent->folding || now < agent->fold_at)
        return;
    if (sync_core_fold_due(agent->core))
        agent_start_fold(ns);
    else if (sync_core_run_due(agent->core))
        agent_start_move(ns);
}

static void check_closed(struct syncer *syncer);

void agent_run(struct namespace *ns)
{
    struct agent *agent = &ns->agent;
    if (agent->running)
        return;
    if (agent->core && sync_core_adopted(agent->core)) {
        agent->running = true;
        while (agent_step(ns))
            ;
        agent->running = false;
        look_after(ns);
    }
    settle_waits(ns);
    if (agent->watch)
        agent_settle_positions(ns);
    if (ns->owner->syncer->closing)
        check_closed(ns->owner->syncer);
}

/* --- events --- */

static void run_tasks(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->mutex);
    struct task *task = syncer->tasks;
    syncer->tasks = NULL;
    syncer->tasks_end = &syncer->tasks;
    pthread_mutex_unlock(&syncer->mutex);
    while (task) {
        struct task *next = task->next;
        task->run(task->ctx);
        mem_free(task);
        task = next;
    }
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    uint64_t count;
    (void)what;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got;
    run_tasks(ctx);
}

static void sync_dirty(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->mutex);
    struct namespace *ns = syncer->dirty, *list = NULL;
    syncer->dirty = NULL;
    /* The list is linked anew under the mutex, since `listed` allows others to link again. */
    size_t count = 0;
    for (struct namespace *at = ns; at; at = at->dirty_next)
        count++;
    struct namespace **all = mem_alloc((count ? count : 1) * sizeof(list));
    for (size_t i = 0; ns; ns = ns->dirty_next) {
        ns->listed = false;
        all[i++] = ns;
    }
    pthread_mutex_unlock(&syncer->mutex);
    for (size_t i = 0; i < count; i++)
        agent_look(all[i], true);
    mem_free(all);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct syncer *syncer = ctx;
    (void)fd;
    (void)what;
    sync_dirty(syncer);
    if (syncer->owner->options.shared)
        poll_tick(syncer);
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
    struct syncer *syncer = ctx;
    size_t count;
    (void)fd;
    (void)what;
    syncer->retry_at = 0;
    struct namespace **list = persistence_all(syncer->owner, &count);
    for (size_t i = 0; i < count; i++)
        if (list[i]->agent.retry_at) {
            list[i]->agent.retry_at = 0;
            agent_run(list[i]);
        }
    mem_free(list);
}

/* Journal files whose ops are all committed may go. */
static void release_files(struct persistence *p, struct namespace **list, size_t count)
{
    uint64_t floor = journal_end(p->journal);
    for (size_t i = 0; i < count; i++)
        if (atomic_load(&list[i]->pending_ops) && list[i]->agent.safe_ticket < floor)
            floor = list[i]->agent.safe_ticket;
    journal_release(p->journal, floor);
}

/* And with the files of earlier starts what the store says of these. */
static void release_journal(struct persistence *p, struct namespace **list, size_t count)
{
    if (p->journal)
        release_files(p, list, count);
    if (atomic_load(&p->recovered_left) == 0 &&
        (p->journal ? journal_release_old(p->journal) : atomic_load(&p->retired)))
        for (size_t i = 0; i < count; i++)
            if (list[i]->agent.core)
                sync_core_drop_dead(list[i]->agent.core);
}

static void on_slow(evutil_socket_t fd, short what, void *ctx)
{
    struct syncer *syncer = ctx;
    struct persistence *p = syncer->owner;
    size_t count;
    (void)fd;
    (void)what;
    int64_t now = persistence_now(p);
    struct namespace **list = persistence_all(p, &count);
    processor_use_scarce(&syncer->use); /* so that who asks hears of the last second */
    persistence_flush_heads(p);
    release_journal(p, list, count);
    if (!syncer->closing) {
        opening_beat(p);
        trouble_beat(p, list, count);
    }
    for (size_t i = 0; i < count && !syncer->closing; i++) {
        struct agent *agent = &list[i]->agent;
        agent_load_again(list[i]);
        if (!agent->core || !sync_core_adopted(agent->core))
            continue;
        if (agent->fold_at && now >= agent->fold_at && !agent->folding) {
            agent->fold_at = 0;
            agent_run(list[i]);
        }
        if (agent->tidy_at && now >= agent->tidy_at && !agent->tidying)
            agent_start_tidy(list[i]);
        agent_unload(list[i]);
    }
    mem_free(list);
    if (syncer->closing)
        check_closed(syncer);
}

static void arm_tick(void *ctx)
{
    struct syncer *syncer = ctx;
    int64_t ms = atomic_load(&syncer->owner->sync_interval_ms);
    struct timeval interval = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_del(syncer->tick);
    if (ms > 0)
        event_add(syncer->tick, &interval);
}

void syncer_interval_changed(struct syncer *syncer)
{
    syncer_post(syncer, arm_tick, syncer);
}

/* --- life --- */

static bool is_committed(struct namespace *ns)
{
    const struct agent *agent = &ns->agent;
    if (atomic_load(&ns->pending_ops))
        return false;
    return !agent->core || !sync_core_adopted(agent->core) || sync_core_at_rest(agent->core);
}

static void check_closed(struct syncer *syncer)
{
    size_t count;
    bool over = true;
    struct namespace **list = persistence_all(syncer->owner, &count);
    for (size_t i = 0; i < count && over; i++)
        over = is_committed(list[i]) || is_stuck(list[i]);
    mem_free(list);
    if (over || monotonic_ms() >= syncer->close_by)
        event_base_loopbreak(syncer->base);
}

static void begin_close(void *ctx)
{
    struct syncer *syncer = ctx;
    size_t count;
    syncer->closing = true;
    /* Here, since only this thread gives the workers anything to do. What they are at may have to
     * end a request first: that is not taken from the time that commits have. */
    persistence_end_workers(syncer->owner);
    persistence_end_reading(syncer->owner);
    syncer->close_by = monotonic_ms() + CLOSE_PATIENCE_MS;
    run_tasks(syncer);
    struct namespace **list = persistence_all(syncer->owner, &count);
    for (size_t i = 0; i < count; i++)
        run_wanted(list[i]);
    mem_free(list);
    check_closed(syncer);
}

static void *syncer_thread(void *arg)
{
    struct syncer *syncer = arg;
    struct timeval beat = {.tv_sec = SLOW_BEAT_MS / 1000, .tv_usec = SLOW_BEAT_MS % 1000 * 1000};
    pthread_setname_np(pthread_self(), "syncer");
    event_add(syncer->wake, NULL);
    event_add(syncer->slow, &beat);
    arm_tick(syncer);
    event_base_dispatch(syncer->base);
    run_tasks(syncer);
    return NULL;
}

static void syncer_free(struct syncer *syncer)
{
    struct event *events[] = {syncer->wake, syncer->tick, syncer->retry, syncer->slow};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i])
            event_free(events[i]);
    store_close(syncer->store); /* its events are of this loop */
    store_request_release(&syncer->listing);
    if (syncer->base)
        event_base_free(syncer->base);
    if (syncer->wake_fd >= 0)
        close(syncer->wake_fd);
    pthread_mutex_destroy(&syncer->mutex);
    mem_free(syncer);
}

static bool make_events(struct syncer *syncer)
{
    struct event_config *config = event_config_new();
    syncer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        syncer->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (syncer->wake_fd < 0 || !syncer->base)
        return false;
    syncer->wake = event_new(syncer->base, syncer->wake_fd, EV_READ | EV_PERSIST, on_wake, syncer);
    syncer->tick = event_new(syncer->base, -1, EV_PERSIST, on_tick, syncer);
    syncer->retry = evtimer_new(syncer->base, on_retry, syncer);
    syncer->slow = event_new(syncer->base, -1, EV_PERSIST, on_slow, syncer);
    return syncer->wake && syncer->tick && syncer->retry && syncer->slow;
}

struct syncer *syncer_create(struct persistence *p, struct text *error)
{
    struct syncer *syncer = mem_calloc(1, sizeof(*syncer));
    syncer->owner = p;
    syncer->tasks_end = &syncer->tasks;
    pthread_mutex_init(&syncer->mutex, NULL);
    syncer->store = store_clone(p->store);
    processor_use_scarce(&syncer->use); /* from here on */
    if (make_events(syncer)) {
        store_attach(syncer->store, syncer->base);
        p->syncer = syncer;
        if (pthread_create(&syncer->thread, NULL, syncer_thread, syncer) == 0)
            return syncer;
        p->syncer = NULL;
    }
    text_append_string(error, "the syncer's thread cannot be started");
    syncer_free(syncer);
    return NULL;
}

bool syncer_destroy(struct syncer *syncer)
{
    bool all = true;
    size_t count;
    if (!syncer)
        return true;
    syncer_post(syncer, begin_close, syncer);
    pthread_join(syncer->thread, NULL);
    struct namespace **list = persistence_all(syncer->owner, &count);
    for (size_t i = 0; i < count; i++) {
        all &= is_committed(list[i]);
        agent_drop_positions(list[i]);
        while (list[i]->agent.waits) {
            struct sync_wait *wait = list[i]->agent.waits;
            list[i]->agent.waits = wait->next;
            wait->done(wait->ctx, PERSISTENCE_STOPPED);
            mem_free(wait);
        }
    }
    mem_free(list);
    syncer_free(syncer);
    return all;
}
