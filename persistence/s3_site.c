/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_site.h: takes s3://bucket/prefix and the options apart, and puts addresses together. */
#include "persistence/s3_site.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/mem.h"
#include "persistence/monotonic.h"

#define CONNECT_MS    5000
#define FIRST_BYTE_MS 15000
#define WHOLE_MS      60000
#define ATTEMPTS      4
#define ANSWER_MAX    (INT64_C(1) << 30)
/* S3's keys have at most 1024 bytes: our own part of them, and this. */
#define PREFIX_MAX (1024 - STORE_KEY_MAX)

static char *copy(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(mem_alloc(size), string, size);
}

static char *copy_option(const char *option)
{
    return option && *option ? copy(option) : NULL;
}

static char *take(struct text *text)
{
    size_t len;
    text_terminated(text);
    text->len++;
    return text_take(text, &len);
}

struct parts {
    struct slice scheme, authority, path; /* of the endpoint */
    struct slice bucket;
    const char *prefix;
};

static bool in_set(struct slice s, const char *extra)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(extra, c)))
            return false;
    }
    return true;
}

static bool split_where(const char *where, struct parts *parts, struct text *error)
{
    const char *bucket = where + strlen("s3://");
    size_t len = strcspn(bucket, "/");
    parts->bucket = slice_make(bucket, len);
    parts->prefix = bucket[len] ? bucket + len + 1 : bucket + len;
    if (len == 0 || len > 255 || !in_set(parts->bucket, "._-")) {
        text_append_format(error, "%s: no bucket's name; s3://bucket/prefix is expected", where);
        return false;
    }
    if (strlen(parts->prefix) >= PREFIX_MAX || !text_is_utf8(slice_of(parts->prefix))) {
        text_append_format(error, "%.100s: the prefix is too long or not UTF-8", where);
        return false;
    }
    for (const char *c = parts->prefix; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) {
            text_append_format(error, "%.100s: the prefix has a control character", where);
            return false;
        }
    }
    return true;
}

/* http(s)://host[:port][/path]; the scheme's own port is left out, as the Host header will. */
static bool split_endpoint(const char *endpoint, struct parts *parts, struct text *error)
{
    const char *host = strstr(endpoint, "://");
    const char *usual = strncmp(endpoint, "https:", 6) == 0 ? ":443" : ":80";
    if (!host || (strncmp(endpoint, "https://", 8) != 0 && strncmp(endpoint, "http://", 7) != 0))
        goto bad;
    parts->scheme = slice_make(endpoint, (size_t)(host - endpoint));
    host += 3;
    size_t len = strcspn(host, "/");
    parts->authority = slice_make(host, len);
    parts->path = slice_of(host + len);
    while (parts->path.len && parts->path.data[parts->path.len - 1] == '/')
        parts->path.len--;
    if (len == 0 || !in_set(parts->authority, ".-_:[]") || !in_set(parts->path, "/.-_~"))
        goto bad;
    size_t port = strlen(usual);
    if (len > port && memcmp(host + len - port, usual, port) == 0 && host[len - port - 1] != ':')
        parts->authority.len -= port;
    return true;
bad:
    text_append_format(error, "s3-endpoint '%.100s': http://host:port or https://host is expected",
                       endpoint);
    return false;
}

static bool in_host_name(const struct s3_options *options, const struct parts *parts, bool aws)
{
    switch (options->style) {
    case S3_STYLE_PATH: return false;
    case S3_STYLE_VIRTUAL: return true;
    case S3_STYLE_AUTO: break;
    }
    /* A dot would not be covered by AWS's certificate. */
    return aws && !memchr(parts->bucket.data, '.', parts->bucket.len);
}

static void set_addresses(struct s3_site *site, const struct parts *parts, bool virtual_host)
{
    struct text base = {0}, host = {0}, root = {0}, prefix = {0}, label = {0};
    struct slice trimmed = slice_of(parts->prefix);
    while (trimmed.len && trimmed.data[0] == '/')
        trimmed = slice_make(trimmed.data + 1, trimmed.len - 1);
    while (trimmed.len && trimmed.data[trimmed.len - 1] == '/')
        trimmed.len--;
    if (virtual_host)
        text_append_format(&host, "%.*s.", (int)parts->bucket.len, parts->bucket.data);
    text_append_slice(&host, parts->authority);
    text_append_slice(&base, parts->scheme);
    text_append_format(&base, "://%s", text_terminated(&host));
    text_append_slice(&root, parts->path);
    if (!virtual_host)
        text_append_format(&root, "/%.*s", (int)parts->bucket.len, parts->bucket.data);
    site->bucket_path = copy(root.len ? text_terminated(&root) : "/");
    text_append_char(&root, '/');
    if (trimmed.len) {
        text_append_slice(&prefix, trimmed);
        text_append_char(&prefix, '/');
    }
    text_append_format(&label, "s3://%.*s%s%.*s", (int)parts->bucket.len, parts->bucket.data,
                       trimmed.len ? "/" : "", (int)trimmed.len, trimmed.data);
    site->base = take(&base);
    site->host = take(&host);
    site->root = take(&root);
    site->prefix = take(&prefix);
    site->label = take(&label);
}

static void set_region(struct s3_site *site, const struct s3_options *options)
{
    if (options->region && *options->region)
        snprintf(site->region, sizeof(site->region), "%s", options->region);
    else
        credentials_region(site->region);
    if (!site->region[0])
        strcpy(site->region, "us-east-1");
}

static long or_default(int64_t given, long otherwise)
{
    return given > 0 ? (long)given : otherwise;
}

static void set_limits(struct s3_site *site, const struct s3_options *options)
{
    site->ca_file = copy_option(options->ca_file);
    site->sse = copy_option(options->sse);
    site->sse_key = copy_option(options->sse_key);
    site->storage_class = copy_option(options->storage_class);
    site->attempts = options->attempts > 0 ? options->attempts : ATTEMPTS;
    site->limits = (struct s3_http_limits){
        .connect_ms = or_default(options->connect_timeout_ms, CONNECT_MS),
        .first_byte_ms = or_default(options->first_byte_timeout_ms, FIRST_BYTE_MS),
        .whole_ms = or_default(options->timeout_ms, WHOLE_MS),
        .answer_max = (size_t)(options->answer_max > 0 ? options->answer_max : ANSWER_MAX),
        .ca_file = site->ca_file,
    };
}

static bool option_is_header(const char *name, const char *value, struct text *error)
{
    for (const char *c = value ? value : ""; *c; c++) {
        if (*c < ' ' || *c > '~') {
            text_append_format(error, "%s: only printable ASCII is possible", name);
            return false;
        }
    }
    return true;
}

static bool options_valid(const struct s3_site *site, const struct s3_options *options,
                          struct text *error)
{
    if (!in_set(slice_of(site->region), "-_")) {
        text_append_format(error, "'%s' is no region", site->region);
        return false;
    }
    return option_is_header("s3-sse", options->sse, error) &&
           option_is_header("s3-sse-key", options->sse_key, error) &&
           option_is_header("s3-storage-class", options->storage_class, error);
}

static const char *find_endpoint(const struct s3_options *options)
{
    const char *set = options->endpoint;
    if (!set || !*set)
        set = getenv("AWS_ENDPOINT_URL_S3");
    if (!set || !*set)
        set = getenv("AWS_ENDPOINT_URL");
    return set && *set ? set : NULL;
}

enum store_result s3_site_create(const char *where, const struct s3_options *options,
                                 struct s3_site **ret_site, struct text *error)
{
    struct s3_site *site = mem_calloc(1, sizeof(*site));
    struct parts parts;
    char aws[S3_REGION_MAX + 64];
    const char *endpoint = find_endpoint(options);
    atomic_store(&site->handles, 1);
    set_region(site, options);
    snprintf(aws, sizeof(aws), "https://s3.%s.amazonaws.com%s", site->region,
             strncmp(site->region, "cn-", 3) == 0 ? ".cn" : "");
    if (!options_valid(site, options, error) || !split_where(where, &parts, error) ||
        !split_endpoint(endpoint ? endpoint : aws, &parts, error)) {
        s3_site_release(site);
        return STORE_INVALID;
    }
    set_addresses(site, &parts, in_host_name(options, &parts, !endpoint));
    set_limits(site, options);
    site->opened_ms = monotonic_ms();
    site->credentials = credentials_create(site->region);
    *ret_site = site;
    return STORE_OK;
}

struct s3_site *s3_site_share(struct s3_site *site)
{
    atomic_fetch_add(&site->handles, 1);
    return site;
}

void s3_site_release(struct s3_site *site)
{
    if (atomic_fetch_sub(&site->handles, 1) > 1)
        return;
    char *strings[] = {site->base,    site->host,         site->root,    site->bucket_path,
                       site->prefix,  site->label,        site->ca_file, site->sse,
                       site->sse_key, site->storage_class};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        mem_free(strings[i]);
    credentials_destroy(site->credentials);
    mem_free(site);
}
