/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hiredis' reader does the parsing; this file decides what it gets to see. What it lets through is
 * not what Redis lets through, so every header line is judged here before hiredis reaches it: the
 * first of a command before hiredis is called, the others inside the callback of the element before
 * them. Three properties of that reader shape the rest:
 * - It moves its whole buffer each KiB: it gets its input in small pieces, the rest waits in
 *   `input`, else a long pipeline would cost quadratic time.
 * - It grows its buffer by a megabyte at a time: a big bulk goes around it, into a chunk of its own
 *   that grows with what came, and an empty string stands in for it.
 * - It forgets a string before it returns: arguments are copied when it shows them.
 */
#include "resp/reader.h"

#include <assert.h>
#include <endian.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "resp/buffer.h"
#include "resp/memory.h"
#include "resp/split.h"

#define PIECE      2048        /* bytes hiredis is given at once */
#define BIG_BULK   (32 * 1024) /* from here a bulk goes around hiredis */
#define BIG_FIRST  (64 * 1024) /* first allocation for one */
#define KEPT_CHUNK 512         /* first chunk for a command partly there */
#define ARGV_FIRST 64          /* arguments there is room for at first */
#define BULK_FRAME 6           /* "$1\r\n" and "\r\n": what an argument costs on the wire */
#define MAX_DIGITS 18          /* more cannot be a length, and would overflow */

#if HIREDIS_MAJOR >= 1
typedef size_t array_len;
#else
typedef int array_len;
#endif

struct resp_reader {
    redisReader *hiredis; /* NULL while nothing is buffered in it and the connection is idle */
    const struct resp_limits *limits;
    struct resp_arena *arena; /* where arguments are put now: the caller's, or &kept */
    struct resp_arg *argv;
    int argc, argv_cap;
    int announced; /* arguments of the command being read; 0 between commands */
    bool authenticated, failed;
    size_t bytes;             /* of the command being read */
    struct resp_chunk *big;   /* a big bulk on its way; NULL when there is none */
    size_t big_len, big_have; /* with its CRLF; so far */
    struct resp_buffer input; /* fed, and not yet given to hiredis */
    struct resp_arena kept;   /* arguments of a command that was partly there when next returned */
    char error[64];
};

/* What to do next; the order of the first three is that of a header's life. */
enum step {
    STEP_SHORT, /* more bytes are needed */
    STEP_PARSE, /* hiredis may go on */
    STEP_AGAIN, /* something was consumed; look again */
    STEP_COMMAND,
    STEP_BIG, /* a big bulk begins */
    STEP_FAILED,
};

struct kind {
    const char *invalid, *too_big;
};
static const struct kind MULTIBULK = {"invalid multibulk length", "too big mbulk count string"};
static const struct kind BULK = {"invalid bulk length", "too big bulk count string"};

static enum step fail(struct resp_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold, noinline));

static enum step fail(struct resp_reader *reader, const char *format, ...)
{
    int prefix = snprintf(reader->error, sizeof(reader->error), "ERR Protocol error: ");
    va_list values;
    va_start(values, format);
    vsnprintf(reader->error + prefix, sizeof(reader->error) - (size_t)prefix, format, values);
    va_end(values);
    reader->failed = true;
    return STEP_FAILED;
}

static enum step fail_type(struct resp_reader *reader, char got)
{
    return fail(reader, "expected '$', got '%c'", got == '\r' || got == '\n' ? ' ' : got);
}

static size_t limit(const size_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* ---- header lines ---- */

/*
 * Behind the type byte: a length and its CRLF. The end of the line, or NULL when it is not plainly
 * that; judge_line says what it is then. Strict as Redis: no sign, no leading zero. The buffer of
 * hiredis ends in a NUL, so digits need no bound.
 */
static inline const char *read_length(const char *at, const char *end, size_t *length)
{
    const char *p = at;
    size_t value = 0;
    for (unsigned digit; (digit = (unsigned)*p - '0') < 10; p++)
        value = value * 10 + digit;
    size_t digits = (size_t)(p - at);
    if (digits == 0 || digits > MAX_DIGITS || (*at == '0' && digits > 1) || end - p < 2 ||
        p[0] != '\r' || p[1] != '\n')
        return NULL;
    *length = value;
    return p + 2;
}

static bool is_negative(const char *at, const char *end)
{
    size_t digits = (size_t)(end - at) - 1;
    if (at == end || *at != '-' || digits == 0 || digits > MAX_DIGITS || at[1] == '0')
        return false;
    for (at++; at < end; at++)
        if (*at < '0' || *at > '9')
            return false;
    return true;
}

/*
 * A line read_length did not take: not all there, negative (AGAIN, `next` behind it), or wrong. As
 * in Redis it is judged once its CR is there.
 */
static __attribute__((noinline)) enum step judge_line(struct resp_reader *reader,
                                                      const struct kind *kind, const char *at,
                                                      const char *end, const char **next)
{
    size_t max = limit(&reader->limits->max_inline);
    const char *cr = memchr(at, '\r', (size_t)(end - at));
    if ((size_t)((cr ? cr : end) - at) > max)
        return fail(reader, "%s", kind->too_big);
    if (!cr || end - cr < 2)
        return STEP_SHORT;
    if (kind != &MULTIBULK || cr[1] != '\n' || !is_negative(at, cr))
        return fail(reader, "%s", kind->invalid);
    *next = cr + 2;
    return STEP_AGAIN;
}

/* Behind a '$'. PARSE: a good length, in `length`, its line ending at `next`. */
static inline enum step bulk_line(struct resp_reader *reader, const char *at, const char *end,
                                  const char **next, size_t *length)
{
    *next = read_length(at, end, length);
    if (!*next)
        return judge_line(reader, &BULK, at, end, next);
    if (*length > limit(&reader->limits->max_bulk_len))
        return fail(reader, "%s", BULK.invalid);
    if (!reader->authenticated && *length > limit(&reader->limits->max_bulk_unauthenticated))
        return fail(reader, "unauthenticated bulk length");
    return STEP_PARSE;
}

/* "$", one or two digits, CRLF: below all limits, which allow at least 99 bytes. Digits are
 * compared all at once: what is none leaves a byte above 9 behind. */
static inline bool is_short_line(const char *at, const char *end)
{
    uint32_t word;
    if (end - at < 5 || *at != '$')
        return false;
    memcpy(&word, at + 1, sizeof(word));
    word = le32toh(word);
    uint32_t two = word - ('1' | '0' << 8 | '\r' << 16 | '\n' << 24);
    uint32_t one = (word & 0xffffff) - ('1' | '\r' << 8 | '\n' << 16);
    return one <= 8 || (two >> 8 <= 9 && (two & 0xff) <= 8);
}

static __attribute__((noinline)) bool element_ok(struct resp_reader *reader, const char *at,
                                                 const char *end)
{
    const char *next;
    size_t length;
    if (at == end)
        return true;
    if (*at != '$')
        return fail_type(reader, *at) != STEP_FAILED;
    return bulk_line(reader, at + 1, end, &next, &length) != STEP_FAILED;
}

/* Before hiredis may pass from one element to the next. False: the command is wrong. */
static inline bool next_element_ok(struct resp_reader *reader, const char *at)
{
    const char *end = reader->hiredis->buf + reader->hiredis->len;
    return is_short_line(at, end) || element_ok(reader, at, end);
}

/* ---- what hiredis calls ---- */

static inline void set_room(struct resp_reader *reader, int cap)
{
    reader->argv_cap = cap < reader->announced ? cap : reader->announced;
    reader->argv =
        resp_arena_alloc(reader->arena, (size_t)reader->argv_cap * sizeof(struct resp_arg));
}

/* Room grows with what comes, not with what was announced. The old vector stays in the arena as
 * waste, less than the new one. */
static __attribute__((noinline)) void grow_argv(struct resp_reader *reader)
{
    const struct resp_arg *before = reader->argv;
    set_room(reader, reader->argv_cap < ARGV_FIRST ? ARGV_FIRST : reader->argv_cap * 2);
    if (reader->argc)
        memcpy(reader->argv, before, (size_t)reader->argc * sizeof(*before));
}

static void *on_array(const redisReadTask *task, array_len elements)
{
    struct resp_reader *reader = task->privdata;
    reader->announced = (int)elements;
    reader->argc = 0;
    reader->bytes = BULK_FRAME;
    set_room(reader, ARGV_FIRST);
    return next_element_ok(reader, reader->hiredis->buf + reader->hiredis->pos) ? reader : NULL;
}

static __attribute__((noinline)) struct resp_arg take_big(struct resp_reader *reader)
{
    struct resp_chunk *big = reader->big;
    size_t len = reader->big_len - 2;
    big->data[len] = '\0';
    resp_arena_adopt_chunk(reader->arena, big);
    reader->big = NULL;
    return (struct resp_arg){big->data, len};
}

static struct resp_arg take_argument(struct resp_reader *reader, const char *data, size_t len)
{
    char *copy = resp_arena_bytes(reader->arena, len + 1);
    memcpy(copy, data, len);
    copy[len] = '\0';
    return (struct resp_arg){copy, len};
}

static __attribute__((noinline)) void *take_any(struct resp_reader *reader, const char *data,
                                                size_t len)
{
    if (reader->argc == reader->argv_cap)
        grow_argv(reader);
    struct resp_arg arg = reader->big ? take_big(reader) : take_argument(reader, data, len);
    reader->argv[reader->argc++] = arg;
    reader->bytes += arg.len + BULK_FRAME;
    if (reader->argc == reader->announced || next_element_ok(reader, data + len + 2))
        return reader;
    return NULL;
}

/* Two moves that may overlap cost less than a call. */
static inline void copy_short(char *to, const char *from, size_t len)
{
    if (len >= 16) {
        memcpy(to + len - 16, from + len - 16, 16);
        memcpy(to, from, 16);
    } else if (len >= 8) {
        memcpy(to + len - 8, from + len - 8, 8);
        memcpy(to, from, 8);
    } else if (len >= 4) {
        memcpy(to + len - 4, from + len - 4, 4);
        memcpy(to, from, 4);
    } else {
        memcpy(to + len - 2, from + len - 2, 2);
        memcpy(to, from, 2);
    }
}

/* Most arguments have 2 to 32 bytes, there is room for them, and they are the last or have a short
 * line behind them. For these nothing is called, and no register saved: half of the cost. */
static void *on_string(const redisReadTask *task, char *data, size_t len)
{
    struct resp_reader *reader = task->privdata;
    struct resp_arena *arena = reader->arena;
    int argc = reader->argc;
    if (len - 2 > 30 || arena->left <= len || argc == reader->argv_cap || reader->big)
        return take_any(reader, data, len);
    if (argc + 1 < reader->announced &&
        !is_short_line(data + len + 2, reader->hiredis->buf + reader->hiredis->len))
        return take_any(reader, data, len);
    char *copy = resp_arena_take(arena, len + 1);
    copy_short(copy, data, len);
    copy[len] = '\0';
    reader->argv[argc] = (struct resp_arg){copy, len};
    reader->argc = argc + 1;
    reader->bytes += len + BULK_FRAME;
    return reader;
}

static redisReplyObjectFunctions callbacks = {.createString = on_string, .createArray = on_array};

/* ---- the bytes hiredis sees ---- */

static size_t unparsed(const struct resp_reader *reader)
{
    return reader->hiredis ? reader->hiredis->len - reader->hiredis->pos : 0;
}

static redisReadTask *current_task(redisReader *hiredis)
{
#if HIREDIS_MAJOR >= 1
    return hiredis->task[hiredis->ridx];
#else
    return &hiredis->rstack[hiredis->ridx];
#endif
}

static void give_hiredis(struct resp_reader *reader, const char *data, size_t len)
{
    int result = redisReaderFeed(reader->hiredis, data, len);
    resp_checked(result == REDIS_OK ? reader : NULL);
}

/*
 * hiredis drops what it consumed only when it parses; inline commands are consumed without it. It
 * does so here, shown an empty buffer, and the rest is given to it again.
 */
static void compact(struct resp_reader *reader)
{
    redisReader *hiredis = reader->hiredis;
    size_t rest = unparsed(reader);
    char *copy = resp_alloc(rest + 1);
    memcpy(copy, hiredis->buf + hiredis->pos, rest);
    hiredis->pos = hiredis->len;
    void *reply;
    int result = redisReaderGetReply(hiredis, &reply);
    assert(result == REDIS_OK && !reply);
    give_hiredis(reader, copy, rest);
    free(copy);
}

static void show_hiredis(struct resp_reader *reader, const char *data, size_t len)
{
    if (!reader->hiredis) {
        reader->hiredis = resp_checked(redisReaderCreateWithFunctions(&callbacks));
        reader->hiredis->maxbuf = 0;
        reader->hiredis->privdata = reader;
    }
    if (!reader->announced && reader->hiredis->pos >= 2 * PIECE)
        compact(reader);
    give_hiredis(reader, data, len);
}

/* The next piece of waiting input; false when there is none. */
static bool pull(struct resp_reader *reader)
{
    struct resp_buffer *input = &reader->input;
    size_t len = resp_buffer_pending(input);
    if (len == 0)
        return false;
    /* Doubling what is there keeps an element longer than a piece from being looked at often. */
    size_t piece = unparsed(reader) > PIECE ? unparsed(reader) : PIECE;
    if (len > piece)
        len = piece;
    show_hiredis(reader, input->data + input->sent, len);
    resp_buffer_consume(input, len);
    return true;
}

/* ---- big bulks ---- */

static size_t big_take(struct resp_reader *reader, const char *data, size_t len)
{
    size_t wanted = reader->big_len - reader->big_have;
    if (len > wanted)
        len = wanted;
    if (len > reader->big->size - reader->big_have) {
        size_t size = reader->big->size * 2;
        if (size < reader->big_have + len)
            size = reader->big_have + len;
        if (size > reader->big_len)
            size = reader->big_len;
        reader->big = resp_realloc(reader->big, sizeof(*reader->big) + size);
        reader->big->size = size;
    }
    memcpy(reader->big->data + reader->big_have, data, len);
    reader->big_have += len;
    return len;
}

/* hiredis stands behind the header line, at `at`; all it has left is the beginning of the bulk. */
static void big_begin(struct resp_reader *reader, const char *at, size_t length)
{
    redisReader *hiredis = reader->hiredis;
    reader->big_len = length + 2;
    reader->big_have = 0;
    size_t size = reader->big_len < BIG_FIRST ? reader->big_len : BIG_FIRST;
    reader->big = resp_alloc(sizeof(*reader->big) + size);
    reader->big->size = size;
    big_take(reader, at, (size_t)(hiredis->buf + hiredis->len - at));
    hiredis->pos = hiredis->len;
}

/* Once all of it is there, shows hiredis an empty string in its place. */
static enum step big_continue(struct resp_reader *reader)
{
    struct resp_buffer *input = &reader->input;
    size_t waiting = resp_buffer_pending(input);
    if (waiting)
        resp_buffer_consume(input, big_take(reader, input->data + input->sent, waiting));
    if (reader->big_have < reader->big_len)
        return STEP_SHORT;
    static const char stand_in[] = "$0\r\n\r\n";
    bool type_read = current_task(reader->hiredis)->type >= 0;
    give_hiredis(reader, stand_in + type_read, sizeof(stand_in) - 1 - type_read);
    return STEP_PARSE;
}

/* ---- steps ---- */

static enum step inline_step(struct resp_reader *reader, struct resp_command *out)
{
    redisReader *hiredis = reader->hiredis;
    const char *at = hiredis->buf + hiredis->pos;
    /* As in Redis a NUL hides what follows it, so that no argument holds one unescaped. */
    const char *newline = strchr(at, '\n');
    size_t len = newline ? (size_t)(newline - at) : unparsed(reader);
    if (len > limit(&reader->limits->max_inline))
        return fail(reader, "too big inline request");
    if (!newline)
        return STEP_SHORT;
    hiredis->pos += len + 1;
    if (len && at[len - 1] == '\r')
        len--;
    if (len == 0)
        return STEP_AGAIN;
    struct resp_command command;
    if (!resp_split_line(at, len, reader->arena, &command))
        return fail(reader, "unbalanced quotes in request");
    if (command.argc == 0)
        return STEP_AGAIN;
    *out = command;
    return STEP_COMMAND;
}

/* Between commands. */
static enum step command_step(struct resp_reader *reader, struct resp_command *out)
{
    redisReader *hiredis = reader->hiredis;
    const char *at = hiredis->buf + hiredis->pos, *end = hiredis->buf + hiredis->len, *next;
    size_t count;
    /* Most commands have one to nine arguments, which all limits allow. */
    if (end - at >= 4 && at[0] == '*' && at[1] >= '1' && at[1] <= '9' && at[2] == '\r' &&
        at[3] == '\n')
        return STEP_PARSE;
    if (at == end)
        return STEP_SHORT;
    if (*at != '*')
        return inline_step(reader, out);
    next = read_length(at + 1, end, &count);
    if (!next || count == 0) {
        enum step step = next ? STEP_AGAIN : judge_line(reader, &MULTIBULK, at + 1, end, &next);
        if (step == STEP_AGAIN)
            hiredis->pos += (size_t)(next - at);
        return step;
    }
    if (count > limit(&reader->limits->max_args) || count > INT_MAX)
        return fail(reader, "%s", MULTIBULK.invalid);
    if (!reader->authenticated && count > limit(&reader->limits->max_args_unauthenticated))
        return fail(reader, "unauthenticated multibulk length");
    return STEP_PARSE;
}

/* Inside a command, where hiredis could not go on before; it may have read the type byte. */
static enum step element_step(struct resp_reader *reader)
{
    redisReader *hiredis = reader->hiredis;
    const char *at = hiredis->buf + hiredis->pos, *end = hiredis->buf + hiredis->len, *next;
    size_t length = 0;
    if (current_task(hiredis)->type < 0) {
        if (at == end)
            return STEP_SHORT;
        if (*at != '$')
            return fail_type(reader, *at);
        at++;
    }
    enum step step = bulk_line(reader, at, end, &next, &length);
    if (step != STEP_PARSE || (size_t)(end - next) >= length + 2)
        return step;
    if (length < BIG_BULK)
        return STEP_SHORT;
    big_begin(reader, next, length);
    return STEP_BIG;
}

static enum step parse(struct resp_reader *reader, struct resp_command *out)
{
    void *reply;
    if (redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK)
        return reader->failed ? STEP_FAILED : fail(reader, "%s", BULK.invalid);
    if (!reply)
        return STEP_AGAIN;
    assert(reader->argc == reader->announced);
    *out = (struct resp_command){reader->argv, reader->argc, reader->bytes};
    reader->announced = 0;
    return STEP_COMMAND;
}

static enum step take_step(struct resp_reader *reader, struct resp_command *out)
{
    if (reader->big)
        return big_continue(reader);
    if (reader->announced)
        return element_step(reader);
    return command_step(reader, out);
}

/* The arguments that are there outlive the caller's arena. */
static void keep(struct resp_reader *reader)
{
    if (reader->arena == &reader->kept)
        return;
    reader->arena = &reader->kept;
    struct resp_arg *argv = reader->argv;
    reader->argv_cap = reader->argc;
    if (reader->argc == 0)
        return;
    reader->argv = resp_arena_alloc(&reader->kept, (size_t)reader->argc * sizeof(*argv));
    for (int i = 0; i < reader->argc; i++) {
        char *copy = resp_arena_bytes(&reader->kept, argv[i].len + 1);
        memcpy(copy, argv[i].data, argv[i].len + 1);
        reader->argv[i] = (struct resp_arg){copy, argv[i].len};
    }
}

static void release(struct resp_reader *reader)
{
    if (reader->hiredis)
        redisReaderFree(reader->hiredis);
    reader->hiredis = NULL;
    free(reader->big);
    reader->big = NULL;
    resp_buffer_release(&reader->input);
    resp_arena_release(&reader->kept);
    reader->announced = reader->argc = 0;
}

/* ---- public ---- */

struct resp_reader *resp_reader_create(const struct resp_limits *limits)
{
    struct resp_reader *reader = resp_alloc(sizeof(*reader));
    *reader = (struct resp_reader){.limits = limits, .authenticated = true};
    resp_arena_init(&reader->kept, KEPT_CHUNK);
    return reader;
}

void resp_reader_destroy(struct resp_reader *reader)
{
    if (!reader)
        return;
    release(reader);
    free(reader);
}

void resp_reader_set_authenticated(struct resp_reader *reader, bool authenticated)
{
    reader->authenticated = authenticated;
}

bool resp_reader_feed(struct resp_reader *reader, const char *data, size_t len)
{
    if (reader->failed)
        return true;
    bool queued = resp_buffer_pending(&reader->input) > 0;
    if (reader->big && !queued) {
        size_t taken = big_take(reader, data, len);
        data += taken;
        len -= taken;
    }
    if (!queued && !reader->big && len <= PIECE && unparsed(reader) <= PIECE)
        show_hiredis(reader, data, len);
    else
        resp_buffer_append(&reader->input, data, len);
    return resp_reader_buffered(reader) <= limit(&reader->limits->query_buffer);
}

static enum resp_next complete(struct resp_reader *reader, struct resp_arena *arena)
{
    if (reader->arena == &reader->kept)
        resp_arena_adopt(arena, &reader->kept);
    reader->arena = NULL;
    return RESP_NEXT_COMMAND;
}

enum resp_next resp_reader_next(struct resp_reader *reader, struct resp_arena *arena,
                                struct resp_command *out)
{
    if (reader->failed)
        return RESP_NEXT_ERROR;
    if (!reader->announced)
        reader->arena = arena;
    for (;;) {
        enum step step = reader->hiredis ? take_step(reader, out) : STEP_SHORT;
        if (step == STEP_PARSE)
            step = parse(reader, out);
        switch (step) {
        case STEP_COMMAND: return complete(reader, arena);
        case STEP_FAILED: release(reader); return RESP_NEXT_ERROR;
        case STEP_SHORT:
            if (!reader->big && pull(reader))
                break;
            if (reader->announced)
                keep(reader);
            return RESP_NEXT_MORE;
        case STEP_PARSE:
        case STEP_AGAIN:
        case STEP_BIG: break;
        }
    }
}

const char *resp_reader_error(const struct resp_reader *reader)
{
    return reader->error;
}

size_t resp_reader_buffered(const struct resp_reader *reader)
{
    size_t command = reader->announced ? reader->bytes : 0;
    size_t big = reader->big ? reader->big_have : 0;
    return unparsed(reader) + resp_buffer_pending(&reader->input) + command + big;
}

size_t resp_reader_memory(const struct resp_reader *reader)
{
    size_t hiredis = reader->hiredis ? sizeof(redisReader) + sdsalloc(reader->hiredis->buf) : 0;
    size_t big = reader->big ? sizeof(*reader->big) + reader->big->size : 0;
    return sizeof(*reader) + hiredis + big + reader->input.cap + reader->kept.bytes;
}

void resp_reader_idle(struct resp_reader *reader)
{
    resp_buffer_shrink(&reader->input);
    if (reader->hiredis && !reader->announced && unparsed(reader) == 0) {
        redisReaderFree(reader->hiredis);
        reader->hiredis = NULL;
    }
}
