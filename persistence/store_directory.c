/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store in a directory: a key is a path below it. An object is replaced by writing a temporary
 * file, bringing it to disk, renaming it and bringing its directory to disk; compare and swap
 * happen under an flock on .cairn/swap, so that several processes may share the directory. Nothing
 * more is asked of the file system than rename and flock.
 *
 * The etag is the SHA-256 of the contents: what may be swapped differs in every version, since a
 * head names its position.
 */
#include "persistence/store-internal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ops/mem.h"
#include "persistence/file.h"
#include "persistence/sha256.h"

#define OWN_DIRECTORY ".cairn"
#define SWAP_FILE     OWN_DIRECTORY "/swap"
#define TEMPORARIES   OWN_DIRECTORY "/tmp"
#define PUT_ATTEMPTS  100 /* as long as others take the folder away */

struct store_directory {
    struct store store;
    int directory;
    int swap; /* open for flock; each handle has its own, so that threads exclude each other too */
    /* A directory whose fsync failed after a rename or removal: nobody may take what is seen there
     * for durable before one succeeds. Empty: none. */
    char unsynced[STORE_KEY_MAX];
    char settled[STORE_KEY_MAX]; /* a folder that is durable, or was until others took it away */
};

static enum store_result result_of(int error)
{
    switch (error) {
    case 0: return STORE_OK;
    case ENOENT:
    case ENOTDIR: return STORE_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return STORE_NO_SPACE;
    case EROFS: return STORE_READ_ONLY;
    case EACCES:
    case EPERM: return STORE_DENIED;
    }
    return STORE_TRANSIENT;
}

static void answer_errno(struct store_request *request, int error)
{
    if (error)
        store_answer(request, result_of(error), "%.160s: %s", request->key, strerror(error));
    else
        store_answer(request, STORE_OK, NULL);
}

static void etag_of(struct slice body, char etag[STORE_ETAG_MAX])
{
    char hex[SHA256_HEX_SIZE];
    sha256_digest_hex(body, hex);
    memcpy(etag, hex, sizeof(hex));
}

static void directory_get(struct store_directory *store, struct store_request *request)
{
    int error = (request->once ? file_read_once : file_read)(store->directory, request->key,
                                                             &request->answer);
    if (!error && (request->want_etags || request->etag[0])) {
        etag_of(text_slice(&request->answer), request->answer_etag);
        if (strcmp(request->answer_etag, request->etag) == 0) {
            text_clear(&request->answer);
            store_answer(request, STORE_NOT_MODIFIED, "%s: not modified", request->key);
            return;
        }
    }
    answer_errno(request, error);
}

/* The directory of a key, "." for the top. */
static void parent_of(const char *key, char out[STORE_KEY_MAX])
{
    const char *slash = strrchr(key, '/');
    size_t len = slash ? (size_t)(slash - key) : 1;
    memcpy(out, slash ? key : ".", len);
    out[len] = '\0';
}

/* Brings what is in a folder to disk; or, when it was taken away since, as empty as it then was,
 * the one above, which says so. */
static int sync_folder(struct store_directory *store, const char *folder)
{
    char path[STORE_KEY_MAX], above[STORE_KEY_MAX];
    snprintf(path, sizeof(path), "%s", folder);
    int error = file_sync_directory(store->directory, path);
    while (error == ENOENT && strcmp(path, ".") != 0) {
        parent_of(path, above);
        memcpy(path, above, sizeof(path));
        error = file_sync_directory(store->directory, path);
    }
    return error;
}

/* Makes the directories above `key`, each brought to disk in the one above it: also one that is
 * there already, which another server may only just have made. */
static int make_parents(struct store_directory *store, const char *key)
{
    char path[STORE_KEY_MAX], above[STORE_KEY_MAX];
    for (const char *slash = strchr(key, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(path, key, (size_t)(slash - key));
        path[slash - key] = '\0';
        if (mkdirat(store->directory, path, 0755) < 0 && errno != EEXIST)
            return errno;
        parent_of(path, above);
        int error = file_sync_directory(store->directory, above);
        if (error)
            return error;
    }
    return 0;
}

static int settle_parent(struct store_directory *store, const char *key, const char *parent)
{
    if (strcmp(parent, store->settled) == 0)
        return 0;
    int error = make_parents(store, key);
    if (!error)
        memcpy(store->settled, parent, sizeof(store->settled));
    return error;
}

static enum store_result check_condition(struct store_directory *store,
                                         struct store_request *request)
{
    if (request->condition == STORE_ALWAYS)
        return STORE_OK;
    if (request->condition == STORE_IF_ABSENT) {
        struct stat info;
        if (fstatat(store->directory, request->key, &info, 0) == 0)
            return STORE_PRECONDITION;
        return errno == ENOENT || errno == ENOTDIR ? STORE_OK : result_of(errno);
    }
    struct text present = {0};
    char etag[STORE_ETAG_MAX] = "";
    int error = file_read(store->directory, request->key, &present);
    if (!error)
        etag_of(text_slice(&present), etag);
    text_release(&present);
    if (error && error != ENOENT && error != ENOTDIR)
        return result_of(error);
    return strcmp(etag, request->etag) == 0 ? STORE_OK : STORE_PRECONDITION;
}

/* Unlike any other server's: those on other hosts, or in containers, may have our pid. */
static void temporary_name(char *out, size_t size)
{
    uint64_t random[2];
    ssize_t got = getrandom(random, sizeof(random), 0);
    assert(got == (ssize_t)sizeof(random));
    (void)got;
    snprintf(out, size, TEMPORARIES "/%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
}

/*
 * Writes the object. Between the making of its folder and the rename another server may have taken
 * the folder away, with the last object in it: then once more.
 */
static int replace(struct store_directory *store, struct store_request *request, bool *ret_landed)
{
    char temporary[64], parent[STORE_KEY_MAX];
    int error = ENOENT;
    parent_of(request->key, parent);
    *ret_landed = false;
    for (int i = 0; i < PUT_ATTEMPTS && error == ENOENT && !*ret_landed; i++) {
        error = settle_parent(store, request->key, parent);
        if (error)
            continue;
        temporary_name(temporary, sizeof(temporary));
        error = file_replace(store->directory, temporary, request->key, parent, request->body,
                             ret_landed);
        if (error == ENOENT)
            store->settled[0] = '\0';
    }
    if (*ret_landed && error)
        memcpy(store->unsynced, parent, sizeof(store->unsynced));
    return error;
}

static void directory_put(struct store_directory *store, struct store_request *request)
{
    bool swaps = request->condition != STORE_ALWAYS, landed = false;
    int error = 0;
    if (swaps && flock(store->swap, LOCK_EX) < 0) {
        answer_errno(request, errno);
        return;
    }
    enum store_result result = check_condition(store, request);
    if (result == STORE_OK) {
        error = replace(store, request, &landed);
        if (error)
            result = landed ? STORE_UNKNOWN : result_of(error);
        if (result == STORE_NOT_FOUND) /* our own directory was taken away: no answer to a PUT */
            result = STORE_TRANSIENT;
    }
    if (swaps)
        flock(store->swap, LOCK_UN);
    if (result == STORE_OK) {
        if (request->want_etags)
            etag_of(request->body, request->answer_etag);
        store_answer(request, STORE_OK, NULL);
    } else {
        store_answer(request, result, "%.160s: %s", request->key,
                     error ? strerror(error) : store_result_name(result));
    }
}

static void directory_remove(struct store_directory *store, struct store_request *request)
{
    char parent[STORE_KEY_MAX];
    int error = unlinkat(store->directory, request->key, 0) < 0 ? errno : 0;
    parent_of(request->key, parent);
    if (!error) {
        error = sync_folder(store, parent);
        if (error) {
            memcpy(store->unsynced, parent, sizeof(store->unsynced));
            store_answer(request, STORE_UNKNOWN, "%.160s: %s", request->key, strerror(error));
            return;
        }
    }
    /* Fails if anything is in it. Not brought to disk: an empty folder that is back does no harm.
     */
    if (request->with_folder && strcmp(parent, ".") != 0) {
        unlinkat(store->directory, parent, AT_REMOVEDIR);
        store->settled[0] = '\0';
    }
    answer_errno(request, error == EISDIR ? ENOENT : error);
}

static void add_file(struct store_directory *store, struct store_request *request, const char *key,
                     const struct stat *info)
{
    struct store_item *item = store_add_item(request, key, false);
    struct text body = {0};
    item->size = info->st_size;
    if (request->want_etags && file_read(store->directory, key, &body) == 0)
        etag_of(text_slice(&body), item->etag);
    text_release(&body);
}

/* Adds what is in the directory `prefix` ("" for the top, else ending in '/'). */
static int list_directory(struct store_directory *store, struct store_request *request,
                          const char *prefix)
{
    char key[STORE_KEY_MAX];
    int error = 0;
    int fd = openat(store->directory, prefix[0] ? prefix : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    DIR *dir = fdopendir(fd);
    struct dirent *found;
    while (!error && (errno = 0, found = readdir(dir))) {
        struct stat info;
        int len = snprintf(key, sizeof(key) - 1, "%s%s", prefix, found->d_name);
        if (len < 0 || (size_t)len >= sizeof(key) - 1 || !store_key_valid(key))
            continue;
        if (fstatat(store->directory, key, &info, 0) < 0)
            continue;
        if (S_ISREG(info.st_mode))
            add_file(store, request, key, &info);
        if (!S_ISDIR(info.st_mode))
            continue;
        memcpy(key + len, "/", 2);
        if (request->delimiter)
            store_add_item(request, key, true);
        else
            error = list_directory(store, request, key);
    }
    if (!error)
        error = errno;
    closedir(dir);
    return error;
}

static void directory_list(struct store_directory *store, struct store_request *request)
{
    int error = list_directory(store, request, request->key);
    if (!error)
        store_finish_list(request);
    answer_errno(request, error);
}

static void directory_submit(struct store *handle, struct store_request *request)
{
    struct store_directory *store = (struct store_directory *)handle;
    if (store->unsynced[0]) {
        int error = sync_folder(store, store->unsynced);
        if (error) {
            store_answer(request, STORE_TRANSIENT, "%.160s: %s", store->unsynced, strerror(error));
            return;
        }
        store->unsynced[0] = '\0';
    }
    switch (request->verb) {
    case STORE_GET: directory_get(store, request); break;
    case STORE_PUT: directory_put(store, request); break;
    case STORE_LIST: directory_list(store, request); break;
    case STORE_REMOVE: directory_remove(store, request); break;
    }
}

static void directory_close(struct store *handle)
{
    struct store_directory *store = (struct store_directory *)handle;
    if (store->swap >= 0)
        close(store->swap);
    if (store->directory >= 0)
        close(store->directory);
    store_fini(handle);
    mem_free(store);
}

static struct store *directory_clone(struct store *handle);

static struct store_directory *directory_handle(const struct store *like)
{
    static const struct store_kind kind = {
        .submit = directory_submit, .clone = directory_clone, .close = directory_close};
    struct store_directory *store = mem_calloc(1, sizeof(*store));
    store_init(&store->store, &kind, like);
    store->directory = store->swap = -1;
    return store;
}

static int open_swap(struct store_directory *store)
{
    store->swap = openat(store->directory, SWAP_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return store->swap < 0 ? errno : 0;
}

static struct store *directory_clone(struct store *handle)
{
    struct store_directory *store = directory_handle(handle);
    const struct store_directory *like = (const struct store_directory *)handle;
    store->directory = fcntl(like->directory, F_DUPFD_CLOEXEC, 0);
    if (store->directory >= 0 && like->swap >= 0)
        open_swap(store);
    return &store->store;
}

static int make_directory(int at, const char *path)
{
    return mkdirat(at, path, 0755) < 0 && errno != EEXIST ? errno : 0;
}

static int directory_prepare(struct store_directory *store, const char *path)
{
    int error = make_directory(AT_FDCWD, path);
    store->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory < 0)
        return error ? error : errno;
    error = make_directory(store->directory, OWN_DIRECTORY);
    if (!error)
        error = make_directory(store->directory, TEMPORARIES);
    if (!error)
        error = open_swap(store);
    return error ? error : file_sync_directory(store->directory, ".");
}

/* `code`: what became of opening it. */
static enum store_result give_handle(struct store_directory *store, int code, const char *path,
                                     struct store **ret_store, struct text *error)
{
    if (code) {
        text_append_format(error, "%s: %s", path, strerror(code));
        directory_close(&store->store);
        return code == ENOENT || code == ENOTDIR ? STORE_INVALID : result_of(code);
    }
    *ret_store = &store->store;
    return STORE_OK;
}

enum store_result store_directory_create(const char *path, struct store **ret_store,
                                         struct text *error)
{
    struct store_directory *store = directory_handle(NULL);
    return give_handle(store, directory_prepare(store, path), path, ret_store, error);
}

enum store_result store_directory_open(const char *path, struct store **ret_store,
                                       struct text *error)
{
    struct store_directory *store = directory_handle(NULL);
    store->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return give_handle(store, store->directory < 0 ? errno : 0, path, ret_store, error);
}

int store_directory_clean(const char *path, int64_t min_age_s)
{
    int error = 0;
    int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return errno;
    int fd = openat(top, TEMPORARIES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *found;
    struct stat info;
    while (dir && (found = readdir(dir))) {
        bool old = !min_age_s || (fstatat(fd, found->d_name, &info, 0) == 0 &&
                                  time(NULL) - info.st_mtime >= min_age_s);
        if (old && found->d_name[0] != '.' && unlinkat(fd, found->d_name, 0) < 0)
            error = errno;
    }
    if (dir)
        closedir(dir);
    close(top);
    return error;
}
