/* SPDX-License-Identifier: BSD-3-Clause */
/* cairn-server: reads its options, starts the server, or does one errand without one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/persistence.h"
#include "server/config.h"
#include "server/errand.h"
#include "server/log.h"
#include "server/server.h"
#include "server/start.h"

static int fail(struct text *error)
{
    fprintf(stderr, "cairn-server: %s\n", text_terminated(error));
    text_release(error);
    return 1;
}

static int print(void (*make)(struct text *out), const char *head)
{
    struct text out = {0};
    make(&out);
    printf("%s%s", head, text_terminated(&out));
    text_release(&out);
    return 0;
}

static const char usage[] =
    "cairn-server: a metadata server that speaks Redis's protocol and keeps JSON in a store\n"
    "\n"
    "  cairn-server [FILE|-] [--directive value ...]   serve\n"
    "  cairn-server --export STORE NAMESPACE           print a namespace as one JSON document\n"
    "  cairn-server --import STORE NAMESPACE           take such a document from standard input\n"
    "  cairn-server --verify STORE [NAMESPACE]         read it back and check it: exit status 0 "
    "sound,\n"
    "                                                  1 not sound, 2 could not be read\n"
    "                  ... [--directive value ...]     with these, s3-... for a bucket elsewhere\n"
    "  cairn-server --print-config                     print an example cairn.conf\n"
    "  cairn-server --version | --help\n"
    "\n"
    "Directives, with their defaults (times in seconds, or with ms, s, m, h behind them;\n"
    "sizes in bytes, or with kb, mb, gb):\n";

static bool write_pidfile(const char *path, struct text *error)
{
    FILE *file = path[0] ? fopen(path, "we") : NULL;
    if (!path[0])
        return true;
    if (!file) {
        text_append_format(error, "pidfile %s: %s", path, strerror(errno));
        return false;
    }
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    return true;
}

/* The parent leaves at once; the child has no terminal, and its output goes nowhere. */
static void go_to_background(void)
{
    if (fork() != 0)
        _exit(0);
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

static int serve(int argc, char **argv)
{
    struct text error = {0};
    config_init();
    if (!config_load(argc, argv, &error))
        return fail(&error);
    char *logfile = CONFIG_STRING(logfile), *pidfile = CONFIG_STRING(pidfile);
    if (!log_open(logfile)) {
        text_append_format(&error, "logfile %s: %s", logfile, strerror(errno));
        return fail(&error);
    }
    if (CONFIG(daemonize))
        go_to_background();
    server_init();
    server_apply_config();
    if (!write_pidfile(pidfile, &error) || !server_open(&error)) {
        if (logfile[0])
            log_line(LOG_WARNING, "cannot start: %s", text_terminated(&error));
        mem_free(logfile);
        mem_free(pidfile);
        return fail(&error);
    }
    server_run();
    int status = server_close();
    if (pidfile[0])
        unlink(pidfile);
    if (atomic_load(&server.stop_without_saving))
        _exit(status); /* the store's threads are still there */
    mem_free(logfile);
    mem_free(pidfile);
    config_release();
    return status;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--version") == 0 || strcmp(first, "-v") == 0) {
        printf("cairn-server %s\n", CAIRN_VERSION);
        return 0;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return print(config_help, usage);
    if (strcmp(first, "--print-config") == 0)
        return print(config_example, "");
    if (errand_named(first))
        return errand_run(argc, argv);
    return serve(argc, argv);
}
