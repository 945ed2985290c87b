/* SPDX-License-Identifier: BSD-3-Clause */
/* splitmix64: small, and good enough to drive tests. */
#include "tests/support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random random_from(uint64_t seed)
{
    return (struct random){seed};
}

struct random random_init(void)
{
    const char *given = getenv("SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec;
    fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
    return random_from(seed);
}

uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t random_below(struct random *r, uint64_t limit)
{
    return random_next(r) % limit;
}

void random_bytes(struct random *r, void *out, size_t len)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)random_next(r);
}
