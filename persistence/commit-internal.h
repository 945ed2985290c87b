/* SPDX-License-Identifier: BSD-3-Clause */
/* Fields that commits, segments and heads have in common; for commit.c and head.c alone. */
#ifndef CAIRN_PERSISTENCE_COMMIT_INTERNAL_H
#define CAIRN_PERSISTENCE_COMMIT_INTERNAL_H

#include "persistence/commit.h"
#include "persistence/json_writer.h"

/* Of heads and segments; docs/format.md says when it rises. */
#define COMMIT_FORMAT 1

/* The largest number that heads count to: what a JSON number holds exactly. */
#define COMMIT_NUMBER_MAX ((uint64_t)JSON_INTEGER_MAX)

/* 0 … COMMIT_NUMBER_MAX, as a JSON number. Errors are the reader's, as for all of these. */
bool commit_read_number(struct json_reader *reader, uint64_t *ret_number);
/* A string that `valid` accepts, with its NUL into `out` of `cap` bytes. */
bool commit_read_name(struct json_reader *reader, bool (*valid)(struct slice name), char *out,
                      size_t cap);
/* 64 lower-case hex digits. */
bool commit_hex_valid(struct slice hex);
/* "format": COMMIT_FORMAT, or a sentence about a newer program. */
bool commit_read_format(struct json_reader *reader);

void commit_write_number(struct json_writer *writer, const char *name, uint64_t number);
void commit_write_string(struct json_writer *writer, const char *name, const char *string);

/* Sets the bit `bit` in `seen`; an error when it is set already. */
bool commit_read_once(struct json_reader *reader, unsigned *seen, unsigned bit);

/* Reads an array: its raw text and how many elements it has. */
bool commit_read_array(struct json_reader *reader, struct slice *ret_raw, uint64_t *ret_count);

/* Size and sha256 of an object as promised? Else false, with a sentence appended to `error`. */
bool commit_check_object(const char *object, struct slice body, uint64_t bytes,
                         const char sha256[SHA256_HEX_SIZE], struct text *error);

#endif
