/* SPDX-License-Identifier: BSD-3-Clause */
/* maxmemory with a policy that evicts, from outside: whose keys go, and what is refused. */
#include "tests/server/child.h"

static const char *const with_debug[] = {
    "--store", "memory", "--threads", "2", "--enable-debug-command", "local", NULL};

enum { BIG = 1 << 20 };

static long long used_memory(int fd)
{
    char got[4096] = "";
    size_t at = 0;
    tell(fd, "INFO memory\r\nPING\r\n");
    while (!strstr(got, "+PONG\r\n")) {
        ssize_t n = recv(fd, got + at, sizeof(got) - 1 - at, 0);
        assert_true(n > 0);
        got[at += (size_t)n] = 0;
    }
    return atoll(strstr(got, "\r\nused_memory:") + 14);
}

/* In what is selected; big enough that which of them go is soon decided. */
static void set_big(int fd, const char *prefix, int count)
{
    char line[64];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "SETRANGE %s%d %d x\r\n", prefix, i, BIG - 1);
        tell(fd, line);
    }
    for (int i = 0; i < count; i++)
        expect(fd, ":1048576\r\n");
}

static void limit_to(int fd, const char *policy, long long bytes)
{
    char line[128];
    snprintf(line, sizeof(line), "CONFIG SET maxmemory-policy %s maxmemory %lld\r\n", policy,
             bytes);
    tell(fd, line);
    expect(fd, "+OK\r\n");
}

/* Whether or not the memory in use is looked at between two of them. */
static void writes_elsewhere_are_taken(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_debug);
    int fd = open_client(&child), other = open_client(&child);
    tell(fd, "SELECT 1\r\n");
    expect(fd, "+OK\r\n");
    set_big(fd, "a", 20);
    limit_to(fd, "allkeys-random", used_memory(fd) + BIG);
    for (int i = 0; i < 20; i++) {
        set_big(fd, i % 2 ? "b" : "c", 20);
        usleep(15000); /* the memory in use is looked at every now and then */
        tell(other, "SET k v\r\nDEL k\r\n");
        expect(other, "+OK\r\n:1\r\n");
        tell(other, "COPY k l\r\nMOVE k 2\r\n");
        expect(other, ":0\r\n:0\r\n");
    }
    close(other);
    close(fd);
    end(&child);
}

static void memory_comes_down_to_the_limit_without_writes(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_debug);
    int fd = open_client(&child);
    long long limit = used_memory(fd) + 10 * BIG;
    limit_to(fd, "noeviction", 0);
    set_big(fd, "a", 20);
    tell(fd, "SELECT 1\r\n");
    expect(fd, "+OK\r\n");
    set_big(fd, "a", 20);
    limit_to(fd, "allkeys-random", limit);
    while (used_memory(fd) > limit)
        usleep(1000);
    tell(fd, "SET k v\r\n");
    expect(fd, "+OK\r\n");
    close(fd);
    end(&child);
}

/* The limit is out of reach, and the keys are more than go at a time. */
static void writes_are_taken_while_there_are_keys_to_go(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_debug);
    int fd = open_client(&child);
    tell(fd, "DEBUG POPULATE 400000\r\n");
    expect(fd, "+OK\r\n");
    limit_to(fd, "allkeys-random", 1);
    tell(fd, "SET k v\r\nCOPY none l\r\n");
    expect(fd, "+OK\r\n:0\r\n");
    close(fd);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_elsewhere_are_taken),
        cmocka_unit_test(memory_comes_down_to_the_limit_without_writes),
        cmocka_unit_test(writes_are_taken_while_there_are_keys_to_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
