/* SPDX-License-Identifier: BSD-3-Clause */
/* Random byte strings of the kinds that tell a codec's paths apart. */
#ifndef CAIRN_TESTS_BYTES_H
#define CAIRN_TESTS_BYTES_H

#include "ops/slice.h"
#include "tests/support/random.h"

#include <stdio.h>

#define BYTES_MAX 96

/* Of every magnitude. Two statements: C does not order the calls within one. */
static inline int64_t int64_random(struct random *r)
{
    int64_t number = (int64_t)random_next(r);
    return number >> random_below(r, 64);
}

/* Appends whole pieces until about `want` bytes are there. */
static inline size_t bytes_from_pieces(struct random *r, const char *const *pieces, size_t count,
                                       size_t want, char *out)
{
    size_t len = 0;
    while (len < want) {
        const char *piece = pieces[random_below(r, count)];
        size_t step = strlen(piece);
        memcpy(out + len, piece, step);
        len += step;
    }
    return len;
}

/* Plain text, escapes, UTF-8 of every length, tagged text, integers and arbitrary bytes in turn. */
static inline struct slice bytes_random(struct random *r, char out[BYTES_MAX])
{
    static const char *const valid[] = {"a",
                                        "xyz",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\x1f",
                                        "\x7f",
                                        "/",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "abcdefghij"};
    size_t want = random_below(r, 40), len = 0;
    switch (random_below(r, 5)) {
    case 0: /* plain */
        for (; len < want; len++)
            out[len] = (char)(' ' + random_below(r, 95));
        break;
    case 1: len = bytes_from_pieces(r, valid, sizeof(valid) / sizeof(*valid), want, out); break;
    case 2:
        len = (size_t)sprintf(out, "base64:");
        len += bytes_from_pieces(r, valid, 2, random_below(r, 8), out + len);
        break;
    case 3: /* up to twenty digits, so on both sides of every limit */
        len = (size_t)sprintf(out, "%lld", (long long)int64_random(r));
        break;
    case 4:
        random_bytes(r, out, want);
        len = want;
        break;
    }
    return slice_make(out, len);
}

#endif
