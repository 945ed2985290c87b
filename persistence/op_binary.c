/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All of it is unfolded from OP_LIST. Numbers take one byte up to 247, else a byte that says how
 * many follow: so a number is written with one store of eight bytes and read without a loop over
 * continuation bits. docs/format.md tells the form to others.
 */
#include "persistence/op_binary.h"

#include <assert.h>
#include <endian.h>

#include "ops/mem.h"
#include "ops/value.h"

/*
 * The numbers of the kinds, in the order in which the kinds came to be. A new kind takes the next
 * one; none is ever changed or used again. A row of OP_LIST without a number does not compile, nor
 * do two with the same (the switches below).
 */
enum op_number {
    NUMBER_SCALAR_SET = 1,
    NUMBER_SCALAR_DELETE = 2,
    NUMBER_INT_SET = 3,
    NUMBER_INT_ADD = 4,
    NUMBER_INT_MUL = 5,
    NUMBER_INT_DIV = 6,
    NUMBER_FLOAT_ADD = 7,
    NUMBER_STRING_APPEND = 8,
    NUMBER_STRING_SET_RANGE = 9,
    NUMBER_SET_ADD = 10,
    NUMBER_SET_REMOVE = 11,
    NUMBER_INT_MAP_SET = 12,
    NUMBER_INT_MAP_ADD = 13,
    NUMBER_INT_MAP_MUL = 14,
    NUMBER_INT_MAP_DIV = 15,
    NUMBER_INT_MAP_DELETE = 16,
    NUMBER_FLOAT_MAP_ADD = 17,
    NUMBER_MAP_SET = 18,
    NUMBER_MAP_DELETE = 19,
    NUMBER_LIST_APPEND = 20,
    NUMBER_LIST_PREPEND = 21,
    NUMBER_LIST_POP = 22,
    NUMBER_LIST_SET = 23,
    NUMBER_LIST_INSERT = 24,
    NUMBER_LIST_REMOVE = 25,
    NUMBER_LIST_TRIM = 26,
    NUMBER_KEY_PUT = 27,
    NUMBER_KEY_DELETE = 28,
    NUMBER_KEY_EXPIRE_AT = 29,
    NUMBER_KEY_PERSIST = 30,
    NUMBER_NAMESPACE_CLEAR = 31,
};

static const uint8_t numbers[OP_COUNT] = {
#define OP(NAME, member, json) [OP_##NAME] = NUMBER_##NAME,
    OP_LIST(OP)
#undef OP
};

/* These enums are stored by their values: append to them only. */
_Static_assert(OP_CONDITION_NONE == 0 && OP_CONDITION_NX == 1 && OP_CONDITION_XX == 2 &&
                   OP_CONDITION_GT == 3 && OP_CONDITION_LT == 4 && OP_CONDITION_XX_LT == 5,
               "stored conditions keep their numbers");
_Static_assert(OP_SIDE_LEFT == 0 && OP_SIDE_RIGHT == 1, "stored sides keep their numbers");
_Static_assert(VALUE_STRING == 0 && VALUE_LIST == 1 && VALUE_SET == 2 && VALUE_HASH == 3,
               "stored types keep their numbers");

#define INLINE_MAX 247 /* the largest number of one byte */
#define NUMBER_MAX 9   /* bytes of the longest; also what a store of a number may touch */

uint8_t op_binary_number(enum op_kind kind)
{
    assert(kind < OP_COUNT);
    return numbers[kind];
}

/* Small magnitudes of either sign become small numbers. */
static inline uint64_t zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline int64_t unzigzag(uint64_t number)
{
    return (int64_t)(number >> 1 ^ -(number & 1));
}

/* Room needed by each kind of field, at most. */

static inline size_t size_bytes(struct slice bytes)
{
    return NUMBER_MAX + bytes.len;
}

static size_t size_list(struct slice_list list)
{
    size_t size = NUMBER_MAX;
    for (size_t i = 0; i < list.count; i++)
        size += size_bytes(list.items[i]);
    return size;
}

static size_t size_value(const struct entry *entry)
{
    struct value_iter it;
    struct slice a, b;
    size_t size = 1 + NUMBER_MAX;
    if (entry_type(entry) == VALUE_STRING) {
        char scratch[24];
        return size + string_bytes(entry, scratch).len;
    }
    value_iter_init(&it, entry);
    while (value_iter_next(&it, &a, &b))
        size += size_bytes(a) + size_bytes(b);
    return size;
}

#define SIZE_BYTES(value)     size_bytes(value)
#define SIZE_INT(value)       NUMBER_MAX
#define SIZE_LIST(value)      size_list(value)
#define SIZE_CONDITION(value) 1
#define SIZE_SIDE(value)      1
#define SIZE_VALUE(value)     size_value(value)

static inline size_t size_fields(const struct op *op)
{
    size_t size = 0;
    switch (op->kind) {
#define SIZE(KIND, name) size += SIZE_##KIND(f->name);
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: {                                                                              \
        const struct op_##member *f = &op->member;                                                 \
        (void)f;                                                                                   \
        OP_FIELDS_##NAME(SIZE) break;                                                              \
    }
        OP_LIST(OP)
#undef OP
    case OP_COUNT: assert(!"not an op");
    }
    return size;
}

/* Each writes at `at`, where size_… bytes are free, and returns what is behind it. */

static inline char *put_number(char *at, uint64_t number)
{
    if (number <= INLINE_MAX) {
        *at = (char)number;
        return at + 1;
    }
    size_t len = (size_t)(71 - __builtin_clzll(number)) >> 3;
    uint64_t word = htole64(number);
    *at = (char)(INLINE_MAX + len);
    memcpy(at + 1, &word, sizeof(word));
    return at + 1 + len;
}

static inline char *put_int(char *at, int64_t number)
{
    return put_number(at, zigzag(number));
}

static inline char *put_bytes(char *at, struct slice bytes)
{
    at = put_number(at, bytes.len);
    slice_copy(at, bytes);
    return at + bytes.len;
}

static char *put_list(char *at, struct slice_list list)
{
    at = put_number(at, list.count);
    for (size_t i = 0; i < list.count; i++)
        at = put_bytes(at, list.items[i]);
    return at;
}

static char *put_value(char *at, const struct entry *entry)
{
    struct value_iter it;
    struct slice a, b;
    enum value_type type = entry_type(entry);
    *at++ = (char)type;
    if (type == VALUE_STRING) {
        char scratch[24];
        return put_bytes(at, string_bytes(entry, scratch));
    }
    at = put_number(at, value_len(entry));
    value_iter_init(&it, entry);
    while (value_iter_next(&it, &a, &b)) {
        at = put_bytes(at, a);
        if (type == VALUE_HASH)
            at = put_bytes(at, b);
    }
    return at;
}

static inline char *put_byte(char *at, unsigned byte)
{
    *at = (char)byte;
    return at + 1;
}

#define PUT_BYTES     put_bytes
#define PUT_INT       put_int
#define PUT_LIST      put_list
#define PUT_CONDITION put_byte
#define PUT_SIDE      put_byte
#define PUT_VALUE     put_value

static inline char *put_fields(char *at, const struct op *op)
{
    switch (op->kind) {
#define PUT(KIND, name) at = PUT_##KIND(at, f->name);
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: {                                                                              \
        const struct op_##member *f = &op->member;                                                 \
        (void)f;                                                                                   \
        OP_FIELDS_##NAME(PUT) break;                                                               \
    }
        OP_LIST(OP)
#undef OP
    case OP_COUNT: assert(!"not an op");
    }
    return at;
}

size_t op_binary_most(const struct op *op)
{
    return 1 + NUMBER_MAX + size_bytes(op->key) + size_fields(op);
}

char *op_binary_put(char *at, const struct op *op)
{
    *at = (char)numbers[op->kind];
    at = put_int(at + 1, op->time);
    at = put_bytes(at, op->key);
    return put_fields(at, op);
}

void op_binary_encode(struct text *out, const struct op *op)
{
    out->len = (size_t)(op_binary_put(text_reserve(out, op_binary_most(op)), op) - out->data);
}

void op_scratch_release(struct op_scratch *scratch)
{
    mem_free(scratch->items);
    *scratch = (struct op_scratch){0};
}

void op_scratch_grow(struct op_scratch *scratch, size_t index)
{
    scratch->cap = scratch->cap ? scratch->cap * 2 : 16;
    if (scratch->cap <= index)
        scratch->cap = index + 1;
    scratch->items = mem_realloc(scratch->items, scratch->cap * sizeof(*scratch->items));
}

void op_release(struct op *op)
{
    if (op->kind == OP_KEY_PUT && op->key_put.value) {
        entry_destroy(op->key_put.value);
        op->key_put.value = NULL;
    }
}

struct input {
    const char *at;
    const char *end;
    struct op_scratch *scratch; /* NULL: nothing is built */
};

/* Each takes its field, or returns false; nothing behind `end` is looked at. */

static inline bool take_byte(struct input *in, unsigned limit, unsigned *ret_byte)
{
    if (in->at == in->end)
        return false;
    *ret_byte = (unsigned char)*in->at++;
    return *ret_byte < limit;
}

/* Only the shortest form is taken, so that the same op has the same bytes. */
static inline bool take_number(struct input *in, uint64_t *ret_number)
{
    unsigned first;
    uint64_t number = 0;
    if (!take_byte(in, 256, &first))
        return false;
    if (first <= INLINE_MAX) {
        *ret_number = first;
        return true;
    }
    size_t len = first - INLINE_MAX, left = (size_t)(in->end - in->at);
    if (left < len)
        return false;
    if (left >= sizeof(number)) {
        memcpy(&number, in->at, sizeof(number));
        number = le64toh(number) & UINT64_MAX >> (64 - 8 * len);
    } else {
        memcpy(&number, in->at, len);
        number = le64toh(number);
    }
    in->at += len;
    *ret_number = number;
    return number > INLINE_MAX && number >> (len - 1) * 8;
}

static inline bool take_int(struct input *in, int64_t *ret_number)
{
    uint64_t number;
    if (!take_number(in, &number))
        return false;
    *ret_number = unzigzag(number);
    return true;
}

static inline bool take_bytes(struct input *in, struct slice *ret_bytes)
{
    uint64_t len;
    if (!take_number(in, &len) || len > (size_t)(in->end - in->at))
        return false;
    *ret_bytes = slice_make(in->at, len);
    in->at += len;
    return true;
}

static bool take_list(struct input *in, struct slice_list *ret_list)
{
    uint64_t count;
    struct slice item;
    /* Each item has a byte at least, which bounds what a false count can make us reserve. */
    if (!take_number(in, &count) || count > (size_t)(in->end - in->at))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_bytes(in, &item))
            return false;
        if (in->scratch)
            *op_scratch_item(in->scratch, i) = item;
    }
    if (in->scratch)
        *ret_list = (struct slice_list){in->scratch->items, count};
    return true;
}

/* One item of a collection; `entry` is NULL when nothing is built. False for an item met twice. */
static bool take_item(struct input *in, enum value_type type, struct entry **entry)
{
    struct slice a, b;
    if (!take_bytes(in, &a) || (type == VALUE_HASH && !take_bytes(in, &b)))
        return false;
    if (!*entry)
        return true;
    switch (type) {
    case VALUE_LIST: entry_build_item(entry, a); return true;
    case VALUE_SET: return entry_build_member(entry, a);
    case VALUE_HASH: return entry_build_field(entry, a, b);
    case VALUE_STRING:
    case VALUE_TYPE_COUNT: break;
    }
    return false;
}

static bool take_value(struct input *in, struct entry **ret_entry)
{
    const struct slice no_key = slice_make("", 0);
    struct entry *entry = NULL;
    struct slice bytes;
    uint64_t count;
    unsigned type;
    if (!take_byte(in, VALUE_TYPE_COUNT, &type))
        return false;
    if (type == VALUE_STRING) {
        if (!take_bytes(in, &bytes))
            return false;
        *ret_entry = in->scratch ? entry_build_string(no_key, 0, bytes) : NULL;
        return true;
    }
    if (!take_number(in, &count) || count > (size_t)(in->end - in->at))
        return false;
    if (in->scratch)
        entry = entry_build(no_key, 0, (enum value_type)type);
    bool whole = true;
    while (whole && count--)
        whole = take_item(in, (enum value_type)type, &entry);
    if (!whole && entry) {
        entry_destroy(entry);
        entry = NULL;
    }
    *ret_entry = entry;
    return whole;
}

static bool take_condition(struct input *in, enum op_condition *ret_condition)
{
    unsigned byte;
    if (!take_byte(in, OP_CONDITION_COUNT, &byte))
        return false;
    *ret_condition = (enum op_condition)byte;
    return true;
}

static bool take_side(struct input *in, enum op_side *ret_side)
{
    unsigned byte;
    if (!take_byte(in, OP_SIDE_COUNT, &byte))
        return false;
    *ret_side = (enum op_side)byte;
    return true;
}

#define TAKE_BYTES     take_bytes
#define TAKE_INT       take_int
#define TAKE_LIST      take_list
#define TAKE_CONDITION take_condition
#define TAKE_SIDE      take_side
#define TAKE_VALUE     take_value

static bool take_fields(struct input *in, unsigned number, struct op *op)
{
    switch (number) {
#define TAKE(KIND, name) &&TAKE_##KIND(in, &f->name)
#define OP(NAME, member, json)                                                                     \
    case NUMBER_##NAME: {                                                                          \
        struct op_##member *f = &op->member;                                                       \
        (void)f;                                                                                   \
        op->kind = OP_##NAME;                                                                      \
        return true OP_FIELDS_##NAME(TAKE);                                                        \
    }
        OP_LIST(OP)
#undef OP
    }
    return false;
}

/* A KeyPut of which only the value was read must not lose it. */
static bool take_op(struct input *in, struct op *op)
{
    unsigned number;
    op->hash = 0;
    op->kind = OP_KEY_DELETE;
    op->key_put.value = NULL;
    return take_byte(in, 256, &number) && take_int(in, &op->time) && take_bytes(in, &op->key) &&
           take_fields(in, number, op);
}

size_t op_binary_decode(struct slice bytes, struct op_scratch *scratch, struct op *op)
{
    struct input in = {bytes.data, bytes.data + bytes.len, scratch};
    if (bytes.len == 0)
        return 0;
    if (!take_op(&in, op) || !op_valid(op)) {
        op_release(op);
        return 0;
    }
    return (size_t)(in.at - bytes.data);
}

size_t op_binary_skip(struct slice bytes, enum op_kind *kind, struct slice *key)
{
    struct input in = {bytes.data, bytes.data + bytes.len, NULL};
    struct op op;
    if (bytes.len == 0 || !take_op(&in, &op))
        return 0;
    if (kind)
        *kind = op.kind;
    if (key)
        *key = op.key;
    return (size_t)(in.at - bytes.data);
}

struct slice op_binary_key(struct slice op)
{
    struct input in = {op.data + 1, op.data + op.len, NULL};
    struct slice key = {0};
    int64_t time;
    bool whole = take_int(&in, &time) && take_bytes(&in, &key);
    assert(whole);
    return key;
}
