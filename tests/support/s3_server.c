/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_server.h. */
#include "tests/support/s3_server.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char directory[64];

/* One NAME=value of "export A=x B=y": %q of bash leaves such values plain or backslashed. */
static void take_setting(const char *setting)
{
    char name[64], value[512];
    size_t out = 0, len = strcspn(setting, "=");
    if (setting[len] != '=' || len >= sizeof(name))
        return;
    memcpy(name, setting, len);
    name[len] = '\0';
    for (const char *c = setting + len + 1; *c && out < sizeof(value) - 1; c++)
        if (*c != '\\')
            value[out++] = *c;
    value[out] = '\0';
    setenv(name, value, 1);
}

static bool run_script(const char *verb)
{
    char command[160], line[2048] = "";
    snprintf(command, sizeof(command), "exec tests/support/ceph.sh %s %s", verb, directory);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return false;
    while (fgets(line, sizeof(line), pipe)) {
        char *rest = NULL;
        for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
            take_setting(word);
    }
    return pclose(pipe) == 0;
}

int s3_server_start(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/cairn-s3-XXXXXX");
    if (!mkdtemp(directory) || !run_script("start"))
        return -1;
    setenv("AWS_REGION", "us-east-1", 0);
    setenv("AWS_ENDPOINT_URL_S3", getenv("S3_ENDPOINT"), 1);
    return 0;
}

int s3_server_stop(void **state)
{
    (void)state;
    bool ok = run_script("stop");
    rmdir(directory);
    return ok ? 0 : -1;
}

void s3_server_place(const char *suffix, char *out, size_t size)
{
    static unsigned count;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(out, size, "s3://%s/test-%lld-%09ld-%ld-%u%s", getenv("S3_BUCKET"),
             (long long)now.tv_sec, now.tv_nsec, (long)getpid(), count++, suffix);
}
