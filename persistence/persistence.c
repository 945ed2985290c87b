/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See persistence.h: opening and closing, the registry of namespaces, waits. A store in memory has
 * none of the machinery: no journal, no threads, nothing pending.
 */
#include "persistence/namespace-internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "persistence/file.h"
#include "persistence/identity.h"
#include "persistence/opening.h"
#include "persistence/recovery.h"
#include "persistence/syncer-internal.h"

#define JOURNAL_ROTATE_BYTES ((uint64_t)64 * 1024 * 1024)
#define TAIL_MAX             512
#define TEMPORARY_AGE_S      (INT64_C(24) * 3600) /* of other servers: they are dead by then */
#define BACKOFF_MAX_MS       1000
#define BACKOFF_BUCKET_MS    5000 /* each attempt is several requests there */
#define MERGE_LIMIT          ((size_t)4 * 1024 * 1024)
/* Commits that a fold leaves to those who have not read them yet: else they must load all anew. */
#define TAIL_KEEP 64

int64_t persistence_now(struct persistence *p)
{
    return p->options.now_ms(p->options.ctx);
}

void persistence_log(struct persistence *p, enum persistence_log_level level, const char *format,
                     ...)
{
    char line[1024];
    va_list args;
    if (!p->options.log)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    p->options.log(p->options.ctx, level, line);
}

/* A bucket is no directory: it has no lock, and no journal in it. */
static bool is_remote(const char *store)
{
    return strstr(store, "://") != NULL;
}

/* --- the journal --- */

static void journal_troubled(void *ctx, const char *sentence)
{
    struct persistence *p = ctx;
    pthread_mutex_lock(&p->troubles);
    bool was = p->trouble[TROUBLE_JOURNAL][0] != '\0';
    pthread_mutex_unlock(&p->troubles);
    persistence_set_trouble(p, TROUBLE_JOURNAL, sentence);
    if (!was && sentence)
        persistence_log(p, PERSISTENCE_LOG_WARNING, "%s", sentence);
    if (was && !sentence)
        persistence_log(p, PERSISTENCE_LOG_NOTICE, "the journal can be written again");
}

/* --- registry --- */

static size_t find_sorted(const struct persistence *p, struct slice name, bool *found)
{
    size_t low = 0, high = p->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(namespace_name(p->sorted[middle]), name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct namespace *persistence_namespace(struct persistence *p, struct slice name)
{
    bool found;
    assert(namespace_name_valid(name));
    pthread_mutex_lock(&p->registry);
    size_t at = find_sorted(p, name, &found);
    if (!found) {
        struct namespace *ns = namespace_create(p, name, p->count);
        size_t room = (p->count + 1) * sizeof(ns);
        if ((p->count & (p->count - 1)) == 0) {
            room = (p->count ? 2 * p->count : 1) * sizeof(ns);
            p->sorted = mem_realloc(p->sorted, room);
            p->ordered = mem_realloc(p->ordered, room);
        }
        memmove(p->sorted + at + 1, p->sorted + at, (p->count - at) * sizeof(ns));
        p->sorted[at] = ns;
        p->ordered[p->count++] = ns;
    }
    struct namespace *result = p->sorted[at];
    pthread_mutex_unlock(&p->registry);
    return result;
}

size_t persistence_loaded(struct persistence *p, struct namespace **out, size_t cap)
{
    pthread_mutex_lock(&p->registry);
    size_t count = p->count;
    if (count && cap)
        memcpy(out, p->ordered, (count < cap ? count : cap) * sizeof(*out));
    pthread_mutex_unlock(&p->registry);
    return count;
}

struct namespace **persistence_all(struct persistence *p, size_t *ret_count)
{
    pthread_mutex_lock(&p->registry);
    size_t bytes = p->count * sizeof(struct namespace *);
    struct namespace **list = mem_alloc(bytes);
    if (bytes)
        memcpy(list, p->ordered, bytes);
    *ret_count = p->count;
    pthread_mutex_unlock(&p->registry);
    return list;
}

/* --- loading --- */

static uint64_t random_word(void *ctx)
{
    uint64_t word = 0;
    (void)ctx;
    ssize_t got = getrandom(&word, sizeof(word), 0);
    (void)got; /* jitter only */
    return word;
}

int64_t persistence_jitter(int64_t delay)
{
    return delay / 2 + (int64_t)(random_word(NULL) % (uint64_t)(delay / 2 + 1));
}

static void on_arrived(void *ctx, const struct op *op, const struct outcome *outcome)
{
    struct namespace *ns = ctx;
    if (ns->owner->options.arrived)
        ns->owner->options.arrived(ns->attachment, op, outcome);
}

static void on_expired(void *ctx, struct slice key)
{
    struct namespace *ns = ctx;
    if (ns->owner->options.expired)
        ns->owner->options.expired(ns->attachment, key);
}

static void on_differs(void *ctx, const struct op *op, const struct rebase_answer *was,
                       const struct rebase_answer *is)
{
    struct namespace *ns = ctx;
    if (ns->owner->options.differs)
        ns->owner->options.differs(ns->attachment, op, was, is, ns->agent.arriving);
}

void persistence_install(struct namespace *ns, struct loaded *loaded)
{
    struct persistence *p = ns->owner;
    struct sync_settings settings = {
        .inline_limit = (size_t)p->options.inline_limit,
        .tail_max = TAIL_MAX,
        .backoff_max_ms = is_remote(p->where) ? BACKOFF_BUCKET_MS : BACKOFF_MAX_MS,
        .replica = p->replica,
        .incarnation = p->incarnation,
        .shared = ns->shared,
        .merge_limit = MERGE_LIMIT,
        .tail_keep = ns->shared ? TAIL_KEEP : 0,
        .random = random_word,
        .replica_expiry_ms = &p->replica_expiry_ms,
        .make_uuid = uuid7_make,
    };
    if (!ns->agent.core)
        ns->agent.core = sync_core_create(namespace_name(ns), &settings);
    sync_core_adopt(ns->agent.core, &loaded->head, loaded->etag);
    atomic_store(&ns->position, sync_core_position(ns->agent.core));
    if (loaded->etag[0])
        namespace_note_head(ns);
    ns->agent.last_used = ns->agent.touched_at = persistence_now(p);
    agent_poll_often(ns);
    namespace_lock_aside(ns);
    ns->keyspace = loaded->keyspace;
    if (ns->shared) {
        struct rebase_hooks hooks = {ns, on_arrived, on_expired, on_differs};
        ns->rebase = rebase_create(ns->keyspace, loaded->clock, &hooks);
        rebase_begin(ns->rebase, slice_of(p->incarnation), ns->pending.recorded + 1);
    }
    if (loaded->clock > ns->clock)
        ns->clock = loaded->clock;
    namespace_set_state(ns, NAMESPACE_READY);
    namespace_unlock(ns);
}

static void load_memory(struct namespace *ns)
{
    struct keyspace_hooks hooks = namespace_hooks(ns);
    namespace_lock_aside(ns);
    if (!ns->keyspace)
        ns->keyspace = keyspace_create(&hooks);
    namespace_set_state(ns, NAMESPACE_READY);
    namespace_unlock(ns);
}

void persistence_load(struct persistence *p, struct namespace *ns,
                      void (*done)(void *ctx, struct namespace *ns), void *ctx)
{
    if (p->memory) {
        load_memory(ns);
        done(ctx, ns);
    } else {
        syncer_load(ns, done, ctx);
    }
}

/* --- hardening and waits --- */

enum persistence_status persistence_harden(struct persistence *p, uint64_t ticket, bool fsync)
{
    if (ticket == 0 || !p->journal || journal_harden(p->journal, ticket, fsync))
        return PERSISTENCE_OK;
    return PERSISTENCE_UNWRITABLE;
}

void persistence_sync(struct persistence *p, struct namespace *ns,
                      void (*done)(void *ctx, enum persistence_status status, uint64_t position),
                      void *ctx)
{
    if (p->memory)
        done(ctx, PERSISTENCE_OK, 0);
    else
        syncer_sync(p, ns, done, ctx);
}

struct written_wait {
    void (*done)(void *ctx, enum persistence_status status);
    void *ctx;
};

static void written(void *ctx, bool ok)
{
    struct written_wait *wait = ctx;
    wait->done(wait->ctx, ok ? PERSISTENCE_OK : PERSISTENCE_UNWRITABLE);
    mem_free(wait);
}

void persistence_wait(struct persistence *p, struct namespace *ns, uint64_t mark,
                      enum durability level,
                      void (*done)(void *ctx, enum persistence_status status), void *ctx)
{
    if (p->memory || level == DURABILITY_APPLIED || atomic_load(&ns->committed) >= mark) {
        done(ctx, PERSISTENCE_OK);
    } else if (level == DURABILITY_WRITTEN && p->journal) {
        struct written_wait *wait = mem_alloc(sizeof(*wait));
        *wait = (struct written_wait){done, ctx};
        journal_harden_later(p->journal, written, wait);
    } else {
        syncer_wait(ns, mark, false, done, ctx);
    }
}

void persistence_set_sync_interval(struct persistence *p, int64_t ms)
{
    atomic_store(&p->sync_interval_ms, ms);
    if (p->syncer)
        syncer_interval_changed(p->syncer);
}

void persistence_set_journal_fsync(struct persistence *p, enum journal_fsync policy)
{
    if (p->journal)
        journal_set_fsync(p->journal, policy);
}

void persistence_set_replica_expiry(struct persistence *p, int64_t ms)
{
    atomic_store(&p->replica_expiry_ms, ms);
}

void persistence_set_pending_limit(struct persistence *p, int64_t bytes)
{
    atomic_store(&p->pending_limit, bytes);
}

/* --- opening --- */

static char *copy_string(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(mem_alloc(size), string, size);
}

static enum persistence_status status_of(int code)
{
    return code == EWOULDBLOCK ? PERSISTENCE_LOCKED : PERSISTENCE_UNWRITABLE;
}

/* No more than is known: the pid is not always there to be read. */
static void tell_holder(const char *path, bool alone, long holder, struct text *error)
{
    if (holder == FILE_LOCK_SHARED) {
        text_append_format(error, "%s is in use by servers that share it (--shared yes)", path);
        return;
    }
    text_append_format(error, "%s is in use by another server", path);
    if (holder)
        text_append_format(error, " (process %ld)", holder);
    if (alone)
        text_append_string(error, "; servers may share a store, with --shared yes and a --dir of "
                                  "its own for each");
    else
        text_append_string(error, ", which does not share it (--shared yes)");
}

/* Makes `path` and its .cairn, and takes the lock there. */
static enum persistence_status lock_directory(const char *path, bool alone, int *ret_own,
                                              int *ret_lock, struct text *error)
{
    long holder = 0;
    int code = mkdir(path, 0755) < 0 && errno != EEXIST ? errno : 0;
    int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) {
        text_append_format(error, "the directory %s cannot be %s: %s%s", path,
                           code ? "made" : "opened", strerror(code ? code : errno),
                           code == ENOENT ? " (make the one first that it is to lie in)" : "");
        return PERSISTENCE_UNWRITABLE;
    }
    code = mkdirat(top, ".cairn", 0755) < 0 && errno != EEXIST ? errno : 0;
    if (!code && (*ret_own = openat(top, ".cairn", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        code = errno;
    if (!code)
        code = file_lock(*ret_own, "lock", alone, ret_lock, &holder);
    close(top);
    if (code == EWOULDBLOCK)
        tell_holder(path, alone, holder, error);
    else if (code)
        text_append_format(error, "%s/.cairn: %s", path, strerror(code));
    return code ? status_of(code) : PERSISTENCE_OK;
}

static bool same_directory(const char *a, const char *b)
{
    struct stat left, right;
    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

static enum persistence_status lock_own(struct persistence *p, struct text *error)
{
    enum persistence_status status = lock_directory(p->dir, true, &p->own, &p->lock, error);
    p->own_store =
        status == PERSISTENCE_OK && !is_remote(p->where) && same_directory(p->dir, p->where);
    if (!p->own_store || !p->options.shared)
        return status;
    text_append_format(error, "%s is shared: every server needs a directory of its own (--dir)",
                       p->where);
    return PERSISTENCE_LOCKED;
}

static enum persistence_status lock_store(struct persistence *p, struct text *error)
{
    int store_own = -1;
    if (is_remote(p->where) || p->own_store)
        return PERSISTENCE_OK;
    enum persistence_status status =
        lock_directory(p->where, !p->options.shared, &store_own, &p->store_lock, error);
    if (status == PERSISTENCE_OK)
        status = persistence_check_left(p, store_own, error);
    if (store_own >= 0)
        close(store_own);
    return status;
}

static enum persistence_status open_journal(struct persistence *p, const struct journal_scan *scan,
                                            struct text *error)
{
    struct journal_options options = {
        .directory = p->own,
        .incarnation = p->incarnation,
        .identity = &p->identity,
        .fsync = p->options.journal_fsync,
        .rotate_bytes = JOURNAL_ROTATE_BYTES,
        .trouble = journal_troubled,
        .ctx = p,
    };
    if (!p->options.journal)
        return PERSISTENCE_OK;
    p->journal = journal_create(&options, scan, error);
    return p->journal ? PERSISTENCE_OK : PERSISTENCE_UNWRITABLE;
}

/* Releases the reason, which names a file, and says where that is. */
static enum persistence_status refuse_own(const struct persistence *p, struct text *reason,
                                          struct text *error)
{
    text_append_format(error, "%s: %s", p->dir, text_terminated(reason));
    text_release(reason);
    return PERSISTENCE_CORRUPT;
}

static enum persistence_status read_journal(struct persistence *p, struct recovery *recovery,
                                            struct journal_scan *scan, struct text *error)
{
    struct text reason = {0};
    recovery->choice = p->options.journal_orphans;
    if (!journal_read(p->own, true, recovery_collect, recovery, scan, &reason))
        return refuse_own(p, &reason, error);
    if (scan->cut[0])
        persistence_log(p, PERSISTENCE_LOG_WARNING, "%s", scan->cut);
    return PERSISTENCE_OK;
}

struct blocking {
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool finished;
    enum persistence_status status;
};

static void unblock(void *ctx, enum persistence_status status, uint64_t position)
{
    struct blocking *blocking = ctx;
    (void)position;
    pthread_mutex_lock(&blocking->mutex);
    blocking->finished = true;
    blocking->status = status;
    pthread_cond_signal(&blocking->over);
    pthread_mutex_unlock(&blocking->mutex);
}

enum persistence_status persistence_sync_blocking(struct persistence *p, struct namespace *ns)
{
    struct blocking blocking = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                .over = PTHREAD_COND_INITIALIZER};
    persistence_sync(p, ns, unblock, &blocking);
    pthread_mutex_lock(&blocking.mutex);
    while (!blocking.finished)
        pthread_cond_wait(&blocking.over, &blocking.mutex);
    pthread_mutex_unlock(&blocking.mutex);
    return blocking.status;
}

/* With the journal switched off, what an earlier one holds is committed, and then it goes. */
static enum persistence_status retire_journal(struct persistence *p,
                                              const struct journal_scan *scan, struct text *error)
{
    if (p->options.journal || scan->count == 0)
        return PERSISTENCE_OK;
    enum persistence_status status = persistence_sync_blocking(p, NULL);
    if (status != PERSISTENCE_OK) {
        char why[NAMESPACE_ERROR_MAX];
        persistence_trouble(p, why, sizeof(why));
        text_append_format(error, "the journal's ops cannot be committed: %s", why);
        return status;
    }
    return journal_remove(p->own, &p->identity, scan, error) ? PERSISTENCE_OK
                                                             : PERSISTENCE_UNWRITABLE;
}

static enum persistence_status start_threads(struct persistence *p, struct text *error)
{
    size_t count;
    p->workers = workers_create(p->options.workers, WORKERS_NICE, p->store);
    p->folders = workers_create(p->options.workers, WORKERS_NICE, p->store);
    p->syncer = syncer_create(p, error);
    if (!p->syncer)
        return PERSISTENCE_UNWRITABLE;
    struct namespace **list = persistence_all(p, &count);
    for (size_t i = 0; i < count; i++)
        syncer_urge(list[i]);
    mem_free(list);
    return PERSISTENCE_OK;
}

/* Before anything of it is read or written it must be the one that the journal's ops are for. */
static enum persistence_status open_store(struct persistence *p, uint64_t ops, struct text *error)
{
    bool remote = is_remote(p->where);
    if (remote && store_open(p->where, &p->store, error) != STORE_OK) /* nothing is sent yet */
        return PERSISTENCE_UNWRITABLE;
    persistence_find_place(p);
    enum persistence_status status = persistence_check_place(p, ops, error);
    if (status == PERSISTENCE_OK)
        status = lock_store(p, error);
    if (status != PERSISTENCE_OK)
        return status;
    if (!remote)
        store_directory_clean(p->where, p->options.shared ? TEMPORARY_AGE_S : 0);
    if (!remote && store_open(p->where, &p->store, error) != STORE_OK)
        return PERSISTENCE_UNWRITABLE;
    struct store_lock_options lock = {.ttl_ms = p->options.lock_ttl_ms, .holder = p->incarnation};
    if (p->options.commit_mode == COMMIT_MODE_LOCK)
        p->store = store_lock_create(p->store, &lock);
    return PERSISTENCE_OK;
}

/* With the journal switched off nothing would keep an earlier one's ops in mind. */
static enum persistence_status check_retirable(struct persistence *p,
                                               const struct journal_scan *scan, struct text *error)
{
    if (p->options.journal || scan->count == 0 || !persistence_loading(p))
        return PERSISTENCE_OK;
    text_append_string(error, "the journal is switched off, but an earlier one has ops that cannot "
                              "be committed: the store is out of reach");
    return PERSISTENCE_UNWRITABLE;
}

/* The store, what it holds, and the threads. Takes `recovery`. */
static enum persistence_status open_threads(struct persistence *p, struct recovery *recovery,
                                            const struct journal_scan *scan, struct text *error)
{
    enum persistence_status status = PERSISTENCE_OK;
    if (is_remote(p->where))
        opening_prepare(p, recovery);
    else
        status = opening_run_now(p, recovery, error);
    if (status == PERSISTENCE_OK)
        status = open_journal(p, scan, error);
    if (status == PERSISTENCE_OK)
        status = start_threads(p, error);
    if (status == PERSISTENCE_OK && p->opening)
        status = opening_begin(p, error);
    if (status == PERSISTENCE_OK)
        status = check_retirable(p, scan, error);
    return status;
}

static enum persistence_status open_directory(struct persistence *p, struct text *error)
{
    struct journal_scan scan = {0};
    struct recovery recovery = {0};
    struct text reason = {0};
    enum persistence_status status = lock_own(p, error);
    if (status != PERSISTENCE_OK)
        return status;
    if (!identity_open(p->own, &p->identity, &reason))
        return refuse_own(p, &reason, error);
    memcpy(p->replica, p->identity.replica, sizeof(p->replica));
    identity_incarnation(p->replica, p->incarnation);
    status = read_journal(p, &recovery, &scan, error);
    if (status == PERSISTENCE_OK)
        status = open_store(p, recovery_ops(&recovery), error);
    if (status == PERSISTENCE_OK && !persistence_open_heads(p, &reason))
        status = refuse_own(p, &reason, error);
    if (status == PERSISTENCE_OK)
        status = open_threads(p, &recovery, &scan, error);
    if (status == PERSISTENCE_OK)
        status = retire_journal(p, &scan, error);
    atomic_store(&p->retired, status == PERSISTENCE_OK && !p->options.journal);
    recovery_release(&recovery);
    journal_scan_release(&scan);
    return status;
}

static struct persistence *create(const struct persistence_options *options)
{
    struct persistence *p = mem_calloc(1, sizeof(*p));
    p->options = *options;
    p->memory = strcmp(options->store, "memory") == 0;
    p->where = copy_string(options->store);
    p->dir = copy_string(options->dir                ? options->dir
                         : is_remote(options->store) ? "."
                                                     : options->store);
    p->options.store = p->where;
    p->options.dir = p->dir;
    p->own = p->lock = p->store_lock = -1;
    identity_init(&p->identity);
    namespaces_file_init(&p->noted);
    pthread_mutex_init(&p->registry, NULL);
    pthread_mutex_init(&p->troubles, NULL);
    snprintf(p->incarnation, sizeof(p->incarnation), "memory/0");
    p->writable = true;
    p->last_sync_ok = true;
    p->pending_limit = options->pending_limit;
    p->replica_expiry_ms = options->replica_expiry_ms;
    p->sync_interval_ms = options->sync_interval_ms;
    p->last_sync_ms = persistence_now(p);
    return p;
}

enum persistence_status persistence_open(const struct persistence_options *options,
                                         struct persistence **out, struct text *error)
{
    struct persistence *p = create(options);
    enum persistence_status status = PERSISTENCE_UNWRITABLE;
    if (p->memory)
        status = PERSISTENCE_OK;
    else if (store_place_known(p->where, error))
        status = open_directory(p, error);
    if (status == PERSISTENCE_OK)
        *out = p;
    else
        persistence_close(p);
    return status;
}

bool persistence_loading(const struct persistence *p)
{
    return atomic_load(&p->loading);
}

void persistence_arm(struct persistence *p)
{
    opening_arm(p);
}

/* --- closing --- */

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* What becomes of `ops` that the store may not have. All threads have ended. */
static enum persistence_status tell_rest(struct persistence *p, int64_t ops, bool kept)
{
    const char *why = p->trouble[p->trouble[TROUBLE_STORE][0] ? TROUBLE_STORE : TROUBLE_OUTAGE];
    const char *colon = why[0] ? ": " : "";
    long long count = (long long)ops;
    if (!kept)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "%lld ops may be lost: neither store nor journal could take them%s%s; %s",
                        count, colon, why, p->trouble[TROUBLE_JOURNAL]);
    else if (ops && p->options.journal)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "%lld ops that the store may not have are in the journal, and will be "
                        "committed at the next start%s%s",
                        count, colon, why);
    else if (ops)
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "%lld ops are lost: the store has not taken them, and there is no "
                        "journal%s%s",
                        count, colon, why);
    return kept && (p->options.journal || !ops) ? PERSISTENCE_KEPT : PERSISTENCE_UNWRITABLE;
}

void persistence_end_workers(struct persistence *p)
{
    struct workers **const all[] = {&p->workers, &p->folders, &p->urgent};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        workers_destroy(*all[i]);
        *all[i] = NULL;
    }
}

/* Ends what has threads. */
static enum persistence_status stop(struct persistence *p)
{
    int64_t ops;
    bool all = syncer_destroy(p->syncer);
    all = !opening_owes(p, &ops) && all;
    for (size_t i = 0; i < p->count; i++)
        ops += atomic_load(&p->ordered[i]->pending_ops);
    p->syncer = NULL;
    persistence_end_workers(p);
    opening_destroy(p);
    persistence_flush_heads(p);
    bool kept = journal_destroy(p->journal, all);
    if (all && !kept) /* nor will they be missed */
        persistence_log(p, PERSISTENCE_LOG_WARNING,
                        "everything is in the store, but the files of the journal in %s/.cairn "
                        "cannot be removed; the next start will do that",
                        p->dir);
    return all ? PERSISTENCE_OK : tell_rest(p, ops, kept);
}

enum persistence_status persistence_close(struct persistence *p)
{
    enum persistence_status status = PERSISTENCE_OK;
    if (!p)
        return status;
    atomic_store(&p->stopping, true);
    if (p->syncer) {
        status = stop(p);
    } else {
        persistence_end_workers(p);
        opening_destroy(p);
        journal_destroy(p->journal, false);
    }
    for (size_t i = 0; i < p->count; i++)
        namespace_destroy(p->ordered[i]);
    mem_free(p->sorted);
    mem_free(p->ordered);
    store_close(p->store);
    close_fd(p->own);
    identity_close(&p->identity);
    namespaces_file_close(&p->noted);
    text_release(&p->place);
    close_fd(p->lock);
    close_fd(p->store_lock);
    pthread_mutex_destroy(&p->registry);
    pthread_mutex_destroy(&p->troubles);
    mem_free(p->where);
    mem_free(p->dir);
    mem_free(p);
    return status;
}
