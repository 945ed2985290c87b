/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What COMMAND INFO tells of a command beyond its row in the command table, as Redis 7.0 does: tips
 * for clients, categories that follow neither from flags nor from the group, and how each key is
 * used. Nothing here changes what a command does.
 */
#ifndef CAIRN_SERVER_COMMAND_FACTS_H
#define CAIRN_SERVER_COMMAND_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct command;

/* In the order in which Redis lists them. */
/* clang-format off */
#define CATEGORY_LIST(X)                                                                           \
    X(KEYSPACE, "keyspace") X(READ, "read") X(WRITE, "write") X(SET, "set") X(LIST, "list")        \
    X(HASH, "hash") X(STRING, "string") X(PUBSUB, "pubsub") X(ADMIN, "admin") X(FAST, "fast")      \
    X(SLOW, "slow") X(BLOCKING, "blocking") X(DANGEROUS, "dangerous") X(CONNECTION, "connection")  \
    X(TRANSACTION, "transaction") X(SCRIPTING, "scripting") X(CAIRN, "cairn")
/* clang-format on */

enum category_bit {
#define X(name, text) CATEGORY_BIT_##name,
    CATEGORY_LIST(X)
#undef X
        CATEGORY_COUNT
};
enum category {
#define X(name, text) CATEGORY_##name = 1 << CATEGORY_BIT_##name,
    CATEGORY_LIST(X)
#undef X
};

struct key_spec {
    const char *flags; /* words of Redis; NULL: no such key */
    int begin;         /* argument of the first key, or of their count */
    int last, step;    /* from begin; negative: from the end. Not where they are counted */
    bool counted;      /* the argument at begin says how many keys follow it */
};

#define KEY_SPECS_MAX 2

struct command_facts {
    const char *name; /* "client|list" */
    const char *tips; /* separated by spaces; NULL: none */
    uint32_t categories;
    const char *group; /* as COMMAND DOCS tells it; NULL: that of the row */
    struct key_spec keys[KEY_SPECS_MAX];
};

/* NULL: the row says all. */
const struct command_facts *command_facts_find(const struct command *command);
/* All of them, ended by one without a name: for tests. */
extern const struct command_facts command_facts[];

#endif
