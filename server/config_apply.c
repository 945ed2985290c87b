/* SPDX-License-Identifier: BSD-3-Clause */
/* See config_apply.h. These run at start, before the threads, and then inside CONFIG SET. */
#include "server/config_apply.h"

#include <strings.h>
#include <sys/resource.h>

#include "ops/keyspace.h"
#include "ops/mem.h"
#include "server/config-internal.h"
#include "server/exec.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/server.h"
#include "server/slowlog.h"

struct resp_limits request_limits = RESP_LIMITS_DEFAULT;

int64_t config_raise_files(int64_t clients)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)clients + RESERVED_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return clients;
    if (limit.rlim_cur >= wanted)
        return clients;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return clients;
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit.rlim_cur = limit.rlim_max;
    return limit.rlim_cur > RESERVED_FDS ? (int64_t)limit.rlim_cur - RESERVED_FDS : 1;
}

void apply_maxclients(void)
{
    int64_t wanted = CONFIG(maxclients), allowed = config_raise_files(wanted);
    if (allowed >= wanted)
        return;
    log_line(LOG_WARNING,
             "maxclients lowered from %lld to %lld: the limit of open files (ulimit -n) allows no "
             "more",
             (long long)wanted, (long long)allowed);
    atomic_store_explicit(&config.maxclients, allowed, memory_order_relaxed);
}

void apply_password(void)
{
    char *password = CONFIG_STRING(requirepass);
    atomic_store(&server.password_set, password[0] != 0);
    mem_free(password);
}

void apply_sync_interval(void)
{
    if (server.persistence)
        persistence_set_sync_interval(server.persistence, CONFIG(sync_interval));
}

void apply_journal_fsync(void)
{
    if (server.persistence)
        persistence_set_journal_fsync(server.persistence,
                                      (enum journal_fsync)CONFIG(journal_fsync));
}

void apply_pending_limit(void)
{
    if (server.persistence)
        persistence_set_pending_limit(server.persistence, CONFIG(pending_limit));
}

void apply_replica_expiry(void)
{
    if (server.persistence)
        persistence_set_replica_expiry(server.persistence, CONFIG(replica_expiry));
}

/* The figure that writes are measured by is taken anew, so that the limit holds at once. */
void apply_maxmemory(void)
{
    atomic_store(&server.used_memory, (int64_t)mem_used());
}

void apply_request_limits(void)
{
    int64_t bulk = CONFIG(proto_max_bulk_len);
    __atomic_store_n(&request_limits.max_bulk_len, (size_t)bulk, __ATOMIC_RELAXED);
    __atomic_store_n(&request_limits.query_buffer, (size_t)CONFIG(query_buffer_limit),
                     __ATOMIC_RELAXED);
    atomic_store(&value_limits.string_max, bulk);
}

void apply_value_limits(void)
{
    atomic_store(&value_limits.hash_max_listpack_entries, CONFIG(hash_max_listpack_entries));
    atomic_store(&value_limits.hash_max_listpack_value, CONFIG(hash_max_listpack_value));
    atomic_store(&value_limits.set_max_intset_entries, CONFIG(set_max_intset_entries));
    atomic_store(&value_limits.list_max_listpack_size, CONFIG(list_max_listpack_size));
}

void apply_slowlog_len(void)
{
    slowlog_trim();
}

bool config_parse_memory(struct slice text, int64_t *bytes)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1},           {"b", 1},
                 {"k", 1000},       {"kb", 1024},
                 {"m", 1000000},    {"mb", 1024 * 1024},
                 {"g", 1000000000}, {"gb", 1024 * 1024 * 1024}};
    size_t digits = text.len;
    while (digits && (text.data[digits - 1] < '0' || text.data[digits - 1] > '9'))
        digits--;
    struct slice unit = slice_make(text.data + digits, text.len - digits);
    int64_t number;
    if (!parse_int(slice_make(text.data, digits), &number) || number < 0)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].unit) == unit.len &&
            strncasecmp(units[i].unit, unit.data, unit.len) == 0)
            return !__builtin_mul_overflow(number, units[i].factor, bytes);
    }
    return false;
}

static struct slice next_word(struct slice *rest)
{
    while (rest->len && *rest->data == ' ') {
        rest->data++;
        rest->len--;
    }
    struct slice word = slice_make(rest->data, 0);
    while (rest->len && *rest->data != ' ') {
        rest->data++;
        rest->len--;
        word.len++;
    }
    return word;
}

static bool word_is(struct slice word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.data, text, word.len) == 0;
}

static bool parse_class(struct slice word, enum output_class *class)
{
    if (word_is(word, "normal"))
        *class = OUTPUT_NORMAL;
    else if (word_is(word, "slave") || word_is(word, "replica"))
        *class = OUTPUT_REPLICA;
    else if (word_is(word, "pubsub"))
        *class = OUTPUT_PUBSUB;
    else
        return false;
    return true;
}

bool set_output_limits(struct slice value, bool check_only, struct text *error)
{
    struct slice rest = value;
    size_t words = 0;
    while (next_word(&rest).len)
        words++;
    if (words % 4) {
        text_append_string(error, "Wrong number of arguments in buffer limit configuration.");
        return false;
    }
    rest = value;
    for (struct slice word = next_word(&rest); word.len; word = next_word(&rest)) {
        enum output_class class;
        int64_t hard, soft, seconds;
        if (!parse_class(word, &class)) {
            text_append_string(error, "Invalid client class specified in buffer limit "
                                      "configuration.");
            return false;
        }
        if (!config_parse_memory(next_word(&rest), &hard) ||
            !config_parse_memory(next_word(&rest), &soft) ||
            !parse_int(next_word(&rest), &seconds) || seconds < 0) {
            text_append_string(error, "Error in hard, soft or soft_seconds setting in buffer limit "
                                      "configuration.");
            return false;
        }
        if (check_only)
            continue;
        atomic_store(&config.output_limits[class].hard, hard);
        atomic_store(&config.output_limits[class].soft, soft);
        atomic_store(&config.output_limits[class].soft_seconds, seconds);
    }
    return true;
}

void get_output_limits(struct text *out)
{
    static const char *const names[] = {"normal", "slave", "pubsub"};
    for (int i = 0; i < OUTPUT_CLASSES; i++)
        text_append_format(out, "%s%s %lld %lld %lld", i ? " " : "", names[i],
                           (long long)atomic_load(&config.output_limits[i].hard),
                           (long long)atomic_load(&config.output_limits[i].soft),
                           (long long)atomic_load(&config.output_limits[i].soft_seconds));
}

bool set_save(struct slice value, bool check_only, struct text *error)
{
    struct slice rest = value;
    struct text pairs = {0};
    bool good = true;
    for (struct slice word = next_word(&rest); word.len && good; word = next_word(&rest)) {
        int64_t seconds, changes;
        good = parse_int(word, &seconds) && seconds >= 1 && parse_int(next_word(&rest), &changes) &&
               changes >= 0 && changes <= INT32_MAX;
        if (good)
            text_append_format(&pairs, "%s%lld %lld", pairs.len ? " " : "", (long long)seconds,
                               (long long)changes);
    }
    if (!good)
        text_append_string(error, "Invalid save parameters");
    else if (!check_only)
        config_replace(&config.save, text_slice(&pairs));
    text_release(&pairs);
    return good;
}

bool set_notify(struct slice value, bool check_only, struct text *error)
{
    int64_t flags = 0;
    for (size_t i = 0; i < value.len; i++) {
        int64_t one = value.data[i] == 'A' ? NOTIFY_ALL : notify_flag_of(value.data[i]);
        if (!one) {
            text_append_string(error, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
            return false;
        }
        flags |= one;
    }
    if (!check_only)
        atomic_store(&config.notify_keyspace_events, flags);
    return true;
}

void get_notify(struct text *out)
{
    static const char letters[] = "g$lshzxetdnKEm"; /* Redis's canonical order */
    int64_t flags = CONFIG(notify_keyspace_events);
    bool all = (flags & NOTIFY_ALL) == NOTIFY_ALL;
    if (all)
        text_append_char(out, 'A');
    for (const char *letter = letters; *letter; letter++) {
        int64_t one = notify_flag_of(*letter);
        if (flags & one && !(all && one & NOTIFY_ALL))
            text_append_char(out, *letter);
    }
}
