/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys whatever they hold: deleting, naming, copying, walking. Deadlines are in expire_commands.c.
 */
#include "server/command.h"
#include "server/effects.h"
#include "server/exec.h"
#include "server/glob.h"
#include "server/random.h"
#include "server/scan.h"

static void del_command(struct exec *x)
{
    int64_t deleted = 0;
    for (int i = 1; i < x->argc; i++) {
        struct outcome outcome;
        struct op op = exec_op(x, OP_KEY_DELETE, i);
        if (exec_apply(x, &op, 'g', "del", &outcome))
            deleted += outcome.number;
    }
    resp_write_integer(x->out, deleted);
}

/* EXISTS and TOUCH: a key given twice counts twice. */
static void exists_command(struct exec *x)
{
    int64_t found = 0;
    for (int i = 1; i < x->argc; i++)
        found += exec_find(x, x->argv[i]) != NULL;
    resp_write_integer(x->out, found);
}

static void type_command(struct exec *x)
{
    struct entry *entry = exec_find(x, x->argv[1]);
    resp_write_simple(x->out, entry ? value_type_name(entry_type(entry)) : "none");
}

struct key_list {
    struct exec *x;
    bool all;
    size_t count;
};

static void write_key(void *ctx, struct entry *entry)
{
    struct key_list *list = ctx;
    struct slice key = entry_key(entry);
    int64_t expires = entry_expires(entry);
    if ((!list->all && !glob_match(list->x->argv[1], key, false)) ||
        (expires && expires <= list->x->now))
        return;
    resp_write_bulk(list->x->out, key.data, key.len);
    list->count++;
}

static void keys_command(struct exec *x)
{
    struct key_list list = {x, slice_equal(x->argv[1], slice_of("*")), 0};
    size_t begun = resp_defer_begin(x->out);
    uint64_t cursor = 0;
    do
        cursor = keyspace_scan(x->keys, cursor, write_key, &list);
    while (cursor && !exec_reply_lost(x));
    resp_defer_array(x->out, begun, list.count);
}

static void randomkey_command(struct exec *x)
{
    struct entry *entry = keyspace_random(x->keys, random_word, NULL, x->now);
    if (!entry) {
        resp_write_nil(x->out);
        return;
    }
    struct slice key = entry_key(entry);
    resp_write_bulk(x->out, key.data, key.len);
}

/* Puts `value`, which is no key's, at `key` with `expires`; false: the condition did not hold. */
static bool put(struct exec *x, struct namespace *ns, struct slice key, struct entry *value,
                int64_t expires, enum op_condition condition, const char *event)
{
    struct outcome outcome;
    struct op op = {.kind = OP_KEY_PUT, .key = key, .time = x->now};
    op.key_put = (struct op_key_put){value, expires, condition};
    bool done = exec_apply_in(x, ns, &op, 'g', NULL, &outcome) && outcome.status == OUTCOME_OK;
    if (outcome.changed && !outcome.created) /* Redis deletes what was there, and makes it anew */
        effects_notify(x, ns, 'n', "new", key);
    if (outcome.changed)
        effects_notify(x, ns, 'g', event, key);
    entry_destroy(op.key_put.value);
    return done;
}

/* Takes argv[1]'s value out of the namespace and puts it at `to` in `ns`, deadline and all. */
static void move_value(struct exec *x, struct namespace *ns, struct slice to,
                       enum op_condition condition, const char *events[2])
{
    struct entry *value = exec_take(x, 1, events[0]);
    put(x, ns, to, value, entry_expires(value), condition, events[1]);
}

/* RENAME and RENAMENX; false: an error was written, or (NX) the new name is in use. */
static bool rename_key(struct exec *x, enum op_condition condition)
{
    if (!exec_find(x, x->argv[1])) {
        exec_error(x, "ERR no such key");
        return false;
    }
    if (slice_equal(x->argv[1], x->argv[2]))
        return condition == OP_CONDITION_NONE;
    if (condition == OP_CONDITION_NX && exec_find(x, x->argv[2]))
        return false;
    move_value(x, x->ns, x->argv[2], condition, (const char *[]){"rename_from", "rename_to"});
    return true;
}

static void rename_command(struct exec *x)
{
    if (rename_key(x, OP_CONDITION_NONE))
        resp_write_ok(x->out);
}

static void renamenx_command(struct exec *x)
{
    bool renamed = rename_key(x, OP_CONDITION_NX);
    if (!x->failed)
        resp_write_integer(x->out, renamed);
}

/*
 * The namespace that MOVE and COPY … DB name. Unlike SELECT they do not make one of any word: what
 * is neither a number nor a namespace in use is Redis's error.
 */
static bool target_namespace(struct exec *x, int index, struct namespace **ns)
{
    int64_t number;
    if (parse_int(x->argv[index], &number))
        return exec_namespace(x, x->argv[index], ns);
    if (exec_namespace_known(x->argv[index], ns))
        return true;
    exec_error(x, "ERR value is not an integer or out of range");
    return false;
}

static bool is_same_key(struct exec *x, struct namespace *to, struct slice key)
{
    if (to != x->ns || !slice_equal(x->argv[1], key))
        return false;
    exec_error(x, "ERR source and destination objects are the same");
    return true;
}

static struct entry *find_in(struct exec *x, struct namespace *ns, struct slice key)
{
    return keyspace_find(namespace_keyspace(ns), key, 0, x->now);
}

static void move_command(struct exec *x)
{
    struct namespace *to;
    if (!target_namespace(x, 2, &to) || is_same_key(x, to, x->argv[1]))
        return;
    if (!exec_lock_namespaces(x, (struct namespace *[]){x->ns, to}, 2))
        return;
    bool moves = find_in(x, x->ns, x->argv[1]) && !find_in(x, to, x->argv[1]);
    if (moves)
        move_value(x, to, x->argv[1], OP_CONDITION_NX, (const char *[]){"move_from", "move_to"});
    resp_write_integer(x->out, moves);
    exec_unlock_namespaces(x);
}

static bool copy_parse(struct exec *x, struct namespace **to, bool *replace)
{
    for (int i = 3; i < x->argc; i++) {
        if (exec_is(x, i, "replace")) {
            *replace = true;
        } else if (exec_is(x, i, "db") && i + 1 < x->argc) {
            if (!target_namespace(x, ++i, to))
                return false;
        } else {
            exec_syntax_error(x);
            return false;
        }
    }
    return true;
}

static void copy_command(struct exec *x)
{
    struct namespace *to = x->ns;
    bool replace = false, copied = false;
    if (!copy_parse(x, &to, &replace) || is_same_key(x, to, x->argv[2]))
        return;
    if (!exec_lock_namespaces(x, (struct namespace *[]){x->ns, to}, 2))
        return;
    struct entry *entry = find_in(x, x->ns, x->argv[1]);
    exec_note_lookup(x, x->argv[1], entry != NULL);
    if (entry && (replace || !find_in(x, to, x->argv[2]))) {
        int64_t expires = entry_expires(entry);
        copied = put(x, to, x->argv[2], entry_copy(entry, x->argv[2], expires), expires,
                     replace ? OP_CONDITION_NONE : OP_CONDITION_NX, "copy_to");
    }
    resp_write_integer(x->out, copied);
    exec_unlock_namespaces(x);
}

/* clang-format off */
#define KEYS(name_, arity_, flags_, last_, handler_, since_, complexity_, syntax_, summary_) \
    {.name = name_, .arity = arity_, .flags = flags_, .group = GROUP_GENERIC, \
     .first_key = (last_) != 0, .last_key = last_, .key_step = (last_) != 0, .handler = handler_, \
     .since = since_, .complexity = complexity_, .syntax = syntax_, .summary = summary_}

const struct command key_commands[] = {
    KEYS("copy", -3, CMD_WRITE | CMD_DENYOOM | CMD_OWN_LOCKS, 2, copy_command, "6.2.0", "O(N) for collections, where N is the number of nested items; O(1) for strings", "source destination [DB destination-db] [REPLACE]", "Copies the value of a key to a new key."),
    KEYS("del", -2, CMD_WRITE, -1, del_command, "1.0.0", "O(N) where N is the number of keys", "key [key ...]", "Deletes one or more keys. Big values are freed off the request path."),
    KEYS("exists", -2, CMD_READONLY | CMD_FAST, -1, exists_command, "1.0.0", "O(N) where N is the number of keys", "key [key ...]", "Counts how many of the keys exist."),
    KEYS("keys", 2, CMD_READONLY, 0, keys_command, "1.0.0", "O(N) where N is the number of keys in the namespace", "pattern", "Returns all key names that match a pattern."),
    KEYS("move", 3, CMD_WRITE | CMD_FAST | CMD_OWN_LOCKS, 1, move_command, "1.0.0", "O(1)", "key db", "Moves a key to another namespace unless it has that key already."),
    KEYS("randomkey", 1, CMD_READONLY, 0, randomkey_command, "1.0.0", "O(1)", "", "Returns the name of a key picked at random."),
    KEYS("rename", 3, CMD_WRITE, 2, rename_command, "1.0.0", "O(1)", "key newkey", "Renames a key, replacing what the new name held."),
    KEYS("renamenx", 3, CMD_WRITE | CMD_FAST, 2, renamenx_command, "1.0.0", "O(1)", "key newkey", "Renames a key only when the new name is not in use."),
    KEYS("scan", -2, CMD_READONLY, 0, scan_command, "2.8.0", "O(1) for every call, O(N) for a complete iteration", "cursor [MATCH pattern] [COUNT count] [TYPE type]", "Iterates over the key names of the namespace."),
    KEYS("touch", -2, CMD_READONLY | CMD_FAST, -1, exists_command, "3.2.1", "O(N) where N is the number of keys", "key [key ...]", "Counts the keys that exist, as an access to each of them."),
    KEYS("type", 2, CMD_READONLY | CMD_FAST, 1, type_command, "1.0.0", "O(1)", "key", "Tells the type of the value a key holds."),
    KEYS("unlink", -2, CMD_WRITE | CMD_FAST, -1, del_command, "4.0.0", "O(1) for each key, whatever its size", "key [key ...]", "Deletes one or more keys; their memory is freed on another thread."),
    {0},
};
/* clang-format on */
