/* The layer's functions that open, change and name files. */

#define _GNU_SOURCE
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- */
/* Opening */

static void note_open(int fd, const char *name) {
    if (fd >= DESCRIPTORS_MAX) abort();
    int file = file_of(name);
    uint32_t node = FOLDER_NODE;
    struct stat facts;
    if (file != FILE_FOLDER && fstatat(fd, "", &facts, AT_EMPTY_PATH) == 0) {
        node = node_of(name, facts.st_ino);
    }
    open_on[fd].node = node;
    open_on[fd].file = (uint16_t)file;
}

typedef int opening(const char *path, int flags, ...);

static int open_with(opening *real, const char *path, int flags, mode_t mode) {
    const char *name = within(path);
    if (name == NULL) return real(path, flags, mode);
    enter();
    int is_new = (flags & O_CREAT) != 0 && find_name(name) == NULL;
    int met = meet(is_new ? OPERATION_MAKE : OPERATION_OPEN, file_of(name));
    int fd = met == 0 ? real(path, flags, mode) : -1;
    if (met != 0) errno = met;
    if (fd >= 0) {
        note_open(fd, name);
        if ((flags & O_TRUNC) != 0) note_file(RECORD_SIZE, fd, 0, NULL, 0);
    }
    int error = errno;
    leave();
    errno = error;
    return fd;
}

static mode_t mode_in(int flags, va_list rest) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

#define OPENING(name)                                                                              \
    int name(const char *path, int flags, ...) {                                                   \
        REAL(name);                                                                                \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = mode_in(flags, rest);                                                        \
        va_end(rest);                                                                              \
        return open_with(real, path, flags, mode);                                                 \
    }

OPENING(open)
OPENING(open64)

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

#define OPENING_AT(name, plain)                                                                    \
    int name(int folder, const char *path, int flags, ...) {                                       \
        REAL(name);                                                                                \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = mode_in(flags, rest);                                                        \
        va_end(rest);                                                                              \
        return within(path) == NULL ? real(folder, path, flags, mode) : plain(path, flags, mode);  \
    }

OPENING_AT(openat, open)
OPENING_AT(openat64, open64)

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < DESCRIPTORS_MAX) open_on[fd].file = FILE_NONE;
    return real(fd);
}

/* Whether a descriptor is still open on a file of the store. */
int torture_open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) count += open_on[fd].file != FILE_NONE;
    return count;
}

/* ---------------------------------------------------------------------------------------------- */
/* Reading and writing */

#define READING(name, ...)                                                                         \
    int met = meet(OPERATION_READ, file_open_on(fd));                                              \
    if (met > 0) errno = met;                                                                      \
    if (met > 0) return -1;                                                                        \
    if (met == HALF) len = (len + 1) / 2;                                                          \
    return real(fd, into, len, ##__VA_ARGS__)

ssize_t read(int fd, void *into, size_t len) {
    REAL(read);
    READING(read);
}

ssize_t pread(int fd, void *into, size_t len, off_t offset) {
    REAL(pread);
    READING(pread, offset);
}

ssize_t pread64(int fd, void *into, size_t len, off64_t offset) {
    REAL(pread64);
    READING(pread64, offset);
}

/* Writes and writes down. Without an offset at which, it is that of the descriptor. */
static ssize_t write_at(int fd, const void *from, size_t len, int64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    int file = file_open_on(fd);
    enter();
    int met = meet(OPERATION_WRITE, file);
    if (met == HALF) len = (len + 1) / 2;
    errno = met;
    ssize_t done = met > 0 ? -1 : real(fd, from, len, offset);
    int error = errno;
    if (done > 0)
        note_file(RECORD_WRITE, fd, offset, is_kept(file) ? from : NULL,
                  is_kept(file) ? (size_t)done : 0);
    leave();
    errno = error;
    return done;
}

ssize_t write(int fd, const void *from, size_t len) {
    REAL(write);
    if (file_open_on(fd) == FILE_NONE) return real(fd, from, len);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = write_at(fd, from, len, at);
    if (done > 0) lseek(fd, done, SEEK_CUR);
    return done;
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t offset) {
    REAL(pwrite);
    return file_open_on(fd) == FILE_NONE ? real(fd, from, len, offset)
                                         : write_at(fd, from, len, offset);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t offset) {
    REAL(pwrite64);
    return file_open_on(fd) == FILE_NONE ? real(fd, from, len, offset)
                                         : write_at(fd, from, len, offset);
}

/* Nothing that is recorded may come by a way that is not: these are used on no file of a store. */
static void stray(const char *name) {
    fprintf(stderr, "torture: %s on a file of the store is not recorded\n", name);
    abort();
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (file_open_on(fd) != FILE_NONE) stray("writev");
    return real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    REAL(pwritev);
    if (file_open_on(fd) != FILE_NONE) stray("pwritev");
    return real(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    REAL(pwritev64);
    if (file_open_on(fd) != FILE_NONE) stray("pwritev64");
    return real(fd, parts, count, offset);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t len, unsigned flags) {
    REAL(copy_file_range);
    if (file_open_on(to) != FILE_NONE) stray("copy_file_range");
    return real(from, at, to, there, len, flags);
}

/* ---------------------------------------------------------------------------------------------- */
/* Syncing and sizes */

static int sync_with(int (*real)(int), int fd) {
    int file = file_open_on(fd);
    if (file == FILE_NONE) return real(fd);
    enter();
    int met = meet(OPERATION_SYNC, file);
    if (met != 0) {
        note_file(RECORD_SYNC_FAILED, fd, 0, NULL, 0);
    } else if (!control->is_lying) {
        note_file(file == FILE_FOLDER ? RECORD_FOLDER_SYNCED : RECORD_SYNCED, fd, 0, NULL, 0);
    }
    leave();
    errno = met;
    return met == 0 ? 0 : -1;
}

int fsync(int fd) {
    REAL(fsync);
    return sync_with(real, fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return sync_with(real, fd);
}

static int size_with(int (*real)(int, off64_t), int fd, off64_t size) {
    int file = file_open_on(fd);
    if (file == FILE_NONE) return real(fd, size);
    enter();
    int met = meet(OPERATION_SIZE, file);
    errno = met;
    int code = met != 0 ? -1 : real(fd, size);
    int error = errno;
    if (code == 0) note_file(RECORD_SIZE, fd, size, NULL, 0);
    leave();
    errno = error;
    return code;
}

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    return size_with(real, fd, size);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return size_with(real, fd, size);
}

/* Answers an errno. Room makes a file longer, never shorter. */
static int allocate_with(int (*real)(int, off64_t, off64_t), int fd, off64_t offset, off64_t len) {
    int file = file_open_on(fd);
    if (file == FILE_NONE) return real(fd, offset, len);
    enter();
    struct stat facts = {0};
    int met = meet(OPERATION_ALLOCATE, file);
    if (met == 0) met = real(fd, offset, len);
    if (met == 0 && fstatat(fd, "", &facts, AT_EMPTY_PATH) == 0) {
        note_file(RECORD_SIZE, fd, facts.st_size, NULL, 0);
    }
    leave();
    return met;
}

int posix_fallocate(int fd, off_t offset, off_t len) {
    REAL(posix_fallocate);
    return allocate_with(real, fd, offset, len);
}

int posix_fallocate64(int fd, off64_t offset, off64_t len) {
    REAL(posix_fallocate64);
    return allocate_with(real, fd, offset, len);
}

int fallocate(int fd, int mode, off_t offset, off_t len) {
    REAL(fallocate);
    if (file_open_on(fd) != FILE_NONE) stray("fallocate");
    return real(fd, mode, offset, len);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t len) {
    REAL(fallocate64);
    if (file_open_on(fd) != FILE_NONE) stray("fallocate64");
    return real(fd, mode, offset, len);
}

/* ---------------------------------------------------------------------------------------------- */
/* Names */

int unlink(const char *path) {
    REAL(unlink);
    const char *name = within(path);
    if (name == NULL) return real(path);
    enter();
    int met = meet(OPERATION_UNLINK, file_of(name));
    errno = met;
    int code = met != 0 ? -1 : real(path);
    int error = errno;
    if (code == 0) note_unlink(name);
    leave();
    errno = error;
    return code;
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    if (within(path) != NULL && flags == 0) return unlink(path);
    return real(folder, path, flags);
}

int rename_by(const char *from, const char *to, unsigned flags) {
    static long (*real)(long, ...);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    enter();
    int met = meet(OPERATION_RENAME, file_of(within(to)));
    errno = met;
    long code = met != 0 ? -1 : real(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
    int error = errno;
    if (code == 0) note_rename(within(from), within(to));
    leave();
    errno = error;
    return (int)code;
}

static int is_ours(const char *from, const char *to) {
    if ((within(from) == NULL) != (within(to) == NULL)) stray("rename");
    return within(from) != NULL;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return is_ours(from, to) ? rename_by(from, to, 0) : real(from, to);
}

int link(const char *from, const char *to) {
    REAL(link);
    if (is_ours(from, to)) stray("link");
    return real(from, to);
}

int linkat(int folder, const char *from, int other, const char *to, int flags) {
    REAL(linkat);
    if (is_ours(from, to)) stray("linkat");
    return real(folder, from, other, to, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    const char *name = within(path);
    if (name != NULL && name[0] != '\0') stray("mkdir");
    return real(path, mode);
}

int mknod(const char *path, mode_t mode, dev_t device) {
    REAL(mknod);
    const char *name = within(path);
    if (name == NULL) return real(path, mode, device);
    enter();
    int met = meet(OPERATION_MAKE, file_of(name));
    errno = met;
    int code = met != 0 ? -1 : real(path, mode, device);
    int error = errno;
    struct stat facts;
    if (code == 0 && fstatat(AT_FDCWD, path, &facts, AT_EMPTY_PATH) == 0) {
        node_of(name, facts.st_ino);
    }
    leave();
    errno = error;
    return code;
}
