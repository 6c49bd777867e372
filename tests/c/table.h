/*
 * Every function of the header as a row of a table, which tests/support/misuse.rs makes from the
 * header, and what each is called with when nothing is wrong.
 */
#ifndef SMOLWF_TESTS_TABLE_H
#define SMOLWF_TESTS_TABLE_H

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

union argument {
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
    int64_t (*call)(union argument *v);
    const struct parameter *parameters;
    size_t count;
    enum gives gives;
    /* Whether it only reads, by its documentation. */
    bool reads;
    /* Whether it answers the same again, by its documentation. */
    bool repeats;
    int32_t codes[64];
};

#include "function_table.h"

/* One living object of each kind, made anew around a fresh store, with a run that is under way. */
extern void *living[KINDS];
void place_make(sw_store *store);
void place_end(void);
/* Checks that those objects say what they said, and that the run has the history that it had. */
void check_untouched(void);

/* The arguments of the next call, its options, and where its outputs go. */
struct outputs {
    /* As many as the largest good number that is tried asks for. */
    void *handles[80];
    uint64_t number;
    size_t len;
    char id[SW_ID_CAP];
};
extern union argument v[PARAMETERS_MAX];
extern unsigned char given[];
extern struct outputs out;

/* Puts what is right in the place of each argument. */
void set_right(const struct function *function);
/* Frees what a call gave; checks that one that failed gave nothing. */
void check_outputs(const struct function *function, bool is_done);
bool has_handle(const struct function *function);

#endif
