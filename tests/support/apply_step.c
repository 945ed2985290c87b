/* SPDX-License-Identifier: BSD-3-Clause */
/* One keyspace, made anew for each test. */
#include "tests/support/apply_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/value.h"
#include "tests/support/op_random.h"

struct keyspace *step_keyspace;

int step_set_up(void **state)
{
    (void)state;
    step_keyspace = keyspace_create(NULL);
    return 0;
}

int step_tear_down(void **state)
{
    (void)state;
    keyspace_destroy(step_keyspace);
    return 0;
}

static void copy_text(struct slice text, char *out, size_t room)
{
    assert_true(text.len < room);
    if (text.len)
        memcpy(out, text.data, text.len);
    out[text.len] = 0;
}

char step_text[128];

struct outcome step_run(struct op op)
{
    struct outcome undone, out;
    struct inverse *undo;
    struct keyspace *before = state_copy(step_keyspace);
    struct op_box *again = op_box_copy(&op);
    apply(step_keyspace, &again->op, &undone, &undo);
    assert_int_equal(undo != NULL, undone.changed);
    assert_true(!undo || inverse_memory(undo) > 0);
    inverse_undo(step_keyspace, undo, op.key, 0);
    if (!state_equal(step_keyspace, before))
        fail_msg("%s is not undone", op_kind_name(op.kind));
    apply(step_keyspace, &op, &out, NULL);
    copy_text(out.text, step_text, sizeof(step_text));
    assert_int_equal(out.status, undone.status);
    assert_int_equal(out.changed, undone.changed);
    assert_int_equal(out.created, undone.created);
    assert_int_equal(out.removed, undone.removed);
    assert_int_equal(out.number, undone.number);
    if (out.status != OUTCOME_OK) {
        assert_false(out.changed);
        keyspace_find(before, op.key, 0, NOW); /* drops it when it has expired, as apply did */
        assert_true(state_equal(step_keyspace, before));
    }
    if (op.kind == OP_KEY_PUT && op.key_put.value)
        entry_destroy(op.key_put.value);
    op_box_destroy(again);
    keyspace_destroy(before);
    return out;
}

void step_expect(struct outcome out, enum outcome_status status, int64_t number, int line)
{
    if (out.status != status || out.number != number)
        fail_msg("line %d: status %d number %lld", line, (int)out.status, (long long)out.number);
}
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *step_dump(void)
{
    static char out[4096], items[64][128];
    char *sorted[64], scratch[24], *at = out;
    struct slice a, b;
    size_t count = 0;
    struct value_iter it;
    struct entry *entry = keyspace_find(step_keyspace, S("k"), 0, NOW);
    if (!entry)
        return "-";
    if (entry_type(entry) == VALUE_STRING) {
        copy_text(string_bytes(entry, scratch), out, sizeof(out));
        return out;
    }
    value_iter_init(&it, entry);
    while (value_iter_next(&it, &a, &b)) {
        sorted[count] = items[count];
        snprintf(items[count++], 128, "%.*s%s%.*s", (int)a.len, a.data,
                 entry_type(entry) == VALUE_HASH ? "=" : "", (int)b.len, b.data ? b.data : "");
    }
    assert_int_equal(count, value_len(entry));
    if (entry_type(entry) != VALUE_LIST)
        qsort(sorted, count, sizeof(*sorted), by_text);
    *at++ = entry_type(entry) == VALUE_LIST ? '[' : '{';
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s%s", i ? " " : "", sorted[i]);
    strcpy(at, entry_type(entry) == VALUE_LIST ? "]" : "}");
    return out;
}
int64_t step_deadline(void)
{
    struct entry *entry = keyspace_find(step_keyspace, S("k"), 0, NOW);
    return entry ? entry_expires(entry) : -1;
}

int64_t step_expire_at(int64_t at, enum op_condition condition)
{
    struct outcome out = RUN(KEY_EXPIRE_AT, key_expire_at, at, condition);
    return out.status == OUTCOME_OK ? out.number : -(int64_t)out.status;
}
