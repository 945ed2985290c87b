/* SPDX-License-Identifier: BSD-3-Clause */
/* See workers.h: a queue, a mutex, a condition. */
#include "persistence/workers.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ops/mem.h"

struct job {
    struct job *next;
    worker_job *run;
    void *ctx;
};

struct worker {
    struct workers *all;
    struct store *store;
    pthread_t thread;
};

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    struct job *queue, **queue_end;
    bool stopping;
    int count, nice;
    struct worker *list;
};

static void *worker_thread(void *arg)
{
    struct worker *worker = arg;
    struct workers *all = worker->all;
    pthread_setname_np(pthread_self(), "worker");
    /* Linux has this per thread. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), all->nice);
    pthread_mutex_lock(&all->mutex);
    for (;;) {
        while (!all->queue && !all->stopping)
            pthread_cond_wait(&all->more, &all->mutex);
        struct job *job = all->queue;
        if (!job)
            break;
        all->queue = job->next;
        if (!all->queue)
            all->queue_end = &all->queue;
        pthread_mutex_unlock(&all->mutex);
        job->run(job->ctx, worker->store);
        mem_free(job);
        pthread_mutex_lock(&all->mutex);
    }
    pthread_mutex_unlock(&all->mutex);
    return NULL;
}

struct workers *workers_create(int count, int nice, struct store *store)
{
    struct workers *workers = mem_calloc(1, sizeof(*workers));
    workers->count = count > 0 ? count : 1;
    workers->nice = nice;
    workers->list = mem_calloc((size_t)workers->count, sizeof(*workers->list));
    workers->queue_end = &workers->queue;
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->more, NULL);
    for (int i = 0; i < workers->count; i++) {
        struct worker *worker = &workers->list[i];
        worker->all = workers;
        worker->store = store ? store_clone(store) : NULL;
        int failed = pthread_create(&worker->thread, NULL, worker_thread, worker);
        assert(!failed);
        (void)failed;
    }
    return workers;
}

void workers_destroy(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->mutex);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->more);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->count; i++) {
        pthread_join(workers->list[i].thread, NULL);
        store_close(workers->list[i].store);
    }
    pthread_cond_destroy(&workers->more);
    pthread_mutex_destroy(&workers->mutex);
    mem_free(workers->list);
    mem_free(workers);
}

void workers_submit(struct workers *workers, worker_job *run, void *ctx)
{
    struct job *job = mem_alloc(sizeof(*job));
    *job = (struct job){.run = run, .ctx = ctx};
    pthread_mutex_lock(&workers->mutex);
    *workers->queue_end = job;
    workers->queue_end = &job->next;
    pthread_cond_signal(&workers->more);
    pthread_mutex_unlock(&workers->mutex);
}
