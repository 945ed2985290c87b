/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tail entries and segments. Their texts are laid out for people: one op a line. Readers take any
 * layout, since what guards the bytes is the head's sum and the sha256 of each object.
 */
#include "persistence/commit.h"

#include "ops/apply.h"
#include "persistence/commit-internal.h"
#include "persistence/op_json.h"

#define SUM_STEP ((size_t)16 * 1024) /* is in the first cache still */

const char commit_hash_zero[SHA256_HEX_SIZE] =
    "0000000000000000000000000000000000000000000000000000000000000000";

bool commit_object_valid(struct slice name)
{
    if (name.len == 0 || name.len >= COMMIT_OBJECT_SIZE || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i], lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' &&
            c != '-')
            return false;
    }
    return true;
}

bool commit_replica_valid(struct slice name)
{
    static const char tag[] = "base64:";
    if (name.len == 0 || name.len >= COMMIT_REPLICA_SIZE)
        return false;
    if (name.len >= sizeof(tag) - 1 && memcmp(name.data, tag, sizeof(tag) - 1) == 0)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == '"' ||
            name.data[i] == '\\')
            return false;
    return true;
}

bool commit_hex_valid(struct slice hex)
{
    if (hex.len != SHA256_HEX_SIZE - 1)
        return false;
    for (size_t i = 0; i < hex.len; i++)
        if (!(hex.data[i] >= '0' && hex.data[i] <= '9') &&
            !(hex.data[i] >= 'a' && hex.data[i] <= 'f'))
            return false;
    return true;
}

bool commit_read_number(struct json_reader *reader, uint64_t *ret_number)
{
    int64_t number;
    if (!json_expect_int64(reader, &number))
        return false;
    if (number < 0 || (uint64_t)number > COMMIT_NUMBER_MAX)
        return json_reader_fail(reader, "number out of range");
    *ret_number = (uint64_t)number;
    return true;
}

bool commit_read_name(struct json_reader *reader, bool (*valid)(struct slice name), char *out,
                      size_t cap)
{
    struct slice name;
    if (!json_expect_string(reader, &name))
        return false;
    if (!valid(name) || name.len >= cap)
        return json_reader_fail(reader, "not a valid name or hash");
    memcpy(out, name.data, name.len);
    out[name.len] = '\0';
    return true;
}

bool commit_read_format(struct json_reader *reader)
{
    uint64_t format = 0;
    if (!commit_read_number(reader, &format))
        return false;
    if (format == COMMIT_FORMAT)
        return true;
    return json_reader_fail(
        reader, "written by a newer cairn: format %llu, this one reads up to %d; upgrade cairn",
        (unsigned long long)format, COMMIT_FORMAT);
}

void commit_write_number(struct json_writer *writer, const char *name, uint64_t number)
{
    assert(number <= COMMIT_NUMBER_MAX);
    json_write_field(writer, name);
    json_write_int64(writer, (int64_t)number);
}

void commit_write_string(struct json_writer *writer, const char *name, const char *string)
{
    json_write_field(writer, name);
    json_write_string(writer, string);
}

bool commit_read_once(struct json_reader *reader, unsigned *seen, unsigned bit)
{
    if (*seen & bit)
        return json_reader_fail(reader, "the same member twice");
    *seen |= bit;
    return true;
}

bool commit_read_array(struct json_reader *reader, struct slice *ret_raw, uint64_t *ret_count)
{
    const char *begin = json_value_begin(reader);
    uint64_t count = 0;
    if (!json_expect_array(reader))
        return false;
    while (json_next_element(reader))
        count += json_skip_value(reader, NULL);
    if (json_reader_failed(reader))
        return false;
    *ret_raw = slice_make(begin, (size_t)(reader->cursor - begin));
    *ret_count = count;
    return true;
}

bool commit_check_object(const char *object, struct slice body, uint64_t bytes,
                         const char sha256[SHA256_HEX_SIZE], struct text *error)
{
    char digest[SHA256_HEX_SIZE];
    if (body.len != bytes) {
        text_append_format(error, "%s has %zu bytes, the head says %llu", object, body.len,
                           (unsigned long long)bytes);
        return false;
    }
    sha256_digest_hex(body, digest);
    if (strcmp(digest, sha256) != 0) {
        text_append_format(error, "%s is damaged: its sha256 is not what the head says", object);
        return false;
    }
    return true;
}

void commit_release(struct commit *commit)
{
    text_release(&commit->text);
    *commit = (struct commit){0};
}

/*
 * The sum of a text that grows, taken of each part while that is in the processor's cache: of what
 * comes from memory SHA-256 takes nearly twice the time.
 */
struct text_sum {
    struct sha256 sha;
    size_t done;
};

static void text_sum_take(struct text_sum *sum, const struct text *text)
{
    sha256_update(&sum->sha, slice_make(text->data + sum->done, text->len - sum->done));
    sum->done = text->len;
}

/* `sum`: of `out`, or NULL. */
static bool encode_ops(struct slice pending, int64_t time, struct text *out, struct text_sum *sum,
                       uint64_t *ret_count)
{
    struct op_scratch scratch = {0};
    struct op op;
    uint64_t count = 0;
    bool whole = true;
    /* JSON of small ops takes some one and a half times the bytes; and what comes behind it. */
    text_reserve(out, pending.len / 4 * 7 + 64);
    text_append_char(out, '[');
    while (pending.len && whole) {
        size_t len = op_binary_decode(pending, &scratch, &op);
        whole = len > 0;
        if (!whole)
            break;
        if (count++)
            text_append_char(out, ',');
        text_append_char(out, '\n');
        op_json_write(out, &op, &time);
        op_release(&op);
        if (sum && out->len - sum->done >= SUM_STEP)
            text_sum_take(sum, out);
        pending = slice_make(pending.data + len, pending.len - len);
    }
    text_append_string(out, "\n]");
    op_scratch_release(&scratch);
    *ret_count = count;
    return whole;
}

bool commit_ops_encode(struct slice pending, int64_t time, struct text *out, uint64_t *ret_count)
{
    return encode_ops(pending, time, out, NULL, ret_count);
}

/* What entries and the commits of a segment share. */
static void write_origin(struct json_writer *writer, const struct commit *commit)
{
    assert(commit_replica_valid(slice_of(commit->replica)) && commit->first);
    commit_write_string(writer, "replica", commit->replica);
    json_write_field(writer, "time");
    json_write_int64(writer, commit->time);
    commit_write_number(writer, "first", commit->first);
}

static void begin_entry(struct json_writer *writer, struct commit *commit)
{
    assert(commit->position);
    text_clear(&commit->text);
    json_writer_init(writer, &commit->text);
    json_begin_object(writer);
    commit_write_number(writer, "position", commit->position);
    write_origin(writer, commit);
}

void commit_seal_inline(struct commit *commit, struct slice ops)
{
    struct json_writer writer;
    commit->segment[0] = '\0';
    begin_entry(&writer, commit);
    json_write_field(&writer, "ops");
    size_t at = commit->text.len;
    json_write_raw(&writer, ops);
    json_end_object(&writer);
    commit->ops = slice_make(commit->text.data + at, ops.len);
}

void commit_seal_segment(struct commit *commit)
{
    struct json_writer writer;
    assert(commit_object_valid(slice_of(commit->segment)));
    begin_entry(&writer, commit);
    commit_write_number(&writer, "count", commit->count);
    commit_write_string(&writer, "segment", commit->segment);
    commit_write_number(&writer, "bytes", commit->bytes);
    commit_write_string(&writer, "sha256", commit->sha256);
    json_end_object(&writer);
    commit->ops = slice_make(NULL, 0);
}

enum {
    SEEN_POSITION = 1 << 0,
    SEEN_REPLICA = 1 << 1,
    SEEN_TIME = 1 << 2,
    SEEN_FIRST = 1 << 3,
    SEEN_COUNT = 1 << 4,
    SEEN_OPS = 1 << 5,
    SEEN_SEGMENT = 1 << 6,
    SEEN_BYTES = 1 << 7,
    SEEN_SHA256 = 1 << 8,

    SEEN_ORIGIN = SEEN_REPLICA | SEEN_TIME | SEEN_FIRST,
    SEEN_INLINE = SEEN_POSITION | SEEN_ORIGIN | SEEN_OPS,
    SEEN_OUTSIDE =
        SEEN_POSITION | SEEN_ORIGIN | SEEN_COUNT | SEEN_SEGMENT | SEEN_BYTES | SEEN_SHA256,
    SEEN_IN_SEGMENT = SEEN_ORIGIN | SEEN_COUNT | SEEN_OPS,
};

static unsigned member_of(struct slice name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } members[] = {{"position", SEEN_POSITION}, {"replica", SEEN_REPLICA}, {"time", SEEN_TIME},
                   {"first", SEEN_FIRST},       {"count", SEEN_COUNT},     {"ops", SEEN_OPS},
                   {"segment", SEEN_SEGMENT},   {"bytes", SEEN_BYTES},     {"sha256", SEEN_SHA256}};
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
        if (slice_equal(name, slice_of(members[i].name)))
            return members[i].bit;
    return 0;
}

static void read_ops(struct json_reader *reader, struct commit *commit, unsigned seen)
{
    uint64_t count;
    if (!commit_read_array(reader, &commit->ops, &count))
        return;
    if (count == 0)
        json_reader_fail(reader, "a commit without ops");
    else if (seen & SEEN_COUNT && commit->count != count)
        json_reader_fail(reader, "\"count\" is not how many ops there are");
    commit->count = count;
}

static void read_member(struct json_reader *reader, struct commit *commit, unsigned bit,
                        unsigned seen)
{
    switch (bit) {
    case SEEN_POSITION: commit_read_number(reader, &commit->position); break;
    case SEEN_REPLICA:
        commit_read_name(reader, commit_replica_valid, commit->replica, sizeof(commit->replica));
        break;
    case SEEN_TIME: json_expect_int64(reader, &commit->time); break;
    case SEEN_FIRST: commit_read_number(reader, &commit->first); break;
    case SEEN_COUNT: commit_read_number(reader, &commit->count); break;
    case SEEN_OPS: read_ops(reader, commit, seen); break;
    case SEEN_SEGMENT:
        commit_read_name(reader, commit_object_valid, commit->segment, sizeof(commit->segment));
        break;
    case SEEN_BYTES: commit_read_number(reader, &commit->bytes); break;
    case SEEN_SHA256:
        commit_read_name(reader, commit_hex_valid, commit->sha256, sizeof(commit->sha256));
        break;
    }
}

/* Everything but `text`; ops borrow from the reader's input. Returns the bits of what was there. */
static unsigned read_members(struct json_reader *reader, struct commit *commit)
{
    struct slice name;
    unsigned seen = 0;
    if (!json_expect_object(reader))
        return 0;
    while (json_next_name(reader, &name)) {
        unsigned bit = member_of(name);
        if (!bit)
            json_reader_fail(reader, "unknown member of a commit");
        else if (commit_read_once(reader, &seen, bit))
            read_member(reader, commit, bit, seen);
    }
    if (!json_reader_failed(reader) && (commit->first == 0 || commit->count == 0))
        json_reader_fail(reader, "a commit without ops");
    return json_reader_failed(reader) ? 0 : seen;
}

bool commit_read(struct json_reader *reader, struct commit *commit)
{
    struct commit read = {0};
    const char *begin = json_value_begin(reader);
    unsigned seen = read_members(reader, &read);
    if (json_reader_failed(reader))
        return false;
    if (seen != SEEN_INLINE && seen != SEEN_OUTSIDE)
        return json_reader_fail(reader, "a commit with members missing or too many");
    text_append(&read.text, begin, (size_t)(reader->cursor - begin));
    if (seen == SEEN_INLINE)
        read.ops.data = read.text.data + (read.ops.data - begin);
    *commit = read;
    return true;
}

void commit_chain(const char before[SHA256_HEX_SIZE], struct slice text, char out[SHA256_HEX_SIZE])
{
    struct sha256 sha;
    sha256_init(&sha);
    sha256_update(&sha, slice_make(before, SHA256_HEX_SIZE - 1));
    sha256_update(&sha, slice_of("\n"));
    sha256_update(&sha, text);
    sha256_finish_hex(&sha, out);
}

void segment_begin(struct text *out, struct slice namespace)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    commit_write_number(&writer, "format", COMMIT_FORMAT);
    json_write_field(&writer, "namespace");
    json_write_bytes(&writer, namespace);
    text_append_string(out, ",\"commits\":[\n");
}

void segment_open(struct text *out, const struct commit *commit)
{
    struct json_writer writer;
    if (out->data[out->len - 2] != '[')
        text_append_string(out, ",\n");
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    write_origin(&writer, commit);
    commit_write_number(&writer, "count", commit->count);
    json_write_field(&writer, "ops");
}

void segment_close(struct text *out)
{
    text_append_char(out, '}');
}

void segment_end(struct text *out)
{
    text_append_string(out, "\n]}\n");
}

bool segment_encode(struct text *out, struct slice namespace, struct commit *commit,
                    struct slice pending)
{
    struct text_sum sum = {0};
    uint64_t count;
    assert(out->len == 0);
    sha256_init(&sum.sha);
    segment_begin(out, namespace);
    segment_open(out, commit);
    size_t at = out->len;
    bool whole = encode_ops(pending, commit->time, out, &sum, &count) && count == commit->count;
    size_t len = out->len - at;
    segment_close(out);
    segment_end(out);
    text_sum_take(&sum, out);
    if (whole) {
        sha256_finish_hex(&sum.sha, commit->sha256);
        commit->bytes = out->len;
        commit->ops = slice_make(out->data + at, len);
    }
    sha256_release(&sum.sha);
    return whole;
}

/* Inside "commits". True when `wanted` was among them. */
static bool find_commit(struct json_reader *reader, const struct commit *wanted,
                        struct slice *ret_ops)
{
    bool found = false;
    if (!json_expect_array(reader))
        return false;
    while (json_next_element(reader)) {
        struct commit read = {0};
        unsigned seen = read_members(reader, &read);
        if (json_reader_failed(reader))
            return false;
        if (seen != SEEN_IN_SEGMENT)
            return json_reader_fail(reader, "a commit with members missing or too many");
        if (read.first != wanted->first || strcmp(read.replica, wanted->replica) != 0)
            continue;
        if (read.time != wanted->time || read.count != wanted->count || found)
            return json_reader_fail(reader, "a commit that is not the one the head names");
        *ret_ops = read.ops;
        found = true;
    }
    return found;
}

static bool begin_segment(struct json_reader *reader)
{
    struct slice name;
    if (!json_expect_object(reader))
        return false;
    if (!json_next_name(reader, &name) || !slice_equal(name, slice_of("format")))
        return json_reader_fail(reader, "a segment must begin with \"format\"");
    return commit_read_format(reader);
}

static void read_namespace(struct json_reader *reader, struct slice namespace)
{
    struct slice value;
    if (json_read_bytes(reader, &value) && !slice_equal(value, namespace))
        json_reader_fail(reader, "a segment of another namespace");
}

static bool find_in_segment(struct json_reader *reader, struct slice namespace,
                            const struct commit *commit, struct slice *ret_ops)
{
    struct slice name;
    bool found = false;
    if (!begin_segment(reader))
        return false;
    while (json_next_name(reader, &name)) {
        if (slice_equal(name, slice_of("namespace"))) {
            read_namespace(reader, namespace);
        } else if (slice_equal(name, slice_of("commits")) && !found) {
            found = find_commit(reader, commit, ret_ops);
        } else {
            json_reader_fail(reader, "unknown member of a segment");
        }
    }
    if (!json_reader_failed(reader))
        json_expect_end(reader);
    return found || json_reader_fail(reader, "the commit is not in it");
}

bool segment_find(struct slice body, struct slice namespace, const struct commit *commit,
                  struct slice *ret_ops, struct text *error)
{
    struct json_reader reader;
    struct text scratch = {0};
    if (!commit_check_object(commit->segment, body, commit->bytes, commit->sha256, error))
        return false;
    json_reader_init(&reader, body, &scratch);
    find_in_segment(&reader, namespace, commit, ret_ops);
    if (json_reader_failed(&reader))
        text_append_format(error, "%s: %s", commit->segment, json_reader_error(&reader));
    text_release(&scratch);
    return !json_reader_failed(&reader);
}

void commit_reader_init(struct commit_reader *reader, struct slice ops, int64_t time)
{
    *reader = (struct commit_reader){.time = time};
    json_reader_init(&reader->json, ops, &reader->unescaped);
    json_expect_array(&reader->json);
}

static bool same_commit(const struct commit *a, const struct commit *b)
{
    return a->first == b->first && strcmp(a->replica, b->replica) == 0 && a->time == b->time &&
           a->count == b->count;
}

/* Up to the ops, when the first commit is the one and all is in the order in which we write. */
static bool open_segment(struct json_reader *reader, struct slice namespace,
                         const struct commit *wanted)
{
    static const unsigned order[] = {SEEN_REPLICA, SEEN_TIME, SEEN_FIRST, SEEN_COUNT};
    struct commit read = {0};
    struct slice name;
    if (!begin_segment(reader) || !json_take_name(reader, JSON_NEXT("namespace")))
        return false;
    read_namespace(reader, namespace);
    if (!json_take_name(reader, JSON_NEXT("commits")) || !json_expect_array(reader) ||
        !json_next_element(reader) || !json_expect_object(reader))
        return false;
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        if (!json_next_name(reader, &name) || member_of(name) != order[i])
            return false;
        read_member(reader, &read, order[i], 0);
    }
    return json_take_name(reader, JSON_NEXT("ops")) && same_commit(&read, wanted) &&
           json_expect_array(reader);
}

bool commit_reader_init_segment(struct commit_reader *reader, struct slice body,
                                struct slice namespace, const struct commit *commit,
                                struct text *error)
{
    struct slice ops;
    if (!commit_check_object(commit->segment, body, commit->bytes, commit->sha256, error))
        return false;
    *reader = (struct commit_reader){.time = commit->time, .expected = commit->count};
    json_reader_init(&reader->json, body, &reader->unescaped);
    reader->inside = open_segment(&reader->json, namespace, commit);
    if (reader->inside)
        return true;
    text_release(&reader->unescaped);
    if (!segment_find(body, namespace, commit, &ops, error))
        return false;
    commit_reader_init(reader, ops, commit->time);
    return true;
}

/* What is behind the ops: the ends of all that is open, and perhaps other commits. */
static void finish_segment(struct commit_reader *reader)
{
    struct json_reader *json = &reader->json;
    struct slice name;
    reader->inside = false;
    if (reader->count != reader->expected)
        json_reader_fail(json, "\"count\" is not how many ops there are");
    else if (json_next_name(json, &name))
        json_reader_fail(json, "unknown member of a commit");
    while (json_next_element(json))
        json_skip_value(json, NULL);
    if (json_next_name(json, &name))
        json_reader_fail(json, "unknown member of a segment");
    if (!json_reader_failed(json))
        json_expect_end(json);
}

bool commit_reader_next(struct commit_reader *reader, struct op *op)
{
    if (!json_next_element(&reader->json)) {
        if (reader->inside && !json_reader_failed(&reader->json))
            finish_segment(reader);
        return false;
    }
    text_clear(&reader->unescaped);
    if (!op_json_read(&reader->json, &reader->scratch, &reader->time, op))
        return false;
    reader->count++;
    return true;
}

const char *commit_reader_error(const struct commit_reader *reader)
{
    return json_reader_failed(&reader->json) ? json_reader_error(&reader->json) : NULL;
}

void commit_reader_release(struct commit_reader *reader)
{
    text_release(&reader->unescaped);
    op_scratch_release(&reader->scratch);
}

bool commit_replay_reader(struct keyspace *ks, struct commit_reader *reader, int64_t *clock,
                          struct text *error)
{
    struct outcome outcome;
    struct op op;
    while (commit_reader_next(reader, &op)) {
        if (op.time < *clock)
            op.time = *clock;
        *clock = op.time;
        apply(ks, &op, &outcome, NULL);
        op_release(&op);
    }
    const char *failure = commit_reader_error(reader);
    if (failure)
        text_append_format(error, "ops: %s", failure);
    return !failure;
}

bool commit_replay(struct keyspace *ks, struct slice ops, int64_t time, int64_t *clock,
                   struct text *error)
{
    struct commit_reader reader;
    commit_reader_init(&reader, ops, time);
    bool whole = commit_replay_reader(ks, &reader, clock, error);
    commit_reader_release(&reader);
    return whole;
}
