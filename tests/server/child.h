/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole server in a child process, and the few calls to speak to it over a socket. */
#ifndef CAIRN_TESTS_SERVER_CHILD_H
#define CAIRN_TESTS_SERVER_CHILD_H

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "server/config.h"
#include "server/start.h"

struct child {
    pid_t pid;
    int port;
    char dir[64];
};

static inline bool port_is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_free;
}

/* Below those that the kernel gives to connections, as in tests/integration/ports.py. */
static inline int free_port(void)
{
    static int given;
    for (int tries = 0; tries < 11000; tries++) {
        int port = 10000 + (getpid() * 101 + given++) % 11000;
        if (port_is_free(port))
            return port;
    }
    fail_msg("no free port");
    return 0;
}

static inline void run_child(int argc, char **argv)
{
    struct text error = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no server behind */
    config_init();
    if (!config_load(argc, argv, &error))
        _exit(90);
    server_init();
    server_apply_config();
    if (!server_open(&error)) {
        fprintf(stderr, "%s\n", text_terminated(&error));
        _exit(91);
    }
    server_run();
    _exit(server_close());
}

static inline int try_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline int open_client(const struct child *child)
{
    for (int i = 0; i < 2000; i++) {
        int fd = try_connect(child->port);
        if (fd >= 0)
            return fd;
        usleep(10000);
    }
    fail_msg("no server on port %d", child->port);
    return -1;
}

static inline int stop(struct child *child, int number)
{
    int status = 0;
    kill(child->pid, number);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void remove_dir(const struct child *child)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", child->dir);
    assert_int_equal(system(command), 0);
}

static inline void end(struct child *child)
{
    assert_int_equal(stop(child, SIGTERM), 0);
    remove_dir(child);
}

static inline void tell(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

/* Reads exactly as many bytes as are expected, and compares them. */
static inline void expect(int fd, const char *expected)
{
    char got[8192];
    size_t len = strlen(expected), at = 0;
    assert_true(len < sizeof(got));
    while (at < len) {
        ssize_t n = recv(fd, got + at, len - at, 0);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    got[at] = 0;
    assert_string_equal(got, expected);
}

static inline void expect_end(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}

/* The reply to a command that has one bulk string for it. */
static inline const char *bulk(int fd, const char *command, char *out, size_t cap)
{
    size_t got = 0, len = 0;
    char *text = NULL;
    tell(fd, command);
    while (!text || got < (size_t)(text - out) + len + 2) {
        ssize_t n = recv(fd, out + got, cap - 1 - got, 0);
        assert_true(n > 0);
        got += (size_t)n;
        out[got] = 0;
        text = strstr(out, "\r\n");
        len = (size_t)atoi(out + 1);
        text = text ? text + 2 : NULL;
    }
    return text;
}

/* Asks until what is wanted is in the answer. */
static inline void await(int fd, const char *command, const char *wanted)
{
    char out[65536];
    for (int i = 0; i < 2000; i++) {
        if (strstr(bulk(fd, command, out, sizeof(out)), wanted))
            return;
        usleep(10000);
    }
    fail_msg("%s: no %s", command, wanted);
}

/* Options come in pairs, ended by NULL. "DIR" as a value is a directory of the child's own. */
static inline void start_in(struct child *child, const char *const *options)
{
    char port[16], *argv[40] = {"cairn-server", "--port", port, "--loglevel", "warning"};
    int argc = 5;
    child->port = free_port();
    snprintf(port, sizeof(port), "%d", child->port);
    for (; *options; options++)
        argv[argc++] = strcmp(*options, "DIR") == 0 ? child->dir : (char *)*options;
    child->pid = fork();
    if (child->pid == 0)
        run_child(argc, argv);
    int fd = open_client(child);
    tell(fd, "QUIT\r\n");
    expect(fd, "+OK\r\n");
    expect_end(fd); /* so that it does not count any more */
}

static inline void start(struct child *child, const char *const *options)
{
    snprintf(child->dir, sizeof(child->dir), "/tmp/cairn-server-test-XXXXXX");
    assert_non_null(mkdtemp(child->dir));
    start_in(child, options);
}

#endif
