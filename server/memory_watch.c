/* SPDX-License-Identifier: BSD-3-Clause */
/* See memory_watch.h. */
#include "server/memory_watch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/monotonic.h"
#include "server/server.h"

#define INTERVAL_NS 100000000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static bool stopping;

static void sample(void)
{
    int64_t used = (int64_t)mem_used();
    atomic_store_explicit(&server.used_memory, used, memory_order_relaxed);
    if (used > atomic_load_explicit(&server.peak_memory, memory_order_relaxed))
        atomic_store_explicit(&server.peak_memory, used, memory_order_relaxed);
}

/* An interval, or less when it is to end. The mutex is held. */
static void pause_sampling(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += INTERVAL_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!stopping && pthread_cond_clockwait(&wake, &mutex, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
        continue;
}

static void *run(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "memory-watch");
    pthread_mutex_lock(&mutex);
    while (!stopping) {
        pthread_mutex_unlock(&mutex);
        sample();
        mem_tend_passing(monotonic_ms());
        pthread_mutex_lock(&mutex);
        pause_sampling();
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

void memory_watch_start(void)
{
    stopping = false;
    int error = pthread_create(&thread, NULL, run, NULL);
    assert(error == 0 && "a thread at start");
}

void memory_watch_stop(void)
{
    pthread_mutex_lock(&mutex);
    stopping = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
}
