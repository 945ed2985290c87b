/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC-32C by processor and by table, against known vectors and its definition bit by bit. */
#include "persistence/crc32c.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* The definition, a bit at a time. */
static uint32_t bitwise(const unsigned char *data, size_t len)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void known_vectors(void **state)
{
    (void)state;
    /* The check value of the catalogue, and RFC 3720 appendix B.4. */
    unsigned char zeros[32] = {0}, ones[32], rising[32];
    memset(ones, 0xff, sizeof(ones));
    for (int i = 0; i < 32; i++)
        rising[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43u);
    assert_int_equal(crc32c(0, rising, 32), 0x46dd794eu);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void every_way_gives_the_definition_at_any_alignment(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[4096];
        size_t from = random_below(&r, 16), len = random_below(&r, sizeof(bytes) - from);
        random_bytes(&r, bytes, sizeof(bytes));
        uint32_t expected = bitwise(bytes + from, len);
        assert_int_equal(crc32c(0, bytes + from, len), expected);
        assert_int_equal(crc32c_portable(0, bytes + from, len), expected);
    }
}

static void pieces_give_the_crc_of_the_whole(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int round = 0; round < 5000; round++) {
        unsigned char bytes[200];
        size_t len = random_below(&r, sizeof(bytes)), cut = random_below(&r, len + 1);
        random_bytes(&r, bytes, len);
        uint32_t whole = bitwise(bytes, len);
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, len - cut), whole);
        assert_int_equal(crc32c_portable(crc32c(0, bytes, cut), bytes + cut, len - cut), whole);
    }
}

static void any_flipped_bit_changes_it(void **state)
{
    (void)state;
    unsigned char bytes[64];
    struct random r = random_init();
    random_bytes(&r, bytes, sizeof(bytes));
    uint32_t before = crc32c(0, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, bytes, sizeof(bytes)), before);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(every_way_gives_the_definition_at_any_alignment),
        cmocka_unit_test(pieces_give_the_crc_of_the_whole),
        cmocka_unit_test(any_flipped_bit_changes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
