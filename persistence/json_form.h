/* SPDX-License-Identifier: BSD-3-Clause */
/* What those who read JSON and those who write it must agree on; docs/format.md has it for others.
 */
#ifndef CAIRN_PERSISTENCE_JSON_FORM_H
#define CAIRN_PERSISTENCE_JSON_FORM_H

#include <stdbool.h>
#include <string.h>

#include "ops/slice.h"

/* What bytes that are no text begin with. */
#define JSON_TAG     "base64:"
#define JSON_TAG_LEN (sizeof(JSON_TAG) - 1)

static inline bool json_is_tagged(struct slice string)
{
    return string.len >= JSON_TAG_LEN && string.data[0] == JSON_TAG[0] &&
           memcmp(string.data, JSON_TAG, JSON_TAG_LEN) == 0;
}

/* Integers up to this magnitude are JSON numbers: every reader that keeps doubles has them exact.
 */
#define JSON_INTEGER_MAX (INT64_C(1) << 53)

/* A name behind another member, as it stands in what writers of ours make; and its length. */
#define JSON_NEXT(name) ",\"" name "\":", sizeof(",\"" name "\":") - 1

#endif
