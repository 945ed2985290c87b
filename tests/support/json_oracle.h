/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our JSON reader held against jansson, which was written without knowing it: the same texts must
 * be accepted, and mean the same. Static functions, so that only the tests that use them need
 * jansson.
 */
#ifndef CAIRN_TESTS_JSON_ORACLE_H
#define CAIRN_TESTS_JSON_ORACLE_H

#include "persistence/json_reader.h"

#include <jansson.h>
#include <stdio.h>

/* One value of the reader against one of jansson's. */
static inline bool oracle_value(struct json_reader *reader, const json_t *theirs);

static inline bool oracle_string(struct slice ours, const json_t *theirs)
{
    return json_is_string(theirs) &&
           slice_equal(ours, slice_make(json_string_value(theirs), json_string_length(theirs)));
}

static inline bool oracle_object(struct json_reader *reader, const json_t *theirs)
{
    struct json_event event;
    size_t count = 0;
    while (json_read_event(reader, &event) && event.kind == JSON_KIND_NAME) {
        const json_t *member = json_object_getn(theirs, event.text.data, event.text.len);
        if (!member || !oracle_value(reader, member))
            return false;
        count++;
    }
    return event.kind == JSON_KIND_OBJECT_END && count == json_object_size(theirs);
}

static inline bool oracle_array(struct json_reader *reader, const json_t *theirs)
{
    size_t count = 0;
    while (json_next_element(reader))
        if (!oracle_value(reader, json_array_get(theirs, count++)))
            return false;
    return !json_reader_failed(reader) && count == json_array_size(theirs);
}

static inline bool oracle_value(struct json_reader *reader, const json_t *theirs)
{
    struct json_event event;
    if (!json_read_event(reader, &event))
        return false;
    switch (event.kind) {
    case JSON_KIND_OBJECT_BEGIN: return json_is_object(theirs) && oracle_object(reader, theirs);
    case JSON_KIND_ARRAY_BEGIN: return json_is_array(theirs) && oracle_array(reader, theirs);
    case JSON_KIND_STRING: return oracle_string(event.text, theirs);
    case JSON_KIND_NUMBER:
        if (!event.is_integer)
            return json_is_number(theirs);
        return json_is_integer(theirs) && json_integer_value(theirs) == event.integer;
    case JSON_KIND_TRUE: return json_is_true(theirs);
    case JSON_KIND_FALSE: return json_is_false(theirs);
    case JSON_KIND_NULL: return json_is_null(theirs);
    case JSON_KIND_NONE:
    case JSON_KIND_OBJECT_END:
    case JSON_KIND_ARRAY_END:
    case JSON_KIND_NAME:
    case JSON_KIND_END: break;
    }
    return false;
}

/* Refusals of jansson's that are not about the grammar. */
static inline bool oracle_abstains(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_duplicate_key || code == json_error_numeric_overflow ||
           code == json_error_null_byte_in_key || code == json_error_stack_overflow;
}

static inline bool oracle_complain(struct slice input, const char *ours, const char *theirs)
{
    fprintf(stderr, "ours: %s\njansson: %s\ninput: %.*s\n", ours, theirs, (int)input.len,
            input.data);
    return false;
}

/* Takes the whole text event by event; the error stays in the reader. */
static inline bool oracle_accepts(struct json_reader *reader)
{
    struct json_event event = {0};
    while (event.kind != JSON_KIND_END)
        if (!json_read_event(reader, &event))
            return false;
    return true;
}

/* Says why on stderr when it is false. */
static inline bool json_oracle_agrees(struct slice input)
{
    struct text scratch = {0};
    struct json_reader reader, skipper, matcher;
    json_error_t error;
    bool agrees = true;

    json_reader_init(&reader, input, &scratch);
    bool accepted = oracle_accepts(&reader);
    json_reader_init(&skipper, input, &scratch);
    bool skipped = json_skip_value(&skipper, NULL) && json_expect_end(&skipper);
    if (accepted != skipped || strcmp(reader.error, skipper.error) != 0)
        agrees = oracle_complain(input, reader.error, skipper.error);

    json_t *theirs = json_loadb(input.data, input.len,
                                JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!theirs) {
        if (accepted && !oracle_abstains(&error))
            agrees = oracle_complain(input, "accepted", error.text);
    } else if (!accepted) {
        /* jansson has no such limit, and passes over a NUL between tokens. */
        if (strncmp(reader.error, "nested more than", 16) != 0 && !memchr(input.data, 0, input.len))
            agrees = oracle_complain(input, reader.error, "accepted");
    } else {
        json_reader_init(&matcher, input, &scratch);
        if (!oracle_value(&matcher, theirs))
            agrees = oracle_complain(input, "accepted", "accepted as something else");
    }
    json_decref(theirs);
    text_release(&scratch);
    return agrees;
}

#endif
