/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See opening.h. A try is one small request on the syncer's loop, which nobody has to wait for when
 * the server goes down meanwhile; only when the store answers does a worker go on with what blocks.
 */
#include "persistence/opening.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"
#include "persistence/persistence_probe.h"
#include "persistence/syncer-internal.h"

/* Of a start, before it goes on without the store: for a first answer, and for all of it. */
#define PATIENCE_S      5
#define PATIENCE_LONG_S 60
#define BACKOFF_MIN_MS  INT64_C(500)
#define BACKOFF_MAX_MS  INT64_C(10000)
#define TELL_PAUSE_MS   INT64_C(60000)
/* What is asked for to see whether the store answers: nothing of that name is ever put. */
#define LOOK_KEY "cairn-probe/look"

enum opening_state {
    OPENING_TRYING,
    OPENING_ANSWERED, /* it is there: the probe and the journal's ops are under way */
    OPENING_AWAY,     /* out of reach; another try follows */
    OPENING_DONE,
    OPENING_FAILED,
};

struct opening {
    struct persistence *owner;
    struct recovery recovery;
    struct loaded *loaded; /* by item of `recovery`, while a try is under way */

    pthread_mutex_t mutex; /* the next four */
    pthread_cond_t moved;
    enum opening_state state;
    enum persistence_status status;
    bool armed;

    /* The syncer's. */
    struct store_request look;
    bool busy, was_away;
    int64_t next_at, backoff, since, tell_at;
    char why[NAMESPACE_ERROR_MAX];
};

/* How a try went. */
struct attempt {
    struct opening *opening;
    enum opening_state state;
    enum persistence_status status;
    struct text error;
};

/* --- the journal's ops on top of the store --- */

static enum persistence_status fail_load(enum loader_result result, enum opening_state *ret_state)
{
    *ret_state = result == LOADER_UNREACHABLE ? OPENING_AWAY : OPENING_FAILED;
    return result == LOADER_CORRUPT ? PERSISTENCE_CORRUPT : PERSISTENCE_UNWRITABLE;
}

static void release_loaded(struct loaded *loaded, size_t count)
{
    for (size_t i = 0; i < count; i++)
        loaded_release(&loaded[i]);
}

/* Loads the namespaces that the journal has ops of; of all others the heads must be there. */
static enum persistence_status load_all(struct persistence *p, struct store *store,
                                        const struct recovery *recovery, struct loaded *loaded,
                                        enum opening_state *ret_state, struct text *error)
{
    for (size_t i = 0; i < recovery->count; i++) {
        const struct recovered *item = &recovery->items[i];
        struct namespace *ns = persistence_namespace(p, slice_of(item->namespace));
        struct loader_options options = namespace_loader(ns, store);
        options.expect = item->position > 0;
        enum loader_result result = loader_run(&options, &loaded[i], error);
        if (result != LOADER_OK) {
            release_loaded(loaded, i);
            return fail_load(result, ret_state);
        }
    }
    enum loader_result result = persistence_check_heads(p, store, error);
    if (result == LOADER_OK)
        return PERSISTENCE_OK;
    release_loaded(loaded, recovery->count);
    return fail_load(result, ret_state);
}

/* Leaves of the journal's ops what is not committed, and notes whose they are. Only once all is
 * loaded: it cannot be undone. */
static enum persistence_status settle_all(struct persistence *p, struct recovery *recovery,
                                          struct loaded *loaded, struct text *error)
{
    for (size_t i = 0; i < recovery->count; i++) {
        struct recovered *item = &recovery->items[i];
        if (!(p->options.shared ? recovery_settle(item, &loaded[i].head, error)
                                : recovery_apply(item, &loaded[i], error))) {
            release_loaded(loaded, recovery->count);
            return PERSISTENCE_CORRUPT;
        }
    }
    if (persistence_note_place(p, error))
        return PERSISTENCE_OK;
    release_loaded(loaded, recovery->count);
    return PERSISTENCE_UNWRITABLE;
}

/* Puts what was pending on top of what the store has, with inverses. */
static void run_recovered(struct namespace *ns, struct sync_batch *batch)
{
    struct op_scratch scratch = {0};
    struct outcome out;
    struct op op;
    for (; batch; batch = batch->next) {
        rebase_begin(ns->rebase, slice_of(batch->replica), batch->first);
        for (size_t at = 0, len; at < batch->ops.len; at += len) {
            struct slice rest = slice_make(batch->ops.data + at, batch->ops.len - at);
            len = op_binary_decode(rest, &scratch, &op);
            assert(len); /* recovery_settle has decoded them */
            batch->time = at ? batch->time : op.time;
            rebase_run_recorded(ns->rebase, &op, &out);
            op_release(&op);
        }
    }
    op_scratch_release(&scratch);
    rebase_begin(ns->rebase, slice_of(ns->owner->incarnation), 1);
    ns->clock = rebase_clock(ns->rebase);
}

/* The namespace can be used from now on; what is pending of it is queued. */
static void install(struct persistence *p, struct recovered *item, struct loaded *loaded)
{
    struct namespace *ns = persistence_namespace(p, slice_of(item->namespace));
    int64_t ops = 0;
    if (item->orphans)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "namespace %s: %llu ops of the journal, of which nobody knows whether they "
                        "are committed, are %s (journal-orphans)",
                        ns->name, (unsigned long long)item->orphans,
                        item->choice == JOURNAL_ORPHANS_DROP ? "discarded" : "applied again");
    persistence_install(ns, loaded);
    namespace_lock_aside(ns);
    if (ns->shared)
        run_recovered(ns, item->batches);
    namespace_unlock(ns);
    while (item->batches) {
        struct sync_batch *batch = item->batches;
        item->batches = batch->next;
        if (!ns->agent.recovered++)
            atomic_fetch_add(&p->recovered_left, 1);
        atomic_fetch_add(&ns->pending_ops, (int64_t)batch->count);
        atomic_fetch_add(&ns->pending_bytes, (int64_t)batch->ops.len);
        if (!atomic_load(&ns->pending_since))
            atomic_store(&ns->pending_since, batch->time);
        ops += (int64_t)batch->count;
        sync_core_push(ns->agent.core, batch);
    }
    namespace_lock_aside(ns);
    namespace_note_held(ns);
    namespace_unlock(ns);
    if (ops)
        persistence_log(p, PERSISTENCE_LOG_NOTICE,
                        "namespace %s: %lld ops of the journal put on top of the store", ns->name,
                        (long long)ops);
}

static void install_all(struct persistence *p, struct recovery *recovery, struct loaded *loaded)
{
    for (size_t i = 0; i < recovery->count; i++)
        install(p, &recovery->items[i], &loaded[i]);
}

static struct loaded *make_loaded(const struct recovery *recovery)
{
    return mem_calloc(recovery->count ? recovery->count : 1, sizeof(struct loaded));
}

enum persistence_status opening_run_now(struct persistence *p, struct recovery *recovery,
                                        struct text *error)
{
    enum opening_state ignored;
    struct loaded *loaded = make_loaded(recovery);
    enum persistence_status status = PERSISTENCE_UNWRITABLE;
    if (persistence_learn_names(p, p->store, error) == STORE_OK)
        status = load_all(p, p->store, recovery, loaded, &ignored, error);
    if (status == PERSISTENCE_OK)
        status = settle_all(p, recovery, loaded, error);
    if (status == PERSISTENCE_OK)
        install_all(p, recovery, loaded);
    mem_free(loaded);
    return status;
}

/* --- a bucket --- */

static bool is_silence(enum store_result result)
{
    return result == STORE_TRANSIENT || result == STORE_UNKNOWN;
}

void opening_prepare(struct persistence *p, struct recovery *recovery)
{
    struct opening *o = mem_calloc(1, sizeof(*o));
    o->owner = p;
    o->recovery = *recovery;
    *recovery = (struct recovery){0};
    pthread_mutex_init(&o->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&o->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
    snprintf(o->why, sizeof(o->why), "it has not answered yet");
    /* One that is never used up: while the journal's ops are not on top, none of it may go. */
    atomic_store(&p->recovered_left, 1);
    atomic_store(&p->loading, true);
    p->opening = o;
}

static void move(struct opening *o, enum opening_state state, enum persistence_status status)
{
    struct persistence *p = o->owner;
    pthread_mutex_lock(&o->mutex);
    o->state = state;
    o->status = status;
    bool tell = o->armed && state == OPENING_FAILED;
    pthread_cond_broadcast(&o->moved);
    pthread_mutex_unlock(&o->mutex);
    if (tell && p->options.failed)
        p->options.failed(p->options.ctx, o->why);
}

static void be_away(struct opening *o, const char *why)
{
    struct persistence *p = o->owner;
    int64_t now = persistence_now(p);
    snprintf(o->why, sizeof(o->why), "%s", why);
    o->busy = false;
    o->backoff = o->backoff ? 2 * o->backoff : BACKOFF_MIN_MS;
    if (o->backoff > BACKOFF_MAX_MS)
        o->backoff = BACKOFF_MAX_MS;
    o->next_at = now + persistence_jitter(o->backoff);
    if (!o->was_away) {
        o->since = now;
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "the store is out of reach, which is tried again; until then namespaces "
                        "answer -LOADING: %s",
                        o->why);
    } else if (now >= o->tell_at) {
        persistence_log(p, PERSISTENCE_LOG_WARNING, "the store is out of reach since %lld s: %s",
                        (long long)(now - o->since) / 1000, o->why);
    }
    if (!o->was_away || now >= o->tell_at)
        o->tell_at = now + TELL_PAUSE_MS;
    o->was_away = true;
    persistence_set_trouble(p, TROUBLE_OUTAGE, o->why);
    move(o, OPENING_AWAY, PERSISTENCE_OK);
}

/* Who asked for a namespace meanwhile was refused; from now on it is loaded when it is used. */
static void let_load(struct persistence *p)
{
    size_t count;
    struct namespace **list = persistence_all(p, &count);
    for (size_t i = 0; i < count; i++) {
        if (namespace_state(list[i]) == NAMESPACE_AWAY)
            namespace_set_state(list[i], NAMESPACE_UNLOADED);
        syncer_urge(list[i]);
    }
    mem_free(list);
}

static void succeed(struct opening *o)
{
    struct persistence *p = o->owner;
    install_all(p, &o->recovery, o->loaded);
    recovery_release(&o->recovery);
    o->recovery = (struct recovery){0};
    atomic_fetch_sub(&p->recovered_left, 1);
    atomic_store(&p->loading, false);
    persistence_set_trouble(p, TROUBLE_OUTAGE, NULL);
    if (o->was_away)
        persistence_log(p, PERSISTENCE_LOG_NOTICE, "the store is in reach after %lld s",
                        (long long)(persistence_now(p) - o->since) / 1000);
    let_load(p);
    move(o, OPENING_DONE, PERSISTENCE_OK);
}

static void attempt_over(void *ctx)
{
    struct attempt *attempt = ctx;
    struct opening *o = attempt->opening;
    const char *error = text_terminated(&attempt->error);
    switch (attempt->state) {
    case OPENING_TRYING:
    case OPENING_ANSWERED: break;
    case OPENING_AWAY:
        if (!atomic_load(&o->owner->stopping))
            be_away(o, error);
        break;
    case OPENING_DONE:
        if (o->owner->workers)
            succeed(o);
        else /* going down: the journal keeps them */
            release_loaded(o->loaded, o->recovery.count);
        break;
    case OPENING_FAILED:
        snprintf(o->why, sizeof(o->why), "%s", error);
        move(o, OPENING_FAILED, attempt->status);
        break;
    }
    mem_free(o->loaded);
    o->loaded = NULL;
    text_release(&attempt->error);
    mem_free(attempt);
}

/* On a worker. */
static void attempt_run(void *ctx, struct store *store)
{
    struct attempt *attempt = ctx;
    struct opening *o = attempt->opening;
    struct persistence *p = o->owner;
    attempt->state = OPENING_DONE;
    switch (persistence_probe_at_start(p, store, &attempt->error)) {
    case PROBE_OK: break;
    case PROBE_UNREACHABLE: attempt->state = OPENING_AWAY; break;
    case PROBE_DENIED:
    case PROBE_REFUSED: attempt->state = OPENING_FAILED; break;
    }
    attempt->status = attempt->state == OPENING_DONE ? PERSISTENCE_OK : PERSISTENCE_UNWRITABLE;
    if (attempt->status == PERSISTENCE_OK) {
        enum store_result listed = persistence_learn_names(p, store, &attempt->error);
        if (listed != STORE_OK) {
            attempt->status = PERSISTENCE_UNWRITABLE;
            attempt->state = is_silence(listed) ? OPENING_AWAY : OPENING_FAILED;
        }
    }
    o->loaded = make_loaded(&o->recovery);
    if (attempt->status == PERSISTENCE_OK)
        attempt->status =
            load_all(p, store, &o->recovery, o->loaded, &attempt->state, &attempt->error);
    if (attempt->status == PERSISTENCE_OK) {
        attempt->status = settle_all(p, &o->recovery, o->loaded, &attempt->error);
        if (attempt->status != PERSISTENCE_OK)
            attempt->state = OPENING_FAILED;
    }
    syncer_post(p->syncer, attempt_over, attempt);
}

static void on_look(struct store_request *request)
{
    struct opening *o = request->ctx;
    struct persistence *p = o->owner;
    if (is_silence(request->result)) {
        be_away(o, request->error);
    } else if (p->workers) {
        /* Whatever else it says, the probe says better. */
        struct attempt *attempt = mem_calloc(1, sizeof(*attempt));
        attempt->opening = o;
        move(o, OPENING_ANSWERED, PERSISTENCE_OK);
        workers_submit(p->workers, attempt_run, attempt);
    }
    store_request_release(request);
}

static void look(void *ctx)
{
    struct opening *o = ctx;
    o->busy = true;
    o->look = (struct store_request){.verb = STORE_GET, .key = LOOK_KEY, .done = on_look, .ctx = o};
    store_submit(o->owner->syncer->store, &o->look);
}

static void wait_while(struct opening *o, enum opening_state state, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    while (o->state == state && pthread_cond_timedwait(&o->moved, &o->mutex, &until) == 0)
        ;
}

enum persistence_status opening_begin(struct persistence *p, struct text *error)
{
    struct opening *o = p->opening;
    syncer_post(p->syncer, look, o);
    pthread_mutex_lock(&o->mutex);
    wait_while(o, OPENING_TRYING, PATIENCE_S);
    wait_while(o, OPENING_ANSWERED, PATIENCE_LONG_S);
    enum persistence_status status = o->status;
    if (status != PERSISTENCE_OK)
        text_append_string(error, o->why);
    pthread_mutex_unlock(&o->mutex);
    return status;
}

void opening_arm(struct persistence *p)
{
    struct opening *o = p->opening;
    if (!o)
        return;
    pthread_mutex_lock(&o->mutex);
    o->armed = true;
    bool tell = o->state == OPENING_FAILED;
    pthread_mutex_unlock(&o->mutex);
    if (tell && p->options.failed)
        p->options.failed(p->options.ctx, o->why);
}

void opening_beat(struct persistence *p)
{
    struct opening *o = p->opening;
    if (o && atomic_load(&p->loading) && !o->busy && o->next_at && persistence_now(p) >= o->next_at)
        look(o);
}

const char *opening_reason(const struct persistence *p)
{
    return p->opening->why;
}

bool opening_owes(const struct persistence *p, int64_t *ret_ops)
{
    const struct recovery *recovery = p->opening ? &p->opening->recovery : NULL;
    *ret_ops = recovery ? (int64_t)recovery_ops(recovery) : 0;
    return recovery && recovery->count > 0;
}

void opening_destroy(struct persistence *p)
{
    struct opening *o = p->opening;
    if (!o)
        return;
    recovery_release(&o->recovery);
    store_request_release(&o->look);
    pthread_cond_destroy(&o->moved);
    pthread_mutex_destroy(&o->mutex);
    mem_free(o);
    p->opening = NULL;
}
