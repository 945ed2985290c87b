/* SPDX-License-Identifier: BSD-3-Clause */
/* The probe passes stores whose swaps hold, and refuses each way in which real ones do not. */
#include "persistence/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "ops/mem.h"
#include "persistence/store-internal.h"

enum flaw {
    FLAWLESS,
    WANTS_BARE_ETAGS, /* no flaw: the other way of quoting */
    IGNORES_ABSENT,
    IGNORES_MATCH,
    IGNORES_BOTH,
    LETS_SEVERAL_MATCH, /* only under a race */
    LETS_SEVERAL_CREATE,
    MAKES_MISSING,   /* If-Match on a key that is not there */
    NOT_IMPLEMENTED, /* 501 */
    REFUSES_PUTS,    /* whatever the condition: no such storage class */
    REFUSES_AND_WRITES,
    ANSWERS_OPEN,  /* no flaw: UNKNOWN although done, now and then */
    SAME_ETAG,     /* whatever the content */
    HIDES_ABSENCE, /* 403 instead of 404 */
    ALLOWS_NOTHING,
    OUT_OF_REACH,
    CANNOT_READ, /* what is there, from one moment on */
    FLAWS,
};

/* Handles on the memory store behind a flaw. */
struct flawed {
    struct store store;
    struct store *inner;
    enum flaw flaw;
    bool bare;
    unsigned count;
};

static bool in_race(const struct store_request *request)
{
    return request->body.len > 4 && memcmp(request->body.data, "race", 4) == 0;
}

/* What the flawed store makes of the condition. */
static enum store_condition bend(struct flawed *flawed, const struct store_request *request)
{
    bool match = request->condition == STORE_IF_MATCH;
    bool absent = request->condition == STORE_IF_ABSENT;
    bool ignores = false;
    switch (flawed->flaw) {
    case IGNORES_ABSENT: ignores = absent; break;
    case IGNORES_MATCH: ignores = match; break;
    case IGNORES_BOTH: ignores = true; break;
    case LETS_SEVERAL_MATCH: ignores = match && in_race(request) && flawed->count % 3 == 0; break;
    case LETS_SEVERAL_CREATE: ignores = absent && in_race(request) && flawed->count % 3 == 0; break;
    case MAKES_MISSING:
        ignores = match && request->body.len == 4 && memcmp(request->body.data, "five", 4) == 0;
        break;
    case FLAWLESS:
    case WANTS_BARE_ETAGS:
    case NOT_IMPLEMENTED:
    case REFUSES_PUTS:
    case REFUSES_AND_WRITES:
    case ANSWERS_OPEN:
    case SAME_ETAG:
    case HIDES_ABSENCE:
    case ALLOWS_NOTHING:
    case OUT_OF_REACH:
    case CANNOT_READ:
    case FLAWS: break;
    }
    return ignores ? STORE_ALWAYS : request->condition;
}

static void overwrite(struct flawed *flawed, const struct store_request *request)
{
    struct store_request put = {.verb = STORE_PUT, .body = request->body};
    memcpy(put.key, request->key, sizeof(put.key));
    store_wait(flawed->inner, &put);
    store_request_release(&put);
}

static enum store_result spoil(struct flawed *flawed, const struct store_request *request,
                               enum store_result result)
{
    bool puts = request->verb == STORE_PUT;
    bool swaps = puts && request->condition != STORE_ALWAYS;
    switch (flawed->flaw) {
    case WANTS_BARE_ETAGS:
        return puts && request->condition == STORE_IF_MATCH && !flawed->bare ? STORE_PRECONDITION
                                                                             : result;
    case NOT_IMPLEMENTED: return swaps ? STORE_INVALID : result;
    case REFUSES_PUTS: return puts ? STORE_INVALID : result;
    case REFUSES_AND_WRITES:
        if (swaps && result == STORE_PRECONDITION)
            overwrite(flawed, request);
        return result;
    case ANSWERS_OPEN: return swaps && flawed->count % 5 == 0 ? STORE_UNKNOWN : result;
    case HIDES_ABSENCE: return result == STORE_NOT_FOUND ? STORE_DENIED : result;
    case ALLOWS_NOTHING: return STORE_DENIED;
    case OUT_OF_REACH: return STORE_TRANSIENT;
    case CANNOT_READ:
        return request->verb == STORE_GET && result == STORE_OK ? STORE_TRANSIENT : result;
    case FLAWS:
    case FLAWLESS:
    case IGNORES_ABSENT:
    case IGNORES_MATCH:
    case IGNORES_BOTH:
    case LETS_SEVERAL_MATCH:
    case LETS_SEVERAL_CREATE:
    case MAKES_MISSING:
    case SAME_ETAG: break;
    }
    return result;
}

static void flawed_submit(struct store *store, struct store_request *request)
{
    struct flawed *flawed = (struct flawed *)store;
    struct store_request inner = *request;
    enum store_condition asked = request->condition;
    bool blocked = flawed->flaw == WANTS_BARE_ETAGS && !flawed->bare &&
                   request->verb == STORE_PUT && asked == STORE_IF_MATCH;
    flawed->count++;
    inner.condition = bend(flawed, request);
    enum store_result result = blocked || flawed->flaw == ALLOWS_NOTHING ||
                                       flawed->flaw == OUT_OF_REACH ||
                                       (flawed->flaw == NOT_IMPLEMENTED &&
                                        request->verb == STORE_PUT && asked != STORE_ALWAYS)
                                   ? STORE_PRECONDITION
                                   : store_wait(flawed->inner, &inner);
    result = spoil(flawed, request, result);
    request->answer = inner.answer;
    memcpy(request->answer_etag, inner.answer_etag, sizeof(request->answer_etag));
    if (flawed->flaw == SAME_ETAG && inner.answer_etag[0])
        strcpy(request->answer_etag, "same");
    store_answer(request, result, result == STORE_OK ? NULL : "%s", store_result_name(result));
}

static bool flawed_other_quoting(struct store *store)
{
    struct flawed *flawed = (struct flawed *)store;
    flawed->bare = !flawed->bare;
    return flawed->flaw == WANTS_BARE_ETAGS;
}

static void flawed_close(struct store *store)
{
    struct flawed *flawed = (struct flawed *)store;
    store_close(flawed->inner);
    store_fini(store);
    mem_free(flawed);
}

static struct store *flawed_open(enum flaw flaw)
{
    static const struct store_kind kind = {
        .submit = flawed_submit, .close = flawed_close, .other_quoting = flawed_other_quoting};
    struct flawed *flawed = mem_calloc(1, sizeof(*flawed));
    store_init(&flawed->store, &kind, NULL);
    flawed->inner = store_memory_create();
    flawed->flaw = flaw;
    return &flawed->store;
}

static void assert_probed(enum flaw flaw, enum probe_result expected, const char *words)
{
    struct text sentence = {0};
    struct store *store = flawed_open(flaw);
    assert_int_equal(probe_run(store, &sentence), expected);
    if (words && !strstr(text_terminated(&sentence), words))
        fail_msg("'%s' is not in: %s", words, text_terminated(&sentence));
    if (!words)
        assert_int_equal(sentence.len, 0);
    if (expected == PROBE_REFUSED)
        assert_non_null(strstr(text_terminated(&sentence), "commit-mode lock"));
    store_close(store);
    text_release(&sentence);
}

static void sound_stores_pass(void **state)
{
    (void)state;
    assert_probed(FLAWLESS, PROBE_OK, NULL);
    assert_probed(ANSWERS_OPEN, PROBE_OK, NULL);
}

static void the_way_of_quoting_is_found(void **state)
{
    (void)state;
    assert_probed(WANTS_BARE_ETAGS, PROBE_OK, NULL);
}

static void ignored_conditions_are_refused(void **state)
{
    (void)state;
    assert_probed(IGNORES_BOTH, PROBE_REFUSED, "ignores If-None-Match");
    assert_probed(IGNORES_ABSENT, PROBE_REFUSED, "ignores If-None-Match");
    assert_probed(IGNORES_MATCH, PROBE_REFUSED, "ignores If-Match");
    assert_probed(MAKES_MISSING, PROBE_REFUSED, "was not there");
    assert_probed(NOT_IMPLEMENTED, PROBE_REFUSED, "does not know conditional writes");
    assert_probed(REFUSES_AND_WRITES, PROBE_REFUSED, "overwrites");
}

static void several_winners_are_refused(void **state)
{
    (void)state;
    assert_probed(LETS_SEVERAL_MATCH, PROBE_REFUSED, "several racers");
    assert_probed(LETS_SEVERAL_CREATE, PROBE_REFUSED, "several racers");
}

static void trouble_that_says_nothing_of_swaps_is_told_apart(void **state)
{
    (void)state;
    assert_probed(HIDES_ABSENCE, PROBE_DENIED, "s3:ListBucket");
    assert_probed(ALLOWS_NOTHING, PROBE_DENIED, "access denied");
    assert_probed(REFUSES_PUTS, PROBE_DENIED, "cannot be probed: invalid request");
    assert_probed(OUT_OF_REACH, PROBE_UNREACHABLE, "out of reach");
}

/* What is wrong with conditions is told and no reason to refuse. */
static void assert_passes_for_lock(enum flaw flaw, const char *words)
{
    struct text sentence = {0};
    struct store *store = flawed_open(flaw);
    assert_int_equal(probe_run_for_lock(store, &sentence), PROBE_OK);
    if (words)
        assert_non_null(strstr(text_terminated(&sentence), words));
    else
        assert_int_equal(sentence.len, 0);
    assert_null(strstr(text_terminated(&sentence), "commit-mode"));
    store_close(store);
    text_release(&sentence);
}

static void assert_refused_for_lock(enum flaw flaw, const char *words)
{
    struct text sentence = {0};
    struct store *store = flawed_open(flaw);
    assert_int_not_equal(probe_run_for_lock(store, &sentence), PROBE_OK);
    assert_non_null(strstr(text_terminated(&sentence), words));
    store_close(store);
    text_release(&sentence);
}

static void locks_need_no_conditions(void **state)
{
    (void)state;
    assert_passes_for_lock(FLAWLESS, NULL);
    assert_passes_for_lock(IGNORES_BOTH, "ignores If-None-Match");
    assert_passes_for_lock(IGNORES_MATCH, "ignores If-Match");
    assert_passes_for_lock(NOT_IMPLEMENTED, "does not know conditional writes");
    assert_passes_for_lock(LETS_SEVERAL_MATCH, "several racers");
}

static void locks_need_a_store_that_tells_contents_apart(void **state)
{
    (void)state;
    assert_refused_for_lock(SAME_ETAG, "no ETag that tells");
    assert_refused_for_lock(HIDES_ABSENCE, "s3:ListBucket");
    assert_refused_for_lock(ALLOWS_NOTHING, "access denied");
    assert_refused_for_lock(REFUSES_PUTS, "cannot be probed: invalid request");
    assert_refused_for_lock(OUT_OF_REACH, "out of reach");
}

static void nothing_stays_behind(void **state)
{
    (void)state;
    for (int flaw = FLAWLESS; flaw < FLAWS; flaw++)
        for (int locks = 0; locks < 2; locks++) {
            struct text sentence = {0};
            struct store *store = flawed_open((enum flaw)flaw);
            struct store_request list = {.verb = STORE_LIST};
            enum probe_result result =
                locks ? probe_run_for_lock(store, &sentence) : probe_run(store, &sentence);
            assert_true(flaw != CANNOT_READ || result == PROBE_UNREACHABLE);
            assert_int_equal(store_wait(((struct flawed *)store)->inner, &list), STORE_OK);
            if (list.item_count)
                fail_msg("flaw %d, locks %d: %s stays", flaw, locks, list.items[0].key);
            store_request_release(&list);
            store_close(store);
            text_release(&sentence);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_stores_pass),
        cmocka_unit_test(the_way_of_quoting_is_found),
        cmocka_unit_test(ignored_conditions_are_refused),
        cmocka_unit_test(several_winners_are_refused),
        cmocka_unit_test(trouble_that_says_nothing_of_swaps_is_told_apart),
        cmocka_unit_test(locks_need_no_conditions),
        cmocka_unit_test(locks_need_a_store_that_tells_contents_apart),
        cmocka_unit_test(nothing_stays_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
