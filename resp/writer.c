/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every reply reserves its greatest size once and then writes without checks. Numbers are formatted
 * here, two digits a step: printf costs ten times as much, and most replies hold one.
 */
#include "resp/writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "resp/memory.h"

/* A type byte, an integer, CRLF. */
#define HEADER_MAX (1 + RESP_INTEGER_MAX + 2)

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static size_t format_unsigned(char *out, unsigned long long value)
{
    if (value < 10) {
        *out = (char)('0' + value);
        return 1;
    }
    if (value < 100) {
        memcpy(out, digit_pairs + value * 2, 2);
        return 2;
    }
    char digits[RESP_INTEGER_MAX], *at = digits + sizeof(digits);
    while (value >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(at, digit_pairs + value * 2, 2);
    } else {
        *--at = (char)('0' + value);
    }
    size_t len = (size_t)(digits + sizeof(digits) - at);
    memcpy(out, at, len);
    return len;
}

size_t resp_format_integer(char *out, long long value)
{
    if (value >= 0)
        return format_unsigned(out, (unsigned long long)value);
    *out = '-';
    return 1 + format_unsigned(out + 1, 0 - (unsigned long long)value);
}

size_t resp_format_double(char *out, double value)
{
    const char *word = isnan(value) ? "nan" : isinf(value) ? (value > 0 ? "inf" : "-inf") : NULL;
    int len = word ? snprintf(out, RESP_DOUBLE_MAX, "%s", word)
                   : snprintf(out, RESP_DOUBLE_MAX, "%.17g", value);
    return (size_t)len;
}

static char *put_line_end(char *at)
{
    memcpy(at, "\r\n", 2);
    return at + 2;
}

static char *put_header(char *at, char type, size_t count)
{
    *at++ = type;
    at += format_unsigned(at, count);
    return put_line_end(at);
}

static void end_at(struct resp_writer *w, const char *at)
{
    w->out->len = (size_t)(at - w->out->data);
}

static void write_header(struct resp_writer *w, char type, size_t count)
{
    end_at(w, put_header(resp_buffer_reserve(w->out, HEADER_MAX), type, count));
}

/* "<type><text>\r\n" */
static void write_line(struct resp_writer *w, char type, const char *text, size_t len)
{
    char *at = resp_buffer_reserve(w->out, len + 3);
    *at++ = type;
    memcpy(at, text, len);
    end_at(w, put_line_end(at + len));
}

void resp_write_simple(struct resp_writer *w, const char *text)
{
    write_line(w, '+', text, strlen(text));
}

void resp_write_error(struct resp_writer *w, const char *text)
{
    size_t len = strlen(text);
    write_line(w, '-', text, len);
    char *written = w->out->data + w->out->len - len - 2;
    for (size_t i = 0; i < len; i++) {
        if (written[i] == '\r' || written[i] == '\n')
            written[i] = ' ';
    }
}

void resp_write_error_format(struct resp_writer *w, const char *format, ...)
{
    char *text;
    va_list values;
    va_start(values, format);
    int len = vasprintf(&text, format, values);
    va_end(values);
    resp_checked(len < 0 ? NULL : text);
    resp_write_error(w, text);
    free(text);
}

void resp_write_integer(struct resp_writer *w, long long value)
{
    char *at = resp_buffer_reserve(w->out, HEADER_MAX);
    *at++ = ':';
    at += resp_format_integer(at, value);
    end_at(w, put_line_end(at));
}

void resp_write_bulk(struct resp_writer *w, const void *data, size_t len)
{
    char *at = resp_buffer_reserve(w->out, HEADER_MAX + len + 2);
    at = put_header(at, '$', len);
    if (len)
        memcpy(at, data, len);
    end_at(w, put_line_end(at + len));
}

void resp_write_bulk_text(struct resp_writer *w, const char *text)
{
    resp_write_bulk(w, text, strlen(text));
}

void resp_write_bulk_integer(struct resp_writer *w, long long value)
{
    char digits[RESP_INTEGER_MAX];
    resp_write_bulk(w, digits, resp_format_integer(digits, value));
}

void resp_write_nil(struct resp_writer *w)
{
    if (w->protocol >= 3)
        resp_write_raw(w, "_\r\n", 3);
    else
        resp_write_raw(w, "$-1\r\n", 5);
}

void resp_write_nil_array(struct resp_writer *w)
{
    if (w->protocol >= 3)
        resp_write_raw(w, "_\r\n", 3);
    else
        resp_write_raw(w, "*-1\r\n", 5);
}

/* RESP2 has only arrays; a map is one of twice as many elements. */
static char map_type(const struct resp_writer *w, size_t *count)
{
    if (w->protocol >= 3)
        return '%';
    *count *= 2;
    return '*';
}

static char list_type(const struct resp_writer *w, char type)
{
    return w->protocol >= 3 ? type : '*';
}

void resp_write_array(struct resp_writer *w, size_t count)
{
    write_header(w, '*', count);
}

void resp_write_map(struct resp_writer *w, size_t pairs)
{
    char type = map_type(w, &pairs);
    write_header(w, type, pairs);
}

void resp_write_set(struct resp_writer *w, size_t count)
{
    write_header(w, list_type(w, '~'), count);
}

void resp_write_push(struct resp_writer *w, size_t count)
{
    write_header(w, list_type(w, '>'), count);
}

void resp_write_pairs(struct resp_writer *w, size_t pairs)
{
    write_header(w, '*', w->protocol >= 3 ? pairs : pairs * 2);
}

void resp_write_pair(struct resp_writer *w)
{
    if (w->protocol >= 3)
        write_header(w, '*', 2);
}

bool resp_write_attribute(struct resp_writer *w, size_t pairs)
{
    if (w->protocol < 3)
        return false;
    write_header(w, '|', pairs);
    return true;
}

void resp_write_double(struct resp_writer *w, double value)
{
    char text[RESP_DOUBLE_MAX];
    size_t len = resp_format_double(text, value);
    if (w->protocol >= 3)
        write_line(w, ',', text, len);
    else
        resp_write_bulk(w, text, len);
}

void resp_write_bool(struct resp_writer *w, bool value)
{
    if (w->protocol >= 3)
        resp_write_raw(w, value ? "#t\r\n" : "#f\r\n", 4);
    else
        resp_write_integer(w, value);
}

void resp_write_big_number(struct resp_writer *w, const char *digits, size_t len)
{
    if (w->protocol >= 3)
        write_line(w, '(', digits, len);
    else
        resp_write_bulk(w, digits, len);
}

void resp_write_verbatim(struct resp_writer *w, const char *format, const void *data, size_t len)
{
    if (w->protocol < 3) {
        resp_write_bulk(w, data, len);
        return;
    }
    write_header(w, '=', len + 4);
    resp_write_raw(w, format, 3);
    resp_write_raw(w, ":", 1);
    resp_write_raw(w, data, len);
    resp_write_raw(w, "\r\n", 2);
}

/* Counted from the first waiting byte, so that it holds when the buffer moves its bytes down. */
size_t resp_defer_begin(const struct resp_writer *w)
{
    return resp_buffer_pending(w->out);
}

static void insert_header(struct resp_writer *w, size_t begun, char type, size_t count)
{
    char header[HEADER_MAX];
    size_t len = (size_t)(put_header(header, type, count) - header);
    resp_buffer_reserve(w->out, len);
    char *at = w->out->data + w->out->sent + begun;
    memmove(at + len, at, resp_buffer_pending(w->out) - begun);
    memcpy(at, header, len);
    w->out->len += len;
}

void resp_defer_array(struct resp_writer *w, size_t begun, size_t count)
{
    insert_header(w, begun, '*', count);
}

void resp_defer_map(struct resp_writer *w, size_t begun, size_t pairs)
{
    char type = map_type(w, &pairs);
    insert_header(w, begun, type, pairs);
}

void resp_defer_set(struct resp_writer *w, size_t begun, size_t count)
{
    insert_header(w, begun, list_type(w, '~'), count);
}

void resp_defer_push(struct resp_writer *w, size_t begun, size_t count)
{
    insert_header(w, begun, list_type(w, '>'), count);
}
