/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three ways to the same number: eight table look-ups per eight bytes, the SSE4.2 instruction when
 * this processor has it, the ARMv8 one when the build is for it.
 *
 * A CRC is linear, so a table entry is the exclusive or of the entries of its index's bits. The
 * compiler builds the tables from those: tables[k][1 << i] is the remainder of the reflected
 * polynomial 0x82f63b78 after 8 * k + 7 - i further steps.
 */
#include "persistence/crc32c.h"

#include "persistence/text.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

/* clang-format off */
#define SPAN2(v, a, b)                   (v), (v) ^ (a), (v) ^ (b), (v) ^ (a) ^ (b)
#define SPAN4(v, a, b, c, d)             SPAN2(v, a, b), SPAN2((v) ^ (c), a, b), SPAN2((v) ^ (d), a, b), SPAN2((v) ^ (c) ^ (d), a, b)
#define SPAN6(v, a, b, c, d, e, f)       SPAN4(v, a, b, c, d), SPAN4((v) ^ (e), a, b, c, d), SPAN4((v) ^ (f), a, b, c, d), SPAN4((v) ^ (e) ^ (f), a, b, c, d)
#define TABLE(a, b, c, d, e, f, g, h) {  SPAN6(0u, a, b, c, d, e, f), SPAN6(g, a, b, c, d, e, f), SPAN6(h, a, b, c, d, e, f), SPAN6((g) ^ (h), a, b, c, d, e, f) }

static const uint32_t tables[8][256] = {
    TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
    TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};
/* clang-format on */

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    const char *at = data;
    crc = ~crc;
    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word = text_load8(at) ^ crc;
        crc = tables[7][word & 255] ^ tables[6][word >> 8 & 255] ^ tables[5][word >> 16 & 255] ^
              tables[4][word >> 24 & 255] ^ tables[3][word >> 32 & 255] ^
              tables[2][word >> 40 & 255] ^ tables[1][word >> 48 & 255] ^ tables[0][word >> 56];
    }
    for (; len; len--, at++)
        crc = crc >> 8 ^ tables[0][(crc ^ (unsigned char)*at) & 255];
    return ~crc;
}

#if defined(__x86_64__)

#define LANE    256 /* bytes */
#define LANES   3
#define PAST_1  UINT64_C(0xb9e02b86) /* x to the power of 8 * LANE - 33, modulo the polynomial … */
#define PAST_2  UINT64_C(0xdd7e3b0c) /* … and of 16 * LANE - 33 */
#define HAS_CRC __attribute__((target("sse4.2,pclmul")))

/* What `sum` is behind the zeros that `past` stands for. The product of two numbers in this order
 * of bits is x times too large, and the instruction multiplies by x to the power of 32: hence 33.
 */
HAS_CRC static inline uint64_t sum_past(uint64_t sum, uint64_t past)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)sum), _mm_cvtsi64_si128((int64_t)past), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* The instruction takes three cycles, and one can begin in each: so three sums are made at a time.
 */
HAS_CRC static inline uint64_t sum_lanes(uint64_t sum, const char *at)
{
    uint64_t second = 0, third = 0;
    for (const char *end = at + LANE; at < end; at += 8) {
        sum = _mm_crc32_u64(sum, text_load8(at));
        second = _mm_crc32_u64(second, text_load8(at + LANE));
        third = _mm_crc32_u64(third, text_load8(at + 2 * LANE));
    }
    return sum_past(sum, PAST_2) ^ sum_past(second, PAST_1) ^ third;
}

HAS_CRC static uint32_t crc32c_instruction(uint32_t crc, const void *data, size_t len)
{
    const char *at = data;
    uint64_t sum = (uint32_t)~crc;
    for (; len >= LANES * LANE; len -= LANES * LANE, at += LANES * LANE)
        sum = sum_lanes(sum, at);
    for (; len >= 8; len -= 8, at += 8)
        sum = _mm_crc32_u64(sum, text_load8(at));
    for (; len; len--, at++)
        sum = _mm_crc32_u8((uint32_t)sum, (unsigned char)*at);
    return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return crc32c_instruction(crc, data, len);
    return crc32c_portable(crc, data, len);
}

#elif defined(__ARM_FEATURE_CRC32)

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    const char *at = data;
    crc = ~crc;
    for (; len >= 8; len -= 8, at += 8)
        crc = __crc32cd(crc, text_load8(at));
    for (; len; len--, at++)
        crc = __crc32cb(crc, (unsigned char)*at);
    return ~crc;
}

#else

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    return crc32c_portable(crc, data, len);
}

#endif
