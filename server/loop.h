/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event loops: one a thread, each with its own libevent base, its own connections and its own
 * arena. A turn waits, reads, executes and writes (ARCHITECTURE.md); posts from other threads run
 * between the waiting and the reading. This header is what command families may use;
 * loop-internal.h the rest.
 */
#ifndef CAIRN_SERVER_LOOP_H
#define CAIRN_SERVER_LOOP_H

#include <stdint.h>

#include "server/client.h"

struct loop;

/*
 * Runs `run` on the loop's thread in its next turn, with no lock held; client: that of client_id,
 * NULL when it is gone or client_id is 0. ctx is the callee's to free. Any thread, also under
 * namespace locks. Posts from one thread to one loop keep their order. Never dropped: at shutdown
 * what is left is run with client NULL.
 * Inside a command use exec_post (server/exec.h) instead: it holds posts back until the batch is
 * safe in the journal.
 */
void loop_post(struct loop *loop, uint64_t client_id, void (*run)(struct client *client, void *ctx),
               void *ctx);

static inline void loop_post_client(struct client_ref to,
                                    void (*run)(struct client *client, void *ctx), void *ctx)
{
    loop_post(to.loop, to.id, run, ctx);
}

int loop_count(void);
struct loop *loop_at(int index);
/* Of the calling thread; NULL on threads that are no loop's. */
struct loop *loop_current(void);
/* This turn's time, Unix ms. */
int64_t loop_now(const struct loop *loop);

#endif
