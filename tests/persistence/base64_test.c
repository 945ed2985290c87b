/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 against known vectors and OpenSSL's; other spellings of the same bytes are refused. */
#include "persistence/base64.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>

static void known_vectors_both_ways(void **state)
{
    (void)state;
    /* RFC 4648 section 10. */
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[16];
        size_t len = base64_encode(slice_of(rows[i][0]), out);
        assert_true(slice_equal(slice_make(out, len), slice_of(rows[i][1])));
        assert_int_equal(len, base64_encoded_len(strlen(rows[i][0])));
        assert_true(base64_decode(slice_of(rows[i][1]), out, &len));
        assert_true(slice_equal(slice_make(out, len), slice_of(rows[i][0])));
    }
}

static void random_bytes_come_back_and_openssl_agrees(void **state)
{
    (void)state;
    struct random r = random_init();
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[100], theirs[200];
        char out[200];
        size_t len = random_below(&r, sizeof(bytes)), back;
        random_bytes(&r, bytes, len);
        size_t encoded = base64_encode(slice_make(bytes, len), out);
        assert_int_equal(EVP_EncodeBlock(theirs, bytes, (int)len), encoded);
        assert_memory_equal(out, theirs, encoded);
        assert_true(base64_decode(slice_make(out, encoded), out, &back));
        assert_int_equal(back, len);
        assert_memory_equal(out, bytes, len);
    }
}

/* Whatever is accepted is the one spelling of its bytes. */
static void only_the_canonical_spelling_is_accepted(void **state)
{
    (void)state;
    struct random r = random_init();
    static const char alphabet[] = "ABQgwxyz0189+/==-_ \n";
    int accepted = 0;
    for (int round = 0; round < 300000; round++) {
        char text[12], bytes[12], again[16];
        size_t len = random_below(&r, 3) ? 4 : random_below(&r, sizeof(text)), got;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[random_below(&r, sizeof(alphabet))];
        if (!base64_decode(slice_make(text, len), bytes, &got))
            continue;
        accepted++;
        assert_true(got <= base64_decoded_max(len));
        assert_int_equal(base64_encode(slice_make(bytes, got), again), len);
        assert_memory_equal(again, text, len);
    }
    assert_true(accepted > 1000);
}

static void damaged_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",      "Zg",   "Zg=",  "Zg===",    "=",
                                      "====",   "Z===", "Zh==", "Zm9=",     "Zg==Zg==",
                                      "Zm9v\n", "Zm-v", "Z=g=", "Zm8=Zm8=", "Zm\x80v"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char out[16];
        size_t len;
        assert_false(base64_decode(slice_of(bad[i]), out, &len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors_both_ways),
        cmocka_unit_test(random_bytes_come_back_and_openssl_agrees),
        cmocka_unit_test(only_the_canonical_spelling_is_accepted),
        cmocka_unit_test(damaged_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
