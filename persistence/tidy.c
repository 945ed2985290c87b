/* SPDX-License-Identifier: BSD-3-Clause */
/* See tidy.h. An object's age is that of its name, which is a UUID of version 7. */
#include "persistence/tidy.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"

#define UUID_TEXT_LEN (UUID_TEXT_SIZE - 1)

void strays_add(struct strays *strays, const char *object, int64_t since, bool ours)
{
    if (strays->count == strays->cap) {
        strays->cap = strays->cap ? 2 * strays->cap : 16;
        strays->items = mem_realloc(strays->items, strays->cap * sizeof(*strays->items));
    }
    struct stray *stray = &strays->items[strays->count++];
    *stray = (struct stray){.since = since, .ours = ours};
    snprintf(stray->object, sizeof(stray->object), "%s", object);
}

void strays_of_fold(struct strays *strays, const struct head *head, const struct head_base *base,
                    uint64_t position)
{
    struct head_objects kept;
    head_objects_init_base(&kept, base);
    for (size_t i = 0; i < head->base.chunk_count; i++)
        if (!head_objects_have(&kept, head->base.chunks[i].object))
            strays_add(strays, head->base.chunks[i].object, 0, true);
    for (size_t i = 0; i < head->run_count && head->runs[i].position <= position; i++) {
        strays_add(strays, head->runs[i].object, 0, true);
        for (size_t j = 0; j < head->runs[i].segment_count; j++)
            strays_add(strays, head->runs[i].segments[j], 0, true);
    }
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].segment[0] && head->tail[i].position <= position)
            strays_add(strays, head->tail[i].segment, 0, true);
    head_objects_release(&kept);
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

static int compare_strays(const void *a, const void *b)
{
    const struct stray *left = a, *right = b;
    return strcmp(left->object, right->object);
}

/* Folds that were lost have added the same object again. */
static void merge(struct stray *into, const struct stray *other)
{
    if (!into->since || (other->since && other->since < into->since))
        into->since = other->since;
    into->ours |= other->ours;
}

static void sort_strays(struct strays *strays)
{
    size_t kept = 0;
    if (strays->count)
        qsort(strays->items, strays->count, sizeof(*strays->items), compare_strays);
    for (size_t i = 0; i < strays->count; i++) {
        struct stray *item = &strays->items[i];
        item->listed = false;
        if (kept && strcmp(strays->items[kept - 1].object, item->object) == 0)
            merge(&strays->items[kept - 1], item);
        else
            strays->items[kept++] = *item;
    }
    strays->count = kept;
}

/* The base's own time is that of the newest op in it, which may be much older than the fold. */
static int64_t fold_time(const struct head_base *base)
{
    int64_t time = base->time;
    for (size_t i = 0; i < base->chunk_count; i++) {
        int64_t made = object_time(base->chunks[i].object);
        time = made > time ? made : time;
    }
    return time;
}

void tidy_begin(struct tidy *tidy, const struct tidy_rules *rules, const struct head *head,
                struct strays *strays, int64_t now)
{
    *tidy = (struct tidy){.rules = rules,
                          .head = head,
                          .strays = strays,
                          .now = now,
                          .folded = fold_time(&head->base)};
    head_objects_init(&tidy->named, head);
    sort_strays(strays);
    tidy->sorted = strays->count;
}

static struct stray *find_stray(const struct tidy *tidy, const char *object)
{
    struct stray key;
    snprintf(key.object, sizeof(key.object), "%s", object);
    return tidy->sorted
               ? bsearch(&key, tidy->strays->items, tidy->sorted, sizeof(key), compare_strays)
               : NULL;
}

bool tidy_may_go(struct tidy *tidy, const char *object)
{
    const struct tidy_rules *rules = tidy->rules;
    int64_t made = object_time(object), long_ago = rules->history + rules->pause;
    int64_t now = tidy->now, folded = tidy->folded;
    if (made < 0)
        return false;
    struct stray *stray = find_stray(tidy, object);
    if (stray)
        stray->listed = true;
    if (head_objects_have(&tidy->named, object)) {
        if (stray) /* of a fold that was lost, or has not landed yet */
            stray->since = 0;
        return false;
    }
    if (!stray) {
        strays_add(tidy->strays, object, 0, false);
        stray = &tidy->strays->items[tidy->strays->count - 1];
        stray->listed = true;
    }
    if (!stray->since)
        stray->since = now;
    /* Not ours: perhaps the upload of a fold that is about to name it. Its server's clock may be
     * behind ours by more than a day, so its age alone does not tell. */
    if (!stray->ours && (now - made < rules->orphan_age || now - stray->since < rules->pause))
        return false;
    /* Nothing has been folded for so long that it was not named since, at a guess: a server that
     * was started since does not know better. Others take a run's place without a fold. */
    bool old = !stray->ours && !is_run(object) && folded && now - folded > long_ago &&
               now - made > long_ago;
    return now - stray->since >= rules->history || old;
}

void tidy_end(struct tidy *tidy, bool whole)
{
    struct strays *strays = tidy->strays, kept = {0};
    head_objects_release(&tidy->named);
    if (!whole)
        return;
    for (size_t i = 0; i < strays->count; i++)
        if (strays->items[i].listed)
            strays_add(&kept, strays->items[i].object, strays->items[i].since,
                       strays->items[i].ours);
    mem_free(strays->items);
    *strays = kept;
}
