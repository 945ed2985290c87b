/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A namespace: a named keyspace with its one mutex, its pending ops, and its place in the store.
 * This is what the server works with; how ops reach the store it need not know.
 *
 * Life of a write: namespace_lock, apply() on namespace_keyspace, namespace_record for each op
 * that changed something; at the end of the batch namespace_seal, namespace_unlock; then
 * persistence_harden with what seal gave, and only then the replies leave.
 */
#ifndef CAIRN_PERSISTENCE_NAMESPACE_H
#define CAIRN_PERSISTENCE_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/keyspace.h"
#include "ops/op.h"
#include "ops/slice.h"

struct namespace;
struct outcome;
struct persistence;

#define NAMESPACE_NAME_MAX 128

/* [A-Za-z0-9_.-]{1,128}, not starting with a dot. */
bool namespace_name_valid(struct slice name);

enum namespace_state {
    NAMESPACE_UNLOADED, /* nothing in memory */
    NAMESPACE_LOADING,
    NAMESPACE_READY,
    NAMESPACE_FAILED, /* what the store holds cannot be read: namespace_error says what */
    NAMESPACE_AWAY,   /* the store cannot be reached, which is tried again: namespace_error */
};

/* Everything down to namespace_unlock: call with the lock held unless said otherwise. */
void namespace_lock(struct namespace *ns); /* any thread; not recursive */
void namespace_unlock(struct namespace *ns);
/* The same for what is no command (syncs, expiry cycles, statistics): does not keep an idle
 * namespace loaded, and its time is counted (persistence_stats). */
void namespace_lock_aside(struct namespace *ns);
/* As namespace_lock_aside, for an event loop with other work to do: false after a millisecond. */
bool namespace_lock_soon(struct namespace *ns);
/* When several are needed: in rising order of namespace_order, which never changes. No lock. */
uint64_t namespace_order(const struct namespace *ns);
struct slice namespace_name(const struct namespace *ns); /* no lock needed; terminated by NUL */

enum namespace_state namespace_state(const struct namespace *ns); /* atomic; no lock needed, but
                                                                     READY holds only under it */
/* A sentence for the log and for the client, e.g. "data/apt.json: byte 812: expected ','". Copies
 * into out (cap bytes, NUL-terminated). */
void namespace_error(const struct namespace *ns, char *out, size_t cap);
/* READY only. */
struct keyspace *namespace_keyspace(struct namespace *ns);

/* The server's own per-namespace data (watched keys, blocked clients); set once at creation by
 * persistence_options.attach. No lock needed to read the pointer. */
void *namespace_attachment(const struct namespace *ns);

/*
 * Keeps `op`, which apply() has just carried out: encoded once into the pending log. KeyPut: call
 * before apply, since apply takes the value; then namespace_forget when it did not change anything.
 * A memory-only namespace keeps nothing.
 */
void namespace_record(struct namespace *ns, const struct op *op);
/* Where other servers share the store, ops go through namespace_apply alone. */
bool namespace_shared(const struct namespace *ns);
/*
 * apply(), and namespace_record when it changed something; where the store is shared, with an
 * inverse that is kept until the op is committed. `op->time` may become later.
 */
void namespace_apply(struct namespace *ns, struct op *op, struct outcome *out);
void namespace_forget(struct namespace *ns); /* takes back the last namespace_record */
/* The newest time of any op the namespace has had. No op may run at an earlier time, or a replay of
 * the store would differ: take the later of this and the clock. */
int64_t namespace_clock(const struct namespace *ns);
/* Ops recorded so far since the namespace was made in this process: a mark for
 * persistence_wait. */
uint64_t namespace_mark(const struct namespace *ns);

/*
 * Ends a batch: what was recorded since the last seal becomes one journal record (all or nothing
 * at recovery), buffered, not yet written. Returns the ticket for persistence_harden; 0: nothing.
 */
uint64_t namespace_seal(struct namespace *ns);
/* The same for ops over several namespaces, all locked: one record for all. */
uint64_t namespace_seal_together(struct namespace **list, size_t count);
/* The ticket of its newest sealed batch, whoever recorded it, since who has read what it wrote may
 * have to wait for it too. 0: none. */
uint64_t namespace_ticket(const struct namespace *ns);

/* Commits the namespace has had: the position of its newest commit known here. Atomic, no lock. */
uint64_t namespace_position(const struct namespace *ns);

#endif
