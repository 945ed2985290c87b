/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What commands are told and refused, as server_test.c from outside: a server in a child process,
 * spoken to over a socket.
 */
#include "tests/server/child.h"

static const char *const in_memory[] = {"--store", "memory", "--threads", "2", NULL};

/* Reads until `last` was read; what was read is kept in `got`. */
static void read_past(int fd, const char *last, char *got, size_t cap)
{
    size_t len = strlen(last), at = 0;
    while (at < len || memcmp(got + at - len, last, len) != 0) {
        assert_true(at < cap - 1);
        assert_int_equal(recv(fd, got + at, 1, 0), 1);
        got[++at] = 0;
    }
}

static void info_tells_the_policy_that_was_set(void **state)
{
    (void)state;
    static const char *const policies[] = {"volatile-lru",   "volatile-lfu", "volatile-random",
                                           "volatile-ttl",   "allkeys-lru",  "allkeys-lfu",
                                           "allkeys-random", "noeviction"};
    struct child child;
    char line[128], got[4096];
    start(&child, in_memory);
    int fd = open_client(&child);
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        snprintf(line, sizeof(line), "CONFIG SET maxmemory-policy %s\r\nINFO memory\r\nPING\r\n",
                 policies[i]);
        tell(fd, line);
        read_past(fd, "+PONG\r\n", got, sizeof(got));
        snprintf(line, sizeof(line), "\nmaxmemory_policy:%s\r\n", policies[i]);
        assert_non_null(strstr(got, line));
    }
    close(fd);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_tells_the_policy_that_was_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
