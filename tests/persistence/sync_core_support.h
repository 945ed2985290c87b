/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the sync core share: a core of its own namespace, and heads to show it. */
#ifndef CAIRN_TESTS_SYNC_CORE_SUPPORT_H
#define CAIRN_TESTS_SYNC_CORE_SUPPORT_H

#include <stdio.h>

#include "ops/mem.h"
#include "persistence/op_binary.h"
#include "persistence/sync_core.h"

#define NAME  "space"
#define DAY   (INT64_C(24) * 3600 * 1000)
#define TODAY (INT64_C(1795000000000))

static inline void count_uuid(int64_t now_ms, char out[UUID_TEXT_SIZE])
{
    uuid7_make(now_ms, out);
}

static const _Atomic int64_t thirty_days = 30 * DAY;

static inline uint64_t no_random(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline struct sync_core *make_core(bool shared)
{
    struct sync_settings settings = {.inline_limit = 30000,
                                     .tail_max = 20,
                                     .backoff_max_ms = 1000,
                                     .replica = "me",
                                     .incarnation = "me/9",
                                     .shared = shared,
                                     .replica_expiry_ms = &thirty_days,
                                     .random = no_random,
                                     .make_uuid = count_uuid};
    return sync_core_create(slice_of(NAME), &settings);
}

static inline void folded_head(struct head *head, uint64_t position)
{
    head_init(head, slice_of(NAME));
    head->position = head->base.position = position;
}

static inline void commit_one(struct head *head, const char *replica)
{
    struct commit commit = {.position = head->position + 1, .time = 5, .first = 6, .count = 1};
    snprintf(commit.replica, sizeof(commit.replica), "%s", replica);
    commit_seal_inline(&commit, slice_of("[\n{\"op\":\"NamespaceClear\"}\n]"));
    head_append(head, &commit);
}

static inline struct sync_batch *one_op(const char *replica, uint64_t first)
{
    struct sync_batch *batch = mem_calloc(1, sizeof(*batch));
    struct op op = {
        .kind = OP_INT_ADD, .key = slice_of("k"), .time = TODAY, .int_add = {.delta = 1}};
    snprintf(batch->replica, sizeof(batch->replica), "%s", replica);
    batch->first = first;
    batch->count = 1;
    batch->time = TODAY - 100 * DAY; /* it has waited long */
    op_binary_encode(&batch->ops, &op);
    return batch;
}

/* The head that the core wants to put next. */
static inline void take_candidate(struct sync_core *core, int64_t now, struct head *ret_head)
{
    struct sync_request wanted;
    struct text error = {0};
    assert_int_equal(sync_core_next(core, now, &wanted), SYNC_PUT);
    if (!head_decode(wanted.body, slice_of(NAME), ret_head, &error))
        fail_msg("%s", text_terminated(&error));
}

static inline void answer_with(struct sync_core *core, struct head *head, const char *etag)
{
    struct text body = {0};
    head_encode(head, &body);
    sync_core_answer(core, TODAY, STORE_OK, etag, text_slice(&body), "");
    text_release(&body);
    head_release(head);
}

#endif
