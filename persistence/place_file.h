/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * .cairn/store: the one store that has, or is to get, the ops of the journal beside it; a line of
 * text with a checksum, replaced as a whole. Knows no store and no journal.
 */
#ifndef CAIRN_PERSISTENCE_PLACE_FILE_H
#define CAIRN_PERSISTENCE_PLACE_FILE_H

#include <stdbool.h>

#include "persistence/text.h"

#define PLACE_FILE ".cairn/store" /* for messages */
#define PLACE_OWN  "."            /* the store that lies in the same directory, wherever that is */

/*
 * Appends what was noted in `directory` (as text_append_word writes it), nothing when there is no
 * note. False with a sentence when it cannot be read, or is damaged.
 */
bool place_file_read(int directory, struct text *ret_place, struct text *error);
/*
 * Notes `place`, any bytes that tell one store from another: 0 once that is on disk, or an errno.
 * Nobody else writes it: `directory` is locked.
 */
int place_file_write(int directory, struct slice place);

#endif
