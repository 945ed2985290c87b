/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the atomics of clients that other threads own, under the registry's mutex. */
#include "server/client_list.h"

#include <stdlib.h>
#include <strings.h>

#include "ops/mem.h"
#include "persistence/text.h"
#include "server/command.h"
#include "server/registry.h"

#define LOAD(field) ((long long)atomic_load_explicit(&client->field, memory_order_relaxed))

static const char *const types[] = {"normal", "master", "replica", "slave", "pubsub"};

const char *client_type(const struct client *client)
{
    return client_is(client, CLIENT_PUBSUB) ? "pubsub" : "normal";
}

const char *client_type_named(struct slice name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i]) == name.len && strncasecmp(types[i], name.data, name.len) == 0)
            return types[i];
    }
    return NULL;
}

static void append_flags(const struct client *client, struct text *out)
{
    size_t before = out->len;
#define X(name, letter)                                                                            \
    if (letter && client_is(client, CLIENT_##name))                                                \
        text_append_char(out, letter);
    CLIENT_FLAG_LIST(X)
#undef X
    if (out->len == before)
        text_append_char(out, 'N');
}

static void append_line(const struct client *client, int64_t now, struct text *out)
{
    struct slice ns = namespace_name(client_namespace(client));
    const struct command *last = atomic_load_explicit(&client->last_command, memory_order_relaxed);
    long long protocol = LOAD(protocol), pending = LOAD(output_bytes);
    text_append_format(out, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=",
                       (unsigned long long)client->id, client->address, client->local_address,
                       client->fd, client->name ? client->name : "",
                       (long long)(now - client->created_ms) / 1000, (now - LOAD(last_ms)) / 1000);
    append_flags(client, out);
    text_append_format(out,
                       " db=%.*s sub=%lld psub=%lld ssub=%lld multi=%lld qbuf=%lld qbuf-free=%lld "
                       "argv-mem=0 multi-mem=0 rbs=%lld rbp=%lld obl=%lld oll=0 omem=%lld "
                       "tot-mem=%lld events=%s cmd=%s user=default redir=-1 resp=%lld",
                       (int)ns.len, ns.data, LOAD(subscribed), LOAD(psubscribed), LOAD(ssubscribed),
                       LOAD(queued), LOAD(query_bytes), LOAD(query_free), LOAD(reply_size),
                       LOAD(reply_peak), pending, pending, LOAD(memory), pending ? "rw" : "r",
                       last ? last->full_name : "NULL", protocol);
    text_append_format(out, " lib-name=%s lib-ver=%s\n",
                       client->library_name ? client->library_name : "",
                       client->library_version ? client->library_version : "");
}

/* An id that was asked for, and where the text has its line. */
struct wanted {
    uint64_t id;
    size_t at, len;
};

struct listing {
    const struct client_list_filter *filter;
    struct wanted *wanted; /* sorted by id; NULL: all clients */
    struct text text;
};

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct wanted *)a)->id, y = ((const struct wanted *)b)->id;
    return (x > y) - (x < y);
}

static struct wanted *find_wanted(const struct listing *listing, uint64_t id)
{
    struct wanted key = {.id = id};
    return bsearch(&key, listing->wanted, listing->filter->id_count, sizeof(key), by_id);
}

static void list_one(void *ctx, const struct client *client)
{
    struct listing *listing = ctx;
    const char *type = listing->filter->type;
    struct wanted *wanted = listing->wanted ? find_wanted(listing, client->id) : NULL;
    if ((type && strcmp(type, client_type(client)) != 0) || (listing->wanted && !wanted))
        return;
    size_t at = listing->text.len;
    append_line(client, listing->filter->now, &listing->text);
    if (wanted)
        *wanted = (struct wanted){client->id, at, listing->text.len - at};
}

/* In the order in which they were asked for, each as often. */
static void order_by_ids(struct listing *listing)
{
    struct text ordered = {0};
    for (size_t i = 0; i < listing->filter->id_count; i++) {
        const struct wanted *found = find_wanted(listing, listing->filter->ids[i]);
        if (found->len)
            text_append(&ordered, listing->text.data + found->at, found->len);
    }
    text_release(&listing->text);
    listing->text = ordered;
}

void client_list(struct exec *x, const struct client_list_filter *filter)
{
    struct listing listing = {.filter = filter};
    if (filter->ids) {
        listing.wanted = mem_calloc(filter->id_count, sizeof(*listing.wanted));
        for (size_t i = 0; i < filter->id_count; i++)
            listing.wanted[i].id = filter->ids[i];
        qsort(listing.wanted, filter->id_count, sizeof(*listing.wanted), by_id);
    }
    registry_each(list_one, &listing);
    if (filter->ids)
        order_by_ids(&listing);
    resp_write_verbatim(x->out, "txt", listing.text.data, listing.text.len);
    text_release(&listing.text);
    mem_free(listing.wanted);
}
