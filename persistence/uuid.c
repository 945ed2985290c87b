/* SPDX-License-Identifier: BSD-3-Clause */
/* 48 bits of time, 4 of version, 12 random, 2 of variant, 62 random. */
#include "persistence/uuid.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

static void fill_random(unsigned char *out, size_t len)
{
    ssize_t got;
    do
        got = getrandom(out, len, 0);
    while (got < 0 && errno == EINTR);
    /* Up to 256 bytes come whole, from any kernel that has the call. */
    assert(got == (ssize_t)len);
}

void uuid7_make(int64_t now_ms, char out[UUID_TEXT_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[16];
    assert(now_ms >= 0 && now_ms < INT64_C(1) << 48);
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(now_ms >> (40 - 8 * i));
    fill_random(bytes + 6, 10);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[bytes[i] >> 4];
        *to++ = hex[bytes[i] & 15];
    }
    *to = '\0';
}
