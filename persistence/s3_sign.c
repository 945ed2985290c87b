/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_sign.h. The canonical request is built as one text, hashed, and signed by four HMACs. */
#include "persistence/s3_sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#include "persistence/sha256.h"

#define SCOPE_DATE_LEN 8

void s3_pairs_add(struct s3_pairs *pairs, const char *name, const char *value)
{
    assert(pairs->count < S3_PAIRS_MAX);
    pairs->items[pairs->count++] = (struct s3_pair){name, value};
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void encode(const char *string, bool keep_slash, struct text *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const char *c = string; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (is_unreserved(byte) || (keep_slash && byte == '/')) {
            text_append_char(out, *c);
        } else {
            text_append_char(out, '%');
            text_append_char(out, hex[byte >> 4]);
            text_append_char(out, hex[byte & 15]);
        }
    }
}

void s3_encode_path(const char *path, struct text *out)
{
    encode(path, true, out);
}

/* One encoded name=value; `name_len` apart, since the name alone decides the order first. */
struct encoded_pair {
    struct text text;
    size_t name_len;
};

static int compare_encoded(const void *a, const void *b)
{
    const struct encoded_pair *left = a, *right = b;
    struct slice left_all = text_slice(&left->text), right_all = text_slice(&right->text);
    int order = slice_compare(slice_make(left_all.data, left->name_len),
                              slice_make(right_all.data, right->name_len));
    return order ? order : slice_compare(left_all, right_all);
}

void s3_encode_query(const struct s3_pairs *query, struct text *out)
{
    struct encoded_pair pairs[S3_PAIRS_MAX] = {0};
    for (size_t i = 0; i < query->count; i++) {
        encode(query->items[i].name, false, &pairs[i].text);
        pairs[i].name_len = pairs[i].text.len;
        text_append_char(&pairs[i].text, '=');
        encode(query->items[i].value, false, &pairs[i].text);
    }
    qsort(pairs, query->count, sizeof(pairs[0]), compare_encoded);
    for (size_t i = 0; i < query->count; i++) {
        if (i)
            text_append_char(out, '&');
        text_append_slice(out, text_slice(&pairs[i].text));
        text_release(&pairs[i].text);
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct s3_pair *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* Without space at the ends, and each run of spaces as one. */
static void append_trimmed(const char *value, struct text *out)
{
    size_t start = out->len;
    for (const char *c = value; *c; c++) {
        bool space = *c == ' ' || *c == '\t';
        if (!space)
            text_append_char(out, *c);
        else if (out->len > start && out->data[out->len - 1] != ' ')
            text_append_char(out, ' ');
    }
    if (out->len > start && out->data[out->len - 1] == ' ')
        out->len--;
}

static void append_names(const struct s3_pairs *sorted, struct text *out)
{
    for (size_t i = 0; i < sorted->count; i++) {
        if (i)
            text_append_char(out, ';');
        text_append_string(out, sorted->items[i].name);
    }
}

static void canonical_request(const struct s3_sign_input *input, const struct s3_pairs *sorted,
                              struct text *out)
{
    text_append_format(out, "%s\n", input->method);
    s3_encode_path(input->path, out);
    text_append_char(out, '\n');
    s3_encode_query(&input->query, out);
    text_append_char(out, '\n');
    for (size_t i = 0; i < sorted->count; i++) {
        text_append_format(out, "%s:", sorted->items[i].name);
        append_trimmed(sorted->items[i].value, out);
        text_append_char(out, '\n');
    }
    text_append_char(out, '\n');
    append_names(sorted, out);
    text_append_format(out, "\n%s", input->payload_hash);
}

static void hmac(struct slice key, struct slice message, unsigned char out[SHA256_SIZE])
{
    unsigned len = 0;
    const unsigned char *done = HMAC(EVP_sha256(), key.data, (int)key.len,
                                     (const unsigned char *)message.data, message.len, out, &len);
    assert(done && len == SHA256_SIZE);
    (void)done;
}

static void signing_key(const struct s3_sign_input *input, unsigned char key[SHA256_SIZE])
{
    struct slice steps[] = {slice_make(input->date, SCOPE_DATE_LEN), slice_of(input->region),
                            slice_of(input->service), slice_of("aws4_request")};
    struct text first = {0};
    unsigned char next[SHA256_SIZE];
    text_append_format(&first, "AWS4%s", input->secret_key);
    hmac(text_slice(&first), steps[0], key);
    for (size_t i = 1; i < sizeof(steps) / sizeof(steps[0]); i++) {
        hmac(slice_make(key, SHA256_SIZE), steps[i], next);
        memcpy(key, next, SHA256_SIZE);
    }
    explicit_bzero(first.data, first.len);
    text_release(&first);
}

void s3_sign(const struct s3_sign_input *input, struct text *ret_authorization)
{
    struct s3_pairs sorted = input->headers;
    struct text canonical = {0}, to_sign = {0}, scope = {0};
    char hash[SHA256_HEX_SIZE];
    unsigned char key[SHA256_SIZE], signature[SHA256_SIZE];

    qsort(sorted.items, sorted.count, sizeof(sorted.items[0]), compare_names);
    canonical_request(input, &sorted, &canonical);
    sha256_digest_hex(text_slice(&canonical), hash);
    text_append_format(&scope, "%.*s/%s/%s/aws4_request", SCOPE_DATE_LEN, input->date,
                       input->region, input->service);
    text_append_format(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", input->date,
                       text_terminated(&scope), hash);
    signing_key(input, key);
    hmac(slice_make(key, sizeof(key)), text_slice(&to_sign), signature);
    sha256_to_hex(signature, hash);

    text_append_format(ret_authorization,
                       "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", input->access_key,
                       text_terminated(&scope));
    append_names(&sorted, ret_authorization);
    text_append_format(ret_authorization, ", Signature=%s", hash);
    explicit_bzero(key, sizeof(key));
    text_release(&canonical);
    text_release(&to_sign);
    text_release(&scope);
}

void s3_date(int64_t seconds, char out[S3_DATE_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&when, &utc) ||
        strftime(out, S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) != S3_DATE_SIZE - 1)
        memcpy(out, "19700101T000000Z", S3_DATE_SIZE);
}
