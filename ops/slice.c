/* SPDX-License-Identifier: BSD-3-Clause */
/* See slice.h: what is too long to be worth inlining. */
#include "ops/slice.h"

bool slice_long_equal(struct slice a, struct slice b)
{
    return memcmp(a.data, b.data, a.len) == 0;
}
