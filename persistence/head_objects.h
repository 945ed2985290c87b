/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of all objects that a head names, to look many up: chunks, runs, segments. */
#ifndef CAIRN_PERSISTENCE_HEAD_OBJECTS_H
#define CAIRN_PERSISTENCE_HEAD_OBJECTS_H

#include "persistence/head.h"

/* Borrows from the head, which must stay as it is meanwhile. */
struct head_objects {
    const char **names; /* rising */
    size_t count;
};

void head_objects_init(struct head_objects *objects, const struct head *head);
void head_objects_init_base(struct head_objects *objects, const struct head_base *base);
bool head_objects_have(const struct head_objects *objects, const char *object);
void head_objects_release(struct head_objects *objects);

#endif
