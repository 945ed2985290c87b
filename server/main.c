/* SPDX-License-Identifier: BSD-3-Clause */
/* cairn-server: reads its options, starts the server, or does one errand without one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/persistence.h"
#include "server/background.h"
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
    "                                                  1 not sound or not there, 2 could not be "
    "read\n"
    "                  ... [--directive value ...]     with these, s3-... for a bucket elsewhere\n"
    "  cairn-server --print-config                     print an example cairn.conf\n"
    "  cairn-server --version | --help\n"
    "\n"
    "Directives, with their defaults (times in seconds, or with ms, s, m, h behind them;\n"
    "sizes in bytes, or with kb, mb, gb):\n";

#define DAEMON_PIDFILE "/var/run/cairn-server.pid" /* Redis has one such, too */

/* As in Redis, a server without it still serves, and a start that fails leaves the file of the
 * server that runs alone. True: it is there. */
static bool write_pidfile(const char *path)
{
    FILE *file = path[0] ? fopen(path, "we") : NULL;
    if (file) {
        fprintf(file, "%d\n", (int)getpid());
        fclose(file);
    } else if (path[0]) {
        log_line(LOG_WARNING, "pidfile %s: %s", path, strerror(errno));
    }
    return file != NULL;
}

static bool open_log(struct text *error)
{
    char *logfile = CONFIG_STRING(logfile);
    bool good = log_open(logfile);
    if (!good)
        text_append_format(error, "logfile %s: %s", logfile, strerror(errno));
    mem_free(logfile);
    return good;
}

static bool open_server(struct text *error)
{
    server_init();
    server_apply_config();
    if (server_open(error))
        return true;
    char *logfile = CONFIG_STRING(logfile);
    if (logfile[0])
        log_line(LOG_WARNING, "cannot start: %s", text_terminated(error));
    mem_free(logfile);
    return false;
}

static int serve(int argc, char **argv)
{
    struct text error = {0};
    config_init();
    if (!config_load(argc, argv, &error) || !open_log(&error) ||
        (CONFIG(daemonize) && !background_enter(&error)) || !open_server(&error))
        return fail(&error);
    char *pidfile = CONFIG_STRING(pidfile);
    const char *path = CONFIG(daemonize) && !pidfile[0] ? DAEMON_PIDFILE : pidfile;
    bool written = write_pidfile(path);
    if (CONFIG(daemonize))
        background_ready();
    server_run();
    int status = server_close();
    if (written)
        unlink(path);
    if (atomic_load(&server.stop_without_saving))
        _exit(status); /* the store's threads are still there */
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
    mem_part_passing();
    if (errand_named(first))
        return errand_run(argc, argv);
    return serve(argc, argv);
}
