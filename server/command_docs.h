/* SPDX-License-Identifier: BSD-3-Clause */
/* What COMMAND INFO and COMMAND DOCS answer about one row of the table. */
#ifndef CAIRN_SERVER_COMMAND_DOCS_H
#define CAIRN_SERVER_COMMAND_DOCS_H

#include "resp/writer.h"
#include "server/command.h"

void command_info_write(struct resp_writer *out, const struct command *command);
void command_docs_write(struct resp_writer *out, const struct command *command);
/* The command's own name in capitals, terminated. */
void command_upper_name(const struct command *command, char *out, size_t cap);
/* HELP of a container, made from its rows. */
void command_help_write(struct resp_writer *out, const struct command *container);
/* How the command uses its key argv[index]: the words of a key spec's flags. */
void command_key_flags_write(struct resp_writer *out, const struct command *command,
                             const struct slice *argv, int argc, int index);
/* What COMMAND LIST FILTERBY ACLCAT asks. */
bool command_in_category(const struct command *command, struct slice category);

#endif
