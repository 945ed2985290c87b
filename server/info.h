/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of INFO, section by section, with Redis's names. */
#ifndef CAIRN_SERVER_INFO_H
#define CAIRN_SERVER_INFO_H

#include "persistence/text.h"
#include "server/exec.h"

/* Sections by name, "default", "all" or "everything"; none: the default ones. No lock held. */
void info_write(struct exec *x, const struct slice *sections, int count, struct text *out);

#endif
