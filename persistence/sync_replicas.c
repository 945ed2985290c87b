/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The entries of `replicas`: which of them nobody needs any more, and what they say of our own
 * pending ops.
 *
 * An entry expires by clocks, since only time tells that a replica does not come back. Nothing else
 * hangs on them: where an entry was wrongly dropped, `expired` says up to which position its
 * commits may lie, and its replica, which knows how far it had read when it last sent, then asks
 * instead of guessing. It never applies anything twice.
 */
#include <stdatomic.h>

#include "persistence/sync_core-internal.h"

static bool is_queued(const struct sync_core *core, const char *replica)
{
    for (const struct sync_batch *batch = core->queue; batch; batch = batch->next)
        if (strcmp(batch->replica, replica) == 0)
            return true;
    return false;
}

/* A replica that reads the tail finds its commits there: then its entry stays for as long. */
static bool is_in_tail(const struct head *head, const struct head_replica *entry)
{
    if (entry->position)
        return entry->position > head->base.position;
    if (head->run_count) /* nobody knows without reading them */
        return true;
    for (size_t i = 0; i < head->tail_count; i++)
        if (strcmp(head->tail[i].replica, entry->name) == 0)
            return true;
    return false;
}

/* Of this server, in whatever incarnation. */
static bool is_own(const struct sync_core *core, const char *replica)
{
    size_t len = strlen(core->settings.replica);
    return strncmp(replica, core->settings.replica, len) == 0 && replica[len] == '/';
}

static bool has_expired(const struct sync_core *core, const struct head_replica *entry, int64_t now)
{
    int64_t patience =
        core->settings.replica_expiry_ms
            ? atomic_load_explicit(core->settings.replica_expiry_ms, memory_order_relaxed)
            : 0;
    return patience > 0 && entry->time > 0 && now - entry->time >= patience &&
           !is_in_tail(&core->head, entry);
}

/* Of an earlier life of this server; or of a server whose directory is a copy of this one's. */
static bool is_other_life(const struct sync_core *core, const char *replica)
{
    return is_own(core, replica) && strcmp(replica, core->settings.incarnation) != 0;
}

static bool has_other_life(const struct sync_core *core, const struct head *head)
{
    for (size_t i = 0; i < head->replica_count; i++)
        if (is_other_life(core, head->replicas[i].name))
            return true;
    return false;
}

/* Once a head without entries of earlier lives is in the store, nothing of theirs can come any
 * more: whatever was on the wire was conditional on an older one. */
const char *sync_core_twin(const struct sync_core *core, const struct head *head)
{
    return core->purged && has_other_life(core, head)
               ? "another server commits under this one's name: the directory of one of them "
                 "(dir) is a copy of the other's. End that one, and start this one again"
               : NULL;
}

static void note_purging(struct sync_core *core)
{
    core->purging = core->drop_dead && !has_other_life(core, &core->head);
    for (const struct sync_batch *batch = core->queue; batch; batch = batch->next)
        core->purging &= !is_other_life(core, batch->replica);
}

void sync_core_drop_entries(struct sync_core *core, int64_t now)
{
    struct head *head = &core->head;
    for (size_t i = head->replica_count; i-- > 0;) {
        struct head_replica *entry = &head->replicas[i];
        struct slice name = slice_of(entry->name);
        if (strcmp(entry->name, core->settings.incarnation) == 0 || is_queued(core, entry->name))
            continue;
        /* Our own: while a file of the journal may have its ops, it is needed however old. */
        if (is_own(core, entry->name)) {
            if (core->drop_dead)
                head_drop_replica(head, name);
        } else if (has_expired(core, entry, now)) {
            head_expire_replica(head, name);
        } else if (!entry->time) {
            entry->time = now; /* of before there were times: from when it is first seen */
        }
    }
    note_purging(core);
}

/* Could `batch`, which `head` has no entry for, have been committed all the same? */
static bool is_doubtful(const struct sync_core *core, const struct sync_batch *batch,
                        const struct head *head)
{
    bool sent = batch->sent || strcmp(batch->replica, core->settings.incarnation) != 0;
    /* It was not yet when the head was at our position; its commit would lie above, folded. */
    return sent && head->base.position > core->position && head->expired > core->position &&
           !head_replica(head, slice_of(batch->replica));
}

const char *sync_core_doubt(const struct sync_core *core, const struct head *head)
{
    for (const struct sync_batch *batch = core->queue; batch; batch = batch->next)
        if (is_doubtful(core, batch, head))
            return "the entry of this server has expired while it was cut off (replica-expiry), so "
                   "nobody knows whether its pending ops are committed: start it again with "
                   "--journal-orphans replay or drop";
    return NULL;
}

/* A late commit of an earlier incarnation may have landed that ends in the midst of a batch. */
const char *sync_core_settle_queue(struct sync_core *core, const struct head *head)
{
    const char *why = sync_core_doubt(core, head);
    if (why)
        return why;
    while (core->queue) {
        struct sync_batch *batch = core->queue;
        uint64_t done = head_replica_op(head, slice_of(batch->replica));
        if (done < batch->first)
            return NULL;
        if (done < batch->first + batch->count - 1)
            return sync_batch_skip(batch, done + 1 - batch->first) ? NULL
                                                                   : "pending ops cannot be read";
        sync_core_finish_batch(core);
    }
    return NULL;
}
