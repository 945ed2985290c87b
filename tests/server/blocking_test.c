/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients that wait in a command, and those who end their wait. */
#include "tests/server/child.h"

static void unblock_with_error(const struct child *child, int admin, const char *command)
{
    char text[64], out[65536];
    int waiter = open_client(child);
    tell(waiter, "CLIENT ID\r\n");
    ssize_t n = recv(waiter, out, sizeof(out) - 1, 0);
    assert_true(n > 3 && out[0] == ':');
    out[n] = 0;
    snprintf(text, sizeof(text), "CLIENT UNBLOCK %d ERROR\r\n", atoi(out + 1));
    tell(waiter, command);
    await(admin, "INFO clients\r\n", "blocked_clients:1\r\n");
    tell(admin, text);
    expect(admin, ":1\r\n");
    expect(waiter, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    close(waiter);
}

static void an_unblocking_with_an_error_is_an_error_of_the_command(void **state)
{
    (void)state;
    static const char *const options[] = {"--store",         "DIR", "--threads", "2",
                                          "--sync-interval", "0",   NULL};
    struct child child;
    start(&child, options);
    int admin = open_client(&child);
    unblock_with_error(&child, admin, "BLPOP k 0\r\n");
    unblock_with_error(&child, admin, "CAIRN WAITPOSITION 99 0\r\n");
    char out[65536];
    const char *said = bulk(admin, "INFO everything\r\n", out, sizeof(out));
    assert_non_null(strstr(said, "\nerrorstat_UNBLOCKED:count=2\r\n"));
    assert_non_null(strstr(said, "\ntotal_error_replies:2\r\n"));
    assert_non_null(strstr(strstr(said, "\ncmdstat_blpop:"), ",failed_calls=1\r\n"));
    assert_non_null(strstr(strstr(said, "\ncmdstat_cairn|waitposition:"), ",failed_calls=1\r\n"));
    close(admin);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unblocking_with_an_error_is_an_error_of_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
