/* SPDX-License-Identifier: BSD-3-Clause */
/* What the store is asked before it is used, by commit-mode. */
#ifndef CAIRN_PERSISTENCE_PERSISTENCE_PROBE_H
#define CAIRN_PERSISTENCE_PERSISTENCE_PROBE_H

#include "persistence/persistence.h"

/*
 * At the start: on a thread that may block on `store`. With commit-mode lock a store whose
 * conditional writes do not hold passes, and the log says so; only what locks need is refused.
 * `error` is appended to unless the result is PROBE_OK.
 */
enum probe_result persistence_probe_at_start(struct persistence *p, struct store *store,
                                             struct text *error);

#endif
