/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts and bounds are Redis's. */
#include "server/arguments.h"

bool argument_signed_count(struct exec *x, int index, int64_t *count)
{
    if (!exec_int(x, index, count))
        return false;
    if (*count != INT64_MIN)
        return true;
    exec_error_format(x, "ERR value is out of range, value must between %lld and %lld",
                      -(long long)INT64_MAX, (long long)INT64_MAX);
    return false;
}

bool argument_count(struct exec *x, int index, int64_t *count)
{
    return exec_int_range(x, index, 0, INT64_MAX, "ERR value is out of range, must be positive",
                          count);
}

bool argument_milliseconds(struct exec *x, int index, int64_t *ms)
{
    if (!parse_int(x->argv[index], ms) || *ms > INT64_MAX - x->now) {
        exec_error(x, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (*ms < 0)
        exec_error(x, "ERR timeout is negative");
    return *ms >= 0;
}

bool argument_numkeys(struct exec *x, int index, int64_t *numkeys)
{
    return exec_int_range(x, index, 1, INT64_MAX, "ERR numkeys should be greater than 0", numkeys);
}

int argument_keys(const struct slice *argv, int argc, int index, int *out, int cap)
{
    int64_t count;
    if (index >= argc || !parse_int(argv[index], &count) || count < 1 || count > argc - index - 1)
        return -1;
    for (int i = 0; i < count && i < cap; i++)
        out[i] = index + 1 + i;
    return (int)count;
}
