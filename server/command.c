/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command table: the families' rows copied once into memory of our own, numbered, and put
 * into an open-addressed hash table of four times their number, so that a look-up is a short hash
 * and one comparison. Read-only afterwards: any thread.
 */
#include "server/command.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ops/mem.h"
#include "server/loop-internal.h"

#define NAME_MAX_LEN 32 /* no command's name is as long; longer words are unknown at once */

static struct command **commands; /* by id */
static size_t count;
static struct slot {
    uint64_t word;
    size_t len;
    struct command *command; /* NULL: free */
} * slots;
static uint32_t slot_mask;

static const struct command *const families[] = {
#define X(family) family,
    COMMAND_FAMILIES(X)
#undef X
};
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

static inline uint64_t load(const char *at, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, at, len);
    return word;
}

/* Eight characters at once, of which 'A' to 'Z' get the bit that makes them small. */
static inline uint64_t lower(uint64_t word)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = word & 0x7f * each;
    uint64_t from_a = low + (0x80 - 'A') * each, past_z = low + (0x7f - 'Z') * each;
    return word | ((from_a ^ past_z) & ~word & 0x80 * each) >> 2;
}

/* The first eight characters in lower case: enough to tell nearly all names apart. Loads of fixed
 * sizes that overlap cost less than a loop. */
static inline uint64_t name_word(const char *name, size_t len)
{
    if (len >= 8)
        return lower(load(name, 8));
    if (len >= 4)
        return lower(load(name, 4) | load(name + len - 4, 4) << 8 * (len - 4));
    if (len >= 2)
        return lower(load(name, 2) | load(name + len - 2, 2) << 8 * (len - 2));
    return len ? lower(load(name, 1)) : 0;
}

static inline uint32_t name_slot(uint64_t word, size_t len)
{
    return (uint32_t)((word + len) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & slot_mask;
}

static size_t rows_of(const struct command *rows)
{
    size_t n = 0;
    while (rows && rows[n].name)
        n++;
    return n;
}

static struct command *copy_rows(const struct command *rows, struct command *parent)
{
    size_t n = rows_of(rows);
    struct command *copy = mem_calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++) {
        copy[i] = rows[i];
        copy[i].parent = parent;
        copy[i].id = (uint16_t)count;
        copy[i].flags |= CMD_ANY | (rows[i].subcommands ? CMD_SLOW : 0);
        commands[count++] = &copy[i];
        if (parent)
            snprintf(copy[i].full_name, sizeof(copy[i].full_name), "%s|%s", parent->name,
                     rows[i].name);
        else
            snprintf(copy[i].full_name, sizeof(copy[i].full_name), "%s", rows[i].name);
    }
    return copy;
}

static void add_slot(struct command *command)
{
    size_t len = strlen(command->name);
    uint64_t word = name_word(command->name, len);
    uint32_t at = name_slot(word, len);
    assert(len < NAME_MAX_LEN);
    while (slots[at].command) {
        assert(strcmp(slots[at].command->name, command->name) != 0 &&
               "a command is in two families");
        at = (at + 1) & slot_mask;
    }
    slots[at] = (struct slot){word, len, command};
}

static size_t rows_with_subcommands(void)
{
    size_t n = 0;
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        for (const struct command *row = families[f]; row->name; row++)
            n += 1 + rows_of(row->subcommands);
    }
    return n;
}

static struct command *copies[FAMILY_COUNT];

void command_table_init(void)
{
    size_t total = rows_with_subcommands();
    commands = mem_calloc(total + 1, sizeof(*commands));
    uint32_t size = 64;
    while (size < total * 4)
        size *= 2;
    slots = mem_calloc(size, sizeof(*slots));
    slot_mask = size - 1;
    for (size_t f = 0; f < FAMILY_COUNT; f++)
        copies[f] = copy_rows(families[f], NULL);
    size_t top = count;
    for (size_t id = 0; id < top; id++) {
        add_slot(commands[id]);
        if (commands[id]->subcommands)
            commands[id]->subcommands = copy_rows(commands[id]->subcommands, commands[id]);
    }
}

void command_table_release(void)
{
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        for (struct command *row = copies[f]; row->name; row++)
            mem_free((void *)row->subcommands);
        mem_free(copies[f]);
    }
    mem_free(commands);
    mem_free(slots);
    commands = NULL;
    slots = NULL;
    count = 0;
}

static inline bool name_is(const char *name, struct slice word)
{
    return strncasecmp(name, word.data, word.len) == 0 && name[word.len] == 0;
}

/* Apart, so that the look-up of a short name calls nothing and needs no registers saved. */
static __attribute__((noinline)) const struct command *find_from(uint32_t at, uint64_t word,
                                                                 struct slice name)
{
    for (const struct slot *slot; (slot = &slots[at])->command; at = (at + 1) & slot_mask) {
        if (slot->word == word && slot->len == name.len &&
            (name.len <= 8 ||
             strncasecmp(slot->command->name + 8, name.data + 8, name.len - 8) == 0))
            return slot->command;
    }
    return NULL;
}

const struct command *command_find(struct slice name)
{
    if (name.len >= NAME_MAX_LEN)
        return NULL;
    uint64_t word = name_word(name.data, name.len);
    uint32_t at = name_slot(word, name.len);
    const struct slot *slot = &slots[at];
    if (slot->word == word && slot->len == name.len && name.len <= 8)
        return slot->command;
    return find_from(at, word, name);
}

const struct command *command_find_sub(const struct command *container, struct slice name)
{
    if (!container->subcommands || name.len >= NAME_MAX_LEN)
        return NULL;
    for (const struct command *row = container->subcommands; row->name; row++) {
        if (name_is(row->name, name))
            return row;
    }
    return NULL;
}

size_t command_count(void)
{
    return count;
}

const struct command *command_at(size_t id)
{
    assert(id < count);
    return commands[id];
}

int command_keys(const struct command *command, const struct slice *argv, int argc, int *out,
                 int cap)
{
    if (command->keys)
        return command->keys(argv, argc, out, cap);
    if (command->first_key <= 0)
        return 0;
    int last = command->last_key < 0 ? argc + command->last_key : command->last_key;
    int step = command->key_step > 0 ? command->key_step : 1, n = 0;
    if (last >= argc)
        return -1;
    for (int at = command->first_key; at <= last; at += step) {
        if (n < cap)
            out[n] = at;
        n++;
    }
    return n;
}
