/* SPDX-License-Identifier: BSD-3-Clause */
/* Built on SHA-256, cut to the 20 bytes that Redis's clients expect. Sums are XOR: free of order.
 */
#include "server/digest.h"

#include <stdio.h>

#include "persistence/sha256.h"

static struct digest cut(struct sha256 *sha)
{
    unsigned char full[SHA256_SIZE];
    struct digest digest;
    sha256_finish(sha, full);
    memcpy(digest.bytes, full, DIGEST_BYTES);
    return digest;
}

static void update_counted(struct sha256 *sha, struct slice bytes)
{
    uint64_t len = bytes.len;
    sha256_update(sha, slice_make(&len, sizeof(len)));
    sha256_update(sha, bytes);
}

static struct digest digest_pair(struct slice a, struct slice b)
{
    struct sha256 sha;
    sha256_init(&sha);
    update_counted(&sha, a);
    update_counted(&sha, b);
    return cut(&sha);
}

static void add(struct digest *total, const struct digest *part)
{
    for (int i = 0; i < DIGEST_BYTES; i++)
        total->bytes[i] ^= part->bytes[i];
}

static struct slice digest_slice(const struct digest *digest)
{
    return slice_make(digest->bytes, DIGEST_BYTES);
}

struct digest digest_value(const struct entry *entry)
{
    struct value_iter it;
    struct slice a, b;
    struct digest total = {{0}};
    char scratch[24];
    enum value_type type = entry_type(entry);
    if (type == VALUE_STRING) {
        total = digest_pair(string_bytes(entry, scratch), slice_make("", 0));
    } else {
        value_iter_init(&it, entry);
        while (value_iter_next(&it, &a, &b)) {
            struct digest item = digest_pair(a, b);
            if (type == VALUE_LIST)
                total = digest_pair(digest_slice(&total), digest_slice(&item));
            else
                add(&total, &item);
        }
    }
    struct slice expires = slice_of(entry_expires(entry) ? "expires" : "");
    struct digest typed = digest_pair(slice_of(value_type_name(type)), digest_slice(&total));
    return digest_pair(digest_slice(&typed), expires);
}

void digest_add_key(struct digest *total, struct slice space, const struct entry *entry)
{
    struct digest value = digest_value(entry);
    struct digest named = digest_pair(space, entry_key(entry));
    struct digest whole = digest_pair(digest_slice(&named), digest_slice(&value));
    add(total, &whole);
}

void digest_hex(const struct digest *digest, char out[2 * DIGEST_BYTES + 1])
{
    for (int i = 0; i < DIGEST_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest->bytes[i]);
}
