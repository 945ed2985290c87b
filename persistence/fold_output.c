/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines gather until they are twice a chunk; then chunks of at most the aim are cut off the front.
 * So a run of rewritten chunks never ends in a crumb, small neighbours grow together, and what does
 * not change twice in a row is not written twice.
 */
#include "persistence/fold_output.h"

#include "ops/mem.h"

struct fold_output {
    const struct fold_store *store;
    struct fold_options options;
    struct text lines; /* not yet written, in the form of a chunk */
    uint64_t count;    /* lines in it */
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
    text_release(&output->lines);
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

static uint64_t count_lines(struct slice body)
{
    const char *at = body.data, *end = body.data + body.len;
    uint64_t count = 0;
    while (at < end) {
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        count++;
    }
    return count;
}

/* Writes the first `len` bytes of the lines, which are whole lines, as a chunk. */
static bool write_chunk(struct fold_output *output, size_t len, struct text *error)
{
    struct slice body = slice_make(output->lines.data, len), key, member;
    struct chunk_ref *ref = add_ref(output);
    struct chunk_reader reader;
    chunk_reader_init(&reader, body);
    bool first = chunk_reader_next(&reader, &key, &member);
    assert(first);
    text_append_slice(&ref->first, key);
    chunk_reader_release(&reader);
    ref->bytes = len;
    ref->count = count_lines(body);
    sha256_digest_hex(body, ref->sha256);
    if (!output->store->write(output->store->ctx, body, ref->object, error))
        return false;
    assert(commit_object_valid(slice_of(ref->object)));
    memmove(output->lines.data, output->lines.data + len, output->lines.len - len);
    output->lines.len -= len;
    output->count -= ref->count;
    return true;
}

/* As many whole lines as the aim allows, but one at least. */
static size_t cut(const struct fold_output *output)
{
    const char *lines = output->lines.data, *newline = NULL;
    size_t len = output->lines.len;
    if (len > output->options.chunk_size)
        newline = memrchr(lines, '\n', output->options.chunk_size);
    if (!newline)
        newline = memchr(lines, '\n', len);
    return (size_t)(newline - lines) + 1;
}

/* What the lines would take as an inline state: a comma for two braces, and the outer ones. */
static size_t inline_len(const struct fold_output *output)
{
    return output->count ? output->lines.len - output->count + 2 : 2;
}

static bool fits_inline(const struct fold_output *output)
{
    return output->chunk_count == 0 && inline_len(output) <= output->options.inline_limit;
}

bool fold_output_add(struct fold_output *output, struct slice key, struct slice member,
                     struct text *error)
{
    char *to = text_reserve(&output->lines, member.len + 3);
    (void)key;
    to[0] = '{';
    memcpy(to + 1, member.data, member.len);
    to[member.len + 1] = '}';
    to[member.len + 2] = '\n';
    output->lines.len += member.len + 3;
    output->count++;
    while (output->lines.len > 2 * output->options.chunk_size && !fits_inline(output))
        if (!write_chunk(output, cut(output), error))
            return false;
    return true;
}

/* No chunk passes twice the aim, but what stood ready to be inline may. */
static bool flush(struct fold_output *output, struct text *error)
{
    while (output->lines.len) {
        bool all = output->lines.len <= 2 * output->options.chunk_size;
        if (!write_chunk(output, all ? output->lines.len : cut(output), error))
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

/* Lines as the members of one object. */
static void write_state(const struct fold_output *output, struct text *state)
{
    size_t at = 0, len = output->lines.len;
    text_clear(state);
    text_append_char(state, '{');
    while (at < len) {
        const char *line = output->lines.data + at;
        size_t line_len = (size_t)((const char *)memchr(line, '\n', len - at) - line);
        text_append_string(state, at ? ",\n" : "\n");
        text_append(state, line + 1, line_len - 2);
        at += line_len + 1;
    }
    text_append_string(state, len ? "\n}" : "}");
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
