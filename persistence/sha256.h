/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SHA-256, by OpenSSL. It chains commits and names the content of chunks. Out of memory inside
 * OpenSSL aborts, as mem_alloc does: there is no other way for these calls to fail.
 */
#ifndef CAIRN_PERSISTENCE_SHA256_H
#define CAIRN_PERSISTENCE_SHA256_H

#include "ops/slice.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with its NUL */

struct sha256 {
    void *context;
};

/* The digest of one piece. */
void sha256_digest(struct slice bytes, unsigned char out[SHA256_SIZE]);
/* The same as 64 lower-case hex digits and a NUL. */
void sha256_digest_hex(struct slice bytes, char out[SHA256_HEX_SIZE]);

/* Piece by piece: init, update as often as needed, finish or finish_hex, which releases. */
void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, struct slice bytes);
void sha256_finish(struct sha256 *sha, unsigned char out[SHA256_SIZE]);
void sha256_finish_hex(struct sha256 *sha, char out[SHA256_HEX_SIZE]);
/* Only for a digest that is given up; harmless after finish. */
void sha256_release(struct sha256 *sha);

void sha256_to_hex(const unsigned char digest[SHA256_SIZE], char out[SHA256_HEX_SIZE]);

#endif
