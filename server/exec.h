/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a command's handler sees: one running command, on one thread, with the namespace of its
 * connection locked (unless its row says CMD_NO_LOCK or CMD_OWN_LOCKS). Handlers parse arguments,
 * build ops and read ops, and write the reply; everything that must follow from a change (pending
 * ops, WATCH, notifications, blocked clients) happens inside exec_apply.
 */
#ifndef CAIRN_SERVER_EXEC_H
#define CAIRN_SERVER_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/apply.h"
#include "ops/op.h"
#include "ops/query.h"
#include "ops/slice.h"
#include "persistence/namespace.h"
#include "resp/writer.h"
#include "server/client.h"

struct client;
struct command;
struct loop;

struct exec {
    struct loop *loop; /* this thread */
    struct client *client;
    const struct command *command;
    const struct slice *argv; /* argv[0] is the name; borrowed for the call */
    int argc;
    uint64_t hash; /* key_hash of the first key, 0 when the command has none */
    int64_t now;   /* Unix ms: the turn's, or that of the locked namespace's newest op when later */
    struct namespace *ns;    /* the connection's namespace */
    struct keyspace *keys;   /* its keyspace; NULL when not locked */
    struct resp_writer *out; /* the reply goes here */
    bool in_transaction;     /* inside EXEC: blocking commands must not block */
    bool failed;             /* an error reply was written (statistics) */
    bool push;  /* set by a handler whose reply is a push (SUBSCRIBE …): it is sent in
                   spite of CLIENT REPLY OFF; by EXEC, which has looked at each answer */
    bool serve; /* set by effects_key_ready: someone is to be served */
};

/* Errors: exec_error writes "-" text; text begins with its code ("ERR …", "WRONGTYPE …"). */
void exec_error(struct exec *x, const char *text);
void exec_error_format(struct exec *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void exec_wrong_type(struct exec *x);
void exec_syntax_error(struct exec *x); /* ERR syntax error */
void exec_wrong_arity(struct exec *x);  /* of x->command */
/* The same for a subcommand, or no subcommand, that Redis tells in its handler. */
void exec_wrong_subcommand(struct exec *x);

/* Arguments. Each writes Redis's error and returns false when the argument does not fit. */
bool exec_int(struct exec *x, int index,
              int64_t *value); /* ERR value is not an integer or out of range */
bool exec_int_range(struct exec *x, int index, int64_t min, int64_t max, const char *error,
                    int64_t *value);
bool exec_double(struct exec *x, int index, double *value); /* ERR value is not a valid float */
bool exec_is(const struct exec *x, int index, const char *word); /* any case; index < argc */
/* Redis's string2ll: canonical decimal int64, nothing around it. */
bool parse_int(struct slice text, int64_t *value);
bool parse_double(struct slice text, double *value);
/* Seconds with fraction, as BLPOP's timeout, to ms; errors as Redis. 0: for ever. */
bool exec_timeout(struct exec *x, int index, int64_t *ms);

/*
 * Reads. Fills key hash (when the key is argv[first_key]) and time. exec_query answers WRONGTYPE
 * itself and returns false then; MISSING is the caller's matter.
 */
struct read_op exec_read_op(struct exec *x, enum read_op_kind kind, int key_index);
bool exec_query(struct exec *x, const struct read_op *op, struct answer *answer);
/* The live entry of a key or NULL; exec_find_type answers WRONGTYPE and returns false. */
struct entry *exec_find(struct exec *x, struct slice key);
/*
 * For keyspace_hits and keyspace_misses. The three above do it for commands that only read; those
 * that also write say what Redis counts: what they read to answer, not what they look up to change.
 * exec_note_lookup tells of a miss with an event too.
 */
void exec_note_lookup(struct exec *x, struct slice key, bool found);
void exec_count_lookup(struct exec *x, bool found);
bool exec_find_type(struct exec *x, int key_index, enum value_type type, struct entry **entry);

/*
 * Writes. exec_op starts an op on argv[key_index]. exec_apply carries it out; when it changed
 * something it is recorded, watchers are touched, `event` (class by event_class; NULL: no
 * notification) is published, then "del" when the key vanished, and clients blocked on the key are
 * marked to be served after the command. Error outcomes (wrong type, not an integer, overflow …)
 * are answered with Redis's text and give false; OUTCOME_CONDITION, NO_KEY, NO_PIVOT,
 * OUT_OF_RANGE and ZERO_DIVISOR give true with outcome->status set: the handler answers.
 */
struct op exec_op(struct exec *x, enum op_kind kind, int key_index);
bool exec_apply(struct exec *x, struct op *op, char event_class, const char *event,
                struct outcome *outcome);
/* The same on another locked namespace (MOVE, COPY … DB). */
bool exec_apply_in(struct exec *x, struct namespace *ns, struct op *op, char event_class,
                   const char *event, struct outcome *outcome);
/* FLUSHDB: empties a locked namespace; the memory is freed elsewhere. Returns how many keys it had.
 */
int64_t exec_clear(struct exec *x, struct namespace *ns);
/* The same without a word to those who watch its keys. */
int64_t exec_clear_quiet(struct exec *x, struct namespace *ns);
/* Puts a value into a locked namespace by a KeyPut, without what follows from a change: SWAPDB,
 * which tells of all keys at once (effects_swap). */
void exec_put_quiet(struct exec *x, struct namespace *ns, struct op *op);
/*
 * A KeyDelete that hands the value over, for RENAME and MOVE, which put it elsewhere without
 * copying it. NULL: no such key. The caller owns it; op.key_put takes it.
 */
struct entry *exec_take(struct exec *x, int key_index, const char *event);
/* Only the notification (e.g. "expire" after SET EX): class letters of notify-keyspace-events. */
void exec_notify(struct exec *x, char event_class, const char *event, struct slice key);

/*
 * For CMD_OWN_LOCKS handlers: locks these namespaces (all loaded; duplicates allowed) in the fixed
 * order and opens one transaction over them; exec_unlock_namespaces seals it as one journal record.
 * Inside EXEC they are locked already, and both do nothing. false: one is not loaded; an error was
 * written, or the command will be run again once it is.
 */
bool exec_lock_namespaces(struct exec *x, struct namespace **list, int count);
void exec_unlock_namespaces(struct exec *x);
/*
 * For EXEC when client->exec_own_locks is set: locks every namespace there is, the client's own,
 * and `extra` (those the queue's SELECT, MOVE, COPY … name). As above when it gives false: the
 * transaction must then be as it was, since EXEC may be run again.
 */
bool exec_lock_all(struct exec *x, struct namespace **extra, int extra_count);
/* True when this thread holds ns's lock. */
bool exec_holds(const struct exec *x, const struct namespace *ns);

/* A namespace by number or name: of SELECT and CAIRN, and the numbers of COPY … DB, MOVE, SWAPDB.
 * False: out of range or a bad name, and the error is written (quiet: is not). */
bool exec_namespace(struct exec *x, struct slice name, struct namespace **ns);
bool exec_namespace_quiet(struct slice name, struct namespace **ns);
/* The same, but a name must be that of a namespace somebody has used since the start: for MOVE and
 * COPY … DB, which make none. */
bool exec_namespace_known(struct slice name, struct namespace **ns);

/*
 * Answers later, from another thread or at a timeout: the connection reads no further commands
 * until client_resume. Returns a token that names this wait; see server/client.h. Not inside EXEC.
 */
uint64_t exec_suspend(struct exec *x);

/*
 * loop_post (server/loop.h) that leaves only when what this batch changed is as safe as the journal
 * policy says: everything a command tells other clients goes this way. Order is kept. Also for
 * clients of this very loop. A message (of pub/sub, of MONITOR) leaves even when the journal has
 * failed, since it tells what memory holds; a promise (the answer to somebody else's command that
 * this batch has carried out) then runs `withhold` instead.
 */
void exec_post(struct exec *x, struct client_ref to, void (*run)(struct client *client, void *ctx),
               void *ctx);
void exec_post_promise(struct exec *x, struct client_ref to,
                       void (*run)(struct client *client, void *ctx),
                       void (*withhold)(struct client *client, void *ctx), void *ctx);

/*
 * Runs one command inside another (EXEC), statistics, MONITOR and slow log included, but without
 * any check: exec_refusal has made them for the whole queue, which then runs to its end. The reply
 * goes to x->out. argv must outlive the call. The namespace is the one the client has selected at
 * that moment; it is locked already. Returns false when the command was answered with an error.
 */
bool exec_call(struct exec *x, const struct command *command, const struct slice *argv, int argc);
/* Takes back what was written since `before` bytes of the client's output waited, unless it is a
 * push, if CLIENT REPLY OFF or SKIP holds now: they themselves have no answer, ON has one. */
void exec_mute(struct exec *x, size_t before);
/* In the midst of a long reply: true when the client gets none of it, muted or past its output
 * limit, so that the rest need not be written. */
bool exec_reply_lost(const struct exec *x);
/*
 * Only the checks that EXEC makes before it runs its queue (OOM, MISCONF, NOREPLICAS …): the text
 * of the error, with its code, or NULL. The text lives until the next call on this thread.
 */
const char *exec_refusal(struct exec *x, const struct command *command);

#endif
