/* SPDX-License-Identifier: BSD-3-Clause */
/* Field values come from small pools most of the time, else nothing would ever be found again. */
#include "tests/support/op_random.h"

#include <assert.h>
#include <stdio.h>

#include "ops/mem.h"
#include "ops/value.h"

#define ITEMS_MAX       6
#define DEADLINE_SPREAD 1000

struct op_chunk {
    struct op_chunk *next;
    _Alignas(max_align_t) char bytes[];
};

static void *box_alloc(struct op_box *box, size_t size)
{
    struct op_chunk *chunk = mem_alloc(sizeof(*chunk) + size);
    chunk->next = box->chunks;
    box->chunks = chunk;
    return chunk->bytes;
}

static struct slice box_bytes(struct op_box *box, struct slice bytes)
{
    char *copy = box_alloc(box, bytes.len);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    return slice_make(copy, bytes.len);
}

static struct slice random_text(const struct op_source *s, char *out, size_t room)
{
    struct random *r = s->random;
    static const char *const floats[] = {"1.5",   "-0.25", "3e2", "10.10", ".5",   "1e4932",
                                         "1e-17", "inf",   "nan", "1e",    "0x1p3"};
    static const char *const integers[] = {
        "9223372036854775807", "-9223372036854775808", "-1", "9223372036854775808", "01", "-0"};
    size_t len = 0;
    switch (random_below(r, 12)) {
    case 0: break;
    case 1: len = (size_t)snprintf(out, room, "%s", floats[random_below(r, 11)]); break;
    case 2: len = (size_t)snprintf(out, room, "%s", integers[random_below(r, 6)]); break;
    case 3:
    case 4: len = (size_t)snprintf(out, room, "%d", (int)random_below(r, 40000) - 200); break;
    case 5:
    case 6: len = (size_t)snprintf(out, room, "%d", (int)random_below(r, 8)); break;
    case 7:
        len = random_below(r, s->bytes_max + 1);
        random_bytes(r, out, len);
        break;
    default:
        len = 1 + random_below(r, 2);
        for (size_t i = 0; i < len; i++)
            out[i] = "a\0b\xff\n"[random_below(r, 5)];
    }
    return slice_make(out, len);
}

static struct slice random_bytes_field(struct op_box *box, const struct op_source *s)
{
    size_t room = s->bytes_max + 32;
    char *out = box_alloc(box, room);
    return random_text(s, out, room);
}

static int64_t random_int(const struct op_source *s)
{
    struct random *r = s->random;
    switch (random_below(r, 8)) {
    case 0: return (int64_t)random_next(r);
    case 1: return INT64_MIN;
    case 2: return INT64_MAX;
    case 3: return (int64_t)random_below(r, 2000) - 1000;
    default: return (int64_t)random_below(r, 9) - 4;
    }
}

static int64_t random_deadline(const struct op_source *s)
{
    return s->time - DEADLINE_SPREAD / 4 + (int64_t)random_below(s->random, DEADLINE_SPREAD);
}

static int64_t random_expires(const struct op_source *s)
{
    switch (random_below(s->random, 4)) {
    case 0: return OP_EXPIRES_KEEP;
    case 1: return random_deadline(s) > 0 ? random_deadline(s) : OP_EXPIRES_NEVER;
    default: return OP_EXPIRES_NEVER;
    }
}

static struct slice_list random_list(struct op_box *box, const struct op_source *s, size_t count)
{
    struct slice *items = box_alloc(box, count * sizeof(*items));
    for (size_t i = 0; i < count; i++)
        items[i] = random_bytes_field(box, s);
    return (struct slice_list){items, count};
}

/* NX, XX or, two times in three, none. */
static enum op_condition random_condition(const struct op_source *s)
{
    uint64_t pick = random_below(s->random, 6);
    return pick == 0 ? OP_CONDITION_NX : pick == 1 ? OP_CONDITION_XX : OP_CONDITION_NONE;
}

struct entry *op_random_value(const struct op_source *s, struct slice key)
{
    char *a = mem_alloc(2 * (s->bytes_max + 32)), *b = a + s->bytes_max + 32;
    size_t room = s->bytes_max + 32, count = 1 + random_below(s->random, 2 * ITEMS_MAX);
    enum value_type type = (enum value_type)random_below(s->random, VALUE_TYPE_COUNT);
    int64_t expires = random_below(s->random, 4) ? 0 : s->time + DEADLINE_SPREAD;
    struct entry *entry;
    if (type == VALUE_STRING) {
        entry = entry_build_string(key, expires, random_text(s, a, room));
        mem_free(a);
        return entry;
    }
    entry = entry_build(key, expires, type);
    for (size_t i = 0; i < count; i++) {
        struct slice item = random_text(s, a, room);
        if (type == VALUE_LIST)
            entry_build_item(&entry, item);
        else if (type == VALUE_SET)
            entry_build_member(&entry, item);
        else
            entry_build_field(&entry, item, random_text(s, b, room));
    }
    mem_free(a);
    return entry;
}

/* What the plain rule for a field's type would get wrong or seldom right. */
static void adjust(struct op_box *box, const struct op_source *s)
{
    struct op *op = &box->op;
    struct random *r = s->random;
    if (op->kind == OP_SCALAR_SET)
        op->scalar_set.expires = random_expires(s);
    else if (op->kind == OP_INT_SET)
        op->int_set.expires = random_expires(s);
    else if (op->kind == OP_KEY_PUT)
        op->key_put.expires = random_expires(s);
    else if (op->kind == OP_STRING_SET_RANGE && random_below(r, 4))
        op->string_set_range.offset = (int64_t)random_below(r, s->bytes_max + 1);
    else if (op->kind == OP_KEY_EXPIRE_AT)
        op->key_expire_at = (struct op_key_expire_at){
            random_deadline(s), (enum op_condition)random_below(r, OP_CONDITION_COUNT)};
    else if (op->kind == OP_LIST_TRIM && random_below(r, 2))
        op->list_trim = (struct op_list_trim){random_below(r, 3) ? 0 : 1, -1};
    else if (op->kind == OP_MAP_SET)
        op->map_set.pairs = random_list(box, s, 2 * random_below(r, ITEMS_MAX));
}

#define RANDOM_BYTES             random_bytes_field(box, s)
#define RANDOM_INT               random_int(s)
#define RANDOM_LIST              random_list(box, s, random_below(s->random, ITEMS_MAX))
#define RANDOM_CONDITION         random_condition(s)
#define RANDOM_SIDE              (enum op_side) random_below(s->random, OP_SIDE_COUNT)
#define RANDOM_VALUE             op_random_value(s, slice_make(NULL, 0))
#define RANDOM_FIELD(KIND, name) fields->name = RANDOM_##KIND;

#define OP(NAME, member, json)                                                                     \
    static void random_##member(struct op_box *box, const struct op_source *s,                     \
                                struct op_##member *fields)                                        \
    {                                                                                              \
        (void)box, (void)s, (void)fields;                                                          \
        OP_FIELDS_##NAME(RANDOM_FIELD)                                                             \
    }
OP_LIST(OP)
#undef OP

/* The type an op is for; VALUE_TYPE_COUNT: any. */
static enum value_type family(enum op_kind kind)
{
    if (kind <= OP_STRING_SET_RANGE)
        return VALUE_STRING;
    if (kind <= OP_SET_REMOVE)
        return VALUE_SET;
    if (kind <= OP_MAP_DELETE)
        return VALUE_HASH;
    return kind <= OP_LIST_TRIM ? VALUE_LIST : VALUE_TYPE_COUNT;
}

static struct slice random_key(struct op_box *box, const struct op_source *s, enum op_kind kind)
{
    enum value_type type = family(kind);
    if (!s->keys)
        return random_bytes_field(box, s);
    unsigned index = (unsigned)random_below(s->random, s->keys);
    if (type != VALUE_TYPE_COUNT && random_below(s->random, 8))
        index = index / VALUE_TYPE_COUNT * VALUE_TYPE_COUNT + (unsigned)type;
    char key[32];
    struct random fixed = random_from(index);
    size_t len = index * 3 % sizeof(key);
    random_bytes(&fixed, key, len);
    return box_bytes(box, slice_make(key, len));
}

struct op_box *op_random_kind(const struct op_source *s, enum op_kind kind)
{
    struct op_box *box = mem_calloc(1, sizeof(*box));
    box->op.kind = kind;
    box->op.time = s->time;
    if (kind != OP_NAMESPACE_CLEAR)
        box->op.key = random_key(box, s, kind);
    switch (kind) {
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: random_##member(box, s, &box->op.member); break;
        OP_LIST(OP)
#undef OP
    case OP_COUNT: assert(!"not an op"); break;
    }
    adjust(box, s);
    return box;
}

struct op_box *op_random(const struct op_source *s)
{
    enum op_kind kind = (enum op_kind)random_below(s->random, OP_COUNT);
    bool drastic = kind == OP_SCALAR_DELETE || kind == OP_KEY_DELETE || kind == OP_KEY_PUT;
    if ((drastic && random_below(s->random, 4)) ||
        (kind == OP_NAMESPACE_CLEAR && random_below(s->random, 32)))
        return op_random(s);
    return op_random_kind(s, kind);
}

static struct slice_list copy_list(struct op_box *box, struct slice_list list)
{
    struct slice *items = box_alloc(box, list.count * sizeof(*items));
    for (size_t i = 0; i < list.count; i++)
        items[i] = box_bytes(box, list.items[i]);
    return (struct slice_list){items, list.count};
}

static struct entry *copy_value(const struct entry *value)
{
    return value ? entry_copy(value, entry_key(value), entry_expires(value)) : NULL;
}

#define COPY_BYTES(from)       box_bytes(box, from)
#define COPY_INT(from)         from
#define COPY_LIST(from)        copy_list(box, from)
#define COPY_CONDITION(from)   from
#define COPY_SIDE(from)        from
#define COPY_VALUE(from)       copy_value(from)
#define COPY_FIELD(KIND, name) to->name = COPY_##KIND(from->name);

#define OP(NAME, member, json)                                                                     \
    static void copy_##member(struct op_box *box, const struct op_##member *from,                  \
                              struct op_##member *to)                                              \
    {                                                                                              \
        (void)box, (void)from, (void)to;                                                           \
        OP_FIELDS_##NAME(COPY_FIELD)                                                               \
    }
OP_LIST(OP)
#undef OP

struct op_box *op_box_copy(const struct op *op)
{
    struct op_box *box = mem_calloc(1, sizeof(*box));
    box->op.kind = op->kind;
    box->op.time = op->time;
    box->op.key = box_bytes(box, op->key);
    switch (op->kind) {
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: copy_##member(box, &op->member, &box->op.member); break;
        OP_LIST(OP)
#undef OP
    case OP_COUNT: assert(!"not an op"); break;
    }
    return box;
}

void op_box_destroy(struct op_box *box)
{
    if (!box)
        return;
    if (box->op.kind == OP_KEY_PUT && box->op.key_put.value)
        entry_destroy(box->op.key_put.value);
    while (box->chunks) {
        struct op_chunk *next = box->chunks->next;
        mem_free(box->chunks);
        box->chunks = next;
    }
    mem_free(box);
}

static bool list_equal(struct slice_list a, struct slice_list b)
{
    bool equal = a.count == b.count;
    for (size_t i = 0; i < a.count && equal; i++)
        equal = slice_equal(a.items[i], b.items[i]);
    return equal;
}

#define EQUAL_BYTES(x, y)       slice_equal(x, y)
#define EQUAL_INT(x, y)         (x) == (y)
#define EQUAL_LIST(x, y)        list_equal(x, y)
#define EQUAL_CONDITION(x, y)   (x) == (y)
#define EQUAL_SIDE(x, y)        (x) == (y)
#define EQUAL_VALUE(x, y)       ((x) && (y) ? value_equal(x, y) : (x) == (y))
#define EQUAL_FIELD(KIND, name) &&(EQUAL_##KIND(a->name, b->name))

#define OP(NAME, member, json)                                                                     \
    static bool equal_##member(const struct op_##member *a, const struct op_##member *b)           \
    {                                                                                              \
        (void)a, (void)b;                                                                          \
        return true OP_FIELDS_##NAME(EQUAL_FIELD);                                                 \
    }
OP_LIST(OP)
#undef OP

bool op_equal(const struct op *a, const struct op *b)
{
    if (a->kind != b->kind || a->time != b->time || !slice_equal(a->key, b->key))
        return false;
    switch (a->kind) {
#define OP(NAME, member, json)                                                                     \
    case OP_##NAME: return equal_##member(&a->member, &b->member);
        OP_LIST(OP)
#undef OP
    case OP_COUNT: break;
    }
    return false;
}

static void copy_entry(void *ctx, struct entry *entry)
{
    struct keyspace *to = ctx;
    if (!keyspace_find(to, entry_key(entry), 0, INT64_MIN))
        keyspace_insert(to, entry_copy(entry, entry_key(entry), entry_expires(entry)));
}

struct keyspace *state_copy(struct keyspace *ks)
{
    struct keyspace *copy = keyspace_create(NULL);
    uint64_t cursor = 0;
    do
        cursor = keyspace_scan(ks, cursor, copy_entry, copy);
    while (cursor);
    return copy;
}

struct comparison {
    struct keyspace *other;
    bool equal;
};

static void compare_entry(void *ctx, struct entry *entry)
{
    struct comparison *c = ctx;
    const struct entry *other = keyspace_find(c->other, entry_key(entry), 0, INT64_MIN);
    c->equal = c->equal && other && value_equal(entry, other) &&
               entry_expires(entry) == entry_expires(other);
}

bool state_equal(struct keyspace *a, struct keyspace *b)
{
    struct comparison c = {b, keyspace_size(a) == keyspace_size(b) &&
                                  keyspace_expires(a) == keyspace_expires(b)};
    uint64_t cursor = 0;
    do
        cursor = keyspace_scan(a, cursor, compare_entry, &c);
    while (cursor && c.equal);
    return c.equal;
}
