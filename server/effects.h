/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must follow from a change: WATCH, keyspace notifications, blocked clients; and the hooks by
 * which the request path calls the families that keep state in a client. All calls come on a loop's
 * thread, but for what arrivals.c does. The first group is called with the namespace's lock held
 * and must be cheap when nobody watches, listens or waits.
 */
#ifndef CAIRN_SERVER_EFFECTS_H
#define CAIRN_SERVER_EFFECTS_H

#include <stdbool.h>

#include "ops/value.h"
#include "server/exec.h"
#include "server/ns_state.h"

/*
 * x->client may be NULL in these (active expiry has no connection), ns is locked. Posts go through
 * exec_post; those of effects_key_changed and the notifications straight to the loops where `x` is
 * NULL: on a thread that is no loop's, of what is durable already.
 */
/* A key was changed, made or removed (by whatever: op, expiry): marks its watchers. */
void effects_key_changed(struct exec *x, struct namespace *ns, struct slice key);
/* Perhaps every key was changed. */
void watch_mark_all(struct namespace *ns);
/* A notification, if notify-keyspace-events asks for its class (letters as there). */
void effects_notify(struct exec *x, struct namespace *ns, char event_class, const char *event,
                    struct slice key);
/* The name of the command behind an op, as its notification has it; NULL: there is none. */
const char *effects_command_of(const struct op *op);
/* All that the command behind an op would notify of: for ops that arrive from other servers. */
void effects_notify_op(struct exec *x, struct namespace *ns, const struct op *op,
                       const struct outcome *outcome);
/* A key now holds a value of a type somebody may wait for: remembers it when someone does, and sets
 * x->serve; serving comes in effects_after_command. */
void effects_key_ready(struct exec *x, struct namespace *ns, struct slice key,
                       enum value_type type);
/* Before a namespace is cleared (FLUSHDB, FLUSHALL): marks watchers of keys that exist. */
void effects_before_clear(struct exec *x, struct namespace *ns);
/* Others may have made keys ready that somebody waits for: as effects_key_ready, for all of them.
 */
void effects_look_again(struct exec *x, struct namespace *ns);
/* Around a swap of the contents of two locked namespaces: before it (after false) and after it. */
void effects_swap(struct exec *x, struct namespace *a, struct namespace *b, bool after);

/*
 * After a top-level command (EXEC is one command) when x->serve was set: serves clients blocked on
 * the keys made ready, by exec_apply on x; every namespace concerned is still locked. Answers go to
 * their clients by exec_post. It clears x->serve.
 */
void effects_after_command(struct exec *x);

/* MULTI: a command that passed the checks is queued (arguments are copied) and "QUEUED" written. */
void transaction_queue(struct exec *x);
/* The flags of all commands that are queued; 0 outside MULTI. */
uint32_t transaction_flags(const struct client *client);
/* A command was refused while queueing: EXEC will answer EXECABORT. */
void transaction_fail(struct client *client);
/* EXEC itself was refused: what was queued and watched is forgotten, under the locks EXEC has. */
void transaction_abort(struct client *client);

/*
 * The client's end (also RESET for the first two): forget everything about it in the tables. On its
 * thread, no lock held; each takes what it needs.
 */
void transaction_on_close(struct client *client);
void pubsub_on_close(struct client *client);
void blocking_on_close(struct client *client);
/* CLIENT UNBLOCK: ends the wait of a client in a blocking command (WAIT and CAIRN WAITPOSITION too:
 * wait.h), as by its timeout or with the error "UNBLOCKED client unblocked via CLIENT UNBLOCK";
 * false when it is in none. On its thread, no lock held. */
bool blocking_unblock(struct client *client, bool with_error);
/* For INFO; any thread. */
size_t pubsub_channels(void);
size_t pubsub_patterns(void);

#endif
