/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Digests of values and of whole servers, for DEBUG DIGEST and tests that compare states: equal
 * contents give equal digests, whatever the order of fields, members, keys.
 */
#ifndef CAIRN_SERVER_DIGEST_H
#define CAIRN_SERVER_DIGEST_H

#include "ops/value.h"

#define DIGEST_BYTES 20

struct digest {
    unsigned char bytes[DIGEST_BYTES];
};

/* All zero for the empty state. */
struct digest digest_value(const struct entry *entry);
/* Adds a key and its value to the digest of a namespace's or server's contents. */
void digest_add_key(struct digest *total, struct slice space, const struct entry *entry);
void digest_hex(const struct digest *digest, char out[2 * DIGEST_BYTES + 1]);

#endif
