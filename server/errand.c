/* SPDX-License-Identifier: BSD-3-Clause */
/* See errand.h. */
#include "server/errand.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "persistence/persistence.h"
#include "persistence/verify.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/start.h"

#define STATUS_UNREADABLE 2
#define TERMINAL_PAUSE_US 200000
#define FILE_PAUSE_US     5000000

struct errand {
    const char *store;
    struct slice namespace; /* empty: none given */
};

struct row {
    const char *name;
    int least;        /* words that must follow, of at most two: store, namespace */
    int usage_status; /* when they do not, or a directive is wrong */
    int (*run)(const struct errand *errand);
};

static int fail(struct text *error, int status)
{
    fprintf(stderr, "cairn-server: %s\n", text_terminated(error));
    text_release(error);
    return status;
}

static int export(const struct errand *errand)
{
    struct text error = {0};
    enum persistence_status status =
        persistence_export(errand->store, errand->namespace, STDOUT_FILENO, &error);
    return status == PERSISTENCE_OK ? 0 : fail(&error, 1);
}

static int import(const struct errand *errand)
{
    struct text error = {0};
    enum persistence_status status =
        persistence_import(errand->store, errand->namespace, STDIN_FILENO, &error);
    return status == PERSISTENCE_OK ? 0 : fail(&error, 1);
}

/* --- verify --- */

struct progress {
    bool terminal, shown;
    int64_t told_us;
};

static void tell(void *ctx, const struct verify_report *so_far)
{
    struct progress *progress = ctx;
    int64_t now = clock_monotonic_us();
    if (now - progress->told_us < (progress->terminal ? TERMINAL_PAUSE_US : FILE_PAUSE_US))
        return;
    progress->told_us = now;
    progress->shown = progress->terminal;
    fprintf(stderr, "%s%s: %.1f of %.1f MiB, %" PRIu64 " faults%s",
            progress->terminal ? "\r\033[K" : "", so_far->namespace,
            (double)so_far->bytes / 1048576, (double)so_far->bytes_all / 1048576, so_far->faults,
            progress->terminal ? "" : "\n");
    fflush(stderr);
}

static void wipe(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}

struct tally {
    uint64_t count, unsound, unreadable;
};

static void tell_absent(struct store *store, const char *name)
{
    struct text out = {0};
    verify_append_absent(store, name, &out);
    fprintf(stderr, "cairn-server: %s\n", text_terminated(&out));
    text_release(&out);
}

/* An absent one is left out, unless it was asked for: then it is a fault. */
static void verify_one(struct store *store, struct slice name, bool asked, struct tally *tally)
{
    struct progress progress = {.terminal = isatty(STDERR_FILENO) == 1,
                                .told_us = clock_monotonic_us()};
    struct verify_options options = {.store = store, .progress = tell, .ctx = &progress};
    struct verify_report report;
    struct text out = {0};
    verify_namespace(&options, name, &report);
    wipe(&progress);
    if (report.absent && asked)
        tell_absent(store, report.namespace);
    if (!report.absent || asked) {
        tally->count++;
        tally->unsound += report.verdict == VERIFY_UNSOUND || report.absent;
        tally->unreadable += report.verdict == VERIFY_UNREADABLE;
    }
    if (!report.absent)
        verify_report_print(&report, &out);
    if (out.len)
        fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    text_release(&out);
    verify_report_release(&report);
}

static bool verify_all(struct store *store, struct tally *tally, struct text *error)
{
    struct verify_names names;
    if (!verify_list(store, &names, error))
        return false;
    for (size_t i = 0; i < names.count; i++)
        verify_one(store, slice_of(names.list[i]), false, tally);
    verify_names_release(&names);
    printf("%" PRIu64 " namespace%s, %" PRIu64 " sound, %" PRIu64 " not sound, %" PRIu64
           " not read\n",
           tally->count, tally->count == 1 ? "" : "s",
           tally->count - tally->unsound - tally->unreadable, tally->unsound, tally->unreadable);
    return true;
}

/* What is not sound weighs more than what could not be read. */
static int verify(const struct errand *errand)
{
    struct text error = {0};
    struct store *store = NULL;
    struct tally tally = {0};
    bool read = true;
    if (store_open_to_read(errand->store, &store, &error) != STORE_OK)
        return fail(&error, STATUS_UNREADABLE);
    if (errand->namespace.len)
        verify_one(store, errand->namespace, true, &tally);
    else
        read = verify_all(store, &tally, &error);
    store_close(store);
    if (!read)
        return fail(&error, STATUS_UNREADABLE);
    return tally.unsound ? 1 : tally.unreadable ? STATUS_UNREADABLE : 0;
}

/* --- which --- */

static const struct row rows[] = {
    {"--export", 2, 1, export},
    {"--import", 2, 1, import},
    {"--verify", 1, STATUS_UNREADABLE, verify},
};

static const struct row *find(const char *word)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, word) == 0)
            return &rows[i];
    return NULL;
}

bool errand_named(const char *word)
{
    return find(word) != NULL;
}

static bool take_words(const struct row *row, int words, char **argv, struct errand *errand,
                       struct text *error)
{
    if (words < row->least || words > 2) {
        text_append_format(error, "usage: %s STORE %s [--directive value ...]", row->name,
                           row->least == 2 ? "NAMESPACE" : "[NAMESPACE]");
        return false;
    }
    *errand = (struct errand){.store = argv[2]};
    if (words == 2)
        errand->namespace = slice_of(argv[3]);
    if (words == 2 && !namespace_name_valid(errand->namespace)) {
        text_append_format(error, "'%s' is no name of a namespace", argv[3]);
        return false;
    }
    return true;
}

int errand_run(int argc, char **argv)
{
    const struct row *row = find(argv[1]);
    struct errand errand;
    struct text error = {0};
    int at = 2, status = row->usage_status;
    while (at < argc && strncmp(argv[at], "--", 2) != 0)
        at++;
    config_init();
    /* The word before the directives stands where the program's name is looked for. */
    if (take_words(row, at - 2, argv, &errand, &error) &&
        config_load(argc - at + 1, argv + at - 1, &error)) {
        server_configure_s3();
        status = row->run(&errand);
    } else {
        fail(&error, status);
    }
    config_release();
    return status;
}
