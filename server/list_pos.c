/* SPDX-License-Identifier: BSD-3-Clause */
/* LPOS: where in a list an item is. */
#include "server/list_commands.h"

struct pos_options {
    int64_t rank;   /* of the first match to answer; negative: from the tail */
    int64_t count;  /* 0: all matches; -1: no COUNT, the answer is a number */
    int64_t maxlen; /* 0: no bound on the items looked at */
};

static bool parse_rank(struct exec *x, int index, int64_t *rank)
{
    if (!exec_int(x, index, rank))
        return false;
    if (*rank)
        return true;
    exec_error(x, "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second "
                  "... or use negative to start from the end of the list");
    return false;
}

static bool parse_option(struct exec *x, int index, struct pos_options *options)
{
    bool more = index + 1 < x->argc;
    if (more && exec_is(x, index, "rank"))
        return parse_rank(x, index + 1, &options->rank);
    if (more && exec_is(x, index, "count"))
        return exec_int_range(x, index + 1, 0, INT64_MAX, "ERR COUNT can't be negative",
                              &options->count);
    if (more && exec_is(x, index, "maxlen"))
        return exec_int_range(x, index + 1, 0, INT64_MAX, "ERR MAXLEN can't be negative",
                              &options->maxlen);
    exec_syntax_error(x);
    return false;
}

/* Writes the places of the matches asked for; returns how many. */
static size_t write_matches(struct exec *x, const struct entry *list,
                            const struct pos_options *options)
{
    struct value_iter it;
    struct slice item, none;
    bool backwards = options->rank < 0;
    uint64_t rank = (uint64_t)options->rank, matches = 0;
    if (backwards)
        rank = 0 - rank;
    size_t len = value_len(list), found = 0;
    size_t look =
        options->maxlen && (uint64_t)options->maxlen < len ? (size_t)options->maxlen : len;
    size_t wanted = options->count < 0 ? 1 : (size_t)options->count;
    list_iter_init(&it, list, backwards ? len - 1 : 0, look, backwards);
    for (size_t i = 0; i < look && value_iter_next(&it, &item, &none); i++) {
        if (!slice_equal(item, x->argv[2]) || ++matches < rank)
            continue;
        resp_write_integer(x->out, (long long)(backwards ? len - 1 - i : i));
        if (++found == wanted)
            break;
    }
    return found;
}

void lpos_command(struct exec *x)
{
    struct pos_options options = {.rank = 1, .count = -1};
    struct entry *list;
    for (int i = 3; i < x->argc; i += 2)
        if (!parse_option(x, i, &options))
            return;
    if (!exec_find_type(x, 1, VALUE_LIST, &list))
        return;
    size_t begun = resp_defer_begin(x->out);
    size_t found = list ? write_matches(x, list, &options) : 0;
    if (options.count >= 0)
        resp_defer_array(x->out, begun, found);
    else if (!found)
        resp_write_nil(x->out);
}
