/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command table. Each family's file holds its rows (designated initialisers, one row a
 * command) in a `const struct command name_commands[]` ended by an empty row, and names it in
 * COMMAND_FAMILIES here; the table alone checks arity, flags and rights.
 */
#ifndef CAIRN_SERVER_COMMAND_H
#define CAIRN_SERVER_COMMAND_H

#include <stdint.h>

#include "ops/slice.h"

struct exec;
struct text;

enum command_flag {
    CMD_WRITE = 1 << 0, /* may change values: refused while persistence is in trouble */
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2, /* refused past maxmemory */
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7,
    CMD_STALE = 1 << 8,
    CMD_FAST = 1 << 9,      /* O(1) or O(log n): not timed one by one */
    CMD_NO_AUTH = 1 << 10,  /* allowed before authentication */
    CMD_NO_MULTI = 1 << 11, /* refused inside MULTI */
    CMD_MOVABLE_KEYS = 1 << 12,
    CMD_PROTECTED = 1 << 13, /* needs enable-…-command */
    CMD_NO_LOCK = 1 << 14,   /* uses no key: needs no namespace lock and takes none. It may happen
                                to run under its batch's, so it must neither block nor wait */
    CMD_OWN_LOCKS = 1 << 15, /* runs without lock and takes what it needs (exec_lock_namespaces) */
    CMD_IN_SUBSCRIBE = 1 << 16, /* allowed while a RESP2 connection is subscribed */
    CMD_MAY_REPLICATE = 1 << 17,
    CMD_SKIP_MONITOR = 1 << 18,
    CMD_SKIP_SLOWLOG = 1 << 19,
    CMD_EXEC = 1 << 20,      /* EXEC: as CMD_OWN_LOCKS when client->exec_own_locks is set */
    CMD_NO_QUEUE = 1 << 21,  /* inside MULTI it runs at once: EXEC DISCARD MULTI WATCH QUIT RESET */
    CMD_LIKE_FAST = 1 << 22, /* as CMD_FAST, but Redis does not call it so */
    /* Without a meaning here; COMMAND INFO tells them, as CMD_LOADING, CMD_STALE, CMD_NOSCRIPT. */
    CMD_NO_ASYNC_LOADING = 1 << 23,
    CMD_ALLOW_BUSY = 1 << 24,
};

/* As COMMAND DOCS tells them; a part of the ACL categories follows from them (command_facts.h). */
enum command_group {
    GROUP_GENERIC,
    GROUP_STRING,
    GROUP_LIST,
    GROUP_SET,
    GROUP_HASH,
    GROUP_PUBSUB,
    GROUP_TRANSACTIONS,
    GROUP_CONNECTION,
    GROUP_SERVER,
    GROUP_CAIRN,
    GROUP_COUNT
};

struct command {
    const char *name; /* lower case; a subcommand's own word */
    int arity;        /* counts the name; negative: at least */
    uint32_t flags;
    enum command_group group;
    int first_key, last_key, key_step; /* argv indices; 0: no keys; last -1: to the end */
    void (*handler)(struct exec *x);
    const struct command *subcommands; /* ended by an empty row; NULL: none */
    /* Keys that positions cannot tell (numkeys …): argv indices into out, returns the count. */
    int (*keys)(const struct slice *argv, int argc, int *out, int cap);
    const char *summary, *since, *complexity, *syntax; /* syntax: arguments after the name */
    /* Set when the table is built: */
    const struct command *parent;
    uint16_t id;        /* dense: index into per-command statistics */
    char full_name[40]; /* "client|list" */
};

/* The HELP row of a container's subcommands. */
#define COMMAND_HELP(group_, since_)                                                               \
    {                                                                                              \
        .name = "help", .arity = 2, .flags = CMD_NO_LOCK | CMD_LOADING | CMD_STALE,                \
        .group = group_, .handler = command_help, .since = since_, .complexity = "O(1)",           \
        .syntax = "", .summary = "Shows what there is."                                            \
    }
void command_help(struct exec *x);

#define COMMAND_FAMILIES(X)                                                                        \
    X(connection_commands)                                                                         \
    X(server_commands)                                                                             \
    X(client_commands)                                                                             \
    X(config_commands)                                                                             \
    X(introspection_commands)                                                                      \
    X(debug_commands)                                                                              \
    X(object_commands)                                                                             \
    X(function_commands)                                                                           \
    X(cairn_commands)                                                                              \
    X(key_commands)                                                                                \
    X(expire_commands)                                                                             \
    X(string_commands)                                                                             \
    X(hash_commands)                                                                               \
    X(set_commands)                                                                                \
    X(list_commands)                                                                               \
    X(blocking_commands)                                                                           \
    X(transaction_commands)                                                                        \
    X(pubsub_commands)

#define X(family) extern const struct command family[];
COMMAND_FAMILIES(X)
#undef X

/* Builds the look-up table from the families; once, before the threads start. */
void command_table_init(void);
void command_table_release(void);
/* In any case of letters. NULL: there is none of that name, in the container. */
const struct command *command_find(struct slice name);
const struct command *command_find_sub(const struct command *container, struct slice name);
size_t command_count(void); /* ids are below this, subcommands included */
/* id < command_count(); commands that are no subcommands come first. */
const struct command *command_at(size_t id);

/* argv indices of all keys, at most `cap` into `out`; how many there are, or -1 when the arguments
 * are invalid. */
int command_keys(const struct command *command, const struct slice *argv, int argc, int *out,
                 int cap);

#endif
