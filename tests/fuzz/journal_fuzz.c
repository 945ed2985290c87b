/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: the input is taken for a journal file, then for the payload of a record with
 * right checksums, as somebody who means harm could make it. What is accepted can be collected and
 * applied within bounds, and a torn file cut where the reader says is whole.
 */
#include <stdio.h>
#include <stdlib.h>

#include "persistence/crc32c.h"
#include "persistence/journal-internal.h"
#include "persistence/recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct sink {
    struct recovery recovery;
    uint64_t sections;
};

static bool collect(void *ctx, const struct journal_file_header *header,
                    const struct journal_section *section, struct text *error)
{
    struct sink *sink = ctx;
    sink->sections++;
    return recovery_collect(&sink->recovery, header, section, error);
}

/* As a server at its start does, on top of an empty store. */
static void apply_all(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++) {
        struct recovered *item = &recovery->items[i];
        struct loaded loaded = {.keyspace = keyspace_create(NULL)};
        struct text error = {0};
        head_init(&loaded.head, slice_of(item->namespace));
        item->position = 0;
        must(recovery_apply(item, &loaded, &error) == (error.len == 0));
        text_release(&error);
        loaded_release(&loaded);
    }
}

static void read_file(struct slice file, uint64_t stop)
{
    struct sink sink = {{0}, 0}, again = {{0}, 0};
    struct journal_file_header header;
    struct text error = {0};
    uint64_t good, same;
    enum journal_verdict verdict =
        journal_parse(file, stop, collect, &sink, &header, &good, &error);
    must((verdict == JOURNAL_DAMAGED) == (error.len > 0));
    must(good <= file.len);
    if (verdict == JOURNAL_TORN && good) {
        must(journal_parse(slice_make(file.data, good), stop, collect, &again, &header, &same,
                           &error) == JOURNAL_WHOLE);
        must(same == good && again.sections == sink.sections);
    }
    apply_all(&sink.recovery);
    recovery_release(&sink.recovery);
    recovery_release(&again.recovery);
    text_release(&error);
}

static void add_record(struct text *file, struct slice payload, uint64_t unsynced)
{
    unsigned char head[JOURNAL_RECORD_SIZE];
    journal_store32(head, JOURNAL_RECORD_MAGIC);
    journal_store64(head + 8, payload.len);
    journal_store64(head + 16, unsynced);
    uint32_t crc = crc32c(0, payload.data, payload.len);
    journal_store32(head + 4, crc32c(crc, head + 8, sizeof(head) - 8));
    text_append(file, head, sizeof(head));
    text_append_slice(file, payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_file_header header = {.sequence = 1, .incarnation = "fuzz/1"};
    struct slice input = slice_make(data, size);
    struct text file = {0};
    read_file(input, UINT64_MAX);
    journal_header_encode(&header, text_reserve(&file, JOURNAL_HEADER_SIZE));
    file.len = JOURNAL_HEADER_SIZE;
    /* The input as it stands behind a header; then split in two records. */
    text_append_slice(&file, input);
    read_file(text_slice(&file), UINT64_MAX);
    file.len = JOURNAL_HEADER_SIZE;
    size_t half = size ? data[0] % (size + 1) : 0;
    add_record(&file, slice_make(data, half), 0);
    add_record(&file, slice_make(data + half, size - half), size);
    read_file(text_slice(&file), UINT64_MAX);
    read_file(text_slice(&file), half);
    text_release(&file);
    return 0;
}
