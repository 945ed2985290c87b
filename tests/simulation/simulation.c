/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *     simulation [SEEDS [FIRST]]    that many seeds, from FIRST (1) on
 *
 * A seed that fails prints its trace; `simulation 1 SEED` repeats it. With TRACE=1 every trace is
 * printed. Ends with `N passed, N failed`; every fault, crash, event and kind of op must have
 * happened when there were seeds enough. As many processes share the seeds as JOBS says, or as
 * there are processors; worlds know nothing of each other.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/simulation/sim.h"

#define ENOUGH_SEEDS 1000
#define JOBS_MAX     64
#define FAILURES_MAX 10 /* then a process ends */

#define X(name) #name,
static const char *const fault_names[] = {SIM_FAULT_LIST(X)};
static const char *const crash_names[] = {SIM_CRASH_LIST(X)};
static const char *const event_names[] = {SIM_EVENT_LIST(X)};
static const char *kind_names[OP_COUNT];
#undef X

/* Runs it twice when asked to: the second time must tell the same story. */
static bool run_seed(uint64_t seed, bool twice, struct sim_totals *totals)
{
    struct text trace = {0}, again = {0};
    struct sim_totals ignored = {0};
    bool ok = world_run(seed, totals, &trace);
    if (!ok || getenv("TRACE"))
        fwrite(trace.data, 1, trace.len, stdout);
    if (!ok)
        printf("seed %" PRIu64 " failed\n", seed);
    if (ok && twice) {
        world_run(seed, &ignored, &again);
        ok = slice_equal(text_slice(&trace), text_slice(&again));
        if (!ok)
            printf("seed %" PRIu64 " did not repeat\n", seed);
    }
    text_release(&trace);
    text_release(&again);
    return ok;
}

static bool print_counts(const char *title, const char *const *names, const uint64_t *counts,
                         int count)
{
    bool all = true;
    printf("%s:", title);
    for (int i = 0; i < count; i++) {
        printf(" %s %" PRIu64, names[i], counts[i]);
        all &= counts[i] > 0;
    }
    printf("\n");
    return all;
}

struct result {
    struct sim_totals totals;
    uint64_t failed;
};

/* A process of its own, whose traces go to a file that is printed when it has ended. */
struct job {
    pid_t pid;
    int pipe;
    FILE *output;
};

static void run_share(uint64_t first, uint64_t seeds, uint64_t step, struct result *result)
{
    for (uint64_t i = 0; i < seeds; i += step)
        if (!run_seed(first + i, (first + i) % 50 == 1, &result->totals) &&
            ++result->failed == FAILURES_MAX)
            return;
}

/* An assertion of the code under test, or worse. */
static void on_signal(int number)
{
    signal(number, SIG_DFL);
    world_tell_running(STDOUT_FILENO);
    raise(number);
}

static void job_start(struct job *job, uint64_t first, uint64_t seeds, uint64_t step)
{
    int ends[2];
    job->output = tmpfile();
    if (!job->output || pipe(ends))
        abort();
    fflush(stdout);
    job->pid = fork();
    if (job->pid == 0) {
        struct result result = {0};
        dup2(fileno(job->output), STDOUT_FILENO);
        setvbuf(stdout, NULL, _IOLBF, 0);
        signal(SIGABRT, on_signal);
        signal(SIGSEGV, on_signal);
        run_share(first, seeds, step, &result);
        fflush(stdout);
        _exit(write(ends[1], &result, sizeof(result)) != (ssize_t)sizeof(result));
    }
    close(ends[1]);
    job->pipe = ends[0];
}

/* A process that ends badly counts as a failure: the signal says of what kind. */
static void job_finish(struct job *job, struct result *sum)
{
    struct result result = {0};
    size_t at = 0;
    int status, c;
    while (at < sizeof(result)) {
        ssize_t got = read(job->pipe, (char *)&result + at, sizeof(result) - at);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    waitpid(job->pid, &status, 0);
    if (at < sizeof(result) || status) {
        result = (struct result){.failed = 1};
        printf("a process ended with status %d\n", status);
    }
    rewind(job->output);
    while ((c = fgetc(job->output)) != EOF)
        putchar(c);
    fclose(job->output);
    close(job->pipe);
    totals_add(&sum->totals, &result.totals);
    sum->failed += result.failed;
}

static uint64_t job_count(uint64_t seeds)
{
    const char *wanted = getenv("JOBS");
    long count = wanted ? strtol(wanted, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    count = count < 1 ? 1 : count > JOBS_MAX ? JOBS_MAX : count;
    return (uint64_t)count < seeds ? (uint64_t)count : seeds ? seeds : 1;
}

static bool print_totals(const struct sim_totals *totals)
{
    for (int i = 0; i < OP_COUNT; i++)
        kind_names[i] = op_kind_name((enum op_kind)i);
    bool all = print_counts("faults", fault_names, totals->faults, SIM_FAULT_COUNT);
    all = print_counts("crashes", crash_names, totals->crashes, SIM_CRASH_COUNT) && all;
    all = print_counts("events", event_names, totals->events, SIM_EVENT_COUNT) && all;
    all = print_counts("ops", kind_names, totals->kinds, OP_COUNT) && all;
    printf("ops %" PRIu64 " commits %" PRIu64 "\n", totals->ops, totals->commits);
    return all;
}

int main(int argc, char **argv)
{
    static const unsigned char fixed[16] = "a fixed hash key";
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, count = job_count(seeds);
    struct result sum = {0};
    struct job jobs[JOBS_MAX];
    key_hash_seed(fixed);
    for (uint64_t i = 0; i < count; i++)
        job_start(&jobs[i], first + i, seeds - i, count);
    for (uint64_t i = 0; i < count; i++)
        job_finish(&jobs[i], &sum);
    if (!print_totals(&sum.totals) && !sum.failed && seeds >= ENOUGH_SEEDS) {
        printf("something never happened\n");
        sum.failed++;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", seeds - sum.failed, sum.failed);
    return sum.failed ? 1 : 0;
}
