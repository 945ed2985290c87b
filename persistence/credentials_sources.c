/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See credentials_sources.h. Written to AWS's pages "Container credential provider", "IMDSv2" and
 * "AssumeRoleWithWebIdentity".
 */
#include "persistence/credentials_sources.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "persistence/credentials_http.h"
#include "persistence/file.h"
#include "persistence/json_reader.h"
#include "persistence/s3_sign.h"
#include "persistence/s3_xml.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST  "http://169.254.169.254"
#define INSTANCE_PATH  "/latest/meta-data/iam/security-credentials/"
#define LOCAL_PATIENCE 2000  /* ms: these addresses are on this machine or its host */
#define STS_PATIENCE   10000 /* ms */

static bool copy(struct slice from, char *out, size_t size)
{
    if (from.len >= size || (from.len && memchr(from.data, '\0', from.len)))
        return false;
    for (size_t i = 0; i < from.len; i++)
        if ((unsigned char)from.data[i] <= ' ')
            return false; /* it becomes part of a header */
    if (from.len)
        memcpy(out, from.data, from.len);
    out[from.len] = '\0';
    return true;
}

/* 2026-01-31T23:59:59Z, with or without a fraction; always UTC. */
static bool parse_time(struct slice text, int64_t *ret_seconds)
{
    char copied[32];
    struct tm tm = {0};
    if (!copy(text, copied, sizeof(copied)) ||
        sscanf(copied, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_seconds = (int64_t)timegm(&tm);
    return *ret_seconds > 0;
}

static bool take_field(struct credentials *c, struct slice name, struct slice value)
{
    if (slice_equal(name, slice_of("AccessKeyId")))
        return copy(value, c->access_key, sizeof(c->access_key));
    if (slice_equal(name, slice_of("SecretAccessKey")))
        return copy(value, c->secret_key, sizeof(c->secret_key));
    if (slice_equal(name, slice_of("Token")) || slice_equal(name, slice_of("SessionToken")))
        return copy(value, c->session_token, sizeof(c->session_token));
    if (slice_equal(name, slice_of("Expiration")))
        return parse_time(value, &c->expires);
    return true;
}

static bool is_whole(const struct credentials *c)
{
    return c->access_key[0] && c->secret_key[0];
}

bool credentials_parse_json(struct slice body, struct credentials *ret, struct text *error)
{
    struct credentials found = {0};
    struct text scratch = {0};
    struct json_reader reader;
    struct slice name, value;
    bool ok = true;
    json_reader_init(&reader, body, &scratch);
    json_expect_object(&reader);
    while (ok && json_next_name(&reader, &name)) {
        if (json_peek(&reader) == JSON_KIND_STRING)
            ok = json_expect_string(&reader, &value) && take_field(&found, name, value);
        else
            json_skip_value(&reader, NULL);
    }
    ok = ok && json_expect_end(&reader) && is_whole(&found);
    if (ok)
        *ret = found;
    else
        text_append_string(error, "the answer holds no credentials");
    text_release(&scratch);
    return ok;
}

static bool visit_sts(void *ctx, const char *path, struct slice content)
{
    static const char within[] =
        "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
    if (strncmp(path, within, sizeof(within) - 1) != 0)
        return true;
    return take_field(ctx, slice_of(path + sizeof(within) - 1), content);
}

bool credentials_parse_sts(struct slice body, struct credentials *ret, struct text *error)
{
    struct credentials found = {0};
    if (s3_xml_walk(body, visit_sts, &found) && is_whole(&found)) {
        *ret = found;
        return true;
    }
    text_append_string(error, "the answer holds no credentials");
    return false;
}

static bool has_line_end(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '\r' || s.data[i] == '\n' || s.data[i] == '\0')
            return true;
    return false;
}

/* A token file's contents, without the line end that editors add. */
static bool read_token(const char *path, struct text *ret_token, struct text *error)
{
    int code = file_read(AT_FDCWD, path, ret_token);
    if (code) {
        text_append_format(error, "%s: %s", path, strerror(code));
        return false;
    }
    while (ret_token->len && strchr("\r\n \t", ret_token->data[ret_token->len - 1]))
        ret_token->len--;
    if (ret_token->len == 0 || ret_token->len > 65536 || has_line_end(text_slice(ret_token))) {
        text_append_format(error, "%s holds no token", path);
        return false;
    }
    return true;
}

/* Plain HTTP would show the keys to the network: only to the hosts AWS names, and this one. */
static bool may_ask(const char *url)
{
    static const char *const hosts[] = {"127.0.0.1",     "localhost",      "[::1]",
                                        "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    if (strncmp(url, "https://", 8) == 0)
        return true;
    if (strncmp(url, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(url + 7, hosts[i], len) == 0 && strchr(":/", url[7 + len]))
            return true;
    }
    return false;
}

static bool container_token(struct text *ret_header, struct text *error)
{
    const char *file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct text read = {0};
    bool ok = true;
    if (file && *file)
        ok = read_token(file, &read, error);
    else if (token && *token)
        text_append_string(&read, token);
    if (ok && has_line_end(text_slice(&read))) {
        text_append_string(error, "AWS_CONTAINER_AUTHORIZATION_TOKEN is no token");
        ok = false;
    }
    if (ok && read.len)
        text_append_format(ret_header, "Authorization: %s", text_terminated(&read));
    text_release(&read);
    return ok;
}

bool credentials_from_container(const char *relative, const char *full, const atomic_bool *abort,
                                struct credentials *ret, struct text *error)
{
    struct text url = {0}, header = {0}, body = {0};
    bool ok = false;
    if (relative && *relative)
        text_append_format(&url, CONTAINER_HOST "%s", relative);
    else
        text_append_string(&url, full);
    struct credentials_call call = {.method = "GET",
                                    .url = text_terminated(&url),
                                    .timeout_ms = LOCAL_PATIENCE,
                                    .abort = abort};
    if (!may_ask(call.url)) {
        text_append_format(error, "%s is not asked for credentials: neither https nor this host",
                           call.url);
        goto out;
    }
    if (!container_token(&header, error))
        goto out;
    if (header.len)
        call.headers[0] = text_terminated(&header);
    ok = credentials_http(&call, &body, error) &&
         credentials_parse_json(text_slice(&body), ret, error);
out:
    text_release(&url);
    text_release(&header);
    text_release(&body);
    return ok;
}

static const char *instance_host(void)
{
    const char *set = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    return set && *set ? set : INSTANCE_HOST;
}

/* The first line of the list of roles. */
static bool first_role(struct text *body, struct text *error)
{
    const char *end = body->len ? memchr(body->data, '\n', body->len) : NULL;
    if (end)
        body->len = (size_t)(end - body->data);
    while (body->len && body->data[body->len - 1] == '\r')
        body->len--;
    if (body->len == 0 || body->len > 128 || has_line_end(text_slice(body))) {
        text_append_string(error, "the instance has no role");
        return false;
    }
    return true;
}

bool credentials_from_instance(const atomic_bool *abort, struct credentials *ret,
                               struct text *error)
{
    struct text url = {0}, header = {0}, body = {0};
    const char *host = instance_host();
    int host_len = (int)strlen(host);
    while (host_len && host[host_len - 1] == '/')
        host_len--;
    text_append_format(&url, "%.*s/latest/api/token", host_len, host);
    struct credentials_call call = {.method = "PUT",
                                    .url = text_terminated(&url),
                                    .headers = {"X-aws-ec2-metadata-token-ttl-seconds: 21600"},
                                    .timeout_ms = LOCAL_PATIENCE,
                                    .abort = abort};
    bool ok = credentials_http(&call, &body, error) && !has_line_end(text_slice(&body));
    if (ok) {
        text_append_format(&header, "X-aws-ec2-metadata-token: %s", text_terminated(&body));
        text_clear(&url);
        text_append_format(&url, "%.*s" INSTANCE_PATH, host_len, host);
        call.method = "GET";
        call.url = text_terminated(&url);
        call.headers[0] = text_terminated(&header);
        ok = credentials_http(&call, &body, error) && first_role(&body, error);
    }
    if (ok) {
        s3_encode_path(text_terminated(&body), &url);
        call.url = text_terminated(&url);
        ok = credentials_http(&call, &body, error) &&
             credentials_parse_json(text_slice(&body), ret, error);
    }
    text_release(&url);
    text_release(&header);
    text_release(&body);
    return ok;
}

bool credentials_from_web_identity(const struct credentials_role *role, const atomic_bool *abort,
                                   struct credentials *ret, struct text *error)
{
    struct text url = {0}, form = {0}, body = {0}, token = {0};
    struct s3_pairs fields = {0};
    const char *endpoint = getenv("AWS_ENDPOINT_URL_STS");
    bool ok = read_token(role->token_file, &token, error);
    if (!ok)
        goto out;
    if (endpoint && *endpoint)
        text_append_string(&url, endpoint);
    else
        text_append_format(&url, "https://sts.%s.amazonaws.com%s/", role->region,
                           strncmp(role->region, "cn-", 3) == 0 ? ".cn" : "");
    s3_pairs_add(&fields, "Action", "AssumeRoleWithWebIdentity");
    s3_pairs_add(&fields, "Version", "2011-06-15");
    s3_pairs_add(&fields, "RoleArn", role->arn);
    s3_pairs_add(&fields, "RoleSessionName", role->session_name);
    s3_pairs_add(&fields, "WebIdentityToken", text_terminated(&token));
    s3_encode_query(&fields, &form);
    struct credentials_call call = {.method = "POST",
                                    .url = text_terminated(&url),
                                    .form = text_terminated(&form),
                                    .timeout_ms = STS_PATIENCE,
                                    .abort = abort};
    ok = credentials_http(&call, &body, error) &&
         credentials_parse_sts(text_slice(&body), ret, error);
out:
    text_release(&url);
    text_release(&form);
    text_release(&body);
    text_release(&token);
    return ok;
}
