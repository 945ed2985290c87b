/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a journal is not in the store yet, and what nobody can tell any more: the entry of an
 * incarnation is there, was never there, or has expired.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "persistence/op_binary.h"
#include "persistence/recovery.h"

#define NAME "space"
#define OLD  "old/1"

struct desk {
    struct recovery recovery;
    struct head head;
    struct text error;
};

static void begin(struct desk *desk, enum journal_orphans choice)
{
    *desk = (struct desk){.recovery = {.choice = choice}};
    head_init(&desk->head, slice_of(NAME));
    /* As if so many commits had been folded. */
    desk->head.position = desk->head.base.position = 100;
}

static void end(struct desk *desk)
{
    recovery_release(&desk->recovery);
    head_release(&desk->head);
    text_release(&desk->error);
}

/* A record: ops `first` … of `replica`, made when the namespace was at `known`. */
static void record(struct desk *desk, const char *replica, uint64_t known, uint64_t first,
                   uint64_t count)
{
    struct journal_file_header header = {.sequence = 7};
    struct text ops = {0};
    for (uint64_t i = 0; i < count; i++) {
        struct op op = {
            .kind = OP_INT_ADD, .key = slice_of("n"), .time = 1000, .int_add = {.delta = 1}};
        op_binary_encode(&ops, &op);
    }
    struct journal_section section = {slice_of(NAME), known, first, count, text_slice(&ops)};
    snprintf(header.incarnation, sizeof(header.incarnation), "%s", replica);
    assert_true(recovery_collect(&desk->recovery, &header, &section, &desk->error));
    text_release(&ops);
}

static bool settle(struct desk *desk)
{
    return recovery_settle(&desk->recovery.items[0], &desk->head, &desk->error);
}

/* `ranges`: what is left, each as first+count. */
static void assert_left(struct desk *desk, const char *ranges)
{
    struct text left = {0};
    for (struct sync_batch *batch = desk->recovery.items[0].batches; batch; batch = batch->next)
        text_append_format(&left, "%s%s %llu+%llu", left.len ? ", " : "", batch->replica,
                           (unsigned long long)batch->first, (unsigned long long)batch->count);
    assert_string_equal(text_terminated(&left), ranges);
    text_release(&left);
}

static void assert_refused(struct desk *desk, const char *words)
{
    assert_false(settle(desk));
    if (!strstr(text_terminated(&desk->error), words))
        fail_msg("'%s' is not in '%s'", words, text_terminated(&desk->error));
}

static void the_entry_says_what_is_committed(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 10, 1, 8);
    head_set_replica(&desk.head, slice_of(OLD), 5);
    desk.head.expired = 90; /* of others */
    assert_true(settle(&desk));
    assert_left(&desk, "old/1 6+3");
    assert_int_equal(desk.recovery.items[0].orphans, 0);
    end(&desk);
}

static void without_an_entry_nothing_is_committed(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 10, 1, 8);
    assert_true(settle(&desk));
    assert_left(&desk, "old/1 1+8");
    end(&desk);
}

static void without_an_entry_a_gap_is_damage_unless_entries_have_expired(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 10, 4, 2);
    assert_refused(&desk, "ops of namespace space are missing");
    end(&desk);
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 10, 4, 2);
    desk.head.expired = 10;
    assert_true(settle(&desk));
    assert_left(&desk, "old/1 4+2");
    end(&desk);
}

/* Whatever has expired, it was committed before these ops were made. */
static void ops_newer_than_what_has_expired_are_certain(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 50, 1, 8);
    desk.head.expired = 50;
    assert_true(settle(&desk));
    assert_left(&desk, "old/1 1+8");
    end(&desk);
}

static void doubtful_ops_refuse_the_start_and_say_how_to_choose(void **state)
{
    static const char *const words[] = {"namespace space", "journal-7.log has 11 ops", "old/1",
                                        "--journal-orphans replay", "--journal-orphans drop"};
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct desk desk;
        begin(&desk, JOURNAL_ORPHANS_REFUSE);
        record(&desk, OLD, 50, 1, 8);
        record(&desk, OLD, 50, 9, 3);
        desk.head.expired = 51;
        assert_refused(&desk, words[i]);
        end(&desk);
    }
}

static void doubtful_ops_are_replayed_or_dropped_as_chosen(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REPLAY);
    record(&desk, OLD, 50, 4, 8);
    desk.head.expired = 51;
    assert_true(settle(&desk));
    assert_left(&desk, "old/1 4+8");
    assert_int_equal(desk.recovery.items[0].orphans, 8);
    end(&desk);
    begin(&desk, JOURNAL_ORPHANS_DROP);
    record(&desk, OLD, 50, 4, 8);
    desk.head.expired = 51;
    assert_true(settle(&desk));
    assert_left(&desk, "");
    assert_int_equal(desk.recovery.items[0].orphans, 8);
    end(&desk);
}

/* The choice is about what is doubtful, not about what is certain. */
static void dropping_keeps_what_was_surely_never_committed(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_DROP);
    record(&desk, OLD, 50, 1, 8);
    record(&desk, "old/2", 70, 1, 3);
    record(&desk, "old/3", 60, 1, 4);
    desk.head.expired = 60;
    head_set_replica(&desk.head, slice_of("old/3"), 3);
    assert_true(settle(&desk));
    assert_left(&desk, "old/2 1+3, old/3 4+1");
    assert_int_equal(desk.recovery.items[0].orphans, 8);
    end(&desk);
}

/* A crash after a part of what was replayed is committed: the entry is there again. */
static void a_replay_goes_on_where_a_crash_has_left_it(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REPLAY);
    record(&desk, OLD, 50, 1, 8);
    desk.head.expired = 51;
    head_set_replica(&desk.head, slice_of(OLD), 6);
    assert_true(settle(&desk));
    assert_left(&desk, "old/1 7+2");
    assert_int_equal(desk.recovery.items[0].orphans, 0);
    end(&desk);
}

/* What a newer version has written, say: told before anything is put on top of the store. */
static void ops_that_cannot_be_read_are_refused(void **state)
{
    struct desk desk;
    (void)state;
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 10, 1, 3);
    desk.recovery.items[0].batches->ops.data[0] = (char)250; /* no kind has this number */
    assert_refused(&desk, "ops of namespace space in the journal cannot be read");
    end(&desk);
    begin(&desk, JOURNAL_ORPHANS_REFUSE);
    record(&desk, OLD, 10, 1, 3);
    desk.recovery.items[0].batches->count = 2;
    assert_refused(&desk, "ops of namespace space in the journal cannot be read");
    end(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entry_says_what_is_committed),
        cmocka_unit_test(without_an_entry_nothing_is_committed),
        cmocka_unit_test(without_an_entry_a_gap_is_damage_unless_entries_have_expired),
        cmocka_unit_test(ops_newer_than_what_has_expired_are_certain),
        cmocka_unit_test(doubtful_ops_refuse_the_start_and_say_how_to_choose),
        cmocka_unit_test(doubtful_ops_are_replayed_or_dropped_as_chosen),
        cmocka_unit_test(dropping_keeps_what_was_surely_never_committed),
        cmocka_unit_test(ops_that_cannot_be_read_are_refused),
        cmocka_unit_test(a_replay_goes_on_where_a_crash_has_left_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
