/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps 2 and 3 of a turn. The requests of its connections lie in one array. A pass takes the
 * namespace of the first, and runs all that are for it, those of one connection in order; what is
 * for another namespace waits for the next pass. The lock is taken at the first request that needs
 * it and given back after BATCH_REQUESTS_MAX. While one request runs, the memory that those behind
 * it will need is on its way: their buckets first, then their entries. This is what the speed of
 * the server comes from (docs/performance.md).
 */
#include <assert.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/config.h"
#include "server/log.h"
#include "server/loop-internal.h"
#include "server/refusal.h"
#include "server/server.h"

#define KEYS_AHEAD 64 /* of one command with many keys */

/*
 * Requests for which memory is fetched at a time. A fetch waits for the address of its page, which
 * takes longer than all else that looking a key up does; fetches that follow each other wait
 * together. More would be more lines on their way than processors keep (4 to 16 are alike here, 2
 * costs 10 ns a request, 1 costs 30).
 */
#define FETCH_TOGETHER 4

static inline uint64_t hash_here(const struct request *request, const struct namespace *ns)
{
    return client_namespace(request->client) == ns ? request->hash : 0;
}

/* Hashes whose entries take the third stage. */
struct crowded {
    uint64_t hashes[3 * FETCH_TOGETHER];
    size_t count;
};

static void fetch_buckets(const struct loop *loop, size_t from, size_t to)
{
    size_t end = to < loop->request_count ? to : loop->request_count;
    for (size_t i = from; i < end; i++) {
        uint64_t hash = hash_here(&loop->requests[i], loop->locked);
        if (hash)
            keyspace_prefetch_bucket(loop->locked_keys, hash);
    }
}

static void fetch_entries(const struct loop *loop, size_t from, size_t to, struct crowded *crowded)
{
    size_t end = to < loop->request_count ? to : loop->request_count;
    for (size_t i = from; i < end; i++) {
        uint64_t hash = hash_here(&loop->requests[i], loop->locked);
        if (hash && keyspace_prefetch_entry(loop->locked_keys, hash))
            crowded->hashes[crowded->count++] = hash;
    }
}

static void fetch_crowded(const struct loop *loop, struct crowded *crowded)
{
    for (size_t i = 0; i < crowded->count; i++)
        keyspace_prefetch_crowded(loop->locked_keys, crowded->hashes[i]);
    crowded->count = 0;
}

/* Before the request at `at` runs: the next step of each stage. */
static inline void look_ahead(const struct loop *loop, size_t at, struct crowded *crowded)
{
    size_t step = FETCH_TOGETHER;
    if (at % step)
        return;
    fetch_crowded(loop, crowded);
    fetch_entries(loop, at + 2 * step, at + 3 * step, crowded);
    fetch_buckets(loop, at + 3 * step, at + 4 * step);
}

/* All that look_ahead would have fetched by now. */
static void look_ahead_start(const struct loop *loop, size_t at, struct crowded *crowded)
{
    size_t step = FETCH_TOGETHER, next = at - at % step + step;
    crowded->count = 0;
    fetch_buckets(loop, at, next + 3 * step);
    fetch_entries(loop, at, next + 2 * step, crowded);
    fetch_crowded(loop, crowded);
}

/* MGET, MSET, DEL …: all keys of one command. */
static void fetch_keys(const struct loop *loop, const struct request *request)
{
    const struct command *command = request->command;
    uint64_t hashes[KEYS_AHEAD];
    int last = command->last_key < 0 ? request->argc + command->last_key : command->last_key;
    int n = 0;
    for (int i = command->first_key; i <= last && i < request->argc && n < KEYS_AHEAD;
         i += command->key_step) {
        hashes[n] = key_hash(request->argv[i]);
        keyspace_prefetch_bucket(loop->locked_keys, hashes[n++]);
    }
    for (int i = 0; i < n; i++)
        if (!keyspace_prefetch_entry(loop->locked_keys, hashes[i]))
            hashes[i] = 0;
    for (int i = 0; i < n; i++)
        if (hashes[i])
            keyspace_prefetch_crowded(loop->locked_keys, hashes[i]);
}

void batch_seal(struct loop *loop)
{
    if (!loop->locked)
        return;
    uint64_t ticket = namespace_seal(loop->locked);
    if (CONFIG(journal_fsync) == JOURNAL_FSYNC_ALWAYS) /* nobody is told what a crash may undo */
        ticket = namespace_ticket(loop->locked);
    if (ticket > loop->ticket)
        loop->ticket = ticket;
    namespace_unlock(loop->locked);
    loop->locked = NULL;
    loop->locked_keys = NULL;
    loop->held.count = 0;
}

void batch_set_time(struct loop *loop, int64_t now, struct namespace **list, int count)
{
    for (int i = 0; i < count; i++) {
        int64_t newest = namespace_clock(list[i]);
        if (newest > now)
            now = newest;
    }
    loop->x.now = now;
}

/* Takes the lock for `request`. False: the namespace is not there yet, and the client waits or is
 * told why. */
static bool batch_lock(struct loop *loop, const struct request *request, struct namespace *ns)
{
    namespace_lock(ns);
    enum namespace_state state = namespace_state(ns);
    if (state == NAMESPACE_READY) {
        loop->locked = ns;
        loop->locked_keys = namespace_keyspace(ns);
        batch_set_time(loop, loop->now, &ns, 1);
        LOOP_ROOM(loop->held.list, 0, loop->held.cap);
        loop->held.list[0] = ns;
        loop->held.count = 1;
        return true;
    }
    char why[REFUSAL_MAX];
    bool refused = refusal_of(ns, why);
    namespace_unlock(ns);
    if (refused) {
        refusal_answer(request->client, request->command, why);
    } else {
        backlog_append(request->client, request);
        batch_await_load(request->client, ns);
    }
    return false;
}

static void on_loaded_here(struct client *client, void *ctx)
{
    (void)ctx;
    if (client)
        client_release_hold(client, HOLD_LOADING);
}

static void on_loaded(void *ctx, struct namespace *ns)
{
    (void)ns;
    struct client_ref *ref = ctx;
    loop_post_client(*ref, on_loaded_here, NULL);
    mem_free(ref);
}

void batch_await_load(struct client *client, struct namespace *ns)
{
    struct client_ref *ref = mem_alloc(sizeof(*ref));
    *ref = client_ref(client);
    client->hold |= HOLD_LOADING;
    persistence_load(server.persistence, ns, on_loaded, ref);
}

static inline bool needs_own_locks(const struct request *request, uint32_t flags)
{
    return flags & CMD_OWN_LOCKS || (flags & CMD_EXEC && request->client->exec_own_locks);
}

static inline bool is_plain(const struct loop *loop, const struct request *request)
{
    const struct command *command = request->command;
    uint32_t state = atomic_load_explicit(&request->client->flags, memory_order_relaxed);
    return !(command->flags & loop->slow_mask) &&
           (state & (CLIENT_SLOW | CLIENT_AUTHENTICATED)) == CLIENT_AUTHENTICATED &&
           (command->arity > 0 ? request->argc == command->arity
                               : request->argc >= -command->arity);
}

/* Runs the request at `at`, whose client is in `ns` and free to go on. */
static void run_request(struct loop *loop, struct request *request, size_t at, struct namespace *ns,
                        struct crowded *crowded)
{
    const struct command *command = request->command;
    struct client *client = request->client;
    uint32_t flags = command ? command->flags : CMD_NO_LOCK;
    if (needs_own_locks(request, flags)) {
        batch_seal(loop);
    } else if (!(flags & CMD_NO_LOCK)) {
        if (!loop->locked) {
            if (!batch_lock(loop, request, ns))
                return;
            look_ahead_start(loop, at, crowded);
        }
        if (command->last_key != command->first_key && command->first_key > 0)
            fetch_keys(loop, request);
    }
    struct exec *x = &loop->x;
    x->client = client;
    x->command = command;
    x->argv = request->argv;
    x->argc = request->argc;
    x->hash = request->hash;
    x->ns = ns;
    x->keys = loop->locked_keys;
    x->out = &client->writer;
    if (command && is_plain(loop, request))
        dispatch_run(x);
    else
        dispatch_slow(loop, request);
    if (loop->wanted) {
        backlog_append(client, request);
        batch_await_load(client, loop->wanted);
        loop->wanted = NULL;
    }
}

static void run_pass(struct loop *loop)
{
    struct request *requests = loop->requests;
    struct namespace *ns = client_namespace(requests[0].client);
    size_t n = loop->request_count, kept = 0, run = 0;
    uint64_t pass = ++loop->pass;
    struct crowded crowded = {.count = 0};
    for (size_t i = 0; i < n; i++) {
        struct request *request = &requests[i];
        struct client *client = request->client;
        if (loop->locked)
            look_ahead(loop, i, &crowded);
        if (client_is(client, CLIENT_CLOSE_NOW | CLIENT_CLOSE_REPLY) || client_overflows(client))
            continue;
        if (client->pass_skipped == pass || client_namespace(client) != ns) {
            client->pass_skipped = pass;
            requests[kept++] = *request;
            continue;
        }
        if (client->hold) {
            backlog_append(client, request);
            continue;
        }
        run_request(loop, request, i, ns, &crowded);
        if (++run % BATCH_REQUESTS_MAX == 0)
            batch_seal(loop);
    }
    batch_seal(loop);
    loop->request_count = kept;
    stats_bump(&loop->stats.counters[STAT_COMMANDS], (int64_t)run);
    stats_bump(&loop->stats.counters[STAT_BATCHES], 1);
}

static void tell_broken(size_t connections, const char *promise)
{
    char reason[256];
    if (!connections)
        return;
    persistence_trouble(server.persistence, reason, sizeof(reason));
    log_line(LOG_WARNING, "%zu connections closed without an answer to %s: %s", connections,
             promise,
             reason[0] ? reason : "the store does not have yet what a failed fsync may have lost");
}

static void release_outbox(struct loop *loop, bool safe)
{
    size_t withheld = 0;
    for (size_t i = 0; i < loop->outbox_count; i++) {
        struct outbox_item item = loop->outbox[i];
        if (!safe && item.withhold) {
            item.post.run = item.withhold;
            withheld++;
        }
        if (item.loop != loop) {
            loop_post(item.loop, item.post.client_id, item.post.run, item.post.ctx);
            continue;
        }
        struct client *client = item.post.client_id ? loop_client(loop, item.post.client_id) : NULL;
        item.post.run(client, item.post.ctx);
    }
    loop->outbox_count = 0;
    tell_broken(withheld, "what they were blocked for");
}

bool batch_harden(struct loop *loop)
{
    bool safe = true;
    if (loop->ticket) {
        bool must = loop->harden_fsync || CONFIG(journal_fsync) == JOURNAL_FSYNC_ALWAYS;
        enum persistence_status status =
            persistence_harden(server.persistence, loop->ticket, loop->harden_fsync);
        safe = status == PERSISTENCE_OK || !must;
        loop->ticket = 0;
    }
    loop->harden_fsync = false;
    release_outbox(loop, safe);
    return safe;
}

/* The journal did not take what these clients wrote: they may not be told that it did. */
static void close_writers(struct loop *loop)
{
    tell_broken(loop->writers_count, "their writes");
    for (size_t i = 0; i < loop->writers_count; i++)
        client_close_now(loop->writers[i]);
}

struct durable_wait {
    struct client_ref client;
    atomic_int left; /* namespaces, and the one who starts them */
    atomic_bool failed;
};

static void on_durable_here(struct client *client, void *ctx)
{
    struct durable_wait *wait = ctx;
    if (client)
        client->durable_waits--;
    if (client && atomic_load(&wait->failed)) {
        log_line(LOG_WARNING, "client id=%llu closed: its writes did not reach the store",
                 (unsigned long long)client->id);
        client_close_now(client);
    } else if (client && client->durable_waits == 0) {
        client_release_hold(client, HOLD_DURABLE);
        loop_mark_flush(client);
    }
    mem_free(wait);
}

static void durable_step(struct durable_wait *wait)
{
    if (atomic_fetch_sub(&wait->left, 1) == 1)
        loop_post_client(wait->client, on_durable_here, wait);
}

static void on_durable(void *ctx, enum persistence_status status)
{
    struct durable_wait *wait = ctx;
    if (status != PERSISTENCE_OK)
        atomic_store(&wait->failed, true);
    durable_step(wait);
}

void batch_hold_durable(struct client *client)
{
    struct durable_wait *wait = mem_calloc(1, sizeof(*wait));
    wait->client = client_ref(client);
    atomic_store(&wait->left, 1);
    if (!(client->hold & HOLD_DURABLE))
        client->durable_since = client->loop->now;
    client->hold |= HOLD_DURABLE;
    client->durable_waits++;
    for (size_t i = 0; i < client->mark_count; i++) {
        struct write_mark *mark = &client->marks[i];
        if (!mark->held)
            continue;
        mark->held = false;
        atomic_fetch_add(&wait->left, 1);
        persistence_wait(server.persistence, mark->ns, mark->mark, DURABILITY_DURABLE, on_durable,
                         wait);
    }
    durable_step(wait);
}

void batch_run(struct loop *loop)
{
    while (loop->request_count)
        run_pass(loop);
    bool safe = batch_harden(loop);
    if (!safe)
        close_writers(loop);
    for (size_t i = 0; safe && i < loop->writers_count; i++) {
        if (client_waits_for_store(loop->writers[i]))
            batch_hold_durable(loop->writers[i]);
    }
    loop->writers_count = 0;
}

void backlog_append(struct client *client, const struct request *request)
{
    size_t bytes = 0;
    for (int i = 0; i < request->argc; i++)
        bytes += request->argv[i].len + 1;
    size_t vector = (size_t)request->argc * sizeof(struct slice);
    struct request *copy = mem_alloc(sizeof(*copy) + vector + bytes);
    *copy = *request;
    copy->next = NULL;
    copy->argv = (struct slice *)(copy + 1);
    char *at = (char *)copy->argv + vector;
    for (int i = 0; i < request->argc; i++) {
        copy->argv[i] = slice_make(at, request->argv[i].len);
        memcpy(at, request->argv[i].data, request->argv[i].len);
        at += request->argv[i].len;
        *at++ = 0;
    }
    if (client->backlog_last)
        client->backlog_last->next = copy;
    else
        client->backlog = copy;
    client->backlog_last = copy;
}

void backlog_free(struct request *list)
{
    while (list) {
        struct request *next = list->next;
        mem_free(list);
        list = next;
    }
}
