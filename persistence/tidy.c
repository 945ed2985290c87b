/* SPDX-License-Identifier: BSD-3-Clause */
/* See tidy.h. An object's age is that of its name, which is a UUID of version 7. */
#include "persistence/tidy.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"

#define UUID_TEXT_LEN (UUID_TEXT_SIZE - 1)

void strays_add(struct strays *strays, const char *object, int64_t since, bool ours)
{
    if ((strays->count & (strays->count - 1)) == 0)
        strays->items = mem_realloc(strays->items, (strays->count ? 2 * strays->count : 1) *
                                                       sizeof(*strays->items));
    struct stray *stray = &strays->items[strays->count++];
    *stray = (struct stray){.since = since, .ours = ours};
    snprintf(stray->object, sizeof(stray->object), "%s", object);
}

static struct stray *find_stray(const struct strays *strays, const char *object)
{
    for (size_t i = 0; i < strays->count; i++)
        if (strcmp(strays->items[i].object, object) == 0)
            return &strays->items[i];
    return NULL;
}

static bool is_named(const struct head_base *base, const char *object)
{
    for (size_t i = 0; i < base->chunk_count; i++)
        if (strcmp(base->chunks[i].object, object) == 0)
            return true;
    return false;
}

void strays_of_fold(struct strays *strays, const struct head *head, const struct head_base *base,
                    uint64_t position)
{
    for (size_t i = 0; i < head->base.chunk_count; i++)
        if (!is_named(base, head->base.chunks[i].object))
            strays_add(strays, head->base.chunks[i].object, 0, true);
    for (size_t i = 0; i < head->run_count && head->runs[i].position <= position; i++) {
        strays_add(strays, head->runs[i].object, 0, true);
        for (size_t j = 0; j < head->runs[i].segment_count; j++)
            strays_add(strays, head->runs[i].segments[j], 0, true);
    }
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].segment[0] && head->tail[i].position <= position)
            strays_add(strays, head->tail[i].segment, 0, true);
}

void strays_keep(struct strays *strays, bool (*keep)(void *ctx, const char *object), void *ctx)
{
    struct strays kept = {0};
    for (size_t i = 0; i < strays->count; i++) {
        const struct stray *stray = &strays->items[i];
        if (keep(ctx, stray->object))
            strays_add(&kept, stray->object, stray->since, stray->ours);
    }
    mem_free(strays->items);
    *strays = kept;
}

static bool run_names(const struct head_run *run, const char *object)
{
    bool found = strcmp(run->object, object) == 0;
    for (size_t i = 0; i < run->segment_count && !found; i++)
        found = strcmp(run->segments[i], object) == 0;
    return found;
}

static bool head_names(const struct head *head, const char *object)
{
    for (size_t i = 0; i < head->tail_count; i++)
        if (strcmp(head->tail[i].segment, object) == 0)
            return true;
    for (size_t i = 0; i < head->run_count; i++)
        if (run_names(&head->runs[i], object))
            return true;
    return is_named(&head->base, object);
}

/* When a chunk, segment or run was named, from its UUID; -1: this is none. */
static int64_t object_time(const char *object)
{
    static const char *const kinds[][2] = {
        {"chunk-", ".jsonl"}, {"segment-", ".json"}, {"run-", ".json"}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t prefix = strlen(kinds[i][0]), len = strlen(object);
        if (strncmp(object, kinds[i][0], prefix) != 0 ||
            len != prefix + UUID_TEXT_LEN + strlen(kinds[i][1]) ||
            strcmp(object + prefix + UUID_TEXT_LEN, kinds[i][1]) != 0)
            continue;
        char digits[13];
        memcpy(digits, object + prefix, 8);
        memcpy(digits + 8, object + prefix + 9, 4);
        digits[12] = '\0';
        char *end;
        int64_t time = strtoll(digits, &end, 16);
        return *end ? -1 : time;
    }
    return -1;
}

static bool is_run(const char *object)
{
    return strncmp(object, "run-", 4) == 0;
}

bool tidy_may_go(const struct tidy_rules *rules, const struct head *head, struct strays *strays,
                 const char *object, int64_t now)
{
    int64_t made = object_time(object), long_ago = rules->history + rules->pause;
    if (made < 0)
        return false;
    struct stray *stray = find_stray(strays, object);
    if (head_names(head, object)) {
        if (stray) /* of a fold that was lost, or has not landed yet */
            stray->since = 0;
        return false;
    }
    if (!stray) {
        strays_add(strays, object, 0, false);
        stray = find_stray(strays, object);
    }
    if (!stray->since)
        stray->since = now;
    /* Not ours: perhaps the upload of a fold that is about to name it. */
    if (!stray->ours && now - made < rules->orphan_age)
        return false;
    /* Nothing has been folded for so long that it was not named since, at a guess: a server that
     * was started since does not know better. */
    bool old = head->base.time && now - head->base.time > long_ago && now - made > long_ago;
    if (is_run(object)) /* others take its place without a fold */
        old = false;
    return now - stray->since >= rules->history || old;
}
