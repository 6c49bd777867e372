/* What the layer's own files share; nothing of it is seen outside. */

#ifndef TORTURE_LAYER_H
#define TORTURE_LAYER_H

#include "record.h"

#include <dlfcn.h>
#include <errno.h>

enum { DESCRIPTORS_MAX = 4096, FOLDER_NODE = 1 };

/* The function of the C library that ours stands before. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#pragma GCC visibility push(hidden)

extern struct control *control;

/* What each descriptor of this process is open on. */
struct open_on {
    uint32_t node;
    uint16_t file;
};
extern struct open_on open_on[DESCRIPTORS_MAX];

/* The name within the folder, "" of the folder itself, NULL of what is elsewhere. */
const char *within(const char *path);
int file_of(const char *name);
/* Whether a disk has to have its bytes: what is mapped is not brought there. */
int is_kept(int file);
int file_open_on(int fd);

void enter(void);
void leave(void);
/* These are called between the two. */
void note_file(int kind, int fd, int64_t offset, const void *data, size_t len);
struct name *find_name(const char *text);
uint32_t node_of(const char *text, uint64_t inode);
void note_unlink(const char *text);
void note_rename(const char *from, const char *to);

/* Counts an operation; returns the error that it is to have, or 0. */
int meet(int operation, int file);

int rename_by(const char *from, const char *to, unsigned flags);

#pragma GCC visibility pop

/* Has an operation fail here if it is to. */
#define MEET(operation, file)                                                                      \
    do {                                                                                           \
        int met = meet(operation, file);                                                           \
        if (met != 0) {                                                                            \
            errno = met == HALF ? EIO : met;                                                       \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

#endif
