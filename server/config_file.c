/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where configuration comes from: files (with include), standard input, the command line; and where
 * it is printed: --help, the example file. Every error names file and line, and what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "ops/mem.h"
#include "resp/split.h"
#include "server/config-internal.h"
#include "server/errand.h"

#define FILE_MAX    (4 * 1024 * 1024)
#define INCLUDE_MAX 8 /* files within files: a cycle ends here */

static char file_in_use[4096];

const char *config_file(void)
{
    return file_in_use;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance of two short words, any case. */
static size_t distance(struct slice a, const char *b)
{
    size_t n = strlen(b), row[64];
    if (a.len >= 64 || n >= 64)
        return 64;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            bool same = strncasecmp(a.data + i - 1, b + j - 1, 1) == 0;
            size_t best = smaller(diagonal + !same, smaller(row[j], row[j - 1]) + 1);
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

static const char *nearest(struct slice name)
{
    const char *best = NULL;
    size_t best_distance = name.len / 2 < 3 ? name.len / 2 + 1 : 4;
    for (const struct directive *row = config_directives; row->name; row++) {
        size_t d = distance(name, row->name);
        if (d < best_distance) {
            best = row->name;
            best_distance = d;
        }
    }
    return best;
}

static bool fail_unknown(struct slice name, const char *where, struct text *error)
{
    const char *guess = nearest(name);
    text_append_format(error, "%s: unknown directive '%.*s'", where,
                       name.len < 64 ? (int)name.len : 64, name.data);
    if (guess)
        text_append_format(error, " (did you mean '%s'?)", guess);
    text_append_string(error, "; cairn-server --help lists them all");
    return false;
}

static bool set_directive(struct slice name, struct slice value, const char *where,
                          struct text *error)
{
    const struct directive *row = config_find(name);
    if (!row)
        return fail_unknown(name, where, error);
    struct text why = {0}, sum = {0};
    bool adds = row->flags & DIRECTIVE_ADDS && value.len;
    if (adds) {
        directive_get(row, &sum);
        text_append_char(&sum, ' ');
        text_append_slice(&sum, value);
    }
    bool good = directive_set(row, adds ? text_slice(&sum) : value, false, &why);
    if (!good)
        text_append_format(error, "%s: %s: %.*s (given: '%.*s'; default: '", where, row->name,
                           (int)why.len, why.data, value.len < 64 ? (int)value.len : 64,
                           value.data ? value.data : "");
    if (!good) {
        directive_default(row, error);
        text_append_string(error, "')");
    }
    text_release(&why);
    text_release(&sum);
    return good;
}

static bool read_stream(FILE *stream, struct text *bytes)
{
    size_t got;
    do {
        char *room = text_reserve(bytes, 4096);
        got = fread(room, 1, 4096, stream);
        bytes->len += got;
    } while (got && bytes->len <= FILE_MAX);
    return !ferror(stream) && bytes->len <= FILE_MAX;
}

static bool load_file(const char *path, int depth, struct text *error)
{
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!stream) {
        text_append_format(error, "%s: cannot open the configuration file: %s%s", path,
                           strerror(errno),
                           depth ? "" : " (cairn-server --help tells what else there is)");
        return false;
    }
    struct text bytes = {0};
    bool good = read_stream(stream, &bytes);
    int code = errno;
    if (stream != stdin)
        fclose(stream);
    if (good)
        good = config_parse(text_slice(&bytes), stream == stdin ? "stdin" : path, depth, error);
    else if (bytes.len > FILE_MAX)
        text_append_format(error, "%s: a configuration file of more than 4 MiB", path);
    else
        text_append_format(error, "%s: cannot read the configuration file: %s", path,
                           strerror(code));
    text_release(&bytes);
    return good;
}

static bool include(struct slice path, const char *where, int depth, struct text *error)
{
    if (depth >= INCLUDE_MAX) {
        text_append_format(error, "%s: include nests more than %d files: does one include itself?",
                           where, INCLUDE_MAX);
        return false;
    }
    char *name = mem_alloc(path.len + 1);
    memcpy(name, path.data, path.len);
    name[path.len] = 0;
    struct text why = {0};
    bool good = load_file(name, depth + 1, &why);
    if (!good)
        text_append_format(error, "%s: include: %.*s", where, (int)why.len, why.data);
    text_release(&why);
    mem_free(name);
    return good;
}

/* Arguments after the name, joined by single spaces: the value as CONFIG SET takes it. */
static void join(const struct resp_command *words, struct text *out)
{
    for (int i = 1; i < words->argc; i++) {
        if (i > 1)
            text_append_char(out, ' ');
        text_append(out, words->argv[i].data, words->argv[i].len);
    }
}

static bool parse_line(struct slice line, const char *where, int depth, struct text *error)
{
    struct resp_arena arena;
    struct resp_command words = {0};
    struct text value = {0};
    resp_arena_init(&arena, 4096);
    bool good = resp_split_line(line.data, line.len, &arena, &words);
    if (!good) {
        text_append_format(error, "%s: unbalanced quotes", where);
    } else if (words.argc) {
        struct slice name = slice_make(words.argv[0].data, words.argv[0].len);
        join(&words, &value);
        if (name.len == 7 && strncasecmp(name.data, "include", 7) == 0) {
            good = include(text_slice(&value), where, depth, error);
        } else if (words.argc == 1) {
            text_append_format(error, "%s: '%.*s' has no value (\"\" is an empty one)", where,
                               name.len < 64 ? (int)name.len : 64, name.data);
            good = false;
        } else {
            good = set_directive(name, text_slice(&value), where, error);
        }
    }
    text_release(&value);
    resp_arena_release(&arena);
    return good;
}

static struct slice trim(struct slice line)
{
    while (line.len && strchr(" \t\r", line.data[0]) && line.data[0])
        line = slice_make(line.data + 1, line.len - 1);
    while (line.len && strchr(" \t\r", line.data[line.len - 1]) && line.data[line.len - 1])
        line.len--;
    return line;
}

bool config_parse(struct slice bytes, const char *name, int depth, struct text *error)
{
    size_t at = 0;
    for (int number = 1; at < bytes.len; number++) {
        const char *end = memchr(bytes.data + at, '\n', bytes.len - at);
        size_t len = end ? (size_t)(end - bytes.data) - at : bytes.len - at;
        struct slice line = trim(slice_make(bytes.data + at, len));
        at += len + 1;
        if (line.len == 0 || line.data[0] == '#')
            continue;
        char where[4200];
        snprintf(where, sizeof(where), "%s:%d", name, number);
        if (!parse_line(line, where, depth, error))
            return false;
    }
    return true;
}

/* --name value value … up to the next --name. */
static bool load_option(int argc, char **argv, int *at, struct text *error)
{
    char *name = argv[*at] + 2;
    int begun = *at;
    struct text value = {0};
    int words = 0;
    for (++*at; *at < argc && strncmp(argv[*at], "--", 2) != 0; ++*at) {
        if (words++)
            text_append_char(&value, ' ');
        text_append_string(&value, argv[*at]);
    }
    const struct directive *row = config_find(slice_of(name));
    bool good = words > 0 || (row && row->flags & DIRECTIVE_ADDS); /* --save: none, as in Redis */
    if (errand_named(argv[begun])) {
        text_append_format(error, "command line: --%s comes first, directives behind it", name);
        good = false;
    } else if (!row)
        good = fail_unknown(slice_of(name), "command line", error);
    else if (!good)
        text_append_format(error, "command line: --%s needs a value", name);
    else
        good = set_directive(slice_of(name), text_slice(&value), "command line", error);
    text_release(&value);
    return good;
}

static bool load_all(int argc, char **argv, struct text *error)
{
    int at = 1;
    if (argc > 1 && strncmp(argv[1], "--", 2) != 0) {
        if (strcmp(argv[1], "-") != 0 && !realpath(argv[1], file_in_use))
            file_in_use[0] = 0;
        if (!load_file(argv[1], 0, error))
            return false;
        at = 2;
    }
    while (at < argc) {
        if (strncmp(argv[at], "--", 2) != 0 || !argv[at][2]) {
            text_append_format(error, "command line: '%s' is no option: use --directive value",
                               argv[at]);
            return false;
        }
        if (!load_option(argc, argv, &at, error))
            return false;
    }
    return true;
}

bool config_load(int argc, char **argv, struct text *error)
{
    config_await_store();
    bool good = load_all(argc, argv, error);
    config_store_known();
    return good;
}

static void append_default(const struct directive *row, struct text *out)
{
    size_t before = out->len;
    directive_default(row, out);
    if (out->len == before)
        text_append_string(out, "\"\"");
}

void config_help(struct text *out)
{
    const char *group = "";
    for (const struct directive *row = config_directives; row->name; row++) {
        if (strcmp(group, row->group) != 0)
            text_append_format(out, "\n%s\n", row->group);
        group = row->group;
        text_append_format(out, "  --%s ", row->name);
        append_default(row, out);
        text_append_format(out, "\n        %s%s\n", row->help,
                           row->flags & DIRECTIVE_IMMUTABLE ? " (only at start)" : "");
    }
}

void config_example(struct text *out)
{
    text_append_string(out, "# cairn.conf: every directive with its default. Made by cairn-server "
                            "--print-config.\n# Start with: cairn-server cairn.conf [--directive "
                            "value ...]\n# Times are in seconds, or with ms, s, m, h behind them; "
                            "sizes in bytes, or with kb, mb, gb.\n");
    const char *group = "";
    for (const struct directive *row = config_directives; row->name; row++) {
        if (strcmp(group, row->group) != 0)
            text_append_format(out, "\n##### %s\n", row->group);
        group = row->group;
        text_append_format(out, "\n# %s%s\n%s ", row->help,
                           row->flags & DIRECTIVE_IMMUTABLE ? " (only at start)" : "", row->name);
        append_default(row, out);
        text_append_char(out, '\n');
    }
}
