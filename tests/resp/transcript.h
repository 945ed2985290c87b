/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a reader makes of a stream of bytes, as text: one line per command, each argument as
 * <escaped>, and a last line "!error" when there was one. Header-only: its users are one file each.
 */
#ifndef CAIRN_TESTS_RESP_TRANSCRIPT_H
#define CAIRN_TESTS_RESP_TRANSCRIPT_H

#include <ctype.h>
#include <stdlib.h>

#include "resp/buffer.h"
#include "resp/reader.h"
#include "resp/writer.h"

struct transcript {
    struct resp_reader *reader;
    struct resp_arena arena;
    struct resp_buffer text;
};

static inline void transcript_init(struct transcript *t, const struct resp_limits *limits)
{
    *t = (struct transcript){.reader = resp_reader_create(limits)};
    resp_arena_init(&t->arena, 4096);
}

static inline void transcript_release(struct transcript *t)
{
    resp_reader_destroy(t->reader);
    resp_arena_release(&t->arena);
    resp_buffer_release(&t->text);
}

static inline void transcript_argument(struct resp_buffer *text, const char *data, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    resp_buffer_append(text, "<", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        char escape[] = {'%', hex[c >> 4], hex[c & 15]};
        bool plain = c > ' ' && c < 127 && !strchr("<>%!", c);
        resp_buffer_append(text, plain ? (const char *)&data[i] : escape, plain ? 1 : 3);
    }
    resp_buffer_append(text, ">", 1);
}

/* One loop turn: feeds, takes what comes, forgets the arena. */
static inline enum resp_next transcript_turn(struct transcript *t, const char *data, size_t len)
{
    struct resp_command command;
    enum resp_next next;
    char *copy = malloc(len + 1); /* of the exact size, so that a sanitizer sees reads past it */
    memcpy(copy, data, len);
    if (!resp_reader_feed(t->reader, copy, len))
        resp_buffer_append(&t->text, "!full\n", 6);
    free(copy);
    while ((next = resp_reader_next(t->reader, &t->arena, &command)) == RESP_NEXT_COMMAND) {
        for (int i = 0; i < command.argc; i++) {
            transcript_argument(&t->text, command.argv[i].data, command.argv[i].len);
            if (command.argv[i].data[command.argv[i].len] != '\0')
                abort();
        }
        resp_buffer_append(&t->text, "\n", 1);
    }
    resp_arena_reset(&t->arena);
    return next;
}

/* Closes the text with the error, if any, and a NUL. */
static inline const char *transcript_text(struct transcript *t)
{
    const char *error = resp_reader_error(t->reader);
    if (*error) {
        resp_buffer_append(&t->text, "!", 1);
        resp_buffer_append(&t->text, error, strlen(error));
        resp_buffer_append(&t->text, "\n", 1);
    }
    resp_buffer_append(&t->text, "", 1);
    return t->text.data;
}

#endif
