/* The layer between the library, with the SQLite inside it, and the C library: it writes down what
 * happens to the files of one store, in the order in which it happens, or has one operation fail.
 *
 * Everything in the folder of the control block is the store's. What changes a file is done under one
 * lock of all processes, together with its record. */

#define _GNU_SOURCE
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct control *control;
struct open_on open_on[DESCRIPTORS_MAX];

void torture_attach(struct control *with) { control = with; }

/* The name within the folder, "" of the folder itself, NULL of what is elsewhere. */
const char *within(const char *path) {
    if (control == NULL || !control->is_on || path == NULL) return NULL;
    size_t len = strlen(control->folder);
    if (len == 0 || strncmp(path, control->folder, len) != 0) return NULL;
    if (path[len] == '\0') return path + len;
    return path[len] == '/' && strchr(path + len + 1, '/') == NULL ? path + len + 1 : NULL;
}

static int ends_in(const char *name, const char *end) {
    size_t len = strlen(name), ending = strlen(end);
    return len >= ending && strcmp(name + len - ending, end) == 0;
}

int file_of(const char *name) {
    if (name == NULL) return FILE_NONE;
    if (name[0] == '\0') return FILE_FOLDER;
    if (ends_in(name, "-wal")) return FILE_LOG;
    if (ends_in(name, "-journal")) return FILE_JOURNAL;
    if (ends_in(name, "-shm")) return FILE_INDEX;
    if (ends_in(name, "-smolwf")) return FILE_SIDE;
    int is_store = strcmp(name, STORE_NAME) == 0 || strcmp(name, MOVED_NAME) == 0;
    return is_store ? FILE_DATABASE : FILE_COPY;
}

int is_kept(int file) { return file != FILE_INDEX && file != FILE_SIDE; }

int file_open_on(int fd) {
    if (control == NULL || !control->is_on || fd < 0 || fd >= DESCRIPTORS_MAX) return FILE_NONE;
    return open_on[fd].file;
}

/* ---------------------------------------------------------------------------------------------- */
/* The record */

void enter(void) {
    if (pthread_mutex_lock(&control->mutex) == EOWNERDEAD) {
        pthread_mutex_consistent(&control->mutex);
    }
}

void leave(void) { pthread_mutex_unlock(&control->mutex); }

/* Appends a record; the lock is held. */
static void write_down(struct record record, const void *data, size_t len) {
    uint64_t bytes = (sizeof record + len + 7) & ~(uint64_t)7;
    if (control->used + bytes > LOG_BYTES) {
        static const char full[] = "torture: the record is full\n";
        if (write(2, full, sizeof full - 1) < 0) abort();
        abort();
    }
    record.bytes = (uint32_t)bytes;
    record.length = (int64_t)len;
    char *at = control->log + control->used;
    memcpy(at, &record, sizeof record);
    if (len > 0) memcpy(at + sizeof record, data, len);
    __atomic_store_n(&control->used, control->used + bytes, __ATOMIC_SEQ_CST);
}

void torture_note(int kind, uint32_t call, int32_t code, const char *text, size_t len) {
    if (control == NULL) return;
    enter();
    write_down((struct record){.kind = (uint16_t)kind, .node = call, .code = code}, text, len);
    leave();
}

void note_file(int kind, int fd, int64_t offset, const void *data, size_t len) {
    struct record record = {.kind = (uint16_t)kind,
                            .file = open_on[fd].file,
                            .node = open_on[fd].node,
                            .offset = offset};
    write_down(record, data, len);
}

struct name *find_name(const char *text) {
    for (int at = 0; at < NAMES_MAX; at++) {
        struct name *name = &control->names[at];
        if (name->node != 0 && strcmp(name->text, text) == 0) return name;
    }
    return NULL;
}

static struct name *free_name(void) {
    for (int at = 0; at < NAMES_MAX; at++) {
        if (control->names[at].node == 0) return &control->names[at];
    }
    abort();
}

/* Returns the node that a name stands for; one that is new is written down. */
uint32_t node_of(const char *text, uint64_t inode) {
    struct name *name = find_name(text);
    if (name != NULL && name->inode == inode) return name->node;
    if (name == NULL) name = free_name();
    name->node = ++control->nodes + FOLDER_NODE;
    name->inode = inode;
    snprintf(name->text, sizeof name->text, "%s", text);
    struct record record = {
        .kind = RECORD_CREATE, .file = (uint16_t)file_of(text), .node = name->node};
    write_down(record, text, strlen(text) + 1);
    return name->node;
}

void note_unlink(const char *text) {
    struct name *name = find_name(text);
    if (name == NULL) return;
    struct record record = {.kind = RECORD_UNLINK, .node = name->node};
    write_down(record, text, strlen(text) + 1);
    name->node = 0;
}

void note_rename(const char *from, const char *to) {
    struct name *name = find_name(from), *taken = find_name(to);
    if (name == NULL) return;
    if (taken != NULL) taken->node = 0;
    char both[256];
    int len = snprintf(both, sizeof both, "%s%c%s", from, '\0', to);
    struct record record = {.kind = RECORD_RENAME, .node = name->node};
    write_down(record, both, (size_t)len + 1);
    snprintf(name->text, sizeof name->text, "%s", to);
}

/* ---------------------------------------------------------------------------------------------- */
/* Failing */

enum { CHOICES_MAX = 7 };

/* The errors that an operation can have, ended by 0. EINTR is none of those that Linux answers for a
 * local file, but for locks and waits; programs are to bear it all the same. */
static const int errors[OPERATIONS][CHOICES_MAX + 1] = {
    [OPERATION_OPEN] = {EIO, EMFILE, ENFILE, ENOMEM, EINTR},
    [OPERATION_MAKE] = {EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EINTR},
    [OPERATION_READ] = {EIO, HALF, EINTR},
    [OPERATION_WRITE] = {EIO, ENOSPC, EDQUOT, HALF, EINTR},
    [OPERATION_SYNC] = {EIO, ENOSPC, EDQUOT},
    [OPERATION_SIZE] = {EIO, ENOSPC, EINTR},
    [OPERATION_ALLOCATE] = {EIO, ENOSPC, EDQUOT, EINTR},
    [OPERATION_UNLINK] = {EIO, ENOSPC, EDQUOT},
    [OPERATION_RENAME] = {EIO, ENOSPC, EDQUOT},
    [OPERATION_LOCK] = {EIO, ENOLCK, EINTR, ENOMEM},
    [OPERATION_LOOK] = {EIO, ENOMEM},
    [OPERATION_MAP] = {ENOMEM, ENFILE},
    [OPERATION_MODE] = {EIO},
};

static int can_have(int operation, int error) {
    for (const int *at = errors[operation]; *at != 0; at++) {
        if (*at == error) return 1;
    }
    return 0;
}

static int choose(int operation, int file) {
    uint32_t count = 0;
    while (errors[operation][count] != 0) count++;
    if (count == 0) return 0;
    control->failed_operation = operation;
    control->failed_file = file;
    control->failed_error = errors[operation][control->fail_choice % count];
    control->failed_choices = count;
    control->failed_place = control->used;
    /* Who is interrupted goes on until it is not. */
    int passes = control->failed_error == EINTR || control->failed_error == HALF;
    control->is_failing_on = control->fails_on && !passes;
    __atomic_store_n(&control->has_failed, 1, __ATOMIC_SEQ_CST);
    return control->failed_error;
}

int meet(int operation, int file) {
    if (file == FILE_NONE) return 0;
    uint64_t number = __atomic_add_fetch(&control->operations, 1, __ATOMIC_SEQ_CST);
    if (number < OPERATIONS_KEPT) control->operation_was[number] = (unsigned char)operation;
    if (number == control->fail_at) return choose(operation, file);
    int fails = control->is_failing_on && can_have(operation, control->failed_error);
    return fails ? control->failed_error : 0;
}
