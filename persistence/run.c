/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The object of a run has no sum: the chain of hashes runs over the text of every entry, and the
 * head says what it has to be at the run's end.
 */
#include "persistence/run.h"

#include "ops/mem.h"
#include "persistence/commit-internal.h"

/* So many short runs, and they become one: each commit is copied once for a factor of this. */
#define RUN_FANOUT 8

struct commits {
    struct commit *items;
    size_t count, cap;
};

static void commits_release(struct commits *commits)
{
    for (size_t i = 0; i < commits->count; i++)
        commit_release(&commits->items[i]);
    mem_free(commits->items);
    *commits = (struct commits){0};
}

static struct commit *commits_room(struct commits *commits)
{
    if (commits->count == commits->cap) {
        commits->cap = commits->cap ? 2 * commits->cap : 16;
        commits->items = mem_realloc(commits->items, commits->cap * sizeof(*commits->items));
    }
    return &commits->items[commits->count];
}

/* --- reading --- */

static void read_entries(struct json_reader *reader, struct commits *commits)
{
    if (!json_expect_array(reader))
        return;
    while (json_next_element(reader))
        if (commit_read(reader, commits_room(commits)))
            commits->count++;
}

static void read_namespace(struct json_reader *reader, struct slice namespace)
{
    struct slice name;
    if (json_read_bytes(reader, &name) && !slice_equal(name, namespace))
        json_reader_fail(reader, "a run of another namespace");
}

static void read_object(struct json_reader *reader, struct slice namespace, struct commits *commits)
{
    static const char *const names[] = {"format", "namespace", "entries"};
    unsigned seen = 0;
    struct slice name;
    if (!json_expect_object(reader))
        return;
    while (json_next_name(reader, &name)) {
        unsigned which = 0;
        while (which < 3 && !slice_equal(name, slice_of(names[which])))
            which++;
        if (which == 3)
            json_reader_fail(reader, "unknown member of a run");
        else if (!commit_read_once(reader, &seen, 1u << which))
            return;
        else if (which == 0)
            commit_read_format(reader);
        else if (which == 1)
            read_namespace(reader, namespace);
        else
            read_entries(reader, commits);
    }
    if (!json_reader_failed(reader) && seen != 7)
        json_reader_fail(reader, "a run needs a format, a namespace and entries");
    if (!json_reader_failed(reader))
        json_expect_end(reader);
}

/* Positions without gap from `run->from`, and the chain from there to the run's hash. */
static bool check_commits(const struct head *head, const struct head_run *run,
                          const struct commits *commits)
{
    char hash[SHA256_HEX_SIZE];
    if (commits->count != run->position - run->from || !head_hash_at(head, run->from, hash))
        return false;
    for (size_t i = 0; i < commits->count; i++) {
        if (commits->items[i].position != run->from + 1 + i)
            return false;
        commit_chain(hash, text_slice(&commits->items[i].text), hash);
    }
    return strcmp(hash, run->hash) == 0;
}

static bool read_run(const struct head *head, const struct head_run *run, struct slice body,
                     struct commits *ret_commits, struct text *error)
{
    struct json_reader reader;
    struct text scratch = {0};
    *ret_commits = (struct commits){0};
    json_reader_init(&reader, body, &scratch);
    read_object(&reader, slice_of(head->namespace), ret_commits);
    bool whole = !json_reader_failed(&reader);
    if (!whole)
        text_append_format(error, "%s: %s", run->object, json_reader_error(&reader));
    text_release(&scratch);
    if (whole && !check_commits(head, run, ret_commits)) {
        whole = false;
        text_append_format(error, "%s: its commits are not those that the head's chain has there",
                           run->object);
    }
    if (!whole)
        commits_release(ret_commits);
    return whole;
}

static bool fetch_run(const struct head *head, const struct head_run *run,
                      const struct fold_store *store, struct commits *ret_commits,
                      struct text *error)
{
    struct text body = {0};
    bool fine = store->read(store->ctx, run->object, &body, error) &&
                read_run(head, run, text_slice(&body), ret_commits, error);
    text_release(&body);
    return fine;
}

struct walk {
    const struct head *head;
    const struct fold_store *store;
    uint64_t position;
    struct text body; /* of the last segment */
    run_visit *visit;
    void *ctx;
};

static bool visit_commit(struct walk *walk, const struct commit *commit, struct text *error)
{
    struct commit_reader reader;
    if (commit->segment[0]) {
        if (!walk->store->read(walk->store->ctx, commit->segment, &walk->body, error) ||
            !commit_reader_init_segment(&reader, text_slice(&walk->body),
                                        slice_of(walk->head->namespace), commit, error))
            return false;
    } else {
        commit_reader_init(&reader, commit->ops, commit->time);
    }
    bool fine = walk->visit(walk->ctx, commit, &reader, error);
    commit_reader_release(&reader);
    return fine;
}

static bool visit_commits(struct walk *walk, const struct commit *commits, size_t count,
                          struct text *error)
{
    for (size_t i = 0; i < count && commits[i].position <= walk->position; i++)
        if (!visit_commit(walk, &commits[i], error))
            return false;
    return true;
}

bool run_walk(const struct head *head, uint64_t position, const struct fold_store *store,
              run_visit *visit, void *ctx, struct text *error)
{
    struct walk walk = {head, store, position, {0}, visit, ctx};
    uint64_t begin = head->position - head->tail_count;
    bool fine = true;
    for (size_t i = 0; i < head->run_count && fine; i++) {
        const struct head_run *run = &head->runs[i];
        struct commits commits = {0};
        if (run->from >= position || run->position > begin)
            break;
        fine = fetch_run(head, run, store, &commits, error);
        if (fine)
            fine = visit_commits(&walk, commits.items, commits.count, error);
        commits_release(&commits);
    }
    fine = fine && visit_commits(&walk, head->tail, head->tail_count, error);
    text_release(&walk.body);
    return fine;
}

const struct head_run *run_next(const struct head *head)
{
    for (size_t i = 0; i < head->run_count; i++)
        if (head->runs[i].position == head->position - head->tail_count)
            return &head->runs[i];
    return NULL;
}

bool run_open(struct head *head, struct slice body, struct text *error)
{
    struct commits commits;
    if (!read_run(head, run_next(head), body, &commits, error))
        return false;
    size_t count = commits.count + head->tail_count;
    struct commit *tail = mem_alloc(count * sizeof(*tail));
    memcpy(tail, commits.items, commits.count * sizeof(*tail));
    if (head->tail_count)
        memcpy(tail + commits.count, head->tail, head->tail_count * sizeof(*tail));
    mem_free(commits.items);
    mem_free(head->tail);
    head->tail = tail;
    head->tail_count = head->tail_cap = count;
    return true;
}

void run_close(struct head *head)
{
    head_drop_tail(head, head_runs_end(head));
}

/* --- making --- */

/* How many of the runs stay as they are: those behind them are short, and enough to be made one. */
static size_t plan(const struct head *head, size_t unit)
{
    size_t first = head->run_count;
    for (uint64_t limit = (uint64_t)unit * RUN_FANOUT;; limit *= RUN_FANOUT) {
        size_t begin = first;
        while (begin > 0 && head->runs[begin - 1].bytes < limit)
            begin--;
        if (first - begin < RUN_FANOUT - 1)
            return first;
        first = begin;
    }
}

struct making {
    struct text body;
    struct head_run run;
};

static void take_commit(struct making *making, const struct commit *commit)
{
    struct head_run *run = &making->run;
    text_append_string(&making->body, commit->position == run->from + 1 ? "\n" : ",\n");
    text_append_slice(&making->body, text_slice(&commit->text));
    if (commit->segment[0]) {
        size_t n = run->segment_count++;
        if ((n & (n - 1)) == 0)
            run->segments = mem_realloc(run->segments, (n ? 2 * n : 1) * sizeof(*run->segments));
        memcpy(run->segments[n], commit->segment, COMMIT_OBJECT_SIZE);
        run->segment_bytes += commit->bytes;
    }
}

static bool take_run(struct making *making, const struct head *head, const struct head_run *run,
                     const struct fold_store *store, struct text *error)
{
    struct commits commits = {0};
    if (!fetch_run(head, run, store, &commits, error))
        return false;
    for (size_t i = 0; i < commits.count; i++)
        take_commit(making, &commits.items[i]);
    commits_release(&commits);
    return true;
}

static void begin_object(struct text *out, const char *namespace)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    commit_write_number(&writer, "format", COMMIT_FORMAT);
    json_write_field(&writer, "namespace");
    json_write_string(&writer, namespace);
    text_append_string(out, ",\"entries\":[");
}

bool run_make(const struct head *head, size_t unit, const struct fold_store *store,
              struct head_run *ret_run, struct text *error)
{
    size_t kept = plan(head, unit);
    uint64_t end = head_runs_end(head);
    struct making making = {0};
    bool fine = true;
    making.run.from = kept < head->run_count ? head->runs[kept].from : end;
    begin_object(&making.body, head->namespace);
    for (size_t i = kept; i < head->run_count && fine; i++)
        fine = take_run(&making, head, &head->runs[i], store, error);
    for (size_t i = 0; i < head->tail_count && fine; i++)
        if (head->tail[i].position > end)
            take_commit(&making, &head->tail[i]);
    text_append_string(&making.body, "\n]}\n");
    making.run.position = head->position;
    memcpy(making.run.hash, head->hash, sizeof(making.run.hash));
    making.run.bytes = making.body.len;
    fine = fine && store->write(store->ctx, text_slice(&making.body), making.run.object, error);
    text_release(&making.body);
    if (fine)
        *ret_run = making.run;
    else
        head_run_release(&making.run);
    return fine;
}
