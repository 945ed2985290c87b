/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What SCAN, HSCAN and SSCAN share: cursor and options, and the reply. Redis's rule for COUNT
 * holds: so many items are looked at, roughly, and those that match are answered.
 */
#ifndef CAIRN_SERVER_SCAN_H
#define CAIRN_SERVER_SCAN_H

#include "server/exec.h"

struct scan_options {
    uint64_t cursor;
    size_t count;
    bool has_pattern; /* false for "*" */
    struct slice pattern;
    struct slice type; /* SCAN only; data NULL: any */
};

/* strtoull's idea of a number that fills the whole text, or all before a zero byte. */
bool scan_parse_cursor(struct slice text, uint64_t *cursor);
/* Options from argv[index]; `with_type`: TYPE is one. false: an error was written. */
bool scan_parse_options(struct exec *x, int index, bool with_type, struct scan_options *options);
bool scan_matches(const struct scan_options *options, struct slice text);

void scan_command(struct exec *x);
/* HSCAN and SSCAN: key at argv[1], cursor at argv[2]. */
void scan_value(struct exec *x, enum value_type type);

#endif
