/* Keeping what the library writes: see documents.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "documents.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is longer holds a long payload, and looks like a shorter one. */
#define KEPT_BYTES_MAX 65536

/* One write of one line, so that those of threads and processes do not mix. */
static void keep(const char *file, const char *schema, const char *text, size_t len) {
    char line[KEPT_BYTES_MAX + 64];
    int used = snprintf(line, sizeof line, "%s\t", schema);
    for (size_t at = 0; at < len; at++)
        line[(size_t)used + at] = text[at] == '\n' || text[at] == '\r' ? ' ' : text[at];
    line[(size_t)used + len] = '\n';
    const int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const size_t whole = (size_t)used + len + 1;
    if (fd < 0 || write(fd, line, whole) != (ssize_t)whole) {
        perror(file);
        abort();
    }
    close(fd);
}

int32_t kept(const char *schema, int32_t code, sw_text *const *out) {
    const char *file = getenv("SW_DOCUMENTS");
    if (code < 0 || file == NULL || out == NULL || *out == NULL) return code;
    size_t len = 0;
    const char *text = sw_text_data(*out, &len);
    if (len <= KEPT_BYTES_MAX) keep(file, schema, text, len);
    return code;
}
