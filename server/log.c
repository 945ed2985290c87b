/* SPDX-License-Identifier: BSD-3-Clause */
/* Each line leaves in one write(), so that lines of several threads never mix. */
#include "server/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int output = STDERR_FILENO;
static char output_path[4096];

static const char *const level_names[] = {"debug", "verbose", "notice", "warning"};

bool log_open(const char *path)
{
    int fd = STDERR_FILENO;
    if (path[0]) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return false;
    }
    pthread_mutex_lock(&mutex);
    if (output != STDERR_FILENO)
        close(output);
    output = fd;
    snprintf(output_path, sizeof(output_path), "%s", path);
    pthread_mutex_unlock(&mutex);
    return true;
}

void log_reopen(void)
{
    char path[sizeof(output_path)];
    pthread_mutex_lock(&mutex);
    memcpy(path, output_path, sizeof(path));
    pthread_mutex_unlock(&mutex);
    if (path[0] && !log_open(path))
        log_line(LOG_WARNING, "cannot reopen the log file %s", path);
}

static size_t format_head(char *line, size_t cap, enum log_level level)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    size_t len = strftime(line, cap, "%Y-%m-%d %H:%M:%S", &tm);
    len += (size_t)snprintf(line + len, cap - len, ".%03ld %d %s: ", now.tv_nsec / 1000000,
                            (int)getpid(), level_names[level]);
    return len;
}

void log_line(enum log_level level, const char *format, ...)
{
    if ((int64_t)level < CONFIG(loglevel))
        return;
    char line[2048];
    size_t len = format_head(line, sizeof(line), level);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
    va_end(args);
    if (more > 0)
        len += (size_t)more < sizeof(line) - len - 1 ? (size_t)more : sizeof(line) - len - 2;
    line[len++] = '\n';
    pthread_mutex_lock(&mutex);
    ssize_t written = write(output, line, len);
    pthread_mutex_unlock(&mutex);
    (void)written; /* a log that cannot be written has nowhere to say so */
}
