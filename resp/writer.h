/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes replies into a buffer: the only place that knows RESP2 from RESP3. Callers say what they
 * mean (a map, a nil, a double) and never look at the protocol. Writers never fail. Knows neither
 * commands nor sockets.
 */
#ifndef CAIRN_RESP_WRITER_H
#define CAIRN_RESP_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "resp/buffer.h"

/* Borrows the buffer. `protocol` is 2 or 3 and may change between replies (HELLO). */
struct resp_writer {
    struct resp_buffer *out;
    int protocol;
};

/* Room for any 64-bit integer in decimal. */
#define RESP_INTEGER_MAX 20
/* Writes `value` in decimal, no NUL; the number of characters. For all callers that format
 * integers. */
size_t resp_format_integer(char *out, long long value);
/* Room for any double of resp_format_double. */
#define RESP_DOUBLE_MAX 32
/* As Redis 7.0 shows doubles: 17 significant digits, "inf", "-inf", "nan". */
size_t resp_format_double(char *out, double value);

/* Bytes that are a reply, or part of one, already. */
static inline void resp_write_raw(struct resp_writer *w, const void *data, size_t len)
{
    resp_buffer_append(w->out, data, len);
}

static inline void resp_write_ok(struct resp_writer *w)
{
    memcpy(resp_buffer_reserve(w->out, 5), "+OK\r\n", 5);
    w->out->len += 5;
}

/* A status such as "QUEUED"; it must hold no CR or LF. */
void resp_write_simple(struct resp_writer *w, const char *text);

/* The text begins with its code, "ERR …", without '-'. CR and LF in it become spaces. */
void resp_write_error(struct resp_writer *w, const char *text);
void resp_write_error_format(struct resp_writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void resp_write_integer(struct resp_writer *w, long long value);
void resp_write_bulk(struct resp_writer *w, const void *data, size_t len);
void resp_write_bulk_text(struct resp_writer *w, const char *text);
/* A bulk string of the decimal digits: what GET gives of an integer. */
void resp_write_bulk_integer(struct resp_writer *w, long long value);

/* The absent string, and the absent array: two replies in RESP2, one in RESP3. */
void resp_write_nil(struct resp_writer *w);
void resp_write_nil_array(struct resp_writer *w);

/* Headers; that many elements follow, for maps and attributes that many pairs. */
void resp_write_array(struct resp_writer *w, size_t count);
void resp_write_map(struct resp_writer *w, size_t pairs);
void resp_write_set(struct resp_writer *w, size_t count);
void resp_write_push(struct resp_writer *w, size_t count);
/* An array of pairs: arrays of two in RESP3, flat in RESP2. Write `pair` before each of them. */
void resp_write_pairs(struct resp_writer *w, size_t pairs);
void resp_write_pair(struct resp_writer *w);
/* False in RESP2, which has no attributes: nothing was written, and no pairs may follow. */
bool resp_write_attribute(struct resp_writer *w, size_t pairs) __attribute__((warn_unused_result));

void resp_write_double(struct resp_writer *w, double value);
void resp_write_bool(struct resp_writer *w, bool value);
/* `digits` is a decimal integer of any size. */
void resp_write_big_number(struct resp_writer *w, const char *digits, size_t len);
/* `format` has three characters: "txt" or "mkd". */
void resp_write_verbatim(struct resp_writer *w, const char *format, const void *data, size_t len);

/*
 * An aggregate whose count is known only at its end: begin, write the elements, then close with the
 * count. They nest, the inner closed first. Nothing may be consumed from the buffer in between.
 * Closing moves the elements by the few bytes of the header.
 */
size_t resp_defer_begin(const struct resp_writer *w);
void resp_defer_array(struct resp_writer *w, size_t begun, size_t count);
void resp_defer_map(struct resp_writer *w, size_t begun, size_t pairs);
void resp_defer_set(struct resp_writer *w, size_t begun, size_t count);
void resp_defer_push(struct resp_writer *w, size_t begun, size_t count);

#endif
