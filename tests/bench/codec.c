/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast one core writes and reads the JSON of a base: chunks of strings, hashes and sets, from
 * and to entries in memory. Prints Markdown rows: what, bytes a key, MB/s written, MB/s read, and
 * MB/s of sha256, which every object needs too. Processor time, the best of some rounds.
 */
#include <stdio.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/chunk.h"
#include "persistence/sha256.h"

enum { KEYS = 300000, FIELDS = 5, MEMBERS = 3, ROUNDS = 7 };

static double used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct slice format(char out[32], const char *pattern, int number)
{
    return slice_make(out, (size_t)snprintf(out, 32, pattern, number));
}

static struct entry *make_string(struct slice key, int i)
{
    char value[32];
    return entry_build_string(key, 0, format(value, "v0123456789abc%02d", i % 100));
}

static struct entry *make_hash(struct slice key, int i)
{
    struct entry *entry = entry_build(key, 0, VALUE_HASH);
    char field[32], value[32];
    for (int n = 0; n < FIELDS; n++)
        entry_build_field(&entry, format(field, "field%d", n), format(value, "value%d", i + n));
    return entry;
}

static struct entry *make_set(struct slice key, int i)
{
    struct entry *entry = entry_build(key, 0, VALUE_SET);
    char member[32];
    for (int n = 0; n < MEMBERS; n++)
        entry_build_member(&entry, format(member, "member-%d", i * n));
    return entry;
}

static void take(void *ctx, struct entry *entry)
{
    struct entry ***at = ctx;
    *(*at)++ = entry;
}

struct times {
    double written, read, hashed;
};

static void keep_best(double *best, double took)
{
    if (*best == 0 || took < *best)
        *best = took;
}

static void write_all(struct entry **entries, struct text *lines)
{
    text_clear(lines);
    for (int i = 0; i < KEYS; i++) {
        text_append_char(lines, '{');
        chunk_member_encode(lines, entry_key(entries[i]), entries[i]);
        text_append(lines, "}\n", 2);
    }
}

static void one_round(struct entry **entries, struct text *lines, struct times *best)
{
    struct chunk_ref ref = {.object = "chunk", .count = KEYS};
    struct entry **at = entries;
    struct text error = {0};
    double begin = used();
    write_all(entries, lines);
    keep_best(&best->written, used() - begin);
    for (int i = 0; i < KEYS; i++)
        entry_destroy(entries[i]);
    begin = used();
    sha256_digest_hex(text_slice(lines), ref.sha256);
    keep_best(&best->hashed, used() - begin);
    ref.bytes = lines->len;
    begin = used();
    if (!chunk_load(&ref, text_slice(lines), take, &at, &error))
        fprintf(stderr, "%s\n", text_terminated(&error));
    keep_best(&best->read, used() - begin - best->hashed);
    text_release(&error);
}

static void measure(const char *what, struct entry *(*make)(struct slice key, int i))
{
    struct entry **entries = mem_alloc(KEYS * sizeof(*entries));
    struct times best = {0};
    struct text lines = {0};
    char key[32];
    for (int i = 0; i < KEYS; i++)
        entries[i] = make(format(key, "bench:s:%012d", i), i);
    for (int round = 0; round < ROUNDS; round++)
        one_round(entries, &lines, &best);
    double mb = (double)lines.len / 1e6;
    printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", what, (double)lines.len / KEYS,
           mb / best.written, mb / best.read, mb / best.hashed);
    for (int i = 0; i < KEYS; i++)
        entry_destroy(entries[i]);
    mem_free(entries);
    text_release(&lines);
}

int main(void)
{
    printf("| keys | bytes of JSON a key | written, MB/s a core | read, MB/s a core | sha256, MB/s "
           "a core |\n");
    printf("|---|---:|---:|---:|---:|\n");
    measure("strings of 16 bytes", make_string);
    measure("hashes of 5 fields", make_hash);
    measure("sets of 3 members", make_set);
    return 0;
}
