/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemonize: the server goes on in a child without a terminal. Redis's parent leaves at once; this
 * one stays until the child's start has succeeded or failed, and says which.
 */
#ifndef CAIRN_SERVER_BACKGROUND_H
#define CAIRN_SERVER_BACKGROUND_H

#include <stdbool.h>

#include "persistence/text.h"

/* Before there are threads. Returns in the child, whose standard error the parent keeps; or, with
 * false, where there can be none. */
bool background_enter(struct text *error);
/* In the child, once it serves: the parent leaves with 0, and what is printed goes nowhere. */
void background_ready(void);

#endif
