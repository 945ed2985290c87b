/* SPDX-License-Identifier: BSD-3-Clause */
/* What a kind of store implements; for the store_*.c files alone. */
#ifndef CAIRN_PERSISTENCE_STORE_INTERNAL_H
#define CAIRN_PERSISTENCE_STORE_INTERNAL_H

#include <stdatomic.h>

#include "persistence/store.h"

struct store_kind {
    /* The request is valid, its answer zeroed. Ends in store_answer, now or later. */
    void (*submit)(struct store *store, struct store_request *request);
    /* Waits for events until `*finished`; NULL when submit answers before it returns. */
    void (*run)(struct store *store, const bool *finished);
    struct store *(*clone)(struct store *store);
    void (*close)(struct store *store);
    /* NULL when all answers come before submit returns. */
    void (*attach)(struct store *store, struct event_base *base);
    /* NULL when there is but one way. */
    bool (*other_quoting)(struct store *store);
    /* NULL when there is none beneath. */
    struct store *(*beneath)(struct store *store);
};

/* Shared by a handle and its clones. */
struct store_totals {
    _Atomic int64_t gets, puts, lists, removes, bytes_in, bytes_out;
    _Atomic int handles;
};

/* The first member of every kind's handle. */
struct store {
    const struct store_kind *kind;
    struct store_totals *totals;
};

/* For the handle that `store` is the first member of; `like` NULL: with totals of its own. */
void store_init(struct store *store, const struct store_kind *kind, const struct store *like);
void store_fini(struct store *store);

/* Sets the result, and the error sentence when it is not OK, and calls `done`. */
void store_answer(struct store_request *request, enum store_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts a copy of the key at the end of the items. */
struct store_item *store_add_item(struct store_request *request, const char *key, bool is_prefix);
/* Sorts the items, drops those up to `after`, and cuts at the limit. */
void store_finish_list(struct store_request *request);

struct store *store_memory_create(void);
enum store_result store_directory_create(const char *path, struct store **ret_store,
                                         struct text *error);
/* A directory that is there, and is left as it is. */
enum store_result store_directory_open(const char *path, struct store **ret_store,
                                       struct text *error);
/* With the options of store_s3_configure. */
enum store_result store_s3_open(const char *where, struct store **ret_store, struct text *error);

#endif
