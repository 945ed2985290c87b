/* SPDX-License-Identifier: BSD-3-Clause */
/* What every store must do: one suite, run on each kind, plain and behind injected faults. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/probe.h"
#include "persistence/store_faulty.h"
#include "persistence/store_lock.h"
#include "tests/persistence/persistence_support.h"
#include "tests/support/plain_store.h"
#include "tests/support/random.h"
#include "tests/support/s3_server.h"
#include "tests/support/stubborn_store.h"

#define RACERS 32
#define ROUNDS 100

struct subject {
    char *directory;
    bool remote;
    struct store *store;
    struct plain_world *world;
};

static struct subject *subject_of(void **state)
{
    return *state;
}

static int open_memory(void **state)
{
    struct subject *subject = mem_calloc(1, sizeof(*subject));
    struct text error = {0};
    *state = subject;
    return store_open("memory", &subject->store, &error) == STORE_OK ? 0 : -1;
}

static int open_directory(void **state)
{
    struct subject *subject = mem_calloc(1, sizeof(*subject));
    struct text error = {0};
    void *name;
    if (directory_setup(&name))
        return -1;
    subject->directory = name;
    *state = subject;
    return store_open(subject->directory, &subject->store, &error) == STORE_OK ? 0 : -1;
}

static const struct store_faults no_faults;

static int open_quiet(void **state)
{
    if (open_memory(state))
        return -1;
    struct subject *subject = *state;
    subject->store = store_faulty_create(subject->store, 1, &no_faults);
    return 0;
}

/* Locks on a store that ignores conditions, in virtual time. Its races: store_lock_test. */
static int open_lock(void **state)
{
    struct subject *subject = mem_calloc(1, sizeof(*subject));
    subject->world = plain_world_create(1);
    struct plain_node *node = plain_node_create(subject->world);
    struct store_lock_options options = {
        .ttl_ms = 30000, .holder = "test", .clock = plain_node_clock(node), .seed = 1};
    subject->store = store_lock_create(plain_node_store(node), &options);
    *state = subject;
    return 0;
}

/* The prefix takes what a URL and a signature can get wrong. S3_TEST_PREFIX=/plain is for servers
 * that keep objects as files and cannot list such names. */
static int open_s3(void **state)
{
    struct subject *subject = mem_calloc(1, sizeof(*subject));
    struct text error = {0};
    char where[256];
    const char *prefix = getenv("S3_TEST_PREFIX");
    s3_server_place(prefix ? prefix : "/a b%41=+&?#/../\xc3\xbc", where, sizeof(where));
    subject->remote = true;
    *state = subject;
    bool ok = store_open(where, &subject->store, &error) == STORE_OK &&
              probe_run(subject->store, &error) == PROBE_OK;
    if (!ok)
        print_error("%s\n", text_terminated(&error));
    text_release(&error);
    return ok ? 0 : -1;
}

/* Faults strike, and who asks does not give up. */
static int make_faulty(int opened, void **state, unsigned permille)
{
    static uint64_t seed = 1;
    struct subject *subject = *state;
    struct store_faults faults;
    if (opened)
        return -1;
    for (int i = 0; i < STORE_FAULT_COUNT; i++)
        faults.permille[i] = permille;
    subject->store = stubborn_store_create(store_faulty_create(subject->store, seed++, &faults));
    return 0;
}

static int open_faulty_memory(void **state)
{
    return make_faulty(open_memory(state), state, 100);
}

static int open_faulty_directory(void **state)
{
    return make_faulty(open_directory(state), state, 100);
}

static int open_faulty_s3(void **state)
{
    return make_faulty(open_s3(state), state, 30); /* each takes a dozen requests to find out */
}

static int close_subject(void **state)
{
    struct subject *subject = *state;
    void *name = subject->directory;
    int result = 0;
    store_close(subject->store);
    if (subject->world)
        plain_world_destroy(subject->world);
    if (name)
        result = directory_teardown(&name);
    mem_free(subject);
    return result;
}

static enum store_result put(struct store *store, const char *key, const char *body,
                             enum store_condition condition, const char *etag, char *ret_etag)
{
    struct store_request request = {
        .verb = STORE_PUT, .condition = condition, .body = slice_of(body), .want_etags = true};
    snprintf(request.key, sizeof(request.key), "%s", key);
    snprintf(request.etag, sizeof(request.etag), "%s", etag);
    enum store_result result = store_wait(store, &request);
    if (ret_etag)
        memcpy(ret_etag, request.answer_etag, STORE_ETAG_MAX);
    if (result != STORE_OK)
        assert_true(request.error[0]);
    store_request_release(&request);
    return result;
}

static enum store_result get(struct store *store, const char *key, const char *known,
                             struct text *body, char *ret_etag)
{
    struct store_request request = {.verb = STORE_GET, .want_etags = true};
    snprintf(request.key, sizeof(request.key), "%s", key);
    snprintf(request.etag, sizeof(request.etag), "%s", known);
    enum store_result result = store_wait(store, &request);
    text_clear(body);
    text_append_slice(body, text_slice(&request.answer));
    if (ret_etag)
        memcpy(ret_etag, request.answer_etag, STORE_ETAG_MAX);
    store_request_release(&request);
    return result;
}

static enum store_result drop(struct store *store, const char *key)
{
    struct store_request request = {.verb = STORE_REMOVE};
    snprintf(request.key, sizeof(request.key), "%s", key);
    enum store_result result = store_wait(store, &request);
    store_request_release(&request);
    return result;
}

static void what_is_put_is_got(void **state)
{
    struct store *store = subject_of(state)->store;
    char put_etag[STORE_ETAG_MAX], etag[STORE_ETAG_MAX];
    struct text body = {0};
    assert_int_equal(get(store, "a.json", "", &body, NULL), STORE_NOT_FOUND);
    assert_int_equal(put(store, "a.json", "one", STORE_ALWAYS, "", put_etag), STORE_OK);
    assert_int_equal(get(store, "a.json", "", &body, etag), STORE_OK);
    assert_true(slice_equal(text_slice(&body), slice_of("one")));
    assert_string_equal(etag, put_etag);
    assert_int_equal(get(store, "a.json", etag, &body, NULL), STORE_NOT_MODIFIED);
    assert_int_equal(put(store, "a.json", "two", STORE_ALWAYS, "", put_etag), STORE_OK);
    assert_string_not_equal(etag, put_etag);
    assert_int_equal(get(store, "a.json", etag, &body, NULL), STORE_OK);
    assert_true(slice_equal(text_slice(&body), slice_of("two")));
    text_release(&body);
}

static void an_etag_is_told_to_who_wants_it(void **state)
{
    struct store *store = subject_of(state)->store;
    static const enum store_verb verbs[] = {STORE_PUT, STORE_GET};
    for (size_t i = 0; i < 4; i++) {
        struct store_request request = {.verb = verbs[i % 2], .key = "a", .want_etags = i > 1};
        if (request.verb == STORE_PUT)
            request.body = slice_of("one");
        assert_int_equal(store_wait(store, &request), STORE_OK);
        assert_int_equal(request.answer_etag[0] != '\0', request.want_etags);
        store_request_release(&request);
    }
}

static void absent_only_puts_once(void **state)
{
    struct store *store = subject_of(state)->store;
    struct text body = {0};
    assert_int_equal(put(store, "n/a", "one", STORE_IF_ABSENT, "", NULL), STORE_OK);
    assert_int_equal(put(store, "n/a", "two", STORE_IF_ABSENT, "", NULL), STORE_PRECONDITION);
    assert_int_equal(get(store, "n/a", "", &body, NULL), STORE_OK);
    assert_true(slice_equal(text_slice(&body), slice_of("one")));
    text_release(&body);
}

static void match_needs_the_newest_etag(void **state)
{
    struct store *store = subject_of(state)->store;
    char first[STORE_ETAG_MAX], second[STORE_ETAG_MAX];
    assert_int_equal(put(store, "h", "1", STORE_IF_MATCH, "x", NULL), STORE_PRECONDITION);
    assert_int_equal(put(store, "h", "1", STORE_ALWAYS, "", first), STORE_OK);
    assert_int_equal(put(store, "h", "2", STORE_IF_MATCH, first, second), STORE_OK);
    assert_int_equal(put(store, "h", "3", STORE_IF_MATCH, first, NULL), STORE_PRECONDITION);
    assert_int_equal(put(store, "h", "3", STORE_IF_MATCH, second, NULL), STORE_OK);
}

static void a_removed_object_is_gone(void **state)
{
    struct store *store = subject_of(state)->store;
    struct text body = {0};
    assert_int_equal(put(store, "n/x", "1", STORE_ALWAYS, "", NULL), STORE_OK);
    assert_int_equal(drop(store, "n/x"), STORE_OK);
    assert_int_equal(get(store, "n/x", "", &body, NULL), STORE_NOT_FOUND);
    enum store_result again = drop(store, "n/x");
    assert_true(again == STORE_NOT_FOUND || again == STORE_OK); /* S3 does not tell */
    assert_int_equal(put(store, "n/x", "2", STORE_IF_ABSENT, "", NULL), STORE_OK);
    text_release(&body);
}

static void lists_are_sorted_and_cut(void **state)
{
    struct store *store = subject_of(state)->store;
    static const char *const keys[] = {"b.json", "a.json", "a/2", "a/1", "a/3", "c/d/e"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(put(store, keys[i], "x", STORE_ALWAYS, "", NULL), STORE_OK);
    struct store_request list = {.verb = STORE_LIST, .delimiter = true, .want_etags = true};
    assert_int_equal(store_wait(store, &list), STORE_OK);
    assert_int_equal(list.item_count, 4);
    assert_string_equal(list.items[0].key, "a.json");
    assert_true(list.items[0].etag[0]);
    assert_string_equal(list.items[1].key, "a/");
    assert_true(list.items[1].is_prefix);
    assert_string_equal(list.items[2].key, "b.json");
    assert_string_equal(list.items[3].key, "c/");
    store_request_release(&list);
    list = (struct store_request){.verb = STORE_LIST, .key = "a/", .after = "a/1", .limit = 1};
    assert_int_equal(store_wait(store, &list), STORE_OK);
    assert_int_equal(list.item_count, 1);
    assert_string_equal(list.items[0].key, "a/2");
    assert_true(list.truncated);
    store_request_release(&list);
    list = (struct store_request){.verb = STORE_LIST, .key = "none/"};
    assert_int_equal(store_wait(store, &list), STORE_OK);
    assert_int_equal(list.item_count, 0);
    store_request_release(&list);
    list = (struct store_request){.verb = STORE_LIST};
    assert_int_equal(store_wait(store, &list), STORE_OK);
    assert_int_equal(list.item_count, 6);
    store_request_release(&list);
}

static void keys_that_leave_the_store_are_refused(void **state)
{
    struct store *store = subject_of(state)->store;
    static const char *const bad[] = {
        "", "../x", "a/../b", "/etc/passwd", "a//b", ".cairn/lock", "a/.b", "a/", "a b", "a\nb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(put(store, bad[i], "x", STORE_ALWAYS, "", NULL), STORE_INVALID);
}

static void any_bytes_and_no_bytes_survive(void **state)
{
    struct store *store = subject_of(state)->store;
    struct random random = random_init();
    struct text body = {0};
    for (size_t len = 0; len < 300000; len = len * 3 + 1) {
        char *bytes = mem_alloc(len);
        random_bytes(&random, bytes, len);
        struct store_request request = {
            .verb = STORE_PUT, .key = "bytes", .body = slice_make(bytes, len)};
        assert_int_equal(store_wait(store, &request), STORE_OK);
        store_request_release(&request);
        assert_int_equal(get(store, "bytes", "", &body, NULL), STORE_OK);
        assert_true(slice_equal(text_slice(&body), slice_make(bytes, len)));
        mem_free(bytes);
    }
    text_release(&body);
}

/* --- races --- */

struct race {
    struct store *store;
    pthread_barrier_t barrier;
    bool match;
    bool may_be_open; /* a loser's outcome: some S3 servers answer 500 */
    _Atomic int winners[ROUNDS];
    _Atomic int others;
    char etags[2][STORE_ETAG_MAX]; /* the one to match in even rounds and in odd ones */
};

struct racer {
    struct race *race;
    int number;
};

static void *racer_thread(void *arg)
{
    struct racer *racer = arg;
    struct race *race = racer->race;
    struct store *store = store_clone(race->store);
    for (int round = 0; round < ROUNDS; round++) {
        char key[32], body[64], etag[STORE_ETAG_MAX];
        snprintf(key, sizeof(key), race->match ? "m/match" : "m/absent-%d", round);
        snprintf(body, sizeof(body), "%d by %d", round, racer->number);
        pthread_barrier_wait(&race->barrier);
        enum store_result result =
            put(store, key, body, race->match ? STORE_IF_MATCH : STORE_IF_ABSENT,
                race->match ? race->etags[round % 2] : "", etag);
        if (result == STORE_OK) {
            race->winners[round]++;
            memcpy(race->etags[(round + 1) % 2], etag, sizeof(etag));
        } else if (result != STORE_PRECONDITION &&
                   !(result == STORE_UNKNOWN && race->may_be_open)) {
            race->others++;
        }
        pthread_barrier_wait(&race->barrier);
    }
    store_close(store);
    return NULL;
}

static void run_race(const struct subject *subject, bool match)
{
    struct store *store = subject->store;
    pthread_t threads[RACERS];
    struct racer racers[RACERS];
    struct race race = {.store = store, .match = match, .may_be_open = subject->remote};
    pthread_barrier_init(&race.barrier, NULL, RACERS);
    if (match)
        assert_int_equal(put(store, "m/match", "start", STORE_ALWAYS, "", race.etags[0]), STORE_OK);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){&race, i};
        assert_int_equal(pthread_create(&threads[i], NULL, racer_thread, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&race.barrier);
    assert_int_equal(race.others, 0);
    for (int round = 0; round < ROUNDS; round++)
        assert_int_equal(race.winners[round], 1);
}

static void one_of_many_absent_only_puts_wins(void **state)
{
    run_race(subject_of(state), false);
}

static void one_of_many_match_puts_wins(void **state)
{
    run_race(subject_of(state), true);
}

/* --- the directory alone --- */

static void leftover_temporaries_are_cleaned(void **state)
{
    struct subject *subject = subject_of(state);
    char path[300];
    snprintf(path, sizeof(path), "%s/.cairn/tmp/1-2", subject->directory);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(store_directory_clean(subject->directory, 60), 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(store_directory_clean(subject->directory, 0), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void no_temporary_stays_after_a_put(void **state)
{
    struct subject *subject = subject_of(state);
    assert_int_equal(put(subject->store, "n/x", "1", STORE_ALWAYS, "", NULL), STORE_OK);
    assert_int_equal(put(subject->store, "n/x", "1", STORE_IF_ABSENT, "", NULL),
                     STORE_PRECONDITION);
    assert_int_equal(count_files(subject->directory, ".cairn/tmp", ""), 2); /* . and .. */
}

static void drop_with_folder(struct store *store, const char *key, enum store_result expected)
{
    struct store_request request = {.verb = STORE_REMOVE, .with_folder = true};
    snprintf(request.key, sizeof(request.key), "%s", key);
    assert_int_equal(store_wait(store, &request), expected);
    store_request_release(&request);
}

static bool is_there(const struct subject *subject, const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", subject->directory, name);
    return access(path, F_OK) == 0;
}

static void a_folder_goes_with_its_last_object_if_asked_for(void **state)
{
    struct subject *subject = subject_of(state);
    struct store *store = subject->store;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put(store, "n/x", "1", STORE_ALWAYS, "", NULL), STORE_OK);
        assert_int_equal(put(store, "n/y", "1", STORE_IF_ABSENT, "", NULL), STORE_OK);
        drop_with_folder(store, "n/x", STORE_OK);
        assert_true(is_there(subject, "n/y"));
        assert_int_equal(drop(store, "n/y"), STORE_OK);
        assert_true(is_there(subject, "n"));
        drop_with_folder(store, "n/y", STORE_NOT_FOUND);
        assert_false(is_there(subject, "n"));
    }
    assert_int_equal(put(store, "n/m/x", "1", STORE_ALWAYS, "", NULL), STORE_OK);
    drop_with_folder(store, "n/x", STORE_NOT_FOUND);
    assert_true(is_there(subject, "n/m/x"));
    assert_int_equal(put(store, "top", "1", STORE_ALWAYS, "", NULL), STORE_OK);
    drop_with_folder(store, "top", STORE_OK);
    assert_true(is_there(subject, "n/m/x"));
}

static void a_refused_put_makes_no_folder(void **state)
{
    struct subject *subject = subject_of(state);
    assert_int_equal(put(subject->store, "n/x", "1", STORE_IF_MATCH, "etag", NULL),
                     STORE_PRECONDITION);
    assert_false(is_there(subject, "n"));
}

/* What cannot be brought to disk; 0: everything can. */
static ino_t refused;

int fsync(int fd)
{
    struct stat info;
    if (refused && fstat(fd, &info) == 0 && info.st_ino == refused) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void a_folder_that_another_made_is_brought_to_disk_once(void **state)
{
    struct subject *subject = subject_of(state);
    char path[300];
    struct stat info;
    snprintf(path, sizeof(path), "%s/n", subject->directory);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(stat(subject->directory, &info), 0);
    refused = info.st_ino;
    assert_int_equal(put(subject->store, "n/x", "1", STORE_ALWAYS, "", NULL), STORE_TRANSIENT);
    assert_false(is_there(subject, "n/x"));
    refused = 0;
    assert_int_equal(put(subject->store, "n/x", "1", STORE_ALWAYS, "", NULL), STORE_OK);
    refused = info.st_ino;
    assert_int_equal(put(subject->store, "n/y", "1", STORE_ALWAYS, "", NULL), STORE_OK);
    refused = 0;
}

static void *folder_thread(void *arg)
{
    struct racer *racer = arg;
    struct store *store = store_clone(racer->race->store);
    char key[32];
    snprintf(key, sizeof(key), "n/%d", racer->number);
    pthread_barrier_wait(&racer->race->barrier);
    for (int round = 0; round < ROUNDS; round++) {
        struct store_request remove = {.verb = STORE_REMOVE, .with_folder = true};
        struct text body = {0};
        memcpy(remove.key, key, sizeof(key));
        if (put(store, key, "1", round % 2 ? STORE_ALWAYS : STORE_IF_ABSENT, "", NULL) !=
                STORE_OK ||
            get(store, key, "", &body, NULL) != STORE_OK || store_wait(store, &remove) != STORE_OK)
            racer->race->others++;
        store_request_release(&remove);
        text_release(&body);
    }
    store_close(store);
    return NULL;
}

static void puts_land_while_others_take_the_folder_away(void **state)
{
    struct subject *subject = subject_of(state);
    pthread_t threads[3];
    struct racer racers[3];
    struct race race = {.store = subject->store};
    pthread_barrier_init(&race.barrier, NULL, 3);
    for (int i = 0; i < 3; i++) {
        racers[i] = (struct racer){&race, i};
        assert_int_equal(pthread_create(&threads[i], NULL, folder_thread, &racers[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&race.barrier);
    assert_int_equal(race.others, 0);
    assert_false(is_there(subject, "n"));
}

static void *probe_thread(void *arg)
{
    struct racer *racer = arg;
    struct store *store = store_clone(racer->race->store);
    for (int i = 0; i < 5; i++) {
        struct text sentence = {0};
        enum probe_result result =
            i % 2 ? probe_run_for_lock(store, &sentence) : probe_run(store, &sentence);
        if (result != PROBE_OK || sentence.len)
            racer->race->others++;
        text_release(&sentence);
    }
    store_close(store);
    return NULL;
}

static void probes_at_once_hold_and_leave_nothing(void **state)
{
    struct subject *subject = subject_of(state);
    pthread_t threads[3];
    struct racer racers[3];
    struct race race = {.store = subject->store};
    for (int i = 0; i < 3; i++) {
        racers[i] = (struct racer){&race, i};
        assert_int_equal(pthread_create(&threads[i], NULL, probe_thread, &racers[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(race.others, 0);
    assert_int_equal(count_files(subject->directory, ".", ""), 3); /* . and .. and .cairn */
}

static void a_store_in_a_missing_place_is_refused(void **state)
{
    struct store *store;
    struct text error = {0};
    (void)state;
    assert_int_not_equal(store_open("/nonexistent/place", &store, &error), STORE_OK);
    assert_non_null(strstr(text_terminated(&error), "/nonexistent/place"));
    text_release(&error);
}

static void a_store_behind_a_file_is_refused(void **state)
{
    struct subject *subject = subject_of(state);
    char path[300];
    struct store *store;
    struct text error = {0};
    snprintf(path, sizeof(path), "%s/file", subject->directory);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    assert_int_not_equal(store_open(path, &store, &error), STORE_OK);
    text_release(&error);
}

/* --- the decorator --- */

static void each_fault_strikes_and_says_so(void **state)
{
    struct subject *subject = subject_of(state);
    struct store_faults faults = {.permille = {100, 100, 100, 100, 100}};
    uint64_t counts[STORE_FAULT_COUNT];
    int results[STORE_INVALID + 1] = {0};
    store_faulty_set(subject->store, &faults);
    for (int i = 0; i < 500; i++)
        results[put(subject->store, "k", "v", STORE_ALWAYS, "", NULL)]++;
    store_faulty_count(subject->store, counts);
    for (int i = 0; i < STORE_FAULT_COUNT; i++)
        assert_true(counts[i] > 0);
    assert_int_equal(results[STORE_UNKNOWN], counts[STORE_FAULT_ANSWER_LOST] +
                                                 counts[STORE_FAULT_REQUEST_LOST] +
                                                 counts[STORE_FAULT_LATE]);
    assert_int_equal(results[STORE_TRANSIENT], counts[STORE_FAULT_TRANSIENT]);
    assert_int_equal(results[STORE_NO_SPACE], counts[STORE_FAULT_NO_SPACE]);
}

static void a_late_put_may_still_land(void **state)
{
    struct store *store = subject_of(state)->store;
    struct store_faults late = {.permille = {[STORE_FAULT_LATE] = 1000}};
    struct text body = {0};
    store_faulty_set(store, &late);
    assert_int_equal(put(store, "k", "late", STORE_IF_ABSENT, "", NULL), STORE_UNKNOWN);
    store_faulty_set(store, &no_faults);
    assert_int_equal(get(store, "other", "", &body, NULL), STORE_NOT_FOUND);
    for (int i = 0; i < 10; i++)
        get(store, "other", "", &body, NULL);
    assert_int_equal(get(store, "k", "", &body, NULL), STORE_OK);
    assert_true(slice_equal(text_slice(&body), slice_of("late")));
    text_release(&body);
}

static void every_fault_has_struck_in_the_suites(void **state)
{
    (void)state;
    for (int i = 0; i < STORE_FAULT_COUNT; i++)
        assert_true(stubborn_store_faults((enum store_fault)i) > 1000);
}

/* clang-format off */
#define ON(kind, test) {#kind ": " #test, test, open_##kind, close_subject, NULL}
#define ALONE(kind)                                     \
    ON(kind, what_is_put_is_got),                       \
    ON(kind, an_etag_is_told_to_who_wants_it),          \
    ON(kind, absent_only_puts_once),                    \
    ON(kind, match_needs_the_newest_etag),              \
    ON(kind, a_removed_object_is_gone),                 \
    ON(kind, lists_are_sorted_and_cut),                 \
    ON(kind, keys_that_leave_the_store_are_refused),    \
    ON(kind, any_bytes_and_no_bytes_survive)
#define SUITE(kind)                                     \
    ALONE(kind),                                        \
    ON(kind, one_of_many_absent_only_puts_wins),        \
    ON(kind, one_of_many_match_puts_wins)
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE(memory),
        SUITE(directory),
        SUITE(s3),
        SUITE(faulty_memory),
        SUITE(faulty_directory),
        SUITE(faulty_s3),
        ALONE(lock),
        ON(directory, leftover_temporaries_are_cleaned),
        ON(directory, no_temporary_stays_after_a_put),
        ON(directory, a_folder_goes_with_its_last_object_if_asked_for),
        ON(directory, a_refused_put_makes_no_folder),
        ON(directory, a_folder_that_another_made_is_brought_to_disk_once),
        ON(directory, puts_land_while_others_take_the_folder_away),
        ON(directory, probes_at_once_hold_and_leave_nothing),
        ON(directory, a_store_in_a_missing_place_is_refused),
        ON(directory, a_store_behind_a_file_is_refused),
        ON(quiet, each_fault_strikes_and_says_so),
        ON(quiet, a_late_put_may_still_land),
        cmocka_unit_test(every_fault_has_struck_in_the_suites),
    };
    return cmocka_run_group_tests(tests, s3_server_start, s3_server_stop);
}
