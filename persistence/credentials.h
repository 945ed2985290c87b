/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access keys as AWS's tools find them, in this order: environment, web identity, shared
 * credentials and config files, container endpoint, instance metadata. Those that expire are
 * fetched anew before they do, on a thread of the provider's own: no caller ever waits for it.
 */
#ifndef CAIRN_PERSISTENCE_CREDENTIALS_H
#define CAIRN_PERSISTENCE_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "persistence/text.h"

#define CREDENTIALS_ERROR_MAX 256

struct credentials {
    char access_key[129]; /* sizes: AWS's limit for a key id, and ample room for the others */
    char secret_key[257];
    char session_token[8192]; /* empty: none */
    int64_t expires;          /* seconds since 1970; 0: never */
};

/* Looks once, on this thread; may take seconds. `abort` (may be NULL) set: gives up. */
bool credentials_resolve(const char *region, const atomic_bool *abort, struct credentials *ret,
                         struct text *error);

/* The region that environment or profile name; "" when neither does. */
void credentials_region(char out[64]);

struct credentials_provider;

enum credentials_status {
    CREDENTIALS_READY,
    CREDENTIALS_PENDING, /* being fetched: ask again shortly */
    CREDENTIALS_MISSING, /* nowhere to be found, or their source is out of reach; looked for again
                          */
};

/* Starts looking at once. */
struct credentials_provider *credentials_create(const char *region);
void credentials_destroy(struct credentials_provider *provider); /* NULL-safe */

/* Any thread. `error` is a sentence when they are missing. */
enum credentials_status credentials_get(struct credentials_provider *provider,
                                        struct credentials *ret, char error[CREDENTIALS_ERROR_MAX]);
/* A server refused this key as expired or unknown: it is looked for anew. Any thread. */
void credentials_refused(struct credentials_provider *provider, const char *access_key);

#endif
