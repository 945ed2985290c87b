/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_answer.h. */
#include "persistence/s3_answer.h"

#include <stdio.h>

#include "persistence/s3_xml.h"

#define ROOT "ListBucketResult"

struct list_reader {
    const char *prefix;
    struct store_request *request;
    struct s3_page *page;
    char key[2 * STORE_KEY_MAX]; /* of the item that is read; empty: none of ours */
    char etag[STORE_ETAG_MAX];
    int64_t size;
    bool is_list;
};

void s3_page_release(struct s3_page *page)
{
    text_release(&page->token);
}

/* Copies what fits whole and holds no NUL; else leaves an empty string. */
static bool copy_string(struct slice from, char *out, size_t size)
{
    out[0] = '\0';
    if (from.len >= size || (from.len && memchr(from.data, '\0', from.len)))
        return false;
    if (from.len)
        memcpy(out, from.data, from.len);
    out[from.len] = '\0';
    return true;
}

/* Takes `prefix` off `content`, if that begins with it. */
static bool take_off(struct slice *content, const char *prefix)
{
    size_t len = strlen(prefix);
    if (content->len < len || (len && memcmp(content->data, prefix, len) != 0))
        return false;
    *content = slice_make(content->data + len, content->len - len);
    return true;
}

/* Our name of what S3 calls `content`: without the prefix; false when it is none, or none of those
 * that were asked for. */
static bool own_key(const struct list_reader *reader, struct slice content, char *out, size_t size)
{
    out[0] = '\0';
    if (!take_off(&content, reader->prefix))
        return false;
    struct slice rest = content;
    return take_off(&rest, reader->request->key) && copy_string(content, out, size);
}

static void finish_object(struct list_reader *reader)
{
    if (store_key_valid(reader->key)) {
        struct store_item *item = store_add_item(reader->request, reader->key, false);
        item->size = reader->size;
        memcpy(item->etag, reader->etag, sizeof(item->etag));
    }
    reader->key[0] = reader->etag[0] = '\0';
    reader->size = 0;
}

static void take_common_prefix(struct list_reader *reader, struct slice content)
{
    char key[2 * STORE_KEY_MAX];
    if (!own_key(reader, content, key, sizeof(key)))
        return;
    size_t len = strlen(key);
    if (len < 2 || key[len - 1] != '/')
        return;
    key[len - 1] = '\0';
    bool valid = store_key_valid(key);
    key[len - 1] = '/';
    if (valid)
        store_add_item(reader->request, key, true);
}

static bool visit_list(void *ctx, const char *path, struct slice content)
{
    struct list_reader *reader = ctx;
    if (strcmp(path, ROOT "/Contents/Key") == 0) {
        own_key(reader, content, reader->key, sizeof(reader->key));
    } else if (strcmp(path, ROOT "/Contents/ETag") == 0) {
        copy_string(content, reader->etag, sizeof(reader->etag));
    } else if (strcmp(path, ROOT "/Contents/Size") == 0) {
        return text_parse_int64(content, &reader->size) && reader->size >= 0;
    } else if (strcmp(path, ROOT "/Contents") == 0) {
        finish_object(reader);
    } else if (strcmp(path, ROOT "/CommonPrefixes/Prefix") == 0) {
        take_common_prefix(reader, content);
    } else if (strcmp(path, ROOT "/IsTruncated") == 0) {
        reader->page->truncated = slice_equal(content, slice_of("true"));
    } else if (strcmp(path, ROOT "/NextContinuationToken") == 0) {
        if (content.len > S3_TOKEN_MAX || (content.len && memchr(content.data, 0, content.len)))
            return false;
        text_clear(&reader->page->token);
        text_append_slice(&reader->page->token, content);
    } else if (strcmp(path, ROOT) == 0) {
        reader->is_list = true;
    }
    return true;
}

bool s3_answer_list(struct slice body, const char *prefix, struct store_request *request,
                    struct s3_page *ret_page)
{
    struct list_reader reader = {.prefix = prefix, .request = request, .page = ret_page};
    ret_page->truncated = false;
    text_clear(&ret_page->token);
    return s3_xml_walk(body, visit_list, &reader) && reader.is_list &&
           (!ret_page->truncated || ret_page->token.len > 0);
}

static void copy_printable(struct slice from, char *out, size_t size)
{
    size_t len = from.len < size - 1 ? from.len : size - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = from.data[i] >= ' ' && from.data[i] < 127 ? from.data[i] : '?';
    out[len] = '\0';
}

static bool visit_error(void *ctx, const char *path, struct slice content)
{
    struct s3_error *error = ctx;
    if (strcmp(path, "Error/Code") == 0 || strcmp(path, "ErrorResponse/Error/Code") == 0)
        copy_printable(content, error->code, sizeof(error->code));
    if (strcmp(path, "Error/Message") == 0 || strcmp(path, "ErrorResponse/Error/Message") == 0)
        copy_printable(content, error->message, sizeof(error->message));
    return true;
}

void s3_answer_error(struct slice body, struct s3_error *ret_error)
{
    *ret_error = (struct s3_error){0};
    s3_xml_walk(body, visit_error, ret_error);
}
