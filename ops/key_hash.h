/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of keys, members and fields. Declared for everyone in keyspace.h; this header serves
 * those in ops/ that know nothing of keyspaces.
 */
#ifndef CAIRN_OPS_KEY_HASH_H
#define CAIRN_OPS_KEY_HASH_H

#include <stdint.h>

#include "ops/slice.h"

void key_hash_seed(const unsigned char seed[16]);
uint64_t key_hash(struct slice key);

#endif
