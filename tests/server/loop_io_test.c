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

static const char *const in_memory[] = {
    "--store", "memory", "--threads", "1", "--enable-debug-command", "local", NULL};

/* The server does nothing for a while: what is sent now it finds all at once. */
static void send_to_sleep(int admin)
{
    tell(admin, "DEBUG SLEEP 0.3\r\n");
    usleep(100000);
}

static void expect_pongs(int fd, int count)
{
    for (int i = 0; i < count; i++)
        expect(fd, "+PONG\r\n");
}

static char *many_pings(int count)
{
    char *sent = malloc((size_t)count * 6 + 1);
    for (int i = 0; i < count; i++)
        memcpy(sent + (size_t)i * 6, "PING\r\n", 7);
    return sent;
}

enum { PINGS = 30000 }; /* more bytes than ten reads of a turn */

static void more_than_a_read_that_came_at_once_is_answered(void **state)
{
    (void)state;
    struct child child;
    char *sent = many_pings(PINGS);
    start(&child, in_memory);
    int admin = open_client(&child), fd = open_client(&child);
    send_to_sleep(admin);
    tell(fd, sent);
    expect_pongs(fd, PINGS);
    close(fd);
    close(admin);
    free(sent);
    end(&child);
}

static void what_was_sent_while_it_was_blocked_is_answered(void **state)
{
    (void)state;
    struct child child;
    char *sent = many_pings(PINGS);
    start(&child, in_memory);
    int admin = open_client(&child), fd = open_client(&child);
    tell(fd, "BLPOP list 0\r\n");
    send_to_sleep(admin);
    tell(fd, sent);
    expect(admin, "+OK\r\n");
    tell(admin, "RPUSH list x\r\n");
    expect(admin, ":1\r\n");
    expect(fd, "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n");
    expect_pongs(fd, PINGS);
    close(fd);
    close(admin);
    free(sent);
    end(&child);
}

static void an_end_that_came_with_the_input_is_seen(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int admin = open_client(&child), fd = open_client(&child);
    send_to_sleep(admin);
    tell(fd, "PING\r\n");
    shutdown(fd, SHUT_WR);
    expect(fd, "+PONG\r\n");
    expect_end(fd);
    close(admin);
    end(&child);
}

/* Nothing is ever sent to it that could tell. */
static void a_reset_that_came_with_the_input_is_seen(void **state)
{
    (void)state;
    struct linger reset = {.l_onoff = 1};
    struct child child;
    start(&child, in_memory);
    int admin = open_client(&child), fd = open_client(&child);
    await(admin, "INFO clients\r\n", "connected_clients:2");
    send_to_sleep(admin);
    tell(fd, "*1\r\n$4\r\nPI");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    expect(admin, "+OK\r\n");
    await(admin, "INFO clients\r\n", "connected_clients:1");
    close(admin);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_held_runs_before_a_protocol_error_is_told),
        cmocka_unit_test(what_came_before_the_end_runs_behind_a_load),
        cmocka_unit_test(who_ends_while_it_is_blocked_behind_a_load_is_closed),
        cmocka_unit_test(more_than_a_read_that_came_at_once_is_answered),
        cmocka_unit_test(what_was_sent_while_it_was_blocked_is_answered),
        cmocka_unit_test(an_end_that_came_with_the_input_is_seen),
        cmocka_unit_test(a_reset_that_came_with_the_input_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
