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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_held_runs_before_a_protocol_error_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
