/* SPDX-License-Identifier: BSD-3-Clause */
/* See stats.h. Error codes and the marks of the last reset are under a mutex: they are rare. */
#include "server/stats.h"

#include <pthread.h>
#include <string.h>

#include "ops/mem.h"
#include "server/command.h"
#include "server/loop-internal.h"

#define ERROR_CODES_MAX                                                                            \
    128 /* clients can make up codes only through scripts; bounded all the same */
#define SAMPLES 16

struct error_count {
    char code[32];
    int64_t count;
};

struct sample {
    int64_t commands, input, output; /* a second */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t reset_marks[STAT_COUNT];
static struct command_totals *reset_commands;
static struct error_count errors[ERROR_CODES_MAX];
static size_t error_count;

static struct sample samples[SAMPLES];
static size_t sample_at;
static _Atomic int64_t elsewhere[STAT_COUNT]; /* what threads that are no loop's have counted */
static int64_t sampled_ms, sampled_commands, sampled_input, sampled_output;

void stats_init(struct loop_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->commands = mem_calloc(command_count(), sizeof(*stats->commands));
}

void stats_release(struct loop_stats *stats)
{
    mem_free(stats->commands);
    stats->commands = NULL;
}

void stats_count(enum stats_counter stat, int64_t by)
{
    struct loop *loop = loop_current();
    if (loop)
        stats_bump(&loop->stats.counters[stat], by);
    else
        atomic_fetch_add_explicit(&elsewhere[stat], by, memory_order_relaxed);
}

static int64_t sum_raw(enum stats_counter stat)
{
    int64_t sum = atomic_load_explicit(&elsewhere[stat], memory_order_relaxed);
    for (int i = 0; i < loop_count(); i++)
        sum += atomic_load_explicit(&loop_at(i)->stats.counters[stat], memory_order_relaxed);
    return sum;
}

static struct command_totals command_raw(size_t id)
{
    struct command_totals sum = {0};
    for (int i = 0; i < loop_count(); i++) {
        const struct command_stats *one = &loop_at(i)->stats.commands[id];
        sum.calls += atomic_load_explicit(&one->calls, memory_order_relaxed);
        sum.usec += atomic_load_explicit(&one->usec, memory_order_relaxed);
        sum.rejected += atomic_load_explicit(&one->rejected, memory_order_relaxed);
        sum.failed += atomic_load_explicit(&one->failed, memory_order_relaxed);
    }
    return sum;
}

int64_t stats_sum(enum stats_counter stat)
{
    pthread_mutex_lock(&mutex);
    int64_t sum = sum_raw(stat) - reset_marks[stat];
    pthread_mutex_unlock(&mutex);
    return sum;
}

struct command_totals stats_command(size_t id)
{
    struct command_totals sum = command_raw(id);
    pthread_mutex_lock(&mutex);
    if (reset_commands) {
        sum.calls -= reset_commands[id].calls;
        sum.usec -= reset_commands[id].usec;
        sum.rejected -= reset_commands[id].rejected;
        sum.failed -= reset_commands[id].failed;
    }
    pthread_mutex_unlock(&mutex);
    return sum;
}

void stats_reset(void)
{
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < STAT_COUNT; i++)
        reset_marks[i] = sum_raw((enum stats_counter)i);
    if (!reset_commands)
        reset_commands = mem_calloc(command_count(), sizeof(*reset_commands));
    for (size_t id = 0; id < command_count(); id++)
        reset_commands[id] = command_raw(id);
    error_count = 0;
    pthread_mutex_unlock(&mutex);
}

void stats_error(const char *text, size_t len)
{
    const char *space = memchr(text, ' ', len);
    size_t code_len = space ? (size_t)(space - text) : len;
    if (code_len == 0 || code_len >= sizeof(errors[0].code))
        return;
    pthread_mutex_lock(&mutex);
    size_t at = 0;
    int order = 1;
    for (; at < error_count; at++) {
        order = strncmp(text, errors[at].code, code_len);
        if (order == 0 && errors[at].code[code_len])
            order = -1;
        if (order <= 0)
            break;
    }
    if (order == 0 && at < error_count) {
        errors[at].count++;
    } else if (error_count < ERROR_CODES_MAX) {
        memmove(&errors[at + 1], &errors[at], (error_count - at) * sizeof(errors[0]));
        memcpy(errors[at].code, text, code_len);
        errors[at].code[code_len] = 0;
        errors[at].count = 1;
        error_count++;
    }
    pthread_mutex_unlock(&mutex);
}

void stats_errors_print(struct text *out)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < error_count; i++)
        text_append_format(out, "errorstat_%s:count=%lld\r\n", errors[i].code,
                           (long long)errors[i].count);
    pthread_mutex_unlock(&mutex);
}

static int64_t per_second(int64_t now, int64_t before, int64_t ms)
{
    return now > before ? (now - before) * 1000 / ms : 0;
}

void stats_sample(int64_t now_ms)
{
    pthread_mutex_lock(&mutex);
    int64_t commands = sum_raw(STAT_COMMANDS);
    int64_t input = sum_raw(STAT_INPUT_BYTES), output = sum_raw(STAT_OUTPUT_BYTES);
    int64_t ms = now_ms - sampled_ms;
    if (sampled_ms && ms > 0) {
        samples[sample_at] = (struct sample){per_second(commands, sampled_commands, ms),
                                             per_second(input, sampled_input, ms),
                                             per_second(output, sampled_output, ms)};
        sample_at = (sample_at + 1) % SAMPLES;
    }
    sampled_ms = now_ms;
    sampled_commands = commands;
    sampled_input = input;
    sampled_output = output;
    pthread_mutex_unlock(&mutex);
}

struct stats_rates stats_rates(void)
{
    struct stats_rates sum = {0};
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < SAMPLES; i++) {
        sum.commands += samples[i].commands;
        sum.input += samples[i].input;
        sum.output += samples[i].output;
    }
    pthread_mutex_unlock(&mutex);
    sum.commands /= SAMPLES;
    sum.input /= SAMPLES;
    sum.output /= SAMPLES;
    return sum;
}
