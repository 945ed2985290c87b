/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cursor stands first in the reply but is known last, and a small set's integers are formatted
 * into a scratch while it is walked: so what matches is copied into a bag, and written after.
 */
#include "server/scan.h"

#include <stdio.h>
#include <strings.h>

#include "server/glob.h"
#include "server/slice_bag.h"

#define SCAN_COUNT 10 /* when the client gives no COUNT */
/* A sparse table may have long runs of empty buckets: a call stops after this many steps a COUNT.
 */
#define SCAN_STEPS 10

bool scan_parse_cursor(struct slice text, uint64_t *cursor)
{
    size_t len = text.len ? strnlen(text.data, text.len) : 0, at = 0;
    bool negative = len && text.data[0] == '-';
    uint64_t sum = 0;
    at += len && (negative || text.data[0] == '+');
    if (at && at == len)
        return false;
    for (; at < len; at++) {
        unsigned digit = (unsigned)(unsigned char)text.data[at] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *cursor = negative ? 0 - sum : sum;
    return true;
}

static bool parse_option(struct exec *x, int index, bool with_type, struct scan_options *options)
{
    int64_t count;
    if (exec_is(x, index, "count")) {
        if (!exec_int(x, index + 1, &count))
            return false;
        options->count = (size_t)count;
        if (count >= 1)
            return true;
    } else if (exec_is(x, index, "match")) {
        options->pattern = x->argv[index + 1];
        options->has_pattern = !slice_equal(options->pattern, slice_of("*"));
        return true;
    } else if (with_type && exec_is(x, index, "type")) {
        options->type = x->argv[index + 1];
        return true;
    }
    exec_syntax_error(x);
    return false;
}

bool scan_parse_options(struct exec *x, int index, bool with_type, struct scan_options *options)
{
    for (; index < x->argc; index += 2) {
        if (index + 1 == x->argc) {
            exec_syntax_error(x);
            return false;
        }
        if (!parse_option(x, index, with_type, options))
            return false;
    }
    return true;
}

bool scan_matches(const struct scan_options *options, struct slice text)
{
    return !options->has_pattern || glob_match(options->pattern, text, false);
}

static size_t steps_of(const struct scan_options *options)
{
    return options->count > SIZE_MAX / SCAN_STEPS ? SIZE_MAX : options->count * SCAN_STEPS;
}

struct value_visit {
    const struct scan_options *options;
    struct slice_bag bag;
    size_t seen;
    bool pairs;
};

static void visit_item(void *ctx, struct slice a, struct slice b)
{
    struct value_visit *visit = ctx;
    visit->seen++;
    if (!scan_matches(visit->options, a))
        return;
    slice_bag_add(&visit->bag, a);
    if (visit->pairs)
        slice_bag_add(&visit->bag, b);
}

static void write_cursor(struct exec *x, uint64_t cursor)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);
    resp_write_array(x->out, 2);
    resp_write_bulk(x->out, text, (size_t)len);
}

static void write_bag(struct exec *x, uint64_t cursor, struct slice_bag *bag)
{
    struct slice_list list = slice_bag_list(bag);
    write_cursor(x, cursor);
    resp_write_array(x->out, list.count);
    for (size_t i = 0; i < list.count; i++)
        resp_write_bulk(x->out, list.items[i].data, list.items[i].len);
}

void scan_value(struct exec *x, enum value_type type)
{
    struct scan_options options = {.count = SCAN_COUNT};
    struct value_visit visit = {.options = &options, .pairs = type == VALUE_HASH};
    struct entry *entry;
    uint64_t cursor;
    if (!scan_parse_cursor(x->argv[2], &cursor)) {
        exec_error(x, "ERR invalid cursor");
        return;
    }
    if (!exec_find_type(x, 1, type, &entry))
        return;
    if (entry) {
        if (!scan_parse_options(x, 3, false, &options))
            return;
        size_t steps = steps_of(&options);
        do
            cursor = value_scan(entry, cursor, visit_item, &visit);
        while (cursor && --steps && visit.seen < options.count);
    }
    write_bag(x, entry ? cursor : 0, &visit.bag);
    slice_bag_release(&visit.bag);
}

struct key_visit {
    struct exec *x;
    const struct scan_options *options;
    struct slice_bag bag;
    struct slice_bag passed; /* keys whose deadline has passed: dropped once the walk is over */
    size_t seen;
};

static bool is_type(const struct scan_options *options, const struct entry *entry)
{
    struct slice wanted = options->type, name = slice_of(value_type_name(entry_type(entry)));
    return !wanted.data ||
           (wanted.len == name.len && strncasecmp(wanted.data, name.data, name.len) == 0);
}

static void visit_key(void *ctx, struct entry *entry)
{
    struct key_visit *visit = ctx;
    const struct scan_options *options = visit->options;
    int64_t expires = entry_expires(entry);
    visit->seen++;
    if (!scan_matches(options, entry_key(entry)) || !is_type(options, entry))
        return;
    if (expires && expires <= visit->x->now)
        slice_bag_add(&visit->passed, entry_key(entry));
    else
        slice_bag_add(&visit->bag, entry_key(entry));
}

void scan_command(struct exec *x)
{
    struct scan_options options = {.count = SCAN_COUNT};
    struct key_visit visit = {.x = x, .options = &options};
    uint64_t cursor;
    if (!scan_parse_cursor(x->argv[1], &cursor)) {
        exec_error(x, "ERR invalid cursor");
        return;
    }
    if (!scan_parse_options(x, 2, true, &options))
        return;
    size_t steps = steps_of(&options);
    do
        cursor = keyspace_scan(x->keys, cursor, visit_key, &visit);
    while (cursor && --steps && visit.seen < options.count);
    struct slice_list passed = slice_bag_list(&visit.passed);
    for (size_t i = 0; i < passed.count; i++)
        keyspace_find(x->keys, passed.items[i], 0, x->now);
    write_bag(x, cursor, &visit.bag);
    slice_bag_release(&visit.bag);
    slice_bag_release(&visit.passed);
}
