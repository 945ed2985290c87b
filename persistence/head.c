/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The document is put together from texts that are kept as they stood. Its last member is a sha256
 * over all bytes before it, at a fixed distance from the end, so that damage is found before any of
 * it is believed.
 */
#include "persistence/head.h"

#include <stdio.h>

#include "ops/mem.h"
#include "persistence/commit-internal.h"

/* The end of the document: `"sum":"` 64 digits `"}` newline. */
#define SUM_NAME  "\"sum\":\""
#define SUM_CLOSE "\"}\n"
#define SUM_SIZE  (sizeof(SUM_NAME) - 1 + SHA256_HEX_SIZE - 1 + sizeof(SUM_CLOSE) - 1)

void head_base_init(struct head_base *base)
{
    *base = (struct head_base){0};
    memcpy(base->hash, commit_hash_zero, sizeof(base->hash));
    text_append_string(&base->state, "{}");
}

void head_base_release(struct head_base *base)
{
    for (size_t i = 0; i < base->chunk_count; i++)
        chunk_ref_release(&base->chunks[i]);
    mem_free(base->chunks);
    text_release(&base->state);
    *base = (struct head_base){0};
}

void head_init(struct head *head, struct slice namespace)
{
    *head = (struct head){0};
    assert(namespace.len && namespace.len <= NAMESPACE_NAME_MAX);
    memcpy(head->namespace, namespace.data, namespace.len);
    memcpy(head->hash, commit_hash_zero, sizeof(head->hash));
    head_base_init(&head->base);
}

void head_release(struct head *head)
{
    head_base_release(&head->base);
    for (size_t i = 0; i < head->run_count; i++)
        head_run_release(&head->runs[i]);
    mem_free(head->runs);
    for (size_t i = 0; i < head->tail_count; i++)
        commit_release(&head->tail[i]);
    mem_free(head->tail);
    mem_free(head->replicas);
    *head = (struct head){0};
}

static void encode_chunks(const struct head_base *base, struct text *out)
{
    text_append_string(out, "\"chunks\":[");
    for (size_t i = 0; i < base->chunk_count; i++) {
        const struct chunk_ref *ref = &base->chunks[i];
        struct json_writer writer;
        text_append_string(out, i ? ",\n" : "\n");
        json_writer_init(&writer, out);
        json_begin_object(&writer);
        commit_write_string(&writer, "object", ref->object);
        json_write_field(&writer, "first");
        json_write_bytes(&writer, text_slice(&ref->first));
        commit_write_number(&writer, "count", ref->count);
        commit_write_number(&writer, "bytes", ref->bytes);
        commit_write_string(&writer, "sha256", ref->sha256);
        json_end_object(&writer);
    }
    text_append_string(out, "\n]");
}

static void encode_base(const struct head_base *base, struct text *out)
{
    text_append_format(out, ",\n\"base\":{\"position\":%llu,\"hash\":\"%s\",\"time\":%lld,",
                       (unsigned long long)base->position, base->hash, (long long)base->time);
    if (base->chunk_count) {
        encode_chunks(base, out);
    } else {
        text_append_string(out, "\"state\":");
        text_append_slice(out, text_slice(&base->state));
    }
    text_append_char(out, '}');
}

static void encode_run(const struct head_run *run, struct text *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    commit_write_string(&writer, "object", run->object);
    commit_write_number(&writer, "position", run->position);
    commit_write_string(&writer, "hash", run->hash);
    commit_write_number(&writer, "bytes", run->bytes);
    if (run->segment_count) {
        commit_write_number(&writer, "segment_bytes", run->segment_bytes);
        json_write_field(&writer, "segments");
        json_begin_array(&writer);
        for (size_t i = 0; i < run->segment_count; i++)
            json_write_string(&writer, run->segments[i]);
        json_end_array(&writer);
    }
    json_end_object(&writer);
}

static void encode_tail(const struct head *head, struct text *out)
{
    uint64_t end = head_runs_end(head);
    bool any = false;
    if (head->run_count)
        text_append_string(out, ",\n\"runs\":[");
    for (size_t i = 0; i < head->run_count; i++) {
        text_append_string(out, i ? ",\n" : "\n");
        encode_run(&head->runs[i], out);
    }
    text_append_string(out, head->run_count ? "\n],\n\"tail\":[" : ",\n\"tail\":[");
    for (size_t i = 0; i < head->tail_count; i++) {
        if (head->tail[i].position <= end)
            continue;
        text_append_string(out, any ? ",\n" : "\n");
        text_append_slice(out, text_slice(&head->tail[i].text));
        any = true;
    }
    text_append_string(out, any ? "\n]" : "]");
}

static void encode_replicas(const struct head *head, struct text *out)
{
    text_append_string(out, ",\n\"replicas\":{");
    for (size_t i = 0; i < head->replica_count; i++) {
        const struct head_replica *replica = &head->replicas[i];
        text_append_format(out, "%s\n\"%s\":{\"op\":%llu", i ? "," : "", replica->name,
                           (unsigned long long)replica->op);
        if (replica->position)
            text_append_format(out, ",\"position\":%llu", (unsigned long long)replica->position);
        if (replica->time)
            text_append_format(out, ",\"time\":%lld", (long long)replica->time);
        text_append_char(out, '}');
    }
    text_append_string(out, head->replica_count ? "\n}" : "}");
    if (head->expired)
        text_append_format(out, ",\n\"expired\":%llu", (unsigned long long)head->expired);
}

void head_encode(const struct head *head, struct text *out)
{
    char sum[SHA256_HEX_SIZE];
    size_t begin = out->len;
    assert(head_runs_end(head) + head->tail_count >= head->position);
    text_append_format(out, "{\"format\":%d,\"namespace\":\"%s\",\"position\":%llu,\"hash\":\"%s\"",
                       COMMIT_FORMAT, head->namespace, (unsigned long long)head->position,
                       head->hash);
    encode_base(&head->base, out);
    encode_tail(head, out);
    encode_replicas(head, out);
    text_append_string(out, ",\n");
    sha256_digest_hex(slice_make(out->data + begin, out->len - begin), sum);
    text_append_format(out, SUM_NAME "%s" SUM_CLOSE, sum);
}

/* A newer format may keep its sum elsewhere, so it is asked for before the sum. */
static bool check_format(struct slice body, struct text *error)
{
    static const char begin[] = "{\"format\":";
    const size_t len = sizeof(begin) - 1;
    struct json_reader reader;
    struct text scratch = {0};
    if (body.len < len || memcmp(body.data, begin, len) != 0) {
        text_append_string(error, "not a head: it does not begin with a format");
        return false;
    }
    json_reader_init(&reader, slice_make(body.data + len, body.len - len), &scratch);
    if (!commit_read_format(&reader))
        text_append_string(error, json_reader_error(&reader));
    text_release(&scratch);
    return !json_reader_failed(&reader);
}

static bool check_sum(struct slice body, struct text *error)
{
    char sum[SHA256_HEX_SIZE], end[SUM_SIZE + 1];
    if (body.len > SUM_SIZE) {
        sha256_digest_hex(slice_make(body.data, body.len - SUM_SIZE), sum);
        snprintf(end, sizeof(end), SUM_NAME "%s" SUM_CLOSE, sum);
        if (memcmp(body.data + body.len - SUM_SIZE, end, SUM_SIZE) == 0)
            return true;
    }
    text_append_format(error,
                       "damaged or edited by hand: its %zu bytes do not agree with its sum "
                       "(use --export and --import to change a namespace)",
                       body.len);
    return false;
}

static unsigned bit_of(struct slice name, const char *const *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (slice_equal(name, slice_of(names[i])))
            return 1u << i;
    return 0;
}

/* The next member of an object whose members are all known and come once. */
static bool next_member(struct json_reader *reader, const char *const *names, unsigned count,
                        unsigned *seen, unsigned *ret_bit)
{
    struct slice name;
    if (!json_next_name(reader, &name))
        return false;
    *ret_bit = bit_of(name, names, count);
    if (!*ret_bit)
        return json_reader_fail(reader, "unknown member");
    return commit_read_once(reader, seen, *ret_bit);
}

static bool expect_members(struct json_reader *reader, unsigned seen, unsigned wanted)
{
    if (json_reader_failed(reader))
        return false;
    return seen == wanted || json_reader_fail(reader, "members are missing");
}

enum { CHUNK_OBJECT = 1, CHUNK_FIRST = 2, CHUNK_COUNT = 4, CHUNK_BYTES = 8, CHUNK_SHA256 = 16 };

static bool read_chunk(struct json_reader *reader, struct chunk_ref *ref)
{
    static const char *const names[] = {"object", "first", "count", "bytes", "sha256"};
    unsigned seen = 0, bit;
    struct slice first;
    if (!json_expect_object(reader))
        return false;
    while (next_member(reader, names, 5, &seen, &bit)) {
        if (bit == CHUNK_OBJECT)
            commit_read_name(reader, commit_object_valid, ref->object, sizeof(ref->object));
        else if (bit == CHUNK_FIRST && json_read_bytes(reader, &first))
            text_append_slice(&ref->first, first);
        else if (bit == CHUNK_COUNT)
            commit_read_number(reader, &ref->count);
        else if (bit == CHUNK_BYTES)
            commit_read_number(reader, &ref->bytes);
        else if (bit == CHUNK_SHA256)
            commit_read_name(reader, commit_hex_valid, ref->sha256, sizeof(ref->sha256));
    }
    return expect_members(reader, seen, 31);
}

static void read_chunks(struct json_reader *reader, struct head_base *base)
{
    size_t cap = 0;
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader)) {
        if (base->chunk_count == cap) {
            cap = cap ? cap * 2 : 16;
            base->chunks = mem_realloc(base->chunks, cap * sizeof(*base->chunks));
        }
        struct chunk_ref *ref = &base->chunks[base->chunk_count++];
        *ref = (struct chunk_ref){0};
        if (!read_chunk(reader, ref))
            return;
        if (base->chunk_count > 1 &&
            slice_compare(text_slice(&ref[-1].first), text_slice(&ref->first)) >= 0)
            json_reader_fail(reader, "chunks are not in rising order");
    }
    if (!json_reader_failed(reader) && base->chunk_count == 0)
        json_reader_fail(reader, "no chunks: an empty state is an empty object");
}

enum { BASE_POSITION = 1, BASE_HASH = 2, BASE_TIME = 4, BASE_STATE = 8, BASE_CHUNKS = 16 };

static void read_base(struct json_reader *reader, struct head_base *base)
{
    static const char *const names[] = {"position", "hash", "time", "state", "chunks"};
    unsigned seen = 0, bit;
    struct slice state;
    if (!json_expect_object(reader))
        return;
    while (next_member(reader, names, 5, &seen, &bit)) {
        if (bit == BASE_POSITION)
            commit_read_number(reader, &base->position);
        else if (bit == BASE_HASH)
            commit_read_name(reader, commit_hex_valid, base->hash, sizeof(base->hash));
        else if (bit == BASE_TIME)
            json_expect_int64(reader, &base->time);
        else if (bit == BASE_STATE && json_skip_value(reader, &state))
            text_append_slice(&base->state, state);
        else if (bit == BASE_CHUNKS)
            read_chunks(reader, base);
    }
    if (json_reader_failed(reader))
        return;
    unsigned always = BASE_POSITION | BASE_HASH | BASE_TIME;
    if (seen != (always | BASE_STATE) && seen != (always | BASE_CHUNKS))
        json_reader_fail(reader, "a base needs a position, a hash, a time, and state or chunks");
}

enum {
    RUN_OBJECT = 1,
    RUN_POSITION = 2,
    RUN_HASH = 4,
    RUN_BYTES = 8,
    RUN_SEGMENT_BYTES = 16,
    RUN_SEGMENTS = 32,
    RUN_PLAIN = 15,
    RUN_ALL = 63,
};

static void read_segments(struct json_reader *reader, struct head_run *run)
{
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader)) {
        size_t n = run->segment_count++;
        if ((n & (n - 1)) == 0)
            run->segments = mem_realloc(run->segments, (n ? 2 * n : 1) * sizeof(*run->segments));
        commit_read_name(reader, commit_object_valid, run->segments[n], sizeof(*run->segments));
    }
    if (!json_reader_failed(reader) && run->segment_count == 0)
        json_reader_fail(reader, "no segments: then the member is left out");
}

static bool read_run(struct json_reader *reader, struct head_run *run)
{
    static const char *const names[] = {"object", "position",      "hash",
                                        "bytes",  "segment_bytes", "segments"};
    unsigned seen = 0, bit;
    if (!json_expect_object(reader))
        return false;
    while (next_member(reader, names, 6, &seen, &bit)) {
        if (bit == RUN_OBJECT)
            commit_read_name(reader, commit_object_valid, run->object, sizeof(run->object));
        else if (bit == RUN_POSITION)
            commit_read_number(reader, &run->position);
        else if (bit == RUN_HASH)
            commit_read_name(reader, commit_hex_valid, run->hash, sizeof(run->hash));
        else if (bit == RUN_BYTES)
            commit_read_number(reader, &run->bytes);
        else if (bit == RUN_SEGMENT_BYTES)
            commit_read_number(reader, &run->segment_bytes);
        else if (bit == RUN_SEGMENTS)
            read_segments(reader, run);
    }
    return expect_members(reader, seen, seen & RUN_SEGMENTS ? RUN_ALL : RUN_PLAIN);
}

static void read_runs(struct json_reader *reader, struct head *head)
{
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader)) {
        size_t n = head->run_count++;
        if ((n & (n - 1)) == 0)
            head->runs = mem_realloc(head->runs, (n ? 2 * n : 1) * sizeof(*head->runs));
        head->runs[n] = (struct head_run){0};
        if (!read_run(reader, &head->runs[n]))
            return;
    }
    if (!json_reader_failed(reader) && head->run_count == 0)
        json_reader_fail(reader, "no runs: then the member is left out");
}

static struct commit *tail_room(struct head *head)
{
    if (head->tail_count == head->tail_cap) {
        head->tail_cap = head->tail_cap ? head->tail_cap * 2 : 16;
        head->tail = mem_realloc(head->tail, head->tail_cap * sizeof(*head->tail));
    }
    return &head->tail[head->tail_count];
}

static void read_tail(struct json_reader *reader, struct head *head)
{
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader))
        if (commit_read(reader, tail_room(head)))
            head->tail_count++;
}

/* Where `name` is, or where it would be. */
static size_t replica_place(const struct head *head, struct slice name, bool *ret_found)
{
    size_t low = 0, high = head->replica_count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(slice_of(head->replicas[middle].name), name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* None of that name may be there yet. */
static struct head_replica *add_replica(struct head *head, struct slice name)
{
    bool found;
    size_t place = replica_place(head, name, &found), size = sizeof(*head->replicas);
    assert(commit_replica_valid(name) && !found);
    head->replicas = mem_realloc(head->replicas, (head->replica_count + 1) * size);
    struct head_replica *replica = &head->replicas[place];
    memmove(replica + 1, replica, (head->replica_count - place) * size);
    head->replica_count++;
    *replica = (struct head_replica){.op = 0};
    memcpy(replica->name, name.data, name.len);
    return replica;
}

enum { REPLICA_OP = 1, REPLICA_POSITION = 2, REPLICA_TIME = 4 };

/* `op` alone must be there: position and time may be unknown (docs/format.md). */
static bool read_replica(struct json_reader *reader, struct head_replica *replica)
{
    static const char *const names[] = {"op", "position", "time"};
    unsigned seen = 0, bit;
    if (!json_expect_object(reader))
        return false;
    while (next_member(reader, names, 3, &seen, &bit)) {
        if (bit == REPLICA_OP)
            commit_read_number(reader, &replica->op);
        else if (bit == REPLICA_POSITION)
            commit_read_number(reader, &replica->position);
        else if (bit == REPLICA_TIME)
            json_expect_int64(reader, &replica->time);
    }
    return expect_members(reader, seen & REPLICA_OP, REPLICA_OP);
}

static void read_replicas(struct json_reader *reader, struct head *head)
{
    struct slice name;
    if (!json_expect_object(reader))
        return;
    while (json_next_name(reader, &name)) {
        if (!commit_replica_valid(name)) {
            json_reader_fail(reader, "not the name of a replica");
            return;
        }
        size_t count = head->replica_count;
        if (count && slice_compare(slice_of(head->replicas[count - 1].name), name) >= 0)
            json_reader_fail(reader, "replicas are not in rising order");
        if (json_reader_failed(reader) || !read_replica(reader, add_replica(head, name)))
            return;
    }
}

static void read_namespace(struct json_reader *reader, struct slice namespace, struct head *head)
{
    struct slice name;
    if (!json_expect_string(reader, &name))
        return;
    if (!slice_equal(name, namespace))
        json_reader_fail(reader, "the head of another namespace");
    else
        memcpy(head->namespace, name.data, name.len);
}

/* From any position that is taken there is room to go on. */
static void read_position(struct json_reader *reader, struct head *head)
{
    if (commit_read_number(reader, &head->position) && head->position > COMMIT_TAKEN_MAX)
        json_reader_fail(reader, "a position above 2^52");
}

enum {
    HEAD_FORMAT = 1 << 0,
    HEAD_NAMESPACE = 1 << 1,
    HEAD_POSITION = 1 << 2,
    HEAD_HASH = 1 << 3,
    HEAD_BASE = 1 << 4,
    HEAD_TAIL = 1 << 5,
    HEAD_REPLICAS = 1 << 6,
    HEAD_SUM = 1 << 7,
    HEAD_ALL = (1 << 8) - 1,
    HEAD_EXPIRED = 1 << 8, /* not always there, nor is the next */
    HEAD_RUNS = 1 << 9,
};

static void read_member(struct json_reader *reader, unsigned bit, struct slice namespace,
                        struct head *head)
{
    switch (bit) {
    case HEAD_FORMAT: commit_read_format(reader); break;
    case HEAD_NAMESPACE: read_namespace(reader, namespace, head); break;
    case HEAD_POSITION: read_position(reader, head); break;
    case HEAD_HASH:
        commit_read_name(reader, commit_hex_valid, head->hash, sizeof(head->hash));
        break;
    case HEAD_BASE: read_base(reader, &head->base); break;
    case HEAD_TAIL: read_tail(reader, head); break;
    case HEAD_REPLICAS: read_replicas(reader, head); break;
    case HEAD_SUM: json_skip_value(reader, NULL); break;
    case HEAD_EXPIRED: commit_read_number(reader, &head->expired); break;
    case HEAD_RUNS: read_runs(reader, head); break;
    }
}

static void read_head(struct json_reader *reader, struct slice namespace, struct head *head)
{
    static const char *const names[] = {"format", "namespace", "position", "hash",    "base",
                                        "tail",   "replicas",  "sum",      "expired", "runs"};
    unsigned seen = 0, bit;
    if (!json_expect_object(reader))
        return;
    while (next_member(reader, names, 10, &seen, &bit))
        read_member(reader, bit, namespace, head);
    if (expect_members(reader, seen & HEAD_ALL, HEAD_ALL))
        json_expect_end(reader);
}

uint64_t head_runs_end(const struct head *head)
{
    return head->run_count ? head->runs[head->run_count - 1].position : head->base.position;
}

/* The hash that the document itself has for a position. */
static const char *written_hash(const struct head *head, uint64_t position)
{
    if (position == head->base.position)
        return head->base.hash;
    for (size_t i = 0; i < head->run_count; i++)
        if (head->runs[i].position == position)
            return head->runs[i].hash;
    return NULL;
}

bool head_hash_at(const struct head *head, uint64_t position, char out[SHA256_HEX_SIZE])
{
    uint64_t begin = head->position - head->tail_count;
    const char *hash = written_hash(head, position);
    if (position < head->base.position || position > head->position || (!hash && position < begin))
        return false;
    if (hash) {
        memmove(out, hash, SHA256_HEX_SIZE);
        return true;
    }
    memcpy(out, written_hash(head, begin), SHA256_HEX_SIZE);
    for (uint64_t i = 0; i < position - begin; i++)
        commit_chain(out, text_slice(&head->tail[i].text), out);
    return true;
}

uint64_t head_boundary(const struct head *head, uint64_t position)
{
    size_t i = head->run_count;
    if (position >= head_runs_end(head))
        return position;
    while (i > 0 && head->runs[i - 1].position > position)
        i--;
    return i > 0 ? head->runs[i - 1].position : head->base.position;
}

/* Positions rise without gap from the base over the runs to the end of the tail; says where each
 * run begins. */
static bool check_positions(struct head *head, struct text *error)
{
    static const char wrong[] = "positions of the tail are not those from base to head";
    uint64_t due = head->base.position + 1;
    for (size_t i = 0; i < head->run_count; i++) {
        struct head_run *run = &head->runs[i];
        if (run->position < due) {
            text_append_format(error, "%s: a run ends at %llu where %llu is due", wrong,
                               (unsigned long long)run->position, (unsigned long long)due);
            return false;
        }
        run->from = due - 1;
        due = run->position + 1;
    }
    for (size_t i = 0; i < head->tail_count; i++, due++) {
        if (head->tail[i].position == due)
            continue;
        text_append_format(error, "%s: %llu stands where %llu is due", wrong,
                           (unsigned long long)head->tail[i].position, (unsigned long long)due);
        return false;
    }
    if (due == head->position + 1)
        return true;
    text_append_format(error, "%s: they end before %llu, the head is at %llu", wrong,
                       (unsigned long long)due, (unsigned long long)head->position);
    return false;
}

static bool check_chain(struct head *head, struct text *error)
{
    char hash[SHA256_HEX_SIZE];
    if (!check_positions(head, error))
        return false;
    if (head_hash_at(head, head->position, hash) && strcmp(hash, head->hash) == 0)
        return true;
    text_append_format(error,
                       "the chain of hashes does not end in the head's hash: a commit after "
                       "position %llu is not the one that was made",
                       (unsigned long long)head->base.position);
    return false;
}

bool head_decode(struct slice body, struct slice namespace, struct head *ret_head,
                 struct text *error)
{
    struct json_reader reader;
    struct text scratch = {0};
    struct head head = {0};
    assert(namespace.len && namespace.len <= NAMESPACE_NAME_MAX);
    if (!check_format(body, error) || !check_sum(body, error))
        return false;
    json_reader_init(&reader, body, &scratch);
    read_head(&reader, namespace, &head);
    bool whole = !json_reader_failed(&reader);
    if (!whole)
        text_append_string(error, json_reader_error(&reader));
    whole = whole && check_chain(&head, error);
    if (whole)
        *ret_head = head;
    else
        head_release(&head);
    text_release(&scratch);
    return whole;
}

size_t head_tail_bytes(const struct head *head)
{
    size_t bytes = 0;
    uint64_t end = head_runs_end(head);
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].position > end)
            bytes += head->tail[i].text.len + 2;
    return bytes;
}

void head_append(struct head *head, struct commit *commit)
{
    assert(commit->position == head->position + 1 && commit->text.len);
    commit_chain(head->hash, text_slice(&commit->text), head->hash);
    head_set_replica(head, slice_of(commit->replica), commit->first + commit->count - 1);
    head->position++;
    head_replica(head, slice_of(commit->replica))->position = head->position;
    *tail_room(head) = *commit;
    head->tail_count++;
    *commit = (struct commit){0};
}

struct head_replica *head_replica(const struct head *head, struct slice name)
{
    bool found;
    size_t place = replica_place(head, name, &found);
    return found ? &head->replicas[place] : NULL;
}

uint64_t head_replica_op(const struct head *head, struct slice name)
{
    const struct head_replica *replica = head_replica(head, name);
    return replica ? replica->op : 0;
}

void head_set_replica(struct head *head, struct slice name, uint64_t op)
{
    struct head_replica *replica = head_replica(head, name);
    assert(op <= COMMIT_NUMBER_MAX);
    if (!replica)
        replica = add_replica(head, name);
    replica->op = op;
}

void head_drop_replica(struct head *head, struct slice name)
{
    bool found;
    size_t place = replica_place(head, name, &found);
    if (!found)
        return;
    head->replica_count--;
    memmove(head->replicas + place, head->replicas + place + 1,
            (head->replica_count - place) * sizeof(*head->replicas));
}

void head_expire_replica(struct head *head, struct slice name)
{
    const struct head_replica *replica = head_replica(head, name);
    if (!replica)
        return;
    uint64_t last = replica->position ? replica->position : head->base.position;
    if (last > head->expired)
        head->expired = last;
    head_drop_replica(head, name);
}

void head_run_release(struct head_run *run)
{
    mem_free(run->segments);
    *run = (struct head_run){0};
}

void head_drop_tail(struct head *head, uint64_t position)
{
    uint64_t begin = head->position - head->tail_count;
    size_t gone = position > begin ? position - begin : 0;
    for (size_t i = 0; i < gone; i++)
        commit_release(&head->tail[i]);
    head->tail_count -= gone;
    if (gone && head->tail_count)
        memmove(head->tail, head->tail + gone, head->tail_count * sizeof(*head->tail));
}

/* Takes the runs from `first` to before `end` away. */
static void cut_runs(struct head *head, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        head_run_release(&head->runs[i]);
    if (end < head->run_count)
        memmove(head->runs + first, head->runs + end,
                (head->run_count - end) * sizeof(*head->runs));
    head->run_count -= end - first;
}

bool head_place_run(struct head *head, struct head_run *run)
{
    char hash[SHA256_HEX_SIZE];
    size_t first = 0, end;
    while (first < head->run_count && head->runs[first].from < run->from)
        first++;
    for (end = first; end < head->run_count && head->runs[end].position <= run->position;)
        end++;
    uint64_t begin = first ? head->runs[first - 1].position : head->base.position;
    if (begin != run->from || run->position <= run->from ||
        !head_hash_at(head, run->position, hash) || strcmp(hash, run->hash) != 0)
        return false;
    cut_runs(head, first, end);
    head->runs = mem_realloc(head->runs, (head->run_count + 1) * sizeof(*head->runs));
    memmove(head->runs + first + 1, head->runs + first,
            (head->run_count - first) * sizeof(*head->runs));
    head->runs[first] = *run;
    head->run_count++;
    *run = (struct head_run){0};
    head_drop_tail(head, head_runs_end(head));
    return true;
}

bool head_rebase(struct head *head, struct head_base *base)
{
    char hash[SHA256_HEX_SIZE];
    if (!head_hash_at(head, base->position, hash) || strcmp(hash, base->hash) != 0)
        return false;
    size_t gone = 0;
    while (gone < head->run_count && head->runs[gone].position <= base->position)
        gone++;
    cut_runs(head, 0, gone);
    head_drop_tail(head, base->position);
    head_base_release(&head->base);
    head->base = *base;
    *base = (struct head_base){0};
    return true;
}
