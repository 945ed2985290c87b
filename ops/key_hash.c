/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A keyed 64-bit hash of folded 128-bit multiplies: each step multiplies two secret-masked words
 * and folds the halves, which mixes 16 bytes in a few cycles. The secrets come from a seed made at
 * start, so that nobody outside can choose colliding keys. Values never leave the process: byte
 * order is the machine's.
 */
#include "ops/key_hash.h"

static struct {
    uint64_t word[4];
} secret = {{UINT64_C(0x8ebc6af09c88c6e3), UINT64_C(0x589965cc75374cc3),
             UINT64_C(0x1d8e4e27c47d124f), UINT64_C(0xeb44accab455d165)}};

static inline uint64_t load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t load4(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

__extension__ typedef unsigned __int128 wide;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

void key_hash_seed(const unsigned char seed[16])
{
    uint64_t a = load8((const char *)seed), b = load8((const char *)seed + 8);
    for (unsigned i = 0; i < 4; i++) {
        a = fold(a ^ UINT64_C(0x9e3779b97f4a7c15) * (i + 1), b ^ UINT64_C(0xd1342543de82ef95));
        b = fold(b ^ UINT64_C(0xaf251af3b0f025b5) * (i + 1), a ^ UINT64_C(0x2545f4914f6cdd1d));
        /* Odd, and never zero whatever the seed. */
        secret.word[i] = (a + b) | 1;
    }
}

/* Up to 16 bytes as two words that overlap where the length asks for it. */
static inline void load_short(struct slice key, uint64_t *a, uint64_t *b)
{
    if (key.len >= 8) {
        *a = load8(key.data);
        *b = load8(key.data + key.len - 8);
    } else if (key.len >= 4) {
        *a = load4(key.data);
        *b = load4(key.data + key.len - 4);
    } else if (key.len > 0) {
        const unsigned char *byte = (const unsigned char *)key.data;
        *a = (uint64_t)byte[0] << 16 | (uint64_t)byte[key.len / 2] << 8 | byte[key.len - 1];
        *b = 0;
    } else {
        *a = *b = 0;
    }
}

/* All but the last 16 bytes, in one lane, or in three when that pays. */
static uint64_t absorb(struct slice key, uint64_t lane)
{
    const char *at = key.data, *end = key.data + key.len - 16;
    if (key.len > 64) {
        uint64_t second = lane, third = lane;
        for (; at + 48 <= end; at += 48) {
            lane = fold(load8(at) ^ secret.word[1], load8(at + 8) ^ lane);
            second = fold(load8(at + 16) ^ secret.word[2], load8(at + 24) ^ second);
            third = fold(load8(at + 32) ^ secret.word[3], load8(at + 40) ^ third);
        }
        lane ^= second ^ (third << 1 | third >> 63);
    }
    for (; at < end; at += 16)
        lane = fold(load8(at) ^ secret.word[1], load8(at + 8) ^ lane);
    return lane;
}

uint64_t key_hash(struct slice key)
{
    uint64_t lane = secret.word[0], a, b;
    if (key.len <= 16) {
        load_short(key, &a, &b);
    } else {
        lane = absorb(key, lane);
        a = load8(key.data + key.len - 16);
        b = load8(key.data + key.len - 8);
    }
    uint64_t hash =
        fold(fold(a ^ secret.word[1], b ^ lane) ^ key.len ^ secret.word[2], secret.word[3] ^ a);
    return hash ? hash : 1;
}
