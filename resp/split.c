/* SPDX-License-Identifier: BSD-3-Clause */
/* A scanner over [at, end); past its end it sees NUL, which no line contains. */
#include "resp/split.h"

struct scan {
    const char *at, *end;
    char *out; /* where the bytes of arguments go */
};

static char peek(const struct scan *scan, size_t ahead)
{
    return (size_t)(scan->end - scan->at) > ahead ? scan->at[ahead] : '\0';
}

/* isspace() of the C locale, whatever the locale of the process. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static char unescape(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    }
    return c;
}

/* At a backslash inside double quotes. */
static void copy_escape(struct scan *scan)
{
    int high = hex_value(peek(scan, 2)), low = hex_value(peek(scan, 3));
    if (peek(scan, 1) == 'x' && high >= 0 && low >= 0) {
        *scan->out++ = (char)(high * 16 + low);
        scan->at += 4;
    } else if (peek(scan, 1)) {
        *scan->out++ = unescape(peek(scan, 1));
        scan->at += 2;
    } else {
        *scan->out++ = *scan->at++;
    }
}

/* Behind an opening quote. Eats the closing one, which must be followed by space or nothing. */
static bool copy_quoted(struct scan *scan, char quote)
{
    while (scan->at < scan->end) {
        if (*scan->at == quote) {
            scan->at++;
            return scan->at == scan->end || is_space(*scan->at);
        }
        if (quote == '"' && *scan->at == '\\') {
            copy_escape(scan);
            continue;
        }
        if (*scan->at == '\\' && peek(scan, 1) == '\'')
            scan->at++;
        *scan->out++ = *scan->at++;
    }
    return false;
}

static bool copy_argument(struct scan *scan)
{
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            return true;
        scan->at++;
        if (c == '"' || c == '\'')
            return copy_quoted(scan, c);
        *scan->out++ = c;
    }
    return true;
}

bool resp_split_line(const char *line, size_t len, struct resp_arena *arena,
                     struct resp_command *out)
{
    /* Arguments never grow when unescaped, and a separator leaves room for the NUL behind each. */
    struct scan scan = {line, line + len, resp_arena_bytes(arena, len + 1)};
    struct resp_arg *argv = resp_arena_alloc(arena, (len / 2 + 1) * sizeof(*argv));
    int argc = 0;
    for (;;) {
        while (scan.at < scan.end && is_space(*scan.at))
            scan.at++;
        if (scan.at == scan.end)
            break;
        char *start = scan.out;
        if (!copy_argument(&scan))
            return false;
        argv[argc++] = (struct resp_arg){start, (size_t)(scan.out - start)};
        *scan.out++ = '\0';
    }
    *out = (struct resp_command){argv, argc, len + 2};
    return true;
}
