/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store that ignores the conditions of PUTs, behind a network in virtual time: requests travel,
 * land late, lose their answers; nodes stop for a while or die. One thread; a seed repeats a run.
 */
#ifndef CAIRN_TESTS_PLAIN_STORE_H
#define CAIRN_TESTS_PLAIN_STORE_H

#include "persistence/store_lock.h"
#include "tests/support/random.h"

/* All in ms; all zero: everything happens at once. */
struct plain_network {
    int64_t usual;          /* one way takes up to this */
    int64_t slow;           /* … and now and then up to this */
    unsigned slow_permille; /* of ways */
    unsigned lost_permille; /* of requests: a write still lands, within `late` */
    int64_t late;
    int64_t patience; /* until a lost one is given up */
};

struct plain_world;
struct plain_node;

struct plain_world *plain_world_create(uint64_t seed);
/* After all stores of its nodes are closed. */
void plain_world_destroy(struct plain_world *world);
void plain_world_set(struct plain_world *world, const struct plain_network *network);
int64_t plain_world_now(const struct plain_world *world);
/* What is stored, without network. */
struct store *plain_world_shelf(struct plain_world *world);
/* Called before a request takes effect. */
void plain_world_watch(struct plain_world *world,
                       void (*watch)(void *ctx, const struct plain_node *from,
                                     const struct store_request *request),
                       void *ctx);
/* Until `*finished`, or, NULL, until nothing is left to happen. */
void plain_world_run(struct plain_world *world, const bool *finished);
/* One event; false when there is none. */
bool plain_world_step(struct plain_world *world);
/* Lets time pass, with what happens in it. */
void plain_world_pass(struct plain_world *world, int64_t ms);

struct plain_node *plain_node_create(struct plain_world *world);
/* A handle on the network, and the clock to go with it; both end with the world. */
struct store *plain_node_store(struct plain_node *node);
const struct store_lock_clock *plain_node_clock(struct plain_node *node);
/* Nothing happens to it any more; what it has sent may still take effect. */
void plain_node_kill(struct plain_node *node);
/* It does nothing until then; answers wait. */
void plain_node_stop(struct plain_node *node, int64_t ms);
/* Requests it has sent. */
unsigned plain_node_sent(const struct plain_node *node);

#endif
