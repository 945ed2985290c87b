/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC-32C (Castagnoli, reflected, as iSCSI uses it: RFC 3720 appendix B.4), with the processor's
 * instruction where there is one. Guards journal records against tearing and flipped bits.
 */
#ifndef CAIRN_PERSISTENCE_CRC32C_H
#define CAIRN_PERSISTENCE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` over `data`; begin with 0. crc32c(crc32c(0, a), b) is the crc of a then b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same without any special instruction: what crc32c falls back to, and is tested against. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
