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

static void skip_bytes(int fd, size_t count)
{
    char sink[65536];
    while (count) {
        ssize_t got = recv(fd, sink, count < sizeof(sink) ? count : sizeof(sink), 0);
        assert_true(got > 0);
        count -= (size_t)got;
    }
}

/* Begins a reply of BIG bytes and reads so much of it that what waits is less than what was sent,
 * so that the buffer moves what waits when it grows, and more than sockets take. */
enum { BIG = 64 << 20, BIG_READ = 40 << 20, BIG_HEADER = 11 };

static int open_half_read(const struct child *child)
{
    int fd = open_client(child), few = 65536;
    char line[64];
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few));
    snprintf(line, sizeof(line), "SETRANGE big %d x\r\nSETRANGE small 1023 x\r\n", BIG - 1);
    tell(fd, line);
    expect(fd, ":67108864\r\n:1024\r\n");
    tell(fd, "GET big\r\n");
    skip_bytes(fd, BIG_READ);
    return fd;
}

static void expect_rest(int fd, const char *next)
{
    skip_bytes(fd, BIG_HEADER + BIG - 1 - BIG_READ);
    expect(fd, "x\r\n");
    expect(fd, next);
}

static void a_skipped_reply_leaves_what_waits_before_it(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_half_read(&child);
    tell(fd, "CLIENT REPLY SKIP\r\nGET small\r\nPING\r\n");
    expect_rest(fd, "+PONG\r\n");
    close(fd);
    end(&child);
}

static void await_blocked(int fd, int count)
{
    char got[1024], line[40];
    snprintf(line, sizeof(line), "\nblocked_clients:%d\r\n", count);
    do {
        tell(fd, "INFO clients\r\nPING\r\n");
        read_past(fd, "+PONG\r\n", got, sizeof(got));
    } while (!strstr(got, line));
}

static void a_skipped_late_reply_leaves_what_waits_before_it(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_half_read(&child), other = open_client(&child);
    tell(fd, "CLIENT REPLY SKIP\r\nBLPOP l 0\r\nPING\r\n");
    await_blocked(other, 1);
    char line[2048] = "RPUSH l ";
    memset(line + 8, 'y', 1024);
    strcpy(line + 8 + 1024, "\r\n");
    tell(other, line);
    expect(other, ":1\r\n");
    expect_rest(fd, "+PONG\r\n");
    close(other);
    close(fd);
    end(&child);
}

static void a_key_that_is_given_twice_is_waited_for_once(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child), other = open_client(&child);
    for (int i = 0; i < 3; i++) {
        tell(fd, "BLPOP k a k b k a 0\r\n");
        await_blocked(other, 1);
        tell(other, i == 1 ? "RPUSH a 1 2\r\n" : "RPUSH k 1 2\r\n");
        expect(other, ":2\r\n");
        expect(fd, i == 1 ? "*2\r\n$1\r\na\r\n$1\r\n1\r\n" : "*2\r\n$1\r\nk\r\n$1\r\n1\r\n");
        tell(other, "DEL k a\r\n");
        expect(other, ":1\r\n");
    }
    tell(fd, "BLPOP k a k 0\r\n");
    await_blocked(other, 1);
    close(fd); /* its queues are given up, each once */
    await_blocked(other, 0);
    tell(other, "RPUSH k 1\r\nLLEN k\r\n");
    expect(other, ":1\r\n:1\r\n");
    close(other);
    end(&child);
}

/* Each key is looked up, not compared with all before it: else this takes minutes. */
static void a_client_may_wait_for_very_many_keys(void **state)
{
    (void)state;
    struct child child;
    enum { KEYS = 300000 };
    char *line = malloc(KEYS * 16), *at = line;
    start(&child, in_memory);
    int fd = open_client(&child), other = open_client(&child);
    at += sprintf(at, "*%d\r\n$5\r\nBLPOP\r\n", KEYS + 2);
    for (int i = 0; i < KEYS; i++)
        at += sprintf(at, "$6\r\n%06d\r\n", i);
    strcpy(at, "$1\r\n0\r\n");
    tell(fd, line);
    await_blocked(other, 1);
    tell(other, "RPUSH 277777 v\r\nRPUSH 000001 w\r\n");
    expect(other, ":1\r\n:1\r\n");
    expect(fd, "*2\r\n$6\r\n277777\r\n$1\r\nv\r\n");
    tell(fd, "LLEN 277777\r\nLLEN 000001\r\n");
    expect(fd, ":0\r\n:1\r\n");
    free(line);
    close(other);
    close(fd);
    end(&child);
}

static const char *const with_output_limit[] = {
    "--store", "memory", "--threads", "2", "--client-output-buffer-limit", "normal 1mb 0 0", NULL};

/* The reply of the last line is past the limit: nothing of it is sent, nothing behind it runs. */
static void expect_cut(const struct child *child, const char *line)
{
    int fd = open_client(child), other = open_client(child);
    tell(fd, line);
    expect_end(fd);
    tell(other, "EXISTS after\r\nINFO stats\r\nPING\r\n");
    expect(other, ":0\r\n");
    char got[4096];
    read_past(other, "+PONG\r\n", got, sizeof(got));
    assert_null(strstr(got, "client_output_buffer_limit_disconnections:0\r\n"));
    close(other);
}

static void a_reply_past_the_output_limit_is_not_built(void **state)
{
    (void)state;
    struct child child;
    char pad[1001] = "", line[2100];
    start(&child, with_output_limit);
    int fd = open_client(&child);
    tell(fd, "SETRANGE k 99999 x\r\n");
    expect(fd, ":100000\r\n");
    memset(pad, 'x', 1000);
    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof(line), "SADD s %d%s\r\nSET %d%s v\r\n", i, pad, i, pad);
        tell(fd, line);
        expect(fd, ":1\r\n+OK\r\n");
    }
    tell(fd, "HSET h f v\r\n");
    expect(fd, ":1\r\n");
    expect_cut(&child, "HRANDFIELD h -20000000\r\nSET after 1\r\n");
    expect_cut(&child, "HRANDFIELD h -20000000 WITHVALUES\r\nSET after 1\r\n");
    expect_cut(&child, "SRANDMEMBER s -200000\r\nSET after 1\r\n");
    expect_cut(&child, "SRANDMEMBER s 2900\r\nSET after 1\r\n");
    expect_cut(&child, "KEYS *\r\nSET after 1\r\n");
    tell(fd, "CLIENT REPLY SKIP\r\nHRANDFIELD h -20000000\r\nPING\r\n");
    expect(fd, "+PONG\r\n");
    close(fd);
    end(&child);
}

/* One value that is asked for many times: a short request for a reply of any length. */
static void one_value_many_times_ends_at_the_output_limit(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_output_limit);
    int fd = open_client(&child);
    enum { TIMES = 2000 }; /* of 100 KB each */
    char *line = malloc(2 * TIMES + 64), *value = malloc(100100);
    tell(fd, "SETRANGE k 99999 x\r\n");
    expect(fd, ":100000\r\n");
    memset(value, 'x', 100000);
    tell(fd, "*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\nk\r\n$100000\r\n");
    strcpy(value + 100000, "\r\n");
    tell(fd, value);
    expect(fd, ":1\r\n");
    for (int hash = 0; hash < 2; hash++) {
        char *at = line + sprintf(line, hash ? "HMGET h" : "MGET");
        for (int i = 0; i < TIMES; i++)
            at += sprintf(at, " k");
        strcpy(at, "\r\n");
        expect_cut(&child, line);
    }
    free(line);
    free(value);
    close(fd);
    end(&child);
}

static void a_pipeline_ends_at_the_output_limit(void **state)
{
    (void)state;
    struct child child;
    char line[1024] = "";
    start(&child, with_output_limit);
    int fd = open_client(&child), other = open_client(&child);
    tell(fd, "SETRANGE k 99999 x\r\n");
    expect(fd, ":100000\r\n");
    for (int i = 0; i < 40; i++)
        strcat(line, "GET k\r\n");
    strcat(line, "SET after 1\r\n");
    expect_cut(&child, line);
    tell(fd, "MULTI\r\n");
    expect(fd, "+OK\r\n");
    for (int i = 0; i < 40; i++) {
        tell(fd, "GET k\r\n");
        expect(fd, "+QUEUED\r\n");
    }
    tell(fd, "SET last 1\r\n");
    expect(fd, "+QUEUED\r\n");
    tell(fd, "EXEC\r\nSET after 1\r\n");
    expect_end(fd);
    tell(other, "EXISTS after last\r\nGET last\r\n");
    expect(other, ":1\r\n$1\r\n1\r\n"); /* a transaction is whole all the same */
    close(other);
    end(&child);
}

static void nobody_is_asked_for_a_password_that_is_gone(void **state)
{
    (void)state;
    struct child child;
    static const char *const options[] = {"--store", "memory", "--requirepass", "secret", NULL};
    start(&child, options);
    int early = open_client(&child), other = open_client(&child);
    tell(early, "GET k\r\n");
    expect(early, "-NOAUTH Authentication required.\r\n");
    tell(other, "AUTH secret\r\nCONFIG SET requirepass \"\"\r\n");
    expect(other, "+OK\r\n+OK\r\n");
    tell(early, "MSET a 1 b 2 c 3 d 4 e 5 f 6\r\nPING\r\nGET f\r\n");
    expect(early, "+OK\r\n+PONG\r\n$1\r\n6\r\n");
    tell(early, "*13\r\n$4\r\nMSET\r\n");
    for (int i = 0; i < 12; i++)
        tell(early, "$1\r\na\r\n");
    expect(early, "+OK\r\n");
    tell(other, "CONFIG SET requirepass other\r\n");
    expect(other, "+OK\r\n");
    tell(early, "GET k\r\n*13\r\n");
    expect(early, "-NOAUTH Authentication required.\r\n"
                  "-ERR Protocol error: unauthenticated multibulk length\r\n");
    expect_end(early);
    close(other);
    end(&child);
}

static unsigned id_of(int fd)
{
    char got[32];
    tell(fd, "CLIENT ID\r\n");
    read_past(fd, "\r\n", got, sizeof(got));
    return (unsigned)strtoul(got + 1, NULL, 10);
}

static void clients_are_listed_in_the_order_asked_for(void **state)
{
    (void)state;
    struct child child;
    char line[128], got[4096], *at = got;
    start(&child, in_memory);
    int fds[3];
    unsigned ids[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = open_client(&child);
        ids[i] = id_of(fds[i]);
    }
    snprintf(line, sizeof(line), "CLIENT LIST ID %u %u 999999 %u %u\r\nPING\r\n", ids[2], ids[0],
             ids[2], ids[1]);
    tell(fds[0], line);
    read_past(fds[0], "+PONG\r\n", got, sizeof(got));
    for (int i = 0; i < 4; i++) {
        static const int order[] = {2, 0, 2, 1};
        snprintf(line, sizeof(line), "\nid=%u addr", ids[order[i]]);
        at = strstr(at, line);
        assert_non_null(at);
        at++;
    }
    assert_null(strstr(at, "\nid="));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    end(&child);
}

static void a_clients_line_tells_its_shards_and_flags(void **state)
{
    (void)state;
    struct child child;
    char line[64], got[4096];
    start(&child, in_memory);
    int fd = open_client(&child), other = open_client(&child);
    unsigned id = id_of(fd);
    tell(fd, "HELLO 3\r\nSSUBSCRIBE a b\r\nWATCH k\r\nMULTI\r\nGET k\r\n");
    read_past(fd, "+QUEUED\r\n", got, sizeof(got));
    tell(other, "SET k v\r\n");
    expect(other, "+OK\r\n");
    snprintf(line, sizeof(line), "CLIENT LIST ID %u\r\nPING\r\n", id);
    tell(other, line);
    read_past(other, "+PONG\r\n", got, sizeof(got));
    assert_non_null(strstr(got, " flags=Pxd db=0 sub=0 psub=0 ssub=2 multi=1 "));
    close(other);
    close(fd);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_tells_the_policy_that_was_set),
        cmocka_unit_test(a_skipped_reply_leaves_what_waits_before_it),
        cmocka_unit_test(a_skipped_late_reply_leaves_what_waits_before_it),
        cmocka_unit_test(a_key_that_is_given_twice_is_waited_for_once),
        cmocka_unit_test(a_client_may_wait_for_very_many_keys),
        cmocka_unit_test(a_reply_past_the_output_limit_is_not_built),
        cmocka_unit_test(one_value_many_times_ends_at_the_output_limit),
        cmocka_unit_test(a_pipeline_ends_at_the_output_limit),
        cmocka_unit_test(nobody_is_asked_for_a_password_that_is_gone),
        cmocka_unit_test(clients_are_listed_in_the_order_asked_for),
        cmocka_unit_test(a_clients_line_tells_its_shards_and_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
