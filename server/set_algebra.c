/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intersection, union and difference. The types of all keys are looked at before anything is
 * answered. A result goes to a sink: the reply, a counter, or the set that a …STORE puts.
 */
#include "server/set_algebra.h"

#include <stdlib.h>

#include "ops/mem.h"
#include "server/arguments.h"
#include "server/command.h"

struct sources {
    const struct entry **sets; /* NULL: no such key */
    size_t count, missing;
};

struct sink {
    struct exec *x;      /* members are written to its reply; NULL: they are not */
    struct entry **into; /* members are added here; NULL: they are not */
    size_t count, limit; /* limit 0: none */
};

/* The sets at argv[first …]; false: WRONGTYPE was written. Release it in either case. */
static bool sources_init(struct sources *sources, struct exec *x, int first, int count)
{
    *sources = (struct sources){mem_alloc((size_t)count * sizeof(*sources->sets)), 0, 0};
    for (int i = 0; i < count; i++) {
        struct entry *entry;
        bool fits = exec_find_type(x, first + i, VALUE_SET, &entry);
        if (x->command->flags & CMD_WRITE)
            exec_note_lookup(x, x->argv[first + i], entry != NULL);
        if (!fits)
            return false;
        sources->sets[sources->count++] = entry;
        sources->missing += !entry;
    }
    return true;
}

static void sources_release(struct sources *sources)
{
    mem_free(sources->sets);
}

/* False: enough. */
static bool sink_put(struct sink *sink, struct slice member)
{
    if (sink->into && !entry_build_member(sink->into, member))
        return true;
    if (sink->x)
        resp_write_bulk(sink->x->out, member.data, member.len);
    return ++sink->count != sink->limit;
}

static int by_size(const void *a, const void *b)
{
    size_t x = value_len(*(const struct entry *const *)a);
    size_t y = value_len(*(const struct entry *const *)b);
    return (x > y) - (x < y);
}

static bool in_all(const struct sources *sources, size_t from, struct slice member)
{
    for (size_t i = from; i < sources->count; i++)
        if (sources->sets[i] != sources->sets[0] && !set_contains(sources->sets[i], member))
            return false;
    return true;
}

static bool in_any(const struct sources *sources, size_t from, struct slice member)
{
    for (size_t i = from; i < sources->count; i++)
        if (sources->sets[i] && set_contains(sources->sets[i], member))
            return true;
    return false;
}

/* Sorts the sources: the smallest is walked, the next ones rule out most. */
static void intersect(struct sources *sources, struct sink *sink)
{
    struct value_iter it;
    struct slice member, none;
    if (sources->missing)
        return;
    qsort(sources->sets, sources->count, sizeof(*sources->sets), by_size);
    value_iter_init(&it, sources->sets[0]);
    while (value_iter_next(&it, &member, &none))
        if (in_all(sources, 1, member) && !sink_put(sink, member))
            return;
}

/* The sink has a set to add to, which tells what came before. */
static void unite(const struct sources *sources, size_t from, struct sink *sink)
{
    struct value_iter it;
    struct slice member, none;
    for (size_t i = from; i < sources->count; i++) {
        if (!sources->sets[i])
            continue;
        value_iter_init(&it, sources->sets[i]);
        while (value_iter_next(&it, &member, &none))
            sink_put(sink, member);
    }
}

/* With many small sets to take away it is cheaper to look members up in their union. */
static bool union_pays(const struct sources *sources)
{
    size_t others = 0;
    for (size_t i = 1; i < sources->count; i++)
        others += sources->sets[i] ? value_len(sources->sets[i]) : 0;
    return others / sources->count < value_len(sources->sets[0]) / 4 && sources->count > 4;
}

static void subtract(const struct sources *sources, struct sink *sink)
{
    struct value_iter it;
    struct slice member, none;
    struct entry *others = NULL;
    if (!sources->sets[0])
        return;
    if (union_pays(sources)) {
        others = entry_build(slice_make("", 0), 0, VALUE_SET);
        unite(sources, 1, &(struct sink){.into = &others});
    }
    value_iter_init(&it, sources->sets[0]);
    while (value_iter_next(&it, &member, &none))
        if (!(others ? set_contains(others, member) : in_any(sources, 1, member)))
            sink_put(sink, member);
    entry_destroy(others);
}

enum algebra { INTERSECT, UNITE, SUBTRACT };

static void combine(enum algebra algebra, struct sources *sources, struct sink *sink)
{
    switch (algebra) {
    case INTERSECT: intersect(sources, sink); break;
    case UNITE: unite(sources, 0, sink); break;
    case SUBTRACT: subtract(sources, sink); break;
    }
}

static void answer(struct exec *x, enum algebra algebra)
{
    struct sources sources;
    struct entry *seen = NULL;
    if (sources_init(&sources, x, 1, x->argc - 1)) {
        struct sink sink = {.x = x};
        size_t begun = resp_defer_begin(x->out);
        if (algebra == UNITE) {
            seen = entry_build(slice_make("", 0), 0, VALUE_SET);
            sink.into = &seen;
        }
        combine(algebra, &sources, &sink);
        resp_defer_set(x->out, begun, sink.count);
    }
    entry_destroy(seen);
    sources_release(&sources);
}

/* Puts `result` at argv[1]; without members, takes the key away. Consumes it. */
static void put_result(struct exec *x, struct entry *result, const char *event)
{
    struct outcome outcome;
    size_t count = value_len(result);
    struct op op = exec_op(x, count ? OP_KEY_PUT : OP_KEY_DELETE, 1);
    if (count) {
        op.key_put = (struct op_key_put){result, OP_EXPIRES_NEVER, OP_CONDITION_NONE};
        exec_apply(x, &op, 's', event, &outcome);
    } else {
        entry_destroy(result);
        exec_apply(x, &op, 'g', "del", &outcome);
    }
    resp_write_integer(x->out, (long long)count);
}

static void store(struct exec *x, enum algebra algebra, const char *event)
{
    struct sources sources;
    if (sources_init(&sources, x, 2, x->argc - 2)) {
        struct entry *result = entry_build(x->argv[1], OP_EXPIRES_NEVER, VALUE_SET);
        combine(algebra, &sources, &(struct sink){.into = &result});
        put_result(x, result, event);
    }
    sources_release(&sources);
}

void sinter_command(struct exec *x)
{
    answer(x, INTERSECT);
}

void sinterstore_command(struct exec *x)
{
    store(x, INTERSECT, "sinterstore");
}

void sunion_command(struct exec *x)
{
    answer(x, UNITE);
}

void sunionstore_command(struct exec *x)
{
    store(x, UNITE, "sunionstore");
}

void sdiff_command(struct exec *x)
{
    answer(x, SUBTRACT);
}

void sdiffstore_command(struct exec *x)
{
    store(x, SUBTRACT, "sdiffstore");
}

static bool parse_limit(struct exec *x, int index, int64_t *limit)
{
    for (; index < x->argc; index += 2) {
        if (index + 1 == x->argc || !exec_is(x, index, "limit")) {
            exec_syntax_error(x);
            return false;
        }
        if (!exec_int_range(x, index + 1, 0, INT64_MAX, "ERR LIMIT can't be negative", limit))
            return false;
    }
    return true;
}

void sintercard_command(struct exec *x)
{
    struct sources sources;
    int64_t numkeys, limit = 0;
    if (!argument_numkeys(x, 1, &numkeys))
        return;
    if (numkeys > x->argc - 2) {
        exec_error(x, "ERR Number of keys can't be greater than number of args");
        return;
    }
    if (!parse_limit(x, 2 + (int)numkeys, &limit))
        return;
    if (sources_init(&sources, x, 2, (int)numkeys)) {
        struct sink sink = {.limit = (size_t)limit};
        intersect(&sources, &sink);
        resp_write_integer(x->out, (long long)sink.count);
    }
    sources_release(&sources);
}

int sintercard_keys(const struct slice *argv, int argc, int *out, int cap)
{
    return argument_keys(argv, argc, 1, out, cap);
}
