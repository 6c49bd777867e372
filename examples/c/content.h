/* Reads a file once and learns its size, SHA-256, lines and words. */
#ifndef EXAMPLE_CONTENT_H
#define EXAMPLE_CONTENT_H

#include "sha256.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_CHUNK (256 * 1024)

struct content {
    struct sha256 hash; /* counts the bytes too */
    long long lines, words;
    int is_in_word;
};

static void content_add(struct content *self, const unsigned char *bytes, size_t size) {
    sha256_add(&self->hash, bytes, size);
    for (size_t i = 0; i < size; i++) {
        int is_space = isspace(bytes[i]) != 0;
        self->lines += bytes[i] == '\n';
        self->words += !is_space && !self->is_in_word;
        self->is_in_word = !is_space;
    }
}

static int content_add_all(struct content *self, int file, int (*go_on)(void *), void *context) {
    static unsigned char chunk[CONTENT_CHUNK];
    for (;;) {
        ssize_t size = read(file, chunk, sizeof chunk);
        if (!go_on(context)) return EINTR;
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return size < 0 ? errno : 0;
        content_add(self, chunk, (size_t)size);
    }
}

/* Reads a regular file to its end and asks `go_on` after every chunk. Returns 0 or an errno; EINTR
 * says that `go_on` answered 0. */
static int content_read(const char *path, struct content *self, int (*go_on)(void *),
                        void *context) {
    struct stat found;
    memset(self, 0, sizeof *self);
    sha256_begin(&self->hash);
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno;
    int problem = fstat(file, &found) != 0 ? errno : 0;
    if (problem == 0 && !S_ISREG(found.st_mode)) problem = S_ISDIR(found.st_mode) ? EISDIR : EINVAL;
    if (problem == 0) problem = content_add_all(self, file, go_on, context);
    close(file);
    return problem;
}

#endif
