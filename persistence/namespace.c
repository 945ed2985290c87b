/* SPDX-License-Identifier: BSD-3-Clause */
/* See namespace.h. Everything here is on the path of every command: no I/O, no allocation per op.
 */
#include "persistence/namespace-internal.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "ops/apply.h"
#include "ops/mem.h"
#include "persistence/syncer.h"

static bool name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool namespace_name_valid(struct slice name)
{
    if (name.len == 0 || name.len > NAMESPACE_NAME_MAX || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.data[i]))
            return false;
    return true;
}

struct namespace *namespace_create(struct persistence *owner, struct slice name, uint64_t order)
{
    struct namespace *ns = mem_alloc_aligned(64, sizeof(*ns));
    pthread_mutexattr_t adaptive;
    *ns = (struct namespace){.owner = owner, .name_len = name.len, .order = order};
    memcpy(ns->name, name.data, name.len);
    ns->records = !owner->memory;
    ns->shared = ns->records && owner->options.shared;
    pthread_mutexattr_init(&adaptive);
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&ns->lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    if (owner->options.attach)
        ns->attachment = owner->options.attach(owner->options.ctx, ns);
    return ns;
}

void namespace_destroy(struct namespace *ns)
{
    if (ns->keyspace)
        keyspace_destroy(ns->keyspace);
    rebase_destroy(ns->rebase);
    pending_release(&ns->pending);
    pending_cut_release(&ns->agent.cut);
    sync_core_destroy(ns->agent.core);
    store_request_release(&ns->agent.request);
    mem_free(ns->agent.strays.items);
    if (ns->owner->options.detach)
        ns->owner->options.detach(ns->owner->options.ctx, ns->attachment);
    pthread_mutex_destroy(&ns->lock);
    mem_free(ns);
}

/* Its polls may have become seldom: then the first use asks for one. */
static void touch(struct namespace *ns)
{
    atomic_store_explicit(&ns->touched, true, memory_order_relaxed);
    if (atomic_load(&ns->slow) && atomic_exchange(&ns->slow, false))
        syncer_look(ns);
}

void namespace_lock(struct namespace *ns)
{
    pthread_mutex_lock(&ns->lock);
    ns->used = true;
    if (!atomic_load_explicit(&ns->touched, memory_order_relaxed))
        touch(ns);
}

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void namespace_lock_aside(struct namespace *ns)
{
    pthread_mutex_lock(&ns->lock);
    ns->aside_since = monotonic_ns();
}

/* By the wall clock, for TSan knows no lock that waits by the other; a jump shifts one wait. */
static bool lock_within(pthread_mutex_t *lock, long wait_ns)
{
    struct timespec until;
    if (pthread_mutex_trylock(lock) == 0)
        return true;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += wait_ns;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(lock, &until) == 0;
}

bool namespace_lock_soon(struct namespace *ns)
{
    if (!lock_within(&ns->lock, 1000000))
        return false;
    ns->aside_since = monotonic_ns();
    return true;
}

static void count_aside(struct namespace *ns)
{
    int64_t took = monotonic_ns() - ns->aside_since;
    int64_t longest = atomic_load_explicit(&ns->owner->aside_max_ns, memory_order_relaxed);
    ns->aside_since = 0;
    atomic_fetch_add_explicit(&ns->owner->aside_ns, took, memory_order_relaxed);
    while (took > longest &&
           !atomic_compare_exchange_weak(&ns->owner->aside_max_ns, &longest, took))
        continue;
}

void namespace_unlock(struct namespace *ns)
{
    if (ns->aside_since)
        count_aside(ns);
    pthread_mutex_unlock(&ns->lock);
}

uint64_t namespace_order(const struct namespace *ns)
{
    return ns->order;
}

struct slice namespace_name(const struct namespace *ns)
{
    return slice_make(ns->name, ns->name_len);
}

enum namespace_state namespace_state(const struct namespace *ns)
{
    return (enum namespace_state)atomic_load_explicit(&ns->state, memory_order_acquire);
}

void namespace_set_state(struct namespace *ns, enum namespace_state state)
{
    atomic_store_explicit(&ns->state, (int)state, memory_order_release);
}

void namespace_error(const struct namespace *ns, char *out, size_t cap)
{
    snprintf(out, cap, "%s", ns->error);
}

struct keyspace *namespace_keyspace(struct namespace *ns)
{
    return ns->keyspace;
}

void *namespace_attachment(const struct namespace *ns)
{
    return ns->attachment;
}

struct keyspace_hooks namespace_hooks(struct namespace *ns)
{
    struct persistence_options *options = &ns->owner->options;
    return options->hooks ? options->hooks(ns->attachment) : (struct keyspace_hooks){0};
}

bool namespace_awaited(const struct namespace *ns)
{
    struct persistence_options *options = &ns->owner->options;
    return options->awaited && options->awaited(ns->attachment);
}

void namespace_record(struct namespace *ns, const struct op *op)
{
    if (!ns->records)
        return;
    pending_record(&ns->pending, op);
    if (op->time > ns->clock)
        ns->clock = op->time;
}

void namespace_forget(struct namespace *ns)
{
    if (ns->records)
        pending_forget(&ns->pending);
}

bool namespace_shared(const struct namespace *ns)
{
    return ns->shared;
}

/* Every op is kept with its inverse; the record's encoding serves for that too. */
static void apply_shared(struct namespace *ns, struct op *op, struct outcome *out)
{
    if (op->time < rebase_clock(ns->rebase))
        op->time = rebase_clock(ns->rebase);
    namespace_record(ns, op);
    if (!rebase_run_encoded(ns->rebase, op, pending_last(&ns->pending), out))
        namespace_forget(ns);
}

void namespace_apply(struct namespace *ns, struct op *op, struct outcome *out)
{
    bool early = op->kind == OP_KEY_PUT; /* apply takes its value */
    if (ns->rebase) {
        apply_shared(ns, op, out);
        return;
    }
    if (early)
        namespace_record(ns, op);
    apply(ns->keyspace, op, out, NULL);
    if (out->changed && !early)
        namespace_record(ns, op);
    else if (!out->changed && early)
        namespace_forget(ns);
}

uint64_t namespace_mark(const struct namespace *ns)
{
    return ns->pending.recorded;
}

int64_t namespace_clock(const struct namespace *ns)
{
    return ns->clock;
}

uint64_t namespace_position(const struct namespace *ns)
{
    return atomic_load_explicit(&ns->position, memory_order_acquire);
}

void namespace_note_held(struct namespace *ns)
{
    int64_t held = ns->rebase ? (int64_t)rebase_memory(ns->rebase) : 0;
    atomic_store_explicit(&ns->held_bytes, held, memory_order_relaxed);
}

/* What there is to seal, as a section; false: nothing. Counts it as pending first, so that whoever
 * sees its record in the journal sees it pending too. */
static bool seal_section(struct namespace *ns, struct journal_section *section)
{
    if (!ns->records ||
        !pending_seal(&ns->pending, &section->ops, &section->first, &section->count))
        return false;
    section->namespace = namespace_name(ns);
    section->position = namespace_position(ns);
    if (!ns->dirty) {
        ns->dirty = true;
        syncer_mark_dirty(ns);
    }
    namespace_note_held(ns);
    persistence_pending_changed(ns, (int64_t)section->count, (int64_t)section->ops.len);
    return true;
}

uint64_t namespace_seal(struct namespace *ns)
{
    struct journal_section section;
    if (!seal_section(ns, &section) || !ns->owner->journal)
        return 0;
    ns->last_ticket = journal_append(ns->owner->journal, &section, 1);
    return ns->last_ticket;
}

uint64_t namespace_ticket(const struct namespace *ns)
{
    return ns->last_ticket;
}

uint64_t namespace_seal_together(struct namespace **list, size_t count)
{
    struct journal_section *sections = mem_alloc((count ? count : 1) * sizeof(*sections));
    struct journal *journal = NULL;
    size_t used = 0;
    uint64_t ticket = 0;
    for (size_t i = 0; i < count; i++)
        if (seal_section(list[i], &sections[used])) {
            journal = list[i]->owner->journal;
            used++;
        }
    if (journal) {
        ticket = journal_append(journal, sections, used);
        for (size_t i = 0; i < count; i++)
            list[i]->last_ticket = ticket;
    }
    mem_free(sections);
    return ticket;
}
