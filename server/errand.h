/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What cairn-server does without serving: --export, --import, --verify. They are followed by a
 * store, a namespace, and directives as elsewhere, of which those of the store matter (s3-…).
 */
#ifndef CAIRN_SERVER_ERRAND_H
#define CAIRN_SERVER_ERRAND_H

#include <stdbool.h>

/* Is argv[1] one of them? */
bool errand_named(const char *word);
/* Carries out argv[1]; the exit status. --verify: 0 sound, 1 not sound or not there, 2 could not be
 * read. */
int errand_run(int argc, char **argv);

#endif
