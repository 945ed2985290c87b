/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A subset that is a fair part of the whole is sampled in one walk, where each item is taken with
 * the chance (still wanted)/(still to come); a small part of a big value is drawn with repetitions,
 * which a set of those seen leaves out.
 */
#include "server/random_items.h"

#include "ops/mem.h"
#include "server/random.h"

#define WALK_MAX  128 /* items up to which a walk is always cheaper */
#define WALK_PART 4   /* above: subsets of at least this part of the whole are walked */

static void walk(const struct entry *entry, size_t count, random_items_visit *visit, void *ctx)
{
    struct value_iter it;
    struct slice a, b;
    size_t left = value_len(entry);
    value_iter_init(&it, entry);
    for (; count && value_iter_next(&it, &a, &b); left--) {
        if (count < left && random_pick(left) >= count)
            continue;
        if (!visit(ctx, a, b))
            return;
        count--;
    }
}

static void draw_different(const struct entry *entry, size_t count, random_items_visit *visit,
                           void *ctx)
{
    struct entry *seen = entry_build(slice_make("", 0), 0, VALUE_SET);
    bool wanted = true;
    while (count && wanted) {
        char scratch[24];
        struct slice a, b;
        value_random(entry, random_word, NULL, scratch, &a, &b);
        if (!entry_build_member(&seen, a))
            continue;
        wanted = visit(ctx, a, b);
        count--;
    }
    entry_destroy(seen);
}

void random_items_subset(const struct entry *entry, size_t count, random_items_visit *visit,
                         void *ctx)
{
    size_t len = value_len(entry);
    if (count > len)
        count = len;
    if (len <= WALK_MAX || count >= len / WALK_PART)
        walk(entry, count, visit, ctx);
    else
        draw_different(entry, count, visit, ctx);
}

/* A packed hash is walked to reach an item: for many draws its items are listed once. */
static void draw_from_list(const struct entry *entry, size_t count, random_items_visit *visit,
                           void *ctx)
{
    size_t len = value_len(entry);
    struct slice(*items)[2] = mem_alloc(len * sizeof(*items));
    struct value_iter it;
    value_iter_init(&it, entry);
    for (size_t i = 0; i < len; i++)
        value_iter_next(&it, &items[i][0], &items[i][1]);
    bool wanted = true;
    while (wanted && count--) {
        struct slice *item = items[random_pick(len)];
        wanted = visit(ctx, item[0], item[1]);
    }
    mem_free(items);
}

void random_items_draw(const struct entry *entry, size_t count, random_items_visit *visit,
                       void *ctx)
{
    if (entry_type(entry) == VALUE_HASH && count > value_len(entry) / WALK_PART) {
        draw_from_list(entry, count, visit, ctx);
        return;
    }
    bool wanted = true;
    while (wanted && count--) {
        char scratch[24];
        struct slice a, b;
        value_random(entry, random_word, NULL, scratch, &a, &b);
        wanted = visit(ctx, a, b);
    }
}
