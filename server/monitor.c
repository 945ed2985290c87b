/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitoring clients are a small list under a mutex. A line is formatted once, and posted to
 * each with the batch's outbox, so that it is never ahead of what it tells.
 */
#include "server/monitor.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ops/mem.h"
#include "persistence/text.h"
#include "server/clock.h"
#include "server/command.h"
#include "server/config.h"
#include "server/loop-internal.h"
#include "server/redact.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct client_ref *monitors;
static size_t count, cap;
static atomic_int active;

bool monitor_active(void)
{
    return atomic_load_explicit(&active, memory_order_relaxed) > 0;
}

void monitor_add(struct client *client)
{
    if (client_is(client, CLIENT_MONITOR))
        return;
    client_flag_set(client, CLIENT_MONITOR);
    pthread_mutex_lock(&mutex);
    LOOP_ROOM(monitors, count, cap);
    monitors[count++] = client_ref(client);
    atomic_store(&active, (int)count);
    pthread_mutex_unlock(&mutex);
}

void monitor_on_close(struct client *client)
{
    if (!client_is(client, CLIENT_MONITOR))
        return;
    client_flag_clear(client, CLIENT_MONITOR);
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count; i++) {
        if (monitors[i].id == client->id) {
            monitors[i] = monitors[--count];
            break;
        }
    }
    atomic_store(&active, (int)count);
    if (count == 0) {
        mem_free(monitors);
        monitors = NULL;
        cap = 0;
    }
    pthread_mutex_unlock(&mutex);
}

/* As sdscatrepr: printable bytes as they are, the rest escaped. */
static void append_quoted(struct text *line, struct slice arg)
{
    text_append_char(line, '"');
    for (size_t i = 0; i < arg.len; i++) {
        unsigned char c = (unsigned char)arg.data[i];
        const char *special = c ? strchr("\n\r\t\a\b\\\"", c) : NULL;
        if (special) {
            text_append_char(line, '\\');
            text_append_char(line, "nrtab\\\""[special - "\n\r\t\a\b\\\""]);
        } else if (isprint(c)) {
            text_append_char(line, (char)c);
        } else {
            text_append_format(line, "\\x%02x", c);
        }
    }
    text_append_char(line, '"');
}

static void append_address(struct text *line, const struct client *client)
{
    char *path = CONFIG_STRING(unixsocket);
    if (client_is(client, CLIENT_UNIX_SOCKET))
        text_append_format(line, "unix:%s", path);
    else
        text_append_string(line, client->address);
    mem_free(path);
}

static void format_line(struct exec *x, struct text *line)
{
    int64_t us = clock_wall_us();
    struct slice name = namespace_name(client_namespace(x->client)), *shown = redact(x);
    text_append_format(line, "%lld.%06lld [%.*s ", (long long)(us / 1000000),
                       (long long)(us % 1000000), (int)name.len, name.data);
    append_address(line, x->client);
    text_append_char(line, ']');
    for (int i = 0; i < x->argc; i++) {
        text_append_char(line, ' ');
        append_quoted(line, shown[i]);
    }
    mem_free(shown);
}

struct monitor_line {
    atomic_int left;
    struct text text;
};

static void deliver(struct client *client, void *ctx)
{
    struct monitor_line *line = ctx;
    if (client)
        resp_write_simple(client_push(client), text_terminated(&line->text));
    if (atomic_fetch_sub(&line->left, 1) == 1) {
        text_release(&line->text);
        mem_free(line);
    }
}

void monitor_feed(struct exec *x)
{
    if (x->command->flags & (CMD_SKIP_MONITOR | CMD_ADMIN))
        return;
    struct monitor_line *line = mem_calloc(1, sizeof(*line));
    format_line(x, &line->text);
    text_terminated(&line->text); /* before it is shared: this may move its bytes */
    pthread_mutex_lock(&mutex);
    atomic_store(&line->left, (int)count + 1);
    for (size_t i = 0; i < count; i++)
        exec_post(x, monitors[i], deliver, line);
    pthread_mutex_unlock(&mutex);
    deliver(NULL, line);
}
