/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a namespace back from its store and checks all that the format lets a reader check: the
 * head's sum and chain, every run, segment and chunk the head names, every op and every key, that
 * the ops apply, and that `replicas` agree with the tail. Changes nothing and needs no server; what
 * nobody can check is said in docs/format.md. Blocks on the store. Memory is needed for the ops of
 * the tail and for one object at a time, not for the namespace.
 */
#ifndef CAIRN_PERSISTENCE_VERIFY_H
#define CAIRN_PERSISTENCE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "persistence/namespace.h"
#include "persistence/store.h"
#include "persistence/text.h"

enum verify_verdict {
    VERIFY_SOUND,
    VERIFY_UNSOUND,    /* what is there is damaged, or not all is there */
    VERIFY_UNREADABLE, /* the store did not give it: nothing is known */
};

struct verify_report {
    char namespace[NAMESPACE_NAME_MAX + 1];
    enum verify_verdict verdict;
    bool absent; /* the store has neither a head nor an object of it: sound, and all is zero */
    uint64_t position, base_position;
    uint64_t commits, ops;     /* of the tail */
    uint64_t keys;             /* at the position, those past their deadline included */
    uint64_t chunks, segments; /* that were read */
    uint64_t bytes, bytes_all; /* of head and objects: read so far, and to be read */
    uint64_t orphans;          /* objects that the head does not name: for information */
    uint64_t faults;
    struct text lines; /* "object, position n: sentence\n" for each fault; why it is unreadable */
};

struct verify_options {
    struct store *store;      /* the calling thread's */
    const _Atomic bool *stop; /* true: give up, unreadable; may be NULL */
    /* Called after each object; may be NULL. */
    void (*progress)(void *ctx, const struct verify_report *so_far);
    void *ctx;
};

/* Others may write meanwhile: objects that a fold removed are looked for in the head that followed.
 */
void verify_namespace(const struct verify_options *options, struct slice name,
                      struct verify_report *ret_report);
void verify_report_release(struct verify_report *report);
/* A line, and a line more for each fault, for people. */
void verify_report_print(const struct verify_report *report, struct text *out);
/* The first line of `lines`, without its end. */
struct slice verify_report_first(const struct verify_report *report);

/* Names with a head, or with objects; by name. Some may be absent to verify_namespace: a bucket may
 * hold folders of others. False: unreadable, and a sentence in `error`. */
struct verify_names {
    char (*list)[NAMESPACE_NAME_MAX + 1];
    size_t count;
};
bool verify_list(struct store *store, struct verify_names *ret_names, struct text *error);
/* For who has asked for a namespace without a head: "there is no namespace three; there are 'one',
 * 'two'". The first half alone when they cannot be listed. */
void verify_append_absent(struct store *store, const char *name, struct text *out);
void verify_names_release(struct verify_names *names);

#endif
