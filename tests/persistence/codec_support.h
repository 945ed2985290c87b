/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of heads and folds share: objects in memory, and commits of random ops. */
#ifndef CAIRN_TESTS_CODEC_SUPPORT_H
#define CAIRN_TESTS_CODEC_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "persistence/fold.h"
#include "tests/support/op_random.h"

struct object {
    char name[COMMIT_OBJECT_SIZE];
    struct text body;
};

struct objects {
    struct object *list;
    size_t count, reads, writes;
    bool broken; /* every call fails */
};

static inline struct object *objects_find(struct objects *objects, const char *name)
{
    for (size_t i = 0; i < objects->count; i++)
        if (strcmp(objects->list[i].name, name) == 0)
            return &objects->list[i];
    return NULL;
}

static inline void objects_put(struct objects *objects, const char *name, struct slice body)
{
    size_t n = objects->count++;
    if ((n & (n - 1)) == 0)
        objects->list = mem_realloc(objects->list, (n ? 2 * n : 1) * sizeof(*objects->list));
    struct object *object = &objects->list[n];
    *object = (struct object){0};
    snprintf(object->name, sizeof(object->name), "%s", name);
    text_append_slice(&object->body, body);
}

static inline bool objects_read(void *ctx, const char *name, struct text *body, struct text *error)
{
    struct objects *objects = ctx;
    struct object *object = objects_find(objects, name);
    if (!object || objects->broken) {
        text_append_format(error, "%s: not found", name);
        return false;
    }
    objects->reads++;
    text_clear(body);
    text_append_slice(body, text_slice(&object->body));
    return true;
}

static inline bool objects_write(void *ctx, struct slice body, char name[COMMIT_OBJECT_SIZE],
                                 struct text *error)
{
    struct objects *objects = ctx;
    if (objects->broken) {
        text_append_string(error, "no space");
        return false;
    }
    objects->writes++;
    snprintf(name, COMMIT_OBJECT_SIZE, "chunk-%zu.jsonl", objects->count);
    objects_put(objects, name, body);
    return true;
}

static inline bool objects_write_run(void *ctx, struct slice body, char name[COMMIT_OBJECT_SIZE],
                                     struct text *error)
{
    struct objects *objects = ctx;
    if (!objects_write(ctx, body, name, error))
        return false;
    snprintf(name, COMMIT_OBJECT_SIZE, "run-%zu.json", objects->count);
    memcpy(objects->list[objects->count - 1].name, name, COMMIT_OBJECT_SIZE);
    return true;
}

static inline void objects_release(struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        text_release(&objects->list[i].body);
    mem_free(objects->list);
    *objects = (struct objects){0};
}

static inline struct fold_store objects_store(struct objects *objects)
{
    return (struct fold_store){objects, objects_read, objects_write};
}

static inline struct fold_store objects_run_store(struct objects *objects)
{
    return (struct fold_store){objects, objects_read, objects_write_run};
}

/* Keys past their deadline at `clock` are of no account: a base drops them only with their lines.
 */
static inline void keyspace_drop_expired(struct keyspace *ks, int64_t clock)
{
    size_t looked;
    while (keyspace_expire(ks, clock, 1000, &looked))
        continue;
}

/* Appends one commit of the ops in `pending` to the head, with a segment or with its ops inside. */
static inline void head_commit(struct head *head, struct objects *objects, const char *replica,
                               int64_t time, struct slice pending, bool segment)
{
    struct commit commit = {.position = head->position + 1, .time = time};
    struct text ops = {0}, body = {0};
    snprintf(commit.replica, sizeof(commit.replica), "%s", replica);
    commit.first = head_replica_op(head, slice_of(replica)) + 1;
    assert_true(commit_ops_encode(pending, time, &ops, &commit.count));
    if (segment) {
        snprintf(commit.segment, sizeof(commit.segment), "segment-%zu.json", objects->count);
        assert_true(segment_encode(&body, slice_of(head->namespace), &commit, pending));
        objects_put(objects, commit.segment, text_slice(&body));
        commit_seal_segment(&commit);
    } else {
        commit_seal_inline(&commit, text_slice(&ops));
    }
    head_append(head, &commit);
    text_release(&ops);
    text_release(&body);
}

/* A commit of 1 to 20 random ops, also applied to `ks` (may be NULL) as every replay would. */
static inline void head_commit_random(struct head *head, struct objects *objects,
                                      struct op_source *source, struct keyspace *ks, int64_t *clock)
{
    struct text pending = {0};
    struct outcome outcome;
    uint64_t count = 1 + random_below(source->random, 20);
    int64_t time = source->time;
    for (uint64_t i = 0; i < count; i++) {
        /* Clocks of replicas differ: some ops come from the past. */
        source->time += (int64_t)random_below(source->random, 60) - 20;
        struct op_box *box = op_random(source);
        op_binary_encode(&pending, &box->op);
        if (ks) {
            if (box->op.time < *clock)
                box->op.time = *clock;
            *clock = box->op.time;
            apply(ks, &box->op, &outcome, NULL);
        }
        op_box_destroy(box);
    }
    head_commit(head, objects, random_below(source->random, 2) ? "a/1" : "b/2", time,
                text_slice(&pending), random_below(source->random, 2));
    text_release(&pending);
}

#endif
