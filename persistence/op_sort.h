/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ops in their compact form, gathered in the order in which they happened and then sorted by key,
 * for folds. Any thread.
 */
#ifndef CAIRN_PERSISTENCE_OP_SORT_H
#define CAIRN_PERSISTENCE_OP_SORT_H

#include <stdint.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"

/* All zero is empty. */
struct op_list {
    struct text bytes; /* of each op, a struct op_place before them */
    struct op_ref *refs;
    size_t count, cap;
};

struct op_place {
    uint32_t key_at, key_len; /* the key, in the bytes of the op */
};

#define OP_REF_LONG ((uint64_t)0x7fffff)

struct op_ref {
    uint64_t at : 40;      /* of its place; rises from one to the next before they are sorted */
    uint64_t key_len : 23; /* OP_REF_LONG: so long or longer */
    uint64_t mark : 1;     /* the caller's */
    uint64_t word;         /* for op_list_sort alone */
};

/* Makes room for ops that take so many bytes as JSON. */
void op_list_reserve(struct op_list *list, size_t bytes);
void op_list_add(struct op_list *list, const struct op *op, bool mark);
/* By key as slice_compare has it; ops of one key stay in their order. */
void op_list_sort(struct op_list *list);
void op_list_clear(struct op_list *list);
void op_list_release(struct op_list *list);

/* For op_binary_decode: from the op on. */
static inline struct slice op_list_bytes(const struct op_list *list, size_t index)
{
    size_t at = list->refs[index].at + sizeof(struct op_place);
    return slice_make(list->bytes.data + at, list->bytes.len - at);
}

/* Of a usual op, all that will be read. */
static inline void op_ref_fetch(const struct op_list *list, const struct op_ref *ref)
{
    const char *at = list->bytes.data + ref->at;
    mem_fetch(at);
    mem_fetch(at + 63);
}

static inline struct slice op_ref_key(const struct op_list *list, const struct op_ref *ref)
{
    struct op_place place;
    const char *at = list->bytes.data + ref->at;
    memcpy(&place, at, sizeof(place));
    return slice_make(at + sizeof(place) + place.key_at, place.key_len);
}

static inline struct slice op_list_key(const struct op_list *list, size_t index)
{
    return op_ref_key(list, &list->refs[index]);
}

#endif
