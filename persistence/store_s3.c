/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See store_s3.h. An `op` carries one request of the store through its attempts: keys, signature,
 * exchange, judgement; then another attempt, the next page of a listing, or the answer.
 */
#include "persistence/store_s3.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/monotonic.h"
#include "persistence/s3_answer.h"
#include "persistence/s3_judge.h"
#include "persistence/s3_site.h"
#include "persistence/sha256.h"
#include "persistence/store-internal.h"

#define PAGE_MAX        1000   /* S3 gives no more keys at once */
#define LIST_MAX        100000 /* items of one request: a bound on memory */
#define BACKOFF_MIN_MS  100
#define BACKOFF_MAX_MS  5000
#define PAUSE_MAX_MS    30000 /* of Retry-After: what asks for more is answered "out of reach" */
#define KEYS_POLL_MS    20    /* while credentials are being fetched */
#define CLOCK_OFF_MAX_S (INT64_C(7) * 24 * 3600)
#define HINT_MAX        80
#define WHY_MAX         288

struct s3_store {
    struct store store;
    struct s3_site *site;
    struct s3_http *http; /* NULL until the first request, so that a loop can still be attached */
    struct s3_op *ops;
    int64_t not_before_ms; /* the server asked for a pause */
    uint64_t random;
};

struct s3_op {
    struct s3_op *next, **link;
    struct s3_store *store;
    struct store_request *request;
    struct s3_exchange exchange;
    struct event *timer;
    int attempt;
    int64_t keys_by_ms; /* credentials must be there by then */
    int64_t by_ms;      /* of a request with a time limit; 0: none */
    struct s3_http_limits limits;
    bool maybe_sent; /* an attempt so far may have been carried out */
    struct s3_page page;
    struct text path, url, list_prefix, authorization;
    struct credentials keys;
    char payload_hash[SHA256_HEX_SIZE];
    char date[S3_DATE_SIZE];
    char etag[STORE_ETAG_MAX];
    char start_after[2 * STORE_KEY_MAX + 1024];
    char max_keys[24];
};

static void op_begin(struct s3_op *op);

/* xorshift64*: jitter needs no more. */
static uint64_t random_below(struct s3_store *store, uint64_t limit)
{
    store->random ^= store->random >> 12;
    store->random ^= store->random << 25;
    store->random ^= store->random >> 27;
    return (store->random * UINT64_C(0x2545F4914F6CDD1D) >> 32) % limit;
}

/* --- the end of an op --- */

static void op_destroy(struct s3_op *op)
{
    s3_exchange_abort(&op->exchange);
    s3_exchange_release(&op->exchange);
    s3_page_release(&op->page);
    text_release(&op->path);
    text_release(&op->url);
    text_release(&op->list_prefix);
    text_release(&op->authorization);
    explicit_bzero(&op->keys, sizeof(op->keys));
    event_free(op->timer);
    *op->link = op->next;
    if (op->next)
        op->next->link = op->link;
    mem_free(op);
}

static const char *verb_name(enum store_verb verb)
{
    switch (verb) {
    case STORE_GET: return "GET";
    case STORE_PUT: return "PUT";
    case STORE_LIST: return "LIST";
    case STORE_REMOVE: return "DELETE";
    }
    return "";
}

static void op_answer(struct s3_op *op, enum store_result result, const char *why)
{
    struct store_request *request = op->request;
    char key[STORE_KEY_MAX], label[128];
    if (result != STORE_OK && request->verb == STORE_LIST) {
        for (size_t i = 0; i < request->item_count; i++)
            mem_free(request->items[i].key);
        request->item_count = 0;
    }
    snprintf(label, sizeof(label), "%.100s", op->store->site->label);
    snprintf(key, sizeof(key), "%s", request->key);
    const char *verb = verb_name(request->verb);
    op_destroy(op);
    if (result == STORE_OK)
        store_answer(request, result, NULL);
    else
        store_answer(request, result, "%.60s/%.80s: %s: %.100s", label, key, verb, why);
}

/* --- one attempt --- */

static void sign(struct s3_op *op, const char *method)
{
    struct s3_site *site = op->store->site;
    struct s3_exchange *exchange = &op->exchange;
    struct s3_sign_input input = {.method = method,
                                  .path = text_terminated(&op->path),
                                  .payload_hash = op->payload_hash,
                                  .date = op->date,
                                  .region = site->region,
                                  .service = "s3",
                                  .access_key = op->keys.access_key,
                                  .secret_key = op->keys.secret_key};
    if (op->request->verb == STORE_LIST) {
        s3_pairs_add(&input.query, "list-type", "2");
        s3_pairs_add(&input.query, "prefix", text_terminated(&op->list_prefix));
        s3_pairs_add(&input.query, "max-keys", op->max_keys);
        if (op->request->delimiter)
            s3_pairs_add(&input.query, "delimiter", "/");
        if (op->page.token.len)
            s3_pairs_add(&input.query, "continuation-token", text_terminated(&op->page.token));
        else if (op->start_after[0])
            s3_pairs_add(&input.query, "start-after", op->start_after);
    }
    input.headers = exchange->headers;
    text_clear(&op->url);
    text_append_string(&op->url, site->base);
    s3_encode_path(input.path, &op->url);
    if (input.query.count) {
        text_append_char(&op->url, '?');
        s3_encode_query(&input.query, &op->url);
    }
    exchange->url = text_terminated(&op->url);
    text_clear(&op->authorization);
    s3_sign(&input, &op->authorization);
    s3_pairs_add(&exchange->headers, "authorization", text_terminated(&op->authorization));
}

/* The ETag as the server wants it in If-Match: as it gave it, or, found by the probe, bare. */
static const char *match_etag(struct s3_op *op)
{
    const char *etag = op->request->etag;
    size_t len = strlen(etag);
    if (!atomic_load(&op->store->site->bare_etags) || len < 2 || etag[0] != '"' ||
        etag[len - 1] != '"')
        return etag;
    memcpy(op->etag, etag + 1, len - 2);
    op->etag[len - 2] = '\0';
    return op->etag;
}

static void add_put_headers(struct s3_op *op, struct s3_pairs *headers)
{
    const struct s3_site *site = op->store->site;
    switch (op->request->condition) {
    case STORE_ALWAYS: break;
    case STORE_IF_ABSENT: s3_pairs_add(headers, "if-none-match", "*"); break;
    case STORE_IF_MATCH: s3_pairs_add(headers, "if-match", match_etag(op)); break;
    }
    if (site->sse)
        s3_pairs_add(headers, "x-amz-server-side-encryption", site->sse);
    if (site->sse_key)
        s3_pairs_add(headers, "x-amz-server-side-encryption-aws-kms-key-id", site->sse_key);
    if (site->storage_class)
        s3_pairs_add(headers, "x-amz-storage-class", site->storage_class);
}

static void set_headers(struct s3_op *op)
{
    struct s3_pairs *headers = &op->exchange.headers;
    struct store_request *request = op->request;
    *headers = (struct s3_pairs){0};
    s3_pairs_add(headers, "host", op->store->site->host);
    s3_pairs_add(headers, "x-amz-date", op->date);
    s3_pairs_add(headers, "x-amz-content-sha256", op->payload_hash);
    if (op->keys.session_token[0])
        s3_pairs_add(headers, "x-amz-security-token", op->keys.session_token);
    if (request->verb == STORE_PUT)
        add_put_headers(op, headers);
    if (request->verb == STORE_GET && request->etag[0])
        s3_pairs_add(headers, "if-none-match", request->etag);
}

static void set_list(struct s3_op *op)
{
    const struct store_request *request = op->request;
    size_t want = PAGE_MAX;
    if (request->limit && request->limit - request->item_count < want)
        want = request->limit - request->item_count;
    snprintf(op->max_keys, sizeof(op->max_keys), "%zu", want);
    op->start_after[0] = '\0';
    if (request->after[0]) {
        /* Behind a common prefix is behind all that is below it: '~' comes after whatever a key of
         * ours may hold. */
        bool below = request->after[strlen(request->after) - 1] == '/';
        snprintf(op->start_after, sizeof(op->start_after), "%s%s%s", op->store->site->prefix,
                 request->after, below ? "~" : "");
    }
    text_clear(&op->list_prefix);
    text_append_format(&op->list_prefix, "%s%s", op->store->site->prefix, request->key);
}

static void set_path(struct s3_op *op)
{
    const struct s3_site *site = op->store->site;
    text_clear(&op->path);
    if (op->request->verb == STORE_LIST)
        text_append_string(&op->path, site->bucket_path);
    else
        text_append_format(&op->path, "%s%s%s", site->root, site->prefix, op->request->key);
}

static void on_exchange(struct s3_exchange *exchange);

static void op_send(struct s3_op *op)
{
    struct s3_store *store = op->store;
    struct store_request *request = op->request;
    bool puts = request->verb == STORE_PUT;
    s3_date((int64_t)time(NULL) + atomic_load(&store->site->clock_offset_s), op->date);
    set_headers(op);
    set_path(op);
    if (request->verb == STORE_LIST)
        set_list(op);
    op->exchange.method = puts ? "PUT" : request->verb == STORE_REMOVE ? "DELETE" : "GET";
    op->exchange.body = puts ? request->body : (struct slice){0};
    op->exchange.send_once = puts && (request->condition != STORE_ALWAYS || op->by_ms);
    op->exchange.limits = &op->limits;
    op->exchange.done = on_exchange;
    op->exchange.ctx = op;
    sign(op, op->exchange.method);
    op->attempt++;
    s3_exchange_start(store->http, &op->exchange);
}

/* --- what came of it --- */

static void op_wait(struct s3_op *op, int64_t ms)
{
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    evtimer_add(op->timer, &wait);
}

static void count(struct s3_op *op)
{
    const struct s3_exchange *exchange = &op->exchange;
    enum s3_status status = S3_STATUS_CLIENT_ERROR;
    if (exchange->result != S3_HTTP_ANSWERED)
        status = S3_STATUS_NO_ANSWER;
    else if (exchange->status >= 500)
        status = S3_STATUS_SERVER_ERROR;
    else if (exchange->status >= 200 && exchange->status < 300)
        status = S3_STATUS_OK;
    else if (exchange->status == 304)
        status = S3_STATUS_NOT_MODIFIED;
    else if (exchange->status == 404)
        status = S3_STATUS_NOT_FOUND;
    else if (exchange->status == 412)
        status = S3_STATUS_PRECONDITION;
    /* The kinds are the verbs, in their order. */
    atomic_fetch_add(&op->store->site->counts[op->request->verb][status], 1);
}

/* A pause that the server asks for holds for all requests of this handle. */
static bool take_pause(struct s3_op *op)
{
    int64_t seconds = op->exchange.retry_after_s;
    if (seconds <= 0)
        return true;
    bool bearable = seconds <= PAUSE_MAX_MS / 1000;
    int64_t until = monotonic_ms() + (bearable ? seconds * 1000 : PAUSE_MAX_MS);
    if (op->store->not_before_ms < until)
        op->store->not_before_ms = until;
    return bearable;
}

static int64_t backoff(struct s3_op *op)
{
    int64_t most = BACKOFF_MIN_MS;
    for (int i = 1; i < op->attempt && most < BACKOFF_MAX_MS; i++)
        most *= 2;
    if (most > BACKOFF_MAX_MS)
        most = BACKOFF_MAX_MS;
    return (int64_t)random_below(op->store, (uint64_t)most + 1);
}

/* What to look at, for who has set up the bucket. */
static const char *hint_of(const char *code)
{
    static const struct {
        const char *code, *hint;
    } hints[] = {
        {"SignatureDoesNotMatch", " (the secret key is not that of the access key)"},
        {"InvalidAccessKeyId", " (the server does not know the access key)"},
        {"AccessDenied", " (these keys lack a permission: see docs/s3.md)"},
        {"NoSuchBucket", " (the bucket must be there: it is not made from here)"},
        {"PermanentRedirect", " (the bucket is in another region: set s3-region)"},
        {"AuthorizationHeaderMalformed", " (is s3-region that of the bucket?)"},
        {"RequestTimeTooSkewed", " (the clock of this host is wrong, or the server's)"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (strcmp(code, hints[i].code) == 0)
            return hints[i].hint;
    return "";
}

/* Codes of servers that do not take what every PUT says beside its body. */
static void hint_at_options(const struct s3_op *op, const char *code, char out[HINT_MAX])
{
    static const char *const codes[] = {"InvalidArgument", "InvalidRequest", "InvalidStorageClass",
                                        "InvalidEncryptionAlgorithmError", "NotImplemented"};
    const struct s3_site *site = op->store->site;
    bool blamed = false;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        blamed |= strcmp(code, codes[i]) == 0;
    out[0] = '\0';
    if (op->request->verb != STORE_PUT || !blamed)
        return;
    if (site->sse)
        snprintf(out, HINT_MAX, " (does it take s3-sse '%.30s' on this connection?)", site->sse);
    else if (site->storage_class)
        snprintf(out, HINT_MAX, " (is s3-storage-class '%.30s' one that it has?)",
                 site->storage_class);
}

static void describe(const struct s3_op *op, const struct s3_error *error, char out[WHY_MAX])
{
    char options[HINT_MAX];
    const struct s3_exchange *exchange = &op->exchange;
    hint_at_options(op, error->code, options);
    if (exchange->result != S3_HTTP_ANSWERED)
        snprintf(out, WHY_MAX, "%s", exchange->error);
    else if ((exchange->status == 301 || exchange->status == 307) && exchange->bucket_region[0])
        snprintf(out, WHY_MAX, "the bucket is in region %.40s: set s3-region",
                 exchange->bucket_region);
    else
        snprintf(out, WHY_MAX, "status %ld %s%s%s%s%.100s", exchange->status, error->code,
                 hint_of(error->code), options, error->message[0] ? ": " : "", error->message);
}

static void learn_clock(struct s3_op *op)
{
    int64_t offset = op->exchange.date - (int64_t)time(NULL);
    if (op->exchange.date && offset < CLOCK_OFF_MAX_S && offset > -CLOCK_OFF_MAX_S)
        atomic_store(&op->store->site->clock_offset_s, offset);
}

static void op_failed(struct s3_op *op)
{
    char why[WHY_MAX];
    struct s3_error error = {0};
    const struct s3_exchange *exchange = &op->exchange;
    if (exchange->result == S3_HTTP_ANSWERED)
        s3_answer_error(text_slice(&exchange->answer), &error);
    struct s3_judged judged = {.verb = op->request->verb,
                               .condition = op->request->condition,
                               .sent = exchange->result,
                               .status = exchange->status,
                               .code = error.code};
    struct s3_verdict verdict = s3_judge(&judged);
    if (verdict.keys_refused)
        credentials_refused(op->store->site->credentials, op->keys.access_key);
    if (verdict.clock_off)
        learn_clock(op);
    bool bearable = take_pause(op);
    op->maybe_sent |= verdict.result == STORE_UNKNOWN;
    if (verdict.retry && bearable && !op->by_ms && op->attempt < op->store->site->attempts) {
        atomic_fetch_add(&op->store->site->retries, 1);
        op_wait(op, backoff(op));
        return;
    }
    /* An earlier attempt may still land. */
    if (verdict.result == STORE_TRANSIENT && op->maybe_sent)
        verdict.result = STORE_UNKNOWN;
    describe(op, &error, why);
    op_answer(op, verdict.result, why);
}

/* Takes off what a page that turned out to be damaged had added. */
static void drop_items(struct store_request *request, size_t from)
{
    for (size_t i = from; i < request->item_count; i++)
        mem_free(request->items[i].key);
    request->item_count = from;
}

static void take_page(struct s3_op *op)
{
    struct store_request *request = op->request;
    size_t had = request->item_count;
    struct text prefix = {0}, last = op->page.token;
    op->page.token = (struct text){0};
    text_append_string(&prefix, op->store->site->prefix);
    bool ok = s3_answer_list(text_slice(&op->exchange.answer), text_terminated(&prefix), request,
                             &op->page);
    bool stuck =
        ok && op->page.truncated && slice_equal(text_slice(&op->page.token), text_slice(&last));
    text_release(&prefix);
    text_release(&last);
    if (!ok || stuck) {
        drop_items(request, had);
        op_answer(op, STORE_TRANSIENT, "the listing cannot be understood");
        return;
    }
    store_finish_list(request);
    bool enough = request->limit && request->item_count >= request->limit;
    if (op->page.truncated && !enough && request->item_count < LIST_MAX) {
        op->attempt = 0;
        op_begin(op);
        return;
    }
    request->truncated |= op->page.truncated;
    op_answer(op, STORE_OK, NULL);
}

static void op_succeeded(struct s3_op *op)
{
    struct store_request *request = op->request;
    struct s3_exchange *exchange = &op->exchange;
    switch (request->verb) {
    case STORE_LIST: take_page(op); return;
    case STORE_GET:
        request->answer = exchange->answer;
        exchange->answer = (struct text){0};
        break;
    case STORE_PUT:
        /* Without an ETag the next swap could not name what it replaces; reading tells. */
        if ((request->condition != STORE_ALWAYS || op->by_ms) && !exchange->etag[0]) {
            op_answer(op, STORE_UNKNOWN, "the answer has no ETag");
            return;
        }
        break;
    case STORE_REMOVE: break;
    }
    memcpy(request->answer_etag, exchange->etag, sizeof(request->answer_etag));
    op_answer(op, STORE_OK, NULL);
}

static void on_exchange(struct s3_exchange *exchange)
{
    struct s3_op *op = exchange->ctx;
    struct s3_judged judged = {.verb = op->request->verb,
                               .condition = op->request->condition,
                               .sent = exchange->result,
                               .status = exchange->status,
                               .code = ""};
    count(op);
    enum store_result result = s3_judge(&judged).result;
    if (result == STORE_OK) {
        op_succeeded(op);
    } else if (result == STORE_NOT_MODIFIED && op->request->etag[0]) {
        memcpy(op->request->answer_etag, op->request->etag, STORE_ETAG_MAX);
        op_answer(op, STORE_NOT_MODIFIED, "not modified");
    } else {
        op_failed(op);
    }
}

/* --- the beginning --- */

/* False: too late to send it. Else it gets no more time than is left. */
static bool limit_time(struct s3_op *op, int64_t now)
{
    op->limits = op->store->site->limits;
    if (!op->by_ms)
        return true;
    if (op->by_ms - now < op->limits.whole_ms)
        op->limits.whole_ms = op->by_ms - now;
    return op->by_ms > now;
}

/* Sends when the keys are there and no pause holds; else comes back here later. */
static void op_begin(struct s3_op *op)
{
    char error[CREDENTIALS_ERROR_MAX];
    struct s3_store *store = op->store;
    int64_t now = monotonic_ms();
    if (!limit_time(op, now)) {
        op_answer(op, STORE_TRANSIENT, "it could not be sent in time");
        return;
    }
    if (now < store->not_before_ms) {
        op_wait(op, store->not_before_ms - now);
        return;
    }
    switch (credentials_get(store->site->credentials, &op->keys, error)) {
    case CREDENTIALS_READY: op_send(op); return;
    case CREDENTIALS_MISSING: op_answer(op, STORE_DENIED, error); return;
    case CREDENTIALS_PENDING: break;
    }
    if (!op->keys_by_ms)
        op->keys_by_ms = now + store->site->limits.whole_ms;
    if (now > op->keys_by_ms)
        op_answer(op, STORE_TRANSIENT, "no credentials in time");
    else
        op_wait(op, KEYS_POLL_MS);
}

static void on_op_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    op_begin(ctx);
}

_Static_assert((int)STORE_GET == S3_KIND_GET && (int)STORE_PUT == S3_KIND_PUT &&
                   (int)STORE_LIST == S3_KIND_LIST && (int)STORE_REMOVE == S3_KIND_REMOVE,
               "kinds of requests are the verbs");
_Static_assert(S3_HTTP_FIELD_MAX == STORE_ETAG_MAX, "an ETag is copied whole");

static void s3_submit(struct store *handle, struct store_request *request)
{
    struct s3_store *store = (struct s3_store *)handle;
    if (!store->http)
        store->http = s3_http_create(NULL);
    struct s3_op *op = mem_calloc(1, sizeof(*op));
    op->store = store;
    op->request = request;
    op->timer = evtimer_new(s3_http_base(store->http), on_op_timer, op);
    assert(op->timer);
    if (request->within_ms)
        op->by_ms = monotonic_ms() + (request->within_ms > 0 ? request->within_ms : 0);
    op->next = store->ops;
    op->link = &store->ops;
    if (op->next)
        op->next->link = &op->next;
    store->ops = op;
    sha256_digest_hex(request->verb == STORE_PUT ? request->body : (struct slice){0},
                      op->payload_hash);
    op_begin(op);
}

static void s3_run(struct store *handle, const bool *finished)
{
    s3_http_run(((struct s3_store *)handle)->http, finished);
}

static void s3_attach(struct store *handle, struct event_base *base)
{
    struct s3_store *store = (struct s3_store *)handle;
    assert(!store->http);
    store->http = s3_http_create(base);
}

static bool s3_other_quoting(struct store *handle)
{
    atomic_bool *bare = &((struct s3_store *)handle)->site->bare_etags;
    atomic_store(bare, !atomic_load(bare));
    return true;
}

static void s3_close(struct store *handle)
{
    struct s3_store *store = (struct s3_store *)handle;
    while (store->ops) /* the server goes down before the bucket answered */
        op_destroy(store->ops);
    s3_http_destroy(store->http);
    s3_site_release(store->site);
    store_fini(handle);
    mem_free(store);
}

static struct store *s3_handle(struct s3_site *site, const struct store *like);

static struct store *s3_clone(struct store *handle)
{
    return s3_handle(s3_site_share(((struct s3_store *)handle)->site), handle);
}

static const struct store_kind s3_kind = {.submit = s3_submit,
                                          .run = s3_run,
                                          .clone = s3_clone,
                                          .close = s3_close,
                                          .attach = s3_attach,
                                          .other_quoting = s3_other_quoting};

/* Takes over the share in `site`. */
static struct store *s3_handle(struct s3_site *site, const struct store *like)
{
    struct s3_store *store = mem_calloc(1, sizeof(*store));
    store_init(&store->store, &s3_kind, like);
    store->site = site;
    if (getrandom(&store->random, sizeof(store->random), 0) != sizeof(store->random))
        store->random = (uint64_t)monotonic_ms();
    store->random |= 1;
    return &store->store;
}

enum store_result store_s3_create(const char *where, const struct s3_options *options,
                                  struct store **ret_store, struct text *error)
{
    struct s3_site *site;
    enum store_result result = s3_site_create(where, options, &site, error);
    if (result == STORE_OK)
        *ret_store = s3_handle(site, NULL);
    return result;
}

static struct s3_options configured;

void store_s3_configure(const struct s3_options *options)
{
    const char **strings[] = {&configured.endpoint, &configured.region,  &configured.ca_file,
                              &configured.sse,      &configured.sse_key, &configured.storage_class};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        mem_free((void *)*strings[i]);
    configured = *options;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        if (*strings[i]) {
            size_t size = strlen(*strings[i]) + 1;
            *strings[i] = memcpy(mem_alloc(size), *strings[i], size);
        }
    }
}

enum store_result store_s3_open(const char *where, struct store **ret_store, struct text *error)
{
    return store_s3_create(where, &configured, ret_store, error);
}

/* NULL: another kind of store. */
static struct s3_site *site_beneath(struct store *handle)
{
    for (struct store *beneath; (beneath = store_beneath(handle));)
        handle = beneath;
    return handle->kind == &s3_kind ? ((struct s3_store *)handle)->site : NULL;
}

bool store_s3_url(struct store *handle, struct text *out)
{
    const struct s3_site *site = site_beneath(handle);
    if (site)
        text_append_format(out, "%s%s%s", site->base, site->root, site->prefix);
    return site != NULL;
}

bool store_s3_stats(struct store *handle, struct s3_stats *ret_stats)
{
    struct s3_site *site = site_beneath(handle);
    if (!site)
        return false;
    for (int kind = 0; kind < S3_KINDS; kind++)
        for (int status = 0; status < S3_STATUSES; status++)
            ret_stats->counts[kind][status] = atomic_load(&site->counts[kind][status]);
    ret_stats->retries = atomic_load(&site->retries);
    ret_stats->elapsed_ms = monotonic_ms() - site->opened_ms;
    return true;
}
