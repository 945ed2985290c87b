/* SPDX-License-Identifier: BSD-3-Clause */
/* Deadlines of keys: the EXPIRE family, TTL and its kin, PERSIST. */
#include "server/command.h"
#include "server/exec.h"
#include "server/expiry_options.h"

struct expire_words {
    bool nx, xx, gt, lt;
};

static bool parse_words(struct exec *x, struct expire_words *words)
{
    for (int i = 3; i < x->argc; i++) {
        if (exec_is(x, i, "nx")) {
            words->nx = true;
        } else if (exec_is(x, i, "xx")) {
            words->xx = true;
        } else if (exec_is(x, i, "gt")) {
            words->gt = true;
        } else if (exec_is(x, i, "lt")) {
            words->lt = true;
        } else {
            struct slice word = x->argv[i];
            exec_error_format(x, "ERR Unsupported option %.*s",
                              word.len < 512 ? (int)word.len : 512, word.data);
            return false;
        }
    }
    return true;
}

/* XX with GT says no more than GT, which a key without deadline never meets. */
static bool parse_condition(struct exec *x, enum op_condition *condition)
{
    struct expire_words words = {0};
    if (!parse_words(x, &words))
        return false;
    if (words.nx && (words.xx || words.gt || words.lt)) {
        exec_error(x, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (words.gt && words.lt) {
        exec_error(x, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *condition = words.nx               ? OP_CONDITION_NX
                 : words.gt             ? OP_CONDITION_GT
                 : words.lt && words.xx ? OP_CONDITION_XX_LT
                 : words.lt             ? OP_CONDITION_LT
                 : words.xx             ? OP_CONDITION_XX
                                        : OP_CONDITION_NONE;
    return true;
}

/* A deadline that has passed deletes the key; exec_apply says "del" then. */
static void expire(struct exec *x, enum expiry_unit unit)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_KEY_EXPIRE_AT, 1);
    int64_t deadline;
    if (!parse_condition(x, &op.key_expire_at.condition) ||
        !expiry_deadline(x, 2, unit, false, &deadline))
        return;
    op.key_expire_at.deadline = deadline;
    if (exec_apply(x, &op, 'g', deadline > x->now ? "expire" : NULL, &outcome))
        resp_write_integer(x->out, outcome.status == OUTCOME_OK);
}

static void expire_command(struct exec *x)
{
    expire(x, EXPIRY_SECONDS);
}

static void pexpire_command(struct exec *x)
{
    expire(x, EXPIRY_MILLISECONDS);
}

static void expireat_command(struct exec *x)
{
    expire(x, EXPIRY_AT_SECONDS);
}

static void pexpireat_command(struct exec *x)
{
    expire(x, EXPIRY_AT_MILLISECONDS);
}

/* Writes -2 for no key, -1 for no deadline; else gives true. */
static bool find_deadline(struct exec *x, int64_t *deadline)
{
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_KEY_EXPIRES, 1);
    exec_query(x, &op, &answer);
    *deadline = answer.number;
    if (answer.status == ANSWER_OK && answer.number)
        return true;
    resp_write_integer(x->out, answer.status == ANSWER_OK ? -1 : -2);
    return false;
}

/* To the nearest second, without overflow. */
static int64_t to_seconds(int64_t ms)
{
    return ms / 1000 + (ms % 1000 >= 500);
}

static void ttl_command(struct exec *x)
{
    int64_t deadline;
    if (find_deadline(x, &deadline))
        resp_write_integer(x->out, to_seconds(deadline - x->now));
}

static void pttl_command(struct exec *x)
{
    int64_t deadline;
    if (find_deadline(x, &deadline))
        resp_write_integer(x->out, deadline - x->now);
}

static void expiretime_command(struct exec *x)
{
    int64_t deadline;
    if (find_deadline(x, &deadline))
        resp_write_integer(x->out, to_seconds(deadline));
}

static void pexpiretime_command(struct exec *x)
{
    int64_t deadline;
    if (find_deadline(x, &deadline))
        resp_write_integer(x->out, deadline);
}

static void persist_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_KEY_PERSIST, 1);
    if (exec_apply(x, &op, 'g', "persist", &outcome))
        resp_write_integer(x->out, outcome.number);
}

/* clang-format off */
#define EXPIRE(name_, arity_, flags_, handler_, since_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = (flags_) | CMD_FAST, .group = GROUP_GENERIC, \
     .first_key = 1, .last_key = 1, .key_step = 1, .handler = handler_, .since = since_, \
     .complexity = "O(1)", .syntax = syntax_, .summary = summary_}

const struct command expire_commands[] = {
    EXPIRE("expire", -3, CMD_WRITE, expire_command, "1.0.0", "key seconds [NX | XX | GT | LT]", "Sets how many seconds from now a key expires."),
    EXPIRE("expireat", -3, CMD_WRITE, expireat_command, "1.2.0", "key unix-time-seconds [NX | XX | GT | LT]", "Sets the Unix time in seconds at which a key expires."),
    EXPIRE("expiretime", 2, CMD_READONLY, expiretime_command, "7.0.0", "key", "Returns the Unix time in seconds at which a key expires."),
    EXPIRE("persist", 2, CMD_WRITE, persist_command, "2.2.0", "key", "Takes the deadline off a key."),
    EXPIRE("pexpire", -3, CMD_WRITE, pexpire_command, "2.6.0", "key milliseconds [NX | XX | GT | LT]", "Sets how many milliseconds from now a key expires."),
    EXPIRE("pexpireat", -3, CMD_WRITE, pexpireat_command, "2.6.0", "key unix-time-milliseconds [NX | XX | GT | LT]", "Sets the Unix time in milliseconds at which a key expires."),
    EXPIRE("pexpiretime", 2, CMD_READONLY, pexpiretime_command, "7.0.0", "key", "Returns the Unix time in milliseconds at which a key expires."),
    EXPIRE("pttl", 2, CMD_READONLY, pttl_command, "2.6.0", "key", "Returns how many milliseconds a key has left."),
    EXPIRE("ttl", 2, CMD_READONLY, ttl_command, "1.0.0", "key", "Returns how many seconds a key has left."),
    {0},
};
/* clang-format on */
