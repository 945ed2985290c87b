/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random numbers for picks (SPOP, SRANDMEMBER, RANDOMKEY …): one generator a thread, seeded from
 * the system at its first use. Fast and even, but not secret: nothing here is fit for a key.
 */
#ifndef CAIRN_SERVER_RANDOM_H
#define CAIRN_SERVER_RANDOM_H

#include <stdint.h>

/* 64 random bits. `ctx` is not used: this is what ops/ wants as its `random`. */
uint64_t random_word(void *ctx);
/* 0 … limit-1, each as likely; limit > 0. */
uint64_t random_pick(uint64_t limit);

#endif
