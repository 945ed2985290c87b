/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See probe.h. Each step is one demand; the first that is not met ends the probe with a sentence.
 * Outcomes that are open are settled by reading, as a sync does.
 */
#include "persistence/probe.h"

#include <stdio.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/uuid.h"

#define FOLDER   "cairn-probe/"
#define RACERS   16
#define RACES    4 /* of each kind */
#define TRIES    5 /* of a step whose outcome stays open */
#define BODY_MAX 64

struct probe {
    struct store *store;
    struct text *sentence;
    char key[STORE_KEY_MAX];
    char etag[STORE_ETAG_MAX]; /* of what the object is now */
    enum probe_result result;
    bool made;  /* there may be an object at `key` */
    bool locks; /* conditions are not relied upon */
};

#define LOCK_HINT                                                                                  \
    "; several servers on such a store would lose each other's writes: it needs commit-mode lock " \
    "on every server, see docs/s3.md"

static bool refuse(struct probe *probe, const char *what)
{
    text_append_format(probe->sentence, "the store %s%s", what, probe->locks ? "" : LOCK_HINT);
    probe->result = PROBE_REFUSED;
    return false;
}

static bool give_up(struct probe *probe, const struct store_request *request)
{
    text_append_format(probe->sentence, "the store cannot be probed: %s",
                       request->error[0] ? request->error : store_result_name(request->result));
    bool later = request->result == STORE_TRANSIENT || request->result == STORE_UNKNOWN;
    probe->result = later ? PROBE_UNREACHABLE : PROBE_DENIED;
    return false;
}

/* Best effort: what stays all the same does no harm. */
static void remove_object(struct probe *probe, bool with_folder)
{
    struct store_request request = {.verb = STORE_REMOVE, .with_folder = with_folder};
    if (!probe->made)
        return;
    memcpy(request.key, probe->key, sizeof(request.key));
    store_wait(probe->store, &request);
    store_request_release(&request);
    probe->made = false;
}

/* Removes the object at the old one. */
static void new_key(struct probe *probe)
{
    char uuid[UUID_TEXT_SIZE];
    remove_object(probe, false);
    uuid7_make((int64_t)time(NULL) * 1000, uuid);
    snprintf(probe->key, sizeof(probe->key), FOLDER "%s", uuid);
}

static void prepare(struct probe *probe, struct store_request *request, enum store_verb verb)
{
    *request = (struct store_request){.verb = verb, .want_etags = true};
    memcpy(request->key, probe->key, sizeof(request->key));
    probe->made |= verb == STORE_PUT;
}

/* What the object is now: *ret_there, and its body and etag when it is. */
static bool look(struct probe *probe, bool *ret_there, char body[BODY_MAX],
                 char etag[STORE_ETAG_MAX])
{
    struct store_request request;
    prepare(probe, &request, STORE_GET);
    enum store_result result = store_wait(probe->store, &request);
    bool ok = result == STORE_OK || result == STORE_NOT_FOUND;
    *ret_there = result == STORE_OK;
    body[0] = '\0';
    if (result == STORE_OK && request.answer.len < BODY_MAX) {
        memcpy(body, request.answer.data, request.answer.len);
        body[request.answer.len] = '\0';
    }
    if (ok)
        memcpy(etag, request.answer_etag, STORE_ETAG_MAX);
    else
        give_up(probe, &request);
    store_request_release(&request);
    return ok;
}

/* Perhaps it is not the condition that the store does not take, but all that is put (an encryption
 * or a storage class that it does not have): a PUT without one shows. */
static bool refused_as_invalid(struct probe *probe)
{
    struct store_request request;
    bool ok;
    prepare(probe, &request, STORE_PUT);
    request.body = slice_of("zero");
    if (store_wait(probe->store, &request) == STORE_OK)
        ok = refuse(probe, "does not know conditional writes");
    else
        ok = give_up(probe, &request);
    store_request_release(&request);
    return ok;
}

/*
 * A conditional PUT, settled: *ret_done says whether it was carried out. An open outcome is tried
 * again until one attempt tells.
 */
static bool swap(struct probe *probe, enum store_condition condition, const char *etag,
                 const char *body, bool *ret_done)
{
    struct store_request request;
    enum store_result result = STORE_UNKNOWN;
    char found[BODY_MAX], found_etag[STORE_ETAG_MAX];
    bool there, ok = true;
    for (int i = 0; i < TRIES && ok && (result == STORE_UNKNOWN || result == STORE_TRANSIENT);
         i++) {
        prepare(probe, &request, STORE_PUT);
        request.condition = condition;
        request.body = slice_of(body);
        snprintf(request.etag, sizeof(request.etag), "%s", etag);
        result = store_wait(probe->store, &request);
        if (result == STORE_OK) {
            memcpy(probe->etag, request.answer_etag, sizeof(probe->etag));
        } else if (result == STORE_UNKNOWN) {
            ok = look(probe, &there, found, found_etag);
            if (ok && there && strcmp(found, body) == 0) {
                memcpy(probe->etag, found_etag, sizeof(probe->etag));
                result = STORE_OK;
            }
        }
        if (ok && result == STORE_INVALID)
            ok = refused_as_invalid(probe);
        else if (ok && result != STORE_OK && result != STORE_PRECONDITION &&
                 (i == TRIES - 1 || (result != STORE_UNKNOWN && result != STORE_TRANSIENT)))
            ok = give_up(probe, &request);
        store_request_release(&request);
    }
    *ret_done = result == STORE_OK;
    return ok;
}

/* The keys cannot tell "not there" from "not allowed"; or they are worth nothing at all, which a
 * PUT shows. */
static bool denied(struct probe *probe, const char *error)
{
    struct store_request request;
    prepare(probe, &request, STORE_PUT);
    request.body = slice_of("zero");
    if (store_wait(probe->store, &request) == STORE_OK)
        text_append_format(probe->sentence,
                           "the store denies access to an object that is not there, instead of "
                           "saying so: the keys need permission to list the bucket "
                           "(s3:ListBucket) beside reading it (%s)",
                           error);
    else
        text_append_format(probe->sentence, "the store cannot be probed: %s", error);
    probe->result = PROBE_DENIED;
    store_request_release(&request);
    return false;
}

static bool must_be_absent(struct probe *probe)
{
    struct store_request request;
    bool ok = true;
    prepare(probe, &request, STORE_GET);
    enum store_result result = store_wait(probe->store, &request);
    if (result == STORE_OK) {
        text_append_string(probe->sentence, "the store answers for an object that was never put");
        probe->result = PROBE_REFUSED;
        ok = false;
    } else if (result == STORE_DENIED) {
        ok = denied(probe, request.error);
    } else if (result != STORE_NOT_FOUND) {
        ok = give_up(probe, &request);
    }
    store_request_release(&request);
    return ok;
}

static bool must_hold(struct probe *probe, const char *body, const char *otherwise)
{
    char found[BODY_MAX], etag[STORE_ETAG_MAX];
    bool there;
    if (!look(probe, &there, found, etag))
        return false;
    if (!there || strcmp(found, body) != 0)
        return refuse(probe, otherwise);
    if (strcmp(etag, probe->etag) != 0)
        return refuse(probe, "gives an object another ETag when it is read than when it was put");
    return true;
}

static bool check_absent_only(struct probe *probe)
{
    bool done;
    if (!swap(probe, STORE_IF_ABSENT, "", "one", &done))
        return false;
    if (!done)
        return refuse(probe, "refuses a PUT with If-None-Match: * although nothing is there");
    if (!must_hold(probe, "one", "does not give back what was put") ||
        !swap(probe, STORE_IF_ABSENT, "", "two", &done))
        return false;
    if (done)
        return refuse(probe, "ignores If-None-Match: * and overwrites what is there");
    return must_hold(probe, "one", "refuses If-None-Match: * but overwrites what is there");
}

static bool check_match(struct probe *probe)
{
    char old[STORE_ETAG_MAX];
    bool done;
    memcpy(old, probe->etag, sizeof(old));
    if (!swap(probe, STORE_IF_MATCH, old, "three", &done))
        return false;
    if (!done && store_other_quoting(probe->store) &&
        !swap(probe, STORE_IF_MATCH, old, "three", &done))
        return false;
    if (!done)
        return refuse(probe, "refuses a PUT with If-Match although the ETag is the present one");
    if (!must_hold(probe, "three", "answers OK to If-Match but does not write") ||
        !swap(probe, STORE_IF_MATCH, old, "four", &done))
        return false;
    if (done)
        return refuse(probe, "ignores If-Match and overwrites what has changed since");
    return must_hold(probe, "three", "refuses If-Match but overwrites what is there");
}

static bool check_match_of_missing(struct probe *probe)
{
    struct probe other = *probe; /* the object at hand is needed yet */
    bool done;
    other.made = false;
    new_key(&other);
    bool fine = swap(&other, STORE_IF_MATCH, probe->etag, "five", &done);
    if (fine && done)
        fine = refuse(&other, "ignores If-Match and makes an object that was not there");
    other.made = !fine;
    remove_object(&other, false);
    probe->result = other.result;
    return fine;
}

/* --- races --- */

struct race {
    int left;
    bool over;
};

static void on_racer(struct store_request *request)
{
    struct race *race = request->ctx;
    race->over = --race->left == 0;
}

static void start_racers(struct probe *probe, struct store_request *requests,
                         char bodies[RACERS][BODY_MAX], const char *etag, struct race *race)
{
    for (int i = 0; i < RACERS; i++) {
        struct store_request *request = &requests[i];
        prepare(probe, request, STORE_PUT);
        request->condition = etag ? STORE_IF_MATCH : STORE_IF_ABSENT;
        snprintf(request->etag, sizeof(request->etag), "%s", etag ? etag : "");
        request->body = slice_of(bodies[i]);
        request->done = on_racer;
        request->ctx = race;
        store_submit(probe->store, request);
    }
}

/* True when at most one racer was told that it won, and the object is that racer's. */
static bool judge_race(struct probe *probe, const struct store_request *requests,
                       char bodies[RACERS][BODY_MAX])
{
    char found[BODY_MAX], etag[STORE_ETAG_MAX];
    int winners = 0, winner = -1;
    bool there;
    if (!look(probe, &there, found, etag))
        return false;
    for (int i = 0; i < RACERS; i++) {
        if (requests[i].result == STORE_OK) {
            winners++;
            winner = i;
        }
    }
    if (winners > 1)
        return refuse(probe, "lets several racers win one conditional write");
    if (winners == 1 && (!there || strcmp(found, bodies[winner]) != 0))
        return refuse(probe, "lets the loser of a race overwrite the winner");
    memcpy(probe->etag, etag, sizeof(etag));
    return true;
}

/* One race, for an object that is not there or, with `etag`, for the present one. */
static bool run_race(struct probe *probe, const char *etag)
{
    struct store_request *requests = mem_calloc(RACERS, sizeof(*requests));
    static _Atomic unsigned races;
    char bodies[RACERS][BODY_MAX];
    unsigned number = races++;
    struct race race = {.left = RACERS};
    for (int i = 0; i < RACERS; i++)
        snprintf(bodies[i], sizeof(bodies[i]), "race %u racer %d", number, i);
    start_racers(probe, requests, bodies, etag, &race);
    store_run(probe->store, &race.over);
    bool ok = judge_race(probe, requests, bodies);
    for (int i = 0; i < RACERS; i++)
        store_request_release(&requests[i]);
    mem_free(requests);
    return ok;
}

static bool check_races(struct probe *probe)
{
    char etag[STORE_ETAG_MAX];
    bool ok = true;
    for (int i = 0; i < RACES && ok; i++) {
        memcpy(etag, probe->etag, sizeof(etag));
        ok = run_race(probe, etag);
    }
    for (int i = 0; i < RACES && ok; i++) {
        new_key(probe);
        ok = run_race(probe, NULL);
    }
    return ok;
}

static bool conditions_hold(struct probe *probe)
{
    return check_absent_only(probe) && check_match(probe) && check_match_of_missing(probe) &&
           check_races(probe);
}

enum probe_result probe_run(struct store *store, struct text *sentence)
{
    struct probe probe = {.store = store, .sentence = sentence, .result = PROBE_OK};
    new_key(&probe);
    if (must_be_absent(&probe) && conditions_hold(&probe))
        assert(probe.result == PROBE_OK);
    remove_object(&probe, true);
    return probe.result;
}

/* --- without conditions --- */

static bool must_put(struct probe *probe, const char *body)
{
    struct store_request request;
    enum store_result result = STORE_UNKNOWN;
    bool ok = true;
    for (int i = 0; i < TRIES && (result == STORE_UNKNOWN || result == STORE_TRANSIENT); i++) {
        prepare(probe, &request, STORE_PUT);
        request.body = slice_of(body);
        result = store_wait(probe->store, &request);
        if (result == STORE_OK)
            memcpy(probe->etag, request.answer_etag, sizeof(probe->etag));
        else if (i == TRIES - 1 || (result != STORE_UNKNOWN && result != STORE_TRANSIENT))
            ok = give_up(probe, &request);
        store_request_release(&request);
    }
    return ok;
}

static bool check_plain(struct probe *probe)
{
    char first[STORE_ETAG_MAX];
    if (!must_be_absent(probe) || !must_put(probe, "one") ||
        !must_hold(probe, "one", "does not give back what was put"))
        return false;
    memcpy(first, probe->etag, sizeof(first));
    if (!must_put(probe, "two") || !must_hold(probe, "two", "gives back what was put before"))
        return false;
    if (!first[0] || strcmp(first, probe->etag) == 0)
        return refuse(probe, "gives no ETag that tells one content from another");
    remove_object(probe, false);
    return must_be_absent(probe);
}

enum probe_result probe_run_for_lock(struct store *store, struct text *sentence)
{
    struct probe probe = {.store = store, .sentence = sentence, .result = PROBE_OK, .locks = true};
    new_key(&probe);
    bool plain = check_plain(&probe);
    if (plain) {
        new_key(&probe);
        conditions_hold(&probe);
    }
    remove_object(&probe, true);
    return plain && probe.result == PROBE_REFUSED ? PROBE_OK : probe.result;
}
