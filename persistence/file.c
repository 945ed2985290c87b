/* SPDX-License-Identifier: BSD-3-Clause */
/* See file.h. Plain system calls; knows nothing of what the files hold. */
#include "persistence/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_MAX ((size_t)256 * 1024)
/* From here on the kernel's copy of a file costs more than it is worth (docs/performance.md). */
#define DIRECT_MIN ((size_t)256 * 1024)
/* In pieces: a virtual machine may stand still while its host carries out a large one. */
#define DIRECT_PIECE ((size_t)256 * 1024)
/* What O_DIRECT asks of address, place and length: open(2) speaks of the disk's blocks, which have
 * 512 or 4096 bytes. */
#define DIRECT_ALIGN ((size_t)4096)

static bool set_direct(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/*
 * Reads or writes what it can of a large part between our memory and the disk, without a copy of
 * the kernel's, and returns how much that was. Where the file system or the address does not lend
 * itself to that it is nothing; the rest goes the usual way, which tells what is wrong too.
 */
static size_t transfer_directly(int fd, struct iovec part,
                                ssize_t (*transfer)(int fd, const struct iovec *part, int count))
{
    size_t done = 0, len = part.iov_len - part.iov_len % DIRECT_ALIGN;
    if (len < DIRECT_MIN || (uintptr_t)part.iov_base % DIRECT_ALIGN || !set_direct(fd, true))
        return 0;
    bool whole = true;
    while (whole && done < len) {
        struct iovec piece = {(char *)part.iov_base + done,
                              len - done < DIRECT_PIECE ? len - done : DIRECT_PIECE};
        ssize_t n = transfer(fd, &piece, 1);
        whole = n == (ssize_t)piece.iov_len;
        done += n > 0 ? (size_t)n : 0;
    }
    set_direct(fd, false);
    return done;
}

static int read_all(int fd, struct text *out)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return errno;
    if (S_ISDIR(info.st_mode))
        return EISDIR;
    /* More than the file is long, so that its end needs no second growth to be seen. */
    text_reserve(out, (size_t)info.st_size + DIRECT_ALIGN);
    if (out->len == 0 && (size_t)info.st_size >= DIRECT_MIN)
        out->len = transfer_directly(fd, (struct iovec){out->data, out->cap}, readv);
    for (;;) {
        ssize_t n = read(fd, text_reserve(out, 1), out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        out->len += (size_t)n;
    }
}

static int read_named(int directory, const char *name, bool keep, struct text *out)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = read_all(fd, out);
    if (!keep)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return error;
}

int file_read(int directory, const char *name, struct text *out)
{
    return read_named(directory, name, true, out);
}

int file_read_once(int directory, const char *name, struct text *out)
{
    return read_named(directory, name, false, out);
}

/* In pieces: the kernel makes the pages of its copy as large as a write, and large ones are rarely
 * at hand (docs/performance.md). */
int file_write_all(int fd, struct slice bytes)
{
    int error = 0;
    while (!error && bytes.len) {
        struct iovec part = {(void *)bytes.data, bytes.len < WRITE_MAX ? bytes.len : WRITE_MAX};
        bytes = slice_make(bytes.data + part.iov_len, bytes.len - part.iov_len);
        error = file_writev_all(fd, &part, 1);
    }
    return error;
}

int file_writev_all(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++;
            count--;
            continue;
        }
        ssize_t n = writev(fd, parts, count < IOV_MAX ? count : IOV_MAX);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        for (size_t left = (size_t)n; left;) {
            size_t step = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + step;
            parts->iov_len -= step;
            left -= step;
            if (parts->iov_len == 0 && left) {
                parts++;
                count--;
            }
        }
    }
    return 0;
}

int file_create(int directory, const char *name, struct slice bytes)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    size_t done = transfer_directly(fd, (struct iovec){(void *)bytes.data, bytes.len}, writev);
    int error = file_write_all(fd, slice_make(bytes.data + done, bytes.len - done));
    if (!error && fsync(fd) < 0)
        error = errno;
    if (close(fd) < 0 && !error)
        error = errno;
    if (error)
        unlinkat(directory, name, 0);
    return error;
}

int file_replace(int directory, const char *temporary, const char *name, const char *parent,
                 struct slice bytes, bool *landed)
{
    *landed = false;
    int error = file_create(directory, temporary, bytes);
    if (error)
        return error;
    if (renameat(directory, temporary, directory, name) < 0) {
        error = errno;
        unlinkat(directory, temporary, 0);
        return error;
    }
    *landed = true;
    return file_sync_directory(directory, parent);
}

int file_sync_directory(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fsync(fd) < 0 ? errno : 0;
    close(fd);
    return error;
}

static long read_holder(int fd)
{
    char digits[24] = "", *end = digits;
    ssize_t n = pread(fd, digits, sizeof(digits) - 1, 0);
    long pid = n > 0 ? strtol(digits, &end, 10) : 0;
    return pid > 0 && *end == '\n' ? pid : 0;
}

/* Takes the flock, or says who has it. Who may share it is not who has it alone. */
static int take_flock(int fd, bool alone, long *holder)
{
    int error = flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 ? errno : 0;
    if (error == EWOULDBLOCK && alone && flock(fd, LOCK_SH | LOCK_NB) == 0) {
        *holder = FILE_LOCK_SHARED;
        return flock(fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
    }
    if (error)
        *holder = read_holder(fd);
    return error;
}

int file_lock(int directory, const char *name, bool alone, int *ret_fd, long *holder)
{
    int fd = openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    int error = take_flock(fd, alone, holder);
    if (error) {
        close(fd);
        return error;
    }
    char digits[24];
    int len = alone ? snprintf(digits, sizeof(digits), "%ld\n", (long)getpid()) : 0;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, digits, (size_t)len, 0) != len) {
        error = errno ? errno : EIO;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

int file_lock_to_read(int directory, const char *name, int *ret_fd)
{
    *ret_fd = -1;
    /* NFS gives a lock that is not shared only to who may write … */
    int fd = openat(directory, name, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM))
        fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    int error = flock(fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
    if (error == EBADF) /* … so others take what it gives */
        error = flock(fd, LOCK_SH | LOCK_NB) < 0 ? errno : 0;
    if (error)
        close(fd);
    else
        *ret_fd = fd;
    return error;
}
