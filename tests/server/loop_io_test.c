/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that wait for the server: what they have sent, and what is sent to them. */
#include "tests/server/child.h"

static void what_was_held_runs_before_a_protocol_error_is_told(void **state)
{
    (void)state;
    enum { CLIENTS = 50 }; /* of which a turn takes a part */
    static const char *const options[] = {"--store", "memory", "--threads", "1", NULL};
    struct child child;
    int fds[CLIENTS];
    start(&child, options);
    int admin = open_client(&child);
    tell(admin, "CLIENT PAUSE 600000\r\n");
    expect(admin, "+OK\r\n");
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = open_client(&child);
        tell(fds[i], "PING\r\nECHO x\r\n*1\r\nPING\r\n");
    }
    usleep(200000);
    tell(admin, "CLIENT UNPAUSE\r\n");
    expect(admin, "+OK\r\n");
    for (int i = 0; i < CLIENTS; i++) {
        expect(fds[i], "+PONG\r\n$1\r\nx\r\n-ERR Protocol error: expected '$', got 'P'\r\n");
        expect_end(fds[i]);
    }
    close(admin);
    end(&child);
}

static const char *const in_directory[] = {"--store", "DIR", "--enable-debug-command", "local",
                                           NULL};

/* A namespace whose load takes a while, not yet begun. */
static void start_before_a_load(struct child *child)
{
    start(child, in_directory);
    int fd = open_client(child);
    tell(fd, "DEBUG POPULATE 100000\r\n");
    expect(fd, "+OK\r\n");
    close(fd);
    assert_int_equal(stop(child, SIGTERM), 0);
    start_in(child, in_directory);
}

/* As `printf … | nc -N` right after a start. */
static void what_came_before_the_end_runs_behind_a_load(void **state)
{
    (void)state;
    enum { COMMANDS = 1000 }; /* more than a turn takes */
    struct child child;
    char *sent = malloc(COMMANDS * 16), *at = sent, line[32];
    for (int i = 0; i < COMMANDS; i++)
        at += sprintf(at, "INCR k\r\n");
    start_before_a_load(&child);
    int fd = open_client(&child);
    tell(fd, sent);
    shutdown(fd, SHUT_WR);
    for (int i = 1; i <= COMMANDS; i++) {
        snprintf(line, sizeof(line), ":%d\r\n", i);
        expect(fd, line);
    }
    expect_end(fd);
    free(sent);
    end(&child);
}

static void who_ends_while_it_is_blocked_behind_a_load_is_closed(void **state)
{
    (void)state;
    struct child child;
    start_before_a_load(&child);
    int fd = open_client(&child);
    tell(fd, "BLPOP list 0\r\nPING\r\n");
    shutdown(fd, SHUT_WR);
    expect_end(fd);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_held_runs_before_a_protocol_error_is_told),
        cmocka_unit_test(what_came_before_the_end_runs_behind_a_load),
        cmocka_unit_test(who_ends_while_it_is_blocked_behind_a_load_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
