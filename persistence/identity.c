/* SPDX-License-Identifier: BSD-3-Clause */
/* See identity.h. The file is one line: `cairn-identity 1 <name> <crc32c of all before>`. */
#include "persistence/identity.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "persistence/crc32c.h"
#include "persistence/file.h"

#define FILE_NAME "identity"
#define HOST_MAX  40

static uint64_t random_number(void)
{
    uint64_t number = 0;
    ssize_t got = getrandom(&number, sizeof(number), 0);
    assert(got == (ssize_t)sizeof(number));
    return number;
}

static void make_name(char out[COMMIT_REPLICA_SIZE])
{
    char host[256] = "";
    size_t len = 0;
    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    for (const char *c = host; *c && len < HOST_MAX; c++) {
        bool plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '.';
        out[len++] = plain ? *c : '-';
    }
    if (len == 0)
        out[len++] = 'r';
    /* Containers often share their host's name. */
    snprintf(out + len, COMMIT_REPLICA_SIZE - len, "-%08" PRIx32, (uint32_t)random_number());
}

static bool parse(struct slice file, char ret_replica[COMMIT_REPLICA_SIZE])
{
    char line[2 * COMMIT_REPLICA_SIZE], name[COMMIT_REPLICA_SIZE];
    uint32_t crc;
    int before = 0, whole = 0;
    if (file.len >= sizeof(line))
        return false;
    memcpy(line, file.data, file.len);
    line[file.len] = '\0';
    if (sscanf(line, "cairn-identity 1 %79s %n%8" SCNx32 "\n%n", name, &before, &crc, &whole) != 2)
        return false;
    if ((size_t)whole != file.len || crc32c(0, line, (size_t)before) != crc ||
        !commit_replica_valid(slice_of(name)))
        return false;
    memcpy(ret_replica, name, sizeof(name));
    return true;
}

bool identity_open(int directory, char ret_replica[COMMIT_REPLICA_SIZE], struct text *error)
{
    struct text file = {0};
    bool landed, ok = false;
    int code = file_read(directory, FILE_NAME, &file);
    if (code == 0) {
        ok = parse(text_slice(&file), ret_replica);
        if (!ok)
            text_append_string(error,
                               ".cairn/identity: byte 0: damaged: it must hold this server's "
                               "name and its checksum");
    } else if (code == ENOENT) {
        make_name(ret_replica);
        text_append_format(&file, "cairn-identity 1 %s ", ret_replica);
        text_append_format(&file, "%08" PRIx32 "\n", crc32c(0, file.data, file.len));
        code =
            file_replace(directory, FILE_NAME ".new", FILE_NAME, ".", text_slice(&file), &landed);
        ok = code == 0;
    }
    if (code && !ok)
        text_append_format(error, ".cairn/identity: %s", strerror(code));
    text_release(&file);
    return ok;
}

void identity_incarnation(const char *replica, char out[COMMIT_REPLICA_SIZE])
{
    int len = snprintf(out, COMMIT_REPLICA_SIZE, "%.79s/%010" PRIx64, replica,
                       random_number() & UINT64_C(0xffffffffff));
    assert(len > 0 && len < COMMIT_REPLICA_SIZE);
}
