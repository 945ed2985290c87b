/* SPDX-License-Identifier: BSD-3-Clause */
/* What of a command MONITOR and SLOWLOG may show: all but passwords. */
#ifndef CAIRN_SERVER_REDACT_H
#define CAIRN_SERVER_REDACT_H

#include "ops/slice.h"

struct exec;

/* The arguments of x, with "(redacted)" for passwords. The array is the caller's (mem_free), the
 * bytes are borrowed. */
struct slice *redact(const struct exec *x);

#endif
