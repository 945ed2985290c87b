/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary bytes as a configuration file: they are taken or refused with an error that names a
 * line, never worse; and what was taken prints as values that are taken again and print the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "server/config-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct directive *row)
{
    struct text first = {0}, second = {0}, error = {0};
    directive_get(row, &first);
    if (!directive_set(row, text_slice(&first), false, &error))
        abort();
    directive_get(row, &second);
    if (!slice_equal(text_slice(&first), text_slice(&second)))
        abort();
    text_release(&first);
    text_release(&second);
    text_release(&error);
}

/* Files of the machine are no input of this fuzzer. */
static bool has_include(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 7 <= size; i++) {
        if (strncasecmp((const char *)data + i, "include", 7) == 0)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (has_include(data, size))
        return 0;
    struct text error = {0};
    config_init();
    bool good = config_parse(slice_make(data, size), "fuzz", 0, &error);
    if (!good && strncmp(text_terminated(&error), "fuzz:", 5) != 0)
        abort();
    for (const struct directive *row = config_directives; row->name; row++)
        check_round_trip(row);
    text_release(&error);
    config_release();
    return 0;
}
