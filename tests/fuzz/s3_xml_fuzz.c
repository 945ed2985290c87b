/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: whatever a server answers, as listing, error, STS answer or JSON credentials,
 * is read without harm; what a listing gives are valid keys, and never more than it holds.
 */
#include <stdlib.h>
#include <string.h>

#include "persistence/credentials_sources.h"
#include "persistence/s3_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void read_list(struct slice input)
{
    struct store_request request = {.verb = STORE_LIST};
    struct s3_page page = {0};
    s3_answer_list(input, "p/", &request, &page);
    must(request.item_count <= input.len);
    for (size_t i = 0; i < request.item_count; i++) {
        const struct store_item *item = &request.items[i];
        size_t len = strlen(item->key);
        must(item->size >= 0 && memchr(item->etag, '\0', sizeof(item->etag)) != NULL);
        if (item->is_prefix)
            must(len > 1 && item->key[len - 1] == '/');
        else
            must(store_key_valid(item->key));
    }
    store_request_release(&request);
    s3_page_release(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3_error error;
    struct credentials credentials;
    struct text why = {0};
    char *copy =
        malloc(size ? size : 1); /* of exactly this size, so that a read behind it is seen */
    must(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    struct slice input = slice_make(copy, size);
    read_list(input);
    s3_answer_error(input, &error);
    must(memchr(error.code, '\0', sizeof(error.code)) != NULL);
    if (credentials_parse_sts(input, &credentials, &why))
        must(credentials.access_key[0] && credentials.secret_key[0]);
    if (credentials_parse_json(input, &credentials, &why))
        must(credentials.access_key[0] && credentials.secret_key[0]);
    text_release(&why);
    free(copy);
    return 0;
}
