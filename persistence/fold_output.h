/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of fold_output that only folding itself uses; the rest is in fold.h. */
#ifndef CAIRN_PERSISTENCE_FOLD_OUTPUT_H
#define CAIRN_PERSISTENCE_FOLD_OUTPUT_H

#include "persistence/fold.h"

/* Takes over a chunk of the old base as it is, at this place in the order of keys. */
bool fold_output_keep(struct fold_output *output, const struct chunk_ref *ref, struct text *error);

#endif
