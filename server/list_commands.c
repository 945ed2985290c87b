/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists, as far as nothing blocks. LMOVE and LMPOP carry out the same plans as their blocking
 * forms, at once.
 */
#include "server/list_commands.h"

#include "server/arguments.h"
#include "server/blocking.h"
#include "server/command.h"

static struct slice_list items_from(struct exec *x, int index)
{
    return (struct slice_list){x->argv + index, (size_t)(x->argc - index)};
}

/* Without the condition's key there is nothing to do: LPUSHX answers 0. */
static void push(struct exec *x, enum op_side side, enum op_condition condition)
{
    struct outcome outcome;
    bool left = side == OP_SIDE_LEFT;
    struct op op = exec_op(x, left ? OP_LIST_PREPEND : OP_LIST_APPEND, 1);
    struct slice_list items = items_from(x, 2);
    if (left)
        op.list_prepend = (struct op_list_prepend){items, condition};
    else
        op.list_append = (struct op_list_append){items, condition};
    if (exec_apply(x, &op, 'l', left ? "lpush" : "rpush", &outcome))
        resp_write_integer(x->out, outcome.number);
}

static void lpush_command(struct exec *x)
{
    push(x, OP_SIDE_LEFT, OP_CONDITION_NONE);
}

static void rpush_command(struct exec *x)
{
    push(x, OP_SIDE_RIGHT, OP_CONDITION_NONE);
}

static void lpushx_command(struct exec *x)
{
    push(x, OP_SIDE_LEFT, OP_CONDITION_XX);
}

static void rpushx_command(struct exec *x)
{
    push(x, OP_SIDE_RIGHT, OP_CONDITION_XX);
}

void list_write_end(struct exec *x, const struct entry *list, enum op_side side, size_t count)
{
    struct value_iter it;
    struct slice item, none;
    bool right = side == OP_SIDE_RIGHT;
    list_iter_init(&it, list, right ? value_len(list) - 1 : 0, count, right);
    while (count-- && value_iter_next(&it, &item, &none))
        resp_write_bulk(x->out, item.data, item.len);
}

static void pop_items(struct exec *x, const struct entry *list, enum op_side side, int64_t count)
{
    struct outcome outcome;
    size_t len = value_len(list), taken = (uint64_t)count < len ? (size_t)count : len;
    struct op op = exec_op(x, OP_LIST_POP, 1);
    op.list_pop = (struct op_list_pop){side, (int64_t)taken};
    if (x->argc == 3)
        resp_write_array(x->out, taken);
    if (!taken)
        return;
    list_write_end(x, list, side, taken);
    exec_apply(x, &op, 'l', side == OP_SIDE_LEFT ? "lpop" : "rpop", &outcome);
}

static void pop(struct exec *x, enum op_side side)
{
    struct entry *list;
    int64_t count = 1;
    if (x->argc > 3) {
        exec_wrong_arity(x);
        return;
    }
    if (x->argc == 3 && !argument_count(x, 2, &count))
        return;
    if (!exec_find_type(x, 1, VALUE_LIST, &list))
        return;
    if (list)
        pop_items(x, list, side, count);
    else if (x->argc == 3)
        resp_write_nil_array(x->out);
    else
        resp_write_nil(x->out);
}

static void lpop_command(struct exec *x)
{
    pop(x, OP_SIDE_LEFT);
}

static void rpop_command(struct exec *x)
{
    pop(x, OP_SIDE_RIGHT);
}

static void llen_command(struct exec *x)
{
    struct answer answer;
    struct read_op op = exec_read_op(x, READ_OP_LIST_LEN, 1);
    if (exec_query(x, &op, &answer))
        resp_write_integer(x->out, answer.number);
}

static void lindex_command(struct exec *x)
{
    struct entry *list;
    struct slice item;
    int64_t index = -1;
    if (!exec_find_type(x, 1, VALUE_LIST, &list) || (list && !exec_int(x, 2, &index)))
        return;
    if (list && index < 0)
        index += (int64_t)value_len(list);
    if (list && index >= 0 && list_get(list, (size_t)index, &item))
        resp_write_bulk(x->out, item.data, item.len);
    else
        resp_write_nil(x->out);
}

static void lset_command(struct exec *x)
{
    struct outcome outcome;
    struct entry *list;
    struct op op = exec_op(x, OP_LIST_SET, 1);
    op.list_set.value = x->argv[3];
    if (!exec_find_type(x, 1, VALUE_LIST, &list))
        return;
    if (!list)
        exec_error(x, "ERR no such key");
    else if (exec_int(x, 2, &op.list_set.index) && exec_apply(x, &op, 'l', "lset", &outcome)) {
        if (outcome.status == OUTCOME_OK)
            resp_write_ok(x->out);
        else
            exec_error(x, "ERR index out of range");
    }
}

static void linsert_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_LIST_INSERT, 1);
    op.list_insert = (struct op_list_insert){OP_SIDE_LEFT, x->argv[3], x->argv[4]};
    if (exec_is(x, 2, "after")) {
        op.list_insert.side = OP_SIDE_RIGHT;
    } else if (!exec_is(x, 2, "before")) {
        exec_syntax_error(x);
        return;
    }
    if (exec_apply(x, &op, 'l', "linsert", &outcome))
        resp_write_integer(x->out, outcome.status == OUTCOME_NO_PIVOT ? -1 : outcome.number);
}

static void lrange_command(struct exec *x)
{
    struct answer answer;
    struct slice item, none;
    struct read_op op = exec_read_op(x, READ_OP_LIST_ENTRIES, 1);
    if (!exec_int(x, 2, &op.start) || !exec_int(x, 3, &op.stop) || !exec_query(x, &op, &answer))
        return;
    resp_write_array(x->out, (size_t)answer.number);
    while (answer.number-- && value_iter_next(&answer.iter, &item, &none))
        resp_write_bulk(x->out, item.data, item.len);
}

static void ltrim_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_LIST_TRIM, 1);
    if (!exec_int(x, 2, &op.list_trim.start) || !exec_int(x, 3, &op.list_trim.stop))
        return;
    if (!exec_apply(x, &op, 'l', "ltrim", &outcome))
        return;
    if (!outcome.changed && exec_find(x, x->argv[1]))
        exec_notify(x, 'l', "ltrim", x->argv[1]); /* as Redis: also when nothing was cut off */
    resp_write_ok(x->out);
}

static void lrem_command(struct exec *x)
{
    struct outcome outcome;
    struct op op = exec_op(x, OP_LIST_REMOVE, 1);
    op.list_remove.value = x->argv[3];
    if (exec_int(x, 2, &op.list_remove.count) && exec_apply(x, &op, 'l', "lrem", &outcome))
        resp_write_integer(x->out, outcome.number);
}

bool list_side_argument(struct exec *x, int index, enum op_side *side)
{
    if (exec_is(x, index, "left")) {
        *side = OP_SIDE_LEFT;
    } else if (exec_is(x, index, "right")) {
        *side = OP_SIDE_RIGHT;
    } else {
        exec_syntax_error(x);
        return false;
    }
    return true;
}

static void move(struct exec *x, const struct list_plan *plan)
{
    struct entry *list;
    if (!exec_find_type(x, 1, VALUE_LIST, &list))
        return;
    if (list)
        list_plan_run(x, x->ns, x->argv[1], plan);
    else
        resp_write_nil(x->out);
}

static void lmove_command(struct exec *x)
{
    struct list_plan plan = {.kind = PLAN_MOVE, .destination = x->argv[2]};
    if (list_side_argument(x, 3, &plan.from) && list_side_argument(x, 4, &plan.to))
        move(x, &plan);
}

static void rpoplpush_command(struct exec *x)
{
    move(x, &(struct list_plan){.kind = PLAN_MOVE,
                                .from = OP_SIDE_RIGHT,
                                .to = OP_SIDE_LEFT,
                                .destination = x->argv[2]});
}

bool list_mpop_arguments(struct exec *x, int index, struct list_mpop *mpop)
{
    int64_t keys;
    *mpop = (struct list_mpop){.first = index + 1};
    if (!argument_numkeys(x, index, &keys))
        return false;
    if (keys > x->argc - index - 2) {
        exec_syntax_error(x);
        return false;
    }
    mpop->keys = (int)keys;
    int at = mpop->first + mpop->keys;
    if (!list_side_argument(x, at++, &mpop->side))
        return false;
    for (; at < x->argc; at += 2) {
        if (mpop->count || at + 1 == x->argc || !exec_is(x, at, "count")) {
            exec_syntax_error(x);
            return false;
        }
        if (!exec_int_range(x, at + 1, 1, INT64_MAX, "ERR count should be greater than 0",
                            &mpop->count))
            return false;
    }
    mpop->count = mpop->count ? mpop->count : 1;
    return true;
}

static void lmpop_command(struct exec *x)
{
    struct list_mpop mpop;
    if (!list_mpop_arguments(x, 1, &mpop))
        return;
    struct list_plan plan = {.kind = PLAN_POP_MANY, .from = mpop.side, .count = mpop.count};
    for (int i = mpop.first; i < mpop.first + mpop.keys; i++) {
        struct entry *list;
        if (!exec_find_type(x, i, VALUE_LIST, &list))
            return;
        if (list) {
            list_plan_run(x, x->ns, x->argv[i], &plan);
            return;
        }
    }
    resp_write_nil_array(x->out);
}

static int lmpop_keys(const struct slice *argv, int argc, int *out, int cap)
{
    return argument_keys(argv, argc, 1, out, cap);
}

/* clang-format off */
#define LIST(name_, arity_, flags_, last_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = flags_, .group = GROUP_LIST, .first_key = 1, \
     .last_key = last_, .key_step = 1, .handler = handler_, .since = since_, \
     .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command list_commands[] = {
    LIST("lindex", 3, CMD_READONLY, 1, lindex_command, "1.0.0", "O(N) where N is the distance from the nearer end", "key index", "Returns the item at an index."),
    LIST("linsert", 5, CMD_WRITE | CMD_DENYOOM, 1, linsert_command, "2.2.0", "O(N) where N is the number of items before the pivot", "key BEFORE | AFTER pivot element", "Puts an item before or after another one."),
    LIST("llen", 2, CMD_READONLY | CMD_FAST, 1, llen_command, "1.0.0", "O(1)", "key", "Returns the length of a list."),
    LIST("lmove", 5, CMD_WRITE | CMD_DENYOOM, 2, lmove_command, "6.2.0", "O(1)", "source destination LEFT | RIGHT LEFT | RIGHT", "Takes an item off one end of a list and puts it on an end of another."),
    {.name = "lmpop", .arity = -4, .flags = CMD_WRITE | CMD_MOVABLE_KEYS, .group = GROUP_LIST, .keys = lmpop_keys, .handler = lmpop_command, .since = "7.0.0", .complexity = "O(N+M) where N is the number of keys and M the number of items", .syntax = "numkeys key [key ...] LEFT | RIGHT [COUNT count]", .summary = "Takes items off the first of several lists that is there."},
    LIST("lpop", -2, CMD_WRITE | CMD_FAST, 1, lpop_command, "1.0.0", "O(N) where N is the number of items", "key [count]", "Takes items off the head of a list."),
    LIST("lpos", -3, CMD_READONLY, 1, lpos_command, "6.0.6", "O(N) where N is the number of items looked at", "key element [RANK rank] [COUNT num-matches] [MAXLEN len]", "Tells where in a list an item is."),
    LIST("lpush", -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, lpush_command, "1.0.0", "O(N) where N is the number of items", "key element [element ...]", "Puts items at the head of a list, made when it is not there."),
    LIST("lpushx", -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, lpushx_command, "2.2.0", "O(N) where N is the number of items", "key element [element ...]", "Puts items at the head of a list that is there."),
    LIST("lrange", 4, CMD_READONLY, 1, lrange_command, "1.0.0", "O(S+N) where S is the distance of the start from the nearer end and N the number of items", "key start stop", "Returns the items from one index to another."),
    LIST("lrem", 4, CMD_WRITE, 1, lrem_command, "1.0.0", "O(N+M) where N is the length of the list and M the number of items removed", "key count element", "Removes items equal to a value, from the head, the tail, or all."),
    LIST("lset", 4, CMD_WRITE | CMD_DENYOOM, 1, lset_command, "1.0.0", "O(N) where N is the distance from the nearer end", "key index element", "Replaces the item at an index."),
    LIST("ltrim", 4, CMD_WRITE, 1, ltrim_command, "1.0.0", "O(N) where N is the number of items removed", "key start stop", "Keeps only the items from one index to another."),
    LIST("rpop", -2, CMD_WRITE | CMD_FAST, 1, rpop_command, "1.0.0", "O(N) where N is the number of items", "key [count]", "Takes items off the tail of a list."),
    LIST("rpoplpush", 3, CMD_WRITE | CMD_DENYOOM, 2, rpoplpush_command, "1.2.0", "O(1)", "source destination", "Takes the last item of a list and puts it at the head of another."),
    LIST("rpush", -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, rpush_command, "1.0.0", "O(N) where N is the number of items", "key element [element ...]", "Puts items at the tail of a list, made when it is not there."),
    LIST("rpushx", -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, rpushx_command, "2.2.0", "O(N) where N is the number of items", "key element [element ...]", "Puts items at the tail of a list that is there."),
    {0},
};
/* clang-format on */
