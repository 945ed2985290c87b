/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store: named objects that are replaced whole, with compare-and-swap. The same requests go to
 * memory, to a directory and to a bucket; what is in the objects, a store does not know.
 *
 * Keys are paths of components [A-Za-z0-9_.-] that do not begin with a dot, joined by '/': nothing
 * else is accepted, so no key leaves its store.
 */
#ifndef CAIRN_PERSISTENCE_STORE_H
#define CAIRN_PERSISTENCE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/slice.h"
#include "persistence/text.h"

#define STORE_KEY_MAX   512
#define STORE_ETAG_MAX  128
#define STORE_ERROR_MAX 256

struct store;
struct event_base;

/* One member per different reaction of a caller. */
#define STORE_RESULT_LIST(X)                                                                       \
    X(OK, "ok")                                                                                    \
    X(NOT_MODIFIED, "not modified") /* GET: the known etag still holds */                          \
    X(NOT_FOUND, "not found")                                                                      \
    X(PRECONDITION, "precondition failed") /* PUT: nothing was written */                          \
    X(UNKNOWN, "outcome unknown")          /* PUT, REMOVE: may have happened, or may yet */        \
    X(TRANSIENT, "out of reach")           /* nothing happened; try again later */                 \
    X(DENIED, "access denied")             /* nothing happened; somebody must mend it */           \
    X(NO_SPACE, "no space left")                                                                   \
    X(READ_ONLY, "read-only")                                                                      \
    X(INVALID, "invalid request") /* a key that is none; an object too large */

enum store_result {
#define X(name, text) STORE_##name,
    STORE_RESULT_LIST(X)
#undef X
};

enum store_verb { STORE_GET, STORE_PUT, STORE_LIST, STORE_REMOVE };

enum store_condition { STORE_ALWAYS, STORE_IF_ABSENT, STORE_IF_MATCH };

/* One line of a listing. With a delimiter, a common prefix (its '/' included) stands for all keys
 * below it. */
struct store_item {
    char *key;
    bool is_prefix;
    int64_t size;
    char etag[STORE_ETAG_MAX]; /* empty unless asked for */
};

/*
 * A request with its answer. The caller fills the first part and keeps it unchanged until `done`;
 * from then on the request is the caller's again. All zero is a valid beginning.
 */
struct store_request {
    enum store_verb verb;
    char key[STORE_KEY_MAX];        /* LIST: the prefix: empty, or ending in '/' */
    enum store_condition condition; /* PUT */
    char etag[STORE_ETAG_MAX]; /* GET: the one known, or empty; PUT IF_MATCH: the one to match */
    struct slice body;         /* PUT; borrowed */
    bool once;                 /* GET: not asked for again: a file leaves the page cache */
    bool want_etags;           /* GET, PUT, LIST: a directory has to hash for them */
    bool delimiter;            /* LIST: '/' ends a key */
    char after[STORE_KEY_MAX]; /* LIST: only keys behind this one */
    size_t limit;              /* LIST: at most so many; 0: the store's own limit */
    bool with_folder;          /* REMOVE: also the folder, if that was all in it (a directory) */
    /* PUT, REMOVE: sent once at most, and given up after so long; 0: as the store sees fit. An open
     * outcome is UNKNOWN. Only S3 can be late. */
    int64_t within_ms;
    void (*done)(struct store_request *request);
    void *ctx;

    struct store *store; /* for the counts */
    enum store_result result;
    char answer_etag[STORE_ETAG_MAX]; /* GET, PUT; empty unless wanted */
    struct text answer;               /* GET: the body */
    struct store_item *items;         /* LIST: rising by key */
    size_t item_count;
    bool truncated;              /* LIST: ask again with `after` the last key */
    char error[STORE_ERROR_MAX]; /* a sentence when the result is not OK */
};

/* Frees what the answer holds and zeroes it; the asking part stays. */
void store_request_release(struct store_request *request);

/*
 * Starts the request; `done` is called once, on the same thread: before store_submit returns
 * (memory, directory), or later from the handle's event loop (S3).
 */
void store_submit(struct store *store, struct store_request *request);
/* The same for callers that may block: returns when the answer is there. `done` is not used. */
enum store_result store_wait(struct store *store, struct store_request *request);
/* Visits all that a listing of the whole store with '/' as delimiter has, in as many requests as it
 * takes; what the items point to lives until `visit` returns. A sentence in `error` when not OK. */
enum store_result store_list_top(struct store *store,
                                 void (*visit)(void *ctx, const struct store_item *item), void *ctx,
                                 struct text *error);
/* Lets answers come until `*finished`, which a `done` sets; for those who submitted several. */
void store_run(struct store *store, const bool *finished);
/*
 * Before the first request: answers that come later come from this loop, on its thread; store_wait
 * then must not be called from within it. Close the handle before the loop is freed. A handle that
 * is not attached answers only while store_wait or store_run runs.
 */
void store_attach(struct store *store, struct event_base *base);

/* Else a sentence: what is neither `memory`, nor s3://…, nor looks like a directory. */
bool store_place_known(const char *where, struct text *error);
/*
 * `where`: "memory", s3://bucket/prefix, or a directory, which is made if it is not there (its
 * parent must be). A handle belongs to one thread; store_clone makes another handle on the same
 * objects, also for another thread, and may be called on any thread while `store` exists.
 */
enum store_result store_open(const char *where, struct store **ret_store, struct text *error);
/* The same for who only reads: makes nothing, and needs no permission to write. GET and LIST. */
enum store_result store_open_to_read(const char *where, struct store **ret_store,
                                     struct text *error);
struct store *store_clone(struct store *store);
void store_close(struct store *store); /* NULL-safe; no request may be under way */

/*
 * Removes the temporary files that crashed writers left in a directory store, if they are that old
 * by this host's clock. With 0 only for who holds that directory alone; a writer that loses its
 * file all the same is told that its write failed. Returns 0 or an errno.
 */
int store_directory_clean(const char *path, int64_t min_age_s);

/*
 * Some servers want the ETag of an If-Match without its quotes: turns to the other way, for this
 * handle and its clones. False when the store has but one. For the probe.
 */
bool store_other_quoting(struct store *store);

/* The store that this one stands before, borrowed; NULL: none. Take a clone of it for requests. */
struct store *store_beneath(struct store *store);

const char *store_result_name(enum store_result result);
bool store_key_valid(const char *key);

/* Requests made so far through this handle and all its clones. */
struct store_counts {
    int64_t gets, puts, lists, removes, bytes_in, bytes_out;
};
void store_count(struct store *store, struct store_counts *ret_counts);

#endif
