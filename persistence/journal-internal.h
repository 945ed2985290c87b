/* SPDX-License-Identifier: BSD-3-Clause */
/* Names and numbers of the journal's files that its reader and its writer share. */
#ifndef CAIRN_PERSISTENCE_JOURNAL_INTERNAL_H
#define CAIRN_PERSISTENCE_JOURNAL_INTERNAL_H

#include <stdint.h>

#define JOURNAL_MAGIC        "CAIRNLOG"
#define JOURNAL_VERSION      UINT32_C(1)
#define JOURNAL_RECORD_MAGIC UINT32_C(0x43455243) /* "CREC" */
#define JOURNAL_NAME_SIZE    48

void journal_file_name(uint64_t sequence, char out[JOURNAL_NAME_SIZE]);

/* Numbers in the files have their lowest byte first. */
static inline void journal_store32(unsigned char *out, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (unsigned char)(number >> (8 * i));
}

static inline void journal_store64(unsigned char *out, uint64_t number)
{
    journal_store32(out, (uint32_t)number);
    journal_store32(out + 4, (uint32_t)(number >> 32));
}

static inline uint32_t journal_load32(const unsigned char *in)
{
    return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static inline uint64_t journal_load64(const unsigned char *in)
{
    return journal_load32(in) | (uint64_t)journal_load32(in + 4) << 32;
}

#endif
