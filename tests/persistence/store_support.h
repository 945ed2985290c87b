/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests put into a store behind its readers' backs, and take away; cmocka.h comes first. */
#ifndef CAIRN_TESTS_STORE_SUPPORT_H
#define CAIRN_TESTS_STORE_SUPPORT_H

#include <stdio.h>

#include "persistence/store.h"

static inline void put(struct store *store, const char *key, struct slice body)
{
    struct store_request request = {.verb = STORE_PUT, .body = body};
    snprintf(request.key, sizeof(request.key), "%s", key);
    assert_int_equal(store_wait(store, &request), STORE_OK);
    store_request_release(&request);
}

static inline void take_away(struct store *store, const char *key)
{
    struct store_request request = {.verb = STORE_REMOVE};
    snprintf(request.key, sizeof(request.key), "%s", key);
    assert_int_equal(store_wait(store, &request), STORE_OK);
    store_request_release(&request);
}

#endif
