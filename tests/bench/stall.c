/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A steady client that measures how long the slowest requests wait.
 *
 *   stall PORT SECONDS RATE KEYS [get]
 *
 * Sends GET and SET in turn to random keys "bench:s:<12 digits>" at a fixed rate on one connection,
 * and takes each latency from the moment the request was due, not from when it could be sent: a
 * stall counts for all the requests it held up. With "get" it only GETs. Prints "p50 p99 p99.9
 * p99.99 max count", times in microseconds, and how many took more than 5 ms. Knows nothing but the
 * wire.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NS = 1000000000, SLOW = 5000000, REPLY_SIZE = 65536 };

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

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double at(const int64_t *sorted, long count, double share)
{
    long index = (long)(share * (double)count);

    return (double)sorted[index < count ? index : count - 1] / 1000;
}

static long slower_than(const int64_t *sorted, long count, int64_t limit)
{
    long slower = 0;

    while (slower < count && sorted[count - 1 - slower] > limit)
        slower++;
    return slower;
}

int main(int argc, char **argv)
{
    long seconds, rate, keys, count;
    int64_t *took, start;
    int fd;

    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: stall PORT SECONDS RATE KEYS [get]\n");
        return 2;
    }
    seconds = atol(argv[2]);
    rate = atol(argv[3]);
    keys = atol(argv[4]);
    count = seconds * rate;
    took = count > 0 && keys > 0 ? calloc((size_t)count, sizeof(*took)) : NULL;
    if (!took)
        return 2;
    fd = connect_to(atoi(argv[1]));
    start = now_ns() + NS / 100;
    for (long i = 0; i < count; i++) {
        int64_t due = start + i * NS / rate;

        wait_until(due);
        ask(fd, argc == 5 && i % 2, random() % keys);
        took[i] = now_ns() - due;
    }
    qsort(took, (size_t)count, sizeof(*took), compare);
    printf("%.0f %.0f %.0f %.0f %.0f %ld %ld\n", at(took, count, 0.5), at(took, count, 0.99),
           at(took, count, 0.999), at(took, count, 0.9999), at(took, count, 1), count,
           slower_than(took, count, SLOW));
    free(took);
    close(fd);
    return 0;
}
