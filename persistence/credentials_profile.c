/* SPDX-License-Identifier: BSD-3-Clause */
/* See credentials_profile.h. */
#include "persistence/credentials_profile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "persistence/file.h"
#include "persistence/text.h"

static struct slice trimmed(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_make(s.data + 1, s.len - 1);
    while (s.len && strchr(" \t\r", s.data[s.len - 1]))
        s.len--;
    return s;
}

/* Takes the next line off `rest`, without its end. */
static bool next_line(struct slice *rest, struct slice *ret_line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    size_t taken = end ? len + 1 : len;
    *ret_line = slice_make(rest->data, len);
    *rest = slice_make(rest->data + taken, rest->len - taken);
    return true;
}

static bool is_section(struct slice line, bool is_config, const char *name)
{
    const char *end = memchr(line.data, ']', line.len);
    if (!end)
        return false;
    struct slice title = trimmed(slice_make(line.data + 1, (size_t)(end - line.data - 1)));
    struct slice word = slice_of("profile");
    if (is_config && title.len > word.len && memcmp(title.data, word.data, word.len) == 0 &&
        (title.data[word.len] == ' ' || title.data[word.len] == '\t'))
        title = trimmed(slice_make(title.data + word.len, title.len - word.len));
    else if (is_config && strcmp(name, "default") != 0)
        return false;
    return slice_equal(title, slice_of(name));
}

static void keep(struct slice value, char *field, size_t size)
{
    if (field[0] == '\0' && value.len && value.len < size && !memchr(value.data, '\0', value.len)) {
        memcpy(field, value.data, value.len);
        field[value.len] = '\0';
    }
}

static void take_line(struct slice line, struct credentials_profile *profile)
{
    const struct {
        const char *name;
        char *field;
        size_t size;
    } fields[] = {
        {"aws_access_key_id", profile->access_key, sizeof(profile->access_key)},
        {"aws_secret_access_key", profile->secret_key, sizeof(profile->secret_key)},
        {"aws_session_token", profile->session_token, sizeof(profile->session_token)},
        {"region", profile->region, sizeof(profile->region)},
        {"role_arn", profile->role_arn, sizeof(profile->role_arn)},
        {"role_session_name", profile->session_name, sizeof(profile->session_name)},
        {"web_identity_token_file", profile->token_file, sizeof(profile->token_file)},
    };
    const char *equals = memchr(line.data, '=', line.len);
    if (!equals)
        return;
    struct slice name = trimmed(slice_make(line.data, (size_t)(equals - line.data)));
    struct slice value =
        trimmed(slice_make(equals + 1, (size_t)(line.data + line.len - equals - 1)));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (slice_equal(name, slice_of(fields[i].name)))
            keep(value, fields[i].field, fields[i].size);
}

void credentials_profile_parse(struct slice file, bool is_config, const char *name,
                               struct credentials_profile *profile)
{
    struct slice line;
    bool inside = false;
    while (next_line(&file, &line)) {
        if (line.len == 0 ||
            strchr("#; \t\r", line.data[0])) /* an indented line is a sub-setting */
            continue;
        if (line.data[0] == '[') {
            inside = is_section(line, is_config, name);
            profile->found |= inside;
        } else if (inside) {
            take_line(line, profile);
        }
    }
}

static void read_one(const char *variable, const char *in_home, bool is_config, const char *name,
                     struct credentials_profile *profile)
{
    struct text path = {0}, file = {0};
    const char *set = getenv(variable), *home = getenv("HOME");
    if (set && *set)
        text_append_string(&path, set);
    else
        text_append_format(&path, "%s/.aws/%s", home ? home : "", in_home);
    if (file_read(AT_FDCWD, text_terminated(&path), &file) == 0)
        credentials_profile_parse(text_slice(&file), is_config, name, profile);
    text_release(&path);
    text_release(&file);
}

void credentials_profile_read(struct credentials_profile *ret_profile)
{
    const char *name = getenv("AWS_PROFILE");
    *ret_profile = (struct credentials_profile){0};
    if (!name || !*name)
        name = "default";
    read_one("AWS_SHARED_CREDENTIALS_FILE", "credentials", false, name, ret_profile);
    read_one("AWS_CONFIG_FILE", "config", true, name, ret_profile);
}
