/* SPDX-License-Identifier: BSD-3-Clause */
/* CLIENT PAUSE: which commands wait, how that is shown, and what the server leaves alone. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "server/pause.h"
#include "tests/server/child.h"

static const char *const with_debug[] = {
    "--store", "memory", "--threads", "2", "--enable-debug-command", "local", NULL};

static void a_transaction_that_only_reads_goes_on_while_writes_wait(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_debug);
    int admin = open_client(&child), one = open_client(&child), two = open_client(&child);
    tell(one, "MULTI\r\nSET k v\r\nGET k\r\n");
    expect(one, "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    tell(two, "MULTI\r\nGET k\r\n");
    expect(two, "+OK\r\n+QUEUED\r\n");
    tell(admin, "CLIENT PAUSE 600000 WRITE\r\n");
    expect(admin, "+OK\r\n");
    tell(one, "EXEC\r\n");
    await(admin, "INFO clients\r\n", "blocked_clients:1\r\n");
    tell(two, "EXEC\r\nEXEC\r\nMULTI\r\nPING\r\nEXEC\r\n");
    expect(two, "*1\r\n$-1\r\n-ERR EXEC without MULTI\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
    tell(admin, "CLIENT UNPAUSE\r\n");
    expect(admin, "+OK\r\n");
    expect(one, "*2\r\n+OK\r\n$1\r\nv\r\n");
    close(admin);
    close(one);
    close(two);
    end(&child);
}

static void who_waits_counts_as_blocked(void **state)
{
    (void)state;
    struct child child;
    char out[65536];
    start(&child, with_debug);
    int admin = open_client(&child), one = open_client(&child), two = open_client(&child);
    tell(two, "BLPOP list 0\r\n");
    await(admin, "INFO clients\r\n", "blocked_clients:1\r\n");
    tell(admin, "CLIENT PAUSE 600000 WRITE\r\n");
    expect(admin, "+OK\r\n");
    tell(one, "CLIENT SETNAME waiting\r\nSET k v\r\n");
    expect(one, "+OK\r\n");
    await(admin, "INFO clients\r\n", "blocked_clients:2\r\n");
    const char *line = strstr(bulk(admin, "CLIENT LIST\r\n", out, sizeof(out)), "name=waiting");
    assert_non_null(line);
    assert_int_equal(strncmp(strstr(line, "flags="), "flags=b ", 8), 0);
    tell(admin, "CLIENT UNPAUSE\r\n");
    expect(admin, "+OK\r\n");
    expect(one, "+OK\r\n");
    await(admin, "INFO clients\r\n", "blocked_clients:1\r\n");
    close(admin);
    close(one);
    close(two);
    end(&child);
}

static void nothing_expires_in_the_background_nor_is_evicted(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_debug);
    int fd = open_client(&child);
    tell(fd, "DEBUG SET-ACTIVE-EXPIRE 0\r\nSET k v PX 1\r\nSET other v\r\n"
             "CLIENT PAUSE 600000 WRITE\r\nDEBUG SET-ACTIVE-EXPIRE 1\r\n"
             "CONFIG SET maxmemory-policy allkeys-random maxmemory 1\r\n");
    expect(fd, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    usleep(300000); /* some cycles */
    tell(fd, "DBSIZE\r\nGET k\r\nMULTI\r\nGET other\r\nEXEC\r\n");
    expect(fd, ":2\r\n$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n");
    tell(fd, "CONFIG SET maxmemory 0\r\nCLIENT UNPAUSE\r\n");
    expect(fd, "+OK\r\n+OK\r\n");
    await(fd, "INFO stats\r\n", "expired_keys:1\r\n");
    tell(fd, "DBSIZE\r\n");
    expect(fd, ":1\r\n");
    close(fd);
    end(&child);
}

/* Without loops: only the state. Two threads in step, a round at a time. */
enum { ROUNDS = 20000, END = 1000 };
struct race {
    atomic_int begun, done;
};

static void *tick(void *ctx)
{
    struct race *race = ctx;
    for (int i = 1; i <= ROUNDS; i++) {
        while (atomic_load(&race->begun) < i)
            sched_yield();
        pause_tick(END);
        atomic_store(&race->done, i);
    }
    return NULL;
}

static void a_pause_that_begins_as_another_ends_holds(void **state)
{
    (void)state;
    struct race race = {0};
    pthread_t thread;
    bool held = true;
    pthread_create(&thread, NULL, tick, &race);
    for (int i = 1; i <= ROUNDS; i++) {
        pause_start(END, true);
        atomic_store(&race.begun, i);
        for (volatile int wait = 0; wait < i % 200; wait++)
            ;
        pause_start(END + 1, true);
        while (atomic_load(&race.done) < i)
            sched_yield();
        held = held && pause_active();
        pause_stop();
    }
    pthread_join(thread, NULL);
    assert_true(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_that_only_reads_goes_on_while_writes_wait),
        cmocka_unit_test(who_waits_counts_as_blocked),
        cmocka_unit_test(nothing_expires_in_the_background_nor_is_evicted),
        cmocka_unit_test(a_pause_that_begins_as_another_ends_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
