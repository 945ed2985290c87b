/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The request reader under arbitrary bytes. The first two bytes choose the splits and whether the
 * connection is authenticated; the rest is fed whole to one reader and in pieces to another, and
 * both must see the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "tests/resp/transcript.h"

static const struct resp_limits limits = RESP_LIMITS_DEFAULT;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    unsigned split = data[0], mode = data[1];
    const char *bytes = (const char *)data + 2;
    size -= 2;
    struct transcript whole, pieces;
    transcript_init(&whole, &limits);
    transcript_init(&pieces, &limits);
    resp_reader_set_authenticated(whole.reader, mode & 1);
    resp_reader_set_authenticated(pieces.reader, mode & 1);
    transcript_turn(&whole, bytes, size);
    for (size_t at = 0, len; at < size; at += len) {
        len = 1 + split % 61;
        split = split * 5 + 1;
        len = len < size - at ? len : size - at;
        transcript_turn(&pieces, bytes + at, len);
        if (mode & 2)
            resp_reader_idle(pieces.reader);
    }
    if (strcmp(transcript_text(&whole), transcript_text(&pieces)) != 0)
        abort();
    /* A type byte may be read or not when the rest of its line is missing. */
    size_t left = resp_reader_buffered(whole.reader), right = resp_reader_buffered(pieces.reader);
    if ((left > right ? left - right : right - left) > 1)
        abort();
    transcript_release(&whole);
    transcript_release(&pieces);
    return 0;
}
