/* Stands between a program and the C library, and counts the calls that ask something of the system,
 * and those for memory. */

#define _GNU_SOURCE
#include "counts.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static struct counts counts;

void counts_take(struct counts *out) {
    *out = counts;
    counts = (struct counts){0};
}

#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, #name)

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    NEXT(pwrite);
    counts.writes++;
    return next(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    NEXT(pwrite64);
    counts.writes++;
    return next(fd, bytes, len, at);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t at) {
    NEXT(pread);
    counts.reads++;
    return next(fd, bytes, len, at);
}

ssize_t pread64(int fd, void *bytes, size_t len, off64_t at) {
    NEXT(pread64);
    counts.reads++;
    return next(fd, bytes, len, at);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    counts.syncs++;
    return next(fd);
}

int fsync(int fd) {
    NEXT(fsync);
    counts.syncs++;
    return next(fd);
}

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    counts.writes++;
    return next(fd, size);
}

int fcntl(int fd, int command, ...) {
    NEXT(fcntl);
    counts.locks++;
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return next(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    NEXT(fcntl64);
    counts.locks++;
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return next(fd, command, argument);
}

/* What the library has no function of the C library for: statx and futex above all. */
long syscall(long number, ...) {
    NEXT(syscall);
    counts.wakes += number == SYS_futex;
    counts.looks += number == SYS_statx;
    va_list rest;
    va_start(rest, number);
    long of[6];
    for (int at = 0; at < 6; at++) of[at] = va_arg(rest, long);
    va_end(rest);
    return next(number, of[0], of[1], of[2], of[3], of[4], of[5]);
}

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);

void *malloc(size_t bytes) {
    counts.allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    counts.allocations++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    counts.allocations++;
    return __libc_realloc(memory, bytes);
}
