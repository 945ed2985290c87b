/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which objects beside a head may be removed: those that no head names, after a time. Decides only:
 * it neither lists nor removes, and reads no clock. Internal to persistence and its simulation.
 */
#ifndef CAIRN_PERSISTENCE_TIDY_H
#define CAIRN_PERSISTENCE_TIDY_H

#include "persistence/head_objects.h"
#include "persistence/namespace-internal.h"

/* All in ms. */
struct tidy_rules {
    int64_t
        orphan_age;  /* an upload that old is not about to be named: SYNC_OBJECT_AGE_MS is less */
    int64_t history; /* what a head named is kept for so long, for those who still read it */
    int64_t pause;   /* between two looks: what is to be named is, by SYNC_OBJECT_AGE_MS */
};

/* `ours`: a head of ours named it once; `since`: when it was first seen that none does, or 0. */
void strays_add(struct strays *strays, const char *object, int64_t since, bool ours);
/* What `head` names, and its successor, folded up to `position` into `base`, will not. */
void strays_of_fold(struct strays *strays, const struct head *head, const struct head_base *base,
                    uint64_t position);
/*
 * One look: tidy_begin, tidy_may_go for each object of a listing made before `head` was read, once
 * each, tidy_end. What may not go yet is remembered in `strays`. Borrows all it is given.
 */
struct tidy {
    const struct tidy_rules *rules;
    const struct head *head;
    struct head_objects named;
    struct strays *strays;
    size_t sorted; /* of `strays`; the others came during this look */
    int64_t now;
    int64_t folded; /* the last fold that put anything new into the base was not after that; 0: not
                     * known */
};

void tidy_begin(struct tidy *tidy, const struct tidy_rules *rules, const struct head *head,
                struct strays *strays, int64_t now);
bool tidy_may_go(struct tidy *tidy, const char *object);
/* `whole`: all that was listed was asked for; then strays that were not are forgotten. */
void tidy_end(struct tidy *tidy, bool whole);

#endif
