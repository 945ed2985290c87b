/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines gather in parts of at most a chunk's aim; once they are twice that, the first part is
 * written. So a run of rewritten chunks never ends in a crumb, small neighbours grow together, and
 * what does not change twice in a row is not written twice.
 */
#include "persistence/fold_output.h"

#include "ops/mem.h"

/* Lines in the form of a chunk: as many as the aim allows, but one at least. */
struct part {
    struct text lines;
    uint64_t count;
};

struct fold_output {
    const struct fold_store *store;
    struct fold_options options;
    struct part *parts; /* not yet written; those behind `part_count` keep their memory */
    size_t part_count, part_cap;
    size_t len;     /* bytes in them */
    uint64_t count; /* lines in them */
    struct chunk_ref *chunks;
    size_t chunk_count, chunk_cap;
};

struct fold_output *fold_output_create(const struct fold_store *store,
                                       const struct fold_options *options)
{
    struct fold_output *output = mem_calloc(1, sizeof(*output));
    output->store = store;
    output->options = *options;
    if (output->options.chunk_size == 0)
        output->options.chunk_size = 1;
    return output;
}

void fold_output_destroy(struct fold_output *output)
{
    if (!output)
        return;
    for (size_t i = 0; i < output->chunk_count; i++)
        chunk_ref_release(&output->chunks[i]);
    mem_free(output->chunks);
    for (size_t i = 0; i < output->part_cap; i++)
        text_release(&output->parts[i].lines);
    mem_free(output->parts);
    mem_free(output);
}

static struct chunk_ref *add_ref(struct fold_output *output)
{
    if (output->chunk_count == output->chunk_cap) {
        output->chunk_cap = output->chunk_cap ? output->chunk_cap * 2 : 16;
        output->chunks = mem_realloc(output->chunks, output->chunk_cap * sizeof(*output->chunks));
    }
    struct chunk_ref *ref = &output->chunks[output->chunk_count++];
    *ref = (struct chunk_ref){0};
    return ref;
}

/* The last part, if it is to take `len` more bytes; else a new one. */
static struct part *part_for(struct fold_output *output, size_t len)
{
    if (output->part_count) {
        struct part *last = &output->parts[output->part_count - 1];
        if (last->lines.len + len <= output->options.chunk_size)
            return last;
    }
    if (output->part_count == output->part_cap) {
        size_t cap = output->part_cap ? output->part_cap * 2 : 4;
        output->parts = mem_realloc(output->parts, cap * sizeof(*output->parts));
        memset(output->parts + output->part_cap, 0,
               (cap - output->part_cap) * sizeof(*output->parts));
        output->part_cap = cap;
    }
    struct part *part = &output->parts[output->part_count++];
    /* The first may stay small; with a second there is much to come. */
    if (output->part_count > 1)
        text_reserve(&part->lines, output->options.chunk_size);
    return part;
}

/* Puts the first part behind the others, empty. */
static void drop_part(struct fold_output *output)
{
    struct part first = output->parts[0];
    output->len -= first.lines.len;
    output->count -= first.count;
    text_clear(&first.lines);
    first.count = 0;
    output->part_count--;
    memmove(output->parts, output->parts + 1, output->part_count * sizeof(first));
    output->parts[output->part_count] = first;
}

/* Writes the first part as a chunk. */
static bool write_chunk(struct fold_output *output, struct text *error)
{
    struct slice body = text_slice(&output->parts[0].lines), key, member;
    struct chunk_ref *ref = add_ref(output);
    struct chunk_reader reader;
    chunk_reader_init(&reader, body);
    bool first = chunk_reader_next(&reader, &key, &member);
    assert(first);
    text_append_slice(&ref->first, key);
    chunk_reader_release(&reader);
    ref->bytes = body.len;
    ref->count = output->parts[0].count;
    sha256_digest_hex(body, ref->sha256);
    if (!output->store->write(output->store->ctx, body, ref->object, error))
        return false;
    assert(commit_object_valid(slice_of(ref->object)));
    drop_part(output);
    return true;
}

/* What the lines would take as an inline state: a comma for two braces, and the outer ones. */
static size_t inline_len(const struct fold_output *output)
{
    return output->count ? output->len - output->count + 2 : 2;
}

static bool fits_inline(const struct fold_output *output)
{
    return output->chunk_count == 0 && inline_len(output) <= output->options.inline_limit;
}

bool fold_output_add(struct fold_output *output, struct slice key, struct slice member,
                     struct text *error)
{
    size_t len = member.len + 3;
    struct part *part = part_for(output, len);
    char *to = text_reserve(&part->lines, len);
    (void)key;
    to[0] = '{';
    memcpy(to + 1, member.data, member.len);
    to[member.len + 1] = '}';
    to[member.len + 2] = '\n';
    part->lines.len += len;
    part->count++;
    output->len += len;
    output->count++;
    while (output->len > 2 * output->options.chunk_size && !fits_inline(output))
        if (!write_chunk(output, error))
            return false;
    return true;
}

/* Makes the parts one. */
static void join_parts(struct fold_output *output)
{
    struct part *first = &output->parts[0];
    for (size_t i = 1; i < output->part_count; i++) {
        struct part *next = &output->parts[i];
        text_append_slice(&first->lines, text_slice(&next->lines));
        first->count += next->count;
        text_clear(&next->lines);
        next->count = 0;
    }
    output->part_count = 1;
}

/* No chunk passes twice the aim, but what stood ready to be inline may. */
static bool flush(struct fold_output *output, struct text *error)
{
    while (output->part_count) {
        if (output->len <= 2 * output->options.chunk_size)
            join_parts(output);
        if (!write_chunk(output, error))
            return false;
    }
    return true;
}

bool fold_output_keep(struct fold_output *output, const struct chunk_ref *ref, struct text *error)
{
    if (!flush(output, error))
        return false;
    chunk_ref_copy(ref, add_ref(output));
    return true;
}

/* Lines as members of one object. */
static void write_members(struct slice lines, struct text *state)
{
    size_t at = 0;
    while (at < lines.len) {
        const char *line = lines.data + at;
        size_t line_len = (size_t)((const char *)memchr(line, '\n', lines.len - at) - line);
        text_append_string(state, state->len > 1 ? ",\n" : "\n");
        text_append(state, line + 1, line_len - 2);
        at += line_len + 1;
    }
}

static void write_state(const struct fold_output *output, struct text *state)
{
    text_clear(state);
    text_append_char(state, '{');
    for (size_t i = 0; i < output->part_count; i++)
        write_members(text_slice(&output->parts[i].lines), state);
    text_append_string(state, output->count ? "\n}" : "}");
}

bool fold_output_finish(struct fold_output *output, struct head_base *ret_base, struct text *error)
{
    struct head_base base;
    bool fine = fits_inline(output) || flush(output, error);
    if (fine) {
        head_base_init(&base);
        if (output->chunk_count) {
            base.chunks = output->chunks;
            base.chunk_count = output->chunk_count;
            output->chunks = NULL;
            output->chunk_count = 0;
        } else {
            write_state(output, &base.state);
        }
        *ret_base = base;
    }
    fold_output_destroy(output);
    return fine;
}
