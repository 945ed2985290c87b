/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See verify.h. The state is made by the same merge that folds and exports use; it asks for each
 * object, and that is where an object is checked, so that each is read once. Where the merge stops
 * at a fault, the objects it did not come to are looked at one by one: all faults are told. A tail
 * may have a hundred thousand commits: what is looked up for each of them is sorted first.
 */
#include "persistence/verify.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"
#include "persistence/fold.h"
#include "persistence/head_objects.h"
#include "persistence/overtaken.h"
#include "persistence/run.h"

#define NAMES_TOLD 20

/* Where the head names an object. */
struct mention {
    const char *object; /* borrowed from the head */
    bool is_chunk;      /* else a segment */
    size_t index;       /* of the chunk, or of the commit in the tail */
};

struct check {
    const struct verify_options *options;
    struct verify_report *report;
    struct head head;
    char etag[STORE_ETAG_MAX];
    struct mention *mentions; /* by object, segments first, then by index */
    size_t mention_count;
    bool *commit_seen, *chunk_seen;
    bool overtaken; /* by a fold: what there is to be found is no fault */
    struct text body;
};

static void add_fault(struct check *check, const char *object, uint64_t position,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* object NULL: the head. Position 0: not to be told. */
static void add_fault(struct check *check, const char *object, uint64_t position,
                      const char *format, ...)
{
    struct verify_report *report = check->report;
    struct text *out = &report->lines;
    va_list args;
    text_append_string(out, report->namespace);
    if (object)
        text_append_format(out, "/%s", object);
    else
        text_append_string(out, ".json");
    if (position)
        text_append_format(out, ", position %" PRIu64, position);
    text_append_string(out, ": ");
    va_start(args, format);
    text_append_vformat(out, format, args);
    va_end(args);
    text_append_char(out, '\n');
    report->faults++;
}

/* The store's errors name the key themselves. */
static void give_up(struct check *check, const char *error)
{
    struct verify_report *report = check->report;
    report->verdict = VERIFY_UNREADABLE;
    text_clear(&report->lines);
    text_append_format(&report->lines, "%s\n", error);
}

static bool given_up(const struct check *check)
{
    return check->report->verdict == VERIFY_UNREADABLE;
}

static bool stopped(const struct check *check)
{
    return given_up(check) || check->overtaken;
}

/* --- objects --- */

/* STORE_OK, STORE_NOT_FOUND, STORE_INVALID; on anything else it has given up. */
static enum store_result ask(struct check *check, struct store_request *request)
{
    const struct verify_options *options = check->options;
    enum store_result result = STORE_TRANSIENT;
    if (options->stop && atomic_load(options->stop))
        give_up(check, "the server is going down");
    else
        result = store_wait(options->store, request);
    if (!given_up(check) && result != STORE_OK && result != STORE_NOT_FOUND &&
        result != STORE_INVALID && result != STORE_NOT_MODIFIED)
        give_up(check, request->error);
    return result;
}

/* An object is missing: is that so for the head of now? When a fold came between, it is not. */
static bool still_named(struct check *check, const char *object)
{
    struct store_request request = {.verb = STORE_GET, .want_etags = true};
    struct head_objects named;
    struct head newest;
    struct text ignored = {0};
    bool is_named = true;
    snprintf(request.key, sizeof(request.key), "%s.json", check->report->namespace);
    memcpy(request.etag, check->etag, sizeof(request.etag));
    if (ask(check, &request) == STORE_OK &&
        head_decode(text_slice(&request.answer), slice_of(check->report->namespace), &newest,
                    &ignored)) {
        head_objects_init(&named, &newest);
        is_named = head_objects_have(&named, object);
        head_objects_release(&named);
        head_release(&newest);
    }
    text_release(&ignored);
    store_request_release(&request);
    return is_named;
}

/* Into `body`, which is empty. */
static bool fetch(struct check *check, const char *object, uint64_t position, struct text *body)
{
    struct store_request request = {.verb = STORE_GET};
    snprintf(request.key, sizeof(request.key), "%s/%s", check->head.namespace, object);
    enum store_result result = ask(check, &request);
    if (result == STORE_OK) {
        text_swap(body, &request.answer);
    } else if (result == STORE_NOT_FOUND && !still_named(check, object)) {
        check->overtaken = true;
    } else if (!given_up(check)) {
        add_fault(check, object, position, "%s",
                  result == STORE_NOT_FOUND ? "is missing" : request.error);
    }
    store_request_release(&request);
    return result == STORE_OK;
}

static void note_read(struct check *check, size_t bytes)
{
    check->report->bytes += bytes;
    if (check->options->progress)
        check->options->progress(check->options->ctx, check->report);
}

/* Each op of the array is one that a reader knows. */
static bool check_ops(struct check *check, const struct commit *commit, struct slice ops)
{
    const char *object = commit->segment[0] ? commit->segment : NULL;
    struct commit_reader reader;
    struct op op;
    commit_reader_init(&reader, ops, commit->time);
    while (commit_reader_next(&reader, &op))
        op_release(&op);
    const char *failure = commit_reader_error(&reader);
    uint64_t count = reader.count;
    check->report->ops += count;
    if (failure)
        add_fault(check, object, commit->position, "op %" PRIu64 " of %" PRIu64 ": %s", count + 1,
                  commit->count, failure);
    else if (count != commit->count)
        add_fault(check, object, commit->position, "%" PRIu64 " ops, the head says %" PRIu64, count,
                  commit->count);
    bool fine = !failure && count == commit->count;
    commit_reader_release(&reader);
    return fine;
}

static bool check_segment(struct check *check, const struct commit *commit, struct slice body)
{
    struct text reason = {0};
    struct slice ops;
    bool found = segment_find(body, slice_of(check->head.namespace), commit, &ops, &reason);
    if (!found)
        add_fault(check, commit->segment, commit->position, "%s", text_terminated(&reason));
    text_release(&reason);
    return found && check_ops(check, commit, ops);
}

/* Inside what the head says is this chunk's range? */
static bool check_range(const struct head_base *base, size_t index, struct slice key,
                        struct text *reason)
{
    if (index && slice_compare(key, text_slice(&base->chunks[index].first)) < 0)
        text_append_string(reason, "a key below the chunk's first");
    else if (index + 1 < base->chunk_count &&
             slice_compare(key, text_slice(&base->chunks[index + 1].first)) >= 0)
        text_append_string(reason, "a key that belongs to the next chunk");
    return reason->len == 0;
}

static bool check_lines(const struct head_base *base, size_t index, struct slice body,
                        struct text *reason)
{
    struct chunk_reader reader;
    struct slice key, member;
    bool fine = true;
    chunk_reader_init(&reader, body);
    while (fine && chunk_reader_next(&reader, &key, &member)) {
        struct entry *entry = chunk_member_decode(member, reason);
        fine = entry && check_range(base, index, key, reason);
        if (entry)
            entry_destroy(entry);
        if (!fine)
            text_append_format(reason, " (line %" PRIu64 ")", reader.count);
    }
    fine = !chunk_reader_failed(&reader, reason) && fine;
    if (fine && reader.count != base->chunks[index].count) {
        text_append_format(reason, "%" PRIu64 " keys, the head says %" PRIu64, reader.count,
                           base->chunks[index].count);
        fine = false;
    }
    chunk_reader_release(&reader);
    return fine;
}

static bool check_chunk(struct check *check, size_t index, struct slice body)
{
    const struct head_base *base = &check->head.base;
    const struct chunk_ref *ref = &base->chunks[index];
    struct text reason = {0};
    bool fine = chunk_check(ref, body, &reason) && check_lines(base, index, body, &reason);
    if (!fine)
        add_fault(check, ref->object, base->position, "%s", text_terminated(&reason));
    text_release(&reason);
    return fine;
}

static int compare_mentions(const void *a, const void *b)
{
    const struct mention *left = a, *right = b;
    int order = strcmp(left->object, right->object);
    if (order == 0)
        order = left->is_chunk - right->is_chunk;
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

static void gather_mentions(struct check *check)
{
    const struct head *head = &check->head;
    size_t room = head->tail_count + head->base.chunk_count, count = 0;
    check->mentions = mem_alloc((room ? room : 1) * sizeof(*check->mentions));
    for (size_t i = 0; i < head->tail_count; i++)
        if (head->tail[i].segment[0])
            check->mentions[count++] = (struct mention){head->tail[i].segment, false, i};
    for (size_t i = 0; i < head->base.chunk_count; i++)
        check->mentions[count++] = (struct mention){head->base.chunks[i].object, true, i};
    qsort(check->mentions, count, sizeof(*check->mentions), compare_mentions);
    check->mention_count = count;
}

/* The first mention of an object; those that follow go on to `*ret_end`. There is one at least. */
static const struct mention *find_mentions(const struct check *check, const char *object,
                                           const struct mention **ret_end)
{
    size_t low = 0, high = check->mention_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(check->mentions[middle].object, object) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < check->mention_count; high++)
        if (strcmp(check->mentions[high].object, object) != 0)
            break;
    assert(low < high);
    *ret_end = check->mentions + high;
    return check->mentions + low;
}

static bool *seen_flag(struct check *check, const struct mention *mention)
{
    return &(mention->is_chunk ? check->chunk_seen : check->commit_seen)[mention->index];
}

static bool check_mention(struct check *check, const struct mention *mention, struct slice body)
{
    if (mention->is_chunk) {
        check->report->chunks++;
        return check_chunk(check, mention->index, body);
    }
    return check_segment(check, &check->head.tail[mention->index], body);
}

/* All that the head says of an object, which may be a segment of several commits. */
static bool check_object(struct check *check, const struct mention *first,
                         const struct mention *end)
{
    struct slice body = text_slice(&check->body);
    bool fine = true, news = false;
    for (const struct mention *mention = first; mention < end; mention++) {
        bool *seen = seen_flag(check, mention);
        if (*seen)
            continue;
        *seen = true;
        check->report->segments += !news && !mention->is_chunk;
        news = true;
        fine &= check_mention(check, mention, body);
    }
    if (news)
        note_read(check, body.len);
    return fine;
}

static bool read_and_check(struct check *check, const char *object)
{
    const struct head *head = &check->head;
    const struct mention *end, *first = find_mentions(check, object, &end);
    text_clear(&check->body);
    if (fetch(check, object,
              first->is_chunk ? head->base.position : head->tail[first->index].position,
              &check->body))
        return check_object(check, first, end);
    for (const struct mention *mention = first; mention < end; mention++)
        *seen_flag(check, mention) = true;
    return false;
}

/* --- the state --- */

/* For the merge. What is wrong with the object is told already. */
static bool read_for_merge(void *ctx, const char *object, struct text *body, struct text *error)
{
    struct check *check = ctx;
    bool fine = read_and_check(check, object);
    if (fine)
        text_swap(body, &check->body);
    else
        text_append_string(error, object);
    return fine;
}

static bool count_key(void *ctx, struct slice key, struct slice member, struct text *error)
{
    struct check *check = ctx;
    (void)key, (void)member, (void)error;
    check->report->keys++;
    return true;
}

static void drop_entry(void *ctx, struct entry *entry)
{
    (void)ctx;
    entry_destroy(entry);
}

static void check_inline(struct check *check)
{
    const struct head *head = &check->head;
    struct text reason = {0};
    if (!head->base.chunk_count &&
        !chunk_load_state(text_slice(&head->base.state), drop_entry, NULL, &reason))
        add_fault(check, NULL, head->base.position, "%s", text_terminated(&reason));
    for (size_t i = 0; i < head->tail_count; i++) {
        if (head->tail[i].segment[0])
            continue;
        check->commit_seen[i] = true;
        check_ops(check, &head->tail[i], head->tail[i].ops);
    }
    text_release(&reason);
}

static void check_state(struct check *check)
{
    const struct head *head = &check->head;
    struct fold_store store = {.ctx = check, .read = read_for_merge};
    struct text error = {0};
    if (!stopped(check) && !check->report->faults &&
        !fold_visit_state(head, &store, count_key, check, &error) && !check->report->faults &&
        !stopped(check))
        add_fault(check, NULL, head->position, "base and tail give no state: %s",
                  text_terminated(&error));
    text_release(&error);
    for (size_t i = 0; i < head->tail_count && !stopped(check); i++)
        if (!check->commit_seen[i])
            read_and_check(check, head->tail[i].segment);
    for (size_t i = 0; i < head->base.chunk_count && !stopped(check); i++)
        if (!check->chunk_seen[i])
            read_and_check(check, head->base.chunks[i].object);
}

/* --- replicas --- */

static int compare_commits(const void *a, const void *b)
{
    const struct commit *left = *(const struct commit *const *)a;
    const struct commit *right = *(const struct commit *const *)b;
    int order = strcmp(left->replica, right->replica);
    return order ? order : (left->position > right->position) - (left->position < right->position);
}

static uint64_t last_op(const struct commit *commit)
{
    return commit->first + commit->count - 1;
}

/* Of the commits by replica and position; NULL: it has none. */
static const struct commit *newest_of(const struct commit *const *sorted, size_t count,
                                      const char *replica)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle]->replica, replica) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low && strcmp(sorted[low - 1]->replica, replica) == 0 ? sorted[low - 1] : NULL;
}

static void check_entry(struct check *check, const struct head_replica *entry,
                        const struct commit *newest)
{
    const struct head *head = &check->head;
    if (!newest && entry->position > head->base.position)
        add_fault(check, NULL, entry->position,
                  "\"replicas\" says that this is a commit of %s, which has none in the tail",
                  entry->name);
    if (newest && entry->op < last_op(newest))
        add_fault(check, NULL, newest->position,
                  "its ops of %s go up to %" PRIu64 ", but \"replicas\" says %" PRIu64, entry->name,
                  last_op(newest), entry->op);
    if (newest && entry->position && entry->position != newest->position)
        add_fault(check, NULL, newest->position,
                  "it is the newest commit of %s, but \"replicas\" says %" PRIu64, entry->name,
                  entry->position);
}

/* No op of a replica comes twice, and its entry is not behind. A replica that is dead has none,
 * and then nothing tells. */
static void check_replicas(struct check *check)
{
    const struct head *head = &check->head;
    size_t count = head->tail_count;
    const struct commit **sorted = mem_alloc((count ? count : 1) * sizeof(const struct commit *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &head->tail[i];
    qsort(sorted, count, sizeof(const struct commit *), compare_commits);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i]->replica, sorted[i - 1]->replica) == 0 &&
            sorted[i]->first <= last_op(sorted[i - 1]))
            add_fault(check, NULL, sorted[i]->position,
                      "op %" PRIu64 " of %s is in commit %" PRIu64 " too", sorted[i]->first,
                      sorted[i]->replica, sorted[i - 1]->position);
    for (size_t i = 0; i < head->replica_count; i++)
        check_entry(check, &head->replicas[i], newest_of(sorted, count, head->replicas[i].name));
    if (head->expired > head->position)
        add_fault(check, NULL, head->expired, "\"expired\" is beyond the head's position");
    mem_free(sorted);
}

/* --- what no head names --- */

/* Calls `visit` with each object below the namespace; it returns false to stop. */
static void walk_objects(struct check *check, const char *namespace,
                         bool (*visit)(struct check *check, const char *object, void *ctx),
                         void *ctx)
{
    struct store_request request = {.verb = STORE_LIST};
    size_t prefix = (size_t)snprintf(request.key, sizeof(request.key), "%s/", namespace);
    bool more;
    do {
        more = ask(check, &request) == STORE_OK && request.truncated;
        for (size_t i = 0; i < request.item_count; i++) {
            snprintf(request.after, sizeof(request.after), "%s", request.items[i].key);
            if (!visit(check, request.items[i].key + prefix, ctx)) {
                more = false;
                break;
            }
        }
        store_request_release(&request);
    } while (more && !given_up(check));
}

static bool count_orphan(struct check *check, const char *object, void *ctx)
{
    check->report->orphans += !head_objects_have(ctx, object);
    return true;
}

static void count_orphans(struct check *check)
{
    struct head_objects named;
    head_objects_init(&named, &check->head);
    walk_objects(check, check->head.namespace, count_orphan, &named);
    head_objects_release(&named);
}

/* Objects of cairn's; a bucket may hold other folders. */
static bool find_object(struct check *check, const char *object, void *ctx)
{
    (void)check;
    if (strncmp(object, "chunk-", 6) != 0 && strncmp(object, "segment-", 8) != 0 &&
        strncmp(object, "run-", 4) != 0)
        return true;
    snprintf(ctx, COMMIT_OBJECT_SIZE, "%s", object);
    return false;
}

/* A namespace that began while it was looked for. */
static bool head_is_there(struct check *check)
{
    struct store_request request = {.verb = STORE_GET};
    snprintf(request.key, sizeof(request.key), "%s.json", check->report->namespace);
    bool there = ask(check, &request) == STORE_OK;
    store_request_release(&request);
    return there;
}

static void check_absent(struct check *check)
{
    char object[COMMIT_OBJECT_SIZE] = "";
    struct verify_report *report = check->report;
    walk_objects(check, report->namespace, find_object, object);
    if (!object[0])
        report->absent = true;
    else if (head_is_there(check))
        check->overtaken = true;
    else if (!given_up(check))
        add_fault(check, NULL, 0, "is missing, though %s/%s is there", report->namespace, object);
}

/* --- the head --- */

/* False when there is nothing more to look at. */
static bool read_head(struct check *check)
{
    struct verify_report *report = check->report;
    struct store_request request = {.verb = STORE_GET, .want_etags = true};
    struct text reason = {0};
    bool whole = false;
    snprintf(request.key, sizeof(request.key), "%s.json", report->namespace);
    enum store_result result = ask(check, &request);
    if (result == STORE_NOT_FOUND) {
        check_absent(check);
    } else if (result == STORE_INVALID) {
        add_fault(check, NULL, 0, "%s", request.error);
    } else if (result == STORE_OK) {
        report->bytes_all = request.answer.len;
        memcpy(check->etag, request.answer_etag, sizeof(check->etag));
        whole = head_decode(text_slice(&request.answer), slice_of(report->namespace), &check->head,
                            &reason);
        if (!whole)
            add_fault(check, NULL, 0, "%s", text_terminated(&reason));
        note_read(check, request.answer.len);
    }
    text_release(&reason);
    store_request_release(&request);
    return whole;
}

/* The commits in runs join the others, and are checked with them. */
static void open_runs(struct check *check)
{
    const struct head_run *run;
    struct text reason = {0};
    for (size_t i = 0; i < check->head.run_count; i++)
        check->report->bytes_all += check->head.runs[i].bytes;
    while (!stopped(check) && (run = run_next(&check->head))) {
        text_clear(&check->body);
        if (!fetch(check, run->object, run->position, &check->body))
            break;
        if (!run_open(&check->head, text_slice(&check->body), &reason)) {
            add_fault(check, run->object, run->position, "%s", text_terminated(&reason));
            break;
        }
        note_read(check, check->body.len);
    }
    text_release(&reason);
}

static void describe(struct check *check)
{
    const struct head *head = &check->head;
    struct verify_report *report = check->report;
    const char *counted = "";
    report->position = head->position;
    report->base_position = head->base.position;
    report->commits = head->tail_count;
    for (size_t i = 0; i < head->base.chunk_count; i++)
        report->bytes_all += head->base.chunks[i].bytes;
    for (size_t i = 0; i < head->tail_count; i++) {
        if (strcmp(counted, head->tail[i].segment) != 0)
            report->bytes_all += head->tail[i].bytes;
        counted = head->tail[i].segment;
    }
}

static void check_named(struct check *check)
{
    open_runs(check);
    describe(check);
    gather_mentions(check);
    check->commit_seen = mem_calloc(check->head.tail_count + 1, 1);
    check->chunk_seen = mem_calloc(check->head.base.chunk_count + 1, 1);
    if (!run_next(&check->head)) /* else not all commits are known */
        check_replicas(check);
    check_inline(check);
    check_state(check);
    if (!stopped(check))
        count_orphans(check);
    head_release(&check->head);
    mem_free(check->mentions);
    mem_free(check->commit_seen);
    mem_free(check->chunk_seen);
}

/* False: a fold came between, so nothing it found is to be believed. */
static bool check_once(const struct verify_options *options, struct verify_report *report)
{
    struct check check = {.options = options, .report = report};
    if (read_head(&check))
        check_named(&check);
    text_release(&check.body);
    if (check.overtaken)
        give_up(&check, OVERTAKEN_AGAIN);
    if (!given_up(&check))
        report->verdict = report->faults ? VERIFY_UNSOUND : VERIFY_SOUND;
    return !check.overtaken;
}

void verify_namespace(const struct verify_options *options, struct slice name,
                      struct verify_report *ret_report)
{
    int attempts = 0;
    assert(namespace_name_valid(name));
    *ret_report = (struct verify_report){0};
    do {
        verify_report_release(ret_report);
        memcpy(ret_report->namespace, name.data, name.len);
    } while (!check_once(options, ret_report) && ++attempts < OVERTAKEN_ATTEMPTS);
}

void verify_report_release(struct verify_report *report)
{
    text_release(&report->lines);
    *report = (struct verify_report){0};
}

struct slice verify_report_first(const struct verify_report *report)
{
    const char *end =
        report->lines.len ? memchr(report->lines.data, '\n', report->lines.len) : NULL;
    return slice_make(report->lines.data, end ? (size_t)(end - report->lines.data) : 0);
}

static void print_count(struct text *out, uint64_t count, const char *what)
{
    text_append_format(out, ", %" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

void verify_report_print(const struct verify_report *report, struct text *out)
{
    static const char *const verdicts[] = {
        [VERIFY_SOUND] = "sound", [VERIFY_UNSOUND] = "NOT SOUND", [VERIFY_UNREADABLE] = "NOT READ"};
    struct slice lines = text_slice(&report->lines);
    text_append_format(out, "%s: %s", report->namespace, verdicts[report->verdict]);
    if (report->absent) {
        text_append_string(out, ": the store has nothing of it\n");
        return;
    }
    if (report->verdict != VERIFY_UNREADABLE) {
        text_append_format(out, ": position %" PRIu64, report->position);
        print_count(out, report->commits, "commit");
        text_append_string(out, " in the tail");
        print_count(out, report->ops, "op");
        if (report->verdict == VERIFY_SOUND)
            print_count(out, report->keys, "key");
        print_count(out, report->chunks, "chunk");
        print_count(out, report->segments, "segment");
        print_count(out, report->bytes, "byte");
        print_count(out, report->orphans, "orphan");
    }
    text_append_char(out, '\n');
    while (lines.len) {
        const char *end = memchr(lines.data, '\n', lines.len);
        size_t len = (size_t)(end - lines.data) + 1;
        text_append_string(out, "  ");
        text_append(out, lines.data, len);
        lines = slice_make(lines.data + len, lines.len - len);
    }
}

/* --- all namespaces of a store --- */

static void add_name(struct verify_names *names, const char *key, size_t len)
{
    if (!namespace_name_valid(slice_make(key, len)))
        return;
    if ((names->count & (names->count - 1)) == 0)
        names->list =
            mem_realloc(names->list, (names->count ? 2 * names->count : 1) * sizeof(*names->list));
    char *name = names->list[names->count++];
    memcpy(name, key, len);
    name[len] = '\0';
}

static void add_item(void *ctx, const struct store_item *item)
{
    static const char suffix[] = ".json";
    struct verify_names *names = ctx;
    size_t len = strlen(item->key), tail = sizeof(suffix) - 1;
    if (item->is_prefix)
        add_name(names, item->key, len - 1);
    else if (len > tail && strcmp(item->key + len - tail, suffix) == 0)
        add_name(names, item->key, len - tail);
}

static int compare_listed(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Sorts, and drops what came as a head and as a folder. */
static void sort_names(struct verify_names *names)
{
    size_t kept = 0;
    if (names->count)
        qsort(names->list, names->count, sizeof(*names->list), compare_listed);
    for (size_t i = 0; i < names->count; i++) {
        if (kept && strcmp(names->list[kept - 1], names->list[i]) == 0)
            continue;
        memmove(names->list[kept++], names->list[i], sizeof(*names->list));
    }
    names->count = kept;
}

bool verify_list(struct store *store, struct verify_names *ret_names, struct text *error)
{
    *ret_names = (struct verify_names){0};
    enum store_result result = store_list_top(store, add_item, ret_names, error);
    if (result == STORE_OK)
        sort_names(ret_names);
    else
        verify_names_release(ret_names);
    return result == STORE_OK;
}

static void add_head(void *ctx, const struct store_item *item)
{
    if (!item->is_prefix)
        add_item(ctx, item);
}

void verify_append_absent(struct store *store, const char *name, struct text *out)
{
    struct verify_names names = {0};
    struct text ignored = {0};
    text_append_format(out, "there is no namespace %s", name);
    if (store_list_top(store, add_head, &names, &ignored) == STORE_OK) {
        sort_names(&names);
        text_append_string(out, names.count == 0   ? "; there is none"
                                : names.count == 1 ? "; there is"
                                                   : "; there are");
        for (size_t i = 0; i < names.count && i < NAMES_TOLD; i++)
            text_append_format(out, "%s '%s'", i ? "," : "", names.list[i]);
        if (names.count > NAMES_TOLD)
            text_append_format(out, " and %zu more", names.count - NAMES_TOLD);
    }
    verify_names_release(&names);
    text_release(&ignored);
}

void verify_names_release(struct verify_names *names)
{
    mem_free(names->list);
    *names = (struct verify_names){0};
}
