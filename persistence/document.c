/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Export streams the merged state. Import holds the document, since its keys may come in any order,
 * but decodes one key at a time.
 */
#include "persistence/document.h"

#include <stdlib.h>

#include "ops/mem.h"
#include "persistence/value_json.h"

/* Pieces go out when they have grown to this, so that each member is not a write of its own. */
#define PIECE_SIZE (64 << 10)

struct exporting {
    struct text piece;
    document_put *put;
    void *ctx;
    bool first;
};

static bool export_piece(struct exporting *e, size_t at_least, struct text *error)
{
    if (e->piece.len < at_least)
        return true;
    bool fine = e->put(e->ctx, text_slice(&e->piece), error);
    text_clear(&e->piece);
    return fine;
}

static bool export_member(void *ctx, struct slice key, struct slice member, struct text *error)
{
    struct exporting *e = ctx;
    (void)key;
    text_append_string(&e->piece, e->first ? "\n" : ",\n");
    text_append_slice(&e->piece, member);
    e->first = false;
    return export_piece(e, PIECE_SIZE, error);
}

bool document_export(const struct head *head, const struct fold_store *store, document_put *put,
                     void *ctx, struct text *error)
{
    struct exporting e = {.put = put, .ctx = ctx, .first = true};
    text_append_format(&e.piece, "{\"namespace\":\"%s\",\"position\":%llu,\"state\":{",
                       head->namespace, (unsigned long long)head->position);
    bool fine = fold_visit_state(head, store, export_member, &e, error);
    if (fine) {
        text_append_string(&e.piece, "\n}}\n");
        fine = export_piece(&e, 0, error);
    }
    text_release(&e.piece);
    return fine;
}

struct member {
    struct slice key;   /* decoded */
    struct slice value; /* raw, inside the document */
};

struct import {
    struct slice document;
    struct text keys; /* where the reader decodes keys */
    struct member *members;
    size_t count, cap;
};

static void add_member(struct import *import, struct slice key, struct slice value)
{
    if (import->count == import->cap) {
        import->cap = import->cap ? import->cap * 2 : 64;
        import->members = mem_realloc(import->members, import->cap * sizeof(*import->members));
    }
    import->members[import->count++] = (struct member){key, value};
}

static void read_state(struct json_reader *reader, struct import *import)
{
    struct slice key, value;
    if (!json_expect_object(reader))
        return;
    while (json_next_name(reader, &key))
        if (json_skip_value(reader, &value))
            add_member(import, key, value);
}

static bool read_document(struct import *import, struct text *error)
{
    struct json_reader reader;
    struct slice name;
    unsigned states = 0;
    json_reader_init(&reader, import->document, &import->keys);
    if (json_expect_object(&reader)) {
        while (json_next_name(&reader, &name)) {
            if (slice_equal(name, slice_of("state")) && states++ == 0)
                read_state(&reader, import);
            else if (slice_equal(name, slice_of("namespace")) ||
                     slice_equal(name, slice_of("position")))
                json_skip_value(&reader, NULL);
            else
                json_reader_fail(&reader, "unknown member, or \"state\" twice");
        }
    }
    if (!json_reader_failed(&reader) && json_expect_end(&reader) && !states)
        json_reader_fail(&reader, "no \"state\"");
    if (json_reader_failed(&reader))
        text_append_format(error, "this is not what --export prints: %s",
                           json_reader_error(&reader));
    return !json_reader_failed(&reader);
}

static int compare_members(const void *a, const void *b)
{
    return slice_compare(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Decodes and encodes again, whatever the document's own layout was. */
static bool import_member(const struct import *import, const struct member *member,
                          struct fold_output *output, struct text *encoded, struct text *error)
{
    struct text unescaped = {0};
    struct json_reader reader;
    json_reader_init(&reader, member->value, &unescaped);
    struct entry *entry = value_json_read(&reader, member->key);
    bool fine = entry != NULL;
    if (fine) {
        text_clear(encoded);
        chunk_member_encode(encoded, member->key, entry);
        entry_destroy(entry);
        fine = fold_output_add(output, member->key, text_slice(encoded), error);
    } else {
        text_append_format(error, "value at byte %zu: %s",
                           (size_t)(member->value.data - import->document.data),
                           json_reader_error(&reader));
    }
    text_release(&unescaped);
    return fine;
}

static bool write_members(const struct import *import, struct fold_output *output,
                          struct text *error)
{
    struct text encoded = {0};
    bool fine = true;
    for (size_t i = 0; i < import->count && fine; i++) {
        const struct member *member = &import->members[i];
        if (i && slice_equal(member[-1].key, member->key)) {
            text_append_format(error, "value at byte %zu: its key was there before",
                               (size_t)(member->value.data - import->document.data));
            fine = false;
        } else {
            fine = import_member(import, member, output, &encoded, error);
        }
    }
    text_release(&encoded);
    return fine;
}

bool document_import(struct slice document, const struct fold_store *store,
                     const struct fold_options *options, struct head_base *ret_base,
                     struct text *error)
{
    struct import import = {.document = document};
    bool fine = read_document(&import, error);
    if (fine) {
        struct fold_output *output = fold_output_create(store, options);
        if (import.count)
            qsort(import.members, import.count, sizeof(*import.members), compare_members);
        fine = write_members(&import, output, error);
        if (fine)
            fine = fold_output_finish(output, ret_base, error);
        else
            fold_output_destroy(output);
    }
    mem_free(import.members);
    text_release(&import.keys);
    return fine;
}
