/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP: a plan that is carried out at once when one of the keys
 * holds a list, else by whoever makes one so (blocking.h).
 */
#include "ops/mem.h"
#include "server/arguments.h"
#include "server/blocking.h"
#include "server/command.h"
#include "server/list_commands.h"

static struct op op_on(struct exec *x, enum op_kind kind, struct slice key)
{
    return (struct op){.kind = kind, .key = key, .time = x->now};
}

static void pop(struct exec *x, struct namespace *ns, struct slice key, enum op_side side,
                int64_t count)
{
    struct outcome outcome;
    struct op op = op_on(x, OP_LIST_POP, key);
    op.list_pop = (struct op_list_pop){side, count};
    exec_apply_in(x, ns, &op, 'l', side == OP_SIDE_LEFT ? "lpop" : "rpop", &outcome);
}

/* Pushed first, then popped: the list is never empty in between when both keys are the same. */
static void move(struct exec *x, struct namespace *ns, struct slice key, const struct entry *entry,
                 const struct list_plan *plan)
{
    struct entry *to = keyspace_find(namespace_keyspace(ns), plan->destination, 0, x->now);
    struct outcome outcome;
    struct slice item;
    if (to && entry_type(to) != VALUE_LIST) {
        exec_wrong_type(x);
        return;
    }
    bool head = plan->to == OP_SIDE_LEFT;
    list_get(entry, plan->from == OP_SIDE_LEFT ? 0 : value_len(entry) - 1, &item);
    resp_write_bulk(x->out, item.data, item.len);
    char *copy = mem_alloc(item.len);
    if (item.len)
        memcpy(copy, item.data, item.len);
    item.data = copy;
    struct op op = op_on(x, head ? OP_LIST_PREPEND : OP_LIST_APPEND, plan->destination);
    struct slice_list items = {&item, 1};
    if (head)
        op.list_prepend = (struct op_list_prepend){items, OP_CONDITION_NONE};
    else
        op.list_append = (struct op_list_append){items, OP_CONDITION_NONE};
    exec_apply_in(x, ns, &op, 'l', head ? "lpush" : "rpush", &outcome);
    pop(x, ns, key, plan->from, 1);
    mem_free(copy);
}

void list_plan_run(struct exec *x, struct namespace *ns, struct slice key,
                   const struct list_plan *plan)
{
    const struct entry *entry = keyspace_find(namespace_keyspace(ns), key, 0, x->now);
    size_t len = value_len(entry);
    size_t count =
        plan->kind == PLAN_POP_MANY && (uint64_t)plan->count < len ? (size_t)plan->count : len;
    switch (plan->kind) {
    case PLAN_MOVE: move(x, ns, key, entry, plan); return;
    case PLAN_POP:
        count = 1;
        resp_write_array(x->out, 2);
        resp_write_bulk(x->out, key.data, key.len);
        break;
    case PLAN_POP_MANY:
        resp_write_array(x->out, 2);
        resp_write_bulk(x->out, key.data, key.len);
        resp_write_array(x->out, count);
        break;
    }
    list_write_end(x, entry, plan->from, count);
    pop(x, ns, key, plan->from, (int64_t)count);
}

/* The first key that holds a list is served now; without one the client waits. */
static void run_or_wait(struct exec *x, int first, int count, const struct list_plan *plan,
                        int64_t ms)
{
    for (int i = first; i < first + count; i++) {
        struct entry *entry;
        if (!exec_find_type(x, i, VALUE_LIST, &entry))
            return;
        if (entry) {
            list_plan_run(x, x->ns, x->argv[i], plan);
            return;
        }
    }
    if (!x->in_transaction)
        blocking_wait(x, &x->argv[first], (size_t)count, plan, ms);
    else if (plan->kind == PLAN_MOVE)
        resp_write_nil(x->out);
    else
        resp_write_nil_array(x->out);
}

static void pop_command(struct exec *x, enum op_side side)
{
    int64_t ms;
    struct list_plan plan = {.kind = PLAN_POP, .from = side};
    if (exec_timeout(x, x->argc - 1, &ms))
        run_or_wait(x, 1, x->argc - 2, &plan, ms);
}

static void blpop_command(struct exec *x)
{
    pop_command(x, OP_SIDE_LEFT);
}

static void brpop_command(struct exec *x)
{
    pop_command(x, OP_SIDE_RIGHT);
}

static void blmove_command(struct exec *x)
{
    int64_t ms;
    struct list_plan plan = {.kind = PLAN_MOVE, .destination = x->argv[2]};
    if (list_side_argument(x, 3, &plan.from) && list_side_argument(x, 4, &plan.to) &&
        exec_timeout(x, 5, &ms))
        run_or_wait(x, 1, 1, &plan, ms);
}

static void brpoplpush_command(struct exec *x)
{
    int64_t ms;
    struct list_plan plan = {
        .kind = PLAN_MOVE, .from = OP_SIDE_RIGHT, .to = OP_SIDE_LEFT, .destination = x->argv[2]};
    if (exec_timeout(x, 3, &ms))
        run_or_wait(x, 1, 1, &plan, ms);
}

static void blmpop_command(struct exec *x)
{
    int64_t ms;
    struct list_mpop mpop;
    if (!list_mpop_arguments(x, 2, &mpop) || !exec_timeout(x, 1, &ms))
        return;
    struct list_plan plan = {.kind = PLAN_POP_MANY, .from = mpop.side, .count = mpop.count};
    run_or_wait(x, mpop.first, mpop.keys, &plan, ms);
}

static int blmpop_keys(const struct slice *argv, int argc, int *out, int cap)
{
    return argument_keys(argv, argc, 2, out, cap);
}

/* clang-format off */
#define WAITING (CMD_WRITE | CMD_BLOCKING)
#define BLOCKING(name_, arity_, flags_, last_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = WAITING | CMD_NOSCRIPT | (flags_), .group = GROUP_LIST, \
     .first_key = 1, .last_key = last_, .key_step = 1, .handler = handler_, .since = since_, \
     .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command blocking_commands[] = {
    BLOCKING("blmove", 6, CMD_DENYOOM, 2, blmove_command, "6.2.0", "O(1)", "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout", "Moves an item from one list to another. Waits for one when there is none."),
    {.name = "blmpop", .arity = -5, .flags = WAITING | CMD_MOVABLE_KEYS, .group = GROUP_LIST, .handler = blmpop_command, .keys = blmpop_keys, .since = "7.0.0", .complexity = "O(N+M) for N keys and M returned items", .syntax = "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", .summary = "Takes items off the first list that has some. Waits for one when there is none."},
    BLOCKING("blpop", -3, 0, -2, blpop_command, "2.0.0", "O(N) for N keys", "key [key ...] timeout", "Takes the first item off a list. Waits for one when there is none."),
    BLOCKING("brpop", -3, 0, -2, brpop_command, "2.0.0", "O(N) for N keys", "key [key ...] timeout", "Takes the last item off a list. Waits for one when there is none."),
    BLOCKING("brpoplpush", 4, CMD_DENYOOM, 2, brpoplpush_command, "2.2.0", "O(1)", "source destination timeout", "Moves the last item of a list to the head of another. Waits for one when there is none."),
    {0},
};
/* clang-format on */
