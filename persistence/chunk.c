/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A line of a chunk is found by its newline, which no JSON string holds as it stands; of a line
 * that is only copied, no more than the key is parsed.
 */
#include "persistence/chunk.h"

#include "persistence/commit-internal.h"
#include "persistence/value_json.h"

void chunk_ref_release(struct chunk_ref *ref)
{
    text_release(&ref->first);
    *ref = (struct chunk_ref){0};
}

void chunk_ref_copy(const struct chunk_ref *from, struct chunk_ref *to)
{
    *to = *from;
    text_init(&to->first);
    text_append_slice(&to->first, text_slice(&from->first));
}

/* A member of an object whose braces are the caller's, up to its value. */
static struct json_writer begin_member(struct text *out, struct slice key)
{
    struct json_writer writer = {.out = out, .objects = 1, .depth = 1};
    json_write_name(&writer, key);
    return writer;
}

void chunk_member_encode(struct text *out, struct slice key, const struct entry *entry)
{
    struct json_writer writer = begin_member(out, key);
    value_json_write(&writer, entry, entry_expires(entry));
}

void chunk_member_encode_string(struct text *out, struct slice key, struct slice string)
{
    struct json_writer writer = begin_member(out, key);
    json_write_scalar(&writer, string);
}

bool chunk_check(const struct chunk_ref *ref, struct slice body, struct text *error)
{
    return commit_check_object(ref->object, body, ref->bytes, ref->sha256, error);
}

static void reader_init(struct chunk_reader *reader, struct slice input)
{
    if (input.len == 0)
        input.data = "";
    *reader = (struct chunk_reader){.input = input, .at = input.data};
}

void chunk_reader_init(struct chunk_reader *reader, struct slice body)
{
    reader_init(reader, body);
}

void chunk_reader_init_state(struct chunk_reader *reader, struct slice state)
{
    reader_init(reader, state);
    reader->state = true;
    json_reader_init(&reader->json, state, &reader->unescaped[0]);
    json_expect_object(&reader->json);
}

/* The JSON reader's error, at its place in the whole input. */
static bool fail_json(struct chunk_reader *reader)
{
    size_t base = (size_t)(reader->json.start - reader->input.data);
    reader->failed = true;
    if (base)
        text_append_format(&reader->error, "line at byte %zu: ", base);
    text_append_string(&reader->error, json_reader_error(&reader->json));
    return false;
}

/* The next line into the JSON reader, up to its value. */
static bool open_line(struct chunk_reader *reader, struct slice *ret_key, struct slice *ret_line)
{
    const char *end = reader->input.data + reader->input.len;
    if (reader->at == end)
        return false;
    const char *newline = memchr(reader->at, '\n', (size_t)(end - reader->at));
    size_t len = newline ? (size_t)(newline - reader->at) : (size_t)(end - reader->at);
    /* The last key stays where it is until this one has been compared with it. */
    struct text *unescaped = &reader->unescaped[reader->count & 1];
    text_clear(unescaped);
    *ret_line = slice_make(reader->at, len);
    json_reader_init(&reader->json, *ret_line, unescaped);
    reader->at = newline ? newline + 1 : end;
    if (!newline || len < 2 || ret_line->data[0] != '{' || ret_line->data[len - 1] != '}')
        json_reader_fail(&reader->json, "not a whole line");
    if (!json_expect_member(&reader->json, ret_key)) {
        json_reader_fail(&reader->json, "a line without a key");
        return fail_json(reader);
    }
    return true;
}

/* Up to the next value, keys checked to rise. False at the end and on error. */
static bool open_member(struct chunk_reader *reader, struct slice *ret_line)
{
    struct slice key;
    if (reader->failed)
        return false;
    if (!reader->state) {
        if (!open_line(reader, &key, ret_line))
            return false;
    } else if (!json_next_name(&reader->json, &key)) {
        if (json_reader_failed(&reader->json) || !json_expect_end(&reader->json))
            fail_json(reader);
        return false;
    }
    if (reader->count && slice_compare(reader->key, key) >= 0) {
        json_reader_fail(&reader->json, "keys are not in rising order");
        return fail_json(reader);
    }
    reader->key = key;
    reader->count++;
    return true;
}

bool chunk_reader_next(struct chunk_reader *reader, struct slice *ret_key, struct slice *ret_member)
{
    struct slice line, value;
    if (!open_member(reader, &line))
        return false;
    if (reader->state) {
        const char *from = reader->json.start + json_reader_offset(&reader->json);
        if (!json_skip_value(&reader->json, &value))
            return fail_json(reader);
        *ret_member = slice_make(from, (size_t)(value.data + value.len - from));
    } else {
        *ret_member = slice_make(line.data + 1, line.len - 2);
    }
    *ret_key = reader->key;
    return true;
}

bool chunk_reader_failed(const struct chunk_reader *reader, struct text *error)
{
    if (reader->failed)
        text_append_slice(error, text_slice(&reader->error));
    return reader->failed;
}

void chunk_reader_release(struct chunk_reader *reader)
{
    text_release(&reader->unescaped[0]);
    text_release(&reader->unescaped[1]);
    text_release(&reader->error);
}

struct entry *chunk_member_decode(struct slice member, struct text *error)
{
    struct text object = {0}, unescaped = {0};
    struct entry *entry = NULL;
    struct json_reader reader;
    struct slice key, more;
    char *to = text_reserve(&object, member.len + 2);
    *to = '{';
    memcpy(to + 1, member.data, member.len);
    to[member.len + 1] = '}';
    json_reader_init(&reader, slice_make(to, member.len + 2), &unescaped);
    if (json_expect_member(&reader, &key))
        entry = value_json_read(&reader, key);
    if (entry && (json_next_name(&reader, &more) || !json_expect_end(&reader))) {
        json_reader_fail(&reader, "more than one key");
        entry_destroy(entry);
        entry = NULL;
    }
    if (!entry)
        text_append_string(error, json_reader_error(&reader));
    text_release(&object);
    text_release(&unescaped);
    return entry;
}

/* The value that comes next, and the end of its line. */
static struct entry *read_entry(struct chunk_reader *reader)
{
    struct slice more;
    struct entry *entry = value_json_read(&reader->json, reader->key);
    if (!entry) {
        fail_json(reader);
        return NULL;
    }
    if (!reader->state &&
        (json_next_name(&reader->json, &more) || !json_expect_end(&reader->json))) {
        json_reader_fail(&reader->json, "more than one key in a line");
        fail_json(reader);
        entry_destroy(entry);
        return NULL;
    }
    return entry;
}

/* The JSON reader still stands before the value, but in a state, where it has passed it. */
struct entry *chunk_reader_decode(struct chunk_reader *reader, struct slice member,
                                  struct text *error)
{
    if (reader->state)
        return chunk_member_decode(member, error);
    struct entry *entry = read_entry(reader);
    if (!entry)
        chunk_reader_failed(reader, error);
    return entry;
}

/* `what` is the name for errors. */
static bool load(struct chunk_reader *reader, const char *what, chunk_visit *visit, void *ctx,
                 struct text *error)
{
    struct slice line;
    struct entry *entry;
    while (open_member(reader, &line) && (entry = read_entry(reader)))
        visit(ctx, entry);
    if (!reader->failed)
        return true;
    text_append_format(error, "%s: ", what);
    chunk_reader_failed(reader, error);
    return false;
}

bool chunk_load(const struct chunk_ref *ref, struct slice body, chunk_visit *visit, void *ctx,
                struct text *error)
{
    struct chunk_reader reader;
    if (!chunk_check(ref, body, error))
        return false;
    chunk_reader_init(&reader, body);
    bool whole = load(&reader, ref->object, visit, ctx, error);
    if (whole && reader.count != ref->count) {
        text_append_format(error, "%s has %llu keys, the head says %llu", ref->object,
                           (unsigned long long)reader.count, (unsigned long long)ref->count);
        whole = false;
    }
    chunk_reader_release(&reader);
    return whole;
}

bool chunk_load_state(struct slice state, chunk_visit *visit, void *ctx, struct text *error)
{
    struct chunk_reader reader;
    chunk_reader_init_state(&reader, state);
    bool whole = load(&reader, "state", visit, ctx, error);
    chunk_reader_release(&reader);
    return whole;
}
