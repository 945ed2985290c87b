/* SPDX-License-Identifier: BSD-3-Clause */
/* When the tail of the committed head is long enough to be folded or moved into a run, and up to
 * where. Looks, and changes nothing. */
#include "persistence/sync_core-internal.h"

#define KEPT_LEAST  4                     /* commits that a fold leaves, whatever their size */
#define OVERDUE     2                     /* times the tail that is allowed, … */
#define OVERDUE_MIN (UINT64_C(128) << 20) /* … if that is worth the hurry */

static uint64_t base_bytes(const struct head_base *base)
{
    uint64_t bytes = base->state.len;
    for (size_t i = 0; i < base->chunk_count; i++)
        bytes += base->chunks[i].bytes;
    return bytes;
}

/* What a tail may have before it is folded: so the cost of a fold, which reads and writes a base,
 * is spread over changes of its size. Redis writes its append-only file anew at the same growth. */
static uint64_t tail_allowed(const struct sync_core *core)
{
    uint64_t allowed = base_bytes(&core->head.base);
    /* A little before the limit at which a commit, however small, needs a segment of its own. */
    uint64_t least = core->settings.inline_limit / 8 * 7;
    return allowed > least ? allowed : least;
}

static uint64_t commit_bytes(const struct commit *commit)
{
    return commit->text.len + 2 + (commit->segment[0] ? commit->bytes : 0);
}

static uint64_t run_bytes(const struct head_run *run)
{
    return run->bytes + run->segment_bytes;
}

/* Bytes of the commits up to a position that is a boundary. */
static uint64_t tail_bytes(const struct head *head, uint64_t position)
{
    uint64_t bytes = 0, end = head_runs_end(head);
    for (size_t i = 0; i < head->run_count && head->runs[i].position <= position; i++)
        bytes += run_bytes(&head->runs[i]);
    for (size_t i = 0; i < head->tail_count && head->tail[i].position <= position; i++)
        if (head->tail[i].position > end)
            bytes += commit_bytes(&head->tail[i]);
    return bytes;
}

/*
 * Behind which position commits stay for servers that are a little behind: tail_keep of the newest.
 * But not more bytes than a tail may have, whose ops cost those servers no less than a new base.
 */
static uint64_t kept_from(const struct sync_core *core)
{
    const struct head *head = &core->head;
    uint64_t allowed = tail_allowed(core), end = head_runs_end(head), bytes = 0;
    size_t kept = 0, most = core->settings.tail_keep, i = head->tail_count;
    for (; kept < most && i > 0 && head->tail[i - 1].position > end; i--, kept++) {
        bytes += commit_bytes(&head->tail[i - 1]);
        if (kept >= KEPT_LEAST && bytes > allowed)
            return head->tail[i - 1].position;
    }
    if (kept == most)
        return head->position - kept;
    for (i = head->run_count; kept < most && i > 0; i--) {
        const struct head_run *run = &head->runs[i - 1];
        bytes += run_bytes(run);
        if (kept >= KEPT_LEAST && bytes > allowed)
            return run->position;
        kept += run->position - run->from;
    }
    return i > 0 ? head->runs[i - 1].position : head->base.position;
}

/* Whoever changed the head last does what there is to do about it. */
static bool may_work(const struct sync_core *core)
{
    return core->adopted && core->phase == PHASE_REST && !core->base_waits &&
           (!core->settings.shared || core->ours_last);
}

bool sync_core_fold_due(const struct sync_core *core)
{
    const struct head *head = &core->head;
    if (!may_work(core))
        return false;
    uint64_t position = sync_core_fold_position(core);
    if (position == head->base.position)
        return false;
    return tail_bytes(head, position) > tail_allowed(core) ||
           head->tail_count > core->settings.tail_max + core->settings.tail_keep;
}

bool sync_core_fold_overdue(const struct sync_core *core)
{
    uint64_t bytes = tail_bytes(&core->head, sync_core_fold_position(core));
    return bytes > OVERDUE_MIN && bytes / OVERDUE > tail_allowed(core);
}

uint64_t sync_core_fold_position(const struct sync_core *core)
{
    const struct head *head = &core->head;
    uint64_t position = kept_from(core);
    /* By the time the fold is done, that run is in its place; unless others have changed the head
     * since it was made, and nothing ends any more where it begins. */
    if (core->run_waits && position > core->run.from && position < core->run.position)
        position = head_boundary(head, core->run.from);
    return position;
}

bool sync_core_run_due(const struct sync_core *core)
{
    const struct head *head = &core->head;
    return may_work(core) && !core->run_waits && head->tail_count > 1 &&
           tail_allowed(core) > core->settings.inline_limit &&
           head_tail_bytes(head) > core->settings.inline_limit / 2;
}
