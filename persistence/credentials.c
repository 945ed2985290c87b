/* SPDX-License-Identifier: BSD-3-Clause */
/* See credentials.h: the order of the sources, and the thread that keeps what they gave fresh. */
#include "persistence/credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ops/mem.h"
#include "persistence/credentials_profile.h"
#include "persistence/credentials_sources.h"

#define MARGIN_S      300 /* fetched anew so long before they expire: AWS has the next ones then */
#define RETRY_MIN_S   1
#define RETRY_MAX_S   60
#define REFUSED_GAP_S 10 /* refused keys are looked for at most that often */
#define LOOK_UP_S     60 /* so late a clock that was put forward is noticed */

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

void credentials_region(char out[64])
{
    const char *set = from_environment("AWS_REGION");
    if (!set)
        set = from_environment("AWS_DEFAULT_REGION");
    if (set) {
        snprintf(out, 64, "%s", set);
        return;
    }
    struct credentials_profile *profile = mem_alloc(sizeof(*profile));
    credentials_profile_read(profile);
    memcpy(out, profile->region, 64);
    mem_free(profile);
}

/* False when a part is missing, or does not fit. */
static bool take_keys(const char *access_key, const char *secret_key, const char *token,
                      struct credentials *ret)
{
    if (!access_key || !secret_key || !*access_key || !*secret_key ||
        strlen(access_key) >= sizeof(ret->access_key) ||
        strlen(secret_key) >= sizeof(ret->secret_key) ||
        (token && strlen(token) >= sizeof(ret->session_token)))
        return false;
    *ret = (struct credentials){0};
    strcpy(ret->access_key, access_key);
    strcpy(ret->secret_key, secret_key);
    if (token)
        strcpy(ret->session_token, token);
    return true;
}

static bool from_profile(const char *region, const atomic_bool *abort, struct credentials *ret,
                         struct text *error, bool *ret_asked)
{
    struct credentials_profile *profile = mem_alloc(sizeof(*profile));
    credentials_profile_read(profile);
    const char *name = from_environment("AWS_PROFILE");
    bool ok = take_keys(profile->access_key, profile->secret_key, profile->session_token, ret);
    if (!ok && profile->role_arn[0] && profile->token_file[0]) {
        struct credentials_role role = {
            .arn = profile->role_arn,
            .session_name = profile->session_name[0] ? profile->session_name : "cairn",
            .token_file = profile->token_file,
            .region = profile->region[0] ? profile->region : region};
        *ret_asked = true;
        ok = credentials_from_web_identity(&role, abort, ret, error);
    } else if (!ok && name) {
        *ret_asked = true;
        text_append_format(error,
                           profile->found ? "profile %s holds no keys, and no role with "
                                            "web_identity_token_file"
                                          : "there is no profile %s",
                           name);
    }
    explicit_bzero(profile, sizeof(*profile));
    mem_free(profile);
    return ok;
}

bool credentials_resolve(const char *region, const atomic_bool *abort, struct credentials *ret,
                         struct text *error)
{
    const char *token_file = from_environment("AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *role_arn = from_environment("AWS_ROLE_ARN");
    const char *session = from_environment("AWS_ROLE_SESSION_NAME");
    const char *relative = from_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = from_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *disabled = from_environment("AWS_EC2_METADATA_DISABLED");
    bool asked = false;
    if (take_keys(getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"),
                  getenv("AWS_SESSION_TOKEN"), ret))
        return true;
    if (token_file && role_arn) {
        struct credentials_role role = {.arn = role_arn,
                                        .session_name = session ? session : "cairn",
                                        .token_file = token_file,
                                        .region = region};
        return credentials_from_web_identity(&role, abort, ret, error);
    }
    if (from_profile(region, abort, ret, error, &asked))
        return true;
    if (asked)
        return false;
    if (relative || full)
        return credentials_from_container(relative, full, abort, ret, error);
    if (disabled && strcmp(disabled, "true") == 0) {
        text_append_string(error, "there are no credentials: neither AWS_ACCESS_KEY_ID, nor a "
                                  "profile, nor a role");
        return false;
    }
    struct text reason = {0};
    bool found = credentials_from_instance(abort, ret, &reason);
    if (!found)
        text_append_format(error, "no AWS_ACCESS_KEY_ID, no profile with keys, and %s",
                           text_terminated(&reason));
    text_release(&reason);
    return found;
}

struct credentials_provider {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    char region[64];
    atomic_bool stopping;
    bool wanted; /* look again at once */
    bool have, failed;
    struct credentials current;
    int64_t look_at; /* seconds since 1970: before the keys expire; 0: never */
    /* Steady seconds, since the clock of the day may be set back: by hours at a start. */
    int64_t looked_at, retry_at; /* retry_at 0: no need */
    int64_t pause;
    char error[CREDENTIALS_ERROR_MAX];
};

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

static int64_t steady_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

/* With the mutex held. */
static void take_found(struct credentials_provider *provider, const struct credentials *found)
{
    int64_t now = now_s();
    provider->current = *found;
    provider->have = true;
    provider->failed = false;
    provider->pause = provider->look_at = provider->retry_at = 0;
    if (found->expires > now) {
        int64_t life = found->expires - now;
        provider->look_at = found->expires - (life / 2 < MARGIN_S ? life / 2 : MARGIN_S);
    }
    if (found->expires && provider->look_at <= now)
        provider->retry_at = provider->looked_at + RETRY_MIN_S;
}

static void take_failure(struct credentials_provider *provider, struct text *error)
{
    provider->failed = true;
    provider->pause = provider->pause ? 2 * provider->pause : RETRY_MIN_S;
    if (provider->pause > RETRY_MAX_S)
        provider->pause = RETRY_MAX_S;
    provider->look_at = 0;
    provider->retry_at = provider->looked_at + provider->pause;
    snprintf(provider->error, sizeof(provider->error), "%s", text_terminated(error));
}

/* Unlocks while it looks. */
static void look(struct credentials_provider *provider)
{
    struct credentials found;
    struct text error = {0};
    pthread_mutex_unlock(&provider->mutex);
    bool ok = credentials_resolve(provider->region, &provider->stopping, &found, &error);
    pthread_mutex_lock(&provider->mutex);
    provider->looked_at = steady_s();
    provider->wanted = false;
    if (ok)
        take_found(provider, &found);
    else
        take_failure(provider, &error);
    explicit_bzero(&found, sizeof(found));
    text_release(&error);
}

static bool is_due(const struct credentials_provider *provider)
{
    return provider->wanted || (provider->look_at && now_s() >= provider->look_at) ||
           (provider->retry_at && steady_s() >= provider->retry_at);
}

/* Until something may be due; the clock of the day is looked at every so often. */
static void wait_a_while(struct credentials_provider *provider)
{
    struct timespec until = {.tv_sec = (time_t)provider->retry_at};
    if (!provider->look_at && !provider->retry_at) {
        pthread_cond_wait(&provider->wake, &provider->mutex);
        return;
    }
    if (provider->look_at) {
        int64_t left = provider->look_at - now_s();
        int64_t soon = steady_s() + (left < 1 ? 1 : left > LOOK_UP_S ? LOOK_UP_S : left);
        if (!provider->retry_at || soon < provider->retry_at)
            until.tv_sec = (time_t)soon;
    }
    pthread_cond_timedwait(&provider->wake, &provider->mutex, &until);
}

static void *provider_thread(void *ctx)
{
    struct credentials_provider *provider = ctx;
    pthread_setname_np(pthread_self(), "credentials");
    pthread_mutex_lock(&provider->mutex);
    while (!atomic_load(&provider->stopping)) {
        if (is_due(provider))
            look(provider);
        else
            wait_a_while(provider);
    }
    pthread_mutex_unlock(&provider->mutex);
    return NULL;
}

struct credentials_provider *credentials_create(const char *region)
{
    struct credentials_provider *provider = mem_calloc(1, sizeof(*provider));
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&provider->mutex, NULL);
    pthread_cond_init(&provider->wake, &steady);
    pthread_condattr_destroy(&steady);
    snprintf(provider->region, sizeof(provider->region), "%s", region);
    provider->wanted = true;
    int failed = pthread_create(&provider->thread, NULL, provider_thread, provider);
    assert(!failed);
    (void)failed;
    return provider;
}

void credentials_destroy(struct credentials_provider *provider)
{
    if (!provider)
        return;
    pthread_mutex_lock(&provider->mutex);
    atomic_store(&provider->stopping, true);
    pthread_cond_signal(&provider->wake);
    pthread_mutex_unlock(&provider->mutex);
    pthread_join(provider->thread, NULL);
    pthread_cond_destroy(&provider->wake);
    pthread_mutex_destroy(&provider->mutex);
    explicit_bzero(provider, sizeof(*provider));
    mem_free(provider);
}

enum credentials_status credentials_get(struct credentials_provider *provider,
                                        struct credentials *ret, char error[CREDENTIALS_ERROR_MAX])
{
    enum credentials_status status = CREDENTIALS_PENDING;
    pthread_mutex_lock(&provider->mutex);
    const struct credentials *current = &provider->current;
    if (provider->have && (!current->expires || now_s() < current->expires)) {
        *ret = *current;
        status = CREDENTIALS_READY;
    } else if (provider->failed) {
        memcpy(error, provider->error, CREDENTIALS_ERROR_MAX);
        status = CREDENTIALS_MISSING;
    } else if (provider->have) { /* the clock was put forward, past their end */
        provider->wanted = true;
        pthread_cond_signal(&provider->wake);
    }
    pthread_mutex_unlock(&provider->mutex);
    return status;
}

void credentials_refused(struct credentials_provider *provider, const char *access_key)
{
    pthread_mutex_lock(&provider->mutex);
    if (provider->have && strcmp(provider->current.access_key, access_key) == 0 &&
        steady_s() >= provider->looked_at + REFUSED_GAP_S) {
        provider->wanted = true;
        pthread_cond_signal(&provider->wake);
    }
    pthread_mutex_unlock(&provider->mutex);
}
