/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the whole persistence share: a directory, a server's options, short writes. */
#ifndef CAIRN_TESTS_PERSISTENCE_SUPPORT_H
#define CAIRN_TESTS_PERSISTENCE_SUPPORT_H

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "ops/value.h"
#include "persistence/persistence.h"

/* A persistence that is open, with the options it was opened with. */
struct bench {
    struct persistence_options options;
    struct persistence *p;
};

static inline int64_t wall_ms(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void print_log(void *ctx, enum persistence_log_level level, const char *line)
{
    (void)ctx;
    if (getenv("LOG"))
        fprintf(stderr, "%s %s\n", level == PERSISTENCE_LOG_WARNING ? "#" : "*", line);
}

static inline int directory_setup(void **state)
{
    static _Atomic int counter;
    char name[64];
    snprintf(name, sizeof(name), "/tmp/cairn-test-%ld-%d", (long)getpid(), counter++);
    *state = mkdir(name, 0700) == 0 ? strdup(name) : NULL;
    return *state ? 0 : -1;
}

static inline int directory_teardown(void **state)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    free(*state);
    return system(command);
}

static inline struct persistence_options bench_options(const char *store)
{
    return (struct persistence_options){
        .store = store,
        .sync_interval_ms = 0,
        .journal_fsync = JOURNAL_FSYNC_EVERYSEC,
        .journal = true,
        .pending_limit = 64 << 20,
        .inline_limit = 64 << 10,
        .chunk_size = 4 << 20,
        .history_ms = 24 * 3600 * 1000,
        .workers = 2,
        .log = print_log,
        .now_ms = wall_ms,
    };
}

/* Opens or fails the test. */
static inline void bench_start(struct bench *bench)
{
    struct text error = {0};
    enum persistence_status status = persistence_open(&bench->options, &bench->p, &error);
    if (status != PERSISTENCE_OK)
        fprintf(stderr, "open: %s\n", text_terminated(&error));
    assert_int_equal(status, PERSISTENCE_OK);
    text_release(&error);
}

static inline struct bench bench_open(const char *store)
{
    struct bench bench = {.options = bench_options(store)};
    bench_start(&bench);
    return bench;
}

static inline void bench_close(struct bench *bench)
{
    assert_int_equal(persistence_close(bench->p), PERSISTENCE_OK);
    bench->p = NULL;
}

static inline void bench_reopen(struct bench *bench)
{
    bench_close(bench);
    bench_start(bench);
}

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool open;
    enum persistence_status status;
    uint64_t position;
};

#define GATE_INIT                                                                                  \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER                     \
    }

static inline void gate_open(struct gate *gate, enum persistence_status status, uint64_t position)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    gate->status = status;
    gate->position = position;
    pthread_cond_signal(&gate->opened);
    pthread_mutex_unlock(&gate->mutex);
}

static inline void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static inline void gate_loaded(void *ctx, struct namespace *ns)
{
    (void)ns;
    gate_open(ctx, PERSISTENCE_OK, 0);
}

static inline void gate_synced(void *ctx, enum persistence_status status, uint64_t position)
{
    gate_open(ctx, status, position);
}

static inline void gate_waited(void *ctx, enum persistence_status status)
{
    gate_open(ctx, status, 0);
}

static inline enum namespace_state try_load(struct bench *bench, const char *name,
                                            struct namespace **ret_ns)
{
    struct gate gate = GATE_INIT;
    *ret_ns = persistence_namespace(bench->p, slice_of(name));
    persistence_load(bench->p, *ret_ns, gate_loaded, &gate);
    gate_pass(&gate);
    return namespace_state(*ret_ns);
}

static inline struct namespace *load(struct bench *bench, const char *name)
{
    struct namespace *ns = persistence_namespace(bench->p, slice_of(name));
    if (namespace_state(ns) != NAMESPACE_READY)
        assert_int_equal(try_load(bench, name, &ns), NAMESPACE_READY);
    return ns;
}

static inline enum persistence_status sync_now(struct bench *bench, const char *name,
                                               uint64_t *ret_position)
{
    struct gate gate = GATE_INIT;
    struct namespace *ns = name ? persistence_namespace(bench->p, slice_of(name)) : NULL;
    persistence_sync(bench->p, ns, gate_synced, &gate);
    gate_pass(&gate);
    if (ret_position)
        *ret_position = gate.position;
    return gate.status;
}

/* Applies and records; the lock is held. */
static inline struct outcome run_op(struct namespace *ns, struct op *op)
{
    struct outcome outcome;
    namespace_record(ns, op);
    apply(namespace_keyspace(ns), op, &outcome, NULL);
    if (!outcome.changed)
        namespace_forget(ns);
    return outcome;
}

/* One command: locked, applied, sealed, hardened. */
static inline enum persistence_status write_op(struct bench *bench, struct namespace *ns,
                                               struct op *op, bool fsync)
{
    namespace_lock(ns);
    op->time = wall_ms(NULL);
    if (op->time < namespace_clock(ns))
        op->time = namespace_clock(ns);
    run_op(ns, op);
    uint64_t ticket = namespace_seal(ns);
    namespace_unlock(ns);
    return persistence_harden(bench->p, ticket, fsync);
}

static inline void set_key(struct bench *bench, const char *name, const char *key,
                           const char *value)
{
    struct op op = {
        .kind = OP_SCALAR_SET, .key = slice_of(key), .scalar_set = {.value = slice_of(value)}};
    assert_int_equal(write_op(bench, load(bench, name), &op, false), PERSISTENCE_OK);
}

static inline void add_number(struct bench *bench, const char *name, const char *key, int64_t delta)
{
    struct op op = {.kind = OP_INT_ADD, .key = slice_of(key), .int_add = {.delta = delta}};
    assert_int_equal(write_op(bench, load(bench, name), &op, false), PERSISTENCE_OK);
}

/* The string at `key` into `out`; false when there is none. */
static inline bool get_key(struct bench *bench, const char *name, const char *key, char *out,
                           size_t cap)
{
    struct namespace *ns = load(bench, name);
    char scratch[24];
    namespace_lock(ns);
    struct entry *entry = keyspace_find(namespace_keyspace(ns), slice_of(key), 0, wall_ms(NULL));
    if (entry) {
        struct slice bytes = string_bytes(entry, scratch);
        snprintf(out, cap, "%.*s", (int)bytes.len, bytes.data);
    }
    namespace_unlock(ns);
    return entry != NULL;
}

static inline void assert_key(struct bench *bench, const char *name, const char *key,
                              const char *value)
{
    char present[256];
    assert_true(get_key(bench, name, key, present, sizeof(present)));
    assert_string_equal(present, value);
}

static inline void assert_no_key(struct bench *bench, const char *name, const char *key)
{
    char present[256];
    assert_false(get_key(bench, name, key, present, sizeof(present)));
}

static inline int64_t number_at(struct bench *bench, const char *name, const char *key)
{
    char present[64];
    return get_key(bench, name, key, present, sizeof(present)) ? strtoll(present, NULL, 10) : 0;
}

static inline size_t key_count(struct bench *bench, const char *name)
{
    struct namespace *ns = load(bench, name);
    namespace_lock(ns);
    size_t count = keyspace_size(namespace_keyspace(ns));
    namespace_unlock(ns);
    return count;
}

/* Nothing can be put into the store while a file stands where temporary files are made. */
static inline void block_store(const char *store)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/.cairn/tmp", store);
    assert_int_equal(rmdir(path), 0);
    close(open(path, O_CREAT | O_WRONLY, 0644));
}

static inline void unblock_store(const char *store)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/.cairn/tmp", store);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
}

/* Files in a directory of the store whose names begin so. */
static inline int count_files(const char *store, const char *folder, const char *prefix)
{
    char path[512];
    int count = 0;
    struct dirent *found;
    snprintf(path, sizeof(path), "%s/%s", store, folder);
    DIR *dir = opendir(path);
    while (dir && (found = readdir(dir)))
        count += strncmp(found->d_name, prefix, strlen(prefix)) == 0;
    if (dir)
        closedir(dir);
    return count;
}

#endif
