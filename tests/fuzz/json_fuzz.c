/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: any text is accepted by our JSON reader exactly when jansson accepts it, and
 * means the same to both; any bytes come back from what the writer made of them.
 */
#include "persistence/json_writer.h"
#include "tests/support/json_oracle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void write_and_read(struct slice bytes)
{
    struct text out = {0}, scratch = {0};
    struct json_writer writer;
    struct json_reader reader;
    struct slice name, value, scalar;
    json_writer_init(&writer, &out);
    json_begin_object(&writer);
    json_write_name(&writer, bytes);
    json_begin_array(&writer);
    json_write_bytes(&writer, bytes);
    json_write_scalar(&writer, bytes);
    json_end_array(&writer);
    json_end_object(&writer);

    json_reader_init(&reader, text_slice(&out), &scratch);
    must(json_expect_object(&reader) && json_next_name(&reader, &name));
    must(json_expect_array(&reader) && json_next_element(&reader));
    must(json_read_bytes(&reader, &value) && json_next_element(&reader));
    must(json_read_scalar(&reader, &scalar) && !json_next_element(&reader));
    must(!json_next_name(&reader, &name) && json_expect_end(&reader));
    must(slice_equal(name, bytes) && slice_equal(value, bytes) && slice_equal(scalar, bytes));
    must(json_oracle_agrees(text_slice(&out)));
    text_release(&out);
    text_release(&scratch);
}

/* As a decoder of ours would read it: every string through the base64: rule. */
static void read_as_bytes(struct slice input)
{
    struct text scratch = {0};
    struct json_reader reader;
    struct slice bytes;
    json_reader_init(&reader, input, &scratch);
    if (json_peek(&reader) == JSON_KIND_OBJECT_BEGIN && json_expect_object(&reader))
        while (json_next_name(&reader, &bytes))
            json_read_scalar(&reader, &bytes);
    else if (json_peek(&reader) == JSON_KIND_ARRAY_BEGIN && json_expect_array(&reader))
        while (json_next_element(&reader))
            json_read_scalar(&reader, &bytes);
    text_release(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size, so that a read behind it is caught. */
    char *copy = malloc(size ? size : 1);
    must(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    struct slice input = slice_make(copy, size);
    must(json_oracle_agrees(input));
    write_and_read(input);
    read_as_bytes(input);
    free(copy);
    return 0;
}
