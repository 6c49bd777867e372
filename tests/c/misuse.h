/*
 * What the table of misuse is made of, and the table: tests/support/misuse.rs makes it from the
 * header.
 */
#ifndef SMOLWF_TESTS_MISUSE_H
#define SMOLWF_TESTS_MISUSE_H

#include "support.h"

#include <stddef.h>

enum class {
    HANDLE,
    TEXT,
    LENGTH,
    PATH,
    OPTIONS,
    NUMBER,
    OUT_HANDLE,
    OUT_NUMBER,
    OUT_ID,
    OUT_LEN,
    ROOM,
    ERROR_SLOT
};
enum gives { CODE, ANSWER, VIEW, NOTHING };

#define NO_MORE INT32_MAX
#define PARAMETERS_MAX 16

union value {
    void *at;
    uint64_t number;
};

struct layout;

/* A parameter of a function, or a field of a struct of options. */
struct parameter {
    const char *name;
    enum class class;
    int kind;
    const struct layout *layout;
    size_t offset;
    size_t bytes;
};

struct layout {
    const char *name;
    size_t size;
    const struct parameter *fields;
    size_t count;
};

struct function {
    const char *name;
    int64_t (*call)(union value *v);
    const struct parameter *parameters;
    size_t count;
    enum gives gives;
    /* Whether it only reads, by its documentation. */
    bool reads;
    int32_t codes[64];
};

#include "misuse_table.h"

#endif
