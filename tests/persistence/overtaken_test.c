/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What reads a namespace for people (export, history, verification) while another server's folds
 * take its objects away: it begins again with the newest head, and gives up clearly when that does
 * not end. What the newest head names and is not there is damage for all of them.
 */
#include "persistence/overtaken.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "persistence/export.h"
#include "persistence/history.h"
#include "persistence/verify.h"
#include "tests/persistence/overtaken_support.h"

static const char *const kinds[] = {"test/chunk-", "test/segment-", "test/run-"};

/* --- readers --- */

static void read_all(int fd, struct text *out)
{
    ssize_t got;
    while ((got = read(fd, text_reserve(out, 65536), 65536)) > 0)
        out->len += (size_t)got;
    assert_int_equal(got, 0);
}

/* Into a file that holds `out` already. */
static enum persistence_status export_file(struct store *store, struct recovered *item,
                                           struct text *out, struct text *error)
{
    int fd = memfd_create("export", 0);
    assert_int_equal(write(fd, out->data, out->len), out->len);
    text_clear(out);
    enum persistence_status status = export_namespace(store, item, slice_of("test"), fd, error);
    lseek(fd, 0, SEEK_SET);
    read_all(fd, out);
    close(fd);
    return status;
}

/* A document that the pipe can hold. */
static enum persistence_status export_pipe(struct store *store, struct text *out,
                                           struct text *error)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    enum persistence_status status =
        export_namespace(store, NULL, slice_of("test"), ends[1], error);
    close(ends[1]);
    read_all(ends[0], out);
    close(ends[0]);
    return status;
}

static enum loader_result read_history(struct store *store, struct loaded *loaded,
                                       struct text *error)
{
    struct loader_options options = {.store = store, .namespace = slice_of("test")};
    return history_read(&options, UINT64_MAX, loaded, error);
}

static void verify(struct store *store, struct verify_report *report)
{
    struct verify_options options = {.store = store};
    verify_namespace(&options, slice_of("test"), report);
}

static void assert_says(const struct text *text, const char *what)
{
    if (!memmem(text->data, text->len, what, strlen(what)))
        fail_msg("%s is not in: %.*s", what, (int)text->len, text->data);
}

/* --- a fold comes between --- */

static void an_export_begins_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct scene s;
        struct text expected = {0}, error = {0};
        struct text file = {0}, pipe = {0};
        scene_begin(&s, NULL);
        put_head(s.plain, &s.after);
        assert_int_equal(export_file(s.plain, NULL, &expected, &error), PERSISTENCE_OK);
        for (int j = 0; j < 2; j++) {
            scene_end(&s);
            scene_begin(&s, kinds[i]);
            text_clear(&file);
            text_append_string(&file, "what was there ");
            if ((j ? export_pipe(s.store, &pipe, &error)
                   : export_file(s.store, NULL, &file, &error)) != PERSISTENCE_OK)
                fail_msg("%s", text_terminated(&error));
            assert_null(s.turn.at);
            if (j == 0)
                assert_memory_equal(text_terminated(&file), "what was there ", 15);
            assert_true(
                slice_equal(j ? text_slice(&pipe) : slice_make(file.data + 15, file.len - 15),
                            text_slice(&expected)));
        }
        text_release(&expected);
        text_release(&file);
        text_release(&pipe);
        scene_end(&s);
    }
}

static void a_history_begins_again(void **state)
{
    struct scene s;
    struct loaded loaded;
    struct text error = {0};
    (void)state;
    scene_begin(&s, "test/run-");
    if (read_history(s.store, &loaded, &error) != LOADER_OK)
        fail_msg("%s", text_terminated(&error));
    assert_null(s.turn.at);
    assert_int_equal(loaded.head.position, s.after.position);
    assert_int_equal(loaded.head.tail_count, s.after.position - s.after.base.position);
    loaded_release(&loaded);
    scene_end(&s);
}

static void a_verification_begins_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct scene s;
        struct verify_report report;
        scene_begin(&s, kinds[i]);
        verify(s.store, &report);
        if (report.verdict != VERIFY_SOUND)
            fail_msg("%s", text_terminated(&report.lines));
        assert_null(s.turn.at);
        assert_int_equal(report.position, s.after.position);
        assert_int_equal(report.faults, 0);
        verify_report_release(&report);
        scene_end(&s);
    }
}

/* The export of a namespace of which a journal has more. */
static void the_journals_ops_come_once_all_the_same(void **state)
{
    (void)state;
    struct text expected = {0}, file = {0}, error = {0}, ops = {0};
    struct op op = {
        .kind = OP_INT_ADD, .key = slice_of("own"), .time = NOW, .int_add = {.delta = 1}};
    struct journal_file_header header = {.sequence = 1, .incarnation = "own/1"};
    op_binary_encode(&ops, &op);
    struct journal_section section = {slice_of("test"), 1, 1, 1, text_slice(&ops)};
    for (int i = 0; i < 2; i++) {
        struct scene s;
        struct recovery recovery = {0};
        char key[STORE_KEY_MAX];
        scene_begin(&s, NULL);
        if (i) { /* the load has had it */
            snprintf(key, sizeof(key), "test/%s", s.before.base.chunks[0].object);
            s.turn.at = key;
            s.turn.skip = 1;
        } else {
            put_head(s.plain, &s.after);
        }
        assert_true(recovery_collect(&recovery, &header, &section, &error));
        assert_int_equal(export_file(s.store, recovery.items, i ? &file : &expected, &error),
                         PERSISTENCE_OK);
        assert_null(s.turn.at);
        recovery_release(&recovery);
        scene_end(&s);
    }
    assert_says(&expected, "\"own\":1");
    assert_true(slice_equal(text_slice(&expected), text_slice(&file)));
    text_release(&expected);
    text_release(&file);
    text_release(&ops);
}

static void a_namespace_that_begins_is_not_one_that_lost_its_head(void **state)
{
    struct scene s;
    struct verify_report report;
    (void)state;
    scene_begin(&s, NULL);
    take_away(s.plain, "test.json");
    verify(s.store, &report);
    assert_int_equal(report.verdict, VERIFY_UNSOUND);
    verify_report_release(&report);
    s.turn.begun = &s.after;
    verify(s.store, &report);
    assert_int_equal(report.verdict, VERIFY_SOUND);
    assert_int_equal(report.position, s.after.position);
    verify_report_release(&report);
    scene_end(&s);
}

/* --- it does not end --- */

static void who_is_overtaken_each_time_gives_up_and_says_so(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct scene s;
        struct loaded loaded;
        struct verify_report report;
        struct text error = {0}, file = {0};
        scene_begin(&s, kinds[i]);
        s.turn.endless = &s.objects;
        text_append_string(&file, "what was there");
        assert_int_equal(export_file(s.store, NULL, &file, &error), PERSISTENCE_UNWRITABLE);
        assert_says(&error, "test: " OVERTAKEN_AGAIN);
        assert_true(slice_equal(text_slice(&file), slice_of("what was there")));
        assert_in_range(s.turn.landed, 2, OVERTAKEN_ATTEMPTS);
        verify(s.store, &report);
        assert_int_equal(report.verdict, VERIFY_UNREADABLE);
        assert_says(&report.lines, OVERTAKEN_AGAIN);
        verify_report_release(&report);
        text_clear(&error);
        if (strcmp(kinds[i], "test/run-") == 0) {
            assert_int_equal(read_history(s.store, &loaded, &error), LOADER_UNREACHABLE);
            assert_says(&error, "test: " OVERTAKEN_AGAIN);
        }
        text_release(&error);
        text_release(&file);
        scene_end(&s);
    }
}

/* Chunks of a MiB; the fold replaces the last. */
static void large_begin(struct scene *s, struct text *turn_at)
{
    struct text value = {0}, ops = {0}, error = {0};
    struct fold_options options = {.chunk_size = 1 << 20, .inline_limit = 100};
    *s = (struct scene){.random = random_from(3), .ks = keyspace_create(NULL)};
    while (value.len < 1 << 20)
        text_append_string(&value, "0123456789abcdef");
    head_init(&s->after, slice_of("test"));
    for (int i = 0; i < 2; i++) {
        struct fold_store store = objects_store(&s->objects);
        struct head_base base;
        text_clear(&ops);
        for (char name = i ? 'z' : 'k'; name <= 'z'; name++) {
            struct op op = {.kind = OP_SCALAR_SET, .key = slice_make(&name, 1), .time = NOW};
            op.scalar_set.value = text_slice(&value);
            op_binary_encode(&ops, &op);
        }
        head_commit(&s->after, &s->objects, "a/1", NOW, text_slice(&ops), true);
        assert_true(fold_run(&s->after, s->after.position, &store, &options, &base, &error));
        assert_true(head_rebase(&s->after, &base));
        if (i == 0)
            scene_note_before(s);
    }
    text_append_format(turn_at, "test/%s",
                       s->before.base.chunks[s->before.base.chunk_count - 1].object);
    scene_open(s, text_terminated(turn_at));
    text_release(&value);
    text_release(&ops);
}

static void what_has_left_through_a_pipe_cannot_be_taken_back(void **state)
{
    struct scene s;
    struct text at = {0}, error = {0}, file = {0};
    (void)state;
    large_begin(&s, &at);
    int fd = open("/dev/null", O_WRONLY);
    assert_int_equal(export_namespace(s.store, NULL, slice_of("test"), fd, &error),
                     PERSISTENCE_UNWRITABLE);
    assert_null(s.turn.at);
    assert_says(&error, "write it to a file");
    close(fd);
    scene_end(&s);
    text_clear(&at);
    large_begin(&s, &at);
    assert_int_equal(export_file(s.store, NULL, &file, &error), PERSISTENCE_OK);
    assert_null(s.turn.at);
    assert_true(file.len > 16 << 20);
    /* A file that fails in the end is left as it was. */
    const struct head_base *base = &s.after.base;
    text_clear(&at);
    text_append_format(&at, "test/%s", base->chunks[base->chunk_count - 1].object);
    take_away(s.plain, text_terminated(&at));
    text_clear(&file);
    text_append_string(&file, "what was there");
    assert_int_equal(export_file(s.store, NULL, &file, &error), PERSISTENCE_CORRUPT);
    assert_true(slice_equal(text_slice(&file), slice_of("what was there")));
    text_release(&at);
    text_release(&error);
    text_release(&file);
    scene_end(&s);
}

/* --- it is damage --- */

static void what_the_newest_head_names_and_is_not_there_is_damage(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene s;
        struct loaded loaded;
        struct verify_report report;
        struct text error = {0}, file = {0};
        char key[STORE_KEY_MAX];
        scene_begin(&s, NULL);
        const char *object = i ? s.before.runs[0].object : s.before.base.chunks[1].object;
        snprintf(key, sizeof(key), "test/%s", object);
        take_away(s.plain, key);
        text_append_string(&file, "what was there");
        assert_int_equal(export_file(s.store, NULL, &file, &error), PERSISTENCE_CORRUPT);
        assert_says(&error, object);
        assert_true(slice_equal(text_slice(&file), slice_of("what was there")));
        verify(s.store, &report);
        assert_int_equal(report.verdict, VERIFY_UNSOUND);
        assert_says(&report.lines, object);
        verify_report_release(&report);
        text_clear(&error);
        if (i) {
            assert_int_equal(read_history(s.store, &loaded, &error), LOADER_CORRUPT);
            assert_says(&error, object);
        }
        text_release(&error);
        text_release(&file);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_begins_again),
        cmocka_unit_test(a_history_begins_again),
        cmocka_unit_test(a_verification_begins_again),
        cmocka_unit_test(the_journals_ops_come_once_all_the_same),
        cmocka_unit_test(a_namespace_that_begins_is_not_one_that_lost_its_head),
        cmocka_unit_test(who_is_overtaken_each_time_gives_up_and_says_so),
        cmocka_unit_test(what_has_left_through_a_pipe_cannot_be_taken_back),
        cmocka_unit_test(what_the_newest_head_names_and_is_not_there_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
