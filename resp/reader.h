/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The request reader of one connection, on hiredis' redisReader: bytes in, commands out. It knows
 * RESP arrays of bulk strings and inline commands, and Redis's protocol errors; it knows no
 * command, no socket and no connection. One thread at a time.
 *
 * A turn: feed what was read from the socket (at most 16 KiB at a time is fastest), then call next
 * until it says MORE, or stop earlier and go on next turn: what was fed is copied.
 */
#ifndef CAIRN_RESP_READER_H
#define CAIRN_RESP_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "resp/arena.h"

/* A NUL follows the len bytes, so text functions of C are safe on it; len is what counts. */
struct resp_arg {
    const char *data;
    size_t len;
};

struct resp_command {
    struct resp_arg *argv;
    int argc;     /* at least 1 */
    size_t bytes; /* its size on the wire, framing counted roughly */
};

/*
 * Bounds of what a client may announce. Shared by all readers; the server may change a field while
 * threads read it, with __atomic_store_n (relaxed is enough). No bound may be below 99 bytes or 9
 * arguments: short header lines are not compared.
 */
struct resp_limits {
    size_t max_bulk_len;             /* proto-max-bulk-len */
    size_t max_args;                 /* arguments of a command; at most INT_MAX */
    size_t max_inline;               /* an inline command, and each line of a header */
    size_t query_buffer;             /* client-query-buffer-limit */
    size_t max_args_unauthenticated; /* before AUTH, when one is needed, as in Redis 7 */
    size_t max_bulk_unauthenticated;
};

#define RESP_LIMITS_DEFAULT                                                                        \
    {                                                                                              \
        .max_bulk_len = 512u << 20, .max_args = 1u << 20, .max_inline = 64u << 10,                 \
        .query_buffer = 1u << 30, .max_args_unauthenticated = 10,                                  \
        .max_bulk_unauthenticated = 16u << 10,                                                     \
    }

enum resp_next {
    RESP_NEXT_COMMAND, /* a command was stored */
    RESP_NEXT_MORE,    /* everything fed is used up; feed more */
    RESP_NEXT_ERROR,   /* for good: write resp_reader_error and close */
};

struct resp_reader;

/* The limits are borrowed and must outlive the reader. Readers start as authenticated. */
struct resp_reader *resp_reader_create(const struct resp_limits *limits);
void resp_reader_destroy(struct resp_reader *reader);

/* False puts the limits before authentication in force, from the next header line on. */
void resp_reader_set_authenticated(struct resp_reader *reader, bool authenticated);

/*
 * Copies the bytes. False: the client passed the query buffer limit; Redis closes such a connection
 * without a reply. After a protocol error the bytes are dropped, and true is returned.
 */
bool resp_reader_feed(struct resp_reader *reader, const char *data, size_t len)
    __attribute__((warn_unused_result));

/*
 * The next command. Its argument vector and arguments lie in `arena` and are valid until that is
 * reset. A command that is partly there is kept in memory of the reader's own, so the arena may be
 * reset after any call; when such a command completes, that memory passes to the arena, unmoved.
 * `out` is untouched unless the result is COMMAND. Empty commands are skipped, as in Redis.
 */
enum resp_next resp_reader_next(struct resp_reader *reader, struct resp_arena *arena,
                                struct resp_command *out) __attribute__((warn_unused_result));

/* The error as it goes on the wire, without the leading '-' and the line end; "" when none. */
const char *resp_reader_error(const struct resp_reader *reader);

/* Bytes fed and not yet handed out, those of a command partly there included. */
size_t resp_reader_buffered(const struct resp_reader *reader);
/* Bytes allocated. */
size_t resp_reader_memory(const struct resp_reader *reader);
/* Gives spare memory back: for connections that have been silent for a while. */
void resp_reader_idle(struct resp_reader *reader);

#endif
