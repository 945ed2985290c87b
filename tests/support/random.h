/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Seeded random numbers for tests. The seed comes from the environment variable SEED, else from
 * the clock, and is printed once, so that a failing run can be repeated.
 */
#ifndef CAIRN_TESTS_RANDOM_H
#define CAIRN_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* Takes SEED from the environment or makes one, and prints `SEED=n` to stderr. */
struct random random_init(void);
struct random random_from(uint64_t seed);
uint64_t random_next(struct random *r);
/* 0 … limit-1; limit > 0. */
uint64_t random_below(struct random *r, uint64_t limit);
/* Fills with arbitrary bytes. */
void random_bytes(struct random *r, void *out, size_t len);

#endif
