/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's log: one readable line with time and level, to stderr or to `logfile`. Any thread.
 * Only the server logs; libraries below return errors.
 */
#ifndef CAIRN_SERVER_LOG_H
#define CAIRN_SERVER_LOG_H

#include "server/config.h"

/* Opens `logfile` (empty: stderr). False: it cannot be opened; errno says why. */
bool log_open(const char *path);
/* Opens the same file anew, after it was moved away (SIGHUP). */
void log_reopen(void);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
