/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets, one at a time; what combines several is in set_algebra.c. */
#include "server/arguments.h"
#include "server/command.h"
#include "server/exec.h"
#include "server/random.h"
#include "server/random_items.h"
#include "server/scan.h"
#include "server/set_algebra.h"
#include "server/slice_bag.h"

static void write_slice(struct exec *x, struct slice bytes)
{
    resp_write_bulk(x->out, bytes.data, bytes.len);
}

static struct slice_list members_from(struct exec *x, int index)
{
    return (struct slice_list){x->argv + index, (size_t)(x->argc - index)};
}

static void sadd_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_SET_ADD, 1);
    op.set_add.members = members_from(x, 2);
    if (exec_apply(x, &op, 's', "sadd", &outcome))
        resp_write_integer(x->out, outcome.number);
}

static void srem_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_SET_REMOVE, 1);
    op.set_remove.members = members_from(x, 2);
    if (exec_apply(x, &op, 's', "srem", &outcome))
        resp_write_integer(x->out, outcome.number);
}

static void move_member(struct exec *x)
{
    struct outcome outcome;
    struct slice_list member = members_from(x, 3);
    struct op op = exec_op(x, OP_SET_REMOVE, 1);
    op.set_remove.members = member;
    if (!exec_apply(x, &op, 's', "srem", &outcome))
        return;
    if (outcome.number) {
        struct outcome added;
        struct op add = exec_op(x, OP_SET_ADD, 2);
        add.set_add.members = member;
        exec_apply(x, &add, 's', "sadd", &added);
    }
    resp_write_integer(x->out, outcome.number);
}

static void smove_command(struct exec *x)
{
    struct entry *from, *to;
    if (!exec_find_type(x, 1, VALUE_SET, &from))
        return;
    if (!from)
        resp_write_integer(x->out, 0);
    else if (exec_find_type(x, 2, VALUE_SET, &to)) {
        if (from == to)
            resp_write_integer(x->out, set_contains(from, x->argv[3]));
        else
            move_member(x);
    }
}

static void sismember_command(struct exec *x)
{
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_SET_CONTAINS, 1);
    op.argument = x->argv[2];
    if (exec_query(x, &op, &answer))
        resp_write_integer(x->out, answer.number);
}

static void smismember_command(struct exec *x)
{
    struct entry *set;
    if (!exec_find_type(x, 1, VALUE_SET, &set))
        return;
    resp_write_array(x->out, (size_t)x->argc - 2);
    for (int i = 2; i < x->argc; i++)
        resp_write_integer(x->out, set && set_contains(set, x->argv[i]));
}

static void scard_command(struct exec *x)
{
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_SET_LEN, 1);
    if (exec_query(x, &op, &answer))
        resp_write_integer(x->out, answer.number);
}

static void smembers_command(struct exec *x)
{
    struct answer answer;
    struct slice member, none;
    struct read_op op = exec_read_op(x, READ_OP_SET_MEMBERS, 1);
    if (!exec_query(x, &op, &answer))
        return;
    resp_write_set(x->out, (size_t)answer.number);
    while (answer.number-- && value_iter_next(&answer.iter, &member, &none))
        write_slice(x, member);
}

/* Recorded as the members it took: so it is the same wherever it is repeated. */
static void pop_members(struct exec *x, struct slice_list members)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_SET_REMOVE, 1);
    op.set_remove.members = members;
    exec_apply(x, &op, 's', "spop", &outcome);
}

static void pop_one(struct exec *x, const struct entry *set)
{
    char scratch[24];
    struct slice member, none;
    struct slice_copy copy;
    if (!set) {
        resp_write_nil(x->out);
        return;
    }
    value_random(set, random_word, NULL, scratch, &member, &none);
    write_slice(x, member);
    member = slice_copy_init(&copy, member);
    pop_members(x, (struct slice_list){&member, 1});
    slice_copy_release(&copy);
}

static bool add_to_bag(void *ctx, struct slice member, struct slice none)
{
    (void)none;
    slice_bag_add(ctx, member);
    return true;
}

static void pop_count(struct exec *x, const struct entry *set, size_t count)
{
    struct slice_bag bag = {0};
    size_t size = set ? value_len(set) : 0;
    if (set && count)
        random_items_subset(set, count, add_to_bag, &bag);
    struct slice_list members = slice_bag_list(&bag);
    resp_write_set(x->out, members.count);
    for (size_t i = 0; i < members.count; i++)
        write_slice(x, members.items[i]);
    if (members.count)
        pop_members(x, members);
    if (set && count >= size)
        exec_count_lookup(x, true); /* as Redis, which then answers with SUNION */
    slice_bag_release(&bag);
}

static void spop_command(struct exec *x)
{
    struct entry *set;
    int64_t count = 0;
    if (x->argc > 3) {
        exec_syntax_error(x);
        return;
    }
    if (x->argc == 3 && !argument_count(x, 2, &count))
        return;
    if (!exec_find_type(x, 1, VALUE_SET, &set))
        return;
    if (x->argc == 2)
        pop_one(x, set);
    else
        pop_count(x, set, (size_t)count);
}

static bool write_member(void *ctx, struct slice member, struct slice none)
{
    (void)none;
    write_slice(ctx, member);
    return !exec_reply_lost(ctx);
}

static void random_member(struct exec *x, const struct entry *set)
{
    char scratch[24];
    struct slice member, none;
    if (!set) {
        resp_write_nil(x->out);
        return;
    }
    value_random(set, random_word, NULL, scratch, &member, &none);
    write_slice(x, member);
}

static void random_members(struct exec *x, const struct entry *set, int64_t count)
{
    size_t len = set ? value_len(set) : 0, wanted = (size_t)(count < 0 ? -count : count);
    if (len == 0 || (count > 0 && wanted > len))
        wanted = len;
    resp_write_array(x->out, wanted);
    if (!wanted)
        return;
    if (count < 0)
        random_items_draw(set, wanted, write_member, x);
    else
        random_items_subset(set, wanted, write_member, x);
}

static void srandmember_command(struct exec *x)
{
    struct entry *set;
    int64_t count = 0;
    if (x->argc > 3) {
        exec_syntax_error(x);
        return;
    }
    if (x->argc == 3 && !argument_signed_count(x, 2, &count))
        return;
    if (!exec_find_type(x, 1, VALUE_SET, &set))
        return;
    if (x->argc == 2)
        random_member(x, set);
    else
        random_members(x, set, count);
}

static void sscan_command(struct exec *x)
{
    scan_value(x, VALUE_SET);
}

/* clang-format off */
#define SET(name_, arity_, flags_, last_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = flags_, .group = GROUP_SET, .first_key = 1, \
     .last_key = last_, .key_step = 1, .handler = handler_, .since = since_, \
     .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command set_commands[] = {
    SET("sadd", -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, sadd_command, "1.0.0", "O(N) where N is the number of members to add", "key member [member ...]", "Adds members to a set, made when it is not there."),
    SET("scard", 2, CMD_READONLY | CMD_FAST, 1, scard_command, "1.0.0", "O(1)", "key", "Returns the number of members of a set."),
    SET("sdiff", -2, CMD_READONLY, -1, sdiff_command, "1.0.0", "O(N) where N is the total number of members", "key [key ...]", "Returns the members of the first set that no other has."),
    SET("sdiffstore", -3, CMD_WRITE | CMD_DENYOOM, -1, sdiffstore_command, "1.0.0", "O(N) where N is the total number of members", "destination key [key ...]", "Keeps in a key what SDIFF would return."),
    SET("sinter", -2, CMD_READONLY, -1, sinter_command, "1.0.0", "O(N*M) at most, where N is the size of the smallest set and M the number of sets", "key [key ...]", "Returns the members that all sets have."),
    {.name = "sintercard", .arity = -3, .flags = CMD_READONLY | CMD_MOVABLE_KEYS, .group = GROUP_SET, .keys = sintercard_keys, .handler = sintercard_command, .since = "7.0.0", .complexity = "O(N*M) at most, where N is the size of the smallest set and M the number of sets", .syntax = "numkeys key [key ...] [LIMIT limit]", .summary = "Counts the members that all sets have, up to a limit."},
    SET("sinterstore", -3, CMD_WRITE | CMD_DENYOOM, -1, sinterstore_command, "1.0.0", "O(N*M) at most, where N is the size of the smallest set and M the number of sets", "destination key [key ...]", "Keeps in a key what SINTER would return."),
    SET("sismember", 3, CMD_READONLY | CMD_FAST, 1, sismember_command, "1.0.0", "O(1)", "key member", "Tells whether a set has a member."),
    SET("smembers", 2, CMD_READONLY, 1, smembers_command, "1.0.0", "O(N) where N is the number of members", "key", "Returns all members of a set."),
    SET("smismember", -3, CMD_READONLY | CMD_FAST, 1, smismember_command, "6.2.0", "O(N) where N is the number of members asked for", "key member [member ...]", "Tells of each member whether a set has it."),
    SET("smove", 4, CMD_WRITE | CMD_FAST, 2, smove_command, "1.0.0", "O(1)", "source destination member", "Moves a member from one set to another."),
    SET("spop", -2, CMD_WRITE | CMD_FAST, 1, spop_command, "1.0.0", "O(1), or O(N) where N is the count", "key [count]", "Takes one or more members out, picked at random."),
    SET("srandmember", -2, CMD_READONLY, 1, srandmember_command, "1.0.0", "O(1), or O(N) where N is the absolute count", "key [count]", "Returns one or more members picked at random."),
    SET("srem", -3, CMD_WRITE | CMD_FAST, 1, srem_command, "1.0.0", "O(N) where N is the number of members to remove", "key member [member ...]", "Removes members from a set, and the key when none is left."),
    SET("sscan", -3, CMD_READONLY, 1, sscan_command, "2.8.0", "O(1) for every call, O(N) for a complete iteration", "key cursor [MATCH pattern] [COUNT count]", "Iterates over the members of a set."),
    SET("sunion", -2, CMD_READONLY, -1, sunion_command, "1.0.0", "O(N) where N is the total number of members", "key [key ...]", "Returns the members that any of the sets has."),
    SET("sunionstore", -3, CMD_WRITE | CMD_DENYOOM, -1, sunionstore_command, "1.0.0", "O(N) where N is the total number of members", "destination key [key ...]", "Keeps in a key what SUNION would return."),
    {0},
};
/* clang-format on */
