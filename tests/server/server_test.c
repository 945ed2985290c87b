/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The request path from outside: a whole server in a child process, spoken to over a socket, byte
 * by byte where the bytes matter.
 */
#include <time.h>

#include "tests/server/child.h"

static const char *const by_default[] = {"--store", "memory", NULL};
static const char *const in_memory[] = {"--store", "memory", "--threads", "3", NULL};
static const char *const in_memory_with_debug[] = {
    "--store", "memory", "--threads", "3", "--enable-debug-command", "local", NULL};
static const char *const in_directory[] = {"--store", "DIR", "--threads", "2", NULL};
static const char *const in_directory_always[] = {"--store",         "DIR",    "--threads", "2",
                                                  "--journal-fsync", "always", NULL};

static void a_pipeline_over_namespaces_is_answered_in_order(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd,
         "SET k a\r\nSELECT 3\r\nGET k\r\nSET k b\r\nSELECT some.name\r\nSET k c\r\nSELECT 0\r\n"
         "GET k\r\nSELECT 3\r\nGET k\r\nSELECT some.name\r\nGET k\r\nFOO\r\nGET\r\nPING\r\n");
    expect(fd, "+OK\r\n+OK\r\n$-1\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\na\r\n+OK\r\n$1\r\nb\r\n"
               "+OK\r\n$1\r\nc\r\n-ERR unknown command 'FOO', with args beginning with: \r\n"
               "-ERR wrong number of arguments for 'get' command\r\n+PONG\r\n");
    close(fd);
    end(&child);
}

static void more_than_a_turn_takes_is_answered_whole(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    enum { COUNT = 20000 };
    char *sent = malloc(COUNT * 16), *at = sent;
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "INCR k\r\n");
    if (fork() == 0) {
        tell(fd, sent);
        _exit(0);
    }
    char line[32];
    for (int i = 1; i <= COUNT; i++) {
        snprintf(line, sizeof(line), ":%d\r\n", i);
        expect(fd, line);
    }
    wait(NULL);
    free(sent);
    close(fd);
    end(&child);
}

static void a_protocol_error_is_told_behind_what_came_before(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "PING\r\n*1\r\n$4\r\nPING\r\n*1\r\nPING\r\nPING\r\n");
    expect(fd, "+PONG\r\n+PONG\r\n-ERR Protocol error: expected '$', got 'P'\r\n");
    expect_end(fd);
    end(&child);
}

static void quit_ends_the_connection_and_drops_the_rest(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "QUIT\r\nSET k v\r\n");
    expect(fd, "+OK\r\n");
    expect_end(fd);
    fd = open_client(&child);
    tell(fd, "EXISTS k\r\n");
    expect(fd, ":0\r\n");
    close(fd);
    end(&child);
}

static void a_client_that_stops_sending_still_gets_its_answers(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "PING\r\nECHO x\r\n");
    shutdown(fd, SHUT_WR);
    expect(fd, "+PONG\r\n$1\r\nx\r\n");
    expect_end(fd);
    end(&child);
}

static void nothing_runs_before_the_password(void **state)
{
    (void)state;
    struct child child;
    static const char *const options[] = {"--store", "memory", "--requirepass", "secret", NULL};
    start(&child, options);
    int fd = open_client(&child);
    tell(fd, "GET k\r\nPING\r\nAUTH wrong\r\nHELLO 3\r\nAUTH default secret\r\nGET k\r\nRESET\r\n"
             "GET k\r\nHELLO 2 AUTH default secret SETNAME me\r\n");
    expect(fd, "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n"
               "-WRONGPASS invalid username-password pair or user is disabled.\r\n-NOAUTH HELLO ");
    expect(fd, "must be called with the client already authenticated, otherwise the HELLO "
               "AUTH <user> <pass> option can be used to authenticate the client and select the "
               "RESP protocol version at the same time\r\n+OK\r\n$-1\r\n+RESET\r\n"
               "-NOAUTH Authentication required.\r\n*14\r\n$6\r\nserver\r\n");
    close(fd);
    fd = open_client(&child);
    tell(fd, "*11\r\n");
    expect(fd, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    expect_end(fd);
    end(&child);
}

static void one_client_too_many_is_turned_away(void **state)
{
    (void)state;
    struct child child;
    static const char *const options[] = {"--store", "memory", "--maxclients", "2", NULL};
    start(&child, options);
    int one = open_client(&child), two = open_client(&child);
    tell(one, "PING\r\n");
    tell(two, "PING\r\n");
    expect(one, "+PONG\r\n");
    expect(two, "+PONG\r\n");
    int three = open_client(&child);
    expect(three, "-ERR max number of clients reached\r\n");
    expect_end(three);
    close(one);
    close(two);
    end(&child);
}

static void a_killed_client_is_gone_and_told_about(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int victim = open_client(&child), killer = open_client(&child);
    tell(victim, "CLIENT SETNAME a b\r\nCLIENT SETNAME victim\r\nSUBSCRIBE ch\r\n");
    expect(victim, "-ERR wrong number of arguments for 'client|setname' command\r\n+OK\r\n"
                   "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    tell(killer, "PUBLISH ch x\r\n");
    expect(killer, ":1\r\n");
    expect(victim, "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nx\r\n");
    tell(killer, "CLIENT KILL TYPE pubsub\r\nCLIENT KILL 1.2.3.4:5\r\n");
    expect(killer, ":1\r\n-ERR No such client\r\n");
    expect_end(victim);
    close(killer);
    end(&child);
}

static void a_pause_holds_commands_until_it_ends(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int one = open_client(&child), two = open_client(&child);
    tell(one, "CLIENT PAUSE 100000 WRITE\r\n");
    expect(one, "+OK\r\n");
    tell(two, "GET k\r\nSET k v\r\nGET k\r\n");
    expect(two, "$-1\r\n");
    tell(one, "GET k\r\nCLIENT UNPAUSE\r\n");
    expect(one, "$-1\r\n+OK\r\n");
    expect(two, "+OK\r\n$1\r\nv\r\n");
    close(one);
    close(two);
    end(&child);
}

static void replies_can_be_skipped_and_turned_off(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "CLIENT REPLY SKIP\r\nPING\r\nECHO a\r\nCLIENT REPLY OFF\r\nSET k v\r\nFOO\r\n"
             "CLIENT REPLY ON\r\nGET k\r\n");
    expect(fd, "$1\r\na\r\n+OK\r\n$1\r\nv\r\n");
    close(fd);
    end(&child);
}

/* What is answered from CLIENT REPLY on is all that EXEC sends: its array stays short. */
static void replies_are_skipped_inside_a_transaction_too(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd,
         "MULTI\r\nECHO a\r\nCLIENT REPLY OFF\r\nECHO b\r\nEXEC\r\nECHO c\r\nCLIENT REPLY ON\r\n");
    expect(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$1\r\na\r\n+OK\r\n");
    tell(fd, "MULTI\r\nECHO a\r\nCLIENT REPLY SKIP\r\nECHO b\r\nEXEC\r\nECHO c\r\nECHO d\r\n");
    expect(fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nd\r\n");
    tell(fd, "CLIENT REPLY OFF\r\nMULTI\r\nECHO a\r\nCLIENT REPLY ON\r\nECHO b\r\nSUBSCRIBE "
             "s\r\nEXEC\r\n");
    expect(fd, "+OK\r\n$1\r\nb\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\ns\r\n:1\r\n");
    close(fd);
    end(&child);
}

static void a_late_reply_is_skipped_too(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child), other = open_client(&child);
    tell(fd,
         "CLIENT REPLY SKIP\r\nBLPOP l 0.01\r\nECHO a\r\nCLIENT REPLY SKIP\r\nRESET\r\nECHO b\r\n");
    expect(fd, "$1\r\na\r\n$1\r\nb\r\n");
    close(other);
    close(fd);
    end(&child);
}

/* The monitor's next line from its first quote on, without the end of the line. */
static const char *next_shown(int monitor, char line[256])
{
    size_t len = 0;
    while (len < 255 && recv(monitor, line + len, 1, 0) == 1 && line[len] != '\n')
        len++;
    line[len ? len - 1 : 0] = 0;
    assert_int_equal(line[0], '+');
    const char *namespace = strchr(line, '[');
    assert_non_null(namespace);
    return namespace;
}

static void assert_shown(int monitor, const char *namespace, const char *arguments)
{
    char line[256];
    const char *shown = next_shown(monitor, line);
    assert_int_equal(strncmp(shown, namespace, strlen(namespace)), 0);
    assert_string_equal(strchr(shown, ']') + 2, arguments);
}

static void passwords_are_shown_to_nobody(void **state)
{
    (void)state;
    struct child child;
    static const char *const options[] = {"--store", "memory", "--slowlog-log-slower-than", "0",
                                          NULL};
    start(&child, options);
    int monitor = open_client(&child), other = open_client(&child);
    tell(monitor, "MONITOR\r\n");
    expect(monitor, "+OK\r\n");
    tell(other, "SLOWLOG RESET\r\nAUTH default secret\r\nAUTH a b c\r\nHELLO 2 SETNAME auth AUTH "
                "default secret\r\n"
                "CONFIG SET timeout 0 requirepass secret\r\nSLOWLOG GET 4\r\n");
    assert_shown(monitor, "[0 ", "\"AUTH\" \"(redacted)\" \"(redacted)\"");
    assert_shown(monitor, "[0 ", "\"AUTH\" \"(redacted)\" \"(redacted)\" \"(redacted)\"");
    assert_shown(monitor, "[0 ",
                 "\"HELLO\" \"2\" \"SETNAME\" \"auth\" \"AUTH\" \"(redacted)\" \"(redacted)\"");
    char got[4096] = "";
    size_t at = 0;
    while (!strstr(got, "\r\nAUTH\r\n$10\r\n(redacted)\r\n$10\r\n(redacted)\r\n$") &&
           at < sizeof(got) - 1) {
        ssize_t n = recv(other, got + at, sizeof(got) - 1 - at, 0);
        if (n <= 0)
            break;
        at += (size_t)n;
        got[at] = 0;
    }
    assert_non_null(
        strstr(got, "\r\ntimeout\r\n$1\r\n0\r\n$11\r\nrequirepass\r\n$10\r\n(redacted)\r\n"));
    assert_non_null(strstr(got, "\r\nAUTH\r\n$10\r\n(redacted)\r\n$10\r\n(redacted)\r\n$"));
    assert_null(strstr(got, "secret"));
    close(monitor);
    close(other);
    end(&child);
}

static void monitors_are_told_once_a_command_has_run(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int monitor = open_client(&child), other = open_client(&child);
    tell(monitor, "MONITOR\r\n");
    expect(monitor, "+OK\r\n");
    tell(other, "SELECT 3\r\nMULTI\r\nINCR a\r\nSELECT orders\r\nEXEC\r\n");
    assert_shown(monitor, "[3 ", "\"SELECT\" \"3\"");
    assert_shown(monitor, "[3 ", "\"MULTI\"");
    assert_shown(monitor, "[3 ", "\"INCR\" \"a\"");
    assert_shown(monitor, "[orders ", "\"SELECT\" \"orders\"");
    assert_shown(monitor, "[orders ", "\"EXEC\"");
    close(monitor);
    close(other);
    end(&child);
}

static void monitors_see_what_others_run(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int monitor = open_client(&child), other = open_client(&child);
    tell(monitor, "MONITOR\r\n");
    expect(monitor, "+OK\r\n");
    tell(other, "SET \"k\\x01\" \"a\\\"b\"\r\n");
    expect(other, "+OK\r\n");
    char line[256];
    ssize_t got = recv(monitor, line, sizeof(line) - 1, 0);
    assert_true(got > 0);
    line[got] = 0;
    assert_int_equal(line[0], '+');
    assert_non_null(strstr(line, "] \"SET\" \"k\\x01\" \"a\\\"b\"\r\n"));
    close(monitor);
    close(other);
    end(&child);
}

static void a_transaction_over_namespaces_is_whole(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_directory);
    int fd = open_client(&child);
    tell(fd, "MULTI\r\nSET k a\r\nSELECT 2\r\nSET k b\r\nFLUSHALL\r\nSET k c\r\nINFO keyspace\r\n"
             "EXEC\r\nGET k\r\n");
    expect(fd,
           "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*6\r\n+OK\r\n"
           "+OK\r\n+OK\r\n+OK\r\n+OK\r\n$44\r\n# Keyspace\r\ndb2:keys=1,expires=0,avg_ttl=0\r\n"
           "\r\n$1\r\nc\r\n");
    close(fd);
    end(&child);
}

static void a_refused_exec_ends_its_transaction(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    const char *refused = "-EXECABORT Transaction discarded because of: wrong number of arguments "
                          "for 'exec' command\r\n";
    tell(
        fd,
        "WATCH k\r\nMULTI\r\nSET k a\r\nEXEC now\r\nGET k\r\nSET k b\r\nMULTI\r\nPING\r\nEXEC\r\n");
    expect(fd, "+OK\r\n+OK\r\n+QUEUED\r\n");
    expect(fd, refused);
    expect(fd, "$-1\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
    tell(fd, "WATCH k\r\nSELECT 2\r\nMULTI\r\nSELECT 3\r\nEXEC now\r\nEXEC now\r\nEXEC\r\n");
    expect(fd, "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n");
    expect(fd, refused);
    expect(fd, refused);
    expect(fd, "-ERR EXEC without MULTI\r\n");
    close(fd);
    end(&child);
}

static const char *const with_password[] = {"--store",       "memory", "--threads", "2",
                                            "--requirepass", "secret", NULL};

static void limits_before_authentication_end_with_it(void **state)
{
    (void)state;
    struct child child;
    start(&child, with_password);
    int fd = open_client(&child);
    tell(fd,
         "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*13\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n"
         "$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\ne\r\n$1\r\n5\r\n"
         "$1\r\nf\r\n$1\r\n6\r\nGET f\r\n");
    expect(fd, "+OK\r\n+OK\r\n$1\r\n6\r\n");
    close(fd);
    fd = open_client(&child);
    tell(fd, "PING\r\n*13\r\n");
    expect(fd, "-NOAUTH Authentication required.\r\n"
               "-ERR Protocol error: unauthenticated multibulk length\r\n");
    expect_end(fd);
    end(&child);
}

static void options_are_judged_as_redis_does(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "SET k v PX 1 PX 100000\r\nSET k v EX 10 PX 10\r\nSET k v KEEPTTL KEEPTTL\r\n"
             "SET k v EX 0 EX 9\r\nSET k v KEEPTTL EX 9\r\n");
    expect(fd, "+OK\r\n-ERR syntax error\r\n+OK\r\n+OK\r\n-ERR syntax error\r\n");
    tell(fd, "GETEX k EX 5 EX 500\r\nEXPIRE k 400 GT\r\nGETEX k PERSIST PERSIST\r\nTTL k\r\n"
             "GETEX k EX 5 PX 5\r\nGETEX k EX\r\nGETEX k PERSIST EX 5\r\nGETEX k EX 0\r\n");
    expect(fd, "$1\r\nv\r\n:0\r\n$1\r\nv\r\n:-1\r\n-ERR syntax error\r\n-ERR syntax error\r\n"
               "-ERR syntax error\r\n-ERR invalid expire time in 'getex' command\r\n");
    tell(fd, "RPUSH l a\r\nGETEX l EX x\r\nGETEX l EX\r\nGETEX none EX x\r\nGETEX none EX 0\r\n"
             "GETEX none FOO\r\nGETEX k PXAT 1\r\nEXISTS k\r\n");
    expect(fd, ":1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
               "-ERR syntax error\r\n$-1\r\n$-1\r\n-ERR syntax error\r\n$1\r\nv\r\n:0\r\n");
    close(fd);
    end(&child);
}

/* Reads up to the end of what is given, whatever comes before it. */
static void skip_past(int fd, const char *last)
{
    char got[1024];
    size_t len = strlen(last), at = 0;
    while (at < sizeof(got) && (at < len || memcmp(got + at - len, last, len) != 0))
        assert_int_equal(recv(fd, got + at++, 1, 0), 1);
    assert_true(at < sizeof(got));
}

static void shapes_and_texts_are_those_of_redis(void **state)
{
    (void)state;
    struct child child;
    start(&child, by_default);
    int fd = open_client(&child);
    tell(fd, "COMMAND INFO nosuch\r\nCONFIG SET timeout 1 maxmemory\r\nMEMORY USAGE k SAMPLES x\r\n"
             "MEMORY USAGE k SAMPLES -1\r\nHELLO 3\r\n");
    expect(fd, "*1\r\n$-1\r\n-ERR syntax error\r\n"
               "-ERR value is not an integer or out of range\r\n-ERR syntax error\r\n%7\r\n");
    skip_past(fd, "modules\r\n*0\r\n");
    tell(fd, "COMMAND INFO echo nosuch\r\n");
    expect(fd, "*2\r\n*10\r\n$4\r\necho\r\n:2\r\n~3\r\n+loading\r\n+stale\r\n+fast\r\n"
               ":0\r\n:0\r\n:0\r\n~2\r\n+@fast\r\n+@connection\r\n~0\r\n~0\r\n~0\r\n_\r\n");
    tell(fd, "CONFIG GET threads\r\nCONFIG SET requirepass x\r\n");
    expect(fd, "%1\r\n$7\r\nthreads\r\n$1\r\n0\r\n+OK\r\n");
    close(fd);
    fd = open_client(&child);
    tell(fd, "HELLO 3\r\n");
    expect(fd, "-NOAUTH HELLO must be called with the client already authenticated, otherwise the "
               "HELLO AUTH <user> <pass> option can be used");
    close(fd);
    end(&child);
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_directory_always);
    int fd = open_client(&child);
    tell(fd, "SET k v\r\nINCR n\r\nINCR n\r\nSELECT named\r\nRPUSH l a b\r\n");
    expect(fd, "+OK\r\n:1\r\n:2\r\n+OK\r\n:2\r\n");
    close(fd);
    assert_int_equal(stop(&child, SIGKILL), -1);
    start_in(&child, in_directory_always);
    fd = open_client(&child);
    tell(fd, "GET k\r\nINCR n\r\nSELECT named\r\nLRANGE l 0 -1\r\n");
    expect(fd, "$1\r\nv\r\n:3\r\n+OK\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    close(fd);
    end(&child);
}

static void written_without_a_journal_is_in_the_store(void **state)
{
    static const char *const options[] = {"--store",         "DIR", "--journal", "no",
                                          "--sync-interval", "0",   NULL};
    (void)state;
    struct child child;
    start(&child, options);
    int fd = open_client(&child);
    int waiting = open_client(&child);
    tell(waiting, "CAIRN DURABILITY written\r\nBLPOP l 0\r\n");
    expect(waiting, "+OK\r\n");
    tell(fd, "CAIRN DURABILITY written\r\nSET k v\r\nRPUSH l a b\r\n");
    expect(fd, "+OK\r\n+OK\r\n:2\r\n");
    expect(waiting, "*2\r\n$1\r\nl\r\n$1\r\na\r\n");
    close(waiting);
    close(fd);
    assert_int_equal(stop(&child, SIGKILL), -1);
    start_in(&child, options);
    fd = open_client(&child);
    tell(fd, "GET k\r\nLRANGE l 0 -1\r\n");
    expect(fd, "$1\r\nv\r\n*1\r\n$1\r\nb\r\n");
    close(fd);
    end(&child);
}

static void a_namespace_is_loaded_when_first_used(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_directory);
    int fd = open_client(&child);
    tell(fd, "SELECT 7\r\nSET k v\r\nSELECT 0\r\nSET z y\r\n");
    expect(fd, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    close(fd);
    assert_int_equal(stop(&child, SIGTERM), 0);
    start_in(&child, in_directory);
    fd = open_client(&child);
    tell(fd, "SELECT 7\r\nGET k\r\nMULTI\r\nSELECT 0\r\nGET z\r\nEXEC\r\nCLIENT SETNAME x\r\n");
    expect(fd, "+OK\r\n$1\r\nv\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\ny\r\n+OK\r\n");
    close(fd);
    end(&child);
}

static void waits_are_answered_at_their_level(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_directory);
    int fd = open_client(&child);
    tell(fd,
         "WAIT 0 0\r\nSET k v\r\nWAITAOF 1 0 10000\r\nWAIT 1 10000\r\nWAITAOF 1 1 10000\r\n"
         "CAIRN DURABILITY durable\r\nSET k w\r\nCAIRN POSITION\r\nCAIRN DURABILITY\r\nSAVE\r\n");
    expect(fd, ":1\r\n+OK\r\n*2\r\n:1\r\n:0\r\n:1\r\n*2\r\n:1\r\n:1\r\n+OK\r\n+OK\r\n:");
    close(fd);
    end(&child);
}

static void waits_want_milliseconds(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_directory);
    int fd = open_client(&child);
    tell(fd, "WAIT 0 x\r\nWAITAOF 0 0 x\r\nCLIENT PAUSE x\r\nCAIRN WAITPOSITION 0 x\r\n");
    for (int i = 0; i < 4; i++)
        expect(fd, "-ERR timeout is not an integer or out of range\r\n");
    tell(fd, "WAIT 0 -1\r\nWAITAOF 0 0 -1\r\nCLIENT PAUSE -1\r\nCAIRN WAITPOSITION 0 -1\r\n");
    for (int i = 0; i < 4; i++)
        expect(fd, "-ERR timeout is negative\r\n");
    close(fd);
    end(&child);
}

/* A number that INFO has. */
static long info_number(const struct child *child, const char *name)
{
    char answer[65536];
    size_t len = 0;
    const char *found = NULL;
    int fd = open_client(child);
    tell(fd, "INFO stats\r\n");
    while (!found || !strchr(found, '\r')) {
        ssize_t n = read(fd, answer + len, sizeof(answer) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        answer[len] = '\0';
        found = strstr(answer, name);
    }
    close(fd);
    return strtol(found + strlen(name) + 1, NULL, 10);
}

/* Runs `command` for each of `count` keys that have expired by the time of it, and waits until they
 * are gone, though nobody asks for them. */
static void all_expire(const struct child *child, const char *format, int count)
{
    char line[96];
    int fd = open_client(child);
    tell(fd, "DEBUG SET-ACTIVE-EXPIRE 0\r\n");
    expect(fd, "+OK\r\n");
    tell(fd, "CLIENT REPLY OFF\r\n");
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), format, i);
        tell(fd, line);
    }
    tell(fd, "CLIENT REPLY ON\r\n");
    expect(fd, "+OK\r\n");
    assert_int_equal(info_number(child, "expired_keys"), 0);
    tell(fd, "DEBUG SET-ACTIVE-EXPIRE 1\r\n");
    expect(fd, "+OK\r\n");
    close(fd);
    long gone = 0;
    for (int i = 0; i < 600 && gone < count; i++) {
        usleep(50000);
        gone = info_number(child, "expired_keys");
    }
    assert_int_equal(gone, count);
}

/* Else whoever asks for something else waits until all are gone. */
static void many_expired_keys_go_in_slices(void **state)
{
    (void)state;
    struct child child;
    enum { KEYS = 100000 };
    start(&child, in_memory_with_debug);
    all_expire(&child, "SET k%d v PX 1\r\n", KEYS);
    assert_in_range(info_number(&child, "expired_time_cap_reached_count"), 5, KEYS);
    end(&child);
}

/* However many there are, and however many of them have nothing that expires. */
static void keys_of_all_namespaces_expire(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory_with_debug);
    all_expire(&child, "SELECT n%d\r\nSET stays v\r\nSET goes v PX 1\r\n", 400);
    end(&child);
}

static void shutdown_saves_and_ends(void **state)
{
    (void)state;
    struct child child;
    int status;
    start(&child, in_directory);
    int fd = open_client(&child);
    tell(fd, "SET k v\r\nSHUTDOWN\r\n");
    expect(fd, "+OK\r\n");
    expect_end(fd);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    start_in(&child, in_directory);
    fd = open_client(&child);
    tell(fd, "GET k\r\n");
    expect(fd, "$1\r\nv\r\n");
    close(fd);
    end(&child);
}

static void past_maxmemory_writes_are_refused_and_reads_go_on(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "SET k v\r\nCONFIG SET maxmemory 1\r\n");
    expect(fd, "+OK\r\n+OK\r\n");
    tell(fd, "SET k w\r\nGET k\r\nDEL k\r\nCONFIG SET maxmemory 0\r\nSET k x\r\n");
    expect(fd, "-OOM command not allowed when used memory > 'maxmemory'.\r\n$1\r\nv\r\n:1\r\n"
               "+OK\r\n+OK\r\n");
    close(fd);
    end(&child);
}

static void no_namespace_yet_means_nothing_to_evict(void **state)
{
    (void)state;
    struct child child;
    static const char *const options[] = {
        "--store", "memory", "--maxmemory", "1", "--maxmemory-policy", "allkeys-random", NULL};
    start(&child, options);
    usleep(300 * 1000); /* until the memory in use is known, and some turns more */
    int fd = open_client(&child);
    tell(fd, "PING\r\n");
    expect(fd, "+PONG\r\n");
    close(fd);
    end(&child);
}

static void volatile_eviction_finds_the_few_keys_with_a_deadline(void **state)
{
    (void)state;
    struct child child;
    start(&child, in_memory);
    int fd = open_client(&child);
    tell(fd, "MSET");
    for (int i = 0; i < 1000; i++) {
        char pair[16];
        snprintf(pair, sizeof(pair), " k%d v", i);
        tell(fd, pair);
    }
    tell(fd, "\r\nSET short v EX 1000\r\nSET long v EX 9000\r\n"
             "CONFIG SET maxmemory-policy volatile-ttl\r\nCONFIG SET maxmemory 1\r\n");
    expect(fd, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    await(fd, "INFO keyspace\r\n", "db0:keys=1000,expires=0,");
    close(fd);
    end(&child);
}

static void a_client_that_does_not_read_is_closed_at_its_limit(void **state)
{
    (void)state;
    struct child child;
    static const char *const options[] = {"--store", "memory", "--client-output-buffer-limit",
                                          "normal 1mb 0 0", NULL};
    start(&child, options);
    int fd = open_client(&child);
    char value[1001] = {0}, line[1100];
    memset(value, 'x', 1000);
    snprintf(line, sizeof(line), "SET k %s\r\n", value);
    tell(fd, line);
    expect(fd, "+OK\r\n");
    for (int i = 0; i < 40000; i++)
        tell(fd, "GET k\r\n");
    struct pollfd hung_up = {.fd = fd, .events = POLLRDHUP};
    assert_int_equal(poll(&hung_up, 1, 60000), 1);
    char sink[65536];
    ssize_t got;
    size_t total = 0;
    while ((got = recv(fd, sink, sizeof(sink), 0)) > 0)
        total += (size_t)got;
    assert_true(total < 40000u * 1008u);
    close(fd);
    end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipeline_over_namespaces_is_answered_in_order),
        cmocka_unit_test(more_than_a_turn_takes_is_answered_whole),
        cmocka_unit_test(a_protocol_error_is_told_behind_what_came_before),
        cmocka_unit_test(quit_ends_the_connection_and_drops_the_rest),
        cmocka_unit_test(a_client_that_stops_sending_still_gets_its_answers),
        cmocka_unit_test(nothing_runs_before_the_password),
        cmocka_unit_test(one_client_too_many_is_turned_away),
        cmocka_unit_test(a_killed_client_is_gone_and_told_about),
        cmocka_unit_test(a_pause_holds_commands_until_it_ends),
        cmocka_unit_test(replies_can_be_skipped_and_turned_off),
        cmocka_unit_test(replies_are_skipped_inside_a_transaction_too),
        cmocka_unit_test(a_late_reply_is_skipped_too),
        cmocka_unit_test(passwords_are_shown_to_nobody),
        cmocka_unit_test(monitors_are_told_once_a_command_has_run),
        cmocka_unit_test(monitors_see_what_others_run),
        cmocka_unit_test(a_transaction_over_namespaces_is_whole),
        cmocka_unit_test(a_refused_exec_ends_its_transaction),
        cmocka_unit_test(limits_before_authentication_end_with_it),
        cmocka_unit_test(options_are_judged_as_redis_does),
        cmocka_unit_test(shapes_and_texts_are_those_of_redis),
        cmocka_unit_test(what_was_acknowledged_survives_a_kill),
        cmocka_unit_test(written_without_a_journal_is_in_the_store),
        cmocka_unit_test(a_namespace_is_loaded_when_first_used),
        cmocka_unit_test(waits_are_answered_at_their_level),
        cmocka_unit_test(waits_want_milliseconds),
        cmocka_unit_test(many_expired_keys_go_in_slices),
        cmocka_unit_test(keys_of_all_namespaces_expire),
        cmocka_unit_test(shutdown_saves_and_ends),
        cmocka_unit_test(past_maxmemory_writes_are_refused_and_reads_go_on),
        cmocka_unit_test(no_namespace_yet_means_nothing_to_evict),
        cmocka_unit_test(volatile_eviction_finds_the_few_keys_with_a_deadline),
        cmocka_unit_test(a_client_that_does_not_read_is_closed_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
