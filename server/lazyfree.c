/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue under a mutex and one thread that sleeps on it. */
#include "server/lazyfree.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ops/mem.h"

struct job {
    struct job *next;
    struct inverse *contents;
    struct garbage *garbage;
    int64_t objects;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static struct job *first, **last = &first;
static bool stopping;
static _Atomic int64_t pending, freed;

static struct job *next_job(void)
{
    pthread_mutex_lock(&mutex);
    while (!first && !stopping)
        pthread_cond_wait(&wake, &mutex);
    struct job *job = first;
    if (job) {
        first = job->next;
        if (!first)
            last = &first;
    }
    pthread_mutex_unlock(&mutex);
    return job;
}

static void *run(void *arg)
{
    (void)arg;
    struct job *job;
    pthread_setname_np(pthread_self(), "lazyfree");
    while ((job = next_job())) {
        if (job->contents)
            inverse_destroy(job->contents);
        if (job->garbage)
            garbage_free(job->garbage);
        atomic_fetch_sub(&pending, job->objects);
        atomic_fetch_add(&freed, job->objects);
        mem_free(job);
    }
    return NULL;
}

void lazyfree_start(void)
{
    stopping = false;
    int error = pthread_create(&thread, NULL, run, NULL);
    assert(error == 0 && "a thread at start");
}

void lazyfree_stop(void)
{
    pthread_mutex_lock(&mutex);
    stopping = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
}

static void submit(struct inverse *contents, struct garbage *garbage, int64_t objects)
{
    struct job *job = mem_alloc(sizeof(*job));
    *job = (struct job){.contents = contents, .garbage = garbage, .objects = objects};
    atomic_fetch_add(&pending, objects);
    pthread_mutex_lock(&mutex);
    *last = job;
    last = &job->next;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&mutex);
}

void lazyfree_contents(struct inverse *contents, int64_t keys)
{
    if (contents)
        submit(contents, NULL, keys);
}

void lazyfree_garbage(struct garbage *chain)
{
    if (chain)
        submit(NULL, chain, (int64_t)garbage_count(chain));
}

int64_t lazyfree_pending(void)
{
    return atomic_load(&pending);
}

int64_t lazyfree_freed(void)
{
    return atomic_load(&freed);
}

void lazyfree_reset(void)
{
    atomic_store(&freed, 0);
}
