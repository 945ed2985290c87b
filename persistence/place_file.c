/* SPDX-License-Identifier: BSD-3-Clause */
/* See place_file.h. An empty or a shortened file is damage: it must not pass for none. */
#include "persistence/place_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "persistence/crc32c.h"
#include "persistence/file.h"

#define FILE_NAME  "store"
#define TEMPORARY  FILE_NAME ".new"
#define BEGIN      "cairn-store 1 "
#define BEGIN_SIZE (sizeof(BEGIN) - 1)
#define END_SIZE   ((size_t)9) /* checksum and line feed */

static void append_end(struct text *line)
{
    text_append_format(line, "%08" PRIx32 "\n", crc32c(0, line->data, line->len));
}

/* The word between the beginning and the checksum of `line`; empty: it is no such line. */
static struct slice find_place(struct slice line)
{
    struct text again = {0};
    struct slice place = {0};
    if (line.len > BEGIN_SIZE + 1 + END_SIZE && memcmp(line.data, BEGIN, BEGIN_SIZE) == 0) {
        text_append(&again, line.data, line.len - END_SIZE);
        append_end(&again);
        if (slice_equal(text_slice(&again), line))
            place = slice_make(line.data + BEGIN_SIZE, line.len - BEGIN_SIZE - 1 - END_SIZE);
    }
    text_release(&again);
    return place;
}

bool place_file_read(int directory, struct text *ret_place, struct text *error)
{
    struct text line = {0};
    int code = file_read(directory, FILE_NAME, &line);
    struct slice place = code ? slice_make(NULL, 0) : find_place(text_slice(&line));
    text_append_slice(ret_place, place);
    if (code && code != ENOENT)
        text_append_format(error, PLACE_FILE ": %s", strerror(code));
    else if (!code && !place.len)
        text_append_string(error, PLACE_FILE
                           ": line 1 is damaged: it must have this file's version, 1, the store "
                           "that the journal is for, and a checksum. Put a good copy back, or "
                           "remove the file: then the journal's ops go to the store that the "
                           "server is started with next");
    text_release(&line);
    return code == ENOENT || place.len;
}

int place_file_write(int directory, struct slice place)
{
    struct text line = {0};
    bool landed;
    text_append_string(&line, BEGIN);
    text_append_word(&line, place);
    text_append_char(&line, ' ');
    append_end(&line);
    unlinkat(directory, TEMPORARY, 0); /* a crash may have left one */
    int code = file_replace(directory, TEMPORARY, FILE_NAME, ".", text_slice(&line), &landed);
    text_release(&line);
    return code;
}
