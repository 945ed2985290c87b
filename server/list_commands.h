/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments and replies that lists' commands share with their blocking forms and with LPOS. */
#ifndef CAIRN_SERVER_LIST_COMMANDS_H
#define CAIRN_SERVER_LIST_COMMANDS_H

#include "server/exec.h"

/* Writes `count` items from the end inwards, as so many single pops would give them; the list has
 * at least that many, and one. */
void list_write_end(struct exec *x, const struct entry *list, enum op_side side, size_t count);

/* LEFT or RIGHT at argv[index]; false: "ERR syntax error" was written. */
bool list_side_argument(struct exec *x, int index, enum op_side *side);

/* numkeys key … LEFT|RIGHT [COUNT count] */
struct list_mpop {
    int first, keys; /* the keys are argv[first] … */
    enum op_side side;
    int64_t count;
};
/* numkeys is argv[index]; false: an error was written. */
bool list_mpop_arguments(struct exec *x, int index, struct list_mpop *mpop);

/* list_pos.c */
void lpos_command(struct exec *x);

#endif
