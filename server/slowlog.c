/* SPDX-License-Identifier: BSD-3-Clause */
/* A list under a mutex, newest first. It is reached only by what was slow. */
#include "server/slowlog.h"

#include <pthread.h>
#include <stdio.h>

#include "ops/mem.h"
#include "server/client-internal.h"
#include "server/config.h"
#include "server/loop-internal.h"
#include "server/redact.h"
#include "server/registry.h"

#define ARGS_MAX  32  /* as Redis: 31 arguments, then how many more */
#define BYTES_MAX 128 /* of one argument */

struct slow {
    struct slow *next;
    int64_t id, when_s, usec;
    int argc;
    char *args[ARGS_MAX];
    size_t lens[ARGS_MAX];
    char address[64], name[64];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slow *newest;
static size_t count;
static int64_t next_id;

static void slow_destroy(struct slow *slow)
{
    for (int i = 0; i < slow->argc; i++)
        mem_free(slow->args[i]);
    mem_free(slow);
}

static void take_arg(struct slow *slow, struct slice arg)
{
    char *copy = mem_alloc(BYTES_MAX + 64);
    size_t len = arg.len < BYTES_MAX ? arg.len : BYTES_MAX;
    memcpy(copy, arg.data, len);
    if (arg.len > BYTES_MAX)
        len += (size_t)snprintf(copy + len, 64, "... (%zu more bytes)", arg.len - BYTES_MAX);
    slow->args[slow->argc] = copy;
    slow->lens[slow->argc++] = len;
}

static struct slow *slow_create(struct exec *x, int64_t usec)
{
    struct slow *slow = mem_calloc(1, sizeof(*slow));
    int shown = x->argc > ARGS_MAX ? ARGS_MAX - 1 : x->argc;
    struct slice *argv = redact(x);
    for (int i = 0; i < shown; i++)
        take_arg(slow, argv[i]);
    mem_free(argv);
    if (x->argc > shown) {
        char more[64];
        snprintf(more, sizeof(more), "... (%d more arguments)", x->argc - shown);
        take_arg(slow, slice_of(more));
    }
    slow->when_s = x->now / 1000;
    slow->usec = usec;
    snprintf(slow->address, sizeof(slow->address), "%s", x->client->address);
    registry_copy_name(x->client, slow->name, sizeof(slow->name));
    return slow;
}

static void trim_locked(size_t keep)
{
    struct slow **at = &newest;
    for (size_t i = 0; i < keep && *at; i++)
        at = &(*at)->next;
    while (*at) {
        struct slow *gone = *at;
        *at = gone->next;
        slow_destroy(gone);
        count--;
    }
}

void slowlog_note(struct exec *x, const struct command *command, int64_t usec)
{
    int64_t limit = CONFIG(slowlog_slower_than);
    if (limit < 0 || usec < limit || command->flags & CMD_SKIP_SLOWLOG || !x->client ||
        x->loop->wanted)
        return;
    struct slow *slow = slow_create(x, usec);
    pthread_mutex_lock(&mutex);
    slow->id = next_id++;
    slow->next = newest;
    newest = slow;
    count++;
    trim_locked((size_t)CONFIG(slowlog_max_len));
    pthread_mutex_unlock(&mutex);
}

void slowlog_trim(void)
{
    pthread_mutex_lock(&mutex);
    trim_locked((size_t)CONFIG(slowlog_max_len));
    pthread_mutex_unlock(&mutex);
}

void slowlog_reset(void)
{
    pthread_mutex_lock(&mutex);
    trim_locked(0);
    pthread_mutex_unlock(&mutex);
}

size_t slowlog_len(void)
{
    pthread_mutex_lock(&mutex);
    size_t len = count;
    pthread_mutex_unlock(&mutex);
    return len;
}

static void write_slow(struct resp_writer *out, const struct slow *slow)
{
    resp_write_array(out, 6);
    resp_write_integer(out, slow->id);
    resp_write_integer(out, slow->when_s);
    resp_write_integer(out, slow->usec);
    resp_write_array(out, (size_t)slow->argc);
    for (int i = 0; i < slow->argc; i++)
        resp_write_bulk(out, slow->args[i], slow->lens[i]);
    resp_write_bulk_text(out, slow->address);
    resp_write_bulk_text(out, slow->name);
}

void slowlog_write(struct exec *x, int64_t wanted)
{
    pthread_mutex_lock(&mutex);
    size_t n = wanted < 0 || (size_t)wanted > count ? count : (size_t)wanted;
    resp_write_array(x->out, n);
    for (const struct slow *slow = newest; n > 0; slow = slow->next, n--)
        write_slow(x->out, slow);
    pthread_mutex_unlock(&mutex);
}
