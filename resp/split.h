/* SPDX-License-Identifier: BSD-3-Clause */
/* Splits the line of an inline command, as typed into telnet, into arguments. */
#ifndef CAIRN_RESP_SPLIT_H
#define CAIRN_RESP_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "resp/reader.h"

/*
 * The rules are Redis's: arguments are separated by white space; in double quotes \n \r \t \b \a
 * and \xHH are escapes, any other character after a backslash stands for itself; in single quotes
 * only \' is; a closing quote must end the argument. `line` has no line end. False: unbalanced
 * quotes. An empty line gives no arguments. Everything lies in the arena.
 */
bool resp_split_line(const char *line, size_t len, struct resp_arena *arena,
                     struct resp_command *out) __attribute__((warn_unused_result));

#endif
