/* The layer's functions that lock, look and map. */

#define _GNU_SOURCE
#include "layer.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- */
/* Locks */

/* Freeing is none that fails: the kernel needs nothing for it, of locks that do not overlap. */
static int is_lock(int command, const void *argument) {
    int is_one = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
                 command == F_OFD_SETLKW || command == F_GETLK || command == F_OFD_GETLK;
    return is_one && ((const struct flock *)argument)->l_type != F_UNLCK;
}

typedef int controlling(int fd, int command, ...);

static int control_with(controlling *real, int fd, int command, void *argument) {
    int file = file_open_on(fd);
    if (file != FILE_NONE && is_lock(command, argument)) MEET(OPERATION_LOCK, file);
    int code = real(fd, command, argument);
    int is_copy = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    if (file != FILE_NONE && is_copy && code >= 0 && code < DESCRIPTORS_MAX) {
        open_on[code] = open_on[fd];
    }
    return code;
}

#define CONTROLLING(name)                                                                          \
    int name(int fd, int command, ...) {                                                           \
        REAL(name);                                                                                \
        va_list rest;                                                                              \
        va_start(rest, command);                                                                   \
        void *argument = va_arg(rest, void *);                                                     \
        va_end(rest);                                                                              \
        return control_with(real, fd, command, argument);                                          \
    }

CONTROLLING(fcntl)
CONTROLLING(fcntl64)

/* ---------------------------------------------------------------------------------------------- */
/* Looks */

#define LOOKING(name, type)                                                                        \
    int name(const char *path, type facts) {                                                       \
        REAL(name);                                                                                \
        MEET(OPERATION_LOOK, file_of(within(path)));                                               \
        return real(path, facts);                                                                  \
    }

LOOKING(stat, struct stat *)
LOOKING(stat64, struct stat64 *)
LOOKING(lstat, struct stat *)
LOOKING(lstat64, struct stat64 *)
LOOKING(access, int)
LOOKING(statfs, struct statfs *)

int fstat(int fd, struct stat *facts) {
    REAL(fstat);
    MEET(OPERATION_LOOK, file_open_on(fd));
    return real(fd, facts);
}

int fstat64(int fd, struct stat64 *facts) {
    REAL(fstat64);
    MEET(OPERATION_LOOK, file_open_on(fd));
    return real(fd, facts);
}

/* Without a path it is the descriptor that is looked at. Programs that ask whether there is such a call
 * pass none at all, whatever the C library declares. */
__attribute__((noinline)) static int file_looked_at(int fd, const char *path) {
    return path == NULL || path[0] == '\0' ? file_open_on(fd) : file_of(within(path));
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *facts) {
    REAL(statx);
    MEET(OPERATION_LOOK, file_looked_at(folder, path));
    return real(folder, path, flags, mask, facts);
}

int chmod(const char *path, mode_t mode) {
    REAL(chmod);
    MEET(OPERATION_MODE, file_of(within(path)));
    return real(path, mode);
}

int fchmod(int fd, mode_t mode) {
    REAL(fchmod);
    MEET(OPERATION_MODE, file_open_on(fd));
    return real(fd, mode);
}

/* ---------------------------------------------------------------------------------------------- */
/* Maps */

static int map_error(int fd) { return meet(OPERATION_MAP, file_open_on(fd)); }

void *mmap(void *at, size_t len, int access, int flags, int fd, off_t offset) {
    REAL(mmap);
    int met = map_error(fd);
    if (met == 0) return real(at, len, access, flags, fd, offset);
    errno = met;
    return MAP_FAILED;
}

void *mmap64(void *at, size_t len, int access, int flags, int fd, off64_t offset) {
    REAL(mmap64);
    int met = map_error(fd);
    if (met == 0) return real(at, len, access, flags, fd, offset);
    errno = met;
    return MAP_FAILED;
}

/* ---------------------------------------------------------------------------------------------- */
/* What is called by its number */

static long call(long number, const long *a) {
    static long (*real)(long, ...);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int at = 0; at < 6; at++) a[at] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_renameat2 && within((const char *)a[1]) != NULL) {
        return rename_by((const char *)a[1], (const char *)a[3], (unsigned)a[4]);
    }
    if (number == SYS_statx) {
        MEET(OPERATION_LOOK, file_looked_at((int)a[0], (const char *)a[1]));
    }
    return call(number, a);
}
