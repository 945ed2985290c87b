/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See recovery.h. Op numbers are what holds journal and store together: within an incarnation they
 * have no gap, and the head says how far they are committed. Whatever does not fit is an error.
 */
#include "persistence/recovery.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "persistence/op_binary.h"

#define BATCH_SIZE ((size_t)4 * 1024 * 1024)

void recovery_release(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++)
        while (recovery->items[i].batches) {
            struct sync_batch *next = recovery->items[i].batches->next;
            sync_batch_destroy(recovery->items[i].batches);
            recovery->items[i].batches = next;
        }
    mem_free(recovery->items);
    *recovery = (struct recovery){0};
}

uint64_t recovery_ops(const struct recovery *recovery)
{
    uint64_t ops = 0;
    for (size_t i = 0; i < recovery->count; i++)
        for (const struct sync_batch *batch = recovery->items[i].batches; batch;
             batch = batch->next)
            ops += batch->count;
    return ops;
}

static struct recovered *find(struct recovery *recovery, struct slice name)
{
    for (size_t i = 0; i < recovery->count; i++)
        if (slice_equal(slice_of(recovery->items[i].namespace), name))
            return &recovery->items[i];
    if ((recovery->count & (recovery->count - 1)) == 0)
        recovery->items = mem_realloc(recovery->items, (recovery->count ? 2 * recovery->count : 1) *
                                                           sizeof(*recovery->items));
    struct recovered *item = &recovery->items[recovery->count++];
    *item = (struct recovered){.choice = recovery->choice};
    memcpy(item->namespace, name.data, name.len);
    return item;
}

static void append_batch(struct recovered *item, const struct journal_file_header *header,
                         const struct journal_section *section)
{
    struct sync_batch *batch = mem_calloc(1, sizeof(*batch));
    memcpy(batch->replica, header->incarnation, sizeof(batch->replica));
    batch->first = section->first;
    batch->count = section->count;
    batch->known = section->position;
    batch->file = header->sequence;
    text_append_slice(&batch->ops, section->ops);
    if (item->last)
        item->last->next = batch;
    else
        item->batches = batch;
    item->last = batch;
}

bool recovery_collect(void *ctx, const struct journal_file_header *header,
                      const struct journal_section *section, struct text *error)
{
    struct recovered *item = find(ctx, section->namespace);
    struct sync_batch *last = item->last;
    if (section->position > item->position)
        item->position = section->position;
    if (!last || strcmp(last->replica, header->incarnation) != 0) {
        append_batch(item, header, section);
        return true;
    }
    uint64_t next = last->first + last->count;
    if (section->first + section->count <= next)
        return true; /* written again after an fsync had failed */
    if (section->first != next) {
        text_append_format(error,
                           "ops of namespace %s are missing: number %" PRIu64
                           " is due here, but this record begins with number %" PRIu64,
                           item->namespace, next, section->first);
        return false;
    }
    if (last->ops.len + section->ops.len > BATCH_SIZE) {
        append_batch(item, header, section);
        return true;
    }
    text_append_slice(&last->ops, section->ops);
    last->count += section->count;
    return true;
}

/* The same rule as commit_replay: the commit of this op's batch will be replayed so. */
static void apply_op(struct loaded *loaded, struct op *op)
{
    struct outcome outcome;
    if (op->time < loaded->clock)
        op->time = loaded->clock;
    loaded->clock = op->time;
    apply(loaded->keyspace, op, &outcome, NULL);
}

/* Decodes the ops of a batch, and applies them to `loaded` (NULL: to nothing). */
static bool batch_run(struct sync_batch *batch, struct loaded *loaded)
{
    struct op_scratch scratch = {0};
    size_t at = 0;
    bool ok = true;
    for (uint64_t i = 0; ok && i < batch->count; i++) {
        struct op op;
        struct slice rest = slice_make(batch->ops.data + at, batch->ops.len - at);
        size_t len = op_binary_decode(rest, &scratch, &op);
        ok = len > 0;
        if (!ok)
            break;
        if (i == 0)
            batch->time = op.time;
        if (loaded)
            apply_op(loaded, &op);
        op_release(&op);
        at += len;
    }
    op_scratch_release(&scratch);
    return ok && at == batch->ops.len;
}

static bool run_all(struct recovered *recovered, struct loaded *loaded, struct text *error)
{
    for (struct sync_batch *batch = recovered->batches; batch; batch = batch->next)
        if (!batch_run(batch, loaded)) {
            text_append_format(error, "ops of namespace %s in the journal cannot be read",
                               recovered->namespace);
            return false;
        }
    return true;
}

/*
 * May the batch be committed, though the head has no entry of its incarnation? A commit of it lies
 * above the position that was known when it was recorded; of expired entries none lies above
 * `expired`. So what is recent is certain, whatever has expired, and however the clocks go.
 */
static bool is_orphan(const struct sync_batch *batch, const struct head *head)
{
    return head->expired > batch->known && !head_replica(head, slice_of(batch->replica));
}

static bool check_orphans(struct recovered *item, const struct head *head, struct text *error)
{
    const struct sync_batch *first = NULL;
    item->orphans = 0;
    for (struct sync_batch *batch = item->batches; batch; batch = batch->next)
        if (is_orphan(batch, head)) {
            first = first ? first : batch;
            item->orphans += batch->count;
        }
    if (!first || item->choice != JOURNAL_ORPHANS_REFUSE)
        return true;
    text_append_format(error,
                       "namespace %s: journal-%" PRIu64 ".log has %" PRIu64
                       " ops that may be committed or not: the entry of %s has expired "
                       "(replica-expiry). Choose once: --journal-orphans replay applies them "
                       "again, --journal-orphans drop discards them",
                       item->namespace, first->file, item->orphans, first->replica);
    return false;
}

/* How far the incarnation of `batch`, the first of it, is committed. */
static uint64_t committed_before(const struct sync_batch *batch, const struct head *head)
{
    const struct head_replica *entry = head_replica(head, slice_of(batch->replica));
    if (entry)
        return entry->op;
    /* An entry that has expired meanwhile covered what the journal no longer has. */
    return head->expired ? batch->first - 1 : 0;
}

/* Drops what is committed. False: numbers are missing between head and journal. */
static bool drop_committed(struct recovered *item, const struct head *head, struct text *error)
{
    struct sync_batch **at = &item->batches;
    char replica[COMMIT_REPLICA_SIZE] = "";
    uint64_t done = 0;
    while (*at) {
        struct sync_batch *batch = *at;
        if (strcmp(replica, batch->replica) != 0) {
            memcpy(replica, batch->replica, sizeof(replica));
            done = committed_before(batch, head);
        }
        if (item->choice == JOURNAL_ORPHANS_DROP && is_orphan(batch, head))
            done = batch->first + batch->count - 1;
        if (batch->first + batch->count - 1 <= done) {
            *at = batch->next;
            sync_batch_destroy(batch);
            continue;
        }
        if (batch->first > done + 1) {
            text_append_format(error,
                               "ops of namespace %s are missing: of %s, %" PRIu64
                               " are committed, but the journal begins with number %" PRIu64,
                               item->namespace, replica, done, batch->first);
            return false;
        }
        if (batch->first <= done && !sync_batch_skip(batch, done + 1 - batch->first)) {
            text_append_format(error, "ops of namespace %s in the journal cannot be read",
                               item->namespace);
            return false;
        }
        batch->gone_count = batch->gone_bytes = 0; /* never counted as pending here */
        done = batch->first + batch->count - 1;
        at = &batch->next;
    }
    return true;
}

static bool settle(struct recovered *recovered, const struct head *head, struct text *error)
{
    if (head->position < recovered->position) {
        text_append_format(error,
                           "%s.json is older than the journal: it is at position %" PRIu64
                           ", and had been at %" PRIu64,
                           recovered->namespace, head->position, recovered->position);
        return false;
    }
    return check_orphans(recovered, head, error) && drop_committed(recovered, head, error);
}

bool recovery_settle(struct recovered *recovered, const struct head *head, struct text *error)
{
    return settle(recovered, head, error) && run_all(recovered, NULL, error);
}

bool recovery_apply(struct recovered *recovered, struct loaded *loaded, struct text *error)
{
    return settle(recovered, &loaded->head, error) && run_all(recovered, loaded, error);
}
