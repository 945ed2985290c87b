/* SPDX-License-Identifier: BSD-3-Clause */
/* A thin cover, so that nothing else here knows OpenSSL. */
#include "persistence/sha256.h"

#include <assert.h>
#include <openssl/evp.h>

static void must(int done)
{
    assert(done == 1);
}

void sha256_init(struct sha256 *sha)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert(context);
    must(EVP_DigestInit_ex(context, EVP_sha256(), NULL));
    sha->context = context;
}

void sha256_update(struct sha256 *sha, struct slice bytes)
{
    must(EVP_DigestUpdate(sha->context, bytes.data, bytes.len));
}

void sha256_finish(struct sha256 *sha, unsigned char out[SHA256_SIZE])
{
    unsigned len = 0;
    must(EVP_DigestFinal_ex(sha->context, out, &len));
    assert(len == SHA256_SIZE);
    sha256_release(sha);
}

void sha256_finish_hex(struct sha256 *sha, char out[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    sha256_finish(sha, digest);
    sha256_to_hex(digest, out);
}

void sha256_release(struct sha256 *sha)
{
    EVP_MD_CTX_free(sha->context);
    sha->context = NULL;
}

void sha256_digest(struct slice bytes, unsigned char out[SHA256_SIZE])
{
    struct sha256 sha;
    sha256_init(&sha);
    sha256_update(&sha, bytes);
    sha256_finish(&sha, out);
}

void sha256_digest_hex(struct slice bytes, char out[SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    sha256_digest(bytes, digest);
    sha256_to_hex(digest, out);
}

void sha256_to_hex(const unsigned char digest[SHA256_SIZE], char out[SHA256_HEX_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[2 * SHA256_SIZE] = '\0';
}
