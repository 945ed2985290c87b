/* SPDX-License-Identifier: BSD-3-Clause */
/* Standard base64 with padding (RFC 4648 section 4), strict in both directions. */
#ifndef CAIRN_PERSISTENCE_BASE64_H
#define CAIRN_PERSISTENCE_BASE64_H

#include "ops/slice.h"

static inline size_t base64_encoded_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

/* At most; padding takes one or two off. */
static inline size_t base64_decoded_max(size_t len)
{
    return len / 4 * 3;
}

/* Writes base64_encoded_len(bytes.len) characters, no NUL, and returns that number. */
size_t base64_encode(struct slice bytes, char *out);

/*
 * Writes at most base64_decoded_max(text.len) bytes. False when `text` is not what base64_encode
 * gives for any bytes: foreign characters, missing padding, stray bits; `out` may be written to
 * then. `out` may be where the text is.
 */
bool base64_decode(struct slice text, char *out, size_t *ret_len);

#endif
