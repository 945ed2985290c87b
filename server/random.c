/* SPDX-License-Identifier: BSD-3-Clause */
/* SplitMix64: one addition and a mixer of two multiplications, which passes the usual batteries. */
#include "server/random.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

static _Thread_local uint64_t state;
static _Thread_local bool seeded;

uint64_t random_word(void *ctx)
{
    (void)ctx;
    if (!seeded) {
        if (getrandom(&state, sizeof(state), 0) != sizeof(state))
            abort();
        seeded = true;
    }
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The high half of a 128-bit product; products whose low half falls short are drawn again. */
uint64_t random_pick(uint64_t limit)
{
    uint64_t refused = -limit % limit;
    for (;;) {
        unsigned __int128 product = (unsigned __int128)random_word(NULL) * limit;
        if ((uint64_t)product >= refused)
            return (uint64_t)(product >> 64);
    }
}
