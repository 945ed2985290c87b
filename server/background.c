/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The child's standard error is a pipe to the parent: whatever a failing start prints, an assert
 * too, is printed by the parent when the child has ended. A NUL byte says that it serves.
 */
#include "server/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* True: the child serves. False: it has ended, and `said` is what it had to say. */
static bool listen_to_child(int fd, struct text *said)
{
    for (;;) {
        char part[4096];
        ssize_t got = read(fd, part, sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (memchr(part, 0, (size_t)got))
            return true;
        text_append(said, part, (size_t)got);
    }
}

static _Noreturn void leave_with(pid_t child, int fd)
{
    struct text said = {0};
    int status;
    if (listen_to_child(fd, &said))
        _exit(0);
    fputs(text_terminated(&said), stderr);
    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
        fprintf(stderr, "cairn-server: ended by signal %d at its start\n", WTERMSIG(status));
    _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

static void to_nowhere(int first, int last)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = first; null >= 0 && fd <= last; fd++)
        dup2(null, fd);
    if (null > last)
        close(null);
}

bool background_enter(struct text *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
        pid_t child = fork();
        if (child > 0) {
            close(ends[1]);
            leave_with(child, ends[0]);
        }
        if (child == 0) {
            setsid();
            to_nowhere(STDIN_FILENO, STDOUT_FILENO);
            dup2(ends[1], STDERR_FILENO);
            close(ends[0]);
            close(ends[1]);
            return true;
        }
    }
    text_append_format(error, "daemonize: %s", strerror(errno));
    return false;
}

void background_ready(void)
{
    ssize_t told = write(STDERR_FILENO, "", 1);
    (void)told; /* a parent that was killed needs no answer */
    to_nowhere(STDERR_FILENO, STDERR_FILENO);
}
