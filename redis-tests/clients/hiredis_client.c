/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A round of every command family through hiredis, as a C program would do it.
 *
 *   hiredis_client PORT [cairn]     with "cairn", also what only cairn has
 *
 * A reply is rendered as text (":3", "nil", "[a b]", "-ERR ...") and compared whole; a wanted text
 * that ends in '*' compares only up to there. The program knows nothing of the server but its
 * address.
 */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 1 << 16, PIPELINE = 1000 };

static int failures;
static bool is_cairn;

static void render(const redisReply *reply, FILE *out)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER: fprintf(out, ":%lld", reply->integer); break;
    case REDIS_REPLY_NIL: fputs("nil", out); break;
    case REDIS_REPLY_ERROR: fprintf(out, "-%s", reply->str); break;
    case REDIS_REPLY_ARRAY:
        fputc('[', out);
        for (size_t i = 0; i < reply->elements; i++) {
            fputs(i ? " " : "", out);
            render(reply->element[i], out);
        }
        fputc(']', out);
        break;
    default: fwrite(reply->str, 1, (size_t)reply->len, out); break;
    }
}

static void judge(const char *name, const char *want, const char *got)
{
    size_t len = strlen(want);
    bool same = len && want[len - 1] == '*' ? !strncmp(want, got, len - 1) : !strcmp(want, got);

    if (same)
        printf("ok hiredis: %s\n", name);
    else
        printf("not ok hiredis: %s: wanted \"%s\", got \"%s\"\n", name, want, got);
    failures += !same;
}

/* Compares a reply, which may be NULL for a lost connection, and frees it. */
static void judge_reply(const char *name, const char *want, redisReply *reply)
{
    char *text = calloc(1, TEXT_SIZE);
    FILE *out = text ? fmemopen(text, TEXT_SIZE, "w") : NULL;

    if (!out) {
        perror("fmemopen");
        exit(1);
    }
    if (reply)
        render(reply, out);
    else
        fputs("no reply", out);
    fclose(out);
    judge(name, want, text);
    free(text);
    if (reply)
        freeReplyObject(reply);
}

/* The format is hiredis' own: %b takes a pointer and a length. */
static void expect(redisContext *c, const char *want, const char *format, ...)
{
    va_list ap;
    redisReply *reply;

    va_start(ap, format);
    reply = redisvCommand(c, format, ap);
    va_end(ap);
    judge_reply(format, want, reply);
}

/* The reply to a command sent earlier, or a message that a subscription brings. */
static void expect_next(redisContext *c, const char *want, const char *name)
{
    void *reply = NULL;

    if (redisGetReply(c, &reply) != REDIS_OK)
        reply = NULL;
    judge_reply(name, want, reply);
}

/* Sends a command without waiting for its reply. */
static void send_only(redisContext *c, const char *command)
{
    int done = 0;

    redisAppendCommand(c, command);
    while (!done && redisBufferWrite(c, &done) == REDIS_OK)
        continue;
}

static redisContext *open_connection(int port)
{
    struct timeval limit = {.tv_sec = 10};
    redisContext *c = redisConnectWithTimeout("127.0.0.1", port, limit);

    if (!c || c->err) {
        printf("not ok hiredis: connect: %s\n", c ? c->errstr : "out of memory");
        exit(1);
    }
    redisSetTimeout(c, limit);
    expect(c, "OK", "SELECT 3");
    return c;
}

static void try_strings(redisContext *c)
{
    expect(c, "OK", "SET greeting hello");
    expect(c, "hello", "GET greeting");
    expect(c, "nil", "SET greeting other NX");
    expect(c, "hello", "SET greeting world XX GET");
    expect(c, ":11", "APPEND greeting %s", "-world");
    expect(c, "orld-world", "GETRANGE greeting 1 -1");
    expect(c, ":11", "STRLEN greeting");
    expect(c, ":11", "SETRANGE greeting 0 W");
    expect(c, "OK", "MSET a 1 b 2");
    expect(c, "[1 nil 2]", "MGET a none b");
    expect(c, ":0", "MSETNX a 9 fresh 9");
    expect(c, ":2", "INCR a");
    expect(c, ":12", "INCRBY a 10");
    expect(c, ":11", "DECR a");
    expect(c, "11.5", "INCRBYFLOAT a 0.5");
    expect(c, "-ERR value is not an integer or out of range", "INCR greeting");
    expect(c, "11.5", "GETDEL a");
    expect(c, "nil", "GET a");
    expect(c, "OK", "SET binary %b", "a\0b\r\n\xff", (size_t)6);
    expect(c, ":6", "STRLEN binary");
    expect(c, "OK", "MSET l1 ohmytext l2 mynewtext");
    expect(c, "mytext", "LCS l1 l2");
    if (is_cairn) {
        expect(c, ":42", "INCRBY m 42");
        expect(c, ":84", "MULBY m 2");
        expect(c, ":28", "DIVBY m 3");
    }
}

static void try_hashes(redisContext *c)
{
    expect(c, ":2", "HSET h one 1 two 2");
    expect(c, "1", "HGET h one");
    expect(c, "[1 nil]", "HMGET h one none");
    expect(c, "[one 1 two 2]", "HGETALL h");
    expect(c, ":0", "HSETNX h one 9");
    expect(c, ":6", "HINCRBY h one 5");
    expect(c, "2.25", "HINCRBYFLOAT h two 0.25");
    expect(c, ":2", "HLEN h");
    expect(c, ":4", "HSTRLEN h two");
    expect(c, ":1", "HEXISTS h one");
    expect(c, "[0 [one 6]]", "HSCAN h 0 MATCH o*");
    expect(c, "-WRONGTYPE*", "LPUSH h x");
    expect(c, ":1", "HDEL h one none");
    expect(c, "[two]", "HKEYS h");
    expect(c, "[2.25]", "HVALS h");
    expect(c, "two", "HRANDFIELD h");
}

static void try_lists(redisContext *c)
{
    expect(c, ":3", "RPUSH l b c d");
    expect(c, ":4", "LPUSH l a");
    expect(c, "[a b c d]", "LRANGE l 0 -1");
    expect(c, ":5", "LINSERT l BEFORE c x");
    expect(c, ":2", "LPOS l x");
    expect(c, "OK", "LSET l 2 y");
    expect(c, "y", "LINDEX l 2");
    expect(c, ":1", "LREM l 0 y");
    expect(c, "d", "LMOVE l other RIGHT LEFT");
    expect(c, "OK", "LTRIM l 0 1");
    expect(c, "[a b]", "LPOP l 5");
    expect(c, "[other [d]]", "LMPOP 2 l other LEFT COUNT 3");
    expect(c, ":0", "EXISTS l other");
    expect(c, ":0", "RPUSHX l x");
}

static void try_sets(redisContext *c)
{
    expect(c, ":3", "SADD s1 1 2 3");
    expect(c, ":0", "SADD s1 1");
    expect(c, ":2", "SADD s2 3 4");
    expect(c, ":3", "SCARD s1");
    expect(c, "[:1 :0]", "SMISMEMBER s1 2 9");
    expect(c, "[3]", "SINTER s1 s2");
    expect(c, ":1", "SINTERCARD 2 s1 s2");
    expect(c, ":4", "SUNIONSTORE s3 s1 s2");
    expect(c, "[4]", "SDIFF s2 s1");
    expect(c, ":1", "SMOVE s2 s1 4");
    expect(c, ":1", "SREM s1 4 9");
    expect(c, "3", "SPOP s2");
    expect(c, "nil", "SPOP s2");
    expect(c, "[0 [1 2 3]]", "SSCAN s1 0");
    expect(c, "intset", "OBJECT ENCODING s1");
}

static void try_keys(redisContext *c)
{
    expect(c, "OK", "SET k v EX 100");
    expect(c, ":100", "TTL k");
    expect(c, ":1", "PERSIST k");
    expect(c, ":-1", "TTL k");
    expect(c, ":1", "PEXPIRE k 200000 NX");
    expect(c, ":0", "EXPIRE k 10 GT");
    expect(c, "OK", "RENAME k k2");
    expect(c, ":200", "TTL k2");
    expect(c, ":1", "COPY k2 k3");
    expect(c, ":0", "RENAMENX k2 k3");
    expect(c, "string", "TYPE k3");
    expect(c, ":2", "TOUCH k2 k3 none");
    expect(c, ":1", "MOVE k3 4");
    expect(c, "[k2]", "KEYS k?");
    expect(c, ":1", "UNLINK k2");
    expect(c, ":0", "DEL k2");
    expect(c, "OK", "SET gone v PX 1");
    expect(c, "OK", "SELECT 4");
    expect(c, "[0 [k3]]", "SCAN 0");
    expect(c, ":1", "DBSIZE");
    expect(c, "k3", "RANDOMKEY");
    expect(c, "OK", "FLUSHDB");
    expect(c, "OK", "SELECT 3");
    usleep(5000);
    expect(c, "nil", "GET gone");
}

static void try_transactions(redisContext *c, redisContext *other)
{
    expect(c, "OK", "SET balance 10");
    expect(c, "OK", "WATCH balance");
    expect(c, "OK", "MULTI");
    expect(c, "QUEUED", "INCRBY balance 5");
    expect(c, "QUEUED", "LPUSH balance x");
    expect(c, "QUEUED", "GET balance");
    expect(c, "[:15 -WRONGTYPE Operation against a key holding the wrong kind of value 15]",
           "EXEC");
    expect(c, "OK", "WATCH balance");
    expect(other, ":16", "INCR balance");
    expect(c, "OK", "MULTI");
    expect(c, "QUEUED", "SET balance 0");
    expect(c, "nil", "EXEC");
    expect(c, "16", "GET balance");
    expect(c, "OK", "MULTI");
    expect(c, "-ERR unknown command 'NOSUCH'*", "NOSUCH");
    expect(c, "-EXECABORT*", "EXEC");
    expect(c, "OK", "MULTI");
    expect(c, "OK", "DISCARD");
    expect(c, "-ERR EXEC without MULTI", "EXEC");
}

static void try_pubsub(redisContext *c, redisContext *sub)
{
    expect(sub, "[subscribe news :1]", "SUBSCRIBE news");
    expect(sub, "[psubscribe new* :2]", "PSUBSCRIBE new*");
    expect(c, "[news :1]", "PUBSUB NUMSUB news");
    expect(c, ":2", "PUBLISH news hello");
    expect_next(sub, "[message news hello]", "the message of a channel");
    expect_next(sub, "[pmessage new* news hello]", "the message of a pattern");
    expect(sub, "[pong ]", "PING");
    expect(sub, "[unsubscribe news :1]", "UNSUBSCRIBE");
    expect(sub, "[punsubscribe new* :0]", "PUNSUBSCRIBE");
    expect(sub, "PONG", "PING");
}

static void try_blocking(redisContext *c, redisContext *waiter)
{
    send_only(waiter, "BLPOP queue1 queue2 5");
    expect(c, ":1", "RPUSH queue2 job");
    expect_next(waiter, "[queue2 job]", "BLPOP answers what was pushed");
    send_only(waiter, "BLMOVE queue1 done LEFT RIGHT 5");
    expect(c, ":1", "RPUSH queue1 next");
    expect_next(waiter, "next", "BLMOVE answers what was pushed");
    expect(c, "[next]", "LRANGE done 0 -1");
    expect(waiter, "nil", "BRPOP queue1 0.05");
    expect(c, "OK", "MULTI");
    expect(c, "QUEUED", "BLPOP queue1 0");
    expect(c, "[nil]", "EXEC");
}

static void try_pipeline(redisContext *c)
{
    bool right = true;

    for (int i = 0; i < PIPELINE; i++)
        redisAppendCommand(c, "INCR pipelined");
    for (int i = 0; i < PIPELINE; i++) {
        redisReply *reply = NULL;

        if (redisGetReply(c, (void **)&reply) != REDIS_OK) {
            right = false;
            break;
        }
        right = right && reply->type == REDIS_REPLY_INTEGER && reply->integer == i + 1;
        freeReplyObject(reply);
    }
    judge("a pipeline of a thousand INCR answers each in order", "yes", right ? "yes" : "no");
}

static void try_server(redisContext *c)
{
    expect(c, "PONG", "PING");
    expect(c, "here", "ECHO here");
    expect(c, "OK", "CLIENT SETNAME tester");
    expect(c, "tester", "CLIENT GETNAME");
    expect(c, "# Server*", "INFO server");
    expect(c, "[maxmemory *", "CONFIG GET maxmemory");
    expect(c, "[[get :2 *", "COMMAND INFO get");
    expect(c, "-ERR unknown command 'NOSUCH', with args beginning with: 'x' *", "NOSUCH x");
    expect(c, "-ERR wrong number of arguments for 'get' command", "GET");
}

static void try_cairn(redisContext *c)
{
    expect(c, "OK", "SELECT fleet-1.eu");
    expect(c, "OK", "SET where here");
    expect(c, ":*", "CAIRN POSITION");
    expect(c, ":*", "CAIRN SYNC");
    expect(c, "OK", "SELECT 3");
    expect(c, "nil", "GET where");
    expect(c, "OK", "SELECT fleet-1.eu");
    expect(c, "here", "GET where");
    expect(c, ":1", "HINCRBY h f 1");
    expect(c, ":7", "HMULBY h f 7");
    expect(c, ":2", "HDIVBY h f 3");
    expect(c, "OK", "FLUSHDB");
    expect(c, "OK", "SELECT 3");
}

int main(int argc, char **argv)
{
    redisContext *one, *two;
    int port = argc > 1 ? atoi(argv[1]) : 6379;

    is_cairn = argc > 2 && !strcmp(argv[2], "cairn");
    one = open_connection(port);
    two = open_connection(port);
    expect(one, "OK", "FLUSHDB");
    try_server(one);
    try_strings(one);
    try_hashes(one);
    try_lists(one);
    try_sets(one);
    try_keys(one);
    try_transactions(one, two);
    try_pubsub(one, two);
    try_blocking(one, two);
    try_pipeline(one);
    if (is_cairn)
        try_cairn(one);
    expect(one, "OK", "FLUSHDB");
    expect(one, "OK", "QUIT");
    redisFree(one);
    redisFree(two);
    return failures ? 1 : 0;
}
