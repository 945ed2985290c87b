/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What there is once in a process: the store, the databases' namespaces, switches that DEBUG and
 * CLIENT PAUSE turn, the way down. Set up before the threads start; what changes later is atomic.
 */
#ifndef CAIRN_SERVER_SERVER_H
#define CAIRN_SERVER_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "persistence/persistence.h"

#define CAIRN_VERSION "0.1.0"
/* What clients that ask for Redis's version are told: the command set follows it. */
#define REDIS_VERSION "7.0.15"

#define SERVER_DATABASES_MAX 4096
/* Reply buffers shrink to what was needed at most in such a span; the default of Redis. */
#define REPLY_PEAK_RESET_MS 5000

struct server {
    struct persistence *persistence;
    int64_t start_ms;
    char run_id[41];
    struct namespace *databases[SERVER_DATABASES_MAX]; /* of SELECT n, n < CONFIG(databases) */

    _Atomic bool shutting_down;
    _Atomic bool stop_without_saving;
    _Atomic bool failed;                 /* the store must not be used */
    _Atomic bool password_set;           /* requirepass is not empty */
    _Atomic bool active_expire;          /* DEBUG SET-ACTIVE-EXPIRE */
    _Atomic int64_t reply_peak_reset_ms; /* DEBUG REPLYBUFFER PEAK-RESET-TIME; -1 never */
    _Atomic int64_t used_memory;         /* mem_used(), see memory_watch.h */
    _Atomic int64_t peak_memory;
    _Atomic int64_t startup_memory; /* before the store was opened */
};
extern struct server server;

/* Namespaces that may hold something: all objects made so far. The caller frees with mem_free. */
size_t server_namespaces(struct namespace ***out);

/* Starts an orderly end: the loops stop, then main closes the store. Any thread. */
void server_stop(bool save);

#endif
