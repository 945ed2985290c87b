/* SPDX-License-Identifier: BSD-3-Clause */
/* The sources of credentials that are asked over HTTP; for credentials.c alone. */
#ifndef CAIRN_PERSISTENCE_CREDENTIALS_SOURCES_H
#define CAIRN_PERSISTENCE_CREDENTIALS_SOURCES_H

#include "persistence/credentials.h"

/* Each: true with `ret` filled, or false with a sentence. They block for seconds at most. */
bool credentials_from_container(const char *relative, const char *full, const atomic_bool *abort,
                                struct credentials *ret, struct text *error);
bool credentials_from_instance(const atomic_bool *abort, struct credentials *ret,
                               struct text *error);

struct credentials_role {
    const char *arn, *session_name, *token_file, *region;
};
bool credentials_from_web_identity(const struct credentials_role *role, const atomic_bool *abort,
                                   struct credentials *ret, struct text *error);

/* The answers, apart from how they came. */
bool credentials_parse_json(struct slice body, struct credentials *ret, struct text *error);
bool credentials_parse_sts(struct slice body, struct credentials *ret, struct text *error);

#endif
