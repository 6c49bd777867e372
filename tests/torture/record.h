/* What the layer writes down about the files of one store, and how it is told what to do.
 *
 * Layer, workloads and judges are processes of one family: the control block is memory that all of them
 * share. It begins empty, so that a process which runs no workload is let through everywhere. */

#ifndef TORTURE_RECORD_H
#define TORTURE_RECORD_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

/* Files of one store by what they are; the folder is one of them. */
enum file {
    FILE_NONE,
    FILE_FOLDER,
    FILE_DATABASE,
    FILE_LOG,
    FILE_JOURNAL,
    FILE_INDEX,
    FILE_SIDE,
    FILE_COPY,
    FILES
};

/* What a process does with them, as far as it can fail. */
enum operation {
    OPERATION_OPEN,
    OPERATION_MAKE,
    OPERATION_READ,
    OPERATION_WRITE,
    OPERATION_SYNC,
    OPERATION_SIZE,
    OPERATION_ALLOCATE,
    OPERATION_UNLINK,
    OPERATION_RENAME,
    OPERATION_LOCK,
    OPERATION_LOOK,
    OPERATION_MAP,
    OPERATION_MODE,
    OPERATION_MEMORY,
    OPERATIONS
};

/* Records. Those up to RECORD_FOLDER_SYNCED change what a disk may hold; the rest are said by the
 * application. */
enum kind {
    RECORD_CREATE,
    RECORD_UNLINK,
    RECORD_RENAME,
    RECORD_WRITE,
    RECORD_SIZE,
    RECORD_SYNCED,
    RECORD_SYNC_FAILED,
    RECORD_FOLDER_SYNCED,
    RECORD_BEGIN,
    RECORD_FACT,
    RECORD_ANSWER,
    RECORD_TOUCH,
    KINDS
};

struct record {
    uint32_t bytes; /* of the whole record, a multiple of 8 */
    uint16_t kind;
    uint16_t file;
    uint32_t node; /* of a file; the number of a call */
    int32_t code;  /* of an answer */
    int64_t offset;
    int64_t length; /* of the bytes that follow; of RECORD_SIZE the size is in offset */
};

/* The bytes that follow a record. */
#define DATA(record) ((const char *)((record) + 1))

struct name {
    uint32_t node;
    uint64_t inode;
    char text[112];
};

/* Files in the folder: the store, and the one that it is moved into. */
#define STORE_NAME "store.db"
#define MOVED_NAME "moved.db"

enum { NAMES_MAX = 256, FOLDER_BYTES_MAX = 200 };

enum { OPERATIONS_KEPT = 1 << 16 };

/* Bytes that SQLite is made to ask for, and nobody else, so that it is known by them. */
enum { MEMORY_KNOWN_BY = 777216 };

#define LOG_BYTES ((uint64_t)1 << 30)

/* fail_error of a write or read that does half of it. */
#define HALF (-1)

struct control {
    pthread_mutex_t mutex; /* around what changes files, so that the record has its order */
    char folder[FOLDER_BYTES_MAX];
    int is_on;
    int is_lying; /* syncs answer well and do nothing */

    /* What is to fail: the operation that is the fail_at-th, from 1; 0 is none. */
    uint64_t fail_at;
    uint32_t fail_choice; /* which of the errors that it can have */
    int fails_on;         /* all that can have the error has it, until it is tried anew */
    uint64_t operations;
    unsigned char operation_was[OPERATIONS_KEPT]; /* by their numbers, from 1 */

    /* What came of it. */
    int has_failed;
    int is_failing_on;
    int failed_operation, failed_file, failed_error;
    uint32_t failed_choices;
    uint64_t failed_place; /* in the record */
    int32_t first_code;    /* of the environment or the library that was answered after it */
    char first_function[64], first_words[300];

    int memory_fails; /* SQLite's memory is counted */
    uint64_t memory_asked, memory_fails_at;
    const void *sqlite_asks_from;

    char only[32];           /* the one chapter to be played; "" is all */
    uint64_t chapters_begin; /* operations before the first chapter */
    uint32_t calls;
    uint32_t undocumented;
    char last_words[400];
    uint32_t nodes;
    struct name names[NAMES_MAX];
    uint64_t used;
    char log[LOG_BYTES];
};

/* Given by the layer. */
typedef void torture_attach_function(struct control *control);
typedef void torture_note_function(int kind, uint32_t call, int32_t code, const char *text,
                                   size_t len);

#endif
