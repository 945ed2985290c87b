/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 against known vectors, whole and in pieces. */
#include "persistence/sha256.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void known_vectors(void **state)
{
    (void)state;
    /* FIPS 180-2 appendix B.1, and the digest of nothing. */
    char hex[SHA256_HEX_SIZE];
    sha256_digest_hex(slice_of("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_digest_hex((struct slice){NULL, 0}, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void pieces_give_the_digest_of_the_whole(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int round = 0; round < 500; round++) {
        char bytes[300], whole[SHA256_HEX_SIZE], pieced[SHA256_HEX_SIZE];
        size_t len = random_below(&r, sizeof(bytes)), at = 0;
        struct sha256 sha;
        random_bytes(&r, bytes, len);
        sha256_digest_hex(slice_make(bytes, len), whole);
        sha256_init(&sha);
        while (at < len) {
            size_t step = 1 + random_below(&r, len - at);
            sha256_update(&sha, slice_make(bytes + at, step));
            at += step;
        }
        sha256_finish_hex(&sha, pieced);
        assert_string_equal(whole, pieced);
        sha256_release(&sha);
    }
}

static void a_digest_may_be_given_up(void **state)
{
    (void)state;
    struct sha256 sha;
    sha256_init(&sha);
    sha256_update(&sha, slice_of("half"));
    sha256_release(&sha);
    assert_null(sha.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(pieces_give_the_digest_of_the_whole),
        cmocka_unit_test(a_digest_may_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
