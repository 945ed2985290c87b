/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared files of AWS's tools: sections, one a profile, of `name = value` lines. */
#ifndef CAIRN_PERSISTENCE_CREDENTIALS_PROFILE_H
#define CAIRN_PERSISTENCE_CREDENTIALS_PROFILE_H

#include <stdbool.h>

#include "ops/slice.h"

#define PROFILE_VALUE_MAX 8192

struct credentials_profile {
    bool found; /* there is such a section */
    char access_key[129], secret_key[257], session_token[PROFILE_VALUE_MAX];
    char region[64], role_arn[256], session_name[65], token_file[1024];
};

/*
 * Takes what the section of profile `name` says into those fields that are still empty. In a
 * config file that section is called "profile NAME" (but "default"), in a credentials file "NAME".
 * Lines that are none are passed over, as AWS's tools do; so are values that do not fit.
 */
void credentials_profile_parse(struct slice file, bool is_config, const char *name,
                               struct credentials_profile *profile);

/* Reads both files as the environment names them; what is not there says nothing. */
void credentials_profile_read(struct credentials_profile *ret_profile);

#endif
