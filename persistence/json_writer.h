/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes JSON on one line, without spaces, at the end of a struct text. The same calls give the
 * same bytes everywhere. Commas and colons are the writer's matter; that begin and end pair up, and
 * that each name has its value, is the caller's, and asserted.
 *
 * Byte strings: well-formed UTF-8 that does not begin with `base64:` is a JSON string, with the
 * shortest escapes and only where JSON needs them; anything else is the JSON string `base64:` and
 * standard base64 with padding. Names follow the same rule. json_reader.h takes both back.
 */
#ifndef CAIRN_PERSISTENCE_JSON_WRITER_H
#define CAIRN_PERSISTENCE_JSON_WRITER_H

#include "ops/slice.h"
#include "persistence/json_put.h"
#include "persistence/text.h"

#define JSON_WRITER_DEPTH_MAX 64

struct json_writer {
    struct text *out;
    uint64_t objects; /* one bit per open level, the innermost lowest: 1 for an object */
    unsigned depth;
    bool comma; /* the next name or element needs a comma before it */
    bool named; /* a name waits for its value */
};

/* Appends to `out`, which the caller owns and which outlives the writer. Nothing to release. */
void json_writer_init(struct json_writer *writer, struct text *out);

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);

/* A name, under the rule for byte strings; its value comes next. */
void json_write_name(struct json_writer *writer, struct slice name);
/* The same for a name of the program's own. */
void json_write_field(struct json_writer *writer, const char *name);
/*
 * The same for one that is in the program as it stands in JSON, `"name":`, after a comma unless it
 * is the first of its object; whole members may stand before it.
 */
static inline void json_write_verbatim(struct json_writer *writer, const char *text, size_t len)
{
    assert(writer->objects & 1 && !writer->named);
    text_append(writer->out, text, len);
    writer->comma = false;
    writer->named = true;
}

void json_write_bytes(struct json_writer *writer, struct slice bytes);
void json_write_string(struct json_writer *writer, const char *string);

/*
 * Bytes that may be a number: a canonical integer (as "%lld" prints it) of at most 2^53 in
 * magnitude becomes a JSON number, everything else a byte string. json_read_scalar takes it back.
 */
void json_write_scalar(struct json_writer *writer, struct slice bytes);

/* A JSON number up to 2^53 in magnitude, else its digits as a string; json_expect_int64 takes both.
 */
void json_write_int64(struct json_writer *writer, int64_t number);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);

/* One complete value as it stands, such as json_skip_value gave; not checked. */
void json_write_raw(struct json_writer *writer, struct slice json);

#endif
