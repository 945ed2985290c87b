/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A steady client that measures how long the slowest requests wait.
 *
 *   stall PORT SECONDS RATE KEYS [get]
 *
 * Sends GET and SET in turn to random keys "bench:s:<12 digits>" at a fixed rate on one connection,
 * and takes each latency from the moment the request was due, not from when it could be sent: a
 * stall counts for all the requests it held up. With "get" it only GETs. Knows nothing but the
 * wire.
 *
 * A virtual machine stands still at times, with all that runs on it. So that this can be told from
 * what a server does, a thread on each processor wakes every millisecond; where it may, it and the
 * client run before all others (SCHED_FIFO). If one wakes over a millisecond late, the machine
 * stood from when it was due until then. All other requests than those that were on their way in
 * that time, or in as long after it, while what piled up is served, found the machine awake.
 *
 * Prints "p50 p99 p99.9 p99.99 max count slow awake-p99.99 awake-max awake-slow stood": times in
 * microseconds, how many requests took more than 5 ms, the same of those that found the machine
 * awake, and for how long it stood.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    NS = 1000000000,
    TICK = 1000000,
    LATE = 1000000,
    SLOW = 5000000,
    REPLY_SIZE = 65536,
    CPUS_MAX = 64
};

/* A time in which a processor stood: until `end` and, for requests, as long again. */
struct stand {
    int64_t begin, end;
};

struct ticker {
    pthread_t thread;
    int cpu;
    int64_t until;
    struct stand *list; /* in order, owned */
    size_t count, cap;
};

struct request {
    int64_t due, took;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

static void wait_until(int64_t due)
{
    struct timespec t = {.tv_sec = due / NS, .tv_nsec = due % NS};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        continue;
}

static int connect_to(int port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 60};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        perror("stall: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

/* True when the buffer holds a whole reply to GET or SET: a line, or a bulk with its text. */
static bool is_whole(const char *reply, size_t len)
{
    const char *end = memchr(reply, '\n', len);
    long size;

    if (!end)
        return false;
    size = reply[0] == '$' ? strtol(reply + 1, NULL, 10) : -1;
    return size < 0 || len >= (size_t)(end - reply) + 1 + (size_t)size + 2;
}

static void ask(int fd, bool write_it, long key)
{
    static char reply[REPLY_SIZE];
    char request[128];
    size_t have = 0;
    int len =
        write_it
            ? snprintf(request, sizeof(request),
                       "*3\r\n$3\r\nSET\r\n$20\r\nbench:s:%012ld\r\n$16\r\n0123456789abcdef\r\n",
                       key)
            : snprintf(request, sizeof(request), "*2\r\n$3\r\nGET\r\n$20\r\nbench:s:%012ld\r\n",
                       key);

    if (write(fd, request, (size_t)len) != len) {
        perror("stall: write");
        exit(1);
    }
    do {
        ssize_t n = read(fd, reply + have, sizeof(reply) - have);

        if (n <= 0) {
            fprintf(stderr, "stall: the server went away or was silent for a minute\n");
            exit(1);
        }
        have += (size_t)n;
    } while (!is_whole(reply, have));
}

/* Of the calling thread; without the right to it, it stays as it is. */
static void run_before_others(int priority)
{
    struct sched_param param = {.sched_priority = priority};

    (void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

static void note_stand(struct ticker *ticker, int64_t begin, int64_t end)
{
    if (ticker->count == ticker->cap) {
        ticker->cap = ticker->cap ? 2 * ticker->cap : 64;
        ticker->list = realloc(ticker->list, ticker->cap * sizeof(*ticker->list));
        if (!ticker->list)
            abort();
    }
    ticker->list[ticker->count++] = (struct stand){begin, end};
}

static void *tick(void *arg)
{
    struct ticker *ticker = arg;
    cpu_set_t cpu;

    CPU_ZERO(&cpu);
    CPU_SET(ticker->cpu, &cpu);
    pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu);
    run_before_others(2);
    for (int64_t due = now_ns(); due < ticker->until; due += TICK) {
        wait_until(due);
        int64_t woke = now_ns();
        if (woke - due > LATE) {
            note_stand(ticker, due, woke);
            due = woke;
        }
    }
    return NULL;
}

/* How many there are. */
static int start_tickers(struct ticker *tickers, int64_t until)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    for (int i = 0; i < count && i < CPUS_MAX; i++) {
        tickers[i] = (struct ticker){.cpu = i, .until = until};
        if (pthread_create(&tickers[i].thread, NULL, tick, &tickers[i]))
            abort();
    }
    return count < CPUS_MAX ? (int)count : CPUS_MAX;
}

static bool stood(const struct ticker *tickers, int count, const struct request *request)
{
    for (int i = 0; i < count; i++) {
        for (size_t k = 0; k < tickers[i].count; k++) {
            const struct stand *stand = &tickers[i].list[k];
            int64_t over = stand->end + (stand->end - stand->begin);
            if (request->due < over && request->due + request->took > stand->begin)
                return true;
        }
    }
    return false;
}

static int64_t stood_ns(const struct ticker *tickers, int count)
{
    int64_t sum = 0;

    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < tickers[i].count; k++)
            sum += tickers[i].list[k].end - tickers[i].list[k].begin;
    return sum;
}

/* By time taken. */
static int compare(const void *a, const void *b)
{
    int64_t x = ((const struct request *)a)->took, y = ((const struct request *)b)->took;

    return (x > y) - (x < y);
}

static double at(const struct request *sorted, long count, double share)
{
    long index = (long)(share * (double)count);

    return (double)sorted[index < count ? index : count - 1].took / 1000;
}

static long slower_than_limit(const struct request *sorted, long count)
{
    long slow = 0;

    while (slow < count && sorted[count - 1 - slow].took > SLOW)
        slow++;
    return slow;
}

/* How many are left, in the order they had. */
static long keep_awake(struct request *sorted, long count, const struct ticker *tickers,
                       int processors)
{
    long kept = 0;

    for (long i = 0; i < count; i++)
        if (sorted[i].took <= LATE || !stood(tickers, processors, &sorted[i]))
            sorted[kept++] = sorted[i];
    return kept;
}

static void print(struct request *requests, long count, const struct ticker *tickers,
                  int processors)
{
    qsort(requests, (size_t)count, sizeof(*requests), compare);
    printf("%.0f %.0f %.0f %.0f %.0f %ld %ld ", at(requests, count, 0.5), at(requests, count, 0.99),
           at(requests, count, 0.999), at(requests, count, 0.9999), at(requests, count, 1), count,
           slower_than_limit(requests, count));
    count = keep_awake(requests, count, tickers, processors);
    printf("%.0f %.0f %ld %.0f\n", at(requests, count, 0.9999), at(requests, count, 1),
           slower_than_limit(requests, count), (double)stood_ns(tickers, processors) / 1000);
}

int main(int argc, char **argv)
{
    static struct ticker tickers[CPUS_MAX];
    long seconds, rate, keys, count;
    struct request *requests;
    int64_t start;
    int fd, processors;

    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: stall PORT SECONDS RATE KEYS [get]\n");
        return 2;
    }
    seconds = atol(argv[2]);
    rate = atol(argv[3]);
    keys = atol(argv[4]);
    count = seconds * rate;
    requests = count > 0 && keys > 0 ? calloc((size_t)count, sizeof(*requests)) : NULL;
    if (!requests)
        return 2;
    fd = connect_to(atoi(argv[1]));
    start = now_ns() + NS / 100;
    processors = start_tickers(tickers, start + seconds * NS);
    run_before_others(1);
    for (long i = 0; i < count; i++) {
        requests[i].due = start + i * NS / rate;
        wait_until(requests[i].due);
        ask(fd, argc == 5 && i % 2, random() % keys);
        requests[i].took = now_ns() - requests[i].due;
    }
    for (int i = 0; i < processors; i++)
        pthread_join(tickers[i].thread, NULL);
    print(requests, count, tickers, processors);
    for (int i = 0; i < processors; i++)
        free(tickers[i].list);
    free(requests);
    close(fd);
    return 0;
}
