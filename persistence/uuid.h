/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Version 7 UUIDs (RFC 9562 section 5.7): names of immutable objects, which so sort by the time
 * they were made. Reads no clock.
 */
#ifndef CAIRN_PERSISTENCE_UUID_H
#define CAIRN_PERSISTENCE_UUID_H

#include <stdint.h>

#define UUID_TEXT_SIZE 37 /* with its NUL */

/*
 * `now_ms` is Unix time in milliseconds, 0 … 2^48-1; the other 74 free bits come from getrandom.
 * Lower-case, in the usual 8-4-4-4-12 groups. Any thread.
 */
void uuid7_make(int64_t now_ms, char out[UUID_TEXT_SIZE]);

#endif
