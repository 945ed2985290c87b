/* SPDX-License-Identifier: BSD-3-Clause */
/* One small HTTP call that blocks, for the sources of credentials. */
#ifndef CAIRN_PERSISTENCE_CREDENTIALS_HTTP_H
#define CAIRN_PERSISTENCE_CREDENTIALS_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "persistence/text.h"

struct credentials_call {
    const char *method;
    const char *url;
    const char *headers[2]; /* "Name: value", or NULL */
    const char *form;       /* body of a POST, or NULL */
    long timeout_ms;
    const atomic_bool *abort; /* may be NULL */
};

/* False: no answer, or one that is not 200; `error` says which. */
bool credentials_http(const struct credentials_call *call, struct text *ret_body,
                      struct text *error);

#endif
