/* SPDX-License-Identifier: BSD-3-Clause */
/* Deadlines as clients give them; see the header. */
#include "server/expiry_options.h"

#include "server/command.h"

bool expiry_option(const struct exec *x, int index, enum expiry_unit *unit)
{
    static const char *const words[] = {
        [EXPIRY_SECONDS] = "ex",
        [EXPIRY_MILLISECONDS] = "px",
        [EXPIRY_AT_SECONDS] = "exat",
        [EXPIRY_AT_MILLISECONDS] = "pxat",
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (exec_is(x, index, words[i])) {
            *unit = (enum expiry_unit)i;
            return true;
        }
    return false;
}

bool expiry_deadline(struct exec *x, int index, enum expiry_unit unit, bool positive,
                     int64_t *deadline)
{
    int64_t value;
    if (!exec_int(x, index, &value))
        return false;
    bool seconds = unit == EXPIRY_SECONDS || unit == EXPIRY_AT_SECONDS;
    bool relative = unit == EXPIRY_SECONDS || unit == EXPIRY_MILLISECONDS;
    bool valid = !positive || value > 0;
    if (seconds)
        valid = valid && !__builtin_mul_overflow(value, INT64_C(1000), &value);
    if (relative)
        valid = valid && !__builtin_add_overflow(value, x->now, &value);
    if (!valid) {
        exec_error_format(x, "ERR invalid expire time in '%s' command", x->command->name);
        return false;
    }
    *deadline = value;
    return true;
}
