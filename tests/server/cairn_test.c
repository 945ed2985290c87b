/* SPDX-License-Identifier: BSD-3-Clause */
/* CAIRN from outside: what is read back from the store, and waits for a position. */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/server/child.h"

static const char *const in_directory[] = {"--store", "DIR", "--threads", "2", NULL};
static const char *const by_hand[] = {"--store",         "DIR", "--threads", "1",
                                      "--sync-interval", "0",   NULL};

static void path_of(const struct child *child, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", child->dir, name);
}

static void overwrite(const struct child *child, const char *name, const char *bytes)
{
    char path[128];
    path_of(child, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(bytes, file);
    fclose(file);
}

/* Up to and with the next line feed. */
static void read_line(int fd, char *out, size_t cap)
{
    size_t len = 0;
    while (len + 1 < cap && recv(fd, out + len, 1, 0) == 1 && out[len++] != '\n')
        continue;
    out[len] = 0;
}

static void expect_commit(int fd, int position, int ops)
{
    char line[128];
    snprintf(line, sizeof(line), "*8\r\n$8\r\nposition\r\n:%d\r\n$4\r\ntime\r\n:", position);
    expect(fd, line);
    read_line(fd, line, sizeof(line));
    assert_true(strlen(line) == 13 + 2);
    expect(fd, "$7\r\nreplica\r\n$");
    read_line(fd, line, sizeof(line));
    read_line(fd, line, sizeof(line));
    assert_non_null(strchr(line, '/'));
    snprintf(line, sizeof(line), "$3\r\nops\r\n:%d\r\n", ops);
    expect(fd, line);
}

static void history_is_the_newest_commits(void **state)
{
    (void)state;
    struct child child;
    start(&child, by_hand);
    int fd = open_client(&child);
    tell(fd, "CAIRN HISTORY\r\nSET k v\r\nCAIRN SYNC\r\nSET k w\r\nINCR n\r\nCAIRN SYNC\r\n");
    expect(fd, "*0\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n:2\r\n");
    tell(fd, "CAIRN HISTORY\r\n");
    expect(fd, "*2\r\n");
    expect_commit(fd, 2, 2);
    expect_commit(fd, 1, 1);
    tell(fd, "CAIRN HISTORY 1\r\n");
    expect(fd, "*1\r\n");
    expect_commit(fd, 2, 2);
    tell(fd, "CAIRN HISTORY -1\r\n");
    expect(fd, "*2\r\n");
    expect_commit(fd, 2, 2);
    expect_commit(fd, 1, 1);
    tell(fd, "CAIRN HISTORY 0\r\nCAIRN HISTORY -2\r\nCAIRN HISTORY x\r\nHELLO 3\r\n");
    expect(fd, "*0\r\n-ERR count should be greater than or equal to -1\r\n"
               "-ERR count should be greater than or equal to -1\r\n%");
    close(fd);
    end(&child);
}

static void history_is_maps_in_resp3(void **state)
{
    (void)state;
    struct child child;
    start(&child, by_hand);
    int fd = open_client(&child);
    tell(fd, "HELLO 3\r\nSET k v\r\n");
    char line[256];
    do
        read_line(fd, line, sizeof(line));
    while (strcmp(line, "+OK\r\n") != 0);
    tell(fd, "CAIRN SYNC\r\nCAIRN HISTORY\r\n");
    expect(fd, ":1\r\n*1\r\n%4\r\n$8\r\nposition\r\n:1\r\n");
    close(fd);
    end(&child);
}

static void a_verification_tells_figures_or_the_first_fault(void **state)
{
    (void)state;
    struct child child;
    start(&child, by_hand);
    int fd = open_client(&child);
    tell(fd, "CAIRN VERIFY\r\nSET k v\r\nCAIRN SYNC\r\nCAIRN VERIFY\r\n");
    expect(fd, "*20\r\n$9\r\nnamespace\r\n$1\r\n0\r\n$8\r\nposition\r\n:0\r\n");
    expect(fd, "$4\r\nbase\r\n:0\r\n$7\r\ncommits\r\n:0\r\n$3\r\nops\r\n:0\r\n$4\r\nkeys\r\n:0\r\n"
               "$6\r\nchunks\r\n:0\r\n$8\r\nsegments\r\n:0\r\n$5\r\nbytes\r\n:0\r\n"
               "$7\r\norphans\r\n:0\r\n+OK\r\n:1\r\n");
    expect(fd, "*20\r\n$9\r\nnamespace\r\n$1\r\n0\r\n$8\r\nposition\r\n:1\r\n$4\r\nbase\r\n:0\r\n"
               "$7\r\ncommits\r\n:1\r\n$3\r\nops\r\n:1\r\n$4\r\nkeys\r\n:1\r\n");
    close(fd);
    overwrite(&child, "other.json", "{}");
    fd = open_client(&child);
    tell(fd, "CAIRN VERIFY other\r\nCAIRN VERIFY a/b\r\nCAIRN VERIFY 0 1\r\n");
    expect(fd, "-CAIRNERR not sound: other.json: not a head: it does not begin with a format\r\n"
               "-ERR invalid namespace name");
    close(fd);
    end(&child);
}

static void a_memory_store_has_nothing_to_read_back(void **state)
{
    (void)state;
    static const char *const options[] = {"--store", "memory", NULL};
    struct child child;
    start(&child, options);
    int fd = open_client(&child);
    tell(fd, "SET k v\r\nCAIRN VERIFY\r\nCAIRN HISTORY\r\nCAIRN WAITPOSITION 7 0\r\n"
             "CAIRN NAMESPACES\r\n");
    expect(fd, "+OK\r\n-CAIRNERR the store is memory: there is nothing to read back\r\n*0\r\n:0\r\n"
               "*1\r\n*8\r\n$4\r\nname\r\n$1\r\n0\r\n$5\r\nstate\r\n$5\r\nready\r\n"
               "$8\r\nposition\r\n:0\r\n$4\r\nkeys\r\n:1\r\n");
    close(fd);
    end(&child);
}

/* A store that does not answer: the head is a pipe that nobody writes. */
static void a_store_that_is_slow_holds_up_only_who_asked_it(void **state)
{
    (void)state;
    struct child child;
    char path[128];
    start(&child, by_hand);
    path_of(&child, "slow.json", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    int asks = open_client(&child), other = open_client(&child), lists = open_client(&child);
    tell(asks, "CAIRN VERIFY slow\r\nPING\r\n");
    tell(other, "SET k v\r\nCAIRN SYNC\r\nGET k\r\n");
    expect(other, "+OK\r\n:1\r\n$1\r\nv\r\n");
    tell(lists, "CAIRN NAMESPACES\r\n");
    expect(lists, "*1\r\n*8\r\n$4\r\nname\r\n$1\r\n0\r\n$5\r\nstate\r\n$5\r\nready\r\n"
                  "$8\r\nposition\r\n:1\r\n$4\r\nkeys\r\n:1\r\n");
    tell(lists, "SELECT slow\r\nCAIRN HISTORY\r\nPING\r\n");
    expect(lists, "+OK\r\n");
    tell(other, "INCR n\r\n");
    expect(other, ":1\r\n");
    /* Both readers are in the pipe, or come to it: each finds it empty once. */
    char begin[64];
    int answered = 0;
    while (answered < 2) {
        int writer = open(path, O_WRONLY | O_NONBLOCK);
        if (writer >= 0)
            close(writer);
        struct pollfd waits[2] = {{asks, POLLIN, 0}, {lists, POLLIN, 0}};
        answered = poll(waits, 2, 20);
    }
    read_line(asks, begin, 20);
    assert_string_equal(begin, "-CAIRNERR not sound");
    read_line(lists, begin, 30);
    assert_string_equal(begin, "-CAIRNERR the history cannot ");
    close(asks);
    close(lists);
    close(other);
    end(&child);
}

static void waiting_for_a_position_ends_at_it_or_at_its_timeout(void **state)
{
    (void)state;
    struct child child;
    start(&child, by_hand);
    int fd = open_client(&child), waits = open_client(&child);
    tell(fd, "CAIRN WAITPOSITION 0 0\r\nCAIRN WAITPOSITION 5 30\r\nSET k v\r\n"
             "CAIRN WAITPOSITION 1 0\r\nCAIRN WAITPOSITION 3 1\r\n");
    expect(fd, ":0\r\n:0\r\n+OK\r\n:1\r\n:1\r\n");
    tell(waits, "CAIRN WAITPOSITION 2 0\r\nGET k\r\n");
    tell(fd, "SET k w\r\nCAIRN SYNC\r\n");
    expect(fd, "+OK\r\n:2\r\n");
    expect(waits, ":2\r\n$1\r\nw\r\n");
    tell(fd, "MULTI\r\nCAIRN WAITPOSITION 9 0\r\nEXEC\r\nCAIRN WAITPOSITION -1 0\r\n"
             "CAIRN WAITPOSITION 1 -1\r\nCAIRN WAITPOSITION 1 x\r\nCAIRN WAITPOSITION 1\r\n");
    expect(fd, "+OK\r\n+QUEUED\r\n*1\r\n:2\r\n-ERR position is out of range, must be positive\r\n"
               "-ERR timeout is negative\r\n-ERR timeout is not an integer or out of range\r\n"
               "-ERR wrong number of arguments for 'cairn|waitposition' command\r\n");
    close(fd);
    close(waits);
    end(&child);
}

/* As soon as it waits. */
static void unblock(int fd, const char *id, const char *how)
{
    char line[64] = "";
    for (int i = 0; i < 2000 && strcmp(line, ":1\r\n") != 0; i++) {
        char command[64];
        snprintf(command, sizeof(command), "CLIENT UNBLOCK %s %s\r\n", id, how);
        tell(fd, command);
        read_line(fd, line, sizeof(line));
        usleep(1000);
    }
    assert_string_equal(line, ":1\r\n");
}

static void who_waits_for_a_position_is_blocked_and_can_be_unblocked(void **state)
{
    (void)state;
    struct child child;
    char id[32];
    start(&child, by_hand);
    int fd = open_client(&child), waits = open_client(&child);
    tell(waits, "CLIENT ID\r\n");
    read_line(waits, id, sizeof(id));
    memmove(id, id + 1, strlen(id));
    id[strcspn(id, "\r")] = '\0';
    tell(waits, "CAIRN WAITPOSITION 5 0\r\nPING\r\n");
    unblock(fd, id, "TIMEOUT");
    expect(waits, ":0\r\n+PONG\r\n");
    tell(waits, "CAIRN WAITPOSITION 5 20000\r\nPING\r\n");
    unblock(fd, id, "ERROR");
    expect(waits, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n");
    tell(fd, "CLIENT UNBLOCK ");
    tell(fd, id);
    tell(fd, "\r\n");
    expect(fd, ":0\r\n");
    close(fd);
    close(waits);
    end(&child);
}

/* Between two servers: the reader's sync interval is an hour. */
static void a_position_of_another_server_is_waited_for(void **state)
{
    (void)state;
    struct child writer, reader;
    char own[2][64], store[48];
    snprintf(store, sizeof(store), "/tmp/cairn-wait-test-%d", (int)getpid());
    const char *options[2][12];
    for (int i = 0; i < 2; i++) {
        snprintf(own[i], sizeof(own[i]), "%s-own%d", store, i);
        const char *list[] = {"--store",   store, "--dir",           own[i], "--shared", "yes",
                              "--threads", "1",   "--sync-interval", "1h",   NULL};
        memcpy(options[i], list, sizeof(list));
    }
    start(&writer, options[0]);
    start(&reader, options[1]);
    int from = open_client(&writer), to = open_client(&reader);
    tell(to, "GET k\r\nCAIRN WAITPOSITION 2 20000\r\nGET k\r\n");
    expect(to, "$-1\r\n");
    tell(from, "SET k a\r\nCAIRN SYNC\r\nSET k b\r\nCAIRN SYNC\r\n");
    expect(from, "+OK\r\n:1\r\n+OK\r\n:2\r\n");
    expect(to, ":2\r\n$1\r\nb\r\n");
    close(from);
    close(to);
    end(&writer);
    end(&reader);
    char command[300];
    snprintf(command, sizeof(command), "rm -rf %s %s %s", store, own[0], own[1]);
    assert_int_equal(system(command), 0);
}

/* Asked by a client of another namespace of a server that has not loaded it yet. */
static void expect_position_of_other(struct child *child, const char *question)
{
    assert_int_equal(stop(child, SIGTERM), 0);
    start_in(child, by_hand);
    int fd = open_client(child);
    tell(fd, question);
    expect(fd, ":1\r\n");
    close(fd);
}

static void a_namespace_not_in_memory_is_loaded_for_its_position(void **state)
{
    (void)state;
    struct child child;
    start(&child, by_hand);
    int fd = open_client(&child);
    tell(fd, "SELECT other\r\nSET k v\r\nCAIRN SYNC\r\n");
    expect(fd, "+OK\r\n+OK\r\n:1\r\n");
    close(fd);
    expect_position_of_other(&child, "CAIRN POSITION other\r\n");
    expect_position_of_other(&child, "CAIRN SYNC other\r\n");
    end(&child);
}

static void a_server_ends_well_while_clients_wait(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_directory);
    int fds[6];
    static const char *const waits[] = {"CAIRN WAITPOSITION 99 0\r\n", "CAIRN VERIFY\r\n",
                                        "CAIRN HISTORY\r\n",           "CAIRN NAMESPACES\r\n",
                                        "WAITAOF 0 1 100000\r\n",      "BLPOP nothing 0\r\n"};
    for (int i = 0; i < 6; i++) {
        fds[i] = open_client(&child);
        tell(fds[i], "SET k v\r\n");
        expect(fds[i], "+OK\r\n");
        tell(fds[i], waits[i]);
    }
    usleep(20000);
    assert_int_equal(stop(&child, SIGTERM), 0);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    remove_dir(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_the_newest_commits),
        cmocka_unit_test(history_is_maps_in_resp3),
        cmocka_unit_test(a_verification_tells_figures_or_the_first_fault),
        cmocka_unit_test(a_memory_store_has_nothing_to_read_back),
        cmocka_unit_test(a_store_that_is_slow_holds_up_only_who_asked_it),
        cmocka_unit_test(waiting_for_a_position_ends_at_it_or_at_its_timeout),
        cmocka_unit_test(who_waits_for_a_position_is_blocked_and_can_be_unblocked),
        cmocka_unit_test(a_position_of_another_server_is_waited_for),
        cmocka_unit_test(a_namespace_not_in_memory_is_loaded_for_its_position),
        cmocka_unit_test(a_server_ends_well_while_clients_wait),
    };
    return cmocka_run_group_tests_name("cairn", tests, NULL, NULL);
}
