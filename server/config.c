/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of directives: parsed, checked, stored, printed; CONFIG GET and SET over the table. */
#include "server/config.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ops/mem.h"
#include "server/config-internal.h"
#include "server/config_apply.h"
#include "server/exec.h"
#include "server/glob.h"
#include "server/log.h"

struct config config;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static _Atomic int64_t *scalar_of(const struct directive *directive)
{
    return (_Atomic int64_t *)((char *)&config + directive->offset);
}

static char **string_of(const struct directive *directive)
{
    return (char **)((char *)&config + directive->offset);
}

static char *copy_slice(struct slice text)
{
    char *copy = mem_alloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    return copy;
}

char *config_string(char *const *field)
{
    pthread_mutex_lock(&mutex);
    char *copy = copy_slice(slice_of(*field ? *field : ""));
    pthread_mutex_unlock(&mutex);
    return copy;
}

void config_replace(char **field, struct slice value)
{
    char *fresh = copy_slice(value);
    pthread_mutex_lock(&mutex);
    char *old = *field;
    *field = fresh;
    pthread_mutex_unlock(&mutex);
    mem_free(old);
}

static bool name_is(const char *name, struct slice word)
{
    return name && strlen(name) == word.len && strncasecmp(name, word.data, word.len) == 0;
}

const struct directive *config_find(struct slice name)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        if (name_is(row->name, name) || name_is(row->alias, name))
            return row;
    }
    return NULL;
}

static bool parse_bool(struct slice text, int64_t *value, struct text *error)
{
    if (name_is("yes", text) || name_is("no", text)) {
        *value = name_is("yes", text);
        return true;
    }
    text_append_string(error, "argument must be 'yes' or 'no'");
    return false;
}

static bool parse_octal(struct slice text, int64_t *value, struct text *error)
{
    int64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '7' || sum > 07777) {
            text_append_string(error, "argument couldn't be parsed into an octal number");
            return false;
        }
        sum = sum * 8 + (text.data[i] - '0');
    }
    *value = sum;
    return true;
}

static bool parse_words(const struct directive *row, struct slice text, int64_t *value,
                        struct text *error)
{
    for (int i = 0; row->words[i]; i++) {
        if (name_is(row->words[i], text)) {
            *value = i;
            return true;
        }
    }
    text_append_string(error, "argument(s) must be one of the following: ");
    for (int i = 0; row->words[i]; i++)
        text_append_format(error, "%s%s", i ? ", " : "", row->words[i]);
    return false;
}

static bool parse_time(struct slice text, int64_t *ms, struct text *error)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = text.len;
    while (digits && text.data[digits - 1] >= 'a' && text.data[digits - 1] <= 'z')
        digits--;
    struct slice unit = slice_make(text.data + digits, text.len - digits);
    double number;
    if (parse_double(slice_make(text.data, digits), &number) && number >= 0 && number < 1e12) {
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (name_is(units[i].unit, unit)) {
                *ms = llround(number * units[i].factor);
                return true;
            }
        }
    }
    text_append_string(error, "argument must be a time such as 15, 0.5, 500ms, 2m or 24h");
    return false;
}

/* True: *value is one of the right form, bounds aside. */
static bool parse_scalar(const struct directive *row, struct slice text, int64_t *value,
                         struct text *error)
{
    switch (row->type) {
    case DIRECTIVE_BOOL: return parse_bool(text, value, error);
    case DIRECTIVE_OCTAL: return parse_octal(text, value, error);
    case DIRECTIVE_ENUM: return parse_words(row, text, value, error);
    case DIRECTIVE_TIME: return parse_time(text, value, error);
    case DIRECTIVE_MEMORY:
        if (config_parse_memory(text, value))
            return true;
        text_append_string(error, "argument must be a memory value");
        return false;
    case DIRECTIVE_INT:
        if (parse_int(text, value))
            return true;
        text_append_string(error, "argument couldn't be parsed into an integer");
        return false;
    case DIRECTIVE_STRING:
    case DIRECTIVE_SPECIAL: break;
    }
    assert(!"no scalar");
    return false;
}

static void print_scalar(const struct directive *row, int64_t value, struct text *out)
{
    switch (row->type) {
    case DIRECTIVE_BOOL: text_append_string(out, value ? "yes" : "no"); break;
    case DIRECTIVE_ENUM: text_append_string(out, row->words[value]); break;
    case DIRECTIVE_OCTAL: text_append_format(out, "%llo", (long long)value); break;
    case DIRECTIVE_TIME:
        if (value % 1000)
            text_append_format(out, "%lldms", (long long)value);
        else
            text_append_int64(out, value / 1000);
        break;
    case DIRECTIVE_INT:
    case DIRECTIVE_MEMORY: text_append_int64(out, value); break;
    case DIRECTIVE_STRING:
    case DIRECTIVE_SPECIAL: break;
    }
}

static bool within(const struct directive *row, int64_t value, struct text *error)
{
    if (row->type == DIRECTIVE_ENUM || row->type == DIRECTIVE_BOOL ||
        (value >= row->min && value <= row->max))
        return true;
    text_append_string(error, "argument must be between ");
    print_scalar(row, row->min, error);
    text_append_string(error, " and ");
    print_scalar(row, row->max, error);
    text_append_string(error, " inclusive");
    return false;
}

bool directive_set(const struct directive *row, struct slice value, bool check_only,
                   struct text *error)
{
    int64_t number = 0;
    if (!value.data)
        value = slice_of(""); /* an empty word of a file may point nowhere */
    if (row->set)
        return row->set(value, check_only, error);
    if (row->type == DIRECTIVE_STRING) {
        if (memchr(value.data, 0, value.len)) {
            text_append_string(error, "argument must not hold a NUL byte");
            return false;
        }
        if (!check_only)
            config_replace(string_of(row), value);
        return true;
    }
    if (!parse_scalar(row, value, &number, error) || !within(row, number, error))
        return false;
    if (!check_only)
        atomic_store_explicit(scalar_of(row), number, memory_order_relaxed);
    return true;
}

void directive_get(const struct directive *row, struct text *out)
{
    if (row->type == DIRECTIVE_SPECIAL) {
        row->get(out);
    } else if (row->type == DIRECTIVE_STRING) {
        char *value = config_string(string_of(row));
        text_append_string(out, value);
        mem_free(value);
    } else {
        print_scalar(row, atomic_load_explicit(scalar_of(row), memory_order_relaxed), out);
    }
}

void directive_default(const struct directive *row, struct text *out)
{
    if (row->text)
        text_append_string(out, row->text);
    else
        print_scalar(row, row->value, out);
}

static int64_t store_default(const struct directive *row)
{
    char *store = config_string(&config.store);
    bool bucket = strncmp(store, "s3://", 5) == 0;
    mem_free(store);
    return bucket && row->of_bucket ? row->of_bucket : row->value;
}

void directive_store_default(const struct directive *row, struct text *out)
{
    if (row->text)
        text_append_string(out, row->text);
    else
        print_scalar(row, store_default(row), out);
}

#define UNSET (-1) /* no value of a directive whose default hangs on the store */

void config_await_store(void)
{
    for (const struct directive *row = config_directives; row->name; row++)
        if (row->of_bucket)
            atomic_store(scalar_of(row), UNSET);
}

void config_store_known(void)
{
    for (const struct directive *row = config_directives; row->name; row++)
        if (row->of_bucket && atomic_load(scalar_of(row)) == UNSET)
            atomic_store(scalar_of(row), store_default(row));
}

void config_init(void)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        struct text error = {0};
        if (row->text) {
            bool good = directive_set(row, slice_of(row->text), false, &error);
            assert(good && "a default must be valid");
        } else {
            assert(row->type == DIRECTIVE_ENUM || within(row, row->value, &error));
            atomic_store_explicit(scalar_of(row), row->value, memory_order_relaxed);
        }
        text_release(&error);
    }
}

void config_release(void)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        if (row->type != DIRECTIVE_STRING)
            continue;
        mem_free(*string_of(row));
        *string_of(row) = NULL;
    }
}

static bool pair_error(struct text *error, struct slice name, const struct text *why)
{
    text_append_format(error, "CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
                       (int)name.len, name.data, (int)why->len, why->data ? why->data : "");
    return false;
}

static bool check_pair(const struct config_pair *pairs, size_t at, struct text *error)
{
    struct slice name = pairs[at].name;
    const struct directive *row = config_find(name);
    if (!row) {
        text_append_format(error, "Unknown option or number of arguments for CONFIG SET - '%.*s'",
                           name.len < 128 ? (int)name.len : 128, name.data);
        return false;
    }
    struct text why = {0};
    bool good = false;
    if (row->flags & DIRECTIVE_IMMUTABLE) {
        text_append_string(&why, "can't set immutable config");
    } else {
        good = true;
        for (size_t i = 0; i < at && good; i++)
            good = config_find(pairs[i].name) != row;
        if (!good)
            text_append_string(&why, "duplicate parameter");
        else
            good = directive_set(row, pairs[at].value, true, &why);
    }
    if (!good)
        pair_error(error, name, &why);
    text_release(&why);
    return good;
}

bool config_set(const struct config_pair *pairs, size_t count, struct text *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!check_pair(pairs, i, error))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct directive *row = config_find(pairs[i].name);
        bool good = directive_set(row, pairs[i].value, false, error);
        assert(good && "it was checked");
        if (row->apply)
            row->apply();
    }
    return true;
}

static void visit_one(const struct directive *row, struct slice name,
                      void (*visit)(void *ctx, struct slice name, struct slice value), void *ctx)
{
    struct text value = {0};
    directive_get(row, &value);
    visit(ctx, name, text_slice(&value));
    text_release(&value);
}

/* The name to answer with: who asks without a wildcard gets his own spelling of it. No data: none
 * of the patterns matches. */
static struct slice match(const struct slice *patterns, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++) {
        if (glob_match(patterns[i], slice_of(name), true))
            return name_is(name, patterns[i]) ? patterns[i] : slice_of(name);
    }
    return slice_make(NULL, 0);
}

void config_get(const struct slice *patterns, size_t count,
                void (*visit)(void *ctx, struct slice name, struct slice value), void *ctx)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        struct slice name = match(patterns, count, row->name);
        struct slice alias = match(patterns, count, row->alias);
        if (name.data)
            visit_one(row, name, visit, ctx);
        if (alias.data)
            visit_one(row, alias, visit, ctx);
    }
}
