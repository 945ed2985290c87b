/* SPDX-License-Identifier: BSD-3-Clause */
/* SLOWLOG: the last commands that took long, arguments cut. Any thread. */
#ifndef CAIRN_SERVER_SLOWLOG_H
#define CAIRN_SERVER_SLOWLOG_H

#include <stddef.h>
#include <stdint.h>

struct command;
struct exec;

/* After a command: notes it when it took at least slowlog-log-slower-than. */
void slowlog_note(struct exec *x, const struct command *command, int64_t usec);
void slowlog_reset(void);
size_t slowlog_len(void);
/* SLOWLOG GET: writes the newest `count` (negative: all) as the reply. */
void slowlog_write(struct exec *x, int64_t count);
void slowlog_trim(void); /* slowlog-max-len was made smaller */

#endif
