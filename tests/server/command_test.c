/* SPDX-License-Identifier: BSD-3-Clause */
/* The command table: look-ups, numbering, what every row must have, key positions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "server/command.h"
#include "server/command_docs.h"
#include "server/command_facts.h"

static int set_up(void **state)
{
    (void)state;
    command_table_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    command_table_release();
    return 0;
}

static void every_command_is_found_in_any_case(void **state)
{
    (void)state;
    assert_true(command_count() > 150);
    for (size_t id = 0; id < command_count(); id++) {
        const struct command *command = command_at(id);
        assert_int_equal(command->id, id);
        char upper[64];
        snprintf(upper, sizeof(upper), "%s", command->name);
        for (char *c = upper; *c; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        const struct command *found = command->parent
                                          ? command_find_sub(command->parent, slice_of(upper))
                                          : command_find(slice_of(upper));
        assert_ptr_equal(found, command);
    }
}

static void other_words_are_not_found(void **state)
{
    (void)state;
    static const char *const words[] = {"",
                                        "ge",
                                        "gett",
                                        "get ",
                                        "G\x05T",
                                        "client|list",
                                        "averyveryveryverylongnamethatnocommandhas"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_null(command_find(slice_of(words[i])));
    assert_null(command_find(slice_make("get\0x", 5)));
    assert_null(command_find_sub(command_find(slice_of("get")), slice_of("x")));
}

static void every_row_is_complete(void **state)
{
    (void)state;
    for (size_t id = 0; id < command_count(); id++) {
        const struct command *command = command_at(id);
        if (!command->summary || !command->since || !command->complexity ||
            (!command->syntax && !command->subcommands))
            fail_msg("%s lacks documentation", command->full_name);
        if (!command->handler && !command->subcommands)
            fail_msg("%s has no handler", command->full_name);
        if (command->arity == 0)
            fail_msg("%s has no arity", command->full_name);
        if (command->flags & CMD_WRITE && command->flags & CMD_READONLY)
            fail_msg("%s writes and does not", command->full_name);
        if (command->flags & CMD_NO_LOCK && command->first_key)
            fail_msg("%s has keys and no lock", command->full_name);
        if (command->first_key && command->last_key != command->first_key && !command->key_step)
            fail_msg("%s has keys without a step", command->full_name);
    }
}

static void key_positions_follow_the_arguments(void **state)
{
    (void)state;
    struct slice argv[] = {slice_of("mset"), slice_of("a"), slice_of("1"), slice_of("b"),
                           slice_of("2")};
    int keys[8];
    assert_int_equal(command_keys(command_find(slice_of("mset")), argv, 5, keys, 8), 2);
    assert_int_equal(keys[0], 1);
    assert_int_equal(keys[1], 3);
    assert_int_equal(command_keys(command_find(slice_of("del")), argv, 5, keys, 2), 4);
    assert_int_equal(command_keys(command_find(slice_of("ping")), argv, 1, keys, 8), 0);
    assert_int_equal(command_keys(command_find(slice_of("get")), argv, 1, keys, 8), -1);
}

static void categories_are_those_redis_derives(void **state)
{
    (void)state;
    const struct command *get = command_find(slice_of("get"));
    assert_true(command_in_category(get, slice_of("read")));
    assert_true(command_in_category(get, slice_of("STRING")));
    assert_true(command_in_category(get, slice_of("fast")));
    assert_false(command_in_category(get, slice_of("write")));
    assert_true(command_in_category(command_find(slice_of("flushall")), slice_of("write")));
    assert_true(command_in_category(command_find(slice_of("flushall")), slice_of("dangerous")));
    assert_true(command_in_category(command_find(slice_of("cairn")), slice_of("cairn")));
    assert_true(command_in_category(command_find(slice_of("set")), slice_of("slow")));
    assert_false(command_in_category(command_find(slice_of("client")), slice_of("connection")));
}

static void facts_are_sorted_and_of_commands_there_are(void **state)
{
    (void)state;
    size_t found = 0, rows = 0;
    for (const struct command_facts *row = command_facts; row->name; row++, rows++)
        if (rows && strcmp(row[-1].name, row->name) >= 0)
            fail_msg("%s is out of order", row->name);
    for (size_t id = 0; id < command_count(); id++) {
        const struct command *command = command_at(id);
        const struct command_facts *facts = command_facts_find(command);
        found += facts != NULL;
        if (command->first_key && !command->parent && (!facts || !facts->keys[0].flags))
            fail_msg("nothing tells how %s uses its keys", command->full_name);
    }
    assert_int_equal(found, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_found_in_any_case),
        cmocka_unit_test(other_words_are_not_found),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(key_positions_follow_the_arguments),
        cmocka_unit_test(facts_are_sorted_and_of_commands_there_are),
        cmocka_unit_test(categories_are_those_redis_derives),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
