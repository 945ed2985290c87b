/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rows of the configuration, for config_table.c (which has them), config.c (values), and
 * config_file.c (files, command line, help).
 */
#ifndef CAIRN_SERVER_CONFIG_INTERNAL_H
#define CAIRN_SERVER_CONFIG_INTERNAL_H

#include "server/config.h"

enum directive_type {
    DIRECTIVE_BOOL, /* yes, no */
    DIRECTIVE_INT,  /* min to max */
    DIRECTIVE_OCTAL,
    DIRECTIVE_MEMORY, /* bytes, with k kb m mb g gb */
    DIRECTIVE_TIME,   /* seconds with a fraction, or with ms s m h; kept in ms */
    DIRECTIVE_ENUM,
    DIRECTIVE_STRING,
    DIRECTIVE_SPECIAL, /* read and written by functions of its own */
};

enum directive_flag {
    DIRECTIVE_IMMUTABLE = 1 << 0, /* only at start */
    DIRECTIVE_KEPT = 1 << 1,      /* Redis's; taken and given back, without effect here */
    DIRECTIVE_ADDS = 1 << 2, /* pairs of words: a further line adds to them, an empty one clears */
};

struct directive {
    const char *name, *alias;
    enum directive_type type;
    uint32_t flags;
    size_t offset;            /* in struct config */
    int64_t min, max, value;  /* value: the default */
    int64_t of_bucket;        /* the default where the store is a bucket; 0: the same */
    const char *text;         /* default of strings and specials */
    const char *const *words; /* DIRECTIVE_ENUM: by value, ended by NULL */
    /* DIRECTIVE_SPECIAL; also DIRECTIVE_STRING, where not every text will do. */
    bool (*set)(struct slice value, bool check_only, struct text *error);
    void (*get)(struct text *out);
    void (*apply)(void); /* after a change, and once at start; NULL: nothing to do */
    const char *group, *help;
};

extern const struct directive config_directives[]; /* ended by an empty row */

/* By name or alias, any case. */
const struct directive *config_find(struct slice name);

/* Checks, and unless check_only stores. The error is Redis's words without a code. */
bool directive_set(const struct directive *directive, struct slice value, bool check_only,
                   struct text *error);
void directive_get(const struct directive *directive, struct text *out);
void directive_default(const struct directive *directive, struct text *out);
/* As directive_default, with the present store. */
void directive_store_default(const struct directive *directive, struct text *out);

/* Around reading file and command line: the store may be named behind what hangs on it. */
void config_await_store(void);
void config_store_known(void);

/* Replaces a string directive under the lock. */
void config_replace(char **field, struct slice value);

#endif
