/* SPDX-License-Identifier: BSD-3-Clause */
/* See head_objects.h: an array of borrowed names, sorted once. */
#include "persistence/head_objects.h"

#include <stdlib.h>

#include "ops/mem.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_base(struct head_objects *objects, const struct head_base *base)
{
    for (size_t i = 0; i < base->chunk_count; i++)
        objects->names[objects->count++] = base->chunks[i].object;
}

static void begin(struct head_objects *objects, size_t room)
{
    *objects = (struct head_objects){mem_alloc((room ? room : 1) * sizeof(*objects->names)), 0};
}

static void sort(struct head_objects *objects)
{
    qsort(objects->names, objects->count, sizeof(*objects->names), compare);
}

void head_objects_init_base(struct head_objects *objects, const struct head_base *base)
{
    begin(objects, base->chunk_count);
    add_base(objects, base);
    sort(objects);
}

void head_objects_init(struct head_objects *objects, const struct head *head)
{
    size_t room = head->base.chunk_count + head->run_count + head->tail_count;
    for (size_t i = 0; i < head->run_count; i++)
        room += head->runs[i].segment_count;
    begin(objects, room);
    add_base(objects, &head->base);
    for (size_t i = 0; i < head->run_count; i++) {
        objects->names[objects->count++] = head->runs[i].object;
        for (size_t j = 0; j < head->runs[i].segment_count; j++)
            objects->names[objects->count++] = head->runs[i].segments[j];
    }
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].segment[0])
            objects->names[objects->count++] = head->tail[i].segment;
    sort(objects);
}

bool head_objects_have(const struct head_objects *objects, const char *object)
{
    return objects->count &&
           bsearch(&object, objects->names, objects->count, sizeof(*objects->names), compare);
}

void head_objects_release(struct head_objects *objects)
{
    mem_free(objects->names);
    *objects = (struct head_objects){0};
}
